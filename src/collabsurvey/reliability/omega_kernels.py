"""Reliability coefficients of one common factor, and their sampling errors over respondents.

Sources: McDonald (1999) Test Theory, ch. 6, for omega; Fornell & Larcker (1981)
doi:10.1177/002224378101800104 for composite reliability and the variance extracted; Hancock &
Mueller (2001), in Cudeck, du Toit & Sörbom, p. 195-216, for the best weighting of the items.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from collabsurvey.dimensionality.one_factor import OneFactor, covariance_gradient
from collabsurvey.moments import ClusterMoments
from collabsurvey.numerics.typing import FloatArray

ONE_FACTOR = (
    "omega_total",
    "omega_total_observed",
    "composite_reliability",
    "ave",
    "ave_raw",
    "coefficient_h",
    "alpha",
)
STEP = 1e-6  # relative, of central differences of closed formulas
BLOCK = 2**22  # numbers of influence held at a time: 32 MB


def one_factor_coefficients(covs: FloatArray, fits: OneFactor) -> FloatArray:
    """Coefficients (B, 7), in the order of ONE_FACTOR, of fitted covariances (B, k, k)."""
    k = covs.shape[-1]
    sums = covs.sum(axis=(1, 2))
    alpha = k / (k - 1) * (1 - np.trace(covs, axis1=1, axis2=2) / sums)
    return np.column_stack([_of_parameters(fits.loadings, fits.residuals, sums), alpha])


def _of_parameters(lam: FloatArray, psi: FloatArray, sums: FloatArray) -> FloatArray:
    """Coefficients (..., 6) from loadings, residual variances (..., k) and the sum's variance."""
    common = lam.sum(axis=-1) ** 2
    std = lam / np.sqrt(lam**2 + psi)
    unique = 1 - std**2
    std_common = std.sum(axis=-1) ** 2
    squares = (lam**2).sum(axis=-1)
    information = (std**2 / unique).sum(axis=-1)
    return np.stack(
        [
            common / (common + psi.sum(axis=-1)),
            common / sums,
            std_common / (std_common + unique.sum(axis=-1)),
            (std**2).mean(axis=-1),
            squares / (squares + psi.sum(axis=-1)),
            information / (1 + information),
        ],
        axis=-1,
    )


def coefficient_gradients(covs: FloatArray, fits: OneFactor) -> FloatArray:
    """Derivatives (B, 7, k, k) of the coefficients of ONE_FACTOR by the covariances."""
    lam, psi = fits.loadings, fits.residuals
    b, k = lam.shape
    sums = covs.sum(axis=(1, 2))

    def differences(vary: Callable[[int, FloatArray], FloatArray], base: FloatArray) -> FloatArray:
        slopes = np.empty((b, 6, k))
        for i in range(k):
            step = STEP * np.maximum(np.abs(base[:, i]), 1e-3)
            slopes[:, :, i] = (vary(i, step) - vary(i, -step)) / (2 * step)[:, None]
        return slopes

    def loading(i: int, step: FloatArray) -> FloatArray:
        moved = lam.copy()
        moved[:, i] += step
        return _of_parameters(moved, psi, sums)

    def residual(i: int, step: FloatArray) -> FloatArray:
        moved = psi.copy()
        moved[:, i] += step
        return _of_parameters(lam, moved, sums)

    gradient = covariance_gradient(
        covs, fits, differences(loading, lam), differences(residual, psi)
    )
    observed = lam.sum(axis=1) ** 2 / sums**2
    gradient[:, 1] -= observed[:, None, None]
    trace = np.trace(covs, axis1=1, axis2=2)
    by_sum = (k / (k - 1) * trace / sums**2)[:, None, None]
    alpha = by_sum - np.eye(k) * (k / (k - 1) / sums)[:, None, None]
    return np.concatenate([gradient, alpha[:, None]], axis=1)


def linearised_std_errors(
    pieces: ClusterMoments, times: FloatArray, gradients: FloatArray
) -> FloatArray:
    """Standard errors (B, q) of functions of covariances, over the clusters of each sample.

    Sample b takes cluster g `times[b, g]` times; `gradients` (B, q, k, k) are the functions'
    derivatives there. What a cluster adds to a function is its cross-products about the mean
    of the sample, less its share of them, times the gradient; the errors are those of a sum of
    such contributions, with G / (G - 1).
    """
    b, q, k, _ = gradients.shape
    g = len(pieces.n)
    mean = pieces.mean - pieces.n @ pieces.mean / pieces.n.sum()
    raw = pieces.sscp + pieces.n[:, None, None] * mean[:, :, None] * mean[:, None, :]
    flat = raw.reshape(g, k * k)
    out = np.empty((b, q))
    step = max(BLOCK // (q * g), 1)
    for start in range(0, b, step):
        part = slice(start, start + step)
        t, slope = times[part].astype(np.float64), gradients[part]
        size = t @ pieces.n
        centre = (t @ (pieces.n[:, None] * mean)) / size[:, None]
        cov = (t @ flat).reshape(-1, k, k) / size[:, None, None]
        cov -= centre[:, :, None] * centre[:, None, :]
        turned = np.einsum("bqij,bj->bqi", slope, centre)
        own = (turned * centre[:, None, :]).sum(axis=2) - np.einsum("bqij,bij->bq", slope, cov)
        parts = slope.reshape(len(t), q, k * k) @ flat.T
        parts += pieces.n * (own[:, :, None] - 2 * turned @ mean.T)
        drawn = t.sum(axis=1)
        variance = (t[:, None, :] * parts**2).sum(axis=2)
        out[part] = np.sqrt(variance * (drawn / (drawn - 1))[:, None]) / size[:, None]
    return out
