"""Test of one level against the level before it, as the estimator asks for.

ML: difference of the chi-squares. MLR, MLM, WLSM: Satorra & Bentler (2001,
doi:10.1007/BF02296192), and where its factor turns out negative Satorra & Bentler (2010,
doi:10.1007/s11336-009-9135-y). WLSMV, ULSMV: Satorra (2000) with scaling and shift. All are
lavaan's defaults but the second, which lavaan has on request.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan, sqrt

from collabsurvey.dimensionality.sem.assess import assess
from collabsurvey.dimensionality.sem.estimate import finished
from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.nested import (
    Difference,
    at_restricted,
    chi_square_difference,
    default_method,
    satorra_2000,
    satorra_bentler_2001,
    satorra_bentler_2010,
)
from collabsurvey.dimensionality.sem.sandwich import jacobian
from collabsurvey.numerics.typing import FloatArray

SAME = 1e-3  # of chi-square: levels that differ less, with the same df, are one model twice


@dataclass(frozen=True)
class StepTest:
    """What a level adds to the misfit."""

    statistic: float  # NaN where it cannot be had
    df: int
    p_value: float
    method: str
    rmsea: float  # of the restrictions; NaN for ordered items
    size: float  # statistic whose noncentrality is in units of ML; NaN for ordered items
    factor: float  # by which that noncentrality is multiplied
    equivalent: bool = False  # the level restricts nothing


def step_test(restricted: Analysis, free: Analysis) -> StepTest:
    """Test `restricted` against `free`, both converged or not."""
    df = restricted.df - free.df
    change = restricted.fit.value - free.fit.value
    if not (restricted.fit.converged and free.fit.converged):
        return StepTest(nan, df, nan, "", nan, nan, nan)
    if df <= 0:
        same = df == 0 and abs(change) < SAME * max(1.0, free.fit.value)
        return StepTest(change, df, nan, "", nan, nan, nan, same)
    found = _difference(restricted, free)
    if found is None:
        return StepTest(nan, df, nan, "", nan, nan, nan)
    normal = restricted.material.recipe.normal
    size, factor = (found.statistic, found.factor) if normal else (nan, nan)
    n, groups = restricted.material.n, restricted.material.n_groups
    rmsea = sqrt(max(factor * (size / df - 1), 0.0) / n * groups) if not isnan(size) else nan
    return StepTest(found.statistic, df, found.p_value, found.method, rmsea, size, factor)


def _difference(restricted: Analysis, free: Analysis) -> Difference | None:
    """The test by lavaan's default method; None where a singular model has no pieces."""
    after, before = restricted.assessed.test, free.assessed.test
    method = default_method(before if before.scaled is not None else after)
    if method == "standard":
        return chi_square_difference(after, before)
    if restricted.assessed.singular or free.assessed.singular:
        return None
    if method == "satorra-2000":
        pieces = free.assessed.pieces
        if pieces is None:
            return None
        return satorra_2000(
            after,
            before,
            pieces=pieces,
            jacobians_free=_jacobians(free),
            jacobians_restricted=_jacobians(restricted),
        )
    found = satorra_bentler_2001(after, before)
    return found if found.factor > 0 else _positive(restricted, free)


def _positive(restricted: Analysis, free: Analysis) -> Difference | None:
    """The test of 2010, whose factor cannot be negative."""
    material = free.material
    moved = at_restricted(free.fit, restricted.fit, material.samples)
    there = assess(finished(free.model, material.discrepancy, moved.x), material, free.df)
    if there.test.scaled is None:
        return None
    return satorra_bentler_2010(
        restricted.assessed.test,
        free.assessed.test,
        factor_at_restricted=there.test.scaled.factor,
    )


def _jacobians(found: Analysis) -> list[FloatArray]:
    """Derivatives (s, q) of the stacked moments of every group."""
    stacks = found.material.stacks
    return [
        jacobian(stack, slopes, found.model.reduce)
        for stack, slopes in zip(stacks, found.fit.derivatives, strict=True)
    ]
