"""Properties of the item statistics, and values known from theory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from collabsurvey.numerics import itemstats
from collabsurvey.numerics.typing import FloatArray

RTOL = 1e-9  # only rounding may differ


@st.composite
def covariances(draw: st.DrawFn, k: int = 4) -> FloatArray:
    """Well-conditioned covariance matrices of items that go together."""
    x = draw(arrays(float, (8, k), elements=st.floats(-3, 3, width=32)))
    common = draw(st.floats(0.1, 2))
    return x.T @ x / 8 + common + np.eye(k) * 0.5


def parallel(k: int, r: float) -> FloatArray:
    return np.full((k, k), r) + (1 - r) * np.eye(k)


@given(k=st.integers(2, 12), r=st.floats(0.05, 0.95))
def test_parallel_items_follow_spearman_and_brown(k: int, r: float) -> None:
    cov = parallel(k, r)
    stepped_up = k * r / (1 + (k - 1) * r)
    assert_allclose(itemstats.coefficient_alpha(cov), stepped_up, rtol=RTOL)
    assert_allclose(itemstats.average_correlation(cov), r, rtol=RTOL)
    rest = (k - 1) * r / np.sqrt((k - 1) * (1 + (k - 2) * r))
    assert_allclose(itemstats.item_rest_correlations(cov), rest, rtol=RTOL)


@given(cov=covariances(), unit=st.floats(0.1, 100))
def test_nothing_depends_on_the_unit(cov: FloatArray, unit: float) -> None:
    for kernel in (
        itemstats.coefficient_alpha,
        itemstats.lambda6,
        itemstats.item_rest_correlations,
        itemstats.alpha_if_dropped,
        itemstats.squared_multiple_correlations,
    ):
        assert_allclose(kernel(unit**2 * cov), kernel(cov), rtol=1e-7, atol=1e-9)
    assert_allclose(
        itemstats.alpha_std_error(unit**2 * cov, 100),
        itemstats.alpha_std_error(cov, 100),
        rtol=1e-6,
    )


@given(cov=covariances(), order=st.permutations(range(4)))
def test_nothing_depends_on_the_order_of_items(cov: FloatArray, order: list[int]) -> None:
    turned = cov[np.ix_(order, order)]
    assert_allclose(
        itemstats.coefficient_alpha(turned), itemstats.coefficient_alpha(cov), rtol=RTOL
    )
    assert_allclose(
        itemstats.item_rest_correlations(turned),
        itemstats.item_rest_correlations(cov)[order],
        rtol=RTOL,
        atol=1e-12,
    )


@given(cov=covariances())
def test_lambda6_of_correlations_is_at_most_one_and_smc_is_the_inverse(cov: FloatArray) -> None:
    assert itemstats.lambda6(cov) <= 1
    inverse = 1 - 1 / (np.diag(np.linalg.inv(cov)) * np.diag(cov))
    assert_allclose(itemstats.squared_multiple_correlations(cov), inverse, rtol=1e-6, atol=1e-9)


def test_an_item_repeated_word_for_word_is_fully_explained() -> None:
    x = np.random.default_rng(1).normal(size=(50, 3))
    cov = np.cov(np.column_stack([x, x[:, 0]]).T)
    assert_allclose(itemstats.residual_variances(cov)[[0, 3]], 0, atol=1e-12)


def test_contradicting_items_are_found_and_named() -> None:
    cov = parallel(4, 0.4)
    cov[2, :] *= -1
    cov[:, 2] *= -1
    assert itemstats.contradicting_items(cov, 100) == (2,)
    assert itemstats.contradicting_items(parallel(4, 0.4), 100) == ()
    sentence = itemstats.contradiction("s", ["a", "b", "c", "d"], cov, 100)
    assert sentence.startswith("Scale 's': c (−0.52) correlates negatively")
    assert itemstats.contradiction("s", list("abcd"), parallel(4, 0.4), 100) == ""


def pair(r: float) -> FloatArray:
    """Two items with this correlation, which is then that of each with the other."""
    return np.array([[1.0, r], [r, 1.0]])


@pytest.mark.parametrize(
    ("r", "n", "named"),
    [
        (-1.0, 2, False),  # two people always correlate perfectly
        (-0.9, 19, False),
        (-0.39, 20, True),  # t(18) at .05 is 1.734, so that r has to be below -.378
        (-0.37, 20, False),
        (-0.01, 96, False),
        (-0.17, 96, True),  # t(94) is 1.661: below -.169
        (-0.16, 96, False),
        (-0.09, 300, False),  # t(298) is 1.650: below -.0951
        (-0.10, 300, True),
        (0.90, 300, False),
        (-1.0, 20, True),
    ],
)
def test_a_negative_correlation_by_chance_contradicts_nothing(
    r: float, n: int, named: bool
) -> None:
    assert itemstats.contradicting_items(pair(r), n) == ((0, 1) if named else ())


def test_of_pairwise_answers_the_fewest_people_of_an_item_count() -> None:
    cov = parallel(3, 0.4)
    cov[2, :2] *= -1
    cov[:2, 2] *= -1
    counts = np.full((3, 3), 100)
    assert itemstats.contradicting_items(cov, counts) == (2,)
    counts[2, 0] = counts[0, 2] = 19
    assert itemstats.contradicting_items(cov, counts) == ()


def test_false_alarms_and_detection_are_as_written() -> None:
    """1 in 20 for an unrelated item; an item that correlates -.40 with 50 people in 9 of 10."""
    generator = np.random.default_rng(7)
    for r, n, expected in ((0.0, 20, 0.05), (-0.4, 50, 0.90), (0.3, 20, 0.002)):
        x = generator.multivariate_normal([0, 0], pair(r), size=(3000, n))
        named = [bool(itemstats.contradicting_items(np.cov(one.T), n)) for one in x]
        # Three standard errors of a share of 3000 samples.
        reach = 3 * np.sqrt(expected * (1 - expected) / 3000)
        assert_allclose(np.mean(named), expected, atol=reach)


def test_std_error_of_alpha_is_recovered_by_simulation() -> None:
    generator = np.random.default_rng(3)
    cov, n = parallel(5, 0.4), 200
    samples = generator.multivariate_normal(np.zeros(5), cov, size=(2000, n))
    found = itemstats.alphas(np.stack([np.cov(x.T) for x in samples]))
    # The spread of 2000 draws is known to 1.6 %; the formula is a large-sample one.
    assert_allclose(found.std(), itemstats.alpha_std_error(cov, n), rtol=0.06)
