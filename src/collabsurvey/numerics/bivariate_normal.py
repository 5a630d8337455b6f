"""The standard bivariate normal: distribution function, density, and derivatives.

All functions broadcast over thresholds h, k and correlations rho in (-1, 1); h and k may be
infinite. The distribution function goes through Owen's T (scipy's, exact to rounding): Owen
(1956) doi:10.1214/aoms/1177728074, eq. 2.1. d Phi2 / d rho is the density (Plackett, 1954).
"""

from __future__ import annotations

import numpy as np
from scipy import special

from collabsurvey.numerics.typing import FloatArray

TWO_PI = 2 * np.pi


def bivariate_cdf(h: FloatArray, k: FloatArray, rho: FloatArray) -> FloatArray:
    """P(X <= h, Y <= k)."""
    h, k, rho = np.broadcast_arrays(h, k, rho)
    # Owen's T takes finite arguments; beyond 40 the normal is 0 or 1 to every digit.
    # Adding zero makes a plain zero of -0, whose ratios would have the wrong sign.
    h, k = np.clip(h, -40.0, 40.0) + 0.0, np.clip(k, -40.0, 40.0) + 0.0
    root = np.sqrt((1 - rho) * (1 + rho))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope_h = (k / h - rho) / root
        slope_k = (h / k - rho) / root
    tails = special.owens_t(h, slope_h) + special.owens_t(k, slope_k)
    apart = (h < 0) != (k < 0)
    both = (special.ndtr(h) + special.ndtr(k)) / 2 - tails - np.where(apart, 0.5, 0.0)
    centre = (h == 0) & (k == 0)  # where the slopes are 0 / 0
    if centre.any():
        both = np.where(centre, 0.25 + np.arcsin(rho) / TWO_PI, both)
    return np.asarray(np.clip(both, 0.0, 1.0))


def bivariate_density(h: FloatArray, k: FloatArray, rho: FloatArray) -> FloatArray:
    """Density at (h, k), which is also the derivative of the distribution function in rho."""
    variance = (1 - rho) * (1 + rho)
    h, k = np.clip(h, -40.0, 40.0), np.clip(k, -40.0, 40.0)
    square = (h - rho * k) ** 2 / variance + k**2
    return np.asarray(np.exp(-square / 2) / (TWO_PI * np.sqrt(variance)))


def density_slope(h: FloatArray, k: FloatArray, rho: FloatArray) -> FloatArray:
    """Logarithmic derivative of the density in rho."""
    variance = (1 - rho) * (1 + rho)
    h, k = np.clip(h, -40.0, 40.0), np.clip(k, -40.0, 40.0)
    return np.asarray((rho + (h - rho * k) * (k - rho * h) / variance) / variance)


def given_first(h: FloatArray, k: FloatArray, rho: FloatArray) -> FloatArray:
    """phi(h) P(Y <= k | X = h), the derivative of the distribution function in h."""
    root = np.sqrt((1 - rho) * (1 + rho))
    h = np.clip(h, -40.0, 40.0)
    density = np.exp(-(h**2) / 2) / np.sqrt(TWO_PI)
    return np.asarray(density * special.ndtr((k - rho * h) / root))
