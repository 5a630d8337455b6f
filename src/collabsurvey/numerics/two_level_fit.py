"""Two-level covariances of items: saturated, or one factor at each level.

The likelihood is maximised over what is possible: covariances between clusters positive
semidefinite, unique variances not negative; without these bounds that of few clusters has no
maximum. L-BFGS-B first; an optimum inside is polished by Fisher scoring with Levenberg's damping,
and one at its boundary says so. Source: McDonald & Goldstein (1989)
doi:10.1111/j.2044-8317.1989.tb00911.x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from collabsurvey.numerics.two_level_cov import (
    Evaluation,
    TwoLevelMoments,
    evaluate,
    information,
    packed,
    pairs,
    symmetric,
)
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

DECREMENT = 1e-10  # what a further step may still promise, in -2 log-likelihood per cluster
MOST_STEPS = 200
NOTHING = 1e-6  # an eigenvalue of B relative to W below this is none
STILL = 1e-4  # slope per row at which an iteration that was cut short still counts
FTOL, MAXITER, MAXFUN = 1e-14, 2000, 4000  # of L-BFGS-B

# From parameters (t,) to W and B (k, k) and the derivatives (2p, t) of their elements.
Structure = Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]


@dataclass(frozen=True, eq=False)
class TwoLevelFit:
    """The optimum of a two-level model of k items."""

    within: FloatArray  # (k, k)
    between: FloatArray  # (k, k)
    mean: FloatArray  # (k,)
    loglik: float
    parameters: FloatArray  # (t,) of the structure
    free: BoolArray  # (t,) not held at a boundary
    boundary: bool  # B has a direction, or an item, without variance
    converged: bool


def saturated(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """W, B and the Jacobian where the parameters are their elements."""
    p = len(theta) // 2
    k = int((np.sqrt(8 * p + 1) - 1) / 2)
    return symmetric(theta[:p], k), symmetric(theta[p:], k), np.eye(2 * p)


def one_factor(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """W, B and Jacobian (2p, 4k) of a factor at each level: loadings and unique variances."""
    k = len(theta) // 4
    rows, columns = pairs(k)
    p = len(rows)
    jacobian = np.zeros((2 * p, 4 * k))
    found = []
    for level in range(2):
        loadings = theta[2 * k * level : 2 * k * level + k]
        unique = theta[2 * k * level + k : 2 * k * (level + 1)]
        found.append(np.outer(loadings, loadings) + np.diag(unique))
        block = jacobian[p * level : p * (level + 1), 2 * k * level : 2 * k * (level + 1)]
        element = np.arange(p)
        np.add.at(block, (element, rows), loadings[columns])
        np.add.at(block, (element, columns), loadings[rows])
        diagonal = rows == columns
        block[element[diagonal], k + rows[diagonal]] = 1.0
    return found[0], found[1], jacobian


def scored(
    moments: TwoLevelMoments, structure: Structure, start: FloatArray
) -> tuple[FloatArray, Evaluation, bool] | None:
    """Fisher scoring with Levenberg's damping from `start`: parameters, likelihood, converged."""
    theta = start
    within, between, jacobian = structure(theta)
    at = evaluate(moments, within, between)
    if at is None:
        return None
    damping = 0.0
    for _ in range(MOST_STEPS):
        slope = packed_slopes(at) @ jacobian
        curvature = jacobian.T @ information(moments, at) @ jacobian
        moved = False
        for _ in range(30):
            damped = curvature + damping * np.diag(np.diag(curvature))
            try:
                step = np.linalg.solve(damped, slope)
            except np.linalg.LinAlgError:
                damping = max(damping * 4, 1e-4)
                continue
            decrement = float(slope @ step)
            if damping == 0 and abs(decrement) < DECREMENT * moments.clusters:
                return theta, at, True
            trial = structure(theta - step)
            new = evaluate(moments, trial[0], trial[1])
            if new is not None and new.value <= at.value + 1e-12 * abs(at.value):
                theta, at, jacobian, moved = theta - step, new, trial[2], True
                damping = damping / 10 if damping > 1e-6 else 0.0
                break
            damping = max(damping * 4, 1e-4)
        if not moved:
            return theta, at, False
    return theta, at, False


def start_matrices(moments: TwoLevelMoments) -> tuple[FloatArray, FloatArray]:
    """W and B (k, k) of the multivariate analysis of variance, B made positive semidefinite."""
    df = moments.rows - moments.clusters
    within = moments.within / df
    d = moments.mean - moments.centre
    weight = moments.times * moments.n
    between = (d * weight[:, None]).T @ d / (moments.clusters - 1)
    n0 = (moments.rows - weight @ moments.n / moments.rows) / (moments.clusters - 1)
    return within, positive_part((between - within) / n0, within, floor=1e-4)


def positive_part(between: FloatArray, within: FloatArray, *, floor: float = 0.0) -> FloatArray:
    """B with its eigenvalues relative to W not below `floor`."""
    values, vectors, root = relative_roots(between, within)
    back = root @ vectors
    return np.asarray((back * np.maximum(values, floor)) @ back.T)


def relative_roots(
    between: FloatArray, within: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Eigenvalues (k,) and vectors (k, k) of B in the metric of W = root root', and that root."""
    root: FloatArray = np.asarray(np.linalg.cholesky(within), dtype=np.float64)
    half = np.linalg.solve(root, between)
    values, vectors = np.linalg.eigh(np.linalg.solve(root, half.T))
    return values, vectors, root


def fit_saturated(moments: TwoLevelMoments) -> TwoLevelFit:
    """W and B without structure; B positive semidefinite, polished where it is definite."""
    bounded = bounded_saturated(moments)
    if bounded.boundary:
        return bounded
    found = scored(moments, saturated, bounded.parameters)
    if found is None or not found[2]:
        return bounded
    theta, at, _ = found
    within, between, _ = saturated(theta)
    if relative_roots(between, within)[0][0] < 0:
        return bounded
    return replace(
        bounded,
        within=within,
        between=between,
        mean=at.mean,
        loglik=-at.value / 2,
        parameters=theta,
        converged=True,
    )


def bounded_saturated(moments: TwoLevelMoments, *, tolerance: float = 1e-6) -> TwoLevelFit:
    """Maximise over W = L L' and B = M M' for triangular L and M, in the metric of the start.

    `tolerance` is the largest slope left, per cluster; a resample needs no more than 1e-4.
    """
    from scipy.optimize import minimize

    k = moments.k
    rows, columns = np.tril_indices(k)
    within, between = start_matrices(moments)
    values, vectors, metric = relative_roots(between, within)
    p = len(rows)

    def lower(elements: FloatArray) -> FloatArray:
        matrix = np.zeros((k, k))
        matrix[rows, columns] = elements
        return metric @ matrix

    def objective(theta: FloatArray) -> tuple[float, FloatArray]:
        first, second = lower(theta[:p]), lower(theta[p:])
        at = evaluate(moments, first @ first.T, second @ second.T)
        if at is None:
            return 1e300, np.zeros_like(theta)
        by_first = 2 * metric.T @ at.slope_within @ first
        by_second = 2 * metric.T @ at.slope_between @ second
        slope = np.concatenate([by_first[rows, columns], by_second[rows, columns]])
        return at.value, slope

    triangle = np.linalg.qr((vectors * np.sqrt(np.maximum(values, 1e-4))).T).R.T
    theta = np.concatenate([np.eye(k)[rows, columns], triangle[rows, columns]])
    found = minimize(
        objective,
        theta,
        jac=True,
        method="L-BFGS-B",
        options={
            "ftol": FTOL,
            "gtol": tolerance * moments.clusters,
            "maxiter": MAXITER,
            "maxfun": MAXFUN,
        },
    )
    first, second = lower(found.x[:p]), lower(found.x[p:])
    within, between = first @ first.T, second @ second.T
    upper = pairs(k)
    theta = np.concatenate([within[upper], between[upper]])
    at, _ = standing(moments, theta, saturated)
    free = np.ones(len(theta), dtype=bool)
    still = np.abs(found.jac).max() < STILL * moments.rows
    return TwoLevelFit(
        within=within,
        between=between,
        mean=at.mean,
        loglik=-at.value / 2,
        parameters=theta,
        free=free,
        boundary=bool(relative_roots(between, within)[0][0] < NOTHING),
        converged=bool(found.success or still),
    )


def fit_one_factor(
    moments: TwoLevelMoments, saturated_fit: TwoLevelFit, start: TwoLevelFit | None = None
) -> TwoLevelFit:
    """One factor at each level; unique variances not below zero, polished where none is there."""
    theta = factor_start(saturated_fit) if start is None else start.parameters
    bounded = bounded_factor(moments, theta)
    if bounded.boundary:
        return bounded
    found = scored(moments, one_factor, bounded.parameters)
    if found is None or not found[2] or (found[0][unique_places(moments.k)] < 0).any():
        return bounded
    theta, at, _ = found
    within, between, _ = one_factor(theta)
    return replace(
        bounded,
        within=within,
        between=between,
        mean=at.mean,
        loglik=-at.value / 2,
        parameters=upright(theta),
        converged=True,
    )


def bounded_factor(moments: TwoLevelMoments, theta: FloatArray) -> TwoLevelFit:
    """The same with L-BFGS-B, unique variances bounded."""
    from scipy.optimize import minimize

    unit = np.sqrt(np.diag(moments.within / (moments.rows - moments.clusters)))
    units = np.concatenate([unit, unit**2] * 2)
    k = moments.k
    unique = unique_places(k)
    lowest = np.full(4 * k, -np.inf)
    lowest[unique[:k]] = 1e-6
    lowest[unique[k:]] = 0.0

    def objective(scaled: FloatArray) -> tuple[float, FloatArray]:
        within, between, jacobian = one_factor(scaled * units)
        at = evaluate(moments, within, between)
        if at is None:
            return 1e300, np.zeros_like(scaled)
        return at.value, (packed_slopes(at) @ jacobian) * units

    found = minimize(
        objective,
        np.maximum(theta / units, lowest),
        jac=True,
        method="L-BFGS-B",
        bounds=[(low, None) for low in lowest],
        options={
            "ftol": FTOL,
            "gtol": 1e-6 * moments.clusters,
            "maxiter": MAXITER,
            "maxfun": MAXFUN,
        },
    )
    theta = found.x * units
    within, between, _ = one_factor(theta)
    at, _ = standing(moments, theta, one_factor)
    free = found.x > lowest
    inside = np.where(free, found.jac, np.minimum(found.jac, 0.0))
    still = np.abs(inside).max() < STILL * moments.rows
    return TwoLevelFit(
        within,
        between,
        at.mean,
        -at.value / 2,
        upright(theta),
        free,
        bool(not free.all()),
        bool(found.success or still),
    )


def unique_places(k: int) -> IntArray:
    """Places of the unique variances among the parameters of `one_factor`."""
    return np.concatenate([np.arange(k, 2 * k), np.arange(3 * k, 4 * k)])


def factor_start(fit: TwoLevelFit) -> FloatArray:
    """Loadings by the first root of each matrix, and what they leave."""
    parts = []
    for matrix in (fit.within, fit.between):
        values, vectors = np.linalg.eigh(matrix)
        loadings = vectors[:, -1] * np.sqrt(0.8 * max(values[-1], 1e-12))
        diagonal = np.diag(matrix)
        parts += [loadings, np.maximum(diagonal - loadings**2, 0.1 * np.maximum(diagonal, 1e-8))]
    return np.concatenate(parts)


def upright(theta: FloatArray) -> FloatArray:
    """The same model with loadings of positive sum at each level."""
    k = len(theta) // 4
    turned = theta.copy()
    for start in (0, 2 * k):
        if turned[start : start + k].sum() < 0:
            turned[start : start + k] *= -1
    return turned


def standing(
    moments: TwoLevelMoments, theta: FloatArray, structure: Structure
) -> tuple[Evaluation, FloatArray]:
    """The likelihood and the Jacobian at parameters that are possible."""
    within, between, jacobian = structure(theta)
    at = evaluate(moments, within, between)
    if at is None:
        raise np.linalg.LinAlgError("covariances are not positive definite")
    return at, jacobian


def packed_slopes(at: Evaluation) -> FloatArray:
    """Slopes (2p,) by the elements of W and B."""
    return np.concatenate([packed(at.slope_within), packed(at.slope_between)])
