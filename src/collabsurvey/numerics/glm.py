"""Logistic, Poisson and negative binomial regression by Newton's method, without random effects.

It serves on its own and as the start of the mixed models. Covariances of the coefficients: the
inverse of the observed information, or a sandwich of it around the scores of rows or clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.glm_outcome import (
    Outcome,
    curvature,
    log_likelihood,
    mean_of,
    shape_slopes,
)
from collabsurvey.numerics.typing import FloatArray, IntArray

STEPS = 60
DECREMENT = 1e-14  # what a further Newton step may still promise, in log-likelihood
RUNAWAY = 300.0  # a logit, or a log of a mean, beyond which a coefficient is on its way to infinity
# A shape so large that variance and mean agree to a millionth at means of common counts.
LARGEST_LOG_SHAPE = 14.0


@dataclass(frozen=True, eq=False)
class GlmFit:
    """The optimum, or where a coefficient ran away."""

    beta: FloatArray  # (p,)
    log_shape: float  # of the negative binomial, else 0
    loglik: float
    information: FloatArray  # (P, P) observed, P = p, or p + 1 with the log of the shape last
    scores: FloatArray  # (n, P) of each row, weights applied
    eta: FloatArray  # (n,)
    converged: bool
    n_iterations: int


def fit_glm(x: FloatArray, offset: FloatArray, outcome: Outcome) -> GlmFit:
    """Maximum likelihood for a design (n, p) of full rank and an offset (n,)."""
    p = x.shape[1]
    with_shape = outcome.family == "negbin"
    at = np.append(_start(x, offset, outcome), _start_shape(outcome) if with_shape else [])

    def loglik(values: FloatArray) -> float:
        eta = x @ values[:p] + offset
        log_shape = float(values[p]) if with_shape else 0.0
        rows = log_likelihood(outcome, eta, log_shape)[0]
        return float(rows.sum()) + outcome.constant(log_shape)

    here = loglik(at)
    converged = False
    n_iterations = 0
    while not converged and n_iterations < STEPS:
        n_iterations += 1
        scores, information = _derivatives(x, offset, outcome, at)
        slope = scores.sum(axis=0)
        move = _ascent(information, slope)
        promise = float(slope @ move)
        if promise < DECREMENT * max(1.0, abs(here)):
            converged, at = True, at + move
            continue
        for _ in range(40):
            trial = at + move
            if with_shape:
                trial[p] = min(float(trial[p]), LARGEST_LOG_SHAPE)
            there = loglik(trial)
            if there > here:
                break
            move = move / 2
        else:  # no shorter step is better: rounding
            converged = promise < 1e-8
            break
        at, here = trial, there
        if np.abs(x @ at[:p]).max() > RUNAWAY:
            break
    scores, information = _derivatives(x, offset, outcome, at)
    return GlmFit(
        beta=at[:p],
        log_shape=float(at[p]) if with_shape else 0.0,
        loglik=here,
        information=information,
        scores=scores,
        eta=x @ at[:p] + offset,
        converged=converged,
        n_iterations=n_iterations,
    )


def sandwich(fit: GlmFit, codes: IntArray | None, correction: float) -> FloatArray:
    """Covariance (P, P) from scores summed by cluster (codes (n,)), or row by row."""
    scores = fit.scores
    if codes is not None:
        scores = np.stack([np.bincount(codes, weights=column) for column in scores.T], axis=1)
    bread = np.linalg.inv(fit.information)
    return np.asarray(correction * bread @ (scores.T @ scores) @ bread)


def pearson_ratio(
    outcome: Outcome, eta: FloatArray, log_shape: float, n_parameters: int
) -> tuple[float, float, float]:
    """Pearson's chi-square over its df, the chi-square, and the df.

    Above 1 the counts vary more than the family says (McCullagh & Nelder, 1989, section 4.5).
    """
    mean = mean_of(outcome.family, eta)
    variance = mean
    if outcome.family == "binomial":
        variance = mean * (1 - mean)
    elif outcome.family == "negbin":
        variance = mean + mean**2 * np.exp(-log_shape)
    distance = (outcome.count - outcome.trials * mean) ** 2
    chi2 = float((outcome.weight * distance / (outcome.trials * variance)).sum())
    df = float(outcome.weight.sum()) - n_parameters
    return chi2 / df if df > 0 else float("nan"), chi2, df


def _start(x: FloatArray, offset: FloatArray, outcome: Outcome) -> FloatArray:
    """One step of iterated least squares from the data themselves."""
    if outcome.family == "binomial":
        share = (outcome.count + 0.5) / (outcome.trials + 1)
        eta = np.log(share / (1 - share))
        weight = outcome.size * share * (1 - share)
    else:
        mean = outcome.count + 0.5
        eta = np.log(mean)
        weight = outcome.weight * mean
    root = np.sqrt(weight)
    return np.asarray(np.linalg.lstsq(x * root[:, None], (eta - offset) * root)[0])


def _start_shape(outcome: Outcome) -> float:
    """Log of the shape by moments, between 0.1 and 100."""
    mean = float(np.average(outcome.count, weights=outcome.weight))
    variance = float(np.average((outcome.count - mean) ** 2, weights=outcome.weight))
    shape = mean**2 / max(variance - mean, 1e-3 * mean)
    return float(np.log(np.clip(shape, 0.1, 100.0)))


def _derivatives(
    x: FloatArray, offset: FloatArray, outcome: Outcome, at: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Scores (n, P) and observed information (P, P)."""
    p = x.shape[1]
    log_shape = float(at[p]) if len(at) > p else 0.0
    eta = x @ at[:p] + offset
    here = curvature(outcome, eta, log_shape)
    scores = x * here.score[:, None]
    information = x.T @ (x * here.weight[:, None])
    if len(at) == p:
        return scores, information
    slopes = shape_slopes(outcome, eta, eta, log_shape)
    cross = -x.T @ slopes.score
    h = 1e-4
    above = shape_slopes(outcome, eta, eta, log_shape + h).loglik.sum()
    below = shape_slopes(outcome, eta, eta, log_shape - h).loglik.sum()
    own = -(above - below) / (2 * h)
    full = np.block([[information, cross[:, None]], [cross[None, :], np.array([[own]])]])
    return np.column_stack((scores, slopes.loglik)), full


def _ascent(information: FloatArray, slope: FloatArray) -> FloatArray:
    """Newton's step, or that of the nearest information that is positive definite."""
    values, vectors = np.linalg.eigh(information)
    size = np.maximum(np.abs(values), 1e-12 * float(np.abs(values).max()))
    return np.asarray(vectors @ ((vectors.T @ slope) / size))
