"""KMO, Bartlett's test and squared multiple correlations against psych and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.how_many.adequacy import adequacy, log_chi2_tail
from collabsurvey.errors import DataError, NotEnoughDataError
from collabsurvey.numerics.typing import FloatArray
from support import gold

RTOL = 1e-10  # closed form in both programs


def test_all_of_it_matches_psych(named_answers: tuple[str, FloatArray]) -> None:
    name, x = named_answers
    expected = gold("04_efa")[f"kmo_bartlett_{name}"]["values"]
    found = adequacy(np.corrcoef(x, rowvar=False), len(x))
    assert_allclose(found.kmo, expected["MSA"], rtol=RTOL)
    assert_allclose(found.kmo_per_item, list(expected["MSAi"].values()), rtol=RTOL)
    assert_allclose(found.smc, list(expected["smc"].values()), rtol=RTOL)
    assert_allclose(found.log_det, np.log(expected["det"]), rtol=RTOL)
    assert_allclose(found.bartlett_chi2, expected["bartlett"]["chisq"], rtol=RTOL)
    assert found.bartlett_df == expected["bartlett"]["df"]
    assert_allclose(found.bartlett_p, expected["bartlett"]["p.value"], rtol=RTOL)


def test_two_items_by_hand() -> None:
    found = adequacy(np.array([[1.0, 0.5], [0.5, 1.0]]), 100)
    assert_allclose(found.kmo, 0.5)  # the partial correlation is minus the simple one
    assert_allclose(found.smc, 0.25)
    assert_allclose(found.bartlett_chi2, -np.log(0.75) * (99 - 9 / 6))
    assert_allclose(found.bartlett_log_p, np.log(found.bartlett_p))


@pytest.mark.parametrize(
    ("chi2", "df", "expected"),
    [  # R 4.2.2: pchisq(chi2, df, lower.tail = FALSE, log.p = TRUE)
        (18146.065577235, 300, -8315.17948481856),
        (2000, 10, -975.543028717102),
        (1500, 1, -753.883067105382),
        (50_000, 44_850, -141.182893617895),
        (60_000, 44_850, -1053.69777163751),
    ],
)
def test_log_p_where_p_is_zero(chi2: float, df: int, expected: float) -> None:
    assert_allclose(log_chi2_tail(chi2, df), expected, rtol=1e-12)


@given(signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=5, max_size=5))
def test_reversed_items_change_nothing(signs: list[float]) -> None:
    x = np.random.default_rng(1).standard_normal((60, 5)) + np.linspace(-1, 1, 60)[:, None]
    cor = np.corrcoef(x, rowvar=False)
    plain, turned = adequacy(cor, 60), adequacy(cor * np.outer(signs, signs), 60)
    assert_allclose(turned.kmo_per_item, plain.kmo_per_item, rtol=RTOL)
    assert_allclose(turned.smc, plain.smc, rtol=RTOL)
    assert_allclose(turned.bartlett_chi2, plain.bartlett_chi2, rtol=RTOL)


def test_an_item_without_correlations_has_no_kmo() -> None:
    cor = np.eye(3)
    cor[0, 1] = cor[1, 0] = 0.5
    found = adequacy(cor, 100)
    assert np.isnan(found.kmo_per_item[2])
    assert_allclose(found.kmo_per_item[:2], 0.5)
    assert_allclose(found.smc, [0.25, 0.25, 0.0], atol=1e-15)


@pytest.mark.parametrize("third", [1.0, -0.5])
def test_a_matrix_without_inverse_is_refused(third: float) -> None:
    singular = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, third], [0.5, third, 1.0]])
    indefinite = np.array([[1.0, 0.9, 0.9], [0.9, 1.0, third], [0.9, third, 1.0]])
    for cor in (singular, indefinite):
        with pytest.raises(DataError, match="needs a positive definite correlation matrix"):
            adequacy(cor, 100)


def test_too_few_respondents_or_items_are_refused() -> None:
    with pytest.raises(NotEnoughDataError, match=r"12 items needs at least 6 respondents"):
        adequacy(np.eye(12), 5)
    assert adequacy(np.eye(12), 6).bartlett_chi2 == 0
    with pytest.raises(NotEnoughDataError, match="at least 2 items"):
        adequacy(np.eye(1), 100)
