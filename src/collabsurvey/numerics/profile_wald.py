"""Wald intervals of a mixed model's standard deviations and correlations."""

from __future__ import annotations

import numpy as np

from collabsurvey.numerics.mixed import jacobian
from collabsurvey.numerics.mixed_blocks import Lowers
from collabsurvey.numerics.profile import ProfileIntervals
from collabsurvey.numerics.profile_deviance import (
    Deviance,
    ProfileModel,
    hessian,
    positive,
    rows_of,
)
from collabsurvey.numerics.typing import BoolArray, FloatArray


def wald_intervals(
    model: ProfileModel, lowers: Lowers, sigma: float, *, z: float
) -> ProfileIntervals:
    """Limits from the curvature of the criterion: of log sds and of Fisher's z of correlations.

    As nlme's `intervals` (Pinheiro & Bates, 2000, section 2.4.3). NaN where a variance is zero or a
    correlation ±1; none of coefficients.
    """
    deviance = Deviance(model)
    values = deviance.start(lowers, sigma)
    inverse = np.linalg.inv(positive(hessian(deviance, values)))
    covariance: FloatArray = np.asarray(2 * inverse, dtype=np.float64)
    errors = np.sqrt(np.diag(covariance))
    sds, correlations, at = [], [], 0
    for back, pairs in zip(deviance.back, deviance.angles, strict=True):
        q = len(back)
        inside = values[at : at + q] > 1e-6 * sigma
        ratio = np.divide(
            errors[at : at + q], values[at : at + q], out=np.full(q, np.nan), where=inside
        )
        sds.append(values[at : at + q, None] * np.exp(z * ratio[:, None] * np.array([-1.0, 1.0])))
        turns = slice(at + q, at + q + len(pairs))
        correlations.append(_fisher_ends(values[turns], covariance[turns, turns], q, inside, z))
        at += q + len(pairs)
    limits = sigma * np.exp(z * errors[-1] * np.array([-1.0, 1.0]))
    return ProfileIntervals(sds, correlations, limits, np.empty((0, 2)))


def _fisher_ends(
    turns: FloatArray, covariance: FloatArray, q: int, inside: BoolArray, z: float
) -> FloatArray:
    """Limits of each correlation (i, j), j < i, of a term, from its angles."""
    found = []

    def correlation(values: FloatArray, i: int, j: int) -> float:
        rows = rows_of(values, q)
        return float(rows[i] @ rows[j])

    for i in range(q):
        for j in range(i):
            best = correlation(turns, i, j)
            if not (inside[i] and inside[j]) or abs(best) > 1 - 1e-9:
                found.append([np.nan, np.nan])
                continue
            slope = jacobian(
                lambda v, i=i, j=j: np.array([correlation(v, i, j)]),  # type: ignore[misc]
                turns,
                np.full(len(turns), 1e-3),
            )[0]
            error = float(np.sqrt(slope @ covariance @ slope)) / (1 - best**2)
            found.append(np.tanh(np.arctanh(best) + z * error * np.array([-1.0, 1.0])).tolist())
    return np.array(found).reshape(-1, 2)
