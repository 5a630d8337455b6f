"""Kenny's published example; exact expectations of every component; what is not complete."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import NotEnoughDataError
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.partnership import dyads
from collabsurvey.partnership.round_robin import Components, social_relations

# Six persons rating each other: davidakenny.net/srm/mathsrm.htm.
KENNY = np.array(
    [
        [0, 4, 5, 6, 7, 5],
        [2, 0, 1, 3, 2, 4],
        [5, 4, 0, 3, 2, 6],
        [4, 5, 4, 0, 2, 5],
        [1, 4, 4, 3, 0, 3],
        [5, 7, 5, 3, 9, 0],
    ],
    dtype=float,
)
NAMES = ("actor", "partner", "relationship", "actor_partner", "mutual")


def long(x: FloatArray, group: str = "N") -> pd.DataFrame:
    n = len(x)
    rows = [
        (group, f"{group}{i}", f"{group}{j}", x[i, j]) for i in range(n) for j in range(n) if i != j
    ]
    return pd.DataFrame(rows, columns=["group", "school", "partner", "trust"])


def test_effects_are_kennys() -> None:
    effects = social_relations(KENNY).actor_effects
    published = [1.208, -1.625, -0.167, -0.208, -1.083, 1.875]
    assert_allclose(effects, published, atol=0.0005)  # printed digits
    assert_allclose(effects.var(ddof=1), 1.772, atol=0.0005)


def components(x: FloatArray) -> FloatArray:
    found: Components = social_relations(x)
    return np.array([getattr(found, name) for name in NAMES])


@pytest.mark.parametrize("n", [4, 5, 7])
def test_every_component_is_unbiased(n: int) -> None:
    """Components are quadratic forms y'Qy, so their expectation is tr(Q Σ) exactly."""
    off = [(i, j) for i in range(n) for j in range(n) if i != j]
    basis = []
    for i, j in off:
        unit = np.zeros((n, n))
        unit[i, j] = 1.0
        basis.append(unit)
    single = np.array([components(unit) for unit in basis])
    truth = np.array([2.0, 3.0, 5.0, -1.0, 2.5])
    actor, partner, relationship, both, mutual = truth
    expected = np.zeros(5)
    for p, (i, j) in enumerate(off):
        for q, (k, m) in enumerate(off):
            cov = actor * (i == k) + partner * (j == m) + both * ((i == m) + (j == k))
            cov += relationship * (p == q) + mutual * ((i, j) == (m, k))
            if p == q:
                expected += single[p] * cov
            elif cov:
                cross = components(basis[p] + basis[q]) - single[p] - single[q]
                expected += cross / 2 * cov
    assert_allclose(expected, truth, atol=1e-9)


def test_a_constant_and_the_transpose() -> None:
    found, shifted = components(KENNY), components(KENNY + 7)
    assert_allclose(found, shifted, atol=1e-12)
    turned = components(KENNY.T)
    assert_allclose(found[[1, 0, 2, 3, 4]], turned, atol=1e-12)


def test_pooled_components_are_weighted_by_schools_less_one() -> None:
    frame = pd.concat([long(KENNY), long(KENNY[:4, :4], "S")])
    result = dyads(frame, "school", "partner", "trust", partnership="group").round_robin()
    rows = result.to_frame()
    assert rows["n_schools"].tolist() == [6, 4]
    assert_allclose(rows["actor"].iloc[0], social_relations(KENNY).actor)
    expected = np.average(rows["actor"], weights=[5, 3])
    assert_allclose(result.pooled["actor"], expected)
    assert len(result.effects) == 10
    shares = ["actor_share", "partner_share", "relationship_share"]
    assert_allclose(rows[shares].sum(axis=1), 1)
    assert any("below zero" in note for note in result.notes)
    assert "<svg" in result.chart().to_svg()
    assert "variances of schools" in result.summary()


def test_what_is_not_complete_is_left_out_or_refused() -> None:
    incomplete = long(KENNY, "S").iloc[1:]
    both = pd.concat([long(KENNY), incomplete])
    result = dyads(both, "school", "partner", "trust", partnership="group")
    assert any("left out: partnership S" in note for note in result.round_robin().notes)
    match = r"at least 30 directed pairs of 6 schools \(there is no answer of S0 about S1\).*are 29"
    with pytest.raises(NotEnoughDataError, match=match):
        result.round_robin(partnership="S")
    with pytest.raises(NotEnoughDataError, match="at least 4 schools; there are 3"):
        dyads(long(KENNY[:3, :3]), "school", "partner", "trust").round_robin()


def test_schools_that_do_not_differ() -> None:
    result = dyads(long(np.full((4, 4), 3.0)), "school", "partner", "trust").round_robin()
    assert_allclose(result.to_frame()[["actor", "partner", "relationship"]], 0, atol=1e-12)
