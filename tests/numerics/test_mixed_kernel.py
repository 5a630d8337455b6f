"""The mixed-model kernel: derivatives, stationary points, triangular roots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.numerics.mixed import (
    GroupProducts,
    evaluate,
    fit_mixed,
    jacobian,
    lower_root,
    rises_from,
    standardised,
)
from collabsurvey.numerics.mixed_inference import pooled_df, satterthwaite_df, variance_parameters


def products(seed: int, *, reml: bool, q: int = 2) -> GroupProducts:
    """Random rows on an orthonormal basis, in 12 groups of unequal size."""
    rng = np.random.default_rng(seed)
    n = 150
    code = rng.integers(0, 12, n)
    x = np.column_stack((np.ones(n), rng.normal(size=n)))
    basis, _ = np.linalg.qr(x)
    z = x[:, :q]
    y = (z * rng.normal(size=(12, q))[code]).sum(axis=1) + rng.normal(size=n)
    e = y - basis @ (basis.T @ y)
    groups = [np.flatnonzero(code == g) for g in range(12)]
    return GroupProducts(
        zz=np.stack([z[r].T @ z[r] for r in groups]),
        zx=np.stack([z[r].T @ basis[r] for r in groups]),
        ze=np.stack([z[r].T @ e[r] for r in groups]),
        ee=float(e @ e),
        n_rows=n,
        reml=reml,
    )


@pytest.mark.parametrize("reml", [True, False])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 100), values=st.lists(st.floats(-2, 2), min_size=3, max_size=3))
def test_gradient_is_the_derivative(reml: bool, seed: int, values: list[float]) -> None:
    data = products(seed, reml=reml)
    rows, columns = np.array([0, 1, 1]), np.array([0, 0, 1])

    def lower(theta: np.ndarray) -> np.ndarray:
        out = np.zeros((2, 2))
        out[rows, columns] = theta
        return out

    theta = np.array(values)
    at = evaluate(data, lower(theta))
    slope = 2 * at.gradient(data, at.r2 / data.df_total) @ lower(theta)
    numeric = jacobian(
        lambda t: np.array([evaluate(data, lower(t)).criterion]), theta, np.full(3, 1e-3)
    )
    assert_allclose(slope[rows, columns], numeric[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("reml", [True, False])
def test_satterthwaite_equals_numerical_derivatives(reml: bool) -> None:
    data = products(3, reml=reml)
    fit = fit_mixed(data, correlated=True)
    found = satterthwaite_df(variance_parameters(data, fit, correlated=True), np.eye(2))
    rows, columns = np.array([0, 1, 1]), np.array([0, 0, 1])
    n, p = data.df_total, 2

    def lower(theta: np.ndarray) -> np.ndarray:
        out = np.zeros((2, 2))
        out[rows, columns] = theta
        return out

    def deviance(v: np.ndarray) -> float:
        """lmerTest's devfun_vp: theta and sigma free, beta profiled."""
        at = evaluate(data, lower(v[:3]))
        logs = at.criterion - n * (1 + np.log(2 * np.pi * at.r2 / n))
        return float(logs + at.r2 / v[3] ** 2 + n * np.log(2 * np.pi * v[3] ** 2))

    at = np.append(fit.lower[rows, columns], np.sqrt(fit.sigma2))
    steps = np.full(4, 1e-3)

    def gradient(v: np.ndarray) -> np.ndarray:
        return jacobian(lambda t: np.array([deviance(t)]), v, steps)[0]

    hessian = jacobian(gradient, at, steps)

    def variances(v: np.ndarray) -> np.ndarray:
        return np.diag(v[3] ** 2 * evaluate(data, lower(v[:3])).unscaled)

    slopes = jacobian(variances, at, steps)
    spread = 2 * np.linalg.inv(hessian)
    expected = 2 * variances(at) ** 2 / np.einsum("kv,vw,kw->k", slopes, spread, slopes)
    assert p == len(expected)
    assert_allclose(found, expected, rtol=1e-5)


def test_optimum_has_no_slope_and_its_record() -> None:
    data = products(5, reml=True)
    fit = fit_mixed(data, correlated=True)
    assert fit.converged
    assert fit.decrement < 1e-10
    assert fit.gradient_norm < 1e-4
    assert fit.n_evaluations > fit.n_iterations > 0
    lower = np.array(fit.lower)
    lower[0, 0] *= 1.01
    assert evaluate(data, lower).criterion > fit.at.criterion


def test_a_saddle_is_not_taken_for_an_optimum() -> None:
    data = products(5, reml=True)
    zero = np.zeros((2, 2))
    at = evaluate(data, zero)
    slope = at.gradient(data, at.r2 / data.df_total)
    assert not rises_from(zero, slope, data.n_rows, correlated=True)
    assert not rises_from(zero, slope, data.n_rows, correlated=False)
    fit = fit_mixed(data, correlated=True)
    slope = fit.at.gradient(data, fit.sigma2)
    assert rises_from(fit.lower, slope, data.n_rows, correlated=True)


@given(st.lists(st.floats(-3, 3), min_size=9, max_size=9))
def test_lower_root_keeps_the_covariance(values: list[float]) -> None:
    root = np.array(values).reshape(3, 3)
    root[np.abs(root) < 1e-3] = 0.0
    lower = lower_root(root)
    assert_allclose(lower @ lower.T, root @ root.T, atol=1e-10)
    assert (np.diag(lower) >= 0).all()
    assert_allclose(lower, np.tril(lower))


def test_standardised_turns_signs_and_drops_vanishing_columns() -> None:
    lower = np.array([[-2.0, 0.0], [1.0, 1e-9]])
    assert standardised(lower).tolist() == [[2.0, 0.0], [-1.0, 0.0]]


def test_pooled_df_follow_fai_and_cornelius() -> None:
    assert pooled_df(np.array([7.0, 7.0])) == 7.0
    assert pooled_df(np.array([1.5, 9.0])) == 2.0
    expected = 10 / 8 + 6 / 4
    assert_allclose(pooled_df(np.array([10.0, 6.0])), 2 * expected / (expected - 2))
