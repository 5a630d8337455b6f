"""Implied moments of a block, their derivatives, and the gradient of anything made of them.

Every function is analytic in theta, without conjugates or absolute values, so that second
derivatives can be had by a complex step (Squire & Trapp, 1998, doi:10.1137/S003614459631241X):
to machine precision and without a formula for each pair of matrices. First derivatives follow
Neudecker & Satorra (1991, doi:10.1016/0167-7152(91)90107-3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.dimensionality.sem.model import Block, Cells
from collabsurvey.dimensionality.sem.moments import Derivatives, Implied, Slopes
from collabsurvey.numerics.typing import AnyArray, FloatArray, IntArray

STEP = 1e-30  # of the complex step: no subtraction, so as small as one likes
CELLS = 2**18  # complex numbers held at a time: 4 MB


@dataclass(frozen=True, eq=False)
class Parts:
    """Matrices of a block at one point, and the products that derivatives share.

    Evaluated at many points at once, all have leading axes for these.
    """

    reach: AnyArray  # (p, m) L E: what a disturbance of a latent variable does to the items
    latent_cov: AnyArray  # (m, m) E P E'
    cross_cov: AnyArray  # (p, m) L E P E': items with latent variables
    cov: AnyArray  # (p, p) before scaling; diagonal 1 / scale² for ordered items under delta
    latent_mean: AnyArray  # (m,) E a
    mean: AnyArray  # (p,)
    thresholds: AnyArray  # (t,) before scaling
    scale: AnyArray  # (p,) 1 for items without thresholds


def parts(block: Block, theta: AnyArray) -> Parts:
    """Evaluate the matrices of `block` at theta (…, n_free)."""
    loadings = block.loadings.filled(theta)
    factor_cov = block.factor_cov.filled(theta)
    factor_means = block.factor_means.filled(theta)
    reach, latent_cov, latent_mean = loadings, factor_cov, factor_means
    if block.has_paths:
        effect = np.linalg.inv(np.eye(len(block.latent)) - block.paths.filled(theta))
        reach = loadings @ effect
        latent_cov = effect @ factor_cov @ _turned(effect)
        latent_mean = _times(effect, factor_means)
    cross_cov = loadings @ latent_cov
    cov = cross_cov @ _turned(loadings) + block.residual_cov.filled(theta)
    mean = block.intercepts.filled(theta) + _times(loadings, latent_mean)
    scale = np.ones(mean.shape, dtype=theta.dtype)
    if block.ordered:
        ordered = np.flatnonzero(block.is_ordered)
        if block.parameterization == "delta":
            scale[..., ordered] = block.scales.filled(theta)[..., ordered]
            cov[..., ordered, ordered] = scale[..., ordered] ** -2
        else:
            variance = cov[..., ordered, ordered]
            # No point of the model where a variance is not positive: NaN makes its distance inf.
            scale[..., ordered] = np.where(variance.real > 0, variance, np.nan) ** -0.5
    thresholds = block.thresholds.filled(theta)
    return Parts(reach, latent_cov, cross_cov, cov, latent_mean, mean, thresholds, scale)


def implied(block: Block, theta: FloatArray) -> Implied:
    """Moments of `block` at theta (n_free,)."""
    return implied_by(block, parts(block, theta))


def implied_by(block: Block, at: Parts) -> Implied:
    """Moments from the evaluated matrices."""
    if not block.ordered:
        return Implied(at.cov, at.mean if block.means else None, None)
    item = block.item_of_threshold
    cov = at.cov * np.outer(at.scale, at.scale)
    ordered = block.is_ordered
    cov[ordered, ordered] = 1.0
    return Implied(cov, at.mean, at.scale[item] * (at.thresholds - at.mean[item]))


def derivatives(block: Block, theta: FloatArray) -> Derivatives:
    """Derivatives of the moments of `block` with respect to the parameters that move it."""
    at = parts(block, theta)
    n, p, t = len(block.which), len(block.observed), len(block.threshold_of)
    cov, mean, cuts = np.zeros((n, p, p)), np.zeros((n, p)), np.zeros((n, t))
    scale = np.zeros((n, p))

    def add(to: IntArray, left: FloatArray, right: FloatArray) -> None:
        """Add left right' + right left' to the derivatives `to`; left and right are (c, p)."""
        product = left[:, :, None] * right[:, None, :]
        cov[to] += product + product.swapaxes(1, 2)

    unit = np.eye(p)
    to, row, column = _free(block, block.loadings)
    add(to, unit[row], at.cross_cov.T[column])
    mean[to, row] += at.latent_mean[column]
    to, row, column = _free(block, block.factor_cov, symmetric=True)
    add(to, at.reach.T[row] * np.where(row == column, 0.5, 1.0)[:, None], at.reach.T[column])
    if block.has_paths:
        to, row, column = _free(block, block.paths)
        add(to, at.reach.T[row], at.cross_cov.T[column])
        mean[to] += at.reach.T[row] * at.latent_mean[column][:, None]
    to, row, column = _free(block, block.residual_cov, symmetric=True)
    cov[to, row, column] = 1.0
    cov[to, column, row] = 1.0
    to, row, _ = _free(block, block.intercepts)
    mean[to, row] = 1.0
    to, row, _ = _free(block, block.factor_means)
    mean[to] += at.reach.T[row]
    if not block.ordered:
        return Derivatives(block.which, cov, mean if block.means else None, None)
    to, row, _ = _free(block, block.thresholds)
    cuts[to, row] = 1.0
    to, row, _ = _free(block, block.scales)
    scale[to, row] = 1.0
    return _scaled(block, at, cov, mean, cuts, scale)


def _scaled(
    block: Block,
    at: Parts,
    cov: FloatArray,
    mean: FloatArray,
    cuts: FloatArray,
    scale: FloatArray,
) -> Derivatives:
    """Turn derivatives of the latent responses into those of correlations and thresholds."""
    ordered, item = np.flatnonzero(block.is_ordered), block.item_of_threshold
    if block.parameterization == "theta":
        scale[:, ordered] = -0.5 * at.scale[ordered] ** 3 * cov[:, ordered, ordered]
    relative = scale / at.scale
    scaled = at.cov * np.outer(at.scale, at.scale)
    out = cov * np.outer(at.scale, at.scale)
    out += (relative[:, :, None] + relative[:, None, :]) * scaled
    out[:, ordered, ordered] = 0.0
    thresholds = at.scale[item] * (cuts - mean[:, item])
    thresholds += scale[:, item] * (at.thresholds - at.mean[item])
    return Derivatives(block.which, out, mean, thresholds)


def _free(
    block: Block, cells: Cells, *, symmetric: bool = False
) -> tuple[IntArray, IntArray, IntArray]:
    """Free cells of a matrix: place among the block's parameters, row, column; once each."""
    keep = cells.row >= cells.column if symmetric else np.ones(len(cells.which), dtype=bool)
    to = np.searchsorted(block.which, cells.which[keep])
    return to, cells.row[keep], cells.column[keep]


def pull_back(block: Block, theta: AnyArray, slopes: Slopes, out: AnyArray) -> None:
    """Add to `out` (…, n_free) the gradient of a function with these slopes at theta.

    Costs a few matrix products, not one per parameter. Theta may be complex, and many points
    (…, n_free) at once; the slopes are the same for all.
    """
    at = parts(block, theta)
    to_cov: AnyArray = slopes.cov
    to_mean: AnyArray = np.zeros(len(block.observed)) if slopes.mean is None else slopes.mean
    if block.ordered:
        to_cov, to_mean = _unscaled(block, at, slopes, to_mean, out)
    pulled_mean = _times(_turned(at.reach), to_mean)
    loading = 2 * to_cov @ at.cross_cov + _outer(to_mean, at.latent_mean)
    pulled = _turned(at.reach) @ to_cov
    _collect(out, block.loadings, loading)
    _collect(out, block.factor_cov, pulled @ at.reach)
    _collect(out, block.residual_cov, to_cov)
    _collect(out, block.intercepts, to_mean)
    _collect(out, block.factor_means, pulled_mean)
    if block.has_paths:
        path = 2 * pulled @ at.cross_cov + _outer(pulled_mean, at.latent_mean)
        _collect(out, block.paths, path)


def _unscaled(
    block: Block, at: Parts, slopes: Slopes, to_mean: AnyArray, out: AnyArray
) -> tuple[AnyArray, AnyArray]:
    """Slopes with respect to latent responses, from those to correlations and thresholds."""
    ordered, item = np.flatnonzero(block.is_ordered), block.item_of_threshold
    to_cuts = slopes.thresholds if slopes.thresholds is not None else np.zeros(len(item))
    shift = at.thresholds - at.mean[..., item]
    to_correlation = slopes.cov.copy()
    to_correlation[ordered, ordered] = 0.0
    to_scale = _times(2 * to_correlation * at.cov, at.scale)
    to_mean = np.where(block.is_ordered, 0.0, to_mean).astype(at.cov.dtype)
    to_mean = np.broadcast_to(to_mean, at.mean.shape).copy()
    of_item = item[:, None] == np.arange(len(block.observed))
    to_scale += (to_cuts * shift) @ of_item
    to_mean -= (to_cuts * at.scale[..., item]) @ of_item
    _collect(out, block.thresholds, to_cuts * at.scale[..., item])
    to_cov = to_correlation * _outer(at.scale, at.scale)
    if block.parameterization == "delta":
        _collect(out, block.scales, to_scale)
    else:
        to_cov[..., ordered, ordered] = -0.5 * at.scale[..., ordered] ** 3 * to_scale[..., ordered]
    return to_cov, to_mean


def _collect(out: AnyArray, cells: Cells, slopes: AnyArray) -> None:
    """Add the slopes of the free cells to the parameters that stand in them."""
    if not len(cells.which):
        return
    if cells.fixed.ndim == 1:
        out[..., cells.which] += slopes[..., cells.row]
        return
    picked = slopes[..., cells.row, cells.column]
    lower = cells.row >= cells.column  # a symmetric matrix names a parameter once in each half
    out[..., cells.which[lower]] += picked[..., lower]
    if not lower.all():
        out[..., cells.which[~lower]] += picked[..., ~lower]


def _turned(matrix: AnyArray) -> AnyArray:
    return matrix.swapaxes(-1, -2)


def _times(matrix: AnyArray, vector: AnyArray) -> AnyArray:
    return np.asarray((matrix @ vector[..., None])[..., 0])


def _outer(left: AnyArray, right: AnyArray) -> AnyArray:
    return np.asarray(left[..., :, None] * right[..., None, :])


def gradient(blocks: Sequence[Block], theta: AnyArray, slopes: Sequence[Slopes]) -> AnyArray:
    """Gradient (…, n_free) of a function with these slopes; complex where theta is."""
    out = np.zeros(theta.shape, dtype=theta.dtype)
    for block, one in zip(blocks, slopes, strict=True):
        pull_back(block, theta, one, out)
    return out


def moment_curvature(
    blocks: Sequence[Block], theta: FloatArray, slopes: Sequence[Slopes]
) -> FloatArray:
    """Second derivatives (n_free, n_free) of the moments, weighted by the slopes held fixed.

    Block by block, since the parameters of one block do not move the moments of another.
    """
    n = len(theta)
    out = np.zeros((n, n))
    for block, one in zip(blocks, slopes, strict=True):
        moved = block.which
        step = max(CELLS // max(len(block.observed) ** 2, n), 1)
        for start in range(0, len(moved), step):
            rows = moved[start : start + step]
            points = np.repeat(theta[None].astype(np.complex128), len(rows), axis=0)
            points[np.arange(len(rows)), rows] += 1j * STEP
            part = np.zeros(points.shape, dtype=np.complex128)
            pull_back(block, points, one, part)
            out[rows] += part.imag / STEP
    return (out + out.T) / 2
