"""Polychoric correlations by full maximum likelihood: correlation and thresholds together.

Olsson (1979) doi:10.1007/BF02296207, eq. 7-11. Fisher scoring on each table; the thresholds
are then those of the pair, not of the items, so that one item has others in each pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.two_way import (
    LIMIT,
    cell_probabilities,
    cell_scores,
    loglik,
    no_better_than_limit,
)
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

GRADIENT = 1e-8  # per respondent
GAIN = 1e-12  # of the log-likelihood in one more step: a millionth of a standard error
MOST_STEPS = 200
SCORING_STEPS = 15  # then Newton, whose second derivatives cost more
RIDGE = 1e-10  # per respondent: keeps the information of nearly empty cells invertible
DIFFERENCE = 1e-5  # for the second derivatives: truncation and rounding are both near 1e-10


@dataclass(frozen=True, eq=False)
class JointFits:
    """Full maximum likelihood of P tables."""

    rho: FloatArray  # (P,)
    std_error: FloatArray  # (P,) from the observed information of all parameters
    row_cuts: FloatArray  # (P, r - 1)
    column_cuts: FloatArray  # (P, c - 1)
    at_limit: BoolArray  # (P,) perfect association
    converged: BoolArray  # (P,)


def joint_fit(
    counts: FloatArray, rho: FloatArray, row_cuts: FloatArray, column_cuts: FloatArray
) -> JointFits:
    """Fit tables (P, r, c) from the two-step solution.

    A category that nobody chose together with the other item (only where answers are missing
    pairwise) has no room between its cuts, which become one.
    """
    fits = [np.array(rho), np.full(len(rho), np.nan), np.array(row_cuts), np.array(column_cuts)]
    at_limit, converged = np.zeros(len(rho), dtype=bool), np.zeros(len(rho), dtype=bool)
    chosen = [counts.sum(axis=2) > 0, counts.sum(axis=1) > 0]
    full = chosen[0].all(axis=1) & chosen[1].all(axis=1)
    for places in [np.flatnonzero(full), *np.flatnonzero(~full)[:, None]]:
        if not len(places):
            continue
        rows, columns = (chosen[axis][places[0]] for axis in (0, 1))
        fit = _fit(
            counts[places][:, rows][:, :, columns],
            rho[places],
            row_cuts[places][:, _kept_cuts(rows)],
            column_cuts[places][:, _kept_cuts(columns)],
        )
        x, cut = fit.x, int(rows.sum())
        fits[0][places], fits[1][places] = x[:, 0], fit.std_error
        fits[2][places] = _spread_cuts(x[:, 1:cut], rows)
        fits[3][places] = _spread_cuts(x[:, cut:], columns)
        at_limit[places], converged[places] = fit.at_limit, fit.converged
    return JointFits(fits[0], fits[1], fits[2], fits[3], at_limit, converged)


def _kept_cuts(chosen: BoolArray) -> IntArray:
    """Places of the cuts above each chosen category (c,) but the last."""
    return np.flatnonzero(chosen)[:-1]


def _spread_cuts(cuts: FloatArray, chosen: BoolArray) -> FloatArray:
    """Cuts (P, c - 1) of all categories from those between the chosen ones."""
    n = len(cuts)
    ends = np.concatenate([np.full((n, 1), -np.inf), cuts, np.full((n, 1), np.inf)], axis=1)
    return np.asarray(ends[:, np.cumsum(chosen)[:-1]])


@dataclass(frozen=True, eq=False)
class _Fit:
    x: FloatArray  # (P, q) correlation, cuts of the rows, cuts of the columns
    std_error: FloatArray  # (P,)
    at_limit: BoolArray  # (P,)
    converged: BoolArray  # (P,)


def _fit(
    counts: FloatArray, rho: FloatArray, row_cuts: FloatArray, column_cuts: FloatArray
) -> _Fit:
    x = np.concatenate([rho[:, None], row_cuts, column_cuts], axis=1)
    n_rows = row_cuts.shape[1]
    n = counts.sum(axis=(1, 2))
    converged = np.zeros(len(x), dtype=bool)
    value = _value(counts, x, n_rows)
    active = np.arange(len(x))
    for step_number in range(MOST_STEPS):
        here = x[active]
        gradient, information = _score(counts[active], here, n_rows)
        outward = (np.abs(here[:, 0]) >= LIMIT) & (gradient[:, 0] * here[:, 0] > 0)
        gradient[outward, 0] = 0.0
        rest = np.abs(gradient).max(axis=1) < GRADIENT * n[active]
        converged[active[rest]] = True
        left = ~converged[active]
        active, outward = active[left], outward[left]
        gradient, information = gradient[left], information[left]
        if not len(active):
            break
        if step_number >= SCORING_STEPS:
            information = _curvature(counts[active], x[active], n_rows, information)
        information[outward, 0, 1:] = information[outward, 1:, 0] = 0.0
        information += RIDGE * n[active][:, None, None] * np.eye(x.shape[1])
        step = np.asarray(np.linalg.solve(information, gradient[:, :, None])[:, :, 0])
        # Cells of probability 1e-10 have six digits: their gradient stays above what is asked.
        converged[active[(gradient * step).sum(axis=1) < GAIN]] = True
        x[active], value[active] = _halved(counts[active], x[active], step, value[active], n_rows)
    cuts = x[:, 1 : 1 + n_rows], x[:, 1 + n_rows :]
    at_limit = no_better_than_limit(counts, *cuts, x[:, 0], value)
    x[at_limit, 0] = np.sign(x[at_limit, 0]) * LIMIT
    std_error = np.full(len(x), np.nan)
    inside = ~at_limit
    if inside.any():
        std_error[inside] = _std_error(_hessian(counts[inside], x[inside], n_rows))
    return _Fit(x, std_error, at_limit, converged | at_limit)


def _curvature(
    counts: FloatArray, x: FloatArray, n_rows: int, information: FloatArray
) -> FloatArray:
    """Observed information (P, q, q) where it is positive definite, else the expected one.

    Fisher scoring is slow where answers are far from a normal distribution; Newton is not.
    """
    observed = -_hessian(counts, x, n_rows)
    definite = np.linalg.eigvalsh(observed)[:, 0] > 0
    return np.where(definite[:, None, None], observed, information)


def _std_error(hessian: FloatArray) -> FloatArray:
    """Errors (P,) of the first parameter; NaN where the likelihood is not curved downwards."""
    values, vectors = np.linalg.eigh(-hessian)
    curved = values[:, 0] > 0
    inverse = 1 / np.where(curved[:, None], values, 1.0)
    variance = (vectors[:, 0, :] ** 2 * inverse).sum(axis=1)
    return np.where(curved, np.sqrt(variance), np.nan)


def _halved(
    counts: FloatArray, x: FloatArray, step: FloatArray, value: FloatArray, n_rows: int
) -> tuple[FloatArray, FloatArray]:
    """Take each step, halved until the likelihood does not fall and the cuts stay in order."""
    size = np.ones(len(x))
    for _ in range(40):
        trial = x + size[:, None] * step
        trial[:, 0] = np.clip(trial[:, 0], -LIMIT, LIMIT)
        fine = _ordered(trial, n_rows)
        found = np.where(fine, _value(counts, np.where(fine[:, None], trial, x), n_rows), -np.inf)
        worse = found < value - 1e-10 * np.abs(value)
        if not worse.any():
            break
        size = np.where(worse, size / 2, size)
    taken = np.where(worse[:, None], x, trial)
    return taken, np.where(worse, value, found)


def _ordered(x: FloatArray, n_rows: int) -> BoolArray:
    rows, columns = x[:, 1 : 1 + n_rows], x[:, 1 + n_rows :]
    return np.asarray(
        (np.diff(rows, axis=1) > 0).all(axis=1) & (np.diff(columns, axis=1) > 0).all(axis=1)
    )


def _value(counts: FloatArray, x: FloatArray, n_rows: int) -> FloatArray:
    return loglik(counts, cell_probabilities(x[:, 1 : 1 + n_rows], x[:, 1 + n_rows :], x[:, 0]))


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
