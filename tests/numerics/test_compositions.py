"""Compositions: published values, worked examples and the geometry that must hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError
from collabsurvey.numerics.compositions import (
    Prior,
    aitchison_distance,
    centre,
    closure,
    clr,
    clr_inverse,
    ilr,
    ilr_basis,
    ilr_inverse,
    modal_part,
    replace_counts,
    replace_multiplicatively,
)
from collabsurvey.numerics.typing import FloatArray

RTOL = 1e-10  # closed forms
PRIORS: tuple[Prior, ...] = ("jeffreys", "perks", "bayes_laplace", "sq", "gbm")


def rows(n: int = 4, parts: int = 4) -> st.SearchStrategy[FloatArray]:
    """Compositions far from the edge, where logarithms lose no digits."""
    return arrays(float, (n, parts), elements=st.floats(0.01, 100))


def counts(n: int = 6, parts: int = 3) -> st.SearchStrategy[FloatArray]:
    """Counts of which each row has at least one."""
    table = arrays(np.int64, (n, parts), elements=st.integers(0, 6))
    return table.filter(lambda x: bool((x.sum(axis=1) > 0).all())).map(lambda x: x.astype(float))


# Published values.


def test_log_ratios_are_those_scikit_bio_documents() -> None:
    x = np.array([[0.1, 0.3, 0.4, 0.2]])
    assert_allclose(clr(x)[0], [-0.79451346, 0.30409883, 0.5917809, -0.10136628], atol=5e-9)
    assert_allclose(ilr(x)[0], [-0.7768362, -0.68339802, 0.11704769], atol=5e-9)


def test_zeros_are_replaced_as_in_the_scikit_bio_manual() -> None:
    x = np.array([[0.2, 0.4, 0.4, 0.0], [0.0, 0.5, 0.5, 0.0]])
    expected = [[0.1875, 0.375, 0.375, 0.0625], [0.0625, 0.4375, 0.4375, 0.0625]]
    assert_allclose(replace_multiplicatively(x, 1 / 16), expected, rtol=RTOL)


def test_first_observation_of_martin_fernandez_2003() -> None:
    # Data of the paper; the parts shrink by 1 − δ, here with δ = .65 of .02.
    x = np.array([[0.0, 0.1250, 0.1237, 0.7253, 0.0260]])
    found = replace_multiplicatively(x, 0.65 * 0.02)[0]
    assert_allclose(found, [0.013, 0.123375, 0.1220919, 0.7158711, 0.025662], rtol=RTOL)
    assert_allclose(found[1:] / found[1], x[0, 1:] / x[0, 1], rtol=RTOL)


# Worked by hand.


@pytest.mark.parametrize(
    ("prior", "zero"),
    [
        ("perks", (1 / 3) * 1 / 7),
        ("jeffreys", (1 / 3) * 1.5 / 7.5),
        ("bayes_laplace", (1 / 3) * 3 / 9),
        ("sq", (1 / 3) * 6**0.5 / (6 + 6**0.5)),
    ],
)
def test_a_type_never_picked_in_six(prior: Prior, zero: float) -> None:
    found = replace_counts(np.array([[4.0, 2.0, 0.0]]), prior)[0]
    assert_allclose(found, [4 / 6 * (1 - zero), 2 / 6 * (1 - zero), zero], rtol=RTOL)


def test_gbm_expects_what_the_other_rows_picked() -> None:
    table = np.array([[4.0, 2.0, 0.0], [2.0, 3.0, 1.0], [2.0, 1.0, 3.0]])
    t = np.array([4.0, 4.0, 4.0]) / 12  # rows two and three together
    s = 1 / (t[0] * t[1] * t[2]) ** (1 / 3)  # 3
    zero = t[2] * s / (6 + s)  # 1/9
    found = replace_counts(table, "gbm")
    assert_allclose(found[0], [4 / 6 * (1 - zero), 2 / 6 * (1 - zero), zero], rtol=RTOL)
    assert_allclose(zero, 1 / 9, rtol=RTOL)
    assert_allclose(found[1:], table[1:] / 6, rtol=RTOL)


def test_a_zero_stays_below_what_was_picked() -> None:
    # sq of one pick of four in 100: 1/4 · 10/110 is more than one pick, so .65 of that pick
    # as it is once room is made for both zeros.
    found = replace_counts(np.array([[99.0, 1.0, 0.0, 0.0]]), "sq")[0]
    zero = 0.0065 / (1 + 2 * 0.0065)
    assert_allclose(found, [0.99 * (1 - 2 * zero), 0.01 * (1 - 2 * zero), zero, zero], rtol=RTOL)
    assert_allclose(found[2] / found[1], 0.65, rtol=RTOL)


def test_gbm_of_a_type_that_all_others_picked() -> None:
    table = np.array([[0.0, 0.0, 1.0], [90.0, 5.0, 4.0], [90.0, 5.0, 5.0]])
    found = replace_counts(table, "gbm")[0]
    assert found[2] > found[0] > found[1]


def test_gbm_needs_others_who_picked_the_part() -> None:
    with pytest.raises(DataError, match="prior='gbm'.*Use prior='jeffreys'"):
        replace_counts(np.array([[4.0, 2.0, 0.0], [2.0, 3.0, 1.0]]), "gbm")
    with pytest.raises(DataError, match="prior='gbm'"):
        replace_counts(np.array([[4.0, 2.0, 0.0]]), "gbm")


def test_distance_of_a_doubled_part() -> None:
    # One of three parts doubled against both others: ln 2 · sqrt(2/3).
    x, y = np.array([[1.0, 1.0, 1.0]]), np.array([[2.0, 1.0, 1.0]])
    assert_allclose(aitchison_distance(x, y), np.log(2) * np.sqrt(2 / 3), rtol=RTOL)


def test_centre_is_the_geometric_mean() -> None:
    x = np.array([[0.1, 0.9], [0.9, 0.1], [0.5, 0.5]])
    assert_allclose(centre(x), [0.5, 0.5], rtol=RTOL)
    # The first row counts for 2 of 3: odds (1/9)^(2/3) · 9^(1/3) = 9^(-1/3).
    odds = 9 ** (-1 / 3)
    assert_allclose(
        centre(x[:2], np.array([2.0, 1.0])), [odds / (1 + odds), 1 / (1 + odds)], rtol=RTOL
    )


def test_ties_are_no_mode() -> None:
    x = np.array([[3, 2, 1], [2, 2, 1], [1, 1, 1], [np.nan, np.nan, np.nan], [0.1 + 0.2, 0.3, 0]])
    place, tied = modal_part(x)
    assert place.tolist() == [0, -1, -1, -1, -1]
    assert tied.tolist() == [0, 2, 3, 0, 2]


def test_nothing_has_no_shares() -> None:
    assert np.isnan(closure(np.zeros((1, 3)))).all()
    assert closure(np.zeros((0, 3))).shape == (0, 3)


def test_log_ratios_refuse_zeros() -> None:
    with pytest.raises(DataError, match="Replace the zeros first"):
        clr(np.array([[0.5, 0.5, 0.0]]))


@pytest.mark.parametrize("parts", [2, 3, 6])
def test_the_basis_is_orthonormal(parts: int) -> None:
    basis = ilr_basis(parts)
    assert_allclose(basis @ basis.T, np.eye(parts - 1), atol=1e-12)
    assert_allclose(basis.sum(axis=1), 0, atol=1e-12)


# What must hold.


@given(x=rows())
def test_shares_sum_to_one_and_clr_to_zero(x: FloatArray) -> None:
    assert_allclose(closure(x).sum(axis=1), 1, rtol=1e-12)
    assert_allclose(clr(x).sum(axis=1), 0, atol=1e-12)


@given(x=rows(), unit=st.floats(0.1, 100))
def test_log_ratios_do_not_depend_on_the_unit(x: FloatArray, unit: float) -> None:
    assert_allclose(clr(unit * x), clr(x), atol=1e-10)


@given(x=rows())
def test_inverses_bring_the_shares_back(x: FloatArray) -> None:
    assert_allclose(clr_inverse(clr(x)), closure(x), rtol=1e-10)
    assert_allclose(ilr_inverse(ilr(x)), closure(x), rtol=1e-10)


@given(x=rows(), y=rows())
def test_ilr_keeps_distances(x: FloatArray, y: FloatArray) -> None:
    apart = np.linalg.norm(ilr(x) - ilr(y), axis=1)
    assert_allclose(apart, aitchison_distance(x, y), atol=1e-10)


@given(x=rows(), y=rows(), shift=rows(n=1), order=st.permutations(range(4)))
def test_distance_ignores_a_common_perturbation_and_the_order_of_parts(
    x: FloatArray, y: FloatArray, shift: FloatArray, order: list[int]
) -> None:
    plain = aitchison_distance(x, y)
    assert_allclose(aitchison_distance(x * shift, y * shift), plain, atol=1e-10)
    assert_allclose(aitchison_distance(x[:, order], y[:, order]), plain, atol=1e-10)
    assert_allclose(aitchison_distance(y, x), plain, atol=1e-10)


@given(x=rows(), shift=rows(n=1))
def test_the_centre_moves_with_a_perturbation(x: FloatArray, shift: FloatArray) -> None:
    moved = closure(centre(x)[None, :] * shift)[0]
    assert_allclose(centre(x * shift), moved, rtol=1e-8)


@given(table=counts(), prior=st.sampled_from(PRIORS))
def test_replaced_counts_are_compositions(table: FloatArray, prior: Prior) -> None:
    try:
        found = replace_counts(table, prior)
    except DataError:
        assert prior == "gbm"
        return
    assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    assert (found > 0).all()
    for row, given_row in zip(found, table, strict=True):
        kept = given_row > 0
        # Ratios of what was picked stay, and what was not picked stays smallest.
        assert_allclose(row[kept] / row[kept][0], given_row[kept] / given_row[kept][0], rtol=1e-10)
        if not kept.all():
            assert row[~kept].max() < row[kept].min()
