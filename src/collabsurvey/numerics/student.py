"""Student's t without the cost of importing scipy.stats; infinite df is the normal."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from collabsurvey.numerics.typing import FloatArray


def two_sided_p(statistic: FloatArray, df: FloatArray) -> FloatArray:
    """P(|T| > |statistic|) for each statistic and its df."""
    normal = np.isinf(df)
    lower = -np.abs(statistic)
    return np.asarray(2 * np.where(normal, ndtr(lower), stdtr(np.where(normal, 1.0, df), lower)))


def critical_value(conf_level: float, df: FloatArray) -> FloatArray:
    """Multiplier of the standard error for an interval of this level."""
    upper = (1 + conf_level) / 2
    normal = np.isinf(df)
    return np.asarray(np.where(normal, ndtri(upper), stdtrit(np.where(normal, 1.0, df), upper)))
