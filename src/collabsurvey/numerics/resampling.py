"""Resampling of respondents and clusters: draws, jackknife weights, intervals made of them.

A resample is a row of counts: how often each cluster, or each respondent, was drawn.
Statistics of sums are then matrix products, without a loop over resamples.
Sources: Davison & Hinkley (1997) Bootstrap Methods and their Application, ch. 2 and 5;
Efron (1987) doi:10.2307/2289144 for BCa.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from collabsurvey.numerics.typing import FloatArray, IntArray


def cluster_draws(
    n_clusters: int, n_draws: int, *, seed: int, block: int = 1000
) -> Iterator[FloatArray]:
    """Yield counts (at most `block`, n_clusters) of clusters drawn with replacement.

    The draws do not depend on the size of the blocks.
    """
    generator = np.random.default_rng(seed)
    equal = np.full(n_clusters, 1 / n_clusters)
    for start in range(0, n_draws, block):
        size = min(block, n_draws - start)
        yield generator.multinomial(n_clusters, equal, size=size).astype(float)


def jackknife_std_error(values: FloatArray) -> float:
    """Standard error from the estimates (G,) without each cluster."""
    g = len(values)
    return float(np.sqrt((g - 1) / g * ((values - values.mean()) ** 2).sum()))


def percentile_interval(values: FloatArray, *, conf_level: float) -> tuple[float, float]:
    """Quantiles of the resampled estimates (B,)."""
    tail = (1 - conf_level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def bca_interval(
    values: FloatArray, *, estimate: float, jackknife: FloatArray, conf_level: float
) -> tuple[float, float]:
    """Bias-corrected and accelerated quantiles of the resampled estimates (B,).

    `jackknife` holds the estimates (G,) without each cluster.
    """
    b = len(values)
    below = (np.sum(values < estimate) + np.sum(values == estimate) / 2) / b
    bias = special.ndtri(np.clip(below, 1 / (2 * b), 1 - 1 / (2 * b)))
    d = jackknife.mean() - jackknife
    spread = np.sum(d**2)
    acceleration = np.sum(d**3) / (6 * spread**1.5) if spread > 0 else 0.0
    tail = (1 - conf_level) / 2
    z = special.ndtri(np.array([tail, 1 - tail]))
    levels = special.ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
    low, high = np.quantile(values, levels)
    return float(low), float(high)


def studentised_interval(
    pivots: FloatArray, *, estimate: float, std_error: float, conf_level: float
) -> tuple[float, float]:
    """Bootstrap-t limits: `pivots` (B,) are (resampled - estimate) / resampled std. error."""
    tail = (1 - conf_level) / 2
    q_low, q_high = np.quantile(pivots, [tail, 1 - tail])
    return float(estimate - q_high * std_error), float(estimate - q_low * std_error)


Unit = Literal["respondents", "clusters", "clusters_then_respondents"]
WEIGHTS = 2**25  # resampled weights held at a time: 128 MB in single precision
PRODUCTS = 2**22  # products of items held at a time: 32 MB
MOST_LEFT_OUT = 200  # groups of a grouped jackknife; more adds nothing to an acceleration


def row_weights(
    n: int, n_draws: int, *, unit: Unit, seed: int, codes: IntArray | None = None
) -> Iterator[NDArray[np.float32]]:
    """Yield how often each of n rows stands in a resample, a block (b, n) of draws at a time.

    respondents: rows with replacement. clusters: whole clusters with replacement, given the
    cluster `codes` (n,) 0 … G - 1 of the rows. clusters_then_respondents: then rows within
    each cluster drawn (Davison & Hinkley, 1997, sec. 3.8), which adds the variance within
    clusters a second time and errs towards wide intervals. Each draw has its own stream, so
    that draws do not depend on the size of the blocks.
    """
    streams = np.random.SeedSequence(seed).spawn(n_draws)
    block = max(WEIGHTS // max(n, 1), 1)
    sizes = None if codes is None else np.bincount(codes)
    order = None if codes is None else np.argsort(codes, kind="stable")
    for start in range(0, n_draws, block):
        some = streams[start : start + block]
        weights = np.zeros((len(some), n), dtype=np.float32)
        for row, stream in zip(weights, some, strict=True):
            generator = np.random.default_rng(stream)
            if unit == "respondents" or codes is None or sizes is None or order is None:
                row[:] = np.bincount(generator.integers(0, n, n), minlength=n)
                continue
            times = np.bincount(generator.integers(0, len(sizes), len(sizes)), minlength=len(sizes))
            if unit == "clusters":
                row[:] = times[codes]
                continue
            # A cluster of s rows drawn t times gives s t draws of its rows.
            drawn = np.repeat(np.arange(len(sizes)), times * sizes)
            within = (generator.random(len(drawn)) * sizes[drawn]).astype(np.int64)
            starts = np.cumsum(sizes) - sizes
            row[:] = np.bincount(order[starts[drawn] + within], minlength=n)
        yield weights


def weighted_covariances(x: FloatArray, weights: NDArray[np.float32] | FloatArray) -> FloatArray:
    """Covariances (B, k, k) of rows x (n, k) under B sets of weights (B, n): one product.

    The divisor is the sum of weights less one, as for rows repeated that often. x is centred
    first, so that nothing is lost far from zero.
    """
    n, k = x.shape
    upper = np.triu_indices(k)
    width = k + len(upper[0])
    centred = x - x.mean(axis=0)
    sums = np.zeros((len(weights), width))
    step = max(PRODUCTS // width, 1)
    for start in range(0, n, step):
        d = centred[start : start + step]
        pieces = np.hstack([d, d[:, upper[0]] * d[:, upper[1]]])
        sums += weights[:, start : start + step].astype(np.float64) @ pieces
    total = weights.sum(axis=1, dtype=np.float64)
    shift = sums[:, :k] / total[:, None]
    packed = sums[:, k:] - total[:, None] * shift[:, upper[0]] * shift[:, upper[1]]
    packed /= (total - 1)[:, None]
    cov = np.empty((len(weights), k, k))
    cov[:, upper[0], upper[1]] = packed
    cov[:, upper[1], upper[0]] = packed
    return cov


def left_out_weights(n: int, codes: IntArray | None = None) -> FloatArray:
    """Weights (G, n) of a jackknife: each cluster, or each of at most 200 groups of rows, out.

    Rows without clusters are left out in turn (row 0, 200, 400, … together).
    """
    groups = np.arange(n) % min(n, MOST_LEFT_OUT) if codes is None else codes
    return np.asarray(groups[None, :] != np.arange(groups.max() + 1)[:, None], dtype=np.float64)
