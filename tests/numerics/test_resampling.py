"""Draws of clusters and the intervals made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from collabsurvey.numerics import resampling
from collabsurvey.numerics.resampling import (
    Unit,
    bca_interval,
    cluster_draws,
    jackknife_std_error,
    left_out_weights,
    percentile_interval,
    row_weights,
    studentised_interval,
    weighted_covariances,
)
from collabsurvey.numerics.typing import FloatArray, IntArray


@given(n_clusters=st.integers(1, 30), n_draws=st.integers(1, 50), block=st.integers(1, 60))
def test_draws_are_whole_samples_whatever_the_block(
    n_clusters: int, n_draws: int, block: int
) -> None:
    drawn = np.vstack(list(cluster_draws(n_clusters, n_draws, seed=7, block=block)))
    assert drawn.shape == (n_draws, n_clusters)
    assert_array_equal(drawn.sum(axis=1), n_clusters)
    assert_array_equal(drawn, np.vstack(list(cluster_draws(n_clusters, n_draws, seed=7))))


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    x = np.random.default_rng(1).normal(size=40)
    without = (x.sum() - x) / 39
    assert_allclose(jackknife_std_error(without), stats.sem(x), rtol=1e-12)


def test_percentile_limits_are_quantiles() -> None:
    values = np.arange(1001.0)
    assert_allclose(percentile_interval(values, conf_level=0.90), (50, 950))


def test_studentised_limits_of_an_exact_pivot_are_those_of_t() -> None:
    pivots = stats.t.ppf((np.arange(20_000) + 0.5) / 20_000, 9)
    low, high = studentised_interval(pivots, estimate=2.0, std_error=0.5, conf_level=0.95)
    reach = stats.t.ppf(0.975, 9) * 0.5
    assert_allclose([low, high], [2 - reach, 2 + reach], atol=1e-3)


def test_a_skewed_pivot_is_turned_round() -> None:
    pivots = np.linspace(-1, 3, 4001)  # resamples lie above the estimate: the truth lies below
    low, high = studentised_interval(pivots, estimate=0.0, std_error=1.0, conf_level=0.95)
    assert_allclose([low, high], [-2.9, 0.9], atol=1e-3)


def test_bca_agrees_with_scipy() -> None:
    x = np.random.default_rng(2).exponential(size=60)
    # scipy draws its own resamples; 20 000 leave a noise of about .01 in these limits.
    ours = np.vstack(list(cluster_draws(60, 20_000, seed=3))) @ x / 60
    without = (x.sum() - x) / 59
    found = bca_interval(ours, estimate=x.mean(), jackknife=without, conf_level=0.95)
    theirs = stats.bootstrap((x,), np.mean, n_resamples=20_000, method="BCa", rng=4)
    interval = theirs.confidence_interval
    assert_allclose(found, (interval.low, interval.high), atol=0.02)


def test_bca_without_bias_or_skew_is_the_percentile_interval() -> None:
    values = np.linspace(-1, 1, 2001)
    found = bca_interval(
        values, estimate=0.0, jackknife=np.array([-1.0, 0.0, 1.0]), conf_level=0.95
    )
    assert_allclose(found, percentile_interval(values, conf_level=0.95), atol=1e-9)


# Resamples of rows: how often each stands in one.

UNITS: tuple[Unit, ...] = ("respondents", "clusters", "clusters_then_respondents")


def drawn(
    n: int, n_draws: int, *, unit: Unit = "respondents", codes: IntArray | None = None
) -> FloatArray:
    blocks = list(row_weights(n, n_draws, unit=unit, seed=5, codes=codes))
    return np.vstack(blocks).astype(np.float64)


def unequal_clusters() -> IntArray:
    """Rows of four clusters of 1, 2, 4 and 8, out of order."""
    codes = np.repeat(np.arange(4), [1, 2, 4, 8])
    return np.asarray(np.random.default_rng(0).permutation(codes), dtype=np.int64)


@given(n=st.integers(1, 40), n_draws=st.integers(1, 20))
@settings(max_examples=30)
def test_resampled_rows_are_as_many_as_there_are(n: int, n_draws: int) -> None:
    weights = drawn(n, n_draws)
    assert weights.shape == (n_draws, n)
    assert_array_equal(weights.sum(axis=1), n)
    assert_array_equal(weights, np.round(weights))


def test_counts_of_rows_are_those_of_drawing_with_replacement() -> None:
    weights = drawn(8, 5000)
    # A count is binomial(8, 1/8): mean 1, variance 7/8; two counts have covariance -1/8.
    assert_allclose(weights.mean(axis=0), 1, atol=0.05)
    assert_allclose(np.cov(weights, rowvar=False), np.eye(8) - 1 / 8, atol=0.07)


def test_clusters_come_whole() -> None:
    codes = unequal_clusters()
    weights = drawn(15, 500, unit="clusters", codes=codes)
    for cluster in range(4):
        rows = weights[:, codes == cluster]
        assert (rows == rows[:, :1]).all()
    first = np.array([np.flatnonzero(codes == cluster)[0] for cluster in range(4)])
    assert_array_equal(weights[:, first].sum(axis=1), 4)  # four clusters were drawn


def test_two_stages_draw_as_many_rows_of_a_cluster_as_it_has_for_each_time() -> None:
    codes = unequal_clusters()
    weights = drawn(15, 4000, unit="clusters_then_respondents", codes=codes)
    sizes = np.bincount(codes)
    times = np.array([weights[:, codes == cluster].sum(axis=1) for cluster in range(4)]).T / sizes
    assert_array_equal(times, np.round(times))
    assert_array_equal(times.sum(axis=1), 4)
    assert_allclose(weights.mean(axis=0), 1, atol=0.06)
    # Rows of a large cluster drawn once differ: they were drawn with replacement.
    once = weights[times[:, 3] == 1][:, codes == 3]
    assert once.std(axis=1).min() > 0 or (once.std(axis=1) > 0).mean() > 0.95


@pytest.mark.parametrize("unit", UNITS)
def test_resamples_repeat_with_their_seed_whatever_the_block(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = unequal_clusters()
    whole = drawn(15, 23, unit=unit, codes=codes)
    monkeypatch.setattr(resampling, "WEIGHTS", 60)  # four draws a block
    assert_array_equal(drawn(15, 23, unit=unit, codes=codes), whole)
    assert_array_equal(drawn(15, 10, unit=unit, codes=codes), whole[:10])
    other = np.vstack(list(row_weights(15, 23, unit=unit, seed=6, codes=codes)))
    assert (other != whole).any()


@given(seed=st.integers(0, 2**31), n=st.integers(4, 30), k=st.integers(1, 5))
@settings(max_examples=30)
def test_weighted_covariances_are_those_of_rows_repeated(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, k))
    weights = rng.integers(0, 4, (3, n)).astype(np.float64)
    weights[:, :2] += 1  # two rows at least
    found = weighted_covariances(x, weights)
    for each, weight in zip(found, weights, strict=True):
        expected = np.cov(np.repeat(x, weight.astype(int), axis=0), rowvar=False)
        assert_allclose(each, np.atleast_2d(expected), rtol=1e-9, atol=1e-12)


def test_weighted_covariances_do_not_lose_digits_far_from_zero() -> None:
    x = np.random.default_rng(3).standard_normal((50, 3))
    weights = drawn(50, 4)
    here, there = weighted_covariances(x, weights), weighted_covariances(x + 1e8, weights)
    assert_allclose(there, here, rtol=1e-6)


def test_weighted_covariances_do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weights = np.random.default_rng(4).standard_normal((97, 4)), drawn(97, 6)
    whole = weighted_covariances(x, weights)
    monkeypatch.setattr(resampling, "PRODUCTS", 200)
    assert_allclose(weighted_covariances(x, weights), whole, rtol=1e-12, atol=1e-15)


def test_each_row_or_cluster_is_left_out_once() -> None:
    assert_array_equal(left_out_weights(3), 1 - np.eye(3))
    codes = np.array([0, 1, 1, 2])
    assert_array_equal(left_out_weights(4, codes), [[0, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 0]])
    many = left_out_weights(1001)
    assert many.shape == (200, 1001)  # groups of 5, and one of 6
    assert_array_equal((1 - many).sum(axis=0), 1)
    assert set((1 - many).sum(axis=1).tolist()) == {5, 6}
