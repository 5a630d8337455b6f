"""Minimum average partial against psych, by hand, and from its definition."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.how_many.velicer import minimum_average_partial
from collabsurvey.numerics.typing import FloatArray
from support import gold


def test_it_matches_psych(named_answers: tuple[str, FloatArray]) -> None:
    name, x = named_answers
    expected = gold("04_efa")[f"map_vss_{name}"]["values"]
    found = minimum_average_partial(np.corrcoef(x, rowvar=False))
    # psych begins at m = 1. It takes components off R, which cancels more the more are taken.
    assert_allclose(found.squared[1:9], expected["map"], rtol=1e-10)
    assert found.n_components == expected["min_map_at"]


def test_both_powers_from_the_definition(hs1939: FloatArray) -> None:
    """Partial correlations of items given component scores, by regression of the answers."""
    cor = np.corrcoef(hs1939, rowvar=False)
    z = (hs1939 - hs1939.mean(axis=0)) / hs1939.std(axis=0)
    scores = z @ np.linalg.eigh(cor)[1][:, ::-1]
    found = minimum_average_partial(cor)
    off_diagonal = ~np.eye(9, dtype=bool)
    for m in range(8):
        rest = z - scores[:, :m] @ np.linalg.lstsq(scores[:, :m], z)[0]
        r = np.corrcoef(rest, rowvar=False)[off_diagonal]
        assert_allclose(found.squared[m], (r**2).mean(), rtol=1e-10)
        assert_allclose(found.fourth_power[m], (r**4).mean(), rtol=1e-10)


def test_by_hand_until_an_item_has_no_variance_left() -> None:
    """The components are x1 + x2, x3 + x4, x3 - x4, x1 - x2; without the third x3 is constant."""
    cor = np.array([[1, 0.6, 0, 0], [0.6, 1, 0, 0], [0, 0, 1, 0.2], [0, 0, 0.2, 1]])
    found = minimum_average_partial(cor)
    assert_allclose(found.squared, [0.8 / 12, 2.08 / 12, 4 / 12, np.nan], rtol=1e-12)
    assert_allclose(found.fourth_power, [0.2624 / 12, 2.0032 / 12, 4 / 12, np.nan], rtol=1e-12)
    assert found.n_components == found.n_components_revised == 0


def test_fewer_respondents_than_items() -> None:
    x = np.random.default_rng(2).standard_normal((6, 9))  # rank 5
    found = minimum_average_partial(np.corrcoef(x, rowvar=False))
    assert np.isfinite(found.squared[:5]).all()
    assert np.isnan(found.squared[5:]).all()


def test_three_factors_are_found(three_factors: FloatArray) -> None:
    found = minimum_average_partial(np.corrcoef(three_factors, rowvar=False))
    assert found.n_components == found.n_components_revised == 3


def test_independent_items_have_none() -> None:
    x = np.random.default_rng(3).standard_normal((500, 10))
    assert minimum_average_partial(np.corrcoef(x, rowvar=False)).n_components == 0
