"""Polyserial correlation of a measurement with an ordinal item, from rows.

Olsson, Drasgow & Dorans (1982) doi:10.1007/BF02294164: eq. 2 the likelihood, eq. 25 the
two-step formula from the product-moment correlation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from collabsurvey.dimensionality.two_way import LIMIT, SAME, SMALLEST, thresholds
from collabsurvey.numerics.typing import FloatArray, IntArray

GRADIENT = 1e-9  # per respondent
MOST_STEPS = 100
DIFFERENCE = 1e-5  # as in joint_ml
ROOT_TWO_PI = np.sqrt(2 * np.pi)


@dataclass(frozen=True, eq=False)
class PolyserialFit:
    """One correlation, its error, and the thresholds behind it."""

    rho: float
    std_error: float  # from the observed information; NaN for the closed formula
    cuts: FloatArray  # (c - 1,)
    converged: bool
    at_limit: bool


def closed_form(z: FloatArray, codes: IntArray, weight: FloatArray) -> PolyserialFit:
    """Two-step formula r s_y / sum phi(tau), with codes 0, 1, … (polycor, psych)."""
    counts = np.bincount(codes, weights=weight).astype(np.float64)
    cuts = thresholds(counts)
    mean = weight @ codes / weight.sum()
    both = weight @ (z * (codes - mean)) / weight.sum()
    density = np.exp(-(cuts**2) / 2) / ROOT_TWO_PI
    rho = float(both / density.sum())
    limited = abs(rho) > LIMIT
    rho = float(np.clip(rho, -LIMIT, LIMIT))
    return PolyserialFit(rho, float("nan"), cuts, True, limited)


def likelihood_fit(
    z: FloatArray, codes: IntArray, weight: FloatArray, *, joint: bool
) -> PolyserialFit:
    """Maximum likelihood in rho and the thresholds (joint), or in rho alone given the margins.

    z (n,) is standardised; codes (n,) are 0, 1, … without gaps.
    """
    if joint and (direction := _perfect_order(z, codes)):
        return PolyserialFit(direction * LIMIT, float("nan"), _gaps(z, codes), True, True)
    start = closed_form(z, codes, weight)
    x = np.concatenate([[np.clip(start.rho, -0.95, 0.95)], start.cuts])
    free = len(x) if joint else 1
    n = weight.sum()
    value = _loglik(z, codes, weight, x)
    converged = False
    for _ in range(MOST_STEPS):
        gradient = _gradient(z, codes, weight, x)[:free]
        if np.abs(gradient).max() < GRADIENT * n:
            converged = True
            break
        hessian = _hessian(z, codes, weight, x, free)
        # Where the likelihood is not yet concave, a short step uphill.
        step = gradient / n
        if np.linalg.eigvalsh(hessian)[-1] < 0:
            step = -np.linalg.solve(hessian, gradient)
        moved = False
        for halving in range(40):
            trial = x.copy()
            trial[:free] += step / 2**halving
            if abs(trial[0]) < LIMIT and (np.diff(trial[1:]) > 0).all():
                found = _loglik(z, codes, weight, trial)
                if found >= value - 1e-12 * abs(value):
                    x, value, moved = trial, found, True
                    break
        if not moved:
            break
    end = np.concatenate([[np.copysign(LIMIT, x[0])], x[1:]])
    at_limit = abs(x[0]) > LIMIT - 1e-4 or _loglik(z, codes, weight, end) >= value - SAME * n
    if at_limit:
        return PolyserialFit(float(end[0]), float("nan"), x[1:], True, True)
    covariance = np.linalg.pinv(-_hessian(z, codes, weight, x, free))
    error = float(np.sqrt(covariance[0, 0])) if covariance[0, 0] > 0 else float("nan")
    return PolyserialFit(float(x[0]), error, x[1:], converged, False)


def _perfect_order(z: FloatArray, codes: IntArray) -> int:
    """Return 1 or -1 where z rises or falls from each category to the next, 0 where it does not.

    The likelihood of such answers grows up to ±1, flat to every digit long before.
    """
    lowest, highest = _ranges(z, codes)
    if (highest[:-1] < lowest[1:]).all():
        return 1
    return -1 if (lowest[:-1] > highest[1:]).all() else 0


def _gaps(z: FloatArray, codes: IntArray) -> FloatArray:
    """Thresholds (c - 1,) of perfectly ordered answers: the middle of each gap."""
    lowest, highest = _ranges(z, codes)
    if highest[0] < lowest[1]:
        return (highest[:-1] + lowest[1:]) / 2
    return -(lowest[:-1] + highest[1:]) / 2


def _ranges(z: FloatArray, codes: IntArray) -> tuple[FloatArray, FloatArray]:
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) > 0])
    return np.minimum.reduceat(z[order], starts), np.maximum.reduceat(z[order], starts)


def _edges(z: FloatArray, codes: IntArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Standardised thresholds above and below each answer (n,)."""
    cuts = np.concatenate([[-np.inf], x[1:], [np.inf]])
    root = np.sqrt((1 - x[0]) * (1 + x[0]))
    return (cuts[codes + 1] - x[0] * z) / root, (cuts[codes] - x[0] * z) / root


def _probability(upper: FloatArray, lower: FloatArray) -> FloatArray:
    """Phi(upper) - Phi(lower), from the tail that keeps the digits."""
    flip = lower > 0
    p = np.where(
        flip, special.ndtr(-lower) - special.ndtr(-upper), special.ndtr(upper) - special.ndtr(lower)
    )
    return np.maximum(p, SMALLEST)


def _loglik(z: FloatArray, codes: IntArray, weight: FloatArray, x: FloatArray) -> float:
    return float(weight @ np.log(_probability(*_edges(z, codes, x))))


def _gradient(z: FloatArray, codes: IntArray, weight: FloatArray, x: FloatArray) -> FloatArray:
    """Derivatives of the log-likelihood in rho and each threshold."""
    rho = x[0]
    upper, lower = _edges(z, codes, x)
    p = _probability(upper, lower)
    variance = (1 - rho) * (1 + rho)
    density_up = np.exp(-(upper**2) / 2) / ROOT_TWO_PI
    density_low = np.exp(-(lower**2) / 2) / ROOT_TWO_PI
    finite_up = np.where(np.isfinite(upper), upper, 0.0)
    finite_low = np.where(np.isfinite(lower), lower, 0.0)
    # d edge / d rho = (rho edge / root - z) / root, zero at infinity where the density is
    root = np.sqrt(variance)
    slope_up = density_up * (rho * finite_up / root - z)
    slope_low = density_low * (rho * finite_low / root - z)
    share = weight / p / root
    out = np.zeros(len(x))
    out[0] = share @ (slope_up - slope_low)
    k = len(x) - 1
    up = np.bincount(codes, weights=share * density_up, minlength=k + 1)
    low = np.bincount(codes, weights=share * density_low, minlength=k + 1)
    out[1:] = up[:k] - low[1:]
    return out


def _hessian(
    z: FloatArray, codes: IntArray, weight: FloatArray, x: FloatArray, free: int
) -> FloatArray:
    """Second derivatives (free, free), central differences of the exact gradient."""
    hessian = np.empty((free, free))
    for j in range(free):
        up, down = x.copy(), x.copy()
        up[j] += DIFFERENCE
        down[j] -= DIFFERENCE
        change = _gradient(z, codes, weight, up) - _gradient(z, codes, weight, down)
        hessian[j] = change[:free] / (2 * DIFFERENCE)
    return (hessian + hessian.T) / 2
