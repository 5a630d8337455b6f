"""Squared distances between group means, their sampling error and bootstrap limits."""

from __future__ import annotations

import numpy as np

from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray


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


def pooled_variances(x: FloatArray, codes: IntArray, n: IntArray, means: FloatArray) -> FloatArray:
    """Return what `mean_variances` (G,) does, of the variance within all groups, pooled."""
    away = ((x - means[codes]) ** 2).sum()
    return np.asarray(away / (len(x) - len(n)) / n)


def resampled_errors(
    x: FloatArray,
    codes: IntArray,
    n: IntArray,
    means: FloatArray,
    n_boot: int,
    seed: int,
    *,
    borrow: BoolArray | None = None,
) -> FloatArray:
    """Errors (B, G, k) of group means when rows are drawn within groups with replacement.

    Stretched by sqrt(n / (n - 1)), so that their variance is s² / n and not (n - 1) s² / n²
    (Rao & Wu, 1988, doi:10.1080/01621459.1988.10478591). Zero in groups of one. Groups that
    `borrow` (G,) draw from the deviations of all groups, stretched to the pooled variance.
    """
    deviations = x - means[codes]
    pooled = deviations * np.sqrt(len(x) / max(len(x) - len(n), 1))
    errors = np.zeros((n_boot, len(n), x.shape[1]))
    streams = np.random.SeedSequence(seed).spawn(len(n))
    order = np.argsort(codes, kind="stable")
    starts = np.cumsum(n) - n
    for g, stream in enumerate(streams):
        size = int(n[g])
        if size < 2:
            continue
        if borrow is not None and borrow[g]:
            even = np.full(len(x), 1 / len(x))
            times = np.random.default_rng(stream).multinomial(size, even, size=n_boot)
            errors[:, g] = times @ pooled / size
            continue
        away = deviations[order[starts[g] : starts[g] + size]]
        equal = np.full(size, 1 / size)
        times = np.random.default_rng(stream).multinomial(size, equal, size=n_boot)
        errors[:, g] = times @ away / size * np.sqrt(size / (size - 1))
    return errors


def yardsticks(correlations: FloatArray, df: int, n_boot: int, seed: int) -> FloatArray:
    """Observed over true standard deviations (B, k), as far as `df` leaves them unknown.

    Squares of the observed ones are the diagonal of a Wishart matrix of the correlations (k, k)
    within groups, divided by df.
    """
    values, vectors = np.linalg.eigh(correlations)
    root = vectors * np.sqrt(np.maximum(values, 0.0))  # also where scales follow from others
    drawn = root @ wishart_roots(len(root), df, n_boot, seed)
    return np.asarray(np.linalg.norm(drawn, axis=2) / np.sqrt(df))


def metrics(k: int, df: int, n_boot: int, seed: int) -> FloatArray:
    """Matrices t (B, k, k): |tᵀz|² is the true squared Mahalanobis distance of an observed z.

    The ratio of the two, for any z that is independent of the covariance, is chi-squared of
    df - k + 1, divided by df (Mardia, Kent & Bibby, 1979, Multivariate Analysis, 3.4.7).
    """
    return np.asarray(wishart_roots(k, df - k + 1, n_boot, seed) / np.sqrt(df))


def wishart_roots(k: int, df: int, n_boot: int, seed: int) -> FloatArray:
    """Matrices t (B, k, k) of which t tᵀ is Wishart of the identity (Bartlett, 1933)."""
    rng = np.random.default_rng([seed, 1])  # not the streams of the groups
    t = np.zeros((n_boot, k, k))
    if df < k:
        t[:, :, :df] = rng.standard_normal((n_boot, k, df))
        return t
    at = np.arange(k)
    t += np.tril(rng.standard_normal((n_boot, k, k)), -1)
    t[:, at, at] = np.sqrt(rng.chisquare(df - at, (n_boot, k)))
    return t


def distance_limits(
    means: FloatArray,
    variances: FloatArray,
    errors: FloatArray,
    *,
    conf_level: float,
    yardstick: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Limits (P,) of the true distances, from errors (B, G, k) of resampled means.

    A resampled squared distance |d + e|² exceeds |d|² by the variance v of the means, which
    is taken off. The observed d is itself too long where schools are close: resampled around
    it, an interval for six scales left out a true distance of zero in 10 % of the trials with
    10 staff a school. The lower limit is therefore taken from resamples around d shrunk to
    the corrected length, the upper from those around d.

    `yardstick` (B, k) of `yardsticks`, or (B, k, k) of `metrics`, takes in that the standard
    deviations, or the covariance, the means were divided by are known from the same staff.
    """
    g = len(means)
    if yardstick is None:
        yardstick = np.ones((1, means.shape[1]))
    turn = yardstick.swapaxes(1, 2) if yardstick.ndim == 3 else yardstick
    mean_square = (yardstick**2).sum(axis=tuple(range(1, yardstick.ndim))) / means.shape[1]
    tail = (1 - conf_level) / 2
    low, high = [np.empty(0)], [np.empty(0)]
    for a in range(g - 1):
        d = means[a] - means[a + 1 :]  # (m, k)
        e = errors[:, a, None, :] - errors[:, a + 1 :, :]  # (B, m, k)
        length, noise = (d**2).sum(axis=1), variances[a] + variances[a + 1 :]
        shrink = np.sqrt(np.maximum(length - noise, 0.0) / np.where(length > 0, length, 1.0))
        d, e = _measured(np.broadcast_to(d, e[:1].shape), turn), _measured(e, turn)
        over = np.einsum("bmk,bmk->bm", e, e) - mean_square[:, None] * noise
        along = 2 * (e * d).sum(axis=2)
        square = np.einsum("bmk,bmk->bm", d, d)
        lower = np.quantile(over + shrink * along + shrink**2 * square, tail, axis=0)
        upper = np.quantile(over + along + square, 1 - tail, axis=0)
        low.append(np.sqrt(np.maximum(lower, 0.0)))
        high.append(np.sqrt(np.maximum(upper, 0.0)))
    return np.concatenate(low), np.concatenate(high)


def _measured(x: FloatArray, turn: FloatArray) -> FloatArray:
    """Return x (B, m, k) by yardsticks (B, k) or matrices (B, k, k)."""
    if turn.ndim == 2:
        return np.asarray(x * turn[:, None, :])
    return np.asarray(
        np.einsum("bij,bmj->bmi", turn, np.broadcast_to(x, (len(turn), *x.shape[1:])))
    )


def share_smaller(values: FloatArray) -> FloatArray:
    """Share (P,) of the other values that are smaller, ties counting half; NaN for one value."""
    if len(values) < 2:
        return np.full(len(values), np.nan)
    order = np.sort(values)
    below, upto = np.searchsorted(order, values, "left"), np.searchsorted(order, values, "right")
    return np.asarray((below + (upto - below - 1) / 2) / (len(values) - 1))
