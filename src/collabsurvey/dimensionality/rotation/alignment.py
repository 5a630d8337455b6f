"""The order and signs of factors: a rule for one solution, and a match across resamples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from collabsurvey.numerics.typing import FloatArray, IntArray


class Ordering(NamedTuple):
    """Factors in their final order and sign.

    loadings = before[:, permutation] * sign; a transformation follows by the same rule.
    """

    loadings: FloatArray  # (p, m)
    factor_correlations: FloatArray  # (m, m)
    permutation: IntArray  # (m,) former places
    sign: FloatArray  # (m,) 1 or -1, in the new order


def ordered(
    loadings: FloatArray, factor_correlations: FloatArray, *, keep_first: bool = False
) -> Ordering:
    """Sort factors by the variance they explain, largest first, with positive column sums.

    The variance is diag(Phi L'L), as psych sorts; without correlations the sum of squared
    loadings. Ties keep their order, and a column that adds up to zero its sign. `keep_first`
    leaves the first factor first: the general one of a bifactor solution.
    """
    size = np.diag(factor_correlations @ loadings.T @ loadings).copy()
    if keep_first:
        size[0] = np.inf
    permutation = np.argsort(-size, kind="stable")
    sign = np.where(loadings.sum(axis=0)[permutation] < 0, -1.0, 1.0)
    return Ordering(
        *rearranged(loadings, factor_correlations, permutation, sign), permutation, sign
    )


def rearranged(
    loadings: FloatArray, factor_correlations: FloatArray, permutation: IntArray, sign: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Permute and sign, both (..., m), the factors of (..., p, m) and of (..., m, m)."""
    places, across = permutation[..., None, :], sign[..., None, :]
    moved = np.take_along_axis(loadings, places, axis=-1) * across
    phi = np.take_along_axis(factor_correlations, places, axis=-1)
    phi = np.take_along_axis(phi, permutation[..., :, None], axis=-2)
    return moved, phi * across * sign[..., :, None]


def tucker_congruence(a: FloatArray, b: FloatArray) -> FloatArray:
    """Congruence of each factor of a (..., p, m) with each of b (..., p, k), as (..., m, k).

    A cosine about zero (Tucker, 1951; Lorenzo-Seva & ten Berge, 2006,
    doi:10.1027/1614-2241.2.2.57); 0 with a column of zeros.
    """
    products = np.swapaxes(a, -1, -2) @ b
    size = np.sqrt((a**2).sum(axis=-2))[..., :, None] * np.sqrt((b**2).sum(axis=-2))[..., None, :]
    return np.asarray(np.divide(products, size, out=np.zeros_like(products), where=size > 0))


def align(loadings: FloatArray, reference: FloatArray) -> tuple[IntArray, FloatArray]:
    """Match the factors of resamples (B, p, m) to those of a reference (p, m).

    Returns permutation (B, m) and sign (B, m) that make `rearranged` solutions most congruent:
    the sum of absolute congruences is the largest possible for each resample.
    """
    from scipy.optimize import linear_sum_assignment

    congruence = tucker_congruence(np.broadcast_to(reference, loadings.shape), loadings)
    size = np.abs(congruence)
    permutation = np.array([linear_sum_assignment(-each)[1] for each in size], dtype=np.int64)
    permutation = permutation.reshape(len(loadings), loadings.shape[-1])
    matched = np.take_along_axis(congruence, permutation[:, :, None], axis=-1)[..., 0]
    return permutation, np.where(matched < 0, -1.0, 1.0)


def starts_towards(loadings: FloatArray, reference: FloatArray, *, oblique: bool) -> FloatArray:
    """Starts (B, m, m) that bring unrotated resamples (B, p, m) near a rotated reference (p, m).

    Orthogonal: least squares (Schönemann, 1966, doi:10.1007/BF02289451). Oblique: the same
    without a constraint, columns then brought to length one, which is close enough for a start.
    """
    products = loadings.transpose(0, 2, 1) @ reference
    if not oblique:
        left, _, right = np.linalg.svd(products)
        return np.asarray(left @ right)
    mixing = np.linalg.pinv(loadings) @ reference
    turn = np.linalg.pinv(mixing).transpose(0, 2, 1)
    return np.asarray(turn / np.linalg.norm(turn, axis=-2, keepdims=True))
