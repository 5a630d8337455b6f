"""Residual structures against dense matrices: criterion, gradient, errors and df."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.numerics.mixed import GroupProducts, evaluate
from collabsurvey.numerics.mixed_inference import satterthwaite_df
from collabsurvey.numerics.residual_fit import fit_residuals, residual_variance_parameters
from collabsurvey.numerics.residual_structures import (
    ResidualRows,
    sd_ratios,
    serial_correlation,
    structured,
    structured_slope,
    whiten,
)
from collabsurvey.numerics.typing import FloatArray


def made_rows(
    *,
    seed: int = 1,
    reml: bool = True,
    n_groups: int = 12,
    serial: bool = True,
    waves: bool = True,
    signed: bool = True,
) -> ResidualRows:
    """Groups of 1 to 6 rows, with gaps; random intercepts, two coefficients."""
    rng = np.random.default_rng(seed)
    kept = rng.random((n_groups, 6)) < 0.75
    kept[:, 0] = True
    codes, time = np.nonzero(kept)
    n = len(codes)
    wave = time // 3
    e = rng.normal(size=n) * (1 + wave) + rng.normal(size=n_groups)[codes]
    e[1:] += 0.5 * e[:-1] * (codes[1:] == codes[:-1])
    x = np.linalg.qr(np.column_stack((np.ones(n), rng.normal(size=n))))[0]
    e -= x @ (x.T @ e)
    gap = np.append(1.0, np.where(codes[1:] == codes[:-1], np.diff(time), 1.0))
    return ResidualRows(
        w=np.ascontiguousarray(np.column_stack((np.ones(n), x, e)).T),
        codes=codes,
        n_groups=n_groups,
        n_random=1,
        reml=reml,
        gap=gap * (1.0 if signed else 0.7) if serial else None,
        signed=signed,
        wave=wave if waves else None,
        n_waves=2 if waves else 1,
    )


def covariance(rows: ResidualRows, omega: FloatArray) -> FloatArray:
    """Residual covariance (n, n) relative to sigma^2, element by element."""
    n = len(rows.codes)
    found = np.eye(n)
    if rows.gap is not None:
        rho = serial_correlation(float(omega[0]), signed=rows.signed)[0]
        time = np.cumsum(rows.gap)
        same = rows.codes[:, None] == rows.codes
        found = np.where(same, np.power(rho, np.abs(time[:, None] - time).round(9)), 0.0)
    if rows.wave is not None:
        sd = sd_ratios(rows, omega)[rows.wave]
        found = found * np.outer(sd, sd)
    return found


def deviance(rows: ResidualRows, omega: FloatArray, tau: float, sigma: float) -> float:
    """-2 log-likelihood with the coefficients profiled out, from dense matrices."""
    z, x, e = rows.w[0], rows.w[1:-1].T, rows.w[-1]
    same = rows.codes[:, None] == rows.codes
    v = sigma**2 * covariance(rows, omega) + tau**2 * np.outer(z, z) * same
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    rest = e - x @ np.linalg.solve(information, x.T @ inverse @ e)
    n = len(e) - (x.shape[1] if rows.reml else 0)
    found = n * np.log(2 * np.pi) + np.linalg.slogdet(v)[1] + rest @ inverse @ rest
    return float(found + (np.linalg.slogdet(information)[1] if rows.reml else 0.0))


def second_derivatives(f: Callable[[FloatArray], float], at: FloatArray, h: float) -> FloatArray:
    k = len(at)
    steps = np.eye(k) * h
    found = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            a, b = steps[i], steps[j]
            found[i, j] = (f(at + a + b) - f(at + a - b) - f(at - a + b) + f(at - a - b)) / 4 / h**2
    return found


@pytest.mark.parametrize("signed", [True, False])
def test_whitened_rows_have_the_inverse_covariance(signed: bool) -> None:
    rows = made_rows(signed=signed)
    omega = np.array([-0.4, 0.7])
    white = whiten(rows, omega)
    dense = covariance(rows, omega)
    assert_allclose(white.u @ white.u.T, rows.w @ np.linalg.solve(dense, rows.w.T), rtol=1e-10)
    assert_allclose(white.log_det, np.linalg.slogdet(dense)[1], rtol=1e-10)


@settings(max_examples=25, deadline=None)
@given(
    omega=st.tuples(st.floats(-1.5, 1.5), st.floats(-1, 1)),
    theta=st.floats(0, 2),
    reml=st.booleans(),
)
def test_criterion_is_that_of_dense_matrices(
    omega: tuple[float, float], theta: float, reml: bool
) -> None:
    rows = made_rows(reml=reml)
    at = np.array(omega)
    found = structured(rows, at, np.array([[theta]]))
    sigma = float(np.sqrt(found.at.r2 / found.products.df_total))
    assert_allclose(found.criterion, deviance(rows, at, theta * sigma, sigma), rtol=1e-9)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("signed", [True, False])
def test_gradient_is_that_of_the_criterion(reml: bool, signed: bool) -> None:
    rows = made_rows(reml=reml, signed=signed)
    omega, lower, h = np.array([0.3, 0.5]), np.array([[0.8]]), 1e-5
    _, by_omega, by_d = structured_slope(rows, omega, lower)
    for i, step in enumerate(np.eye(2) * h):
        up, down = structured(rows, omega + step, lower), structured(rows, omega - step, lower)
        assert_allclose(by_omega[i], (up.criterion - down.criterion) / (2 * h), rtol=1e-6)
    up, down = structured(rows, omega, lower + h), structured(rows, omega, lower - h)
    slope = (up.criterion - down.criterion) / (2 * h)
    assert_allclose(2 * by_d[0, 0] * lower[0, 0], slope, rtol=1e-6)


def test_no_correlation_and_equal_variances_are_the_plain_model() -> None:
    rows = made_rows()
    by_group = rows.products(rows.w)
    plain = GroupProducts(
        zz=by_group[:, :1, :1],
        zx=by_group[:, :1, 1:-1],
        ze=by_group[:, :1, -1],
        ee=float(by_group[:, -1, -1].sum()),
        n_rows=len(rows.codes),
        reml=True,
    )
    lower = np.array([[0.6]])
    found = structured(rows, np.zeros(2), lower)
    assert_allclose(found.criterion, evaluate(plain, lower).criterion, rtol=1e-12)


@pytest.mark.parametrize("reml", [True, False])
def test_errors_and_df_are_those_of_dense_matrices(reml: bool) -> None:
    rows = made_rows(seed=5, n_groups=40, reml=reml)
    found = fit_residuals(rows, np.ones((1, 1)), correlated=True)
    assert found.fit.converged
    sigma = float(np.sqrt(found.fit.sigma2))
    at = np.array([*found.omega, found.fit.lower[0, 0], sigma])

    def of(values: FloatArray) -> float:
        return deviance(rows, values[:2], float(values[2] * values[3]), float(values[3]))

    hessian = second_derivatives(of, at, 1e-3)
    parameters = residual_variance_parameters(rows, found, correlated=True)
    expected = 2 * np.linalg.inv(hessian)
    assert_allclose(parameters.covariance, expected, rtol=1e-3, atol=1e-5)

    x, z = rows.w[1:-1].T, rows.w[0]
    same = rows.codes[:, None] == rows.codes

    def variance(values: FloatArray) -> FloatArray:
        random = values[2] ** 2 * np.outer(z, z) * same
        v = values[3] ** 2 * (covariance(rows, values[:2]) + random)
        return np.diag(np.linalg.inv(x.T @ np.linalg.solve(v, x)))

    steps = np.eye(4) * 1e-5
    slopes = np.array([(variance(at + s) - variance(at - s)) / 2e-5 for s in steps])
    expected_df = 2 * variance(at) ** 2 / np.einsum("vk,vw,wk->k", slopes, expected, slopes)
    back = found.found.basis @ parameters.vcov @ found.found.basis.T
    assert_allclose(np.diag(back), variance(at), rtol=1e-8)
    df = satterthwaite_df(parameters, found.found.basis)
    assert_allclose(df, expected_df, rtol=1e-3)
