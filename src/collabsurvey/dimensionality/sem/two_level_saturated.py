"""Covariances at two levels without structure, and with all covariances zero.

Newton's method on the elements of W and B and the means. Where the best B found is not positive
semidefinite, the maximum over possible matrices is looked for instead: with few clusters of a
size the likelihood of an indefinite B has no maximum. Source: McDonald & Goldstein (1989)
doi:10.1111/j.2044-8317.1989.tb00911.x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from collabsurvey.numerics.two_level_cov import packed, pairs, symmetric
from collabsurvey.numerics.two_level_joint import (
    Joint,
    Levels,
    evaluate_joint,
    joint_curvature,
    joint_slopes,
)
from collabsurvey.numerics.typing import FloatArray, IntArray

MOST_STEPS = 200
SETTLED = 1e-12  # what a further step may still promise, in log-likelihood per cluster
NOTHING = 1e-9  # how far an eigenvalue of B, in units of the clusters' variances, may be below 0
EDGE = 1e-7  # below this there is no variance in its direction
MOST_DAMPED = 1e6
HALVES = tuple(0.5**i for i in range(20))


@dataclass(frozen=True, eq=False)
class Unstructured:
    """Moments at both levels that maximise the likelihood."""

    within: FloatArray  # (p, p)
    between: FloatArray  # (q, q)
    mean: FloatArray  # (P,)
    loglik: float
    boundary: bool  # B is held at the edge of the positive semidefinite matrices
    converged: bool


def unstructured(levels: Levels) -> Unstructured:
    """Maximum likelihood W (p, p), B (q, q) and means (P,), B positive semidefinite."""
    start = _start(levels)
    found = _newton(levels, *start, inside=True)
    if found is None:
        return _bounded(levels, *start)
    within, between, at = found
    boundary = _lowest_root(levels, within, between) < EDGE
    return Unstructured(within, between, at.mean, -at.value / 2, boundary, True)


def independent(levels: Levels, covariates: IntArray, whole: Unstructured) -> Unstructured:
    """The same without covariances, the baseline of fit indices; a variance B may be negative.

    Moments among the covariates (places among the P variables) stay those of `whole`.
    """
    fixed_w, fixed_b = np.isin(levels.within, covariates), np.isin(levels.between, covariates)
    within = whole.within * np.outer(fixed_w, fixed_w)
    between = whole.between * np.outer(fixed_b, fixed_b)
    mean = whole.mean.copy()
    boundary = False
    for place in np.setdiff1d(np.arange(levels.moments.k), covariates):
        at_w, at_b = np.flatnonzero(levels.within == place), np.flatnonzero(levels.between == place)
        alone = levels.of(np.array([place]))
        start = _start(alone)
        found = _newton(alone, *start, inside=False)
        if found is None:
            one = _bounded(alone, *start)
            boundary = boundary or one.boundary
            variances, middle = (one.within, one.between), one.mean
        else:
            variances, middle = found[:2], found[2].mean
        within[at_w, at_w], between[at_b, at_b] = (variance.ravel() for variance in variances)
        mean[place] = middle[0]
    at = evaluate_joint(levels, within, between, mean)
    value = np.nan if at is None else at.value
    return Unstructured(within, between, mean, -value / 2, boundary, at is not None)


def _start(levels: Levels) -> tuple[FloatArray, FloatArray]:
    """W and B of the multivariate analysis of variance, B made positive definite."""
    m = levels.moments
    within = levels.pooled / levels.df
    d = m.mean - m.times @ m.mean / m.clusters
    total = (d * m.times[:, None]).T @ d / m.clusters
    noise = np.zeros((m.k, m.k))
    noise[np.ix_(levels.within, levels.within)] = within * (m.times @ (1 / m.n) / m.clusters)
    places = np.ix_(levels.between, levels.between)
    unit = np.sqrt(np.maximum(np.diag(total), np.diag(noise))[levels.between])
    scaled = (total - noise)[places] / np.outer(unit, unit)
    values, vectors = np.linalg.eigh(scaled)
    between = (vectors * np.maximum(values, 0.02)) @ vectors.T * np.outer(unit, unit)
    return within, between


def _newton(
    levels: Levels, within: FloatArray, between: FloatArray, *, inside: bool
) -> tuple[FloatArray, FloatArray, Joint] | None:
    """Newton's method on W, B and means; None if it fails or, `inside`, if B gets indefinite."""
    p, q, k = len(within), len(between), levels.moments.k
    w, b = pairs(p), pairs(q)
    n_w, n_b = len(w[0]), len(b[0])
    at = evaluate_joint(levels, within, between)
    limit = SETTLED * levels.moments.clusters
    observed = False  # far from the maximum the expected second derivatives are safer
    for _ in range(MOST_STEPS):
        if at is None or (inside and _lowest_root(levels, within, between) < -NOTHING):
            return None
        by_within, by_mean, by_between = joint_slopes(levels, at)
        slope = np.concatenate([packed(by_within), by_mean, packed(by_between)]) / 2
        step = _solved(joint_curvature(levels, at, observed=observed), slope)
        if step is None and observed:
            step = _solved(joint_curvature(levels, at, observed=False), slope)
        if step is None:
            return None
        gain = float(slope @ step)
        if gain < limit:
            return within, between, at
        observed = gain < levels.moments.clusters / 10
        for share in HALVES:
            move = -share * step
            new_w = within + symmetric(move[:n_w], p)
            new_b = between + symmetric(move[n_w + k :][:n_b], q)
            new = evaluate_joint(levels, new_w, new_b, at.mean + move[n_w:][:k])
            if new is not None and new.value <= at.value - 1e-4 * share * gain:
                break
        else:  # rounding, or no way down
            return (within, between, at) if gain < 1e4 * limit else None
        within, between, at = new_w, new_b, new
    return None


def _solved(curvature: FloatArray, slope: FloatArray, damping: float = 0.0) -> FloatArray | None:
    """Newton's step; None where the second derivatives are not positive definite."""
    unit = np.sqrt(np.maximum(np.abs(np.diag(curvature)), 1e-150))
    scaled = curvature / np.outer(unit, unit)
    scaled[np.diag_indices_from(scaled)] += damping
    try:
        root = linalg.cho_factor(scaled, check_finite=False)
    except linalg.LinAlgError:
        return None
    return np.asarray(linalg.cho_solve(root, slope / unit, check_finite=False) / unit)


def _lowest_root(levels: Levels, within: FloatArray, between: FloatArray) -> float:
    """Smallest eigenvalue of B in units of the variances of the means of the largest clusters."""
    if len(between) == 0:
        return 0.0
    joint = levels.joint(within, between)[-1]
    unit = np.sqrt(np.diag(joint)[levels.between])
    return float(np.linalg.eigvalsh(between / np.outer(unit, unit))[0])


def _bounded(levels: Levels, within: FloatArray, between: FloatArray) -> Unstructured:
    """Maximise over W, means and B = M M' for triangular M, by Newton's method, damped.

    Where B loses rank a column of M goes to zero, along which the likelihood is curved.
    """
    p, k = len(within), levels.moments.k
    n_w = p * (p + 1) // 2
    lower = np.tril_indices(len(between))
    root: FloatArray = np.asarray(np.linalg.cholesky(between), dtype=np.float64)
    at = evaluate_joint(levels, within, root @ root.T)
    if at is None:
        raise np.linalg.LinAlgError("covariances are not positive definite")
    damping, limit = 1e-2, SETTLED * levels.moments.clusters
    converged = False
    for _ in range(MOST_STEPS):
        by_within, by_mean, by_between = joint_slopes(levels, at)
        slopes = [packed(by_within), by_mean, 2 * (by_between @ root)[lower]]
        slope = np.concatenate(slopes) / 2
        curved = _by_root(joint_curvature(levels, at, observed=True), n_w + k, root, by_between)
        promised, moved = None, False
        while not moved and damping < MOST_DAMPED:
            step = _solved(curved, slope, damping)
            if step is not None:
                gain = float(slope @ step)
                promised = gain if promised is None else promised
                if gain < limit:
                    break
                new_w, new_root = within - symmetric(step[:n_w], p), root.copy()
                new_root[lower] -= step[n_w + k :]
                mean = at.mean - step[n_w:][:k]
                new = evaluate_joint(levels, new_w, new_root @ new_root.T, mean)
                if new is not None and new.value <= at.value - 1e-4 * gain:
                    within, root, at, moved = new_w, new_root, new, True
                    damping = damping / 10 if damping > 1e-8 else 0.0
                    continue
            damping = max(4 * damping, 1e-6)
        if not moved:  # at the end, but for rounding
            converged = promised is not None and promised < 1e4 * limit
            break
    between = root @ root.T
    boundary = _lowest_root(levels, within, between) < EDGE
    return Unstructured(within, between, at.mean, -at.value / 2, boundary, converged)


def _by_root(curvature: FloatArray, first: int, root: FloatArray, slope: FloatArray) -> FloatArray:
    """Half second derivatives by the elements of M, for those of B = M M' from place `first` on."""
    q = len(root)
    rows, columns = pairs(q)
    lower = np.tril_indices(q)
    change = np.zeros((len(rows), q, q))  # of the elements of B by those of M
    element = np.arange(len(rows))
    change[element, rows] += root[columns]
    change[element, columns] += root[rows]
    jacobian = change[:, *lower]
    out = curvature.copy()
    out[:first, first:] = curvature[:first, first:] @ jacobian
    out[first:, :first] = out[:first, first:].T
    out[first:, first:] = jacobian.T @ curvature[first:, first:] @ jacobian
    same = lower[1][:, None] == lower[1]
    out[first:, first:] += np.where(same, slope[lower[0][:, None], lower[0]], 0.0)
    return out
