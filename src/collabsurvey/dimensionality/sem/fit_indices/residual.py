"""Root mean square residuals between sample and implied moments.

Four ways to standardise a residual covariance, s for the sample and m for the model:

    rmr            s_ij - m_ij
    srmr_bentler   (s_ij - m_ij) / sqrt(s_ii s_jj)             Bentler (1995), in EQS
    crmr           s_ij / sqrt(s_ii s_jj) - m_ij / sqrt(m_ii m_jj)   Bollen (1989)
    srmr_mplus     as crmr off the diagonal, (s_ii - m_ii) / s_ii on it    Mplus

each with the residual means (of ordered items: thresholds) and without (`_nomean`). crmr does not
count the diagonal, which is zero. `srmr` is the one lavaan prints: srmr_bentler with means for
continuous items, srmr_bentler_nomean for ordered ones; without a mean structure the two are one.
Several groups are averaged by their numbers of respondents; with missing answers the sample's
moments are those of the saturated model. Maydeu-Olivares (2017, doi:10.1007/s11336-016-9552-7)
has the theory.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, sqrt

import numpy as np

from collabsurvey.dimensionality.sem.moments import Implied
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import BoolArray, FloatArray

NO_RESIDUAL = np.zeros(0)


def residual_indices(
    samples: Sequence[Sample],
    implied: Sequence[Implied],
    ordered: Sequence[BoolArray],
) -> dict[str, float]:
    """Every residual index, by name; `ordered` (p,) says which items have thresholds."""
    groups = [
        (ordinal_residuals if which.any() else continuous_residuals)(sample, one)
        for sample, one, which in zip(samples, implied, ordered, strict=True)
    ]
    n = np.array([sample.n for sample in samples])
    share = n / n.sum()
    return {name: float(sum(share * [group[name] for group in groups])) for name in groups[0]}


def continuous_residuals(sample: Sample, implied: Implied) -> dict[str, float]:
    """Residual indices of one group of continuous items."""
    p = len(sample.cov)
    sd, implied_sd = np.sqrt(np.diag(sample.cov)), np.sqrt(np.diag(implied.cov))
    lower = np.tril_indices(p)
    off = np.tril_indices(p, -1)
    away = sample.cov - implied.cov
    raw = away[lower]
    bentler = (away / np.outer(sd, sd))[lower]
    bollen = (sample.cov / np.outer(sd, sd) - implied.cov / np.outer(implied_sd, implied_sd))[off]
    mplus = np.concatenate([bollen, np.diag(away) / sd**2])
    means = bentler_means = mplus_means = NO_RESIDUAL
    if sample.mean is not None and implied.mean is not None:
        means = sample.mean - implied.mean
        bentler_means = means / sd
        mplus_means = sample.mean / sd - implied.mean / implied_sd
    out = {
        "rmr": _root_mean_square(raw, means),
        "rmr_nomean": _root_mean_square(raw),
        "srmr_bentler": _root_mean_square(bentler, bentler_means),
        "srmr_bentler_nomean": _root_mean_square(bentler),
        "crmr": _root_mean_square(bollen, bentler_means),
        "crmr_nomean": _root_mean_square(bollen),
        "srmr_mplus": _root_mean_square(mplus, mplus_means),
        "srmr_mplus_nomean": _root_mean_square(mplus),
    }
    return out | {"srmr": out["srmr_bentler"]}


def ordinal_residuals(sample: Sample, implied: Implied) -> dict[str, float]:
    """Residual indices of one group with ordered items.

    As in lavaan, the diagonal counts as p residuals of zero (except in crmr), also for the
    continuous items among ordered ones; and the means of those are left out. Mplus has no
    version of its own here.
    """
    p = len(sample.cov)
    sd, implied_sd = np.sqrt(np.diag(sample.cov)), np.sqrt(np.diag(implied.cov))
    off = np.tril_indices(p, -1)
    away = sample.cov - implied.cov
    raw, bentler = away[off], (away / np.outer(sd, sd))[off]
    bollen = (sample.cov / np.outer(sd, sd) - implied.cov / np.outer(implied_sd, implied_sd))[off]
    thresholds = NO_RESIDUAL
    if sample.thresholds is not None and implied.thresholds is not None:
        thresholds = sample.thresholds - implied.thresholds
    out = {
        "rmr": _root_mean_square(raw, thresholds, zeros=p),
        "rmr_nomean": _root_mean_square(raw, zeros=p),
        "srmr_bentler": _root_mean_square(bentler, thresholds, zeros=p),
        "srmr_bentler_nomean": _root_mean_square(bentler, zeros=p),
        "crmr": _root_mean_square(bollen, thresholds),
        "crmr_nomean": _root_mean_square(bollen),
        "srmr_mplus": nan,
        "srmr_mplus_nomean": nan,
    }
    return out | {"srmr": out["srmr_bentler_nomean"]}


def two_level_residuals(
    n: Sequence[float],
    within: Sequence[tuple[FloatArray, FloatArray]],
    between: Sequence[tuple[FloatArray, FloatArray]],
) -> dict[str, float]:
    """SRMR of each level, from saturated and implied covariances of every group.

    Residual correlations, the diagonal counted as zeros; no means. `srmr` is the sum of both,
    as in lavaan. A level with an implied variance of zero or less has none: NaN, where lavaan
    first forces a matrix to be positive definite.
    """
    share = np.asarray(n, dtype=np.float64) / float(np.sum(n))
    low = float(sum(share * [_correlation_srmr(*pair) for pair in within]))
    high = float(sum(share * [_correlation_srmr(*pair) for pair in between]))
    return {"srmr": low + high, "srmr_within": low, "srmr_between": high}


def _correlation_srmr(cov: FloatArray, implied: FloatArray) -> float:
    variances, implied_variances = np.diag(cov), np.diag(implied)
    if min(variances.min(), implied_variances.min()) <= 0:
        return nan
    sd, implied_sd = np.sqrt(variances), np.sqrt(implied_variances)
    away = cov / np.outer(sd, sd) - implied / np.outer(implied_sd, implied_sd)
    return _root_mean_square(away[np.tril_indices(len(cov), -1)], zeros=len(cov))


def _root_mean_square(*parts: FloatArray, zeros: int = 0) -> float:
    """Root of the mean square of all parts, with so many zeros besides."""
    count = sum(len(part) for part in parts) + zeros
    if count == 0:
        return nan
    return sqrt(sum(float(part @ part) for part in parts) / count)
