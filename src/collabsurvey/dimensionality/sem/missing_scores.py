"""Derivative of each respondent's log-likelihood, and sums of its outer products.

The latter are the middle of the sandwich that needs neither normal answers nor independent rows
(White, 1982, doi:10.2307/1912526; Yuan & Bentler, 2000, doi:10.1111/0081-1750.00078).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from collabsurvey.dimensionality.sem.missing_patterns import GapData, pattern_inverses, vech_cells
from collabsurvey.dimensionality.sem.moments import Derivatives
from collabsurvey.numerics.em_normal import CELLS, fill_gaps
from collabsurvey.numerics.typing import FloatArray, IntArray


def moment_scores(
    data: GapData, mean: FloatArray, inverse: FloatArray
) -> Iterator[tuple[IntArray, FloatArray]]:
    """Places of some rows (r,) and their scores (r, p + v) in means and vech(Sigma).

    `inverse` is that of Sigma. A score is multiplied by the row's weight.
    """
    p = len(mean)
    column, row = vech_cells(p)
    once = np.where(column == row, 0.5, 1.0)
    used = np.flatnonzero(data.used)
    order = np.argsort(data.patterns.which, kind="stable")
    sorted_patterns = data.patterns.which[order]
    n_gaps = (~data.patterns.answered).sum(axis=1)
    for m in np.unique(n_gaps):
        mine = n_gaps[sorted_patterns] == m
        rows, pattern = order[mine], sorted_patterns[mine]
        size = max(CELLS // int(4 * len(column) + 2 * p * p + m * m), 1)
        for start in range(0, len(rows), size):
            places = used[rows[start : start + size]]
            members, of = np.unique(pattern[start : start + size], return_inverse=True)
            answered = data.patterns.answered[members]
            gaps = np.nonzero(~answered)[1].reshape(len(members), m)
            z = np.nan_to_num(data.x[places] - mean)
            fill_gaps(z, inverse, gaps, of)
            u = z @ inverse
            expected = pattern_inverses(inverse, answered, gaps)[:, column, row]
            cov = once * (u[:, column] * u[:, row] - expected[of])
            scores = np.concatenate([u, cov], axis=1)
            if data.weights is not None:
                scores *= data.weights[places, None]
            yield places, scores


def parameter_directions(derivatives: Derivatives, mean: FloatArray) -> FloatArray:
    """Means and vech(Sigma), stacked, as they move with each of f parameters: (p + v, f)."""
    cells = vech_cells(derivatives.cov.shape[1])
    return np.concatenate([mean, derivatives.cov[:, *cells]], axis=1).T


def score_products(
    data: GapData, mean: FloatArray, inverse: FloatArray, directions: FloatArray | None = None
) -> FloatArray:
    """Sum (s, s) over rows of the outer product of the score.

    `directions` (p + v, s) turns scores in the moments into those in parameters.
    """
    total: FloatArray | float = 0.0
    for _, scores in moment_scores(data, mean, inverse):
        some = scores if directions is None else scores @ directions
        total = total + some.T @ some
    return np.asarray(total)


def cluster_scores(
    data: GapData,
    mean: FloatArray,
    inverse: FloatArray,
    clusters: IntArray,
    n_clusters: int,
    directions: FloatArray | None = None,
) -> FloatArray:
    """Sums (G, s) of the scores of each cluster; `clusters` (n,) are codes from 0."""
    p = len(mean)
    size = p + len(vech_cells(p)[0]) if directions is None else directions.shape[1]
    total = np.zeros((n_clusters, size))
    for places, scores in moment_scores(data, mean, inverse):
        some = scores if directions is None else scores @ directions
        np.add.at(total, clusters[places], some)
    return total
