"""Intervals of alpha when respondents sit in clusters, from per-cluster moments.

Everything happens on log(1 - alpha), where the sampling distribution is nearly symmetric
(Bonett, 2002). With t the sum of the item variances over the variance of the sum,
1 - alpha = (k t - 1) / (k - 1), and t is a ratio of sums over clusters, so that a
resample and its standard error need no rows.

Coverage of 95 % intervals was measured at 3 to 40 schools of 30 staff; see
benchmarks/coverage_alpha.py and .csv. The percentile and BCa intervals are too short
with few schools; the studentised bootstrap and the jackknife with t on G - 1 degrees of
freedom are the closest to 95 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.moments import ClusterMoments
from collabsurvey.numerics.intervals import t_quantile
from collabsurvey.numerics.resampling import (
    bca_interval,
    cluster_draws,
    jackknife_std_error,
    percentile_interval,
    studentised_interval,
)
from collabsurvey.numerics.typing import FloatArray

Bootstrap = Literal["studentised", "percentile", "bca"]
BLOCK = 4_000_000  # numbers in a (resamples, clusters) block: 32 MB


@dataclass(frozen=True)
class ClusterInterval:
    """Limits of alpha, and its jackknife standard error over clusters."""

    ci_low: float
    ci_high: float
    std_error: float
    n_degenerate: int  # resamples left out because they hold one cluster only


def log_error(moments: ClusterMoments, times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log(1 - alpha) (B,) of samples that take clusters `times` (B, G), and its std. error.

    The standard error is the linearised one of a ratio of cluster totals, with G / (G - 1).
    """
    k = moments.mean.shape[1]
    n = moments.n
    mean = moments.mean - n @ moments.mean / n.sum()
    trace = np.trace(moments.sscp, axis1=1, axis2=2)
    total = moments.sscp.sum(axis=(1, 2))
    centre = (times @ (n[:, None] * mean)) / (times @ n)[:, None]  # (B, k)
    distance = (mean**2).sum(axis=1) - 2 * centre @ mean.T + (centre**2).sum(axis=1)[:, None]
    # Cross-products of each cluster about the mean of the sample: their trace, and their sum.
    items = trace + n * distance
    sums = total + n * (mean.sum(axis=1) - centre.sum(axis=1)[:, None]) ** 2
    whole = (times * sums).sum(axis=1)
    t = (times * items).sum(axis=1) / whole
    influence = (items - t[:, None] * sums) / whole[:, None]
    drawn = times.sum(axis=1)
    variance = (times * influence**2).sum(axis=1) * drawn / (drawn - 1)
    return np.log((k * t - 1) / (k - 1)), k / (k * t - 1) * np.sqrt(variance)


def left_out(moments: ClusterMoments) -> FloatArray:
    """Return log(1 - alpha) (G,) without each cluster, from the totals less its own part."""
    k = moments.mean.shape[1]
    n = moments.n
    mean = moments.mean - n @ moments.mean / n.sum()
    first = -n[:, None] * mean  # the rest adds up to this, since all are centred
    left = n.sum() - n

    def rest(own: FloatArray) -> FloatArray:
        return np.asarray(own.sum() - own)

    items = rest(np.trace(moments.sscp, axis1=1, axis2=2) + n * (mean**2).sum(axis=1))
    items -= (first**2).sum(axis=1) / left
    sums = rest(moments.sscp.sum(axis=(1, 2)) + n * mean.sum(axis=1) ** 2)
    sums -= first.sum(axis=1) ** 2 / left
    return np.asarray(np.log((k * items / sums - 1) / (k - 1)))


def jackknife_interval(
    moments: ClusterMoments, *, estimate: float, conf_level: float
) -> ClusterInterval:
    """Jackknife over clusters on log(1 - alpha), t on G - 1 degrees of freedom."""
    without = left_out(moments)
    reach = t_quantile((1 + conf_level) / 2, len(without) - 1) * jackknife_std_error(without)
    return ClusterInterval(
        ci_low=1 - (1 - estimate) * float(np.exp(reach)),
        ci_high=1 - (1 - estimate) * float(np.exp(-reach)),
        std_error=jackknife_std_error(1 - np.exp(without)),
        n_degenerate=0,
    )


def bootstrap_interval(
    moments: ClusterMoments,
    *,
    estimate: float,
    kind: Bootstrap,
    conf_level: float,
    n_boot: int,
    seed: int,
) -> ClusterInterval:
    """Bootstrap over clusters; `estimate` is alpha of all respondents."""
    g = len(moments.n)
    parts = []
    for times in cluster_draws(g, n_boot, seed=seed, block=max(1, BLOCK // g)):
        several = (times > 0).sum(axis=1) > 1
        parts.append(log_error(moments, times[several]))
    values = np.concatenate([part[0] for part in parts])
    errors = np.concatenate([part[1] for part in parts])
    without = left_out(moments)
    if kind == "studentised":
        whole, error = log_error(moments, np.ones((1, g)))
        with np.errstate(invalid="ignore", divide="ignore"):  # NaN where nothing varies
            pivots = (values - whole) / errors
        low, high = studentised_interval(
            pivots,
            estimate=float(np.log(1 - estimate)),
            std_error=float(error[0]),
            conf_level=conf_level,
        )
        with np.errstate(over="ignore"):  # with few clusters the lower limit may be unbounded
            low, high = float(1 - np.exp(high)), float(1 - np.exp(low))
    elif kind == "percentile":
        low, high = percentile_interval(1 - np.exp(values), conf_level=conf_level)
    else:
        low, high = bca_interval(
            1 - np.exp(values),
            estimate=estimate,
            jackknife=1 - np.exp(without),
            conf_level=conf_level,
        )
    std_error = jackknife_std_error(1 - np.exp(without))
    return ClusterInterval(low, high, std_error, n_degenerate=n_boot - len(values))
