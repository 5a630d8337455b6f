"""Profile likelihood intervals of a mixed model's standard deviations, correlations, coefficients.

As lme4's `confint(method = "profile")` (Bates et al., 2015, doi:10.18637/jss.v067.i01, section
5.1): the maximum likelihood deviance is minimised over everything else while one number is held,
and the interval is where it rises by the square of a normal quantile. lme4 interpolates between
such points; here the ends are solved for. A standard deviation of zero or a correlation of ±1 is
an end of an interval if the deviance has not risen enough there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from collabsurvey.numerics.mixed_blocks import Lowers
from collabsurvey.numerics.profile_deviance import Deviance, Held, ProfileModel, hessian, positive
from collabsurvey.numerics.typing import FloatArray

EXPANSIONS = 40
END = 1e-6  # relative accuracy of an end of an interval


class Profile:
    """The deviance with one thing held, from the optimum outwards."""

    def __init__(self, deviance: Deviance, values: FloatArray) -> None:
        self.deviance = deviance
        self.hessian = positive(hessian(deviance, values))
        self.values = self._minimum(values, None)
        self.least = deviance(self.values)[0]

    def _minimum(self, values: FloatArray, held: Held | None) -> FloatArray:
        """Minimise over all that is not held, starting at `values`."""
        from scipy.optimize import minimize

        free = np.ones(len(values), dtype=bool)
        if held is not None and held.parameter is not None:
            values = values.copy()
            values[held.parameter] = held.value
            free[held.parameter] = False
        if not free.any():
            return values
        root = np.linalg.cholesky(np.linalg.inv(self.hessian[np.ix_(free, free)] / 2))

        def function(steps: FloatArray) -> tuple[float, FloatArray]:
            trial = values.copy()
            trial[free] += root @ steps
            found, slope = self.deviance(trial, held)
            return found, root.T @ slope[free]

        start = np.zeros(int(free.sum()))
        found = minimize(
            function,
            start,
            jac=True,
            method="BFGS",
            options={"gtol": 1e-4, "maxiter": 200},
        )
        best = values.copy()
        best[free] += root @ found.x
        return best

    def rise(self, held: Held, start: FloatArray) -> tuple[float, FloatArray]:
        """Square root of the rise of the deviance, and where it is least."""
        values = self._minimum(start, held)
        return float(np.sqrt(max(self.deviance(values, held)[0] - self.least, 0.0))), values

    def end(
        self, holding: Callable[[float], Held], best: float, step: float, *, z: float, bound: float
    ) -> float:
        """Where the root of the rise is z, on the side of `step`, or else `bound`."""
        inner, low, outer = best, 0.0, best
        values = self.values
        for _ in range(EXPANSIONS):
            outer = min(outer + step, bound) if step > 0 else max(outer + step, bound)
            high, values = self.rise(holding(outer), values)
            if high >= z:
                return self._between(holding, (inner, low), (outer, high), values, z=z)
            if outer == bound:
                return bound
            inner, low = outer, high
            step *= 1.5
        return float("nan")

    def _between(
        self,
        holding: Callable[[float], Held],
        inner: tuple[float, float],
        outer: tuple[float, float],
        values: FloatArray,
        *,
        z: float,
    ) -> float:
        """False position with the Illinois rule: nearly linear, so a few steps are enough."""
        (a, low), (b, high) = (inner[0], inner[1] - z), (outer[0], outer[1] - z)
        width, side = abs(b - a), 0
        for _ in range(EXPANSIONS):
            middle = (a * high - b * low) / (high - low)
            found, values = self.rise(holding(middle), values)
            found -= z
            if abs(found) < END * z or abs(b - a) < END * width:
                return float(middle)
            if found < 0:
                a, low = middle, found
                high = high / 2 if side < 0 else high
                side = -1
            else:
                b, high = middle, found
                low = low / 2 if side > 0 else low
                side = 1
        return float((a + b) / 2)


@dataclass(frozen=True, eq=False)
class ProfileIntervals:
    """Limits of each term's standard deviations and correlations, of sigma, of coefficients."""

    sds: list[FloatArray]  # (q, 2) of each term
    correlations: list[FloatArray]  # (q (q - 1) / 2, 2), pairs (i, j) with j < i, row by row
    sigma: FloatArray  # (2,)
    fixed: FloatArray  # (p, 2) of the contrasts


def profile_intervals(
    model: ProfileModel,
    lowers: Lowers,
    sigma: float,
    contrasts: FloatArray,
    *,
    conf_level: float,
) -> ProfileIntervals:
    """Intervals of everything, from the maximum likelihood fit (L of each block, sigma).

    `contrasts` (p, p) of the coefficients on Q are profiled too; nothing of it is in units of the
    data but the random columns.
    """
    z = float(ndtri((1 + conf_level) / 2))
    deviance = Deviance(model)
    profile = Profile(deviance, deviance.start(lowers, sigma))
    errors = np.sqrt(2 / np.diag(profile.hessian))
    sds, correlations, at = [], [], 0
    for term, pairs in enumerate(deviance.angles):
        q = len(deviance.back[term])
        sds.append(np.array([_sd_ends(profile, at + i, errors[at + i], z) for i in range(q)]))
        ends = [_correlation_ends(model, lowers, sigma, term, pair, z) for pair in pairs]
        correlations.append(np.array(ends).reshape(-1, 2))
        at += q + len(pairs)
    last = len(profile.values) - 1
    of_sigma = [
        profile.end(
            lambda v: Held(parameter=last, value=v),
            float(profile.values[last]),
            sign * z * float(errors[last]),
            z=z,
            bound=sign * np.inf,
        )
        for sign in (-1, 1)
    ]
    fixed = np.array([_fixed_ends(profile, contrast, z) for contrast in contrasts]).reshape(-1, 2)
    return ProfileIntervals(sds, correlations, np.exp(np.array(of_sigma)), fixed)


def _sd_ends(profile: Profile, index: int, error: float, z: float) -> list[float]:
    """Limits of a standard deviation; 0 if the deviance does not rise enough towards it."""
    best = abs(float(profile.values[index]))
    sigma = float(np.exp(profile.values[-1]))
    step = z * min(error, max(best, 0.2 * sigma))
    found = []
    for sign, bound in ((-1, 0.0), (1, np.inf)):
        if sign < 0 and best <= 1e-6 * sigma:
            found.append(0.0)
            continue
        found.append(
            profile.end(
                lambda v: Held(parameter=index, value=v), best, sign * step, z=z, bound=bound
            )
        )
    return found


def _correlation_ends(
    model: ProfileModel,
    lowers: Lowers,
    sigma: float,
    term: int,
    pair: tuple[int, int],
    z: float,
) -> list[float]:
    """Limits of a correlation, its two effects first in their term."""
    plain = Deviance(model)
    order = [list(o) for o in plain.order]
    own = [pair[1], pair[0]]
    order[term] = own + [i for i in order[term] if i not in own]
    deviance = Deviance(model, order)
    profile = Profile(deviance, deviance.start(lowers, sigma))
    sizes = [len(back) + len(a) for back, a in zip(deviance.back, deviance.angles, strict=True)]
    index = sum(sizes[:term]) + len(deviance.back[term])
    best = float(np.arccos(np.cos(profile.values[index])))
    error = float(np.sqrt(2 / profile.hessian[index, index]))
    found = []
    for sign, bound in ((1, np.pi), (-1, 0.0)):  # the correlation falls as the angle grows
        if abs(best - bound) < 1e-6:
            found.append(float(np.cos(bound)))
            continue
        end = profile.end(
            lambda v: Held(parameter=index, value=v),
            best,
            sign * z * min(error, 0.8),
            z=z,
            bound=bound,
        )
        found.append(float(np.cos(end)))
    return found


def _fixed_ends(profile: Profile, contrast: FloatArray, z: float) -> list[float]:
    """Limits of a contrast of the coefficients."""
    lowers, _ = profile.deviance.lowers(profile.values)
    at = profile.deviance.model.products.evaluate(lowers)
    best = float(contrast @ at.beta)
    error = float(np.sqrt(contrast @ at.unscaled @ contrast) * np.exp(profile.values[-1]))
    return [
        profile.end(
            lambda v: Held(contrast=contrast, value=v),
            best,
            sign * z * error,
            z=z,
            bound=sign * np.inf,
        )
        for sign in (-1, 1)
    ]
