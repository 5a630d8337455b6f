"""What a rotation minimises: each criterion's value and gradient, for a batch of loadings.

Every function takes loadings (..., p, m) and returns the value (...) and its derivative by
each loading (..., p, m). Scales are those of GPArotation (Bernaards & Jennrich, 2005,
doi:10.1177/0013164404272507), so that values can be compared; smaller is simpler.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from collabsurvey.numerics.typing import FloatArray

Criterion = Callable[[FloatArray], tuple[FloatArray, FloatArray]]


def total(products: FloatArray) -> FloatArray:
    """Sum over items and factors, (..., p, m) to (...)."""
    return np.asarray(products.sum(axis=(-2, -1)))


def orthomax(loadings: FloatArray, *, gamma: float) -> tuple[FloatArray, FloatArray]:
    """Variance of squared loadings in columns, sign reversed; gamma 1 varimax, 0 quartimax.

    Kaiser (1958), doi:10.1007/BF02289233; the family: Harman (1976), section 13.5.
    """
    squares = loadings * loadings
    centred = squares
    if gamma:
        centred = squares - gamma * squares.mean(axis=-2, keepdims=True)
    return -total(squares * centred) / 4, -loadings * centred


def oblimin(loadings: FloatArray, *, gam: float) -> tuple[FloatArray, FloatArray]:
    """Covariance of squared loadings between factors, means removed by `gam`; 0 is quartimin.

    Jennrich & Sampson (1966), doi:10.1007/BF02289465; Jennrich (2002),
    doi:10.1007/BF02294706. Above 0 it can fall without bound.
    """
    squares = loadings * loadings
    others = squares.sum(axis=-1, keepdims=True) - squares
    if gam:
        others = others - gam * others.mean(axis=-2, keepdims=True)
    return total(squares * others) / 4, loadings * others


def geomin(loadings: FloatArray, *, epsilon: float) -> tuple[FloatArray, FloatArray]:
    """Sum over items of the geometric mean of squared loadings + `epsilon`.

    Yates (1987), Multivariate Exploratory Data Analysis, chapter 3; `epsilon` keeps it smooth
    at zero loadings: Browne (2001), doi:10.1207/S15327906MBR3601_05.
    """
    m = loadings.shape[-1]
    raised = loadings * loadings + epsilon
    mean = np.exp(np.log(raised).mean(axis=-1, keepdims=True))  # (..., p, 1)
    return np.asarray(mean.sum(axis=(-2, -1))), (2 / m) * mean * loadings / raised


def towards_target(loadings: FloatArray, *, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Squared distance to a target (p, m); where the target is NaN the loading is free.

    Browne (1972), British Journal of Mathematical and Statistical Psychology 25, 115-120
    (orthogonal) and 207-212 (oblique); Browne (2001).
    """
    gap = np.where(np.isnan(target), 0.0, loadings - target)
    return total(gap * gap), 2 * gap


def bifactor(loadings: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Quartimin of all factors but the first, which is general and free.

    Orthogonal: Jennrich & Bentler (2011), doi:10.1007/s11336-011-9218-4; oblique, called
    bi-quartimin: Jennrich & Bentler (2012), doi:10.1007/s11336-012-9269-1. There a correlation
    c of the general factor with a group factor only lengthens the group's column, by
    1 / sqrt(1 - c²): it is zero at the minimum, and held there weakly when the criterion is small.
    """
    group = loadings[..., 1:]
    squares = group * group
    others = squares.sum(axis=-1, keepdims=True) - squares
    gradient = np.zeros_like(loadings)
    gradient[..., 1:] = 4 * group * others
    return total(squares * others), gradient
