"""Maximum likelihood of a generalised mixed model, and the covariance of its parameters.

A quasi-Newton search with the exact gradient, then Newton steps with a Hessian of central
differences of that gradient; the same Hessian gives the observed information of coefficients and
L together, whose inverse holds the covariance of the coefficients (as lme4's `use.hessian=TRUE`).
The coefficients are sought in units of their standard errors without random effects.

As in `numerics.mixed`, L has no bounds: the likelihood does not depend on the signs of its columns,
and a variance of zero is an ordinary stationary point, told from a saddle by the Hessian.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.glm import LARGEST_LOG_SHAPE, GlmFit
from collabsurvey.numerics.glmm import (
    ClusterRows,
    Evaluation,
    Parameters,
    evaluate,
    node_rule,
    split,
)
from collabsurvey.numerics.mixed import filled, free_elements, standardised
from collabsurvey.numerics.typing import FloatArray, IntArray

STARTS = (0.7, 0.1, 2.5)  # standard deviations of the random effects tried in turn
SEARCHED = 1e-4  # largest derivative, per standard error, at which Newton's steps take over
DIFFERENCE = 1e-3  # in units of about a standard error: error of the Hessian near 1e-6
NEWTON_STEPS = 40
DECREMENT = 1e-13  # what a further Newton step may still promise, in log-likelihood
CONVERGED = 1e-8
FAR = 1e-3  # a step, in standard errors, after which the Hessian is taken anew
# A standard deviation on the scale of logits or logs that puts every cluster at never or always.
LARGEST_SD = 30.0


@dataclass(frozen=True, eq=False)
class GlmmFit:
    """The optimum and the optimiser's record."""

    beta: FloatArray  # (p,)
    lower: FloatArray  # (q, q) L
    log_shape: float  # of the negative binomial, else 0
    loglik: float  # constants included
    modes: FloatArray  # (G, q) of L u
    conditional: FloatArray  # (G, q, q) covariance of L u, the parameters taken as known
    covariance: FloatArray  # (P, P) of (beta, free elements of L, log shape)
    ran_away: bool  # a standard deviation on its way to infinity
    converged: bool
    method: str
    n_iterations: int
    n_evaluations: int
    gradient_norm: float  # largest derivative, in units of about a standard error
    decrement: float  # what a further Newton step promises, in log-likelihood


@dataclass(frozen=True, eq=False)
class _Scaling:
    """From the optimiser's numbers to parameters, and derivatives back."""

    centre: FloatArray  # (p,)
    root: FloatArray  # (p, p) coefficients = centre + root @ numbers
    l_scale: float
    rows: IntArray  # of the free elements of L
    columns: IntArray
    q: int
    with_shape: bool

    def parameters(self, values: FloatArray) -> Parameters:
        p, k = len(self.centre), len(self.rows)
        theta = values[p : p + k] * self.l_scale
        return Parameters(
            self.centre + self.root @ values[:p],
            filled(theta, self.rows, self.columns, self.q),
            min(float(values[-1]), LARGEST_LOG_SHAPE) if self.with_shape else 0.0,
        )

    def values(self, at: Parameters) -> FloatArray:
        beta = np.linalg.solve(self.root, at.beta - self.centre)
        theta = at.lower[self.rows, self.columns] / self.l_scale
        return np.concatenate([beta, theta, [at.log_shape] if self.with_shape else []])

    def slope(self, found: Evaluation) -> FloatArray:
        beta = self.root.T @ found.beta
        theta = found.lower[self.rows, self.columns] * self.l_scale
        return np.concatenate([beta, theta, [found.log_shape] if self.with_shape else []])

    def covariance(self, of_values: FloatArray) -> FloatArray:
        p, k = len(self.centre), len(self.rows)
        jacobian = np.eye(len(of_values))
        jacobian[:p, :p] = self.root
        jacobian[p : p + k, p : p + k] *= self.l_scale
        return np.asarray(jacobian @ of_values @ jacobian.T)


def fit_glmm(rows: ClusterRows, start: GlmFit, *, n_quad: int, correlated: bool) -> GlmmFit:
    """Maximise over beta, L (lower triangular, or diagonal if not correlated) and the shape.

    `start` is the fit without random effects on the same columns.
    """
    p, q = rows.x.shape[1], len(rows.z)
    free = free_elements(q, correlated=correlated)
    scaling = _Scaling(
        centre=start.beta,
        root=np.linalg.inv(np.linalg.cholesky(start.information[:p, :p])).T,
        l_scale=1 / np.sqrt(2 * len(rows.starts)),
        rows=free[0],
        columns=free[1],
        q=q,
        with_shape=rows.outcome.family == "negbin",
    )
    best: GlmmFit | None = None
    for sd in STARTS:
        at = Parameters(start.beta, sd * np.eye(q), start.log_shape)
        found = _climbed(rows, scaling, at, n_quad)
        if best is None or found.loglik > best.loglik + 1e-9:
            best = found
        if best.converged or best.ran_away:
            break
    if best is None:  # STARTS is never empty
        raise RuntimeError("no start was tried")
    return best


def _climbed(rows: ClusterRows, scaling: _Scaling, at: Parameters, n_quad: int) -> GlmmFit:
    """Quasi-Newton from one start, then Newton."""
    from scipy.optimize import minimize

    rule = node_rule(n_quad, scaling.q)
    blocks = split(rows, rule.t.shape[1])
    modes = np.zeros((scaling.q, len(rows.starts)))
    count = 0
    constant = rows.outcome.constant(0.0)

    def look(values: FloatArray) -> tuple[Evaluation, float]:
        nonlocal modes, count
        count += 1
        here = scaling.parameters(values)
        found = evaluate(blocks, here, modes, rule)
        modes = found.modes  # where the next evaluation looks for them
        ways = rows.outcome.constant(here.log_shape) if scaling.with_shape else constant
        return found, found.loglik + ways

    def cost(values: FloatArray) -> tuple[float, FloatArray]:
        found, loglik = look(values)
        return -loglik, -scaling.slope(found)

    searched = minimize(
        cost,
        scaling.values(at),
        jac=True,
        method="BFGS",
        options={"gtol": SEARCHED, "maxiter": 300},
    )
    values, hessian, decrement, steps = newton(cost, np.asarray(searched.x))
    values = scaling.values(_with_signs(scaling.parameters(values)))
    found, loglik = look(values)
    here = scaling.parameters(values)
    curved = np.linalg.eigvalsh(hessian)
    sound = bool(curved[0] > -1e-6 * curved[-1])
    sds = np.sqrt((here.lower**2).sum(axis=1))
    l_root = here.lower @ found.roots  # (G, q, q)
    effects = here.lower @ found.modes  # (q, G)
    return GlmmFit(
        beta=here.beta,
        lower=here.lower,
        log_shape=here.log_shape,
        loglik=loglik,
        modes=effects.T,
        conditional=l_root @ l_root.transpose(0, 2, 1),
        covariance=scaling.covariance(_inverse(hessian)),
        ran_away=bool(sds.max() > LARGEST_SD),
        converged=bool(sound and decrement < CONVERGED and sds.max() <= LARGEST_SD),
        method="BFGS, then Newton",
        n_iterations=int(searched.nit) + steps,
        n_evaluations=count,
        gradient_norm=float(np.abs(scaling.slope(found)).max()),
        decrement=decrement,
    )


def newton(
    cost: Callable[[FloatArray], tuple[float, FloatArray]], values: FloatArray
) -> tuple[FloatArray, FloatArray, float, int]:
    """Newton steps while they lower the cost; values, Hessian there, last decrement, steps.

    The Hessian is kept while steps are short, and taken anew after a long one.
    """
    height, slope = cost(values)
    hessian = differences(cost, values)
    moved = 0.0  # since the Hessian was taken
    decrement = np.inf
    for step in range(NEWTON_STEPS):
        move = _descent(hessian, slope)
        decrement = float(-slope @ move)
        if decrement < DECREMENT:
            return values, hessian, decrement, step
        for shorter in (1.0, 0.3, 0.05):
            trial = values + shorter * move
            trial_height, trial_slope = cost(trial)
            # Where the cost is down to rounding, only the slope can tell.
            level = trial_height - height < 1e-12 * max(1.0, abs(height))
            if trial_height < height or (
                level and np.linalg.norm(trial_slope) < np.linalg.norm(slope)
            ):
                break
        else:
            if moved == 0.0:
                return values, hessian, decrement, step
            hessian, moved = differences(cost, values), 0.0
            continue
        moved += float(np.linalg.norm(trial - values))
        slow = height - trial_height < 0.4 * decrement and decrement > CONVERGED
        values, height, slope = trial, trial_height, trial_slope
        if moved > FAR or slow:
            hessian, moved = differences(cost, values), 0.0
    return values, hessian, decrement, NEWTON_STEPS


def differences(
    cost: Callable[[FloatArray], tuple[float, FloatArray]], at: FloatArray
) -> FloatArray:
    """Hessian (P, P) by central differences of the gradient."""
    columns = []
    for i in range(len(at)):
        unit = np.zeros(len(at))
        unit[i] = DIFFERENCE
        columns.append((cost(at + unit)[1] - cost(at - unit)[1]) / (2 * DIFFERENCE))
    hessian = np.array(columns)
    return np.asarray((hessian + hessian.T) / 2)


def _descent(hessian: FloatArray, slope: FloatArray) -> FloatArray:
    """Newton's step, downhill too where the Hessian is not positive definite."""
    values, vectors = np.linalg.eigh(hessian)
    size = np.maximum(np.abs(values), 1e-8 * float(np.abs(values).max()))
    return np.asarray(-vectors @ ((vectors.T @ slope) / size))


def _inverse(hessian: FloatArray) -> FloatArray:
    """Inverse over the directions in which the likelihood is curved."""
    values, vectors = np.linalg.eigh(hessian)
    sound = values > 1e-9 * values[-1]
    return np.asarray((vectors[:, sound] / values[sound]) @ vectors[:, sound].T)


def _with_signs(at: Parameters) -> Parameters:
    return Parameters(at.beta, standardised(at.lower), at.log_shape)
