"""Profile likelihood intervals of a mixed model's standard deviations, correlations, coefficients.

As lme4's `confint(method = "profile")` (Bates et al., 2015, doi:10.18637/jss.v067.i01, section
5.1): the maximum likelihood deviance is minimised over everything else while one number is held,
and the interval is where it rises by the square of a normal quantile. lme4 interpolates between
such points; here the ends are solved for.

Parameters are the standard deviations and correlations in units of the data, and log sigma. The
correlations of one term are angles of the rows of their Cholesky factor, so that all of them are
free of bounds but for what is held: a standard deviation of zero or a correlation of ±1 is an end
of an interval if the deviance has not risen enough there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from collabsurvey.numerics.mixed import GroupProducts, jacobian
from collabsurvey.numerics.mixed_blocks import (
    BlockEvaluation,
    BlockProducts,
    Lowers,
    Pattern,
    df_total,
    slopes,
)
from collabsurvey.numerics.mixed_nested import NestedProducts
from collabsurvey.numerics.typing import BoolArray, FloatArray

FLATTEST = 1e-3  # least share of the largest curvature that is scaled by
EXPANSIONS = 40
END = 1e-6  # relative accuracy of an end of an interval


@dataclass(frozen=True, eq=False)
class ProfileModel:
    """A model, and the scale of its random columns.

    `scales` (q, q) of each block turn effects of Z* into effects of the data, block-diagonal over
    its terms, with the residual of least squares in units of its own scale.
    """

    products: BlockProducts
    scales: tuple[FloatArray, ...]

    @property
    def terms(self) -> list[tuple[int, slice]]:
        """Block and columns of each term."""
        return [
            (block, part)
            for block, pattern in enumerate(self.products.patterns)
            for part in pattern.terms
        ]


@dataclass(frozen=True, eq=False)
class Held:
    """What is held while all else is free: a parameter, or a contrast of the coefficients."""

    parameter: int | None = None
    contrast: FloatArray | None = None  # (p,) on Q
    value: float = 0.0


def as_blocks(products: GroupProducts, *, correlated: bool) -> NestedProducts:
    """The same model of one grouping factor as a model of blocks."""
    g, q, p = products.zx.shape
    w = np.zeros((g, q + p + 1, q + p + 1))
    w[:, :q, :q] = products.zz
    w[:, :q, q:-1], w[:, q:-1, :q] = products.zx, products.zx.transpose(0, 2, 1)
    w[:, :q, -1] = w[:, -1, :q] = products.ze
    w[0, q:-1, q:-1] = np.eye(p)  # only the sum over groups enters
    w[0, -1, -1] = products.ee
    pattern = Pattern((q,) if correlated else (1,) * q)
    return NestedProducts((pattern,), w, (), products.n_rows, products.reml)


class Deviance:
    """-2 log-likelihood at standard deviations, angles and log sigma, with its gradient.

    Of a REML model it is that criterion; a contrast can be held by maximum likelihood only.

    `order` of the effects of each term: a correlation that is held is the first angle of its term.
    """

    def __init__(self, model: ProfileModel, order: Sequence[Sequence[int]] | None = None) -> None:
        self.model = model
        self.terms = model.terms
        sizes = [part.stop - part.start for _, part in self.terms]
        self.order = [list(o) for o in order] if order else [list(range(q)) for q in sizes]
        self.angles = [[(i, j) for i in range(q) for j in range(i)] for q in sizes]
        self.back = []  # (q, q) from effects in this order to those of Z*
        for (block, part), places in zip(self.terms, self.order, strict=True):
            turn = np.eye(len(places))[:, places]
            self.back.append(np.linalg.solve(model.scales[block][part, part], turn))

    def start(self, lowers: Lowers, sigma: float) -> FloatArray:
        """Parameters (k,) of a fit."""
        found: list[float] = []
        for (block, part), back in zip(self.terms, self.back, strict=True):
            root = np.linalg.solve(back, lowers[block][part, part]) * sigma
            sds = np.linalg.norm(root, axis=1)
            found += sds.tolist()
            found += _angles_of(root / np.where(sds > 0, sds, 1.0)[:, None])
        return np.array([*found, np.log(sigma)])

    def lowers(self, values: FloatArray) -> tuple[Lowers, list[tuple[FloatArray, FloatArray]]]:
        """L of each block on Z*, and (sds, rows of the correlations' factor) of each term."""
        sigma = np.exp(values[-1])
        blocks = [np.zeros((p.n_random, p.n_random)) for p in self.model.products.patterns]
        parts, at = [], 0
        for (block, part), angles, back in zip(self.terms, self.angles, self.back, strict=True):
            q = len(back)
            sds, turns = values[at : at + q], values[at + q : at + q + len(angles)]
            at += q + len(angles)
            rows = _rows_of(turns, q)
            blocks[block][part, part] = back @ (sds[:, None] * rows) / sigma
            parts.append((sds, rows))
        return tuple(blocks), parts

    def __call__(self, values: FloatArray, held: Held | None = None) -> tuple[float, FloatArray]:
        """Deviance and gradient (k,)."""
        products = self.model.products
        lowers, parts = self.lowers(values)
        at = products.evaluate(lowers)
        n = df_total(products)
        log_v = at.criterion - n * (1 + np.log(2 * np.pi * at.r2 / n))
        if held is not None and held.contrast is not None:
            at = _with_contrast(at, held.contrast, held.value)
        sigma2 = float(np.exp(2 * values[-1]))
        deviance = log_v + n * np.log(2 * np.pi * sigma2) + at.r2 / sigma2
        by_d = slopes(at, sigma2, reml=products.reml)
        gradient: list[float] = []
        spread = 0.0
        place = 0
        for (block, part), back, (sds, rows) in zip(self.terms, self.back, parts, strict=True):
            on_data = back.T @ by_d[block][part, part] @ back / sigma2
            root = sds[:, None] * rows
            by_root = 2 * on_data @ root
            spread += float((by_root * root).sum())
            gradient += (by_root * rows).sum(axis=1).tolist()
            q = len(sds)
            turns = values[place + q : place + q + q * (q - 1) // 2]
            gradient += _by_angles(by_root * sds[:, None], turns, q)
            place += q + q * (q - 1) // 2
        return float(deviance), np.array([*gradient, 2 * n - 2 * at.r2 / sigma2 - spread])


def _with_contrast(at: BlockEvaluation, contrast: FloatArray, value: float) -> BlockEvaluation:
    """The evaluation with a contrast of the coefficients held at a value."""
    reach = at.unscaled @ contrast
    variance = float(contrast @ reach)
    short = value - float(contrast @ at.beta)
    move = reach * short / variance
    return replace(
        at,
        r2=at.r2 + short**2 / variance,
        beta=at.beta + move,
        a=tuple(a - b @ move for a, b in zip(at.a, at.b, strict=True)),
    )


def _rows_of(turns: FloatArray, q: int) -> FloatArray:
    """Rows (q, q) of length 1 from angles: cos a, sin a cos b, sin a sin b cos c, ..."""
    rows = np.zeros((q, q))
    at = 0
    for i in range(q):
        left = 1.0
        for j in range(i):
            rows[i, j] = left * np.cos(turns[at])
            left *= np.sin(turns[at])
            at += 1
        rows[i, i] = left
    return rows


def _angles_of(rows: FloatArray) -> list[float]:
    """Angles of the Cholesky factor of rows rows' (q, q)."""
    lower = np.linalg.qr(rows.T).R.T
    lower = lower * np.where(np.diag(lower) < 0, -1.0, 1.0)
    found: list[float] = []
    for i in range(len(lower)):
        for j in range(i):
            rest = float(np.linalg.norm(lower[i, j + 1 : i + 1]))
            found.append(float(np.arctan2(rest, lower[i, j])))
    return found


def _by_angles(by_rows: FloatArray, turns: FloatArray, q: int) -> list[float]:
    """Derivatives in the angles from those in the rows (q, q)."""
    found: list[float] = []
    at = 0
    for i in range(q):
        own = turns[at : at + i]
        for j in range(i):
            change = np.zeros(q)
            left = float(np.prod(np.sin(own[:j])))
            change[j] = -left * np.sin(own[j])
            left *= np.cos(own[j])
            for later in range(j + 1, i):
                change[later] = left * np.cos(own[later])
                left *= np.sin(own[later])
            change[i] = left
            found.append(float(by_rows[i] @ change))
        at += i
    return found


class Profile:
    """The deviance with one thing held, from the optimum outwards."""

    def __init__(self, deviance: Deviance, values: FloatArray) -> None:
        self.deviance = deviance
        self.hessian = _positive(_hessian(deviance, values))
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
        options = {"gtol": 1e-4, "maxiter": 200}
        found = minimize(function, start, jac=True, method="BFGS", options=options)
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
        """Where the root of the rise is z, on the side of `step`; `bound` if it is not before it."""
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


def _hessian(deviance: Deviance, values: FloatArray) -> FloatArray:
    steps = 1e-3 * np.maximum(np.abs(values), 0.1)
    found = jacobian(lambda v: deviance(v)[1], values, steps)
    return np.asarray((found + found.T) / 2)


def _positive(hessian: FloatArray) -> FloatArray:
    """A positive definite matrix with the same well-determined directions."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-8))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    values = np.maximum(np.abs(values), FLATTEST * np.abs(values).max())
    return np.asarray((vectors * values) @ vectors.T * np.outer(scale, scale))


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
    ends = [
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
    return ProfileIntervals(sds, correlations, np.exp(np.array(ends)), fixed)


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


def wald_intervals(
    model: ProfileModel, lowers: Lowers, sigma: float, *, z: float
) -> ProfileIntervals:
    """Limits from the curvature of the criterion: of log sds and of Fisher's z of correlations.

    As nlme's `intervals` (Pinheiro & Bates, 2000, section 2.4.3). NaN where a variance is zero or a
    correlation ±1; none of coefficients.
    """
    deviance = Deviance(model)
    values = deviance.start(lowers, sigma)
    covariance = 2 * np.linalg.inv(_positive(_hessian(deviance, values)))
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
        rows = _rows_of(values, q)
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
