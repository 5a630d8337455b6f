"""Resampling of whole clusters: draws, jackknife weights and the intervals made of them.

A resample is a row of counts: how often each cluster was drawn. Statistics of sums over
clusters are then matrix products, without a loop over resamples.
Sources: Davison & Hinkley (1997) Bootstrap Methods and their Application, ch. 2 and 5;
Efron (1987) doi:10.2307/2289144 for BCa.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import special

from collabsurvey.numerics.typing import FloatArray


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
