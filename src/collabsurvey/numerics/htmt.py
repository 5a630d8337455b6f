"""Correlations between scales as ratios of mean item correlations: HTMT and HTMT2.

The mean correlation between the items of two scales, over the geometric mean of the mean
correlations within each, estimates how the two things themselves correlate: a disattenuated
correlation of parallel items. Every function takes one correlation matrix or a stack of them
(..., k, k), such as the draws of a bootstrap, and `member` (k, m): which items each of m scales
has. Sources: Henseler, Ringle & Sarstedt (2015) doi:10.1007/s11747-014-0403-8; Roemer,
Schuberth & Henseler (2021) doi:10.1108/IMDS-02-2021-0082.
"""

from __future__ import annotations

import numpy as np

from collabsurvey.numerics.typing import BoolArray, FloatArray

NOTHING = 1e-300  # stands for a correlation of zero, whose logarithm is not finite


def pair_means(values: FloatArray, member: BoolArray) -> FloatArray:
    """Mean of `values` (..., k, k) over pairs of different items of two scales (..., m, m).

    The diagonal is within scales. NaN where there is no such pair: a scale of one item.
    """
    inside = member.astype(float)
    apart = values.copy()
    diagonal = np.arange(len(member))
    apart[..., diagonal, diagonal] = 0.0  # an item that both scales have is no pair
    n_pairs = inside.T @ (1 - np.eye(len(member))) @ inside
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((inside.T @ apart @ inside) / n_pairs)


def htmt(cors: FloatArray, member: BoolArray, *, absolute: bool = True) -> FloatArray:
    """HTMT (..., m, m) from arithmetic means (Henseler et al., 2015), 1 on the diagonal.

    `absolute` takes correlations without their sign. With signs, NaN where the items of a
    scale correlate negatively on average.
    """
    return _ratio(pair_means(np.abs(cors) if absolute else cors, member))


def htmt2(cors: FloatArray, member: BoolArray) -> FloatArray:
    """HTMT2 (..., m, m) from geometric means of absolute correlations (Roemer et al., 2021)."""
    logs = np.log(np.maximum(np.abs(cors), NOTHING))
    return _ratio(np.exp(pair_means(logs, member)))


def _ratio(means: FloatArray) -> FloatArray:
    """Means between scales over the root of the product of the means within."""
    within = np.diagonal(means, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(np.where(within > 0, within, np.nan))
        return np.asarray(means / (root[..., :, None] * root[..., None, :]))
