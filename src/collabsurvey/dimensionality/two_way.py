"""Polychoric correlations from two-way tables: all pairs of items of one shape at a time.

Two answers are cut from a bivariate normal. Two-step maximum likelihood takes the cuts
(thresholds) from the margins and then maximises the likelihood of each table over its
correlation: Olsson (1979) doi:10.1007/BF02296207, eq. 12-15; Newton's method with exact
derivatives inside a bracket. Standard errors count the sampling error of the thresholds:
Muthén (1984) doi:10.1007/BF02294210 with the outer products that lavaan uses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from collabsurvey.numerics.bivariate_normal import (
    bivariate_cdf,
    bivariate_density,
    density_slope,
    given_first,
)
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

LIMIT = 0.999  # of a correlation, as in lavaan; a table of perfect association has no maximum
STEP = 1e-8  # last change of a correlation; Newton's error is then its square
MOST_STEPS = 80
FLAT = 1e-18  # slope of a log-likelihood, per respondent, below which nothing is left to gain
SAME = 1e-9  # difference of two log-likelihoods, per respondent, that no data can tell
SMALLEST = 1e-16  # probability of a cell, where differences of the distribution are rounding
ROOT_TWO_PI = np.sqrt(2 * np.pi)


@dataclass(frozen=True, eq=False)
class PairFits:
    """Correlations of P tables, and how they were found."""

    rho: FloatArray  # (P,)
    probabilities: FloatArray  # (P, r, c) of the cells
    at_limit: BoolArray  # (P,) perfect association: the likelihood grows up to ±LIMIT
    converged: BoolArray  # (P,)
    n_iterations: int


def thresholds(counts: FloatArray) -> FloatArray:
    """Cuts (..., c - 1) that give the margins (..., c): normal quantiles of cumulative shares."""
    below = np.cumsum(counts, axis=-1)
    return np.asarray(special.ndtri(below[..., :-1] / below[..., -1:]))


def two_step(
    counts: FloatArray,
    row_cuts: FloatArray,
    column_cuts: FloatArray,
    start: FloatArray | None = None,
) -> PairFits:
    """Correlations of tables (P, r, c), given cuts (P, r - 1) and (P, c - 1); from `start` (P,)."""
    n = len(counts)
    rho = np.clip(_scored_correlation(counts) if start is None else start, -0.95, 0.95)
    low, high = np.full(n, -LIMIT), np.full(n, LIMIT)
    converged = np.zeros(n, dtype=bool)
    active = np.arange(n)
    steps = 0
    while len(active) and steps < MOST_STEPS:
        steps += 1
        here = rho[active]
        score, curvature, information = _slopes(
            counts[active], row_cuts[active], column_cuts[active], here
        )
        low[active] = np.where(score > 0, here, low[active])
        high[active] = np.where(score < 0, here, high[active])
        steepness = np.where(curvature < 0, -curvature, information)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = here + score / steepness
        inside = (new > low[active]) & (new < high[active])
        new = np.where(inside, new, (low[active] + high[active]) / 2)
        total = counts[active].sum(axis=(1, 2))
        new = np.where(np.abs(score) < FLAT * total, here, new)
        rho[active] = new
        rest = np.abs(new - here) < STEP
        converged[active[rest]] = True
        active = active[~rest]
    p = cell_probabilities(row_cuts, column_cuts, rho)
    at_limit = no_better_than_limit(counts, row_cuts, column_cuts, rho, loglik(counts, p))
    if at_limit.any():
        rho[at_limit] = np.sign(rho[at_limit]) * LIMIT
        p[at_limit] = cell_probabilities(row_cuts[at_limit], column_cuts[at_limit], rho[at_limit])
    return PairFits(rho, p, at_limit, converged | at_limit, steps)


def loglik(counts: FloatArray, p: FloatArray) -> FloatArray:
    """Log-likelihood (P,) of tables with cell probabilities p (P, r, c)."""
    logs = np.log(np.maximum(p, SMALLEST))
    return np.asarray(np.where(counts > 0, counts * logs, 0.0).sum(axis=(1, 2)))


def no_better_than_limit(
    counts: FloatArray,
    row_cuts: FloatArray,
    column_cuts: FloatArray,
    rho: FloatArray,
    value: FloatArray,
) -> BoolArray:
    """Whether ±LIMIT is as likely as rho (P,), of log-likelihood `value`: perfect association.

    The likelihood of such a table is flat long before the limit, to every digit, so that a
    search ends anywhere.
    """
    at_limit = np.abs(rho) > LIMIT - 1e-6
    maybe = np.flatnonzero(~at_limit & (counts == 0).any(axis=(1, 2)) & (rho != 0))
    if len(maybe):
        some = counts[maybe]
        p = cell_probabilities(row_cuts[maybe], column_cuts[maybe], np.sign(rho[maybe]) * LIMIT)
        slack = SAME * some.sum(axis=(1, 2))
        at_limit[maybe] = loglik(some, p) >= value[maybe] - slack
    return at_limit


def _scored_correlation(counts: FloatArray) -> FloatArray:
    """Product-moment correlation (P,) of tables with scores 0, 1, 2, and so on."""
    n = counts.sum(axis=(1, 2))
    i = np.arange(counts.shape[1], dtype=float)
    j = np.arange(counts.shape[2], dtype=float)
    rows, columns = counts.sum(axis=2) / n[:, None], counts.sum(axis=1) / n[:, None]
    mean_i, mean_j = rows @ i, columns @ j
    both = np.einsum("pij,i,j->p", counts, i, j) / n - mean_i * mean_j
    spread = (rows @ i**2 - mean_i**2) * (columns @ j**2 - mean_j**2)
    return np.asarray(both / np.sqrt(np.maximum(spread, 1e-300)))


def cell_probabilities(
    row_cuts: FloatArray, column_cuts: FloatArray, rho: FloatArray
) -> FloatArray:
    """Probabilities of the cells (P, r, c)."""
    a, b = row_cuts[:, :, None], column_cuts[:, None, :]
    inner = bivariate_cdf(a, b, rho[:, None, None])
    return _differences(_framed(inner, special.ndtr(row_cuts), special.ndtr(column_cuts)))


def _framed(inner: FloatArray, right: FloatArray, bottom: FloatArray) -> FloatArray:
    """A function at all corners (P, r + 1, c + 1): zeros above and left, margins at infinity."""
    p, r, c = inner.shape
    full = np.zeros((p, r + 2, c + 2))
    full[:, 1:-1, 1:-1] = inner
    full[:, 1:-1, -1] = right
    full[:, -1, 1:-1] = bottom
    full[:, -1, -1] = 1.0
    return full


def _inner(values: FloatArray) -> FloatArray:
    """A function at all corners that vanishes at infinity."""
    return np.pad(values, ((0, 0), (1, 1), (1, 1)))


def _differences(corners: FloatArray) -> FloatArray:
    """Corner values (P, r + 1, c + 1) to cells (P, r, c)."""
    return np.asarray(np.diff(np.diff(corners, axis=1), axis=2))


def _slopes(
    counts: FloatArray, row_cuts: FloatArray, column_cuts: FloatArray, rho: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """First and second derivative of the log-likelihood in rho (P,), and sum n (p'/p)^2."""
    a, b, r = row_cuts[:, :, None], column_cuts[:, None, :], rho[:, None, None]
    p = np.maximum(cell_probabilities(row_cuts, column_cuts, rho), SMALLEST)
    density = bivariate_density(a, b, r)
    first = _differences(_inner(density)) / p
    second = _differences(_inner(density * density_slope(a, b, r))) / p
    score = (counts * first).sum(axis=(1, 2))
    squares = (counts * first**2).sum(axis=(1, 2))
    return score, (counts * second).sum(axis=(1, 2)) - squares, squares


@dataclass(frozen=True, eq=False)
class CellScores:
    """Logarithmic derivatives of the cells of P tables."""

    rho: FloatArray  # (P, r, c)
    row_cuts: FloatArray  # (P, r, c, r - 1)
    column_cuts: FloatArray  # (P, r, c, c - 1)
    probabilities: FloatArray  # (P, r, c)


def cell_scores(
    row_cuts: FloatArray,
    column_cuts: FloatArray,
    rho: FloatArray,
    probabilities: FloatArray | None = None,
) -> CellScores:
    """Derivatives of the log-probability of each cell in the correlation and in the cuts."""
    a, b, r = row_cuts[:, :, None], column_cuts[:, None, :], rho[:, None, None]
    p = cell_probabilities(row_cuts, column_cuts, rho) if probabilities is None else probabilities
    p = np.maximum(p, SMALLEST)
    by_row = _along(given_first(a, b, r), row_cuts, axis=2)  # (P, r - 1, c)
    by_column = _along(given_first(b, a, r), column_cuts, axis=1)  # (P, r, c - 1)
    n_tables, rows, columns = p.shape
    row_scores = np.zeros((n_tables, rows, columns, rows - 1))
    for m in range(rows - 1):
        row_scores[:, m, :, m] = by_row[:, m]
        row_scores[:, m + 1, :, m] = -by_row[:, m]
    column_scores = np.zeros((n_tables, rows, columns, columns - 1))
    for m in range(columns - 1):
        column_scores[:, :, m, m] = by_column[:, :, m]
        column_scores[:, :, m + 1, m] = -by_column[:, :, m]
    return CellScores(
        rho=_differences(_inner(bivariate_density(a, b, r))) / p,
        row_cuts=row_scores / p[..., None],
        column_cuts=column_scores / p[..., None],
        probabilities=p,
    )


def _along(values: FloatArray, cuts: FloatArray, *, axis: int) -> FloatArray:
    """Differences along an axis of phi(cut) P(Y <= y | X = cut), from 0 to phi(cut)."""
    density = np.exp(-(np.clip(cuts, -40, 40) ** 2) / 2) / ROOT_TWO_PI
    last = density[:, :, None] if axis == 2 else density[:, None, :]
    return np.asarray(
        np.diff(np.concatenate([np.zeros_like(last), values, last], axis=axis), axis=axis)
    )


def threshold_influence(cuts: FloatArray, n: FloatArray) -> FloatArray:
    """Influence (P, c, c - 1) of an answer in each category on each cut (P, c - 1)."""
    below = special.ndtr(cuts)
    density = np.exp(-(cuts**2) / 2) / ROOT_TWO_PI
    c = cuts.shape[1] + 1
    under = (np.arange(c)[:, None] <= np.arange(c - 1)[None, :]).astype(float)
    return np.asarray((under[None] - below[:, None, :]) / density[:, None, :] / n[:, None, None])


def influence(
    counts: FloatArray,
    row_cuts: FloatArray,
    column_cuts: FloatArray,
    fits: PairFits,
    n_rows: FloatArray,
    n_columns: FloatArray,
) -> FloatArray:
    """Influence (P, r + 1, c + 1) of one respondent on two-step correlations, by the answers given.

    For tables (P, r, c) and the numbers of answers (P,) behind the cuts. The last row and
    column are for a missing answer, so that codes of -1 find it. The sum over respondents is
    the estimate minus the truth, to first order; its squares add up to the sampling variance.
    NaN for tables of perfect association, whose errors are not defined.

    rho^ - rho = A^-1 (mean of s - B (tau^ - tau)) with A the mean of s^2 and B the mean of
    s t' over respondents, s and t the scores of correlation and thresholds.
    """
    n = counts.sum(axis=(1, 2))
    scores = cell_scores(row_cuts, column_cuts, fits.rho, fits.probabilities)
    s = scores.rho
    square = np.where(fits.at_limit, np.nan, (counts * s**2).sum(axis=(1, 2)) / n)
    weighted = counts * s / n[:, None, None]
    on_rows = np.einsum("pij,pijm->pm", weighted, scores.row_cuts)
    on_columns = np.einsum("pij,pijm->pm", weighted, scores.column_cuts)
    by_row = np.einsum("pim,pm->pi", threshold_influence(row_cuts, n_rows), on_rows)
    by_column = np.einsum("pim,pm->pi", threshold_influence(column_cuts, n_columns), on_columns)
    p, r, c = counts.shape
    cells = np.zeros((p, r + 1, c + 1))
    cells[:, :r, :c] = s / n[:, None, None]
    cells[:, :r, :] -= by_row[:, :, None]
    cells[:, :, :c] -= by_column[:, None, :]
    return np.asarray(cells / square[:, None, None])


def conditional_std_error(
    counts: FloatArray, row_cuts: FloatArray, column_cuts: FloatArray, rho: FloatArray
) -> FloatArray:
    """Standard error (P,) that takes the thresholds as known, from the second derivative.

    polycor's two-step errors; too small.
    """
    _, curvature, _ = _slopes(counts, row_cuts, column_cuts, rho)
    return np.asarray(1 / np.sqrt(np.maximum(-curvature, 1e-300)))


def with_margins(counts: FloatArray, rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Tables with a last row and column (P, r + 1, c + 1) for answers to one of the items only.

    `rows` (P, r) and `columns` (P, c) count all answers to each item.
    """
    p, r, c = counts.shape
    full = np.zeros((p, r + 1, c + 1))
    full[:, :r, :c] = counts
    full[:, :r, c] = rows - counts.sum(axis=2)
    full[:, r, :c] = columns - counts.sum(axis=1)
    return full


def pairs_of(k: int) -> tuple[IntArray, IntArray]:
    """Positions of the first and of the second item of every pair, in the order of reading."""
    first, second = np.triu_indices(k, 1)
    return first.astype(np.int64), second.astype(np.int64)
