"""Kenward and Roger's covariance of fixed effects, and the df of their t and F tests.

Kenward & Roger (1997), doi:10.2307/2533558, with the expected information of the variances, as
pbkrtest (Halekoh & Højsgaard, 2014, doi:10.18637/jss.v059.i09). V is taken relative to the
residual variance, V = I + sum of d_i Z E_i Z', one i for each variance and covariance of the
random effects. What is needed of it are S = Z'V^-1 Z and B = Z'V^-1 X of effects whose rows
meet (`numerics.random_systems`), and no matrix of rows by rows. The residual is the last parameter;
for I = V - sum of d_i Z E_i Z' its pieces follow from those of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from collabsurvey.numerics.random_systems import EffectSystem
from collabsurvey.numerics.typing import FloatArray

UNKNOWN = 1e-10  # share of its own scale below which a direction holds no information
NEAR_TWO = 0.01  # as pbkrtest: a denominator df this near 2 leaves F as it is


@dataclass(frozen=True, eq=False)
class VarianceDerivatives:
    """What the tests are made of; matrices are on the basis of the fixed effects."""

    phi: FloatArray  # (p, p) inverse of X'V^-1 X
    first: FloatArray  # (k, p, p) P_i = -X'V^-1 G_i V^-1 X
    second: FloatArray  # (k, k, p, p) Q_ij = X'V^-1 G_i V^-1 G_j V^-1 X
    traces: FloatArray  # (k, k) tr(V^-1 G_i V^-1 G_j)


@dataclass(frozen=True, eq=False)
class KenwardRoger:
    """The adjusted covariance and what df are made of, in units of the residual variance."""

    vcov: FloatArray  # (p, p)
    phi: FloatArray  # (p, p) without adjustment
    moved: FloatArray  # (k, p, p) Phi P_i Phi
    weights: FloatArray  # (k, k) W, covariance of the variances
    sigma2: float

    @property
    def covariance(self) -> FloatArray:
        """(p, p) adjusted, in units of the outcome squared."""
        return self.sigma2 * self.vcov

    def df(self, contrasts: FloatArray) -> FloatArray:
        """Degrees of freedom (c,) of contrasts (c, p), each alone: 2 / A of the paper, A1 = A2."""
        variance = np.einsum("cp,pr,cr->c", contrasts, self.phi, contrasts)
        share = np.einsum("cp,kpr,cr->ck", contrasts, self.moved, contrasts) / variance[:, None]
        with np.errstate(divide="ignore"):
            return np.asarray(2 / np.einsum("ck,kl,cl->c", share, self.weights, share))

    def test(self, contrasts: FloatArray, estimates: FloatArray) -> FTest:
        """Scaled F that contrasts (q, p), with these estimates (q,), are all zero."""
        q = len(contrasts)
        adjusted = self.sigma2 * contrasts @ self.vcov @ contrasts.T
        wald = float(estimates @ np.linalg.solve(adjusted, estimates)) / q
        if q == 1:
            df2, scaling = float(self.df(contrasts)[0]), 1.0
        else:
            df2, scaling = self._scaled(contrasts)
        statistic = scaling * wald
        return FTest(statistic, q, df2, float(fdtrc(q, df2, statistic)), scaling)

    def _scaled(self, contrasts: FloatArray) -> tuple[float, float]:
        """Denominator df and the factor of F (Kenward & Roger, 1997, p. 988)."""
        q = len(contrasts)
        inner = np.linalg.inv(contrasts @ self.phi @ contrasts.T)
        u = inner @ (contrasts @ self.moved @ contrasts.T)  # (k, q, q)
        trace = np.einsum("kaa->k", u)
        a1 = float(trace @ self.weights @ trace)
        a2 = float(np.einsum("kab,lba,kl->", u, u, self.weights))
        b = (a1 + 6 * a2) / (2 * q)
        g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
        below = 3 * q + 2 * (1 - g)
        numerator = 1 + g / below * b
        v1 = 1 - (q - g) / below * b
        v2 = 1 - (q + 2 - g) / below * b
        left = 1 - a2 / q
        ratio = 1.0 if abs(left) < 1e-14 and abs(v1) < 1e-14 else left / v1
        rho = ratio**2 * max(numerator, 0.0) / (q * v2)
        df2 = 4 + (q + 2) / (q * rho - 1)
        scaling = 1.0 if abs(df2 - 2) < NEAR_TWO else df2 * left / (df2 - 2)
        return df2, scaling


@dataclass(frozen=True)
class FTest:
    """A test that several contrasts are zero."""

    statistic: float  # F
    df1: float
    df2: float
    p_value: float
    scaling: float  # what the Wald statistic over its df was multiplied by


def kenward_roger(
    systems: Sequence[EffectSystem],
    relative: FloatArray,
    phi: FloatArray,
    *,
    n_rows: int,
    sigma2: float,
) -> KenwardRoger:
    """Adjust a REML fit.

    `relative` (k - 1,) are the elements of D, in the order of the systems' links.
    """
    pieces = variance_derivatives(systems, relative, phi, n_rows=n_rows)
    moved = phi @ pieces.first  # (k, p, p) Phi P_i
    across = np.einsum("ijpr,rp->ij", pieces.second, phi)
    information = pieces.traces - 2 * across + np.einsum("ipr,jrp->ij", moved, moved)
    weights = 2 * scaled_inverse((information + information.T) / 2)
    spread = np.einsum("ij,ijpr->pr", weights, pieces.second)
    spread -= np.einsum("ij,ipr,jrs->ps", weights, pieces.first, moved)
    vcov = phi + 2 * phi @ spread @ phi
    return KenwardRoger((vcov + vcov.T) / 2, phi, moved @ phi, weights, sigma2)


def scaled_inverse(matrix: FloatArray) -> FloatArray:
    """Inverse of a symmetric matrix (k, k); directions without information are left out."""
    scale = np.sqrt(np.abs(np.diag(matrix)))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    known = values > UNKNOWN * values[-1]
    kept = vectors[:, known] / scale[:, None]
    return np.asarray((kept / values[known]) @ kept.T)


def variance_derivatives(
    systems: Sequence[EffectSystem], relative: FloatArray, phi: FloatArray, *, n_rows: int
) -> VarianceDerivatives:
    """Sums over systems, then the residual's from I = V - sum of d_i G_i."""
    k, p = len(relative) + 1, len(phi)
    first = np.zeros((k, p, p))
    second = np.zeros((k, k, p, p))
    traces = np.zeros((k, k))
    single = np.zeros(k - 1)  # tr(V^-1 G_i)
    for system in systems:
        s, b = system.solved(relative)
        moved = system.linked(b)  # (k - 1, c, m, p) E_i B
        flat = moved.reshape(k - 1, -1, p)
        first[:-1] -= b.reshape(-1, p).T @ flat
        reached = (s @ moved).reshape(k - 1, -1, p)
        joined = flat.transpose(1, 0, 2).reshape(-1, (k - 1) * p)
        products = joined.T @ reached.transpose(1, 0, 2).reshape(joined.shape)
        second[:-1, :-1] += products.reshape(k - 1, p, k - 1, p).transpose(0, 2, 1, 3)
        one, two = system.traces(s)
        single += one
        traces[:-1, :-1] += two
    first[-1] = -np.linalg.inv(phi) - np.tensordot(relative, first[:-1], axes=1)
    second[:-1, -1] = -first[:-1] - np.tensordot(relative, second[:-1, :-1], axes=(0, 1))
    second[-1, :-1] = second[:-1, -1].transpose(0, 2, 1)
    second[-1, -1] = -first[-1] - np.tensordot(relative, second[:-1, -1], axes=1)
    traces[:-1, -1] = traces[-1, :-1] = single - traces[:-1, :-1] @ relative
    traces[-1, -1] = n_rows - single @ relative - relative @ traces[:-1, -1]
    return VarianceDerivatives(phi, first, second, traces)
