"""Test of a restricted against a freer model, as the estimator asks for.

ML, GLS: difference of the chi-squares. MLR, MLM, WLSM: Satorra & Bentler (2001,
doi:10.1007/BF02296192), and where its factor turns out negative, for MLR and MLM, Satorra &
Bentler (2010, doi:10.1007/s11336-009-9135-y). WLSMV, ULSMV: Satorra (2000) with scaling and
shift. All are lavaan's defaults but the test of 2010, which lavaan has on request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan, nan, sqrt
from typing import Literal, TypeVar

import numpy as np

from collabsurvey.dimensionality.sem.assess import assess
from collabsurvey.dimensionality.sem.estimate import Fit, finished, fit
from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.gamma import numeric_stack
from collabsurvey.dimensionality.sem.least_squares import LeastSquares
from collabsurvey.dimensionality.sem.material import Material
from collabsurvey.dimensionality.sem.model import Block
from collabsurvey.dimensionality.sem.moments import Derivatives, Discrepancy, Implied
from collabsurvey.dimensionality.sem.nested import (
    Difference,
    DifferenceMethod,
    at_restricted,
    chi_square_difference,
    default_method,
    satorra_2000,
    satorra_bentler_2001,
    satorra_bentler_2010,
)
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.sandwich import jacobian
from collabsurvey.dimensionality.sem.start import start_values
from collabsurvey.dimensionality.sem.two_level import TwoLevelNormal
from collabsurvey.numerics.typing import FloatArray, IntArray

Method = Literal["auto"] | DifferenceMethod
Moments = TypeVar("Moments", Implied, Derivatives)

SAME = 1e-3  # of chi-square: levels that differ less, with the same df, are one model twice


@dataclass(frozen=True)
class StepTest:
    """What a restricted model adds to the misfit."""

    statistic: float  # NaN where it cannot be had
    df: int
    p_value: float
    method: str
    rmsea: float  # of the restrictions; NaN for ordered items
    size: float  # statistic whose noncentrality is in units of ML; NaN for ordered items
    factor: float  # by which that noncentrality is multiplied
    equivalent: bool = False  # the level restricts nothing


def step_test(restricted: Analysis, free: Analysis, *, method: Method = "auto") -> StepTest:
    """Test `restricted` against `free`, both converged or not."""
    df = restricted.df - free.df
    change = restricted.fit.value - free.fit.value
    if not (restricted.fit.converged and free.fit.converged):
        return StepTest(nan, df, nan, "", nan, nan, nan)
    if df <= 0:
        same = df == 0 and abs(change) < SAME * max(1.0, free.fit.value)
        return StepTest(change, df, nan, "", nan, nan, nan, same)
    found = _difference(restricted, free, method)
    if found is None:
        return StepTest(nan, df, nan, "", nan, nan, nan)
    normal = restricted.material.recipe.normal
    size, factor = (found.statistic, found.factor) if normal else (nan, nan)
    n, groups = restricted.material.n, restricted.material.n_groups
    rmsea = sqrt(max(factor * (size / df - 1), 0.0) / n * groups) if not isnan(size) else nan
    return StepTest(found.statistic, df, found.p_value, found.method, rmsea, size, factor)


def possible_methods(material: Material) -> tuple[DifferenceMethod, ...]:
    """Tests that are defined for an estimator, its default first."""
    recipe = material.recipe
    if recipe.correction == "none":
        return ("standard",)
    if recipe.correction == "scaled_shifted":
        return ("satorra-2000", "standard")
    out: tuple[DifferenceMethod, ...] = ("satorra-bentler-2001",)
    if recipe.normal and not isinstance(material.discrepancy, TwoLevelNormal):
        out = (*out, "satorra-bentler-2010")
    if recipe.correction == "satorra_bentler":
        out = (*out, "satorra-2000")
    return (*out, "standard")


def not_reproduced(restricted: Analysis, free: Analysis) -> float | None:
    """Chi-square by which the free model misses the moments that the restricted one implies.

    Zero if the two are nested (NET: Bentler & Satorra, 2010, doi:10.1037/a0019625). None where
    the fit to these moments did not converge, and for two levels.
    """
    material = free.material
    if isinstance(material.discrepancy, TwoLevelNormal):
        return None
    wanted = [
        replace(
            sample,
            cov=one.cov,
            mean=sample.mean if one.mean is None else one.mean,
            thresholds=one.thresholds,
        )
        for sample, one in zip(
            material.samples, in_order(restricted.fit, free.fit).implied, strict=True
        )
    ]
    target: Discrepancy = (
        LeastSquares(wanted, material.weights, material.stacks)
        if material.stacks
        else Normal(wanted)
    )
    # A second start, since a minimum that is only local would look like a model not nested.
    least: float | None = None
    for start in (free.fit.x, start_values(free.model, wanted)):
        found = fit(free.model, target, start)
        if found.converged:
            least = found.value if least is None else min(least, found.value)
        if least is not None and least < SAME:
            break
    return least


def in_order(given: Fit, like: Fit) -> Fit:
    """Moments of a fit with the observed variables in the order of another fit of the same ones."""
    implied, slopes = list(given.implied), list(given.derivatives)
    for i, (own, other) in enumerate(zip(given.model.blocks, like.model.blocks, strict=True)):
        if own.observed != other.observed:
            order, cuts = _places(own, other)
            implied[i] = _rearranged(implied[i], order, cuts)
            slopes[i] = _rearranged(slopes[i], order, cuts)
    return replace(given, implied=tuple(implied), derivatives=tuple(slopes))


def _places(own: Block, other: Block) -> tuple[IntArray, IntArray]:
    """Where variables and thresholds of the other block stand in its own."""
    order = [own.observed.index(name) for name in other.observed]
    of = np.array(own.threshold_of)
    cuts = [
        place for name in dict.fromkeys(other.threshold_of) for place in np.flatnonzero(of == name)
    ]
    return np.array(order, dtype=np.int64), np.array(cuts, dtype=np.int64)


def _rearranged(moments: Moments, order: IntArray, cuts: IntArray) -> Moments:
    mean, thresholds = moments.mean, moments.thresholds
    return replace(
        moments,
        cov=moments.cov[..., order[:, None], order],
        mean=None if mean is None else mean[..., order],
        thresholds=None if thresholds is None else thresholds[..., cuts],
    )


def _difference(restricted: Analysis, free: Analysis, method: Method) -> Difference | None:
    """The test; None where a singular model has no pieces. By default lavaan's method."""
    after, before = restricted.assessed.test, free.assessed.test
    chosen = method
    if chosen == "auto":
        chosen = default_method(before if before.scaled is not None else after)
    if chosen == "standard":
        return chi_square_difference(after, before)
    if restricted.assessed.singular or free.assessed.singular:
        return None
    if chosen == "satorra-2000":
        pieces = free.assessed.pieces
        if pieces is None:
            return None
        return satorra_2000(
            after,
            before,
            pieces=pieces,
            jacobians_free=_jacobians(free, free.fit),
            jacobians_restricted=_jacobians(free, in_order(restricted.fit, free.fit)),
        )
    if chosen == "satorra-bentler-2010":
        return _positive(restricted, free)
    found = satorra_bentler_2001(after, before)
    fails = method == "auto" and not found.factor > 0
    return _positive(restricted, free) if fails else found


def _positive(restricted: Analysis, free: Analysis) -> Difference | None:
    """The test of 2010; its factor is positive, but for observed information far from the data."""
    material = free.material
    if not material.recipe.normal or isinstance(material.discrepancy, TwoLevelNormal):
        return None  # its kernel is for moments of one sample of continuous answers
    moved = at_restricted(free.fit, in_order(restricted.fit, free.fit), material.samples)
    there = assess(finished(free.model, material.discrepancy, moved.x), material, free.df)
    if there.test.scaled is None:
        return None
    return satorra_bentler_2010(
        restricted.assessed.test,
        free.assessed.test,
        factor_at_restricted=there.test.scaled.factor,
    )


def _jacobians(free: Analysis, found: Fit) -> Sequence[FloatArray]:
    """Derivatives (s, q) of the stacked moments of every group, stacked as the free model's."""
    stacks = free.material.stacks or tuple(
        numeric_stack(len(one.cov), means=one.mean is not None) for one in free.fit.implied
    )
    return [
        jacobian(stack, slopes, found.model.reduce)
        for stack, slopes in zip(stacks, found.derivatives, strict=True)
    ]
