"""How the error of a person's score depends on the score.

Each person's answers scatter about what the person's mean and the items' means lead one to
expect; the variance of that scatter estimates the error variance of this person's score, and
its mean over persons is the squared standard error of measurement of alpha. Sources: Feldt,
Steffen & Gupta (1985) doi:10.1177/014662168500900402, the analysis-of-variance method; Mollenkopf
(1949) doi:10.1007/BF02289153 for smoothing by a polynomial in the score; Lord (1955)
doi:10.1177/001316445501500401 and Lee (2007, Applied Psychological Measurement 31:255-274) for
items drawn from a pool (binomial, multinomial); Keats (1957, Psychometrika 22:29-41) for scaling
that to the reliability.
"""

from __future__ import annotations

import numpy as np

from collabsurvey.numerics.typing import FloatArray, IntArray

DEGREE = 2  # the binomial error variance x (k - x) / (k - 1) is a polynomial of degree 2


def person_errors(x: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Error variance (n,) of each person's sum of k answers x (n, k): fixed items, drawn items.

    The first takes the items' means out, as alpha does: its weighted mean times n / (n - 1) is
    the squared standard error of measurement. The second (Lee, 2007) has the items drawn anew
    for each person, so that hard and easy items are error too; for 0 and 1 it is Lord's
    binomial x (k - x) / (k - 1).
    """
    n, k = x.shape
    own = x - x.mean(axis=1, keepdims=True)
    item = weight @ own / weight.sum()
    scale = k / (k - 1)
    fixed = scale * ((own - item) ** 2).sum(axis=1) * (n / (n - 1))
    return np.asarray(fixed), np.asarray(scale * (own**2).sum(axis=1))


def level_means(
    levels: IntArray, n_levels: int, values: FloatArray, weight: FloatArray
) -> FloatArray:
    """Weighted mean (L,) of the values (n,) at each level."""
    total = np.bincount(levels, weight * values, minlength=n_levels)
    return np.asarray(total / np.bincount(levels, weight, minlength=n_levels))


def smoothed(
    score: FloatArray,
    errors: FloatArray,
    weight: FloatArray,
    codes: IntArray | None,
    at: FloatArray,
) -> tuple[FloatArray, FloatArray, int]:
    """Polynomial in the score fitted to error variances (n,): its value and error at `at` (L,).

    Least squares with a sandwich over rows, or over the clusters `codes` (n,); also the number
    of rows or clusters. Falls back to a lower degree where scores are few.
    """
    centre, spread = score.mean(), score.std()
    spread = spread if spread > 0 else 1.0
    degree = min(DEGREE, len(np.unique(score)) - 1)
    design = np.vander((score - centre) / spread, degree + 1, increasing=True)
    points = np.vander((at - centre) / spread, degree + 1, increasing=True)
    bread = np.linalg.inv((design * weight[:, None]).T @ design)
    beta = bread @ (design.T @ (weight * errors))
    pieces = design * (weight * (errors - design @ beta))[:, None]
    if codes is not None:
        grouped = np.zeros((int(codes.max()) + 1, degree + 1))
        np.add.at(grouped, codes, pieces)
        pieces = grouped
    g = len(pieces)
    cov = bread @ (pieces.T @ pieces) @ bread * (g / max(g - 1, 1))
    error = np.sqrt(np.einsum("li,ij,lj->l", points, cov, points))
    return np.asarray(points @ beta), np.asarray(error), g
