"""Unrotated factor loadings from correlation matrices: minres, maximum likelihood, principal axis.

Minres and maximum likelihood are minimised over the unique variances by Newton's method with
the exact Hessian, a stack of matrices at a time, so that a thousand resamples are a handful of
calls to LAPACK. Sources: Jöreskog (1967) doi:10.1007/BF02289658 for maximum likelihood;
Harman & Jones (1966) doi:10.1007/BF02289468 for minres, which is unweighted least squares
(Jöreskog, 1977, in Enslein et al., Statistical Methods for Digital Computers, p. 125-153);
Thurstone (1947) and Harman (1976, ch. 8) for iterated principal axes, whose fixed point is the
minres solution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

ExtractionMethod = Literal["minres", "ml", "principal_axis"]

# The smallest unique variance allowed, as in stats::factanal and psych::fa; below it a
# solution is a Heywood case and maximum likelihood has no minimum.
LOWEST_UNIQUENESS = 0.005
GRADIENT = 1e-9  # largest projected gradient at a minimum; Newton's last step goes well below
ROUNDED_GRADIENT = 1e-6  # the same where unique variances at the bound magnify rounding errors
ROUNDING = 1e-14  # of the objective; near the minimum a good step changes it by less
NEAR = 1e-4  # gradient from which a point may be a saddle
AT_BOUND = 1e-8  # distance of a unique variance, or its logarithm, from its bound
SADDLE = 1e-6  # smallest curvature, as a share of the largest, below which a point is a saddle
MOST_STEPS = 200
AXIS_CHANGE = 1e-8  # largest change of a communality in the last principal-axis iteration
MOST_AXIS_STEPS = 20_000

# Objective (B,), gradient (B, p) and two Hessians (B, p, p): exact, and positive semidefinite.
Evaluation = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
Evaluate = Callable[[FloatArray, IntArray], Evaluation]


@dataclass(frozen=True, eq=False)
class Extraction:
    """Unrotated solutions of B correlation matrices of p items.

    `objective` is the minimised function: half the sum of squared residuals (minres and
    principal axis), or -log|S Sigma^-1| + tr(S Sigma^-1) - p (maximum likelihood).
    """

    loadings: FloatArray  # (B, p, m)
    uniquenesses: FloatArray  # (B, p)
    objective: FloatArray  # (B,)
    converged: BoolArray  # (B,)
    n_iterations: IntArray  # (B,)


def extract(
    cors: FloatArray,
    n_factors: int,
    method: ExtractionMethod = "minres",
    *,
    n_starts: int = 1,
    lowest: float = LOWEST_UNIQUENESS,
) -> Extraction:
    """Extract m factors from each matrix of a stack (B, p, p); ml needs positive definite ones.

    `n_starts` above 1 also starts from equal unique variances (.5, .2, .8) and keeps the best
    solution of each matrix.
    """
    m = n_factors
    if method == "principal_axis":
        return _principal_axis(cors, m, lowest)
    start = start_values(cors, m)
    solutions = [_solve(cors, m, method, start, lowest)]
    for level in (0.5, 0.2, 0.8)[: n_starts - 1]:
        solutions.append(_solve(cors, m, method, np.full_like(start, level), lowest))
    return solutions[0] if len(solutions) == 1 else _best(solutions)


def start_values(cors: FloatArray, n_factors: int) -> FloatArray:
    """Start (B, p) of the unique variances: (1 - m / 2p) / diag(R^-1) (Jöreskog, 1967, eq. 26)."""
    p = cors.shape[-1]
    values, vectors = np.linalg.eigh(cors)
    inverse = np.einsum("...ij,...j->...i", vectors**2, 1 / np.maximum(values, 1e-8))
    return np.asarray(np.clip((1 - n_factors / (2 * p)) / inverse, 0.02, 0.98))


def _solve(
    cors: FloatArray, m: int, method: ExtractionMethod, start: FloatArray, lowest: float
) -> Extraction:
    if method == "minres":
        x, converged, steps = _newton(_minres(cors, m), start, lowest)
        psi = x
        loadings = axis_loadings(cors, psi, m)
        values = _minres(cors, m)(psi, np.arange(len(cors)))[0]
    else:
        x, converged, steps = _newton(_likelihood(cors, m), np.log(start), float(np.log(lowest)))
        psi = np.exp(x)
        loadings = likelihood_loadings(cors, psi, m)
        values = _likelihood(cors, m)(x, np.arange(len(cors)))[0]
    return Extraction(loadings, psi, values, converged, steps)


def _best(solutions: list[Extraction]) -> Extraction:
    """For each matrix the solution with the smallest objective; converged ones go first."""
    values = np.array([np.where(s.converged, s.objective, np.inf) for s in solutions])
    if not np.isfinite(values).any():
        values = np.array([s.objective for s in solutions])
    best = values.argmin(axis=0)
    rows = np.arange(len(best))
    return Extraction(
        np.array([s.loadings for s in solutions])[best, rows],
        np.array([s.uniquenesses for s in solutions])[best, rows],
        np.array([s.objective for s in solutions])[best, rows],
        np.array([s.converged for s in solutions])[best, rows],
        np.array([s.n_iterations for s in solutions])[best, rows],
    )


def axis_loadings(cors: FloatArray, psi: FloatArray, m: int) -> FloatArray:
    """Loadings (B, p, m) of the m largest roots of R - Psi."""
    values, vectors = np.linalg.eigh(_reduced(cors, psi))
    largest = np.sqrt(np.maximum(values[..., ::-1][..., :m], 0.0))
    return np.asarray(vectors[..., ::-1][..., :m] * largest[..., None, :])


def likelihood_loadings(cors: FloatArray, psi: FloatArray, m: int) -> FloatArray:
    """Loadings (B, p, m) given the unique variances (Jöreskog, 1967, eq. 16)."""
    root = np.sqrt(psi)
    values, vectors = np.linalg.eigh(cors / (root[..., :, None] * root[..., None, :]))
    largest = np.sqrt(np.maximum(values[..., ::-1][..., :m] - 1, 0.0))
    return np.asarray(root[..., None] * vectors[..., ::-1][..., :m] * largest[..., None, :])


def _reduced(cors: FloatArray, psi: FloatArray) -> FloatArray:
    reduced = cors.copy()
    diagonal = np.arange(cors.shape[-1])
    reduced[..., diagonal, diagonal] -= psi
    return reduced


def _minres(cors: FloatArray, m: int) -> Evaluate:
    """Half the sum of the squared p - m smallest roots theta of R - Psi, as a function of Psi."""

    def evaluate(psi: FloatArray, which: IntArray) -> Evaluation:
        theta, u = np.linalg.eigh(_reduced(cors[which], psi))
        p = theta.shape[-1]
        small, large = theta[:, : p - m], theta[:, p - m :]
        rest, kept = u[:, :, : p - m], u[:, :, p - m :]
        value = (small**2).sum(axis=1) / 2
        gradient = -np.einsum("bij,bj->bi", rest**2, small)
        outside = rest @ rest.transpose(0, 2, 1)
        positive = outside**2
        # Perturbation of the roots: d theta_j / d psi_i = -u_ij^2.
        ratio = small[:, None, :] / _gap(small[:, None, :] - large[:, :, None])  # (B, m, p - m)
        return value, gradient, positive + 2 * _mixed(kept, rest, ratio), positive

    return evaluate


def _likelihood(cors: FloatArray, m: int) -> Evaluate:
    """Sum of gamma - log(gamma) - 1 over the p - m smallest roots, as a function of log(Psi).

    gamma are the roots of Psi^-1/2 R Psi^-1/2; the sum is the likelihood's discrepancy.
    """

    def evaluate(x: FloatArray, which: IntArray) -> Evaluation:
        root = np.exp(x / 2)
        gamma, u = np.linalg.eigh(cors[which] / (root[:, :, None] * root[:, None, :]))
        p = gamma.shape[-1]
        small = np.maximum(gamma[:, : p - m], 1e-300)
        large = gamma[:, p - m :]
        rest, kept = u[:, :, : p - m], u[:, :, p - m :]
        value = (small - np.log(small) - 1).sum(axis=1)
        gradient = np.einsum("bij,bj->bi", rest**2, 1 - small)
        outside = rest @ rest.transpose(0, 2, 1)
        positive = outside * ((rest * small[:, None, :]) @ rest.transpose(0, 2, 1))
        apart = _gap(small[:, None, :] - large[:, :, None])
        ratio = (small - 1)[:, None, :] * (small[:, None, :] + large[:, :, None]) / apart
        return value, gradient, positive + _mixed(kept, rest, ratio), positive

    return evaluate


def _gap(apart: FloatArray) -> FloatArray:
    """Distances between kept and left-out roots; equal roots have none, where f has a kink."""
    return np.minimum(apart, -1e-12)


def _mixed(kept: FloatArray, rest: FloatArray, ratio: FloatArray) -> FloatArray:
    """Sum over kept l and left-out j of ratio_lj u_ij u_il u_kj u_kl (B, p, p)."""
    total = np.zeros((len(kept), kept.shape[1], kept.shape[1]))
    for factor in range(kept.shape[2]):
        weighted = (rest * ratio[:, factor, None, :]) @ rest.transpose(0, 2, 1)
        total += weighted * (kept[:, :, factor, None] * kept[:, None, :, factor])
    return total


def _newton(
    evaluate: Evaluate, start: FloatArray, lowest: float
) -> tuple[FloatArray, BoolArray, IntArray]:
    """Minimise each row of x (B, p) above `lowest`: projected Newton with backtracking.

    Bertsekas (1982) doi:10.1137/0320018: variables at the bound whose gradient points
    outwards stay there; the rest take a Newton step.
    """
    x = _within(start, lowest)
    n = len(x)
    steps = np.zeros(n, dtype=np.int64)
    converged = np.zeros(n, dtype=bool)
    active = np.arange(n)
    value, gradient, exact, positive = evaluate(x, active)
    for _ in range(MOST_STEPS):
        fixed = (x[active] <= lowest) & (gradient > 0)
        free_gradient = np.where(fixed, 0.0, gradient)
        slope = np.abs(free_gradient).max(axis=1)
        done = slope < GRADIENT
        direction = _direction(exact, positive, free_gradient, fixed)
        near = np.flatnonzero(slope < NEAR)
        if len(near):  # Newton's method also ends at saddles, from which there is a way down
            saddle, away = _saddles(exact[near], free_gradient[near], fixed[near])
            direction[near[saddle]] = away[saddle]
            done[near[saddle]] = False
        if done.any():
            # One more full step costs nothing and takes quadratic convergence to the end.
            last = _within(x[active[done]] + direction[done], lowest)
            better = evaluate(last, active[done])[0] <= value[done]
            x[active[done][better]] = last[better]
            converged[active[done]] = True
            going = ~done
            active, value, free_gradient = active[going], value[going], free_gradient[going]
            direction, slope = direction[going], slope[going]
        if not len(active):
            break
        steps[active] += 1
        moved, stuck = _line_search(evaluate, x, value, free_gradient, direction, active, lowest)
        x[active] = moved
        before = value
        value, gradient, exact, positive = evaluate(moved, active)
        left = np.abs(np.where((moved <= lowest) & (gradient > 0), 0, gradient)).max(axis=1)
        # Rounding may leave neither a lower value nor a smaller gradient: as good as it gets.
        stuck |= (value >= before - ROUNDING * (1 + np.abs(before))) & (left > slope / 2)
        if stuck.any():
            converged[active[stuck]] = left[stuck] < ROUNDED_GRADIENT
            keep = ~stuck
            active, value, gradient = active[keep], value[keep], gradient[keep]
            exact, positive = exact[keep], positive[keep]
            if not len(active):
                break
    return x, converged, steps


def _saddles(
    exact: FloatArray, gradient: FloatArray, fixed: BoolArray
) -> tuple[BoolArray, FloatArray]:
    """Which points hardly have a gradient and are no minimum, and the way down (B, p)."""
    h = np.where(fixed[:, :, None] | fixed[:, None, :], 0.0, exact)
    values, vectors = np.linalg.eigh(h)
    way = vectors[:, :, 0]
    way = np.where((way * gradient).sum(axis=1, keepdims=True) > 0, -way, way)
    return values[:, 0] < -SADDLE * np.abs(values).max(axis=1), way


def _direction(
    exact: FloatArray, positive: FloatArray, gradient: FloatArray, fixed: BoolArray
) -> FloatArray:
    """Newton step (B, p), from the positive semidefinite Hessian where the exact one misleads."""
    step = _step(exact, gradient, fixed, ridge=1e-12)
    slope = (step * gradient).sum(axis=1)
    size = np.sqrt((step**2).sum(axis=1) * (gradient**2).sum(axis=1))
    misled = ~(slope < -1e-8 * size)
    if misled.any():
        step[misled] = _step(positive[misled], gradient[misled], fixed[misled], ridge=1e-4)
    return step


def _step(hessian: FloatArray, gradient: FloatArray, fixed: BoolArray, ridge: float) -> FloatArray:
    p = hessian.shape[-1]
    h = np.where(fixed[:, :, None] | fixed[:, None, :], 0.0, hessian)
    diagonal = np.arange(p)
    scale = np.trace(h, axis1=1, axis2=2) / p + 1e-300
    h[:, diagonal, diagonal] += np.where(fixed, 1.0, ridge * scale[:, None])
    try:
        step = np.linalg.solve(h, gradient[:, :, None])
    except np.linalg.LinAlgError:
        step = np.linalg.pinv(h) @ gradient[:, :, None]
    return np.asarray(-step[:, :, 0])


def _within(x: FloatArray, lowest: float) -> FloatArray:
    """Bring variables to their bound that are below it, or so near that they would hold others."""
    return np.where(x < lowest + AT_BOUND, lowest, x)


def _line_search(
    evaluate: Evaluate,
    x: FloatArray,
    value: FloatArray,
    gradient: FloatArray,
    direction: FloatArray,
    active: IntArray,
    lowest: float,
) -> tuple[FloatArray, BoolArray]:
    """Halve each step until the value falls enough (Armijo); also which found no lower value."""
    # Unique variances are between 0 and 1: a step over half of that is not to be trusted.
    longest = np.abs(direction).max(axis=1, keepdims=True)
    direction = direction * np.minimum(1.0, (0.5 if lowest > 0 else 2.0) / (longest + 1e-300))
    here = x[active]
    result = here.copy()
    waiting = np.arange(len(active))
    size = 1.0
    for _ in range(40):
        trial = _within(here[waiting] + size * direction[waiting], lowest)
        promised = ((trial - here[waiting]) * gradient[waiting]).sum(axis=1)
        found = evaluate(trial, active[waiting])[0]
        noise = ROUNDING * (1 + np.abs(value[waiting]))
        fine = found <= value[waiting] + 1e-4 * promised + noise
        result[waiting[fine]] = trial[fine]
        waiting = waiting[~fine]
        if not len(waiting):
            break
        size /= 2
    stuck = np.zeros(len(active), dtype=bool)
    stuck[waiting] = True
    return result, stuck


def _principal_axis(cors: FloatArray, m: int, lowest: float) -> Extraction:
    """Communalities from the m largest roots of R - Psi, again and again until they rest."""
    n, p = len(cors), cors.shape[-1]
    psi = np.clip(start_values(cors, 0), lowest, 1.0)
    converged = np.zeros(n, dtype=bool)
    steps = np.zeros(n, dtype=np.int64)
    active = np.arange(n)
    for _ in range(MOST_AXIS_STEPS):
        steps[active] += 1
        loadings = axis_loadings(cors[active], psi[active], m)
        new = np.maximum(1 - (loadings**2).sum(axis=2), lowest)
        rest = np.abs(new - psi[active]).max(axis=1) < AXIS_CHANGE
        psi[active] = new
        converged[active[rest]] = True
        active = active[~rest]
        if not len(active):
            break
    loadings = axis_loadings(cors, psi, m)
    residual = cors - loadings @ loadings.transpose(0, 2, 1)
    diagonal = np.arange(p)
    residual[:, diagonal, diagonal] -= psi
    return Extraction(loadings, psi, (residual**2).sum(axis=(1, 2)) / 2, converged, steps)
