"""Fisher scoring, then Newton's method, with step halving.

Lee & Jennrich (1979, doi:10.1007/BF02293969) showed scoring, with the expected information as
second derivative, to come near in few iterations whatever the start. Near the solution the
observed second derivative doubles the number of correct digits at every step. A step that finds
no descent is damped (Levenberg, 1944), so that models which are hardly identified still come to
rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from collabsurvey.dimensionality.sem.implied import (
    derivatives,
    gradient,
    implied,
    moment_curvature,
)
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.moments import Derivatives, Discrepancy, Implied
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.typing import FloatArray

MOST_ITERATIONS = 300
SETTLED = 1e-13  # expected gain of the next step, in units of chi-square, per respondent
NEAR = 2.0  # expected gain, in units of chi-square, below which Newton's steps take over
SLOW = 15  # scoring steps after which they do in any case


@dataclass(frozen=True, eq=False)
class Fit:
    """A model at its estimates."""

    model: Model
    theta: FloatArray  # (n_free,)
    x: FloatArray  # (n_unique,)
    value: float  # discrepancy, in units of chi-square
    implied: tuple[Implied, ...]  # of every block
    derivatives: tuple[Derivatives, ...]
    information: FloatArray  # (n_unique, n_unique) expected
    converged: bool
    n_iterations: int
    gain: float  # what another step was expected to gain, in units of chi-square


def fit(
    model: Model, discrepancy: Discrepancy, start: FloatArray, *, tolerance: float = SETTLED
) -> Fit:
    """Minimise the discrepancy from `start` (n_unique,).

    Ends when the next step promises less than `tolerance` per respondent, or when no step
    improves the value any more.
    """
    x = np.array(start, dtype=np.float64)
    at = _moments(model, x)
    value = discrepancy.value(at)
    limit = tolerance * max(_size(discrepancy), 1.0)
    damping, gain, converged, n = 0.0, np.inf, False, 0
    while n < MOST_ITERATIONS and np.isfinite(value):
        n += 1
        theta = model.theta(x)
        slope = model.reduce.T @ gradient(model.blocks, theta, discrepancy.slopes(at)) / 2
        change = [derivatives(block, theta) for block in model.blocks]
        curved = discrepancy.information(at, change, model.n_free)
        if gain < NEAR or n > SLOW:
            curved = _observed(model, discrepancy, theta, at, change, curved)
        curved = model.reduced(curved)
        step, gain = _step(curved, slope, damping)
        if gain < limit:
            converged = True
            if damping == 0.0:
                # One more step costs nothing and brings full precision.
                x, at, value = _last(model, discrepancy, x + step, x, at, value)
            break
        found = _search(model, discrepancy, x, step, slope, value)
        if found is None:
            if damping > 1e6:
                converged = gain < 1e4 * limit
                break
            damping = max(10 * damping, 1e-3)
            continue
        x, at, value, whole = found
        damping = 0.0 if whole or damping < 1e-3 else damping / 10
    return finished(model, discrepancy, x, converged=converged, n_iterations=n, gain=gain)


def finished(
    model: Model,
    discrepancy: Discrepancy,
    x: FloatArray,
    *,
    converged: bool = True,
    n_iterations: int = 0,
    gain: float = 0.0,
) -> Fit:
    """Everything that is known at x (n_unique,)."""
    theta = read_only(model.theta(x))
    at = _moments(model, x)
    value = discrepancy.value(at)
    change = tuple(derivatives(block, theta) for block in model.blocks)
    information = np.full((model.n_unique, model.n_unique), np.nan)
    if np.isfinite(value):
        free = discrepancy.information(at, change, model.n_free)
        information = model.reduced(free)
    return Fit(
        model, theta, x, value, tuple(at), change, information, converged, n_iterations, gain
    )


def observed_information(fit: Fit, discrepancy: Discrepancy) -> FloatArray:
    """Half the second derivative (n_unique, n_unique) of the discrepancy at the estimates."""
    free = discrepancy.curvature(fit.implied, fit.derivatives, fit.model.n_free)
    slopes = discrepancy.slopes(fit.implied)
    free = free + moment_curvature(fit.model.blocks, fit.theta, slopes) / 2
    return fit.model.reduced(free)


def _observed(
    model: Model,
    discrepancy: Discrepancy,
    theta: FloatArray,
    at: Sequence[Implied],
    change: Sequence[Derivatives],
    expected: FloatArray,
) -> FloatArray:
    """Observed second derivative where it is positive definite, else the expected one."""
    free = discrepancy.curvature(at, change, model.n_free)
    free = free + moment_curvature(model.blocks, theta, discrepancy.slopes(at)) / 2
    try:
        np.linalg.cholesky(model.reduced(free))
    except np.linalg.LinAlgError:
        return expected
    return free


def _moments(model: Model, x: FloatArray) -> list[Implied]:
    theta = model.theta(x)
    return [implied(block, theta) for block in model.blocks]


def _size(discrepancy: Discrepancy) -> float:
    samples = getattr(discrepancy, "samples", ())
    return float(sum(one.n for one in samples)) if samples else 1.0


def _step(curved: FloatArray, slope: FloatArray, damping: float) -> tuple[FloatArray, float]:
    """Step and the gain it promises; directions without information are not taken."""
    scale = np.sqrt(np.maximum(np.diag(curved), 1e-300))
    scaled = curved / np.outer(scale, scale)
    scaled[np.diag_indices_from(scaled)] += damping
    try:
        step = linalg.cho_solve(linalg.cho_factor(scaled, check_finite=False), -slope / scale)
    except linalg.LinAlgError:
        values, vectors = np.linalg.eigh(scaled)
        keep = values > 1e-10 * values[-1]
        step = vectors[:, keep] @ ((vectors[:, keep].T @ (-slope / scale)) / values[keep])
    step = step / scale
    return step, float(-slope @ step)


def _search(
    model: Model,
    discrepancy: Discrepancy,
    x: FloatArray,
    step: FloatArray,
    slope: FloatArray,
    value: float,
) -> tuple[FloatArray, list[Implied], float, bool] | None:
    """Halve the step until the value falls as promised (Armijo); None if it never does."""
    share = 1.0
    promised = 2 * float(slope @ step)
    while share > 1e-4:
        tried = x + share * step
        at = _moments(model, tried)
        there = discrepancy.value(at)
        if there <= value + 1e-4 * share * promised:
            return tried, at, there, share == 1.0
        share /= 2
    return None


def _last(
    model: Model,
    discrepancy: Discrepancy,
    tried: FloatArray,
    x: FloatArray,
    at: list[Implied],
    value: float,
) -> tuple[FloatArray, list[Implied], float]:
    """Take a last step unless it makes the value worse by more than rounding."""
    moments = _moments(model, tried)
    there = discrepancy.value(moments)
    if there <= value + 1e-12 * (1 + abs(value)):
        return tried, moments, there
    return x, at, value
