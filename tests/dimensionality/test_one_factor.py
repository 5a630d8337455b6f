"""One factor: against lavaan, and what must hold whatever the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.extraction import extract
from collabsurvey.dimensionality.one_factor import (
    LARGEST_LOADING,
    covariance_gradient,
    one_factor,
    one_factor_dwls,
    one_factor_fit,
)
from collabsurvey.moments import item_moments
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset, gold

GOLD = gold("02_reliability")
LAVAAN = 2e-6  # lavaan's own estimates are good to that


@pytest.fixture(scope="module")
def bfi() -> Responses:
    return from_frame(
        dataset("bfi"), scales=BFI_SCALES, reverse_keyed=BFI_REVERSED, response_range=(1, 6)
    )


def wishart(k: int, n: int, seed: int) -> FloatArray:
    """Covariance matrix of n normal rows of k items with a common factor, and with misfit."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, k)) + rng.standard_normal((n, 1))
    x[:, 1] += 0.6 * x[:, 0]
    return np.cov(x * np.linspace(0.5, 2, k), rowvar=False)


@pytest.mark.parametrize("scale", list(BFI_SCALES))
def test_maximum_likelihood_matches_lavaan(bfi: Responses, scale: str) -> None:
    expected = GOLD[f"omega_1f_cfa_bfi_{scale}"]["values"]
    moments = item_moments(bfi, scale)
    n = moments.n_respondents
    found = one_factor(moments.cov[None])
    assert found.converged.all()
    # lavaan's covariances divide by n.
    assert_allclose(found.loadings[0] * np.sqrt((n - 1) / n), expected["loadings"], atol=LAVAAN)
    residuals = found.residuals[0] * (n - 1) / n
    assert_allclose(residuals, expected["residual_variances"], atol=2 * LAVAAN)
    fit = one_factor_fit(moments.cov, found, n)
    for ours, theirs in (
        ("chi2", "chisq"),
        ("df", "df"),
        ("cfi", "cfi"),
        ("tli", "tli"),
        ("rmsea", "rmsea"),
    ):
        assert_allclose(getattr(fit, ours), expected["chisq"][theirs], rtol=1e-8)
    # SRMR moves in proportion to an error of the loadings, the others with its square.
    assert_allclose(fit.srmr, expected["chisq"]["srmr"], atol=LAVAAN)
    assert_allclose(fit.p_value, expected["chisq"]["pvalue"], atol=1e-15)


def test_three_items_are_reproduced_and_have_no_fit() -> None:
    lam = np.array([0.5, 1.2, 2.0])
    cov = np.outer(lam, lam) + np.diag([1.0, 0.5, 3.0])
    found = one_factor(cov[None])
    assert_allclose(found.loadings[0], lam, rtol=1e-8)
    assert_allclose(found.residuals[0], [1.0, 0.5, 3.0], rtol=1e-7)
    fit = one_factor_fit(cov, found, 100)
    assert fit.df == 0
    assert np.isnan(fit.cfi)


@given(
    seed=st.integers(0, 10_000),
    unit=st.lists(st.floats(0.01, 100), min_size=5, max_size=5),
)
@settings(max_examples=25, deadline=None)
def test_maximum_likelihood_follows_the_unit(seed: int, unit: list[float]) -> None:
    cov = wishart(5, 60, seed)
    scale = np.array(unit)
    plain = one_factor(cov[None])
    scaled = one_factor((cov * np.outer(scale, scale))[None])
    upright = np.sign((plain.loadings[0] * scale).sum())
    assert_allclose(scaled.loadings[0], upright * plain.loadings[0] * scale, rtol=1e-5, atol=1e-9)


@given(seed=st.integers(0, 10_000), k=st.integers(3, 8))
@settings(max_examples=20, deadline=None)
def test_gradient_is_that_of_refitted_matrices(seed: int, k: int) -> None:
    cov = wishart(k, 200, seed)
    fits = one_factor(cov[None])
    weights = np.linspace(1, 2, k)
    gradient = covariance_gradient(
        cov[None],
        fits,
        np.broadcast_to(weights, (1, 1, k)),
        np.broadcast_to(-weights, (1, 1, k)),
    )[0, 0]
    if fits.at_bound.any():
        return
    change = np.random.default_rng(seed).standard_normal((k, k))
    change = (change + change.T) * 1e-4

    def value(matrix: FloatArray) -> float:
        found = one_factor(matrix[None])
        return float((weights * (found.loadings[0] - found.residuals[0])).sum())

    def slope(step: float) -> float:
        return (value(cov + step * change) - value(cov - step * change)) / (2 * step)

    expected = (4 * slope(0.5) - slope(1.0)) / 3  # Richardson: free of the second-order error
    # Terms of either sign cancel, so the error is measured by their size, not by their sum.
    terms = np.abs(gradient * change).sum()
    assert_allclose((gradient * change).sum(), expected, rtol=0, atol=1e-5 * terms)


@given(
    lam=st.lists(st.floats(0.2, 0.95), min_size=3, max_size=9),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=40, deadline=None)
def test_weighted_least_squares_finds_the_loadings(lam: list[float], seed: int) -> None:
    loadings = np.array(lam)
    cor = np.outer(loadings, loadings)
    np.fill_diagonal(cor, 1.0)
    k = len(lam)
    weights = np.random.default_rng(seed).uniform(0.2, 5, (k, k))
    found = one_factor_dwls(cor[None], (weights + weights.T) / 2)
    assert found.converged.all()
    assert_allclose(found.loadings[0], loadings, atol=1e-6)
    assert_allclose(found.residuals[0], 1 - loadings**2, atol=1e-6)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_equal_weights_are_minres(seed: int) -> None:
    cov = wishart(6, 150, seed)
    sd = np.sqrt(np.diag(cov))
    cor = cov / np.outer(sd, sd)
    minres = extract(cor[None], 1, "minres", n_starts=4)
    found = one_factor_dwls(cor[None], np.ones((6, 6)))
    if (minres.uniquenesses <= 0.006).any():
        return
    assert_allclose(np.abs(found.loadings[0]), np.abs(minres.loadings[0, :, 0]), atol=1e-6)


def test_heywood_cases_stay_at_the_bound() -> None:
    cor = np.array([[1, 0.9, 0.9, 0.3], [0.9, 1, 0.5, 0.3], [0.9, 0.5, 1, 0.3], [0.3] * 3 + [1]])
    weighted = one_factor_dwls(cor[None], np.ones((4, 4)))
    assert weighted.converged.all()
    assert weighted.at_bound[0].tolist() == [True, False, False, False]
    assert_allclose(weighted.loadings[0, 0], LARGEST_LOADING)
    likely = np.array([[1, 0.8, 0.8], [0.8, 1, 0.4], [0.8, 0.4, 1]])
    found = one_factor(likely[None])
    assert found.at_bound[0].tolist() == [True, False, False]
    assert (found.residuals > 0).all()


def test_an_indefinite_matrix_can_be_fitted_by_least_squares() -> None:
    cor = np.array([[1, 0.9, 0.2], [0.9, 1, 0.9], [0.2, 0.9, 1]])
    assert np.linalg.eigvalsh(cor)[0] < 0
    assert one_factor_dwls(cor[None], np.ones((3, 3))).converged.all()


def test_signs_add_up_to_more_than_zero() -> None:
    lam = np.array([-0.8, -0.7, 0.6, -0.5])
    cor = np.outer(lam, lam)
    np.fill_diagonal(cor, 1.0)
    assert_allclose(one_factor(cor[None]).loadings[0], -lam, atol=1e-7)
    assert_allclose(one_factor_dwls(cor[None], np.ones((4, 4))).loadings[0], -lam, atol=1e-7)
