"""The linear mixed model with one grouping factor, from cross-products per group.

lme4's profiled deviance and REML criterion (Bates et al., 2015, doi:10.18637/jss.v067.i01, eq. 34
and 41) with an analytic gradient. Rows enter through W_g'W_g of W = [Z, Q, e], where Q'Q = I and
Q'e = 0 over all rows (`moments.design`). With relative covariance D = L L', V_g = I + Z_g D Z_g'
and P_g = L (I + L'Z_g'Z_g L)^-1 L', every term is a q × q or p × p matrix per group.

L is sought without bounds, for D does not depend on the signs of its columns; a variance of
zero is then an ordinary stationary point, told from a saddle by the sign of the curvature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.typing import FloatArray, IntArray

STARTS = (1.0, 0.2, 5.0)  # relative standard deviations tried in turn; lme4 starts at 1
DECREMENT = 1e-8  # what a further Newton step may still promise, in deviance
NEWTON_STEPS = 12
VANISHING = 1e-6  # a column of L shorter than this is set to zero


@dataclass(frozen=True, eq=False)
class GroupProducts:
    """Products of each group, and what is needed of all rows."""

    zz: FloatArray  # (G, q, q)
    zx: FloatArray  # (G, q, p)
    ze: FloatArray  # (G, q)
    ee: float
    n_rows: int
    reml: bool

    @property
    def n_random(self) -> int:
        """q, random effects per group."""
        return int(self.zz.shape[1])

    @property
    def n_fixed(self) -> int:
        """p, fixed coefficients."""
        return int(self.zx.shape[2])

    @property
    def df_total(self) -> int:
        """N for ML, N - p for REML."""
        return self.n_rows - (self.n_fixed if self.reml else 0)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The model at one L; the criterion is -2 log-likelihood of e on Q without weights."""

    criterion: float
    r2: float  # penalised residual sum of squares; sigma^2 = r2 / df_total
    beta: FloatArray  # (p,) on Q
    unscaled: FloatArray  # (p, p) inverse of Q'V^-1 Q
    p_g: FloatArray  # (G, q, q)
    b_g: FloatArray  # (G, q, p) Z'V^-1 Q
    a_g: FloatArray  # (G, q) Z'V^-1 (e - Q beta)
    s_sum: FloatArray  # (q, q) sum of Z'V^-1 Z

    @property
    def b_spread(self) -> FloatArray:
        """(q, q) sum of B_g M B_g', the REML part of the gradient."""
        rooted = self.b_g @ np.linalg.cholesky(self.unscaled)
        joined = rooted.transpose(1, 0, 2).reshape(rooted.shape[1], -1)
        return np.asarray(joined @ joined.T)

    def gradient(self, products: GroupProducts, sigma2: float) -> FloatArray:
        """Derivative (q, q) of the criterion with respect to D at a given sigma^2."""
        found = self.s_sum - self.a_g.T @ self.a_g / sigma2
        if products.reml:
            found = found - self.b_spread
        return np.asarray((found + found.T) / 2)


@dataclass(frozen=True, eq=False)
class MixedFit:
    """The optimum and the optimiser's record."""

    lower: FloatArray  # (q, q) L
    at: Evaluation
    sigma2: float
    converged: bool
    method: str
    n_iterations: int
    n_evaluations: int
    gradient_norm: float  # largest absolute derivative of the criterion
    decrement: float  # what a further Newton step promises, in deviance


def evaluate(products: GroupProducts, lower: FloatArray) -> Evaluation:
    """Criterion and everything its derivatives are made of, at L (q, q)."""
    g, q, p = products.zx.shape
    inner = lower.T @ products.zz @ lower
    inner[:, range(q), range(q)] += 1.0
    factor = np.linalg.cholesky(inner)
    log_v = 2 * float(np.log(factor[:, range(q), range(q)]).sum())
    half = np.linalg.solve(factor, np.broadcast_to(lower.T, (g, q, q)))  # F^-1 L'
    p_g = half.transpose(0, 2, 1) @ half
    shrink = np.eye(q) - products.zz @ p_g
    b_g = shrink @ products.zx
    c_g = (shrink @ products.ze[:, :, None])[:, :, 0]
    h_x = (half @ products.zx).reshape(g * q, p)
    h_e = (half @ products.ze[:, :, None]).reshape(g * q)
    information = np.eye(p) - h_x.T @ h_x
    unscaled = np.linalg.inv(information)
    cross = -h_x.T @ h_e
    beta = unscaled @ cross
    r2 = products.ee - float(h_e @ h_e) - float(beta @ cross)
    n = products.df_total
    criterion = log_v + n * (1 + np.log(2 * np.pi * r2 / n))
    if products.reml:
        criterion += float(np.linalg.slogdet(information)[1])
    return Evaluation(
        criterion=float(criterion),
        r2=r2,
        beta=beta,
        unscaled=(unscaled + unscaled.T) / 2,
        p_g=p_g,
        b_g=b_g,
        a_g=c_g - b_g @ beta,
        s_sum=(shrink @ products.zz).sum(axis=0),
    )


def fit_mixed(products: GroupProducts, *, correlated: bool) -> MixedFit:
    """Minimise the criterion over L: lower triangular, or diagonal if not correlated."""
    from scipy.optimize import minimize

    rows, columns = free_elements(products.n_random, correlated=correlated)
    count = 0

    def criterion(theta: FloatArray) -> tuple[float, FloatArray]:
        nonlocal count
        count += 1
        lower = filled(theta, rows, columns, products.n_random)
        at = evaluate(products, lower)
        slope = 2 * at.gradient(products, at.r2 / products.df_total) @ lower
        return at.criterion, slope[rows, columns]

    best: MixedFit | None = None
    for start in STARTS:
        theta = np.where(rows == columns, start, 0.0)
        found = minimize(
            criterion,
            theta,
            jac=True,
            method="L-BFGS-B",
            options={"ftol": 1e-13, "gtol": 1e-6, "maxiter": 500},
        )
        theta, decrement, steps = polished(lambda t: criterion(t)[1], np.asarray(found.x))
        lower = standardised(filled(theta, rows, columns, products.n_random))
        at = evaluate(products, lower)
        sigma2 = at.r2 / products.df_total
        slope = at.gradient(products, sigma2)
        rises = rises_from(lower, slope, products.n_rows, correlated=correlated)
        here = MixedFit(
            lower=lower,
            at=at,
            sigma2=sigma2,
            converged=bool(abs(decrement) < DECREMENT and rises),
            method="L-BFGS-B, then Newton",
            n_iterations=int(found.nit) + steps,
            n_evaluations=count,
            gradient_norm=float(np.abs(2 * (slope @ lower)[rows, columns]).max()),
            decrement=float(abs(decrement)),
        )
        if best is None or here.at.criterion < best.at.criterion - 1e-9:
            best = here
        if best.converged:
            break
    if best is None:  # STARTS is never empty
        raise RuntimeError("no start was tried")
    return best


def polished(
    gradient: Callable[[FloatArray], FloatArray], theta: FloatArray
) -> tuple[FloatArray, float, int]:
    """Newton steps while they shorten the gradient; theta, last decrement, steps taken."""
    slope = gradient(theta)
    decrement = np.inf
    for step in range(NEWTON_STEPS):
        hessian = jacobian(gradient, theta, 1e-4 * np.maximum(np.abs(theta), 0.01))
        values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
        along = vectors.T @ slope
        usable = np.abs(values) > 1e-9 * np.abs(values).max(initial=1e-300)
        move = vectors[:, usable] @ (along[usable] / np.abs(values[usable]))
        decrement = float(slope @ move)
        if decrement < 1e-4 * DECREMENT:
            return theta, decrement, step
        for shorter in (1.0, 0.25, 0.05):
            trial = theta - shorter * move
            trial_slope = gradient(trial)
            if np.linalg.norm(trial_slope) < np.linalg.norm(slope):
                theta, slope = trial, trial_slope
                break
        else:
            return theta, decrement, step
    return theta, decrement, NEWTON_STEPS


def jacobian(
    function: Callable[[FloatArray], FloatArray], at: FloatArray, steps: FloatArray
) -> FloatArray:
    """Central differences with one Richardson step: (len(f), len(at)), error of order h^4."""
    columns = []
    for i, h in enumerate(steps):
        unit = np.zeros(len(at))
        unit[i] = h
        wide = (function(at + unit) - function(at - unit)) / (2 * h)
        narrow = (function(at + unit / 2) - function(at - unit / 2)) / h
        columns.append((4 * narrow - wide) / 3)
    return np.stack(columns, axis=-1)


def rises_from(lower: FloatArray, slope: FloatArray, n_rows: int, *, correlated: bool) -> bool:
    """Whether the criterion rises in every direction in which D has no variance."""
    tolerance = 1e-6 * n_rows
    if not correlated:
        still = np.abs(np.diag(lower)) == 0
        return bool((np.diag(slope)[still] >= -tolerance).all())
    values, vectors = np.linalg.eigh(lower @ lower.T)
    null = vectors[:, values <= VANISHING**2 * max(float(values[-1]), 1.0)]
    if null.shape[1] == 0:
        return True
    return bool(np.linalg.eigvalsh(null.T @ slope @ null)[0] >= -tolerance)


def free_elements(q: int, *, correlated: bool) -> tuple[IntArray, IntArray]:
    """Rows and columns of the elements of L that are estimated, column by column as lme4."""
    if not correlated:
        return np.arange(q), np.arange(q)
    pairs = [(i, j) for j in range(q) for i in range(j, q)]
    return np.array([i for i, _ in pairs]), np.array([j for _, j in pairs])


def filled(theta: FloatArray, rows: IntArray, columns: IntArray, q: int) -> FloatArray:
    """L (q, q) from its free elements."""
    lower = np.zeros((q, q))
    lower[rows, columns] = theta
    return lower


def standardised(lower: FloatArray) -> FloatArray:
    """The same D with a diagonal of 0 or more, and vanishing columns at zero."""
    signs = np.where(np.diag(lower) < 0, -1.0, 1.0)
    result = lower * signs
    result[:, np.linalg.norm(result, axis=0) < VANISHING] = 0.0
    return np.asarray(result)


def lower_root(root: FloatArray) -> FloatArray:
    """Lower triangular L with L L' = root root', diagonal 0 or more; root may be singular."""
    upper = np.linalg.qr(root.T).R
    return standardised(upper.T)
