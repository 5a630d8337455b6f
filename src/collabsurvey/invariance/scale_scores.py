"""Differences and slopes of scale scores, with errors that hold for unequal variances.

Every estimate is a smooth function of means, variances and covariances; its error is the root of
the summed squares of the respondents' influences (the sandwich, or infinitesimal jackknife),
summed within clusters first where there are some. Nothing is assumed about variances or normality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

HALF = 0.5  # share of its items that a respondent must have answered to have a score


@dataclass(frozen=True, eq=False)
class Rows:
    """Respondents of all groups."""

    groups: IntArray  # (n,)
    weights: FloatArray  # (n,) mean 1 within a group
    clusters: IntArray | None  # (n,)

    def some(self, keep: BoolArray) -> Rows:
        """Part of the rows."""
        clusters = None if self.clusters is None else self.clusters[keep]
        return Rows(self.groups[keep], self.weights[keep], clusters)

    @property
    def n_clusters(self) -> int:
        """Clusters of all groups; respondents where there are none."""
        return len(self.groups) if self.clusters is None else len(np.unique(self.clusters))

    def error(self, influence: FloatArray) -> float:
        """Standard error from the influences (n,), which add up to about 0."""
        if self.clusters is None:
            return float(np.sqrt((influence**2).sum()))
        codes = np.unique(self.clusters, return_inverse=True)[1]
        sums = np.bincount(codes, influence)
        m = len(sums)
        return float(np.sqrt((sums**2).sum() * m / (m - 1)))


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number with its error, and what each respondent contributes to it."""

    value: float
    influence: FloatArray  # (n,)

    def error(self, rows: Rows) -> float:
        """Standard error."""
        return rows.error(self.influence)


def scale_score(x: FloatArray, signs: FloatArray) -> FloatArray:
    """Mean (n,) of the items (n, k) turned the same way, each less its average.

    NaN for those who answered fewer than half of them. Taking averages off first makes a missing
    answer to an item that few agree with no advantage.
    """
    centred = (x - np.nanmean(x, axis=0)) * signs
    known = ~np.isnan(centred)
    count = known.sum(axis=1)
    total = np.where(known, centred, 0.0).sum(axis=1)
    enough = count >= HALF * x.shape[1]
    return np.where(enough & (count > 0), total / np.maximum(count, 1), np.nan)


def mean_difference(
    score: FloatArray, rows: Rows, group: int, reference: int
) -> tuple[Estimate, Estimate]:
    """Difference of two groups' means, raw and over their pooled standard deviation."""
    influence = np.zeros(len(score))
    squares = np.zeros(len(score))
    means, sums, sizes = [], [], []
    for one, sign in ((group, 1.0), (reference, -1.0)):
        at = rows.groups == one
        w, y = rows.weights[at], score[at]
        n = w.sum()
        mean = float(w @ y / n)
        away = y - mean
        # n / (n - 1) of the variance makes the error of a mean unbiased.
        influence[at] = sign * w * away / n * np.sqrt(len(y) / (len(y) - 1))
        squares[at] = w * away**2
        means.append(mean)
        sums.append(float(w @ away**2))
        sizes.append(float(n))
    raw = Estimate(means[0] - means[1], influence)
    total = sum(sizes)
    variance = sum(sums) / (total - 2)
    effect = raw.value / np.sqrt(variance)
    both = np.isin(rows.groups, (group, reference))
    of_variance = np.where(both, squares - rows.weights * variance, 0.0) / total
    return raw, Estimate(
        float(effect), influence / np.sqrt(variance) - effect / (2 * variance) * of_variance
    )


def slopes(
    outcome: FloatArray, scores: FloatArray, rows: Rows, *, within: bool
) -> list[tuple[Estimate, Estimate]]:
    """Slopes of an outcome (n,) on all scores (n, k) together, raw and standardised.

    With `within`, groups have means of their own: what goes with what inside groups. Standardised
    with standard deviations within groups, or over all.
    """
    y, x = outcome, scores
    w, n = rows.weights, rows.weights.sum()
    terms = 1
    if within:
        terms = int(rows.groups.max()) + 1
        y, x = _less_means(y[:, None], rows)[:, 0], _less_means(x, rows)
    else:
        y, x = y - w @ y / n, x - w @ x / n
    gram = (x * w[:, None]).T @ x
    slope = np.linalg.solve(gram, (x * w[:, None]).T @ y)
    residual = y - x @ slope
    k = x.shape[1]
    grown = np.sqrt(len(y) / (len(y) - k - terms))
    pull = np.linalg.solve(gram, (x * (w * residual)[:, None]).T) * grown
    var_x, var_y = np.diag(gram) / n, float(w @ y**2) / n
    out = []
    for j in range(k):
        ratio = np.sqrt(var_x[j] / var_y)
        standard = slope[j] * ratio
        of_x = w * (x[:, j] ** 2 - var_x[j]) / n / var_x[j]
        of_y = w * (y**2 - var_y) / n / var_y
        influence = pull[j] * ratio + standard / 2 * (of_x - of_y)
        out.append((Estimate(float(slope[j]), pull[j]), Estimate(float(standard), influence)))
    return out


def _less_means(values: FloatArray, rows: Rows) -> FloatArray:
    """Columns (n, k) less the mean of each row's group."""
    groups = rows.groups
    size = np.bincount(groups, rows.weights)
    size = np.where(size > 0, size, 1.0)
    means = np.stack([np.bincount(groups, rows.weights * one) / size for one in values.T])
    return values - means[:, groups].T
