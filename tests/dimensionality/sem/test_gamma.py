"""Gamma against lavaan's, and what must hold of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem import gamma as kernels
from collabsurvey.dimensionality.sem.gamma import (
    adf_gamma,
    normal_gamma,
    normal_weight_trace,
    numeric_stack,
    score_meat,
)
from collabsurvey.dimensionality.sem.least_squares import normal_weight
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.errors import DataError
from dimensionality.sem.stored_models import pupil_samples, robust_reference

RTOL = 1e-11  # closed form in both programs
FOUR = ("x1", "x2", "x3", "x4")


def drawn(n: int, p: int, seed: int, *, weighted: bool = False, clusters: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    rows = rng.standard_exponential((n, p)) @ rng.normal(size=(p, p))
    w = rng.uniform(0.2, 2, n) if weighted else None
    if w is not None:
        w *= n / w.sum()
    codes = rng.integers(0, clusters, n) if clusters else None
    mean = np.average(rows, axis=0, weights=w)
    cov = np.cov(rows.T, bias=True, aweights=w)
    return Sample(float(n), cov, mean, rows=rows, weights=w, clusters=codes)


@pytest.mark.parametrize("block", [60, 500_000])  # blocks of four rows cut clusters in two
def test_matches_lavaan(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(kernels, "BLOCK", block)
    stored = robust_reference()
    plain = pupil_samples(FOUR)[0]
    clustered = pupil_samples(FOUR, cluster="birth")[0]
    assert_allclose(adf_gamma(plain, means=True), stored["gamma_means"], rtol=RTOL, atol=RTOL)
    assert_allclose(adf_gamma(plain, means=False), stored["gamma"], rtol=RTOL, atol=RTOL)
    assert_allclose(
        adf_gamma(clustered, means=True), stored["gamma_clusters"], rtol=RTOL, atol=RTOL
    )
    assert_allclose(
        adf_gamma(plain, means=True, covariates=np.array([1, 3])),
        stored["gamma_covariates"],
        rtol=RTOL,
        atol=RTOL,
    )
    assert_allclose(
        normal_gamma(plain.cov, means=True), stored["gamma_normal"], rtol=RTOL, atol=RTOL
    )


@pytest.mark.parametrize("means", [True, False])
def test_normal_weight_is_the_inverse(means: bool) -> None:
    cov = drawn(50, 5, 1).cov
    weight = normal_weight(cov, numeric_stack(5, means=means))
    product = weight @ normal_gamma(cov, means=means)
    assert_allclose(product, np.eye(len(product)), atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    weighted=st.booleans(),
    means=st.booleans(),
    clusters=st.sampled_from([0, 7]),
)
def test_shortcuts_equal_the_whole_matrix(
    seed: int, weighted: bool, means: bool, clusters: int
) -> None:
    sample = drawn(60, 4, seed, weighted=weighted, clusters=clusters)
    gamma = adf_gamma(sample, means=means)
    other = drawn(60, 4, seed + 1).cov
    weight = normal_weight(other, numeric_stack(4, means=means))
    trace = normal_weight_trace(sample, other, means=means)
    assert_allclose(trace, np.trace(weight @ gamma), rtol=1e-9)
    slopes = np.random.default_rng(seed).normal(size=(len(gamma), 3))
    meat = score_meat(sample, slopes, means=means)
    whole = slopes.T @ gamma @ slopes
    assert_allclose(meat, whole, rtol=0, atol=1e-10 * np.abs(whole).max())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_neither_the_order_of_rows_nor_an_added_constant_matters(seed: int) -> None:
    sample = drawn(40, 3, seed, weighted=True, clusters=6)
    order = np.random.default_rng(seed).permutation(40)
    assert sample.rows is not None and sample.mean is not None
    assert sample.weights is not None and sample.clusters is not None
    moved = Sample(
        sample.n,
        sample.cov,
        sample.mean + 5,
        rows=sample.rows[order] + 5,
        weights=sample.weights[order],
        clusters=sample.clusters[order],
    )
    assert_allclose(
        adf_gamma(moved, means=True), adf_gamma(sample, means=True), rtol=1e-8, atol=1e-8
    )


def test_clusters_of_one_give_the_plain_matrix_with_its_correction() -> None:
    sample = drawn(30, 3, 4)
    alone = replace(sample, clusters=np.arange(30))
    assert_allclose(
        adf_gamma(alone, means=True), adf_gamma(sample, means=True) * 30 / 29, rtol=1e-10
    )


def test_every_row_twice_gives_the_same_matrix_and_as_clusters_twice_it() -> None:
    sample = drawn(50, 3, 8)
    assert sample.rows is not None
    twice = replace(sample, n=100.0, rows=np.vstack([sample.rows, sample.rows]))
    single = adf_gamma(sample, means=True)
    assert_allclose(adf_gamma(twice, means=True), single, rtol=1e-10, atol=1e-12)
    pairs = replace(twice, clusters=np.tile(np.arange(50), 2))
    assert_allclose(adf_gamma(pairs, means=True), single * 2 * 50 / 49, rtol=1e-10, atol=1e-12)


def test_covariances_with_n_minus_one_do_not_matter() -> None:
    sample = drawn(30, 3, 5)
    other = replace(sample, n=29.0, cov=sample.cov * 30 / 29)
    assert_allclose(adf_gamma(other, means=True), adf_gamma(sample, means=True), rtol=1e-10)


def test_no_covariates_are_an_empty_list_of_them() -> None:
    sample, none = drawn(30, 3, 5), np.array([], dtype=int)
    assert_allclose(adf_gamma(sample, means=True, covariates=none), adf_gamma(sample, means=True))
    assert normal_weight_trace(sample, sample.cov, means=True, covariates=none) > 0


def test_many_normal_rows_come_close_to_theory() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(200_000, 3)) @ np.array([[1, 0.5, 0.2], [0, 1, 0.4], [0, 0, 1]])
    sample = Sample(2e5, np.cov(rows.T, bias=True), rows.mean(axis=0), rows=rows)
    theory = normal_gamma(sample.cov, means=True)
    assert_allclose(adf_gamma(sample, means=True), theory, atol=0.05)


def test_one_cluster_is_refused() -> None:
    sample = replace(drawn(20, 3, 6), clusters=np.zeros(20, dtype=int))
    with pytest.raises(DataError, match="at least two clusters"):
        adf_gamma(sample, means=True)


def test_moments_alone_are_refused() -> None:
    with pytest.raises(DataError, match="need the answers themselves"):
        adf_gamma(Sample(20.0, np.eye(3), np.zeros(3)), means=True)
