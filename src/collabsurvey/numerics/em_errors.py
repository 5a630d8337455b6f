"""Influence of each row on the maximum likelihood moments of answers with gaps.

From the score of each row and the observed information of mean and covariance, pattern by
pattern. The observed information is right where answers are missing at random (Kenward &
Molenberghs, 1998, doi:10.1214/ss/1028905686); with it a sandwich over rows or clusters needs
neither normal answers nor independent rows (White, 1982, doi:10.2307/1912526; Yuan & Bentler,
2000, doi:10.1111/0081-1750.00078).
"""

from __future__ import annotations

import numpy as np

from collabsurvey.numerics.em_normal import gap_patterns
from collabsurvey.numerics.typing import FloatArray


def moment_influence(x: FloatArray, mean: FloatArray, cov: FloatArray) -> FloatArray:
    """Influence (n, k + k (k + 1) / 2) of each row of x (n, k) on mean and vech of cov.

    The sum over rows of the outer products of these is the sandwich covariance matrix of the
    moments. Rows without any answer have none.
    """
    n, k = x.shape
    first, second = np.triu_indices(k)
    size = k + len(first)
    spread = np.zeros((k * k, len(first)))  # vec(S) = spread vech(S)
    places = np.arange(len(first))
    spread[first * k + second, places] = 1.0
    spread[second * k + first, places] = 1.0
    twice = np.where(first == second, 0.5, 1.0)
    patterns = gap_patterns(~np.isnan(x))
    scores = np.zeros((n, size))
    information = np.zeros((size, size))
    for p, answered in enumerate(patterns.answered):
        if not answered.any():
            continue
        rows = patterns.which == p
        inverse = np.zeros((k, k))
        seen = np.flatnonzero(answered)
        inverse[np.ix_(seen, seen)] = np.linalg.inv(cov[np.ix_(seen, seen)])
        u = np.where(answered, np.nan_to_num(x[rows] - mean), 0.0) @ inverse
        m = len(u)
        scores[rows, :k] = u
        scores[rows, k:] = twice * (u[:, first] * u[:, second] - inverse[first, second])
        information[:k, :k] += m * inverse
        cross = np.kron(u.sum(axis=0)[None, :], inverse) @ spread
        information[:k, k:] += cross
        information[k:, :k] += cross.T
        both = np.kron(u.T @ u - m / 2 * inverse, inverse)
        information[k:, k:] += spread.T @ both @ spread
    return np.linalg.solve(information, scores.T).T
