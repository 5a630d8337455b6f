"""What Satterthwaite's df of a mixed model with several factors rest on; see `mixed_inference`."""

from __future__ import annotations

import numpy as np

from collabsurvey.numerics.mixed_blocks import (
    BlockEvaluation,
    BlockFit,
    BlockProducts,
    Pattern,
    df_total,
    theta_of,
)
from collabsurvey.numerics.mixed_inference import FLAT, VarianceParameters
from collabsurvey.numerics.typing import FloatArray


def block_variance_parameters(products: BlockProducts, fit: BlockFit) -> VarianceParameters:
    """Asymptotic covariance of (theta, sigma) and the derivatives of vcov(beta), on Q.

    As `mixed_inference.variance_parameters`. The Hessian in (theta, sigma) follows from that of
    the profiled criterion: profiling takes H_ts H_ss^-1 H_st off the block of theta.
    """
    patterns, at, sigma2 = products.patterns, fit.at, fit.sigma2
    sigma = float(np.sqrt(sigma2))
    k = len(fit.hessian)
    by_sigma = theta_of(
        patterns,
        tuple(4 / sigma**3 * (a.T @ a) @ lower for a, lower in zip(at.a, fit.lowers, strict=True)),
    )
    hessian = np.empty((k + 1, k + 1))
    hessian[k, k] = 6 * at.r2 / sigma**4 - 2 * df_total(products) / sigma2
    hessian[:k, k] = hessian[k, :k] = by_sigma
    hessian[:k, :k] = fit.hessian + np.outer(by_sigma, by_sigma) / hessian[k, k]
    values, vectors = np.linalg.eigh(hessian)
    sound = values > FLAT
    covariance = 2 * (vectors[:, sound] / values[sound]) @ vectors[:, sound].T
    derivative = [
        _moved(at, block, pattern, fit.lowers[block], sigma2)
        for block, pattern in enumerate(patterns)
    ]
    derivative.append(2 * sigma * at.unscaled[None])
    return VarianceParameters(covariance, np.concatenate(derivative), sigma2 * at.unscaled)


def _moved(
    at: BlockEvaluation, block: int, pattern: Pattern, lower: FloatArray, sigma2: float
) -> FloatArray:
    """Derivatives (k, p, p) of vcov(beta) in the free elements of one L.

    dV = sigma^2 M (sum of B' dD B) M, with dD = dL L' + L dL'.
    """
    reach = at.b[block] @ at.unscaled
    q, p = reach.shape[1:]
    flat = reach.reshape(len(reach), q * p)
    spread = (flat.T @ flat).reshape(q, p, q, p)
    moved = np.einsum("apbr,bj->ajpr", spread, lower)
    change = moved[pattern.elements]
    return np.asarray(sigma2 * (change + change.transpose(0, 2, 1)))
