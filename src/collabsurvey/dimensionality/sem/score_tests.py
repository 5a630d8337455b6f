"""Score (Lagrange multiplier) tests: what would be gained by freeing a parameter.

A direction leads out of the space the model is estimated in. Its score u is minus half the
slope of the discrepancy along it, its variance V what is left of its information once the
estimated parameters adjust:

    V = D'ID - D'IR inv(R'IR) R'ID,   chi-square = u' inv(V) u,   expected change = inv(V) u

with the information I about theta, the estimated space R and the directions D. Sources: Rao
(1948, doi:10.1017/S0305004100023987), Silvey (1959, doi:10.1214/aoms/1177706259); Sörbom (1989,
doi:10.1007/BF02294623) calls the one-by-one version modification index; expected changes after
Saris, Satorra & Sörbom (1987, doi:10.2307/271030).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
from scipy import linalg

from collabsurvey.dimensionality.sem.chi_square import p_value as chi_square_p
from collabsurvey.dimensionality.sem.constraints import constraint_matrix
from collabsurvey.dimensionality.sem.estimate import Fit
from collabsurvey.dimensionality.sem.implied import gradient
from collabsurvey.dimensionality.sem.least_squares import LeastSquares
from collabsurvey.dimensionality.sem.moments import Discrepancy, Slopes
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.numerics.typing import FloatArray

# Share of its information a direction must keep beside the estimated parameters. Less is the
# rounding left over from a direction that they can follow exactly.
OWN = 1e-6


@dataclass(frozen=True, eq=False)
class EachTest:
    """Tests (q,) of one direction at a time, each on one degree of freedom.

    NaN where the estimated parameters can already follow the direction, so that freeing it
    would leave the model unidentified.
    """

    statistic: FloatArray
    change: FloatArray  # expected along the direction, if it alone is freed


@dataclass(frozen=True, eq=False)
class JointTest:
    """Test of all directions together."""

    statistic: float
    df: int  # how many of the q directions the model could tell apart
    p_value: float  # by `df`; lavaan takes q, which is too large where these differ
    change: FloatArray  # (q,) expected along each, if all are freed


@dataclass(frozen=True, eq=False)
class ReleaseTests:
    """Score tests of the equality constraints of a model, in the order they are named."""

    constraints: tuple[str, ...]  # (k,) "a == b"
    statistic: FloatArray  # (k,) if this constraint alone is released
    p_value: FloatArray  # (k,)
    change: FloatArray  # (k,) expected difference a - b, if this one alone is released
    together: JointTest


def each_alone(
    score: FloatArray, own: FloatArray, cross: FloatArray, information: FloatArray
) -> EachTest:
    """One by one, from scores (q,), own information (q,), cross information (q, n_unique).

    `information` (n_unique, n_unique) is that about the estimated parameters.
    """
    left = own - (_halved(information, cross) ** 2).sum(axis=0)
    left = np.where(left > OWN * own, left, nan)
    change = score / left
    return EachTest(score * change, change)


def all_together(
    score: FloatArray, own: FloatArray, cross: FloatArray, information: FloatArray
) -> JointTest:
    """All directions at once; here `own` is their whole information (q, q)."""
    q = len(score)
    half = _halved(information, cross)
    left = own - half.T @ half
    scale = np.sqrt(np.maximum(np.diag(own), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(left / np.outer(scale, scale))
    keep = values > OWN
    along = vectors[:, keep].T @ (score / scale)
    statistic, df = float(along @ (along / values[keep])), int(keep.sum())
    change = (vectors[:, keep] @ (along / values[keep])) / scale if q else np.zeros(0)
    return JointTest(statistic, df, chi_square_p(statistic, df), change)


def release_tests(
    fit: Fit, discrepancy: Discrepancy, *, n_respondents: Sequence[float] | None = None
) -> ReleaseTests:
    """Test every equality constraint of `fit.model`, alone and all together.

    Releasing one lets a single parameter go its own way while the others stay equal. The
    information is the expected one, whatever the estimator's errors are made of; lavaan's
    lavTestScore() does so as well, also for robust estimators ("falling back to the ordinary
    score test"), so that the tests are not corrected for non-normality. `n_respondents` is
    explained at `in_units`.
    """
    model, units = fit.model, in_units(fit, discrepancy, n_respondents)
    constraints = constraint_matrix(model)
    # A direction that moves one constraint by 1 and keeps the others.
    directions = np.linalg.pinv(constraints) if len(constraints) else np.zeros((model.n_free, 0))
    slope = gradient(model.blocks, fit.theta, units.slopes)
    score = np.asarray(-0.5 * (directions.T @ slope), dtype=np.float64)
    whole = units.discrepancy.information(fit.implied, fit.derivatives, model.n_free)
    turned = directions.T @ whole
    own, cross = turned @ directions, turned @ model.reduce
    each = each_alone(score, np.diag(own), cross, units.information)
    return ReleaseTests(
        model.constraints,
        each.statistic,
        p_values(each.statistic),
        each.change,
        all_together(score, own, cross, units.information),
    )


@dataclass(frozen=True, eq=False)
class Units:
    """What scores and information come from."""

    slopes: list[Slopes]  # of every block
    discrepancy: Discrepancy  # for the information
    information: FloatArray  # (n_unique, n_unique)


def in_units(fit: Fit, discrepancy: Discrepancy, n_respondents: Sequence[float] | None) -> Units:
    """Slopes and information as lavaan scales them.

    Least squares and the Wishart likelihood count n - 1 respondents of a group in chi-square.
    lavaan's score tests count n there: under Wishart throughout, but for least squares in the
    information only, while slopes count n - 1, so that tests and expected changes come out too
    small by about 1 / n. To have its numbers, give the n of every block. None takes both as the
    discrepancy has them.
    """
    slopes = list(discrepancy.slopes(fit.implied))
    if n_respondents is None or not isinstance(discrepancy, LeastSquares | Normal):
        return Units(slopes, discrepancy, fit.information)
    counted = np.array([one.n for one in discrepancy.samples])
    given = np.array(n_respondents, dtype=np.float64)
    if isinstance(discrepancy, Normal) and (given == counted).all():
        return Units(slopes, discrepancy, fit.information)
    whole = _counting(discrepancy, given)
    larger = given / counted
    if (larger == larger[0]).all():
        information = larger[0] * fit.information
    else:
        free = whole.information(fit.implied, fit.derivatives, fit.model.n_free)
        information = fit.model.reduce.T @ free @ fit.model.reduce
    factors = (larger if isinstance(discrepancy, Normal) else (given - 1) / counted).tolist()
    slopes = [_times(one, factor) for one, factor in zip(slopes, factors, strict=True)]
    return Units(slopes, whole, np.asarray(information))


def _counting(discrepancy: LeastSquares | Normal, n: FloatArray) -> LeastSquares | Normal:
    """Return the same with other numbers of respondents."""
    samples = [
        replace(one, n=float(size)) for one, size in zip(discrepancy.samples, n, strict=True)
    ]
    if isinstance(discrepancy, Normal):
        return Normal(samples)
    return LeastSquares(samples, discrepancy.weights, discrepancy.stacks)


def _times(one: Slopes, factor: float) -> Slopes:
    mean = None if one.mean is None else factor * one.mean
    cuts = None if one.thresholds is None else factor * one.thresholds
    return Slopes(factor * one.cov, mean, cuts)


def p_values(statistic: FloatArray, df: int = 1) -> FloatArray:
    """Upper tails of chi-square; NaN stays NaN."""
    return np.array([chi_square_p(float(one), df) for one in statistic])


def _halved(information: FloatArray, cross: FloatArray) -> FloatArray:
    """Return H (n_unique, q) with H'H = cross inv(information) cross'.

    Directions without information (an eigenvalue of 0 to rounding) are left out, as in a
    generalised inverse.
    """
    scale = np.sqrt(np.maximum(np.diag(information), np.finfo(float).tiny))
    unit = information / np.outer(scale, scale)
    right = (cross / scale).T
    try:
        lower = np.linalg.cholesky(unit)
        return np.asarray(linalg.solve_triangular(lower, right, lower=True, check_finite=False))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(unit)
        keep = values > 1e-12
        return np.asarray((vectors[:, keep].T @ right) / np.sqrt(values[keep])[:, None])
