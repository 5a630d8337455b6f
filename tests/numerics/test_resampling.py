"""Draws of clusters and the intervals made of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from collabsurvey.numerics.resampling import (
    bca_interval,
    cluster_draws,
    jackknife_std_error,
    percentile_interval,
    studentised_interval,
)


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
