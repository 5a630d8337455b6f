"""Whether correlations are worth factoring: KMO, Bartlett's sphericity, squared multiple R.

Sources: Kaiser (1970) doi:10.1007/BF02291817 and Kaiser & Rice (1974)
doi:10.1177/001316447403400115 for the measure of sampling adequacy; Bartlett (1950)
doi:10.1111/j.2044-8317.1950.tb00285.x for sphericity. Definitions as psych's KMO,
cortest.bartlett and smc.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, gammaln

from collabsurvey.dimensionality.inverse import inverse_and_log_det
from collabsurvey.errors import NotEnoughDataError
from collabsurvey.numerics.typing import FloatArray

UNDERFLOW = 1e-290  # smaller tail probabilities lose digits, then become zero


@dataclass(frozen=True, eq=False)
class Adequacy:
    """What the inverse of one correlation matrix of p items says about factoring it."""

    kmo: float  # share of squared correlations in squared correlations plus partial ones
    kmo_per_item: FloatArray  # (p,); NaN for an item that correlates with no other
    smc: FloatArray  # (p,) squared multiple correlation with the other items
    log_det: float  # log of the determinant; 0 for uncorrelated items
    bartlett_chi2: float
    bartlett_df: int
    bartlett_p: float  # may be 0 by underflow; its log below is not
    bartlett_log_p: float


def adequacy(cor: FloatArray, n: int) -> Adequacy:
    """Describe one correlation matrix (p, p) of n respondents; raises if it has no inverse.

    A matrix smoothed to be positive definite has an inverse, but one that depends on how far
    its smallest eigenvalues were raised: read KMO and smc of such a matrix with care.
    """
    p = len(cor)
    if p < 2:
        raise NotEnoughDataError("Sampling adequacy", what="items", found=p, needed=2)
    inverse, log_det = inverse_and_log_det(cor)
    overall, per_item = kaiser_meyer_olkin(cor, inverse)
    chi2, df = bartlett_sphericity(log_det, p, n)
    return Adequacy(
        kmo=overall,
        kmo_per_item=per_item,
        smc=1 - 1 / np.diag(inverse),
        log_det=log_det,
        bartlett_chi2=chi2,
        bartlett_df=df,
        bartlett_p=float(chdtrc(df, chi2)),
        bartlett_log_p=log_chi2_tail(chi2, df),
    )


def kaiser_meyer_olkin(cor: FloatArray, inverse: FloatArray) -> tuple[float, FloatArray]:
    """Sampling adequacy, overall and per item (p,): r² / (r² + partial r²) (Kaiser & Rice, 1974).

    NaN where all the correlations concerned are exactly zero.
    """
    scale = np.sqrt(np.diag(inverse))
    partial = inverse / np.outer(scale, scale)
    simple_sq, partial_sq = off_diagonal(cor) ** 2, off_diagonal(partial) ** 2
    both = simple_sq + partial_sq
    with np.errstate(invalid="ignore"):
        overall = np.divide(simple_sq.sum(), both.sum())
        return float(overall), np.asarray(simple_sq.sum(axis=0) / both.sum(axis=0))


def off_diagonal(matrix: FloatArray) -> FloatArray:
    """Copy of a matrix (p, p) with zeros on its diagonal."""
    copy = np.array(matrix)
    np.fill_diagonal(copy, 0.0)
    return copy


def bartlett_sphericity(log_det: float, p: int, n: int) -> tuple[float, int]:
    """Chi-square and df of the hypothesis that p items are uncorrelated (Bartlett, 1950)."""
    multiplier = n - 1 - (2 * p + 5) / 6
    if multiplier <= 0:
        needed = int(np.floor(1 + (2 * p + 5) / 6)) + 1
        raise NotEnoughDataError(
            f"Bartlett's test of {p} items", what="respondents", found=n, needed=needed
        )
    return max(-log_det * multiplier, 0.0), p * (p - 1) // 2


def log_chi2_tail(chi2: float, df: int) -> float:
    """Log of P(chi-square > chi2), also where the probability itself underflows to zero."""
    tail = float(chdtrc(df, chi2))
    if tail > UNDERFLOW:
        return float(np.log(tail))
    a, x = df / 2, chi2 / 2
    return float(-x + a * np.log(x) - gammaln(a) - np.log(_upper_gamma_fraction(a, x)))


def _upper_gamma_fraction(a: float, x: float) -> float:
    """Continued fraction f with Gamma(a, x) = exp(-x) x^a / f, for x > a + 1; modified Lentz.

    Abramowitz & Stegun (1964), 6.5.31, in its even part.
    """
    b = x + 1 - a
    value, c, d = b, b, 0.0
    for k in range(1, 100_000):
        step = k * (a - k)
        b += 2
        d = 1 / (b + step * d)
        c = b + step / c
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
