"""The probability of a category, F(a) - F(b), in logarithms, and its derivatives.

a is the threshold above the category less the linear predictor, b the one below; the lowest
category has b = -inf, the highest a = inf. Written so that no difference of nearly equal numbers is
taken: a category that is almost never, or almost always, chosen keeps its digits.
Links as McCullagh (1980), doi:10.1111/j.2517-6161.1980.tb01109.x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, log_expit, log_ndtr, logit, ndtr, ndtri

from collabsurvey.numerics.typing import FloatArray

Link = Literal["logit", "probit", "cloglog"]
# Variance of the latent error: of the logistic, the normal and the smallest extreme value.
LATENT_VARIANCE: dict[str, float] = {"logit": np.pi**2 / 3, "probit": 1.0, "cloglog": np.pi**2 / 6}
LOG_ROOT_2PI = 0.5 * float(np.log(2 * np.pi))
FAR = 300.0  # the extreme value distribution is 0 or 1 there, and exp(2 x) still a number
REACH = 8.5  # standard deviations either side: the normal density beyond is 1e-16


@dataclass(frozen=True, eq=False)
class Slopes:
    """log(F(a) - F(b)) and its first derivatives, any shape."""

    loglik: FloatArray
    a: FloatArray
    b: FloatArray


@dataclass(frozen=True, eq=False)
class Curvatures:
    """Second derivatives."""

    aa: FloatArray
    ab: FloatArray
    bb: FloatArray


@dataclass(frozen=True, eq=False)
class Thirds:
    """Third derivatives."""

    aaa: FloatArray
    aab: FloatArray
    abb: FloatArray
    bbb: FloatArray


def distribution(link: Link, x: FloatArray) -> FloatArray:
    """F(x), the probability of the latent error being at most x."""
    if link == "logit":
        return np.asarray(expit(x))
    if link == "probit":
        return np.asarray(ndtr(x))
    return np.asarray(-np.expm1(-np.exp(np.minimum(x, FAR))))


def quantile(link: Link, probability: FloatArray) -> FloatArray:
    """The inverse of F."""
    if link == "logit":
        return np.asarray(logit(probability))
    if link == "probit":
        return np.asarray(ndtri(probability))
    return np.asarray(np.log(-np.log1p(-probability)))


def slopes(link: Link, a: FloatArray, b: FloatArray) -> Slopes:
    """log(F(a) - F(b)) and its first derivatives; a > b everywhere."""
    if link == "logit":  # F(a) - F(b) = F(a) F(-b) (1 - exp(b - a))
        step = np.maximum(b - a, -FAR)
        between = 1 / np.expm1(-step)  # exp(b - a) / (1 - exp(b - a))
        loglik = log_expit(a) + log_expit(-b) + np.log(-np.expm1(step))
        return Slopes(loglik, expit(-a) + between, -expit(b) - between)
    if link == "probit":
        flip = a + b > 0  # the upper tail is as exact as the lower
        high, low = log_ndtr(np.where(flip, -b, a)), log_ndtr(np.where(flip, -a, b))
        loglik = high + np.log(-np.expm1(low - high))
        log_a, log_b = -(a**2) / 2 - LOG_ROOT_2PI, -(b**2) / 2 - LOG_ROOT_2PI
    else:
        a, b = np.minimum(a, FAR), np.minimum(b, FAR)
        loglik = np.log(-np.expm1(np.exp(b) - np.exp(a))) - np.exp(b)
        log_a, log_b = a - np.exp(a), b - np.exp(b)
    return Slopes(loglik, np.exp(log_a - loglik), -np.exp(log_b - loglik))


def curvatures(link: Link, a: FloatArray, b: FloatArray, at: Slopes) -> Curvatures:
    """Second derivatives where the first are `at`."""
    return Curvatures(
        aa=at.a * _bend(link, a) - at.a**2,
        ab=-at.a * at.b,
        bb=at.b * _bend(link, b) - at.b**2,
    )


def thirds(link: Link, a: FloatArray, b: FloatArray, at: Slopes) -> Thirds:
    """Third derivatives where the first are `at`."""
    up, down = _bend(link, a), _bend(link, b)
    return Thirds(
        aaa=at.a * _bend_of_bend(link, a, up) - 3 * at.a**2 * up + 2 * at.a**3,
        aab=-at.b * at.a * (up - 2 * at.a),
        abb=-at.a * at.b * (down - 2 * at.b),
        bbb=at.b * _bend_of_bend(link, b, down) - 3 * at.b**2 * down + 2 * at.b**3,
    )


def averaged(link: Link, x: FloatArray, sd: float) -> FloatArray:
    """F(x + sd e) averaged over a standard normal e.

    Exact for the probit; else the trapezoid rule, whose error for this integrand falls
    exponentially in the number of points (Trefethen & Weideman, 2014, doi:10.1137/130932132).
    """
    if link == "probit":
        return distribution(link, x / np.sqrt(1 + sd**2))
    step = min(0.5, 0.6 / max(sd, 1e-6))
    nodes = np.arange(-np.floor(REACH / step), np.floor(REACH / step) + 1) * step
    weights = np.exp(-(nodes**2) / 2)
    weights /= weights.sum()
    total = np.zeros_like(x)
    for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
        total += weight * distribution(link, x + sd * node)
    return total


def _bend(link: Link, x: FloatArray) -> FloatArray:
    """Return f'(x) / f(x), 0 at infinity, where it is multiplied by 0."""
    if link == "logit":
        return np.asarray(1 - 2 * expit(x))
    if link == "probit":
        return np.asarray(np.where(np.isfinite(x), -x, 0.0))
    return np.asarray(1 - np.exp(np.minimum(x, FAR)))


def _bend_of_bend(link: Link, x: FloatArray, bend: FloatArray) -> FloatArray:
    """Return f''(x) / f(x)."""
    if link == "logit":
        return np.asarray((3 * bend**2 - 1) / 2)  # 1 - 6 F (1 - F)
    if link == "probit":
        return np.asarray(bend**2 - 1)
    return np.asarray(bend**2 + bend - 1)  # 1 - 3 e + e^2 with e = 1 - bend
