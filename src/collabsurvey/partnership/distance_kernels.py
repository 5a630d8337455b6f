"""Squared distances between group means, their sampling error and bootstrap limits."""

from __future__ import annotations

import numpy as np

from collabsurvey.numerics.typing import FloatArray, IntArray


def within_scatter(x: FloatArray, codes: IntArray, means: FloatArray) -> FloatArray:
    """Pooled sums of squares and products (k, k) of rows x (n, k) about their group means."""
    away = x - means[codes]
    return np.asarray(away.T @ away)


def group_means(x: FloatArray, codes: IntArray, n_groups: int) -> tuple[IntArray, FloatArray]:
    """Sizes (G,) and means (G, k) of rows x (n, k) by group."""
    n = np.bincount(codes, minlength=n_groups).astype(np.int64)
    total = np.zeros((n_groups, x.shape[1]))
    np.add.at(total, codes, x)
    return n, total / n[:, None]


def mean_variances(x: FloatArray, codes: IntArray, n: IntArray, means: FloatArray) -> FloatArray:
    """Variance (G,) of each group's mean, summed over the k coordinates: s² / n.

    A group of one has the variance within the other groups, pooled; NaN where there is none.
    """
    away = ((x - means[codes]) ** 2).sum(axis=1)
    square = np.bincount(codes, away, minlength=len(n))
    df = n - 1
    pooled = square.sum() / df.sum() if df.sum() else np.nan
    own = np.full(len(n), pooled)
    np.divide(square, df, out=own, where=df > 0)
    return np.asarray(own / n)


def squared_distances(means: FloatArray) -> FloatArray:
    """Squared Euclidean distances (P,) of the pairs of means (G, k), in the order of triu."""
    a, b = np.triu_indices(len(means), 1)
    return np.asarray(((means[a] - means[b]) ** 2).sum(axis=1))


def resampled_errors(
    x: FloatArray, codes: IntArray, n: IntArray, means: FloatArray, n_boot: int, seed: int
) -> FloatArray:
    """Errors (B, G, k) of group means when rows are drawn within groups with replacement.

    Stretched by sqrt(n / (n - 1)), so that their variance is s² / n and not (n - 1) s² / n²
    (Rao & Wu, 1988, doi:10.1080/01621459.1988.10478591). Zero in groups of one.
    """
    errors = np.zeros((n_boot, len(n), x.shape[1]))
    streams = np.random.SeedSequence(seed).spawn(len(n))
    order = np.argsort(codes, kind="stable")
    starts = np.cumsum(n) - n
    for g, stream in enumerate(streams):
        size = int(n[g])
        if size < 2:
            continue
        away = x[order[starts[g] : starts[g] + size]] - means[g]
        equal = np.full(size, 1 / size)
        times = np.random.default_rng(stream).multinomial(size, equal, size=n_boot)
        errors[:, g] = times @ away / size * np.sqrt(size / (size - 1))
    return errors


def distance_limits(
    means: FloatArray,
    variances: FloatArray,
    errors: FloatArray,
    *,
    conf_level: float,
) -> tuple[FloatArray, FloatArray]:
    """Limits (P,) of the true distances, from errors (B, G, k) of resampled means.

    A resampled squared distance |d + e|² exceeds |d|² by the variance v of the means, which
    is taken off. The observed d is itself too long where schools are close: resampled around
    it, an interval for six scales left out a true distance of zero in 10 % of the trials with
    10 staff a school. The lower limit is therefore taken from resamples around d shrunk to
    the corrected length, the upper from those around d. With 5 to 30 staff a school, 1 or 6
    scales and true distances from 0 to 2.4 such 95 % intervals covered 93.5 to 99.8 % (400
    resamples, 1000 trials, normal and exponential answers).
    """
    g = len(means)
    tail = (1 - conf_level) / 2
    low, high = [np.empty(0)], [np.empty(0)]
    for a in range(g - 1):
        d = means[a] - means[a + 1 :]  # (m, k)
        e = errors[:, a, None, :] - errors[:, a + 1 :, :]  # (B, m, k)
        length, noise = (d**2).sum(axis=1), variances[a] + variances[a + 1 :]
        shrink = np.sqrt(np.maximum(length - noise, 0.0) / np.where(length > 0, length, 1.0))
        square = np.einsum("bmk,bmk->bm", e, e)
        along = np.einsum("bmk,mk->bm", e, d)
        lower = np.quantile(square + 2 * shrink * along, tail, axis=0) + shrink**2 * length
        upper = np.quantile(square + 2 * along, 1 - tail, axis=0) + length
        low.append(np.sqrt(np.maximum(lower - noise, 0.0)))
        high.append(np.sqrt(np.maximum(upper - noise, 0.0)))
    return np.concatenate(low), np.concatenate(high)


def share_smaller(values: FloatArray) -> FloatArray:
    """Share (P,) of the other values that are smaller, ties counting half; NaN for one value."""
    if len(values) < 2:
        return np.full(len(values), np.nan)
    order = np.sort(values)
    below, upto = np.searchsorted(order, values, "left"), np.searchsorted(order, values, "right")
    return np.asarray((below + (upto - below - 1) / 2) / (len(values) - 1))
