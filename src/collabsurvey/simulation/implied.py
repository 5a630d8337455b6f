"""What the assumptions imply for scores: means, alphas and ICCs, exactly, without drawing.

The covariance of two step functions of bivariate normal variables with correlation r is
sum_k a_k b_k r^k, where a_k and b_k are the coefficients of the steps in orthonormal
Hermite polynomials (Mehler's formula; Lancaster, 1957, doi:10.1093/biomet/44.1-2.289).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.simulation.items import ItemModel

PRECISION = 1e-12  # the largest power of a correlation that the series leaves out
MOST_TERMS = 2000  # reached only by loadings above .99


@dataclass(frozen=True)
class ImpliedScale:
    """What careful respondents' complete answers to one scale have in one wave."""

    mean: float  # of the mean score, in answer units
    sd: float
    alpha_latent: float  # before answers are cut into categories; NaN for one item
    alpha: float  # of the answers; NaN for one item
    icc_latent: float  # of the mean score by school, before categories
    icc: float  # of the mean score by school


def implied_scale(model: ItemModel, items: IntArray, level: float, wave: int) -> ImpliedScale:
    """Moments of the keyed answers to the items (given by number) at one wave, from 0."""
    factor = model.factor_of[items]
    loading = model.loading[items]
    total = np.outer(loading, loading) * model.correlations[np.ix_(factor, factor)]
    top, low = np.sqrt(model.icc_partnership)[factor], np.sqrt(model.icc_school)[factor]
    between = total * (np.outer(top, top) + np.outer(low, low))
    shift = loading * (level + model.change[factor] * wave) + model.location[items]
    steps = [(model.keyed_thresholds(j), model.keyed_values(j)) for j in items.tolist()]
    moments = [step_moments(t - s, v) for (t, v), s in zip(steps, shift, strict=True)]
    means = np.array([mean for mean, _ in moments])
    variances = np.array([variance for _, variance in moments])
    n_terms = _n_terms(total, between)
    series = np.array(
        [step_series(t - s, v, n_terms) for (t, v), s in zip(steps, shift, strict=True)]
    )
    cov = series_covariance(series, total)
    np.fill_diagonal(cov, variances)
    cov_between = series_covariance(series, between)
    latent = total.copy()
    np.fill_diagonal(latent, 1.0)
    k = len(items)
    return ImpliedScale(
        mean=float(means.mean()),
        sd=float(np.sqrt(cov.sum()) / k),
        alpha_latent=alpha_of(latent),
        alpha=alpha_of(cov),
        icc_latent=float(between.sum() / latent.sum()),
        icc=float(cov_between.sum() / cov.sum()),
    )


def alpha_of(cov: FloatArray) -> float:
    """Alpha from a (k, k) covariance matrix (Cronbach, 1951, eq. 2); NaN for one item."""
    k = len(cov)
    return math.nan if k < 2 else float(k / (k - 1) * (1 - np.trace(cov) / cov.sum()))


def step_moments(cuts: FloatArray, values: FloatArray) -> tuple[float, float]:
    """Mean and variance of a step function of a standard normal variable."""
    below = np.array([0.0, *(NormalDist().cdf(cut) for cut in cuts.tolist()), 1.0])
    share = np.diff(below)
    mean = float(share @ values)
    return mean, float(share @ (values - mean) ** 2)


def step_series(cuts: FloatArray, values: FloatArray, n_terms: int) -> FloatArray:
    """Hermite coefficients 1 … n_terms of a step function, orthonormal under the normal.

    The coefficient of a unit step at t is density(t) h_{k-1}(t) / sqrt(k).
    """
    jumps = np.diff(values)
    density = np.exp(-(cuts**2) / 2) / math.sqrt(2 * math.pi)
    before, here = np.zeros_like(density), density
    out = np.empty(n_terms)
    for k in range(1, n_terms + 1):
        out[k - 1] = jumps @ here / math.sqrt(k)
        before, here = here, (cuts * here - math.sqrt(k - 1) * before) / math.sqrt(k)
    return out


def series_covariance(series: FloatArray, correlations: FloatArray) -> FloatArray:
    """Covariances (k, k) of steps with coefficients (k, terms) of normals so correlated."""
    out = np.zeros_like(correlations)
    power = np.ones_like(correlations)
    for column in series.T:
        power = power * correlations
        out += np.outer(column, column) * power
    return out


def _n_terms(total: FloatArray, between: FloatArray) -> int:
    off = np.abs(total - np.diag(np.diag(total)))
    largest = max(float(off.max()), float(np.abs(between).max()))
    if largest <= 0:
        return 1
    return min(MOST_TERMS, math.ceil(math.log(PRECISION) / math.log(largest)))
