"""Closed-form intervals: of alpha for independent respondents, of a one-way ICC.

Quantiles come from scipy.special, which is quick to import; scipy.stats is not.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from collabsurvey.numerics.typing import FloatArray


def t_quantile(p: float, df: float) -> float:
    """Quantile of Student's t."""
    return float(special.stdtrit(df, p))


def f_quantile(p: float, df1: float, df2: float) -> float:
    """Quantile of F."""
    return float(special.fdtri(df1, df2, p))


def f_tail(value: float, df1: float, df2: float) -> float:
    """Probability of a larger F."""
    return float(special.fdtrc(df1, df2, value))


def normal_quantile(p: float) -> float:
    """Quantile of the standard normal."""
    return float(special.ndtri(p))


def feldt_interval(alpha: float, *, k: int, n: int, conf_level: float) -> tuple[float, float]:
    """Interval of alpha for n independent respondents (Feldt, 1965; Feldt, Woodruff & Salih, 1987).

    (1 - alpha) / (1 - estimate) follows F with n - 1 and (n - 1)(k - 1) degrees of
    freedom. doi:10.1177/014662168701100107, eq. 5; the same as `psych::alpha.ci`.
    """
    tail = (1 - conf_level) / 2
    df1, df2 = n - 1, (n - 1) * (k - 1)
    low = 1 - (1 - alpha) * f_quantile(1 - tail, df1, df2)
    high = 1 - (1 - alpha) * f_quantile(tail, df1, df2)
    return low, high


def bonett_interval(alpha: float, *, k: int, n: int, conf_level: float) -> tuple[float, float]:
    """Interval of alpha on the scale of log(1 - alpha), for n independent respondents.

    Bonett (2002) doi:10.3102/10769986027004335 with the bias correction of Bonett &
    Wright (2015) doi:10.1002/job.1960.
    """
    z = normal_quantile((1 + conf_level) / 2)
    se = np.sqrt(2 * k / ((k - 1) * (n - 2)))
    centre = np.log(1 - alpha) - np.log(n / (n - 1))
    return float(1 - np.exp(centre + z * se)), float(1 - np.exp(centre - z * se))


def anova_icc_interval(
    f: FloatArray, *, df1: FloatArray, df2: FloatArray, size: FloatArray, conf_level: float
) -> tuple[FloatArray, FloatArray]:
    """Interval of ICC(1) from one-way F ratios; all arguments (k,).

    Exact for equal group sizes (Searle, 1971, p. 414; Shrout & Fleiss, 1979, for
    ICC(1,1), doi:10.1037/0033-2909.86.2.420); for unequal sizes an approximation in which
    `size` (n0) takes the place of the common size (Donner & Wells, 1986, Biometrics
    42:401-412).
    """
    tail = (1 - conf_level) / 2
    f_low = f / special.fdtri(df1, df2, 1 - tail)
    f_high = f / special.fdtri(df1, df2, tail)
    return (f_low - 1) / (f_low + size - 1), (f_high - 1) / (f_high + size - 1)
