"""Fitting a mixed model whose residuals are correlated or of unequal variance.

All variance parameters, omega of the residuals and theta of the random effects, are found together
with an analytic gradient; sigma and the coefficients are profiled out (see
`numerics.residual_structures`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.mixed import (
    DECREMENT,
    MixedFit,
    filled,
    free_elements,
    jacobian,
    polished,
    rises_from,
    standardised,
)
from collabsurvey.numerics.mixed_inference import FLAT, VarianceParameters
from collabsurvey.numerics.residual_structures import (
    MOST_RATIO,
    ResidualRows,
    Structured,
    bounds,
    structured_slope,
    with_basis,
)
from collabsurvey.numerics.typing import FloatArray, IntArray

# Serial correlation and a variance between groups can stand in for each other, so that there may be
# two optima: from both sides (omega of the autoregression, factor on theta).
STARTS = ((0.0, 1.0), (1.0, 0.3))
AT_LIMIT = 1e-3  # a parameter so near its bound is at it
SAME_OPTIMUM = 1e-6  # deviances that differ by less

Criterion = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True, eq=False)
class ResidualFit:
    """The optimum."""

    omega: FloatArray  # (k,)
    at_limit: tuple[bool, ...]  # of each element of omega
    fit: MixedFit  # on the basis that is orthonormal at omega
    found: Structured
    criterion: float  # -2 log-likelihood of e on the Q of the rows
    criterion_without: float  # the same without random effects


@dataclass(frozen=True, eq=False)
class Ended:
    """Where a search ended."""

    x: FloatArray
    criterion: float
    n_iterations: int
    n_evaluations: int


def fit_residuals(rows: ResidualRows, start: FloatArray, *, correlated: bool) -> ResidualFit:
    """Minimise the criterion over omega and L, from L (q, q) of the plain model."""
    elements = free_elements(rows.n_random, correlated=correlated)
    k = rows.n_parameters
    theta = np.maximum(np.abs(start[elements]), 0.05) * np.where(start[elements] < 0, -1, 1)
    best: Ended | None = None
    for serial, factor in STARTS if rows.n_serial else STARTS[:1]:
        values = np.append(np.full(k, serial), theta * factor)
        values[rows.n_serial : k] = observed_log_ratios(rows)
        here = _minimum(_criterion_of(rows, elements), values, bounds(rows))
        if best is None or here.criterion < best.criterion - SAME_OPTIMUM:
            best = here
    if best is None:  # STARTS is never empty
        raise RuntimeError("no start was tried")
    return _finished(rows, best, elements, correlated=correlated)


def observed_log_ratios(rows: ResidualRows) -> FloatArray:
    """Logs (K - 1,) of the root mean squares of e in the waves, relative to the first's."""
    if rows.wave is None:
        return np.zeros(0)
    counts = np.bincount(rows.wave, minlength=rows.n_waves)
    squares = np.bincount(rows.wave, weights=rows.w[-1] ** 2, minlength=rows.n_waves) / counts
    logs = np.log(np.maximum(squares, np.finfo(np.float64).tiny)) / 2
    return np.asarray(np.clip(logs[1:] - logs[0], -MOST_RATIO, MOST_RATIO))


def _criterion_of(rows: ResidualRows, elements: tuple[IntArray, IntArray]) -> Criterion:
    """Return the criterion and its gradient as a function of (omega, theta)."""
    k = rows.n_parameters

    def criterion(x: FloatArray) -> tuple[float, FloatArray]:
        lower = filled(x[k:], *elements, rows.n_random)
        here, by_omega, by_d = structured_slope(rows, x[:k], lower)
        return here.criterion, np.append(by_omega, 2 * (by_d @ lower)[elements])

    return criterion


def _finished(
    rows: ResidualRows, best: Ended, elements: tuple[IntArray, IntArray], *, correlated: bool
) -> ResidualFit:
    """Newton steps from where the best start ended, and the record."""
    k, q, x = rows.n_parameters, rows.n_random, best.x.copy()
    criterion = _criterion_of(rows, elements)
    count = 0
    limit = np.abs(x[:k]) > bounds(rows) - AT_LIMIT
    free = np.append(~limit, np.ones(len(x) - k, dtype=bool))

    def slope(part: FloatArray) -> FloatArray:
        nonlocal count
        count += 1
        whole = x.copy()
        whole[free] = part
        whole[:k] = np.clip(whole[:k], -bounds(rows), bounds(rows))
        return np.asarray(criterion(whole)[1][free])

    part, decrement, steps = polished(slope, x[free])
    x[free] = part
    x[:k] = np.clip(x[:k], -bounds(rows), bounds(rows))
    lower = standardised(filled(x[k:], *elements, q))
    found, by_omega, by_d = structured_slope(rows, x[:k], lower)
    rises = rises_from(lower, by_d, len(rows.codes), correlated=correlated)
    largest = np.abs(np.append(by_omega[~limit], 2 * (by_d @ lower)[elements])).max()
    fit = MixedFit(
        lower=lower,
        at=found.at,
        sigma2=found.at.r2 / found.products.df_total,
        converged=bool(abs(decrement) < DECREMENT and rises),
        method="L-BFGS-B, then Newton",
        n_iterations=best.n_iterations + steps,
        n_evaluations=best.n_evaluations + count,
        gradient_norm=float(largest),
        decrement=float(abs(decrement)),
    )
    without = without_random(rows, x[:k])
    return ResidualFit(x[:k], tuple(limit.tolist()), fit, found, found.criterion, without)


def without_random(rows: ResidualRows, omega: FloatArray) -> float:
    """The criterion of the same residuals without random effects (generalised least squares)."""
    zero = np.zeros((rows.n_random, rows.n_random))

    def criterion(x: FloatArray) -> tuple[float, FloatArray]:
        here, by_omega, _ = structured_slope(rows, x, zero)
        return here.criterion, by_omega

    return _minimum(criterion, omega, bounds(rows)).criterion


def _minimum(criterion: Criterion, start: FloatArray, limits: FloatArray) -> Ended:
    """L-BFGS-B with bounds on the first elements."""
    from scipy.optimize import minimize

    open_ends: list[tuple[float | None, float | None]]
    open_ends = [(-b, b) for b in limits.tolist()]
    open_ends += [(None, None)] * (len(start) - len(limits))
    found = minimize(
        criterion,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=open_ends,
        options={"ftol": 1e-13, "gtol": 1e-6, "maxiter": 500},
    )
    return Ended(np.asarray(found.x), float(found.fun), int(found.nit), int(found.nfev))


def residual_variance_parameters(
    rows: ResidualRows, found: ResidualFit, *, correlated: bool
) -> VarianceParameters:
    """Asymptotic covariance of (omega, theta, sigma) and derivatives of vcov(beta) in them.

    Second derivatives are differences of the analytic first ones; a parameter at its limit is
    taken as known. vcov is on the basis that is orthonormal at omega.
    """
    rows = with_basis(rows, found.found)
    elements = free_elements(rows.n_random, correlated=correlated)
    k, q = rows.n_parameters, rows.n_random
    sigma2, lower, at = found.fit.sigma2, found.fit.lower, found.fit.at
    sigma = float(np.sqrt(sigma2))
    x = np.append(found.omega, lower[elements])

    def slope(values: FloatArray, variance: float = sigma2) -> FloatArray:
        """Return derivatives of the deviance at a sigma^2, then the elements of vcov(beta)."""
        here = filled(values[k:], *elements, q)
        model, by_omega, by_d = structured_slope(rows, values[:k], here, variance)
        first = np.append(by_omega, 2 * (by_d @ here)[elements])
        return np.append(first, model.unscaled.ravel())

    size, p = len(x), len(at.beta)
    moved = jacobian(slope, x, 1e-3 * np.maximum(np.abs(x), 0.1))
    hessian = np.empty((size + 1, size + 1))
    hessian[:size, :size] = moved[:size]
    # First derivatives are a + b / sigma^2.
    b = 2 * sigma2 * (slope(x) - slope(x, 2 * sigma2))[:size]
    hessian[:size, size] = hessian[size, :size] = -2 * b / sigma**3
    hessian[size, size] = 6 * at.r2 / sigma**4 - 2 * found.found.products.df_total / sigma2
    known = np.flatnonzero(found.at_limit)
    hessian[known] = hessian[:, known] = 0.0
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    sound = values > FLAT
    covariance = 2 * (vectors[:, sound] / values[sound]) @ vectors[:, sound].T
    derivative = np.empty((size + 1, p, p))
    derivative[:size] = sigma2 * moved[size:].T.reshape(size, p, p)
    derivative[size] = 2 * sigma * at.unscaled
    return VarianceParameters(covariance, derivative, sigma2 * at.unscaled)
