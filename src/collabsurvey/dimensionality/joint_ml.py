"""Polychoric correlations by full maximum likelihood: correlation and thresholds together.

Olsson (1979) doi:10.1007/BF02296207, eq. 7-11. Fisher scoring on each table; the thresholds
are then those of the pair, not of the items, so that one item has others in each pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.two_way import LIMIT, SMALLEST, cell_probabilities, cell_scores
from collabsurvey.numerics.typing import BoolArray, FloatArray

GRADIENT = 1e-8  # per respondent
MOST_STEPS = 200
DIFFERENCE = 1e-5  # for the second derivatives: truncation and rounding are both near 1e-10


@dataclass(frozen=True, eq=False)
class JointFits:
    """Full maximum likelihood of P tables."""

    rho: FloatArray  # (P,)
    std_error: FloatArray  # (P,) from the observed information of all parameters
    row_cuts: FloatArray  # (P, r - 1)
    column_cuts: FloatArray  # (P, c - 1)
    loglik: FloatArray  # (P,)
    converged: BoolArray  # (P,)


def joint_fit(
    counts: FloatArray, rho: FloatArray, row_cuts: FloatArray, column_cuts: FloatArray
) -> JointFits:
    """Fit tables (P, r, c) from the two-step solution."""
    x = np.concatenate([rho[:, None], row_cuts, column_cuts], axis=1)
    n_rows = row_cuts.shape[1]
    n = counts.sum(axis=(1, 2))
    converged = np.zeros(len(x), dtype=bool)
    value = _loglik(counts, x, n_rows)
    for _ in range(MOST_STEPS):
        gradient, information = _score(counts, x, n_rows)
        converged = np.abs(gradient).max(axis=1) < GRADIENT * n
        if converged.all():
            break
        step = np.asarray(np.linalg.solve(information, gradient[:, :, None])[:, :, 0])
        step[converged] = 0.0
        x, value = _halved(counts, x, step, value, n_rows)
    hessian = _hessian(counts, x, n_rows)
    with np.errstate(invalid="ignore"):
        std_error = np.sqrt(np.linalg.inv(-hessian)[:, 0, 0])
    return JointFits(x[:, 0], std_error, x[:, 1 : 1 + n_rows], x[:, 1 + n_rows :], value, converged)


def _halved(
    counts: FloatArray, x: FloatArray, step: FloatArray, value: FloatArray, n_rows: int
) -> tuple[FloatArray, FloatArray]:
    """Take each step, halved until the likelihood does not fall and the cuts stay in order."""
    size = np.ones(len(x))
    for _ in range(40):
        trial = x + size[:, None] * step
        fine = _allowed(trial, n_rows)
        found = np.where(fine, _loglik(counts, np.where(fine[:, None], trial, x), n_rows), -np.inf)
        worse = found < value - 1e-10 * np.abs(value)
        if not worse.any():
            break
        size = np.where(worse, size / 2, size)
    taken = np.where(worse[:, None], x, trial)
    return taken, np.where(worse, value, found)


def _allowed(x: FloatArray, n_rows: int) -> BoolArray:
    rows, columns = x[:, 1 : 1 + n_rows], x[:, 1 + n_rows :]
    ordered = (np.diff(rows, axis=1) > 0).all(axis=1) & (np.diff(columns, axis=1) > 0).all(axis=1)
    return np.asarray(ordered & (np.abs(x[:, 0]) <= LIMIT))


def _loglik(counts: FloatArray, x: FloatArray, n_rows: int) -> FloatArray:
    p = cell_probabilities(x[:, 1 : 1 + n_rows], x[:, 1 + n_rows :], x[:, 0])
    logs = np.log(np.maximum(p, SMALLEST))
    return np.asarray(np.where(counts > 0, counts * logs, 0.0).sum(axis=(1, 2)))


def _score(counts: FloatArray, x: FloatArray, n_rows: int) -> tuple[FloatArray, FloatArray]:
    """Gradient (P, q) and expected information (P, q, q) of the log-likelihood."""
    scores = cell_scores(x[:, 1 : 1 + n_rows], x[:, 1 + n_rows :], x[:, 0])
    joined = np.concatenate([scores.rho[..., None], scores.row_cuts, scores.column_cuts], axis=3)
    gradient = np.einsum("pij,pijq->pq", counts, joined)
    weight = scores.probabilities * counts.sum(axis=(1, 2))[:, None, None]
    return gradient, np.einsum("pij,pijq,pijs->pqs", weight, joined, joined)


def _hessian(counts: FloatArray, x: FloatArray, n_rows: int) -> FloatArray:
    """Second derivatives (P, q, q), as central differences of the exact gradient."""
    q = x.shape[1]
    hessian = np.empty((len(x), q, q))
    for j in range(q):
        up, down = x.copy(), x.copy()
        up[:, j] += DIFFERENCE
        down[:, j] -= DIFFERENCE
        change = _score(counts, up, n_rows)[0] - _score(counts, down, n_rows)[0]
        hessian[:, j] = change / (2 * DIFFERENCE)
    return (hessian + hessian.transpose(0, 2, 1)) / 2
