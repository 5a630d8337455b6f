"""Targets crossed with raters, complete or not: mean squares, REML, exact F intervals.

The larger of the two factors is eliminated level by level, so that only a matrix of the size
of the smaller one is ever dense; the ratings are read once.
Sources: Searle, Casella & McCulloch (1992) Variance Components, ch. 4 and 6; Wald (1941)
doi:10.1214/aoms/1177731741 and Seely & El-Bassiouni (1983) doi:10.1214/aos/1176346068 for
exact tests and intervals of one variance ratio in unbalanced data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg, optimize, sparse
from scipy.sparse import csgraph

from collabsurvey.numerics.intervals import f_quantile
from collabsurvey.numerics.typing import FloatArray, IntArray

FIXED = float("inf")  # the variance ratio of effects that are fixed
NEGLIGIBLE = 1e-9  # a variance ratio below this is a variance at zero
FARTHEST = 1e9  # a variance ratio above this is a residual at zero


@dataclass(frozen=True, eq=False)
class Crossed:
    """Ratings y (N,) with the codes (N,) of target and rater, each pair at most once."""

    y: FloatArray
    target: IntArray
    rater: IntArray

    @cached_property
    def per_target(self) -> FloatArray:
        """Number of ratings of each target (n,)."""
        return np.bincount(self.target).astype(float)

    @cached_property
    def per_rater(self) -> FloatArray:
        """Number of ratings by each rater (r,)."""
        return np.bincount(self.rater).astype(float)

    @cached_property
    def centred(self) -> FloatArray:
        """Ratings less their mean (N,)."""
        return np.asarray(self.y - self.y.mean())

    @cached_property
    def incidence(self) -> sparse.csr_array:
        """Who rated whom (n, r): 1 or 0."""
        return sparse.csr_array((np.ones(len(self.y)), (self.target, self.rater)))

    @cached_property
    def targets_by_size(self) -> BySize:
        """Sums over targets with the same number of ratings."""
        return BySize.of(self, "target")

    @cached_property
    def raters_by_size(self) -> BySize:
        """Sums over raters with the same number of ratings."""
        return BySize.of(self, "rater")

    @property
    def balanced(self) -> bool:
        """Whether every rater rated every target."""
        return len(self.y) == len(self.per_target) * len(self.per_rater)

    @cached_property
    def n_parts(self) -> int:
        """Groups of targets and raters that no rating connects with each other."""
        n = len(self.per_target)
        size = n + len(self.per_rater)
        links = (np.ones(len(self.y)), (self.target, self.rater + n))
        return int(csgraph.connected_components(sparse.coo_array(links, shape=(size, size)))[0])

    @property
    def df_residual(self) -> int:
        """Ratings less the effects of targets and raters that can be told apart."""
        return len(self.y) - len(self.per_target) - len(self.per_rater) + self.n_parts


@dataclass(frozen=True)
class Components:
    """Variances of targets, raters and what is left; zero where the estimate is at the bound."""

    target: float
    rater: float
    residual: float


def sums_by(codes: IntArray, values: FloatArray, n: int) -> FloatArray:
    """Sums of values (N,) with each code 0 … n - 1."""
    return np.asarray(np.bincount(codes, weights=values, minlength=n), dtype=np.float64)


def mean_squares(table: FloatArray) -> tuple[float, float, float]:
    """Mean squares of targets, raters and residual of a complete table (n, k)."""
    n, k = table.shape
    table = table - table.mean()
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    residual = table - rows[:, None] - columns
    between = k * (rows @ rows) / (n - 1)
    raters = n * (columns @ columns) / (k - 1)
    return float(between), float(raters), float((residual**2).sum() / ((n - 1) * (k - 1)))


@dataclass(frozen=True, eq=False)
class BySize:
    """What absorbing a factor needs, added up over its levels with the same number of ratings.

    The weight of a level depends on that number alone, so that after one pass over the
    ratings a model with other variances costs s numbers for s different sizes. F are the
    dummies of the other factor (m levels).
    """

    size: FloatArray  # (s,) ratings of a level
    levels: FloatArray  # (s,) levels of that size
    sums: FloatArray  # (s,) their sums of y
    squares: FloatArray  # (s,) squares of the sums of each level
    pairs: sparse.csr_array  # (m m, s) how often two levels of F meet in a level
    products: FloatArray  # (m, s) sums of y of the levels in which one of F occurs
    other_size: FloatArray  # (m,)
    other_sums: FloatArray  # (m,)

    @classmethod
    def of(cls, data: Crossed, factor: str) -> BySize:
        """Add up one pass over the ratings; `factor` ("target" or "rater") is absorbed."""
        own, other = data.target, data.rater
        size, other_size, met = data.per_target, data.per_rater, data.incidence
        if factor == "rater":
            own, other = other, own
            size, other_size, met = other_size, size, met.T.tocsr()
        sums = sums_by(own, data.centred, len(size))
        different, which = np.unique(size, return_inverse=True)
        m, s = len(other_size), len(different)
        columns = []
        for j in range(s):
            part = met[np.flatnonzero(which == j)]
            columns.append((part.T @ part).reshape(m * m, 1).tocsc())
        group = sparse.csr_array((sums, (np.arange(len(size)), which)), shape=(len(size), s))
        return cls(
            size=different,
            levels=np.bincount(which).astype(float),
            sums=sums_by(which, sums, s),
            squares=sums_by(which, sums**2, s),
            pairs=sparse.csr_array(sparse.hstack(columns)),
            products=(met.T @ group).toarray(),
            other_size=other_size,
            other_sums=sums_by(other, data.centred, m),
        )


@dataclass(frozen=True, eq=False)
class Eliminated:
    """Cross-products after one factor with a given variance ratio has been absorbed.

    With H = (I + a Z Z')⁻¹ for the absorbed factor Z, and F the dummies of the other one.
    """

    left: FloatArray  # F'HF (m, m)
    left_y: FloatArray  # F'Hy (m,)
    left_one: FloatArray  # F'H1 (m,)
    yy: float
    one_y: float
    one_one: float
    log_det: float  # of I + a Z Z'; 0 for fixed effects


def eliminate(data: Crossed, factor: str, ratio: float) -> Eliminated:
    """Absorb "target" or "rater", with `ratio` its variance over the residual's."""
    by = data.targets_by_size if factor == "target" else data.raters_by_size
    y, m = data.centred, len(by.other_size)
    shrink = 1 / by.size if ratio == FIXED else ratio / (1 + ratio * by.size)
    met = (by.pairs @ shrink).reshape(m, m)
    left = np.diag(by.other_size) - met
    log_det = 0.0 if ratio == FIXED else float(by.levels @ np.log1p(ratio * by.size))
    return Eliminated(
        left=left,
        left_y=by.other_sums - by.products @ shrink,
        left_one=left.sum(axis=1),  # the dummies of the other factor add up to 1
        yy=float(y @ y - shrink @ by.squares),
        one_y=float(y.sum() - (shrink * by.size) @ by.sums),
        one_one=float(len(y) - (shrink * by.size**2) @ by.levels),
        log_det=log_det,
    )


def reml_criterion(data: Crossed, target: float, rater: float) -> tuple[float, float]:
    """Minus twice the profiled restricted log-likelihood (less a constant), and the residual SS.

    `target` and `rater` are variances over the residual variance.
    """
    n = len(data.y)
    many = "target" if len(data.per_target) >= len(data.per_rater) else "rater"
    ratio, few = (target, rater) if many == "target" else (rater, target)
    e = eliminate(data, many, ratio)
    root = linalg.cho_factor(np.eye(len(e.left)) + few * e.left, lower=True, check_finite=False)
    solved = linalg.cho_solve(root, np.column_stack([e.left_y, e.left_one]), check_finite=False)
    yy = e.yy - few * (e.left_y @ solved[:, 0])
    one_y = e.one_y - few * (e.left_one @ solved[:, 0])
    one_one = e.one_one - few * (e.left_one @ solved[:, 1])
    rss = yy - one_y**2 / one_one
    log_det = e.log_det + 2 * float(np.log(np.diag(root[0])).sum())
    return float((n - 1) * np.log(rss) + log_det + np.log(one_one)), float(rss)


def reml(data: Crossed) -> Components:
    """Variances by restricted maximum likelihood, raters and targets random and crossed.

    Equal to those of the analysis of variance where the data are complete and none of these
    is negative (Searle et al., 1992, sec. 4.8). Searched over relative standard deviations.
    """

    def criterion(theta: FloatArray) -> float:
        return reml_criterion(data, float(theta[0]) ** 2, float(theta[1]) ** 2)[0]

    starts = [np.array([a, b]) for a, b in ((1.0, 0.5), (0.3, 0.1), (2.0, 2.0))]
    start = min(starts, key=criterion)
    for _ in range(2):  # a second simplex, in case the first collapsed
        found = optimize.minimize(
            criterion,
            start,
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000},
        )
        start = np.asarray(found.x)
    target, rater = (0.0 if x**2 < NEGLIGIBLE else float(x**2) for x in start)
    residual = reml_criterion(data, target, rater)[1] / (len(data.y) - 1)
    return Components(target * residual, rater * residual, residual)


def reml_oneway(data: Crossed) -> Components:
    """Variances by restricted maximum likelihood where it is not known who rated."""
    size = data.per_target
    sums = np.bincount(data.target, weights=data.centred)
    total = float(data.centred @ data.centred)

    def profile(icc: float) -> tuple[float, float]:
        ratio = icc / (1 - icc)
        shrink = ratio / (1 + ratio * size)
        one_one = len(data.y) - shrink @ size**2
        one_y = -(shrink @ (sums * size))
        rss = total - shrink @ sums**2 - one_y**2 / one_one
        log_det = np.log1p(ratio * size).sum()
        criterion = (len(data.y) - 1) * np.log(rss) + log_det + np.log(one_one)
        return float(criterion), float(rss)

    found = optimize.minimize_scalar(
        lambda icc: profile(icc)[0],
        bounds=(0.0, 1 - 1e-12),
        method="bounded",
        options={"xatol": 1e-12},
    )
    icc = 0.0 if profile(0.0)[0] <= profile(found.x)[0] else float(found.x)
    residual = profile(icc)[1] / (len(data.y) - 1)
    return Components(icc / (1 - icc) * residual, 0.0, residual)


class RatioOfTargets:
    """The exact distribution of a sum of squares, for the variance of targets over residual.

    (SS(ratio) - SSE) / df1 over SSE / df2 follows F where `ratio` is the true one, SS(ratio)
    being the residual sum of squares of a model with that ratio: with raters fixed
    (`raters=True`), or without them. It falls as the ratio rises, so it can be inverted.
    """

    def __init__(self, data: Crossed, *, raters: bool) -> None:
        self.data = data
        self.raters = raters
        self.sums = np.bincount(data.target, weights=data.centred)
        self.total = float(data.centred @ data.centred)
        self.sse = self.sum_of_squares(FIXED)
        self.df1 = len(data.per_target) - (data.n_parts if raters else 1)
        self.df2 = data.df_residual if raters else len(data.y) - len(data.per_target)

    def sum_of_squares(self, ratio: float) -> float:
        """Residual sum of squares with targets of that variance ratio."""
        data, size = self.data, self.data.per_target
        if not self.raters:
            shrink = 1 / size if ratio == FIXED else ratio / (1 + ratio * size)
            one_one = len(data.y) - shrink @ size**2
            one_y = -(shrink @ (self.sums * size))
            rest = 0.0 if ratio == FIXED else one_y**2 / one_one
            return float(self.total - shrink @ self.sums**2 - rest)
        if len(data.per_rater) <= len(size):
            e = eliminate(data, "target", ratio)
            return e.yy - float(e.left_y @ solve_symmetric(e.left, e.left_y, exact=ratio != FIXED))
        e = self.without_raters
        if ratio == FIXED:
            return e.yy - float(e.left_y @ solve_symmetric(e.left, e.left_y, exact=False))
        inner = np.eye(len(e.left)) + ratio * e.left
        return e.yy - ratio * float(e.left_y @ np.linalg.solve(inner, e.left_y))

    @cached_property
    def without_raters(self) -> Eliminated:
        """Cross-products of the targets, raters absorbed as fixed effects."""
        return eliminate(self.data, "rater", FIXED)

    def f_at(self, ratio: float) -> float:
        """The F statistic of that ratio; infinite where nothing is left over."""
        explained = max(self.sum_of_squares(ratio) - self.sse, 0.0) / self.df1
        if self.sse <= 1e-12 * self.total:
            return float("inf") if explained > 0 else float("nan")
        return float(explained / (self.sse / self.df2))

    def interval(self, conf_level: float) -> tuple[float, float]:
        """Limits of the variance of targets over the residual variance; may be below zero."""
        tail = (1 - conf_level) / 2
        upper, lower = (f_quantile(p, self.df1, self.df2) for p in (1 - tail, tail))
        return self.solve(upper), self.solve(lower)

    def solve(self, value: float) -> float:
        """Find the ratio at which F takes that value, by bisection of a falling function."""
        least = -1 / float(self.data.per_target.max()) * (1 - 1e-9)
        if self.f_at(least) <= value:
            return least
        high = 1.0
        while self.f_at(high) > value:
            high *= 10
            if high > FARTHEST:
                return FIXED
        found: float = optimize.brentq(
            lambda ratio: self.f_at(ratio) - value, least, high, xtol=1e-12
        )
        return found


def solve_symmetric(matrix: FloatArray, right: FloatArray, *, exact: bool) -> FloatArray:
    """Solve, or the shortest of many solutions where the matrix is singular."""
    if exact:
        return np.asarray(linalg.solve(matrix, right, assume_a="sym", check_finite=False))
    return np.asarray(np.linalg.lstsq(matrix, right, rcond=1e-10)[0])


def unshared(data: Crossed) -> float:
    """Average part of the raters that two targets do not share: q of ten Hove et al. (2022).

    1 / k - mean of shared raters / (k_s k_t) over pairs of targets, k the harmonic mean of
    ratings per target: 0 where the same raters rated everybody, 1 / k where no two targets
    had a rater in common. doi:10.1037/met0000391
    """
    k = data.per_target
    n = len(k)
    per_rater = np.bincount(data.rater, weights=1 / k[data.target])
    shared = (per_rater @ per_rater - (1 / k).sum()) / (n * (n - 1))
    return float((1 / k).mean() - shared)
