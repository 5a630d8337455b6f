"""Outcomes with a logit or log link, row by row: log-likelihood, score, curvature.

Successes of a number of trials (logit), counts (Poisson) and counts with extra variation (negative
binomial, variance mu + mu^2 / shape, both with a log link). All are log-concave in the linear
predictor eta, so Newton's method finds their modes. Curvatures are observed, not expected; for the
first two families the same, for the negative binomial as glmmTMB and not as lme4's glmer.nb.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.special import digamma, expit, gammaln, xlogy

from collabsurvey.numerics.typing import FloatArray

Family = Literal["binomial", "poisson", "negbin"]
LARGEST_LOG_SHAPE = 300.0  # either way: a step of the search beyond is no number to gammaln()
LARGEST_LOG_MEAN = 200.0  # exp() of more would overflow in sums; no mean of a count is near


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was counted in each row, and how many rows each row stands for."""

    family: Family
    count: FloatArray  # (n,) successes, or a count
    trials: FloatArray  # (n,) trials; ones for counts
    weight: FloatArray  # (n,) positive

    @cached_property
    def y(self) -> FloatArray:
        """(n,) weighted counts."""
        return np.asarray(self.weight * self.count)

    @cached_property
    def size(self) -> FloatArray:
        """(n,) weighted trials."""
        return np.asarray(self.weight * self.trials)

    def part(self, rows: slice) -> Outcome:
        """Some of the rows."""
        return Outcome(self.family, self.count[rows], self.trials[rows], self.weight[rows])

    def constant(self, log_shape: float) -> float:
        """Sum of the parts of the log-likelihood that do not depend on eta."""
        if self.family == "binomial":
            ways = (
                gammaln(self.trials + 1)
                - gammaln(self.count + 1)
                - gammaln(self.trials - self.count + 1)
            )
        elif self.family == "poisson":
            ways = -gammaln(self.count + 1)
        else:
            shape = _shape(log_shape)
            ways = gammaln(self.count + shape) - gammaln(shape) - gammaln(self.count + 1)
        return float(self.weight @ ways)

    def saturated(self) -> float:
        """Log-likelihood where every row has its own mean; not for the negative binomial."""
        if self.family == "binomial":
            missed = self.trials - self.count
            own = xlogy(self.count, self.count / self.trials)
            own = own + xlogy(missed, missed / self.trials)
        else:
            own = xlogy(self.count, self.count) - self.count
        return self.constant(0.0) + float(self.weight @ own)


@dataclass(frozen=True, eq=False)
class Curvature:
    """Derivatives of the log-likelihood in eta, each (n,)."""

    loglik: FloatArray  # without its constant
    score: FloatArray
    weight: FloatArray  # minus the second derivative, positive
    weight_slope: FloatArray  # derivative of `weight`


def log_likelihood(
    outcome: Outcome, eta: FloatArray, log_shape: float
) -> tuple[FloatArray, FloatArray]:
    """Log-likelihood without constant, and score, at eta (..., n)."""
    if outcome.family == "poisson":
        mean = outcome.size * np.exp(np.minimum(eta, LARGEST_LOG_MEAN))
        return outcome.y * eta - mean, outcome.y - mean
    size, eta = _as_trials(outcome, eta, log_shape)
    small = np.exp(-np.abs(eta))
    p = np.where(eta >= 0, 1.0, small) / (1.0 + small)
    loglik = outcome.y * eta - size * (np.maximum(eta, 0.0) + np.log1p(small))
    return loglik, outcome.y - size * p


def curvature(outcome: Outcome, eta: FloatArray, log_shape: float) -> Curvature:
    """Log-likelihood, score and curvature at eta (n,)."""
    loglik, score = log_likelihood(outcome, eta, log_shape)
    if outcome.family == "poisson":
        mean = outcome.y - score
        return Curvature(loglik, score, mean, mean)
    size, eta = _as_trials(outcome, eta, log_shape)
    p = expit(eta)
    weight = size * p * expit(-eta)
    return Curvature(loglik, score, weight, weight * (1 - 2 * p))


def mean_of(family: Family, eta: FloatArray) -> FloatArray:
    """Probability, or expected count."""
    if family == "binomial":
        return np.asarray(expit(eta))
    return np.asarray(np.exp(np.minimum(eta, LARGEST_LOG_MEAN)))


@dataclass(frozen=True, eq=False)
class ShapeSlopes:
    """Derivatives in the log of the shape: of log-likelihood (..., n), score and weight (n,)."""

    loglik: FloatArray
    score: FloatArray
    weight: FloatArray


def shape_slopes(
    outcome: Outcome, nodes: FloatArray, mode: FloatArray, log_shape: float
) -> ShapeSlopes:
    """Derivatives at the nodes' eta (..., n) and the mode's (n,), constants included."""
    shape = _shape(log_shape)
    size = outcome.size * shape  # of the derivative of the number of trials
    trials, at_nodes = _as_trials(outcome, nodes, log_shape)
    r = expit(at_nodes)
    soft = np.maximum(at_nodes, 0.0) + np.log1p(np.exp(-np.abs(at_nodes)))
    fixed = digamma(outcome.count + shape) - digamma(shape)
    loglik = size * (fixed - soft) - outcome.y + trials * r
    at_mode = expit(mode - log_shape)
    spread = at_mode * (1 - at_mode)
    return ShapeSlopes(
        loglik,
        -size * at_mode + trials * spread,
        spread * (size - trials * (1 - 2 * at_mode)),
    )


def _shape(log_shape: float) -> float:
    """Shape of a negative binomial, within what can be calculated with."""
    return float(np.exp(np.clip(log_shape, -LARGEST_LOG_SHAPE, LARGEST_LOG_SHAPE)))


def _as_trials(
    outcome: Outcome, eta: FloatArray, log_shape: float
) -> tuple[FloatArray, FloatArray]:
    """Trials and their logit: a negative binomial count is y of y + shape at eta - log shape."""
    if outcome.family == "binomial":
        return outcome.size, eta
    return outcome.y + outcome.size * _shape(log_shape), eta - log_shape
