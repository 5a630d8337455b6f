"""Maximum likelihood of a cumulative link model with a random intercept.

A quasi-Newton search with the exact gradient, then Newton steps with a Hessian of central
differences of that gradient, whose inverse is the covariance of thresholds, coefficients and the
standard deviation together (as `ordinal::clmm`, which keeps the logarithm of the standard
deviation). Parameters are sought in units of their standard errors without the random intercept.

The standard deviation has no bound: the likelihood does not depend on its sign, and zero is an
ordinary stationary point, told from a saddle by the Hessian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.cumulative import CumulativeFit
from collabsurvey.numerics.cumulative_link import LATENT_VARIANCE
from collabsurvey.numerics.cumulative_mixed import (
    Evaluation,
    MixedRows,
    NodeRule,
    evaluate,
    node_rule,
    split,
)
from collabsurvey.numerics.glmm_fit import newton
from collabsurvey.numerics.typing import FloatArray

STARTS = (0.7, 0.1, 2.5)  # standard deviations tried in turn, in units of the latent error's
SEARCHED = 3e-4  # largest derivative, per standard error, at which Newton's steps take over
CONVERGED = 1e-8  # what a further Newton step may still promise, in log-likelihood
CROSSED = 1e10  # minus log-likelihood where thresholds cross
LEAST_CURVED = 0.01  # of a parameter that runs away, so that its steps stay finite
VANISHING = 1e-5  # a standard deviation below this is zero
# A standard deviation, in units of the latent error's, that puts every cluster into one category.
LARGEST_SD = 20.0


@dataclass(frozen=True, eq=False)
class CumulativeMixedFit:
    """The optimum and the optimiser's record."""

    theta: FloatArray  # (J - 1, r)
    beta: FloatArray  # (p,)
    sd: float
    loglik: float
    covariance: FloatArray  # (P + 1, P + 1) of (Theta row by row, beta, sd)
    modes: FloatArray  # (G,) of sd u
    mode_sds: FloatArray  # (G,) conditional standard deviations, the parameters taken as known
    ran_away: bool  # the standard deviation on its way to infinity
    converged: bool
    method: str
    n_iterations: int
    n_evaluations: int
    gradient_norm: float  # largest derivative, in units of about a standard error
    decrement: float  # what a further Newton step promises, in log-likelihood


def fit_cumulative_mixed(
    rows: MixedRows, start: CumulativeFit, *, n_quad: int
) -> CumulativeMixedFit:
    """Maximise over thresholds, coefficients and sd; `start` is the fit without it."""
    best: CumulativeMixedFit | None = None
    for sd in STARTS:
        found = _Search(rows, start, n_quad).run(sd * np.sqrt(LATENT_VARIANCE[rows.link]))
        if best is None or found.loglik > best.loglik + 1e-9:
            best = found
        if best.converged or best.ran_away:
            break
    if best is None:  # STARTS is never empty
        raise RuntimeError("no start was tried")
    return best


class _Search:
    """One search: it remembers the modes, where the next evaluation looks for them."""

    def __init__(self, rows: MixedRows, start: CumulativeFit, n_quad: int) -> None:
        self.link = rows.link
        self.rule: NodeRule = node_rule(n_quad)
        self.blocks = split(rows, n_quad)
        self.modes = np.zeros(len(rows.starts))
        self.shape = (rows.n_thresholds, rows.w.shape[1])
        self.centre = start.parameters
        self.scale = np.eye(len(self.centre) + 1)  # parameters = centre + scale @ values
        curved, vectors = np.linalg.eigh(start.information)
        self.scale[:-1, :-1] = vectors / np.sqrt(np.maximum(curved, LEAST_CURVED))
        self.scale[-1, -1] = np.sqrt(LATENT_VARIANCE[rows.link] / (2 * len(rows.starts)))
        self.count = 0

    def run(self, sd: float) -> CumulativeMixedFit:
        from scipy.optimize import minimize

        # Effects in a cluster are larger than those averaged over clusters.
        larger = np.sqrt(1 + sd**2 / LATENT_VARIANCE[self.link])
        begin = np.append(self.centre * (larger - 1), sd)
        searched = minimize(
            self.cost,
            np.linalg.solve(self.scale, begin),
            jac=True,
            method="BFGS",
            options={"gtol": SEARCHED, "maxiter": 300},
        )
        values, hessian, decrement, steps = newton(self.cost, np.asarray(searched.x))
        values[-1] = abs(values[-1])
        if values[-1] * self.scale[-1, -1] < VANISHING:
            values[-1] = 0.0
        found = self.look(values)
        if found is None:
            raise RuntimeError("thresholds cross at the optimum")
        theta, beta, sd = self.parameters(values)
        curved = np.linalg.eigvalsh(hessian)
        largest = LARGEST_SD * np.sqrt(LATENT_VARIANCE[self.link])
        ran_away = bool(sd > largest)
        sound = bool(curved[0] > -1e-6 * curved[-1])
        return CumulativeMixedFit(
            theta=theta,
            beta=beta,
            sd=sd,
            loglik=found.loglik,
            covariance=self.scale @ _inverse(hessian) @ self.scale.T,
            modes=sd * found.modes,
            mode_sds=sd * found.roots,
            ran_away=ran_away,
            converged=bool(sound and decrement < CONVERGED and not ran_away),
            method="BFGS, then Newton",
            n_iterations=int(searched.nit) + steps,
            n_evaluations=self.count,
            gradient_norm=float(np.abs(self.slope(found)).max()),
            decrement=decrement,
        )

    def parameters(self, values: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        at = self.scale @ values
        at[:-1] += self.centre
        k = self.shape[0] * self.shape[1]
        return at[:k].reshape(self.shape), at[k:-1], float(at[-1])

    def look(self, values: FloatArray) -> Evaluation | None:
        self.count += 1
        theta, beta, sd = self.parameters(values)
        found = evaluate(self.blocks, theta, beta, sd, self.modes, self.rule)
        if found is not None:
            self.modes = found.modes
        return found

    def slope(self, found: Evaluation) -> FloatArray:
        by_parameters = np.concatenate((found.theta.ravel(), found.beta, [found.sd]))
        return np.asarray(self.scale.T @ by_parameters)

    def cost(self, values: FloatArray) -> tuple[float, FloatArray]:
        found = self.look(values)
        if found is None:
            return CROSSED, np.zeros(len(values))
        return -found.loglik, -self.slope(found)


def _inverse(hessian: FloatArray) -> FloatArray:
    """Inverse over the directions in which the likelihood is curved."""
    values, vectors = np.linalg.eigh(hessian)
    sound = values > 1e-9 * values[-1]
    return np.asarray((vectors[:, sound] / values[sound]) @ vectors[:, sound].T)
