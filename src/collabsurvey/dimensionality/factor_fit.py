"""How well m factors reproduce a correlation matrix: the numbers psych::fa prints.

Sources: Bartlett (1951) doi:10.1093/biomet/38.3-4.337 for the chi-square; Tucker & Lewis (1973)
doi:10.1007/BF02291170; Steiger (1990) doi:10.1207/s15327906mbr2502_4 and Browne & Cudeck (1992)
doi:10.1177/0049124192021002005 for RMSEA and its interval; Schwarz (1978)
doi:10.1214/aos/1176344136; Sclove (1987) doi:10.1007/BF02294360.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc, chndtr, chndtrinc

from collabsurvey.dimensionality.inverse import SMALLEST_EIGENVALUE, inverse_and_log_det
from collabsurvey.numerics.typing import FloatArray

RAISED_EIGENVALUE = 100 * SMALLEST_EIGENVALUE  # as in psych's cor.smooth
RMSEA_LEVEL = 0.90  # the field's custom since Browne & Cudeck; two-sided


@dataclass(frozen=True)
class FactorFit:
    """Fit of a factor model; NaN where it has no degrees of freedom, or respondents too few.

    Attributes
    ----------
    objective : discrepancy tr(R S^-1) - log|R S^-1| - p of the model S
    chi2, df, p_value : likelihood-ratio test with Bartlett's multiplier, also for minres
    chi2_empirical : n times the sum of squared residuals off the diagonal
    rmsea, rmsea_ci_low, rmsea_ci_high : with a 90 % interval. As psych, the estimate divides
        chi2 by n df and takes off 1 / (n - 1), and the limits divide by (n - 1) df.
    tli : Tucker-Lewis index, from discrepancies
    bic, sabic : chi2 - df log(n), chi2 - df log((n + 2) / 24)
    rmsr, rmsr_corrected : root mean square residual off the diagonal, per pair and per df
    fit_off : share of squared correlations off the diagonal that is reproduced
    """

    objective: float
    chi2: float
    df: int
    p_value: float
    chi2_empirical: float
    rmsea: float
    rmsea_ci_low: float
    rmsea_ci_high: float
    tli: float
    bic: float
    sabic: float
    rmsr: float
    rmsr_corrected: float
    fit_off: float


def factor_fit(
    cor: FloatArray,
    loadings: FloatArray,
    n: int,
    *,
    factor_correlations: FloatArray | None = None,
    log_det: float | None = None,
) -> FactorFit:
    """Fit of loadings (p, m) to a positive definite correlation matrix (p, p), given log|R|."""
    p, m = loadings.shape
    if log_det is None:
        log_det = inverse_and_log_det(cor, method="The fit of a factor model")[1]
    residual = without_inverse(cor, loadings, n, factor_correlations=factor_correlations)
    df = residual.df
    objective = discrepancy(cor, _common(loadings, factor_correlations), log_det=log_det)
    multiplier = bartlett_multiplier(p, m, n)
    if multiplier <= 0:  # too few respondents for a test
        return replace(residual, objective=objective)
    chi2 = max(objective * multiplier, 0.0)
    if df <= 0:
        return replace(residual, objective=objective, chi2=chi2)
    low, high = rmsea_interval(chi2, df, n)
    null = -log_det * 2 / (p * (p - 1))
    return replace(
        residual,
        objective=objective,
        chi2=chi2,
        p_value=float(chdtrc(df, chi2)),
        rmsea=float(np.sqrt(max(chi2 / (df * n) - 1 / (n - 1), 0.0))),
        rmsea_ci_low=low,
        rmsea_ci_high=high,
        tli=(null - objective / df) / (null - 1 / multiplier),
        bic=float(chi2 - df * np.log(n)),
        sabic=float(chi2 - df * np.log((n + 2) / 24)),
    )


def without_inverse(
    cor: FloatArray,
    loadings: FloatArray,
    n: int,
    *,
    factor_correlations: FloatArray | None = None,
) -> FactorFit:
    """Fit from residual correlations alone, for a matrix without an inverse; the rest is NaN."""
    p, m = loadings.shape
    df = degrees_of_freedom(p, m)
    residual = cor - _common(loadings, factor_correlations)
    np.fill_diagonal(residual, 0.0)
    left = float((residual**2).sum())
    off = float((cor**2).sum() - (np.diag(cor) ** 2).sum())
    unknown = float("nan")
    return FactorFit(
        objective=unknown,
        chi2=unknown,
        df=df,
        p_value=unknown,
        chi2_empirical=left * n,
        rmsea=unknown,
        rmsea_ci_low=unknown,
        rmsea_ci_high=unknown,
        tli=unknown,
        bic=unknown,
        sabic=unknown,
        rmsr=float(np.sqrt(left / (p * (p - 1)))),
        rmsr_corrected=float(np.sqrt(left / (2 * df))) if df > 0 else unknown,
        fit_off=1 - left / off if off > 0 else unknown,
    )


def _common(loadings: FloatArray, phi: FloatArray | None) -> FloatArray:
    """Covariances (p, p) that the factors imply."""
    return loadings @ loadings.T if phi is None else np.asarray(loadings @ phi @ loadings.T)


def degrees_of_freedom(p: int, m: int) -> int:
    """Degrees of freedom of the model of p items with m factors."""
    return ((p - m) ** 2 - p - m) // 2


def most_factors(p: int) -> int:
    """Largest number of factors of p items without negative degrees of freedom (Ledermann, 1937).

    doi:10.1007/BF02288062.
    """
    return max(m for m in range(p) if degrees_of_freedom(p, m) >= 0)


def bartlett_multiplier(p: int, m: int, n: int) -> float:
    """Turn the discrepancy of m factors into a chi-square (Bartlett, 1951)."""
    return n - 1 - (2 * p + 5) / 6 - 2 * m / 3


def discrepancy(cor: FloatArray, common: FloatArray, *, log_det: float) -> float:
    """tr(R S^-1) - log|R S^-1| - p, where S is L Phi L' (p, p) with ones on its diagonal.

    S is raised to be positive definite where a communality above one makes it indefinite.
    """
    model = common.copy()
    np.fill_diagonal(model, 1.0)
    values, vectors = np.linalg.eigh(model)
    values = np.where(values < SMALLEST_EIGENVALUE, RAISED_EIGENVALUE, values)
    trace = np.einsum("ij,ik,jk->k", cor, vectors, vectors) / values
    return float(trace.sum() - log_det + np.log(values).sum() - len(cor))


def rmsea_interval(
    chi2: float, df: int, n: int, *, level: float = RMSEA_LEVEL
) -> tuple[float, float]:
    """Limits of RMSEA from the noncentrality of chi2 (Browne & Cudeck, 1992, eq. 14-15)."""
    tail = (1 - level) / 2

    def limit(probability: float) -> float:
        if float(chndtr(chi2, df, 0.0)) <= probability:
            return 0.0
        noncentrality = float(chndtrinc(chi2, df, probability))
        return float(np.sqrt(noncentrality / ((n - 1) * df)))

    return limit(1 - tail), limit(tail)
