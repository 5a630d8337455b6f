"""Goodness of fit: the share of the weighted sum of squared moments that is reproduced.

GFI = 1 - (s - m)' W (s - m) / s' W s with s the sample's moments, m the model's and W the weight
of the estimation method (Jöreskog & Sörbom; Tanaka & Huba, 1985,
doi:10.1111/j.2044-8317.1985.tb00834.x). As lavaan, and unlike LISREL, the sample means take part
where there is a mean structure, so that GFI then depends on where the items' zero lies. Several
groups are averaged by their numbers of respondents.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from collabsurvey.dimensionality.sem.moments import Implied
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.em_normal import gap_patterns
from collabsurvey.numerics.typing import FloatArray, IntArray

NONE: IntArray = np.zeros(0, dtype=np.int64)


def normal_gfi(
    sample: Sample, implied: Implied, inverse: FloatArray, covariates: IntArray = NONE
) -> float:
    """GFI of one group under ML (`inverse` of the implied cov) or GLS (of the sample's).

    The moments among `covariates` are fixed at the sample's and have no weight.
    """
    mean, implied_mean = _means(sample.mean, implied)
    moments = [
        _own(mean - implied_mean, sample.cov - implied.cov, covariates),
        _own(mean, sample.cov, covariates),
    ]
    return 1.0 - _weighed(*moments[0], inverse) / _weighed(*moments[1], inverse)


def missing_gfi(rows: FloatArray, implied: Implied, covariates: IntArray = NONE) -> float:
    """GFI of one group under ML with missing answers (n, p), by pattern of answers.

    As in lavaan, sample moments are those of the answers present, item by item and pair by
    pair, not the saturated model's; the weight is the expected information at the model's.
    """
    mean, cov = pairwise_moments(rows)
    mean, implied_mean = _means(mean, implied)
    away = _own(mean - implied_mean, cov - implied.cov, covariates)
    own = _own(mean, cov, covariates)
    lack = total = 0.0
    patterns = gap_patterns(~np.isnan(rows))
    for answered, n_rows in zip(patterns.answered, patterns.n_rows, strict=True):
        seen = np.flatnonzero(answered)
        if not len(seen):
            continue
        cells = np.ix_(seen, seen)
        inverse = np.asarray(np.linalg.inv(implied.cov[cells]), dtype=np.float64)
        lack += n_rows * _weighed(away[0][seen], away[1][cells], inverse)
        total += n_rows * _weighed(own[0][seen], own[1][cells], inverse)
    return 1.0 - lack / total


def weighted_gfi(observed: FloatArray, expected: FloatArray, weights: FloatArray) -> float:
    """GFI of one group with diagonal weights, from stacked moments; (s,) all three.

    For ULS lavaan's weights are ones: each variance counts as much as a covariance, where the
    discrepancy itself, and LISREL's GFI, count a covariance twice.
    """
    return 1.0 - float(weights @ (observed - expected) ** 2) / float(weights @ observed**2)


def pooled_gfi(values: Sequence[float], n: Sequence[float]) -> float:
    """Average of the groups' values by their numbers of respondents."""
    return float(np.average(values, weights=n))


def agfi(gfi: float, df: float, n_moments: int) -> float:
    """GFI adjusted for degrees of freedom; NaN without any, where lavaan prints 1."""
    return 1.0 - n_moments / df * (1.0 - gfi) if df > 0 else nan


def pgfi(gfi: float, df: float, n_moments: int) -> float:
    """Parsimony GFI: times df per moment (Mulaik et al., 1989), doi:10.1037/0033-2909.105.3.430."""
    return df / n_moments * gfi


def pairwise_moments(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means (p,) and covariances (p, p) of the answers present, times (n - 1) / n.

    A covariance rests on the respondents who gave both answers and centres at their means.
    """
    answered = ~np.isnan(rows)
    mean = np.nanmean(rows, axis=0)
    there = answered.astype(np.float64)
    x = np.where(answered, rows - mean, 0.0)
    both = there.T @ there
    sums = x.T @ there  # of item i over those who answered j
    cov = (x.T @ x - sums * sums.T / both) / (both - 1)
    n = int(answered.any(axis=1).sum())
    return mean, cov * (n - 1) / n


def _means(mean: FloatArray | None, implied: Implied) -> tuple[FloatArray, FloatArray]:
    """Sample's and model's means; zeros without a mean structure."""
    if mean is None or implied.mean is None:
        nothing = np.zeros(len(implied.cov))
        return nothing, nothing
    return mean, implied.mean


def _own(mean: FloatArray, cov: FloatArray, covariates: IntArray) -> tuple[FloatArray, FloatArray]:
    """Moments with those of covariates alone set to zero."""
    if not len(covariates):
        return mean, cov
    mean, cov = mean.copy(), cov.copy()
    mean[covariates] = 0.0
    cov[np.ix_(covariates, covariates)] = 0.0
    return mean, cov


def _weighed(mean: FloatArray, cov: FloatArray, inverse: FloatArray) -> float:
    """Quadratic form of moments in their normal-theory weight, without the duplication matrix."""
    turned = inverse @ cov
    return float(mean @ inverse @ mean + 0.5 * (turned * turned.T).sum())
