"""Root mean square error of approximation, its limits, and tests of close fit.

Sources: Steiger & Lind (1980); Browne & Cudeck (1992) doi:10.1177/0049124192021002005 for limits
and close fit; Steiger (1998) doi:10.1080/10705519809540115 for several groups: all grow by
sqrt(G); MacCallum, Browne & Sugawara (1996) doi:10.1037/1082-989X.1.2.130 for not-close fit;
Brosseau-Liard, Savalei & Li (2012) doi:10.1080/00273171.2012.715252 for the robust version, Savalei
(2018) doi:10.1080/00273171.2018.1455142 for that of the shifted statistic.

`n` is the number of respondents; with least squares and the Wishart likelihood lavaan, and so
does this package, takes the number of groups off. A model without degrees of freedom has no
RMSEA: NaN, where lavaan prints 0.
"""

from __future__ import annotations

from math import isfinite, nan, sqrt

from scipy.special import chndtr, chndtrinc

LEVEL = 0.90  # the field's custom since Browne & Cudeck: its ends are one-sided 5 % tests
CLOSE = 0.05  # Browne & Cudeck's "close fit"
NOT_CLOSE = 0.08  # their "reasonable error", which lavaan tests for lack of close fit


def rmsea(
    statistic: float, df: float, n: float, *, n_groups: int = 1, factor: float = 1.0
) -> float:
    """Estimate; `factor` times df is the mean of the statistic if the model holds."""
    if not (df > 0 and isfinite(statistic)):
        return nan
    return sqrt(max(statistic / df - factor, 0.0) * n_groups / n)


def rmsea_interval(
    statistic: float,
    df: float,
    n: float,
    *,
    n_groups: int = 1,
    factor: float = 1.0,
    conf_level: float = LEVEL,
) -> tuple[float, float]:
    """Limits from the noncentrality of `statistic`, which `factor` turns into that of ML.

    The statistic is the one that is referred to chi-square: for robust limits the corrected one.
    lavaan stops its search for a limit of the noncentrality within 1e-4, so that its limits
    agree with these to about six digits.
    """
    if not (df > 0 and isfinite(statistic) and factor > 0):
        return nan, nan
    tail = (1 - conf_level) / 2

    def limit(probability: float) -> float:
        if float(chndtr(statistic, df, 0.0)) <= probability:
            return 0.0
        noncentrality = float(chndtrinc(statistic, df, probability))
        return sqrt(factor * noncentrality * n_groups / (n * df))

    return limit(1 - tail), limit(tail)


def p_close(
    statistic: float,
    df: float,
    n: float,
    *,
    n_groups: int = 1,
    factor: float = 1.0,
    close: float = CLOSE,
) -> float:
    """p-value of the hypothesis RMSEA <= `close`; small means the fit is not close."""
    return 1.0 - p_not_close(statistic, df, n, n_groups=n_groups, factor=factor, not_close=close)


def p_not_close(
    statistic: float,
    df: float,
    n: float,
    *,
    n_groups: int = 1,
    factor: float = 1.0,
    not_close: float = NOT_CLOSE,
) -> float:
    """p-value of the hypothesis RMSEA >= `not_close`; small means the fit is better than that."""
    if not (df > 0 and isfinite(statistic) and factor > 0):
        return nan
    noncentrality = n * df * not_close**2 / (factor * n_groups)
    return float(chndtr(statistic, df, noncentrality))
