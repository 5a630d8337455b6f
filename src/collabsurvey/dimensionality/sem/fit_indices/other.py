"""Critical n, McDonald's noncentrality index, cross-validation index, and WRMR.

`n` is the same number as for RMSEA: respondents, less the number of groups with least squares
and the Wishart likelihood.
"""

from __future__ import annotations

from math import exp, isfinite, nan, sqrt

from scipy.special import chdtri


def critical_n(statistic: float, df: float, n: float, *, alpha: float = 0.05) -> float:
    """Respondents at which this misfit would just be significant (Hoelter, 1983).

    lavaan's definition: the critical value over the statistic per respondent, plus 1. NaN with
    no degrees of freedom or no misfit. doi:10.1177/0049124183011003003
    """
    if not (df > 0 and statistic > 0):
        return nan
    return float(chdtri(df, alpha)) / (statistic / n) + 1.0


def mfi(statistic: float, df: float, n: float) -> float:
    """exp(-noncentrality per respondent / 2) (McDonald, 1989), doi:10.1007/BF01908590."""
    return exp(-0.5 * (statistic - df) / n) if isfinite(statistic) else nan


def ecvi(statistic: float, n_parameters: int, n: float) -> float:
    """Expected cross-validation index of one sample (Browne & Cudeck, 1989).

    doi:10.1207/s15327906mbr2404_4
    """
    return (statistic + 2.0 * n_parameters) / n


def wrmr(statistic: float, n_moments: int) -> float:
    """Weighted root mean square residual of ordered items (Yu, 2002).

    `n_moments` counts thresholds and correlations. With several groups lavaan divides the
    statistic of all by the moments of the first group alone; the assembled index does so too.
    """
    return sqrt(max(statistic, 0.0) / n_moments) if isfinite(statistic) else nan
