"""Lower bounds to reliability from stacks of item covariance matrices (B, k, k).

All bounds have the form (off + something) / total, with `off` the sum of the covariances
between different items and `total` the variance of the sum. Sources: Guttman (1945)
doi:10.1007/BF02288892 for lambda 1 to 6; ten Berge & Zegers (1978) doi:10.1007/BF02293815 for
the series mu, of which mu 0 is alpha and mu 1 is lambda 2; Armor (1974, in Sociological
Methodology, p. 17-50) for theta. Split halves (lambda 4) are in `split_halves`.
"""

from __future__ import annotations

import numpy as np

from collabsurvey.numerics import itemstats
from collabsurvey.numerics.typing import FloatArray

SINGULAR = 1e-10  # smallest eigenvalue of a correlation matrix that is inverted as it stands

# What each bound adds to the sum of the covariances before it is divided by the total variance;
# C is the covariance matrix, c its elements off the diagonal, k the number of items.
FORMULAS = {
    "lambda1": "1 − Σ C_ii / ΣΣ C (Guttman, 1945)",
    "lambda2": "(ΣΣ c + √(k/(k−1) ΣΣ c²)) / ΣΣ C (Guttman, 1945)",
    "lambda3": "k/(k−1) lambda1, which is alpha (Guttman, 1945; Cronbach, 1951)",
    "lambda5": "lambda1 + 2 √(max_j Σ_i c_ij²) / ΣΣ C (Guttman, 1945)",
    "lambda5_plus": "lambda1 + 2 k/(k−1) √(max_j Σ_i c_ij²) / ΣΣ C (psych's lambda.5p)",
    "lambda6": "1 − Σ e_i² / ΣΣ C, e_i² the variance of item i not explained by the others "
    "(Guttman, 1945)",
    "mu2": "(p₀ + √(p₁ + √(k/(k−1) p₂))) / ΣΣ C, p_h = ΣΣ c^(2^h) (ten Berge & Zegers, 1978)",
    "mu3": "(p₀ + √(p₁ + √(p₂ + √(k/(k−1) p₃)))) / ΣΣ C (ten Berge & Zegers, 1978)",
    "theta": "k/(k−1) (1 − 1 / largest eigenvalue of the correlations) (Armor, 1974; psych's "
    "alpha.pc)",
}


def lower_bounds(covs: FloatArray) -> dict[str, FloatArray]:
    """Each bound of FORMULAS (B,) for covariance matrices of keyed items (B, k, k)."""
    k = covs.shape[-1]
    own = np.diagonal(covs, axis1=-2, axis2=-1)
    total = covs.sum(axis=(-2, -1))
    between = covs * (1 - np.eye(k))
    off = total - own.sum(axis=-1)
    squares = between**2
    longest = np.sqrt(squares.sum(axis=-2).max(axis=-1))
    stretch = k / (k - 1)
    one = off / total
    return {
        "lambda1": one,
        "lambda2": (off + _series(between, 1)) / total,
        "lambda3": stretch * one,
        "lambda5": one + 2 * longest / total,
        "lambda5_plus": one + 2 * stretch * longest / total,
        "lambda6": 1 - unexplained_variances(covs).sum(axis=-1) / total,
        "mu2": (off + _series(between, 2)) / total,
        "mu3": (off + _series(between, 3)) / total,
        "theta": _theta(covs),
    }


def _series(between: FloatArray, depth: int) -> FloatArray:
    """Nested root (B,) of ten Berge & Zegers (1978), eq. 5, with `depth` terms."""
    k = between.shape[-1]
    power = 2.0**depth
    inner = k / (k - 1) * (np.abs(between) ** power).sum(axis=(-2, -1))
    while power > 2:
        power /= 2
        inner = (np.abs(between) ** power).sum(axis=(-2, -1)) + np.sqrt(inner)
    return np.asarray(np.sqrt(inner))


def _theta(covs: FloatArray) -> FloatArray:
    k = covs.shape[-1]
    largest = np.linalg.eigvalsh(correlation_stack(covs))[..., -1]
    return np.asarray(k / (k - 1) * (1 - 1 / largest))


def correlation_stack(covs: FloatArray) -> FloatArray:
    """Correlations (B, k, k); an item without variance is given none with the others."""
    sd = np.sqrt(np.maximum(np.diagonal(covs, axis1=-2, axis2=-1), 0.0))
    safe = np.where(sd > 0, sd, 1.0)
    cors = covs / (safe[..., :, None] * safe[..., None, :])
    diagonal = np.arange(covs.shape[-1])
    cors[..., diagonal, diagonal] = 1.0
    return np.asarray(cors)


def unexplained_variances(covs: FloatArray) -> FloatArray:
    """Variance (B, k) of each item that the others do not explain: 1 / diag(C^-1).

    Matrices that cannot be inverted go through least squares one by one.
    """
    singular = np.linalg.eigvalsh(correlation_stack(covs))[..., 0] < SINGULAR
    rest = np.empty(covs.shape[:-1])
    regular = ~singular
    if regular.any():
        inverse = np.linalg.inv(covs[regular])
        rest[regular] = 1 / np.diagonal(inverse, axis1=-2, axis2=-1)
    for b in np.flatnonzero(singular):
        rest[b] = itemstats.residual_variances(covs[b])
    return rest


def kuder_richardson_21(mean: float, variance: float, k: int) -> float:
    """KR-21 from the mean and variance (divisor n) of the number of k right answers.

    Kuder & Richardson (1937) doi:10.1007/BF02288391, eq. 21: KR-20 if all items were equally
    difficult; below KR-20 otherwise.
    """
    return k / (k - 1) * (1 - mean * (k - mean) / (k * variance))
