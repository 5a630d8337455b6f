"""Satterthwaite degrees of freedom of a mixed model's fixed effects, as lmerTest.

The variance of a contrast, c'V c, depends on the variance parameters (theta, sigma); its own
variance follows from the Hessian of the deviance in them (Kuznetsova et al., 2017,
doi:10.18637/jss.v082.i13, section 2). First derivatives are analytic; the Hessian is their central
difference. theta are the elements of the relative covariance factor L.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from collabsurvey.numerics.mixed import (
    GroupProducts,
    MixedFit,
    evaluate,
    filled,
    free_elements,
    jacobian,
)
from collabsurvey.numerics.typing import FloatArray

# As lmerTest: directions in which the deviance is flat carry no information.
FLAT = 1e-8


@dataclass(frozen=True, eq=False)
class VarianceParameters:
    """How the covariance of the fixed effects moves with (theta, sigma)."""

    covariance: FloatArray  # (k + 1, k + 1) of (theta, sigma)
    derivative: FloatArray  # (k + 1, p, p) of the covariance of beta, on Q
    vcov: FloatArray  # (p, p) covariance of beta, on Q


def variance_parameters(
    products: GroupProducts, fit: MixedFit, *, correlated: bool
) -> VarianceParameters:
    """Asymptotic covariance of (theta, sigma) and the derivatives of vcov(beta).

    The df do not depend on the scale of Z: where the slope of the deviance is zero, its Hessian
    follows any change of parameters, and a column of L at zero has no part in either.
    """
    q, p = products.n_random, products.n_fixed
    rows, columns = free_elements(q, correlated=correlated)
    n, at, lower, sigma2 = products.df_total, fit.at, fit.lower, fit.sigma2
    sigma = np.sqrt(sigma2)
    theta = lower[rows, columns]

    def slope(values: FloatArray) -> FloatArray:
        """Return derivatives (k,) of the deviance at this sigma."""
        here = filled(values, rows, columns, q)
        by_d = evaluate(products, here).gradient(products, sigma2)
        return np.asarray(2 * (by_d @ here)[rows, columns])

    k = len(theta)
    hessian = np.empty((k + 1, k + 1))
    hessian[:k, :k] = jacobian(slope, theta, 1e-3 * np.maximum(np.abs(theta), 0.1))
    # The deviance holds r2 / sigma^2, and r2 falls by a a' as D grows.
    by_sigma = 4 / sigma**3 * (at.a_g.T @ at.a_g) @ lower
    hessian[:k, k] = hessian[k, :k] = by_sigma[rows, columns]
    hessian[k, k] = 6 * at.r2 / sigma**4 - 2 * n / sigma2
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    sound = values > FLAT
    covariance = 2 * (vectors[:, sound] / values[sound]) @ vectors[:, sound].T
    # dV = sigma^2 M (sum of B' dD B) M, with dD = dL L' + L dL'.
    reach = at.b_g @ at.unscaled  # (G, q, p)
    flat = reach.reshape(len(reach), q * p)
    spread = (flat.T @ flat).reshape(q, p, q, p)
    moved = np.einsum("apbr,bj->ajpr", spread, lower)
    change = moved[rows, columns]
    derivative = np.empty((k + 1, p, p))
    derivative[:k] = sigma2 * (change + change.transpose(0, 2, 1))
    derivative[k] = 2 * sigma * at.unscaled
    return VarianceParameters(covariance, derivative, sigma2 * at.unscaled)


def satterthwaite_df(parameters: VarianceParameters, contrasts: FloatArray) -> FloatArray:
    """Degrees of freedom (k,) of contrasts (k, p) on Q: 2 V^2 / var(V)."""
    variance = np.einsum("kp,pr,kr->k", contrasts, parameters.vcov, contrasts)
    slopes = np.einsum("kp,vpr,kr->kv", contrasts, parameters.derivative, contrasts)
    of_variance = np.einsum("kv,vw,kw->k", slopes, parameters.covariance, slopes)
    return np.asarray(2 * variance**2 / of_variance)


def joint_test(
    parameters: VarianceParameters, contrasts: FloatArray, estimates: FloatArray
) -> tuple[float, float, float]:
    """F, its denominator df and p, that several contrasts are zero, as lmerTest's contestMD."""
    q = len(contrasts)
    values, vectors = np.linalg.eigh(contrasts @ parameters.vcov @ contrasts.T)
    rotated = vectors.T @ contrasts
    statistic = float(((vectors.T @ estimates) ** 2 / values).sum() / q)
    df = satterthwaite_df(parameters, rotated)
    df2 = pooled_df(df)
    return statistic, df2, float(fdtrc(q, df2, statistic))


def pooled_df(df: FloatArray) -> float:
    """Denominator df of an F from the df of its independent t (Fai & Cornelius, 1996, eq. 5)."""
    if np.ptp(df) < 1e-8:
        return float(df.mean())
    if (df <= 2).any():
        return 2.0
    expected = float((df / (df - 2)).sum())
    return 2 * expected / (expected - len(df))
