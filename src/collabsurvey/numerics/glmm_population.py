"""From a model of clusters to the average over them.

With a logit link the odds ratio within a cluster is not the odds ratio of averaged probabilities:
the second is nearer 1, the more so the more clusters differ (Zeger, Liang & Albert, 1988,
doi:10.2307/2531734). Population-averaged coefficients are those of the model's columns that come
nearest to the link of the averaged means (Hedeker et al., 2018, doi:10.1111/biom.12707).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from collabsurvey.numerics.glm_outcome import Family, mean_of
from collabsurvey.numerics.typing import FloatArray, IntArray

REACH = 8.5  # standard deviations either side: the normal density beyond is 1e-16
VALUES_AT_A_TIME = 1 << 20


@dataclass(frozen=True, eq=False)
class AveragedMean:
    """Means over the normal distribution of what clusters add, and their derivatives, (n,)."""

    mean: FloatArray
    rest: FloatArray  # 1 - mean of a probability, with its digits; of a count not used
    by_eta: FloatArray
    by_sd: FloatArray


def averaged_mean(family: Family, eta: FloatArray, sd: FloatArray) -> AveragedMean:
    """Average of the inverse link at eta + sd * e over a standard normal e.

    Logit: the trapezoid rule, whose error falls as exp(-2 pi^2 / (step * sd)) for this integrand
    (Trefethen & Weideman, 2014, doi:10.1137/130932132); log: exactly.
    """
    if family != "binomial":
        mean = mean_of(family, eta + sd**2 / 2)
        return AveragedMean(mean, mean, mean, mean * sd)
    step = min(0.6, 0.7 / max(float(sd.max(initial=0.0)), 1e-6))
    nodes = np.arange(1, int(REACH / step) + 1) * step
    nodes = np.concatenate((-nodes[::-1], [0.0], nodes))
    weight = np.exp(-(nodes**2) / 2)
    weight /= weight.sum()
    out = np.empty((4, len(eta)))
    rows = max(VALUES_AT_A_TIME // len(nodes), 1)
    for first in range(0, len(eta), rows):
        part = slice(first, first + rows)
        at = eta[part, None] + sd[part, None] * nodes
        p, rest = expit(at), expit(-at)
        slope = p * rest
        out[:, part] = p @ weight, rest @ weight, slope @ weight, slope @ (weight * nodes)
    return AveragedMean(*out)


def averaged_link(family: Family, at: AveragedMean) -> FloatArray:
    """The link of averaged means (n,)."""
    if family == "binomial":
        return np.asarray(np.log(at.mean) - np.log(at.rest))
    return np.asarray(np.log(at.mean))


def averaged_coefficients(
    family: Family,
    x: FloatArray,
    z: FloatArray,
    offset: FloatArray,
    weight: FloatArray,
    beta: FloatArray,
    lower: FloatArray,
    free: tuple[IntArray, IntArray],
    covariance: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Population-averaged coefficients (p,) and their covariance by the delta method (p, p).

    x (n, p), z (q, n), `covariance` of (beta, free elements of L, ...). Rows count by `weight`.
    """
    reach = lower.T @ z  # (q, n)
    sd = np.sqrt((reach**2).sum(axis=0))
    at = averaged_mean(family, x @ beta + offset, sd)
    by_link = 1 / (at.mean * at.rest) if family == "binomial" else 1 / at.mean
    weighted = x * weight[:, None]
    inverse = np.linalg.inv(weighted.T @ x)
    found = inverse @ (weighted.T @ (averaged_link(family, at) - offset))
    by_sd = np.divide(at.by_sd * by_link, sd, out=np.zeros_like(sd), where=sd > 0)
    slopes = [z[a] * reach[b] * by_sd for a, b in zip(*free, strict=True)]
    by_rows = np.column_stack((x * (at.by_eta * by_link)[:, None], *slopes))
    jacobian = inverse @ (weighted.T @ by_rows)
    used = jacobian.shape[1]
    return found, np.asarray(jacobian @ covariance[:used, :used] @ jacobian.T)
