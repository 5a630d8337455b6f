"""Agreement of raters on categories beyond chance, with errors from each target's influence.

Sources: Fleiss, Cohen & Everitt (1969) doi:10.1037/h0028106 for Cohen's kappa; Fleiss (1971)
doi:10.1037/h0031619 and Fleiss, Nee & Landis (1979) doi:10.1037/0033-2909.86.5.974 for many
raters; Gwet (2008) doi:10.1348/000711006X126600 for AC1, AC2 and the errors with ratings
missing (his Handbook, 2014, ch. 4 and 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.numerics.typing import FloatArray, IntArray

Weighting = Literal["linear", "quadratic", "radical", "ordinal"]
Rule = Literal["fleiss", "gwet"]


def agreement_weights(positions: FloatArray, kind: Weighting | None) -> FloatArray:
    """Weights (q, q) of agreement between categories at `positions` (q,): 1 on the diagonal.

    linear and quadratic: 1 - distance (squared) over the largest; radical its square root;
    ordinal counts the pairs of categories from one to the other (Gwet, 2014, ch. 3).
    """
    if kind is None or len(positions) < 2:
        return np.eye(len(positions))
    if kind == "ordinal":
        steps = np.abs(np.subtract.outer(np.arange(len(positions)), np.arange(len(positions)))) + 1
        loss = steps * (steps - 1) / 2.0
    else:
        power = {"linear": 1.0, "quadratic": 2.0, "radical": 0.5}[kind]
        loss = np.abs(np.subtract.outer(positions, positions)) ** power
    return np.asarray(1 - loss / loss.max())


def two_way_table(a: IntArray, b: IntArray, q: int) -> FloatArray:
    """Counts (q, q) of pairs of codes 0 … q - 1."""
    return np.bincount(a * q + b, minlength=q * q).reshape(q, q).astype(float)


def category_counts(target: IntArray, code: IntArray, n: int, q: int) -> FloatArray:
    """How many raters put each target into each category (n, q)."""
    return np.bincount(target * q + code, minlength=n * q).reshape(n, q).astype(float)


@dataclass(frozen=True, eq=False)
class CohenKappa:
    """Cohen's kappa of one table.

    `influence` (q, q) is how far a pair of answers moves kappa, times the number of pairs;
    its mean over pairs is 0 and its variance over n is that of kappa.
    """

    estimate: float
    observed: float  # weighted agreement
    expected: float  # by chance
    std_error: float
    null_std_error: float  # where kappa is 0
    influence: FloatArray


def cohen_kappa(table: FloatArray, weights: FloatArray) -> CohenKappa:
    """Kappa of counts (q, q) under agreement `weights` (q, q).

    Errors: Fleiss, Cohen & Everitt (1969), eq. 13 and, for kappa of 0, eq. 14.
    """
    n = table.sum()
    p = table / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed = float((weights * p).sum())
    expected = float(rows @ weights @ columns)
    marginal = (weights @ columns)[:, None] + (rows @ weights)[None, :]
    centre = observed * expected - 2 * expected + observed
    moved = weights * (1 - expected) - marginal * (1 - observed) - centre
    influence = moved / (1 - expected) ** 2
    null = (np.outer(rows, columns) * (weights - marginal) ** 2).sum() - expected**2
    return CohenKappa(
        estimate=(observed - expected) / (1 - expected),
        observed=observed,
        expected=expected,
        std_error=float(np.sqrt((p * influence**2).sum() / n)),
        null_std_error=float(np.sqrt(max(null, 0.0) / n)) / (1 - expected),
        influence=influence,
    )


def most_agreement(rows: FloatArray, columns: FloatArray, weights: FloatArray | None) -> float:
    """Highest weighted agreement that shares (q,) of both raters allow.

    Unweighted the sum of the smaller shares; for weights that fall with distance on a line
    the pairing of equal ranks (the transport problem's solution for convex distances).
    """
    if weights is None:
        return float(np.minimum(rows, columns).sum())
    cuts = np.unique(np.concatenate([[0.0], rows.cumsum(), columns.cumsum()]))
    middle = (cuts[1:] + cuts[:-1]) / 2
    last = len(rows) - 1
    i = np.minimum(np.searchsorted(rows.cumsum(), middle), last)
    j = np.minimum(np.searchsorted(columns.cumsum(), middle), last)
    return float(np.diff(cuts) @ weights[i, j])


@dataclass(frozen=True, eq=False)
class ChanceCorrected:
    """An agreement coefficient of many raters."""

    estimate: float
    observed: float
    expected: float
    std_error: float


def pair_agreement(counts: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted agreement of pairs of raters on each target (n,), and its number of ratings (n,).

    0 for a target rated once, which says nothing on agreement.
    """
    size = counts.sum(axis=1)
    pairs = np.maximum(size * (size - 1), 1)
    return np.asarray((counts * (counts @ weights - 1)).sum(axis=1) / pairs), size


def chance_corrected(counts: FloatArray, weights: FloatArray, rule: Rule) -> ChanceCorrected:
    """Fleiss' kappa, or Gwet's AC1 and AC2, from counts (n, q) with any number of ratings.

    Agreement comes from targets with two ratings or more, shares of categories from all.
    The error is the linearised one over targets (Gwet, 2008, sec. 5; as in his irrCAC),
    which counts a target rated once as it stands.
    """
    n, q = counts.shape
    agreed, size = pair_agreement(counts, weights)
    several = size >= 2
    stretch = n / several.sum()
    observed = float(agreed[several].mean())
    shares = counts / size[:, None]
    mean = shares.mean(axis=0)
    if rule == "gwet":
        scale = weights.sum() / (q * (q - 1))
        expected = float(scale * (mean * (1 - mean)).sum())
        chance = scale * (shares @ (1 - mean))
    else:
        expected = float(mean @ weights @ mean)
        chance = shares @ ((weights + weights.T) @ mean / 2)
    estimate = (observed - expected) / (1 - expected)
    own = stretch * (agreed - expected * several) / (1 - expected)
    own -= 2 * (1 - estimate) * (chance - expected) / (1 - expected)
    error = np.sqrt(((own - estimate) ** 2).sum() / (n * (n - 1))) if n > 1 else np.nan
    return ChanceCorrected(estimate, observed, expected, float(error))


def fleiss_null_error(counts: FloatArray) -> float:
    """Standard error of Fleiss' kappa where it is 0, for the same number of ratings everywhere.

    Fleiss, Nee & Landis (1979), eq. 12.
    """
    n, m = len(counts), counts[0].sum()
    p = counts.sum(axis=0) / (n * m)
    pq = p * (1 - p)
    spread = pq.sum() ** 2 - (pq * (1 - 2 * p)).sum()
    return float(np.sqrt(2 * spread / (n * m * (m - 1))) / pq.sum())
