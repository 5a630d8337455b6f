"""Linear mixed models with several random terms: the criterion and its optimum.

A *block* is one grouping factor with all its random terms; its relative covariance is
D_k = L_k L_k' with L_k block-diagonal, a lower triangle for each term. V = I + sum of Z_k D_k Z_k'
over blocks. How V is inverted depends on the design: `mixed_nested` where each factor lies within
the next, `mixed_crossed` where not, both in the manner of Bates, Alday, Kleinschmidt, Calderón,
Zhan & Noack (2023), MixedModels.jl, doi:10.5281/zenodo.596435. Criterion and gradient are those of
`numerics.mixed`, summed over blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from collabsurvey.numerics.linalg import symmetric_function
from collabsurvey.numerics.mixed import (
    DECREMENT,
    STARTS,
    filled,
    free_elements,
    rises_from,
    standardised,
)
from collabsurvey.numerics.typing import FloatArray, IntArray

STEP = 1e-4  # of the central differences, relative; their error is of order STEP^2
NEWTON_STEPS = 15
BFGS_STEPS = 100
CLOSE = 1e-8  # what another BFGS step must promise, in deviance; errors of the df go with its root
SHORTER = (1.0, 0.3, 0.1, 0.03, 0.01, 0.001)
LONGEST = 2.0  # largest change of an element of theta in one step, or times the largest
EXACT = 1e-12  # share of the residual sum of squares that is no more than rounding
FEWEST, MOST = 0.01, 25.0  # relative variances between which the search starts
SAME_HESSIAN = 1e-4  # relative change of theta below which a Hessian is used again
LEAST_R2 = 1e-14  # share of the residual sum of squares at which the criterion stops falling

Lowers = tuple[FloatArray, ...]


@dataclass(frozen=True, eq=False)
class Pattern:
    """Which elements of L (q, q) of a block are free: the lower triangle of each term."""

    sizes: tuple[int, ...]  # columns of each term

    @property
    def n_random(self) -> int:
        """q, random effects per level."""
        return sum(self.sizes)

    @cached_property
    def terms(self) -> tuple[slice, ...]:
        """Where each term's columns are."""
        ends = np.cumsum(self.sizes).tolist()
        return tuple(slice(end - size, end) for size, end in zip(self.sizes, ends, strict=True))

    @cached_property
    def elements(self) -> tuple[IntArray, IntArray]:
        """Rows and columns of the free elements, term by term, column by column."""
        found = [free_elements(size, correlated=True) for size in self.sizes]
        starts = [term.start for term in self.terms]
        rows = [part[0] + start for part, start in zip(found, starts, strict=True)]
        columns = [part[1] + start for part, start in zip(found, starts, strict=True)]
        return np.concatenate(rows), np.concatenate(columns)

    @property
    def n_free(self) -> int:
        """Number of free elements."""
        return sum(size * (size + 1) // 2 for size in self.sizes)


@dataclass(frozen=True, eq=False)
class BlockEvaluation:
    """The model at one set of L; the criterion is -2 log-likelihood of e on Q."""

    criterion: float
    r2: float  # penalised residual sum of squares; sigma^2 = r2 / df_total
    beta: FloatArray  # (p,) on Q
    unscaled: FloatArray  # (p, p) inverse of Q'V^-1 Q
    s: Lowers  # (q, q) a block: sum over levels of Z'V^-1 Z
    a: Lowers  # (G, q) Z'V^-1 (e - Q beta)
    b: Lowers  # (G, q, p) Z'V^-1 Q
    spread: Lowers  # (G, q, q) covariance of the random effects given the data, over sigma^2


class BlockProducts(Protocol):
    """Cross-products of a design with several blocks, and how to evaluate them."""

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """One a block."""

    @property
    def n_rows(self) -> int:
        """Rows, N."""

    @property
    def n_fixed(self) -> int:
        """Fixed coefficients, p."""

    @property
    def reml(self) -> bool:
        """REML, or maximum likelihood."""

    @property
    def ee(self) -> float:
        """Sum of squares of e."""

    def evaluate(self, lowers: Lowers) -> BlockEvaluation:
        """Criterion and the pieces of its derivatives."""

    def moments(self) -> tuple[tuple[FloatArray, FloatArray], ...]:
        """Diagonals (G, q) of Z'Z and Z'e (G, q) of each block."""


@dataclass(frozen=True, eq=False)
class BlockFit:
    """The optimum and the optimiser's record."""

    lowers: Lowers
    at: BlockEvaluation
    sigma2: float
    hessian: FloatArray  # (k, k) of the profiled criterion in theta
    converged: bool
    method: str
    n_iterations: int
    n_evaluations: int
    gradient_norm: float  # largest absolute derivative of the criterion
    decrement: float  # what a further Newton step promises, in deviance


class NoResidualError(ArithmeticError):
    """Random and fixed effects give the outcome exactly: the criterion falls without end."""


def df_total(products: BlockProducts) -> int:
    """N for maximum likelihood, N - p for REML."""
    return products.n_rows - (products.n_fixed if products.reml else 0)


def criterion_without_random(products: BlockProducts) -> float:
    """The criterion where every variance is zero: V and Q'Q are the identity, Q'e is zero."""
    n = df_total(products)
    return float(n * (1 + np.log(2 * np.pi * products.ee / n)))


@dataclass(frozen=True)
class Profiled:
    """Fixed effects and criterion, from what V^-1 makes of [Q, e]."""

    criterion: float
    r2: float
    beta: FloatArray
    unscaled: FloatArray

    @classmethod
    def of(
        cls,
        products: BlockProducts,
        log_v: float,
        information: FloatArray,
        cross: FloatArray,
        ee: float,
    ) -> Profiled:
        """From log det V, Q'V^-1 Q (p, p), Q'V^-1 e (p,) and e'V^-1 e."""
        unscaled = np.linalg.inv(information)
        beta = unscaled @ cross
        r2 = max(ee - float(beta @ cross), LEAST_R2 * products.ee)
        n = df_total(products)
        criterion = log_v + n * (1 + np.log(2 * np.pi * r2 / n))
        if products.reml:
            criterion += float(np.linalg.slogdet(information)[1])
        return cls(float(criterion), r2, beta, (unscaled + unscaled.T) / 2)


def _root(values: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(np.maximum(values, 0.0)))


def slopes(at: BlockEvaluation, sigma2: float, *, reml: bool) -> Lowers:
    """Derivatives (q, q) of the criterion with respect to each D at a given sigma^2."""
    found = []
    root = symmetric_function(at.unscaled[None], _root)[0] if reml and len(at.unscaled) else None
    for s, a, b in zip(at.s, at.a, at.b, strict=True):
        slope = s - a.T @ a / sigma2
        if root is not None:
            rooted = (b @ root).transpose(1, 0, 2).reshape(b.shape[1], -1)
            slope = slope - rooted @ rooted.T
        found.append((slope + slope.T) / 2)
    return tuple(found)


def lowers_of(patterns: Sequence[Pattern], theta: FloatArray) -> Lowers:
    """Each L (q, q) from all free elements."""
    found, start = [], 0
    for pattern in patterns:
        part = theta[start : start + pattern.n_free]
        found.append(filled(part, *pattern.elements, pattern.n_random))
        start += pattern.n_free
    return tuple(found)


def theta_of(patterns: Sequence[Pattern], matrices: Lowers) -> FloatArray:
    """Free elements of each matrix (q, q)."""
    parts = [m[pattern.elements] for pattern, m in zip(patterns, matrices, strict=True)]
    return np.concatenate(parts)


def gradient(products: BlockProducts, at: BlockEvaluation, lowers: Lowers) -> FloatArray:
    """Derivatives of the profiled criterion with respect to theta."""
    by_d = slopes(at, at.r2 / df_total(products), reml=products.reml)
    moved = tuple(2 * slope @ lower for slope, lower in zip(by_d, lowers, strict=True))
    return theta_of(products.patterns, moved)


class Search:
    """Criterion and gradient at theta, counted; the latest evaluations are kept."""

    KEPT = 3

    def __init__(self, products: BlockProducts) -> None:
        self.products = products
        self.count = 0
        self._latest: dict[bytes, tuple[BlockEvaluation, FloatArray]] = {}

    def at(self, theta: FloatArray) -> tuple[BlockEvaluation, FloatArray]:
        """Evaluation and gradient (k,)."""
        key = theta.tobytes()
        if key not in self._latest:
            while len(self._latest) >= self.KEPT:
                self._latest.pop(next(iter(self._latest)))
            self._latest[key] = self._evaluated(theta)
        return self._latest[key]

    def _evaluated(self, theta: FloatArray) -> tuple[BlockEvaluation, FloatArray]:
        self.count += 1
        lowers = lowers_of(self.products.patterns, theta)
        found = self.products.evaluate(lowers)
        return found, gradient(self.products, found, lowers)

    def hessian(self, theta: FloatArray) -> FloatArray:
        """Central differences (k, k) of the gradient."""
        steps = STEP * np.maximum(np.abs(theta), 0.1)
        rows = []
        for i, h in enumerate(steps):
            unit = np.zeros(len(theta))
            unit[i] = h
            up, down = self._evaluated(theta + unit)[1], self._evaluated(theta - unit)[1]
            rows.append((up - down) / (2 * h))
        found = np.array(rows)
        return np.asarray((found + found.T) / 2)


def fit_blocks(products: BlockProducts) -> BlockFit:
    """Minimise the criterion over all L: quasi-Newton, then Newton to the last digit."""
    patterns = products.patterns
    diagonal = np.concatenate([p.elements[0] == p.elements[1] for p in patterns])
    search = Search(products)
    best: BlockFit | None = None
    for start in (moment_start(products), *STARTS):
        theta, steps = quasi_newton(search, np.where(diagonal, start, 0.0))
        if search.at(theta)[0].r2 <= EXACT * products.ee:
            raise NoResidualError
        here = _finished(products, search, theta, steps)
        if best is None or here.at.criterion < best.at.criterion - 1e-9:
            best = here
        if best.converged:
            break
    if best is None:  # there are starts
        raise RuntimeError("no start was tried")
    return best


def moment_start(products: BlockProducts) -> FloatArray:
    """Relative standard deviations from each random column by itself, repeated for its L.

    With s the sums Z'e of the levels and z their Z'Z, the expectation of s's is
    tau^2 z'z + sigma^2 1'z; the other columns are taken as part of the residual.
    """
    variance = products.ee / products.n_rows
    found = []
    for pattern, (zz, ze) in zip(products.patterns, products.moments(), strict=True):
        total, squares = zz.sum(axis=0), (zz**2).sum(axis=0)
        room = np.maximum(squares - total, 1e-12 * squares + 1e-300)
        tau2 = ((ze**2).sum(axis=0) - variance * total) / room
        ratio = np.sqrt(np.clip(tau2 / variance, FEWEST, MOST))
        found.append(ratio[pattern.elements[1]])
    return np.concatenate(found)


def curvature(products: BlockProducts, at: BlockEvaluation, lowers: Lowers) -> FloatArray:
    """Diagonal (k,) of the Hessian, roughly: its expectation were levels alike and unrelated."""
    found = []
    for pattern, s, a, lower in zip(products.patterns, at.s, at.a, lowers, strict=True):
        i, j = pattern.elements
        information = np.diag(s)
        double = np.where(i == j, 4.0, 2.0)
        found.append(double * information[i] * information[j] * lower[j, j] ** 2 / len(a))
    joined = np.concatenate(found)
    return np.asarray(np.maximum(joined, 1e-3 * joined.max(initial=1e-3)))


def quasi_newton(search: Search, theta: FloatArray) -> tuple[FloatArray, int]:
    """BFGS steps until another would promise little; theta and the number of steps."""
    at, slope = search.at(theta)
    inverse = np.diag(1 / curvature(search.products, at, _lowers(search, theta)))
    fresh = True
    for step in range(BFGS_STEPS):
        move = inverse @ slope
        decrement = float(slope @ move)
        if decrement < CLOSE or at.r2 <= EXACT * search.products.ee:
            return theta, step
        most = LONGEST * max(1.0, float(np.abs(theta).max()))
        move = move * min(1.0, most / float(np.abs(move).max()))
        for shorter in SHORTER:
            trial = theta - shorter * move
            there, trial_slope = search.at(trial)
            if there.criterion < at.criterion - 1e-4 * shorter * decrement:
                break
        else:
            if fresh:
                return theta, step
            inverse = np.diag(1 / curvature(search.products, at, _lowers(search, theta)))
            fresh = True
            continue
        inverse = updated(inverse, trial - theta, trial_slope - slope)
        theta, at, slope, fresh = trial, there, trial_slope, False
    return theta, BFGS_STEPS


def _lowers(search: Search, theta: FloatArray) -> Lowers:
    return lowers_of(search.products.patterns, theta)


def updated(inverse: FloatArray, moved: FloatArray, change: FloatArray) -> FloatArray:
    """BFGS update of an inverse Hessian; unchanged where the curvature is not positive."""
    along = float(moved @ change)
    if along <= 1e-10 * np.linalg.norm(moved) * np.linalg.norm(change):
        return inverse
    left = np.eye(len(moved)) - np.outer(moved, change) / along
    return np.asarray(left @ inverse @ left.T + np.outer(moved, moved) / along)


def _finished(
    products: BlockProducts, search: Search, theta: FloatArray, n_iterations: int
) -> BlockFit:
    """Newton steps, vanishing variances at zero, and whether this is a minimum."""
    patterns = products.patterns
    theta, hessian, decrement, steps = polished(search, theta)
    lowers = tuple(standardised(lower) for lower in lowers_of(patterns, theta))
    at, slope = search.at(theta_of(patterns, lowers))
    sigma2 = at.r2 / df_total(products)
    by_d = slopes(at, sigma2, reml=products.reml)
    rises = all(
        rises_from(lower[part, part], d[part, part], products.n_rows, correlated=True)
        for pattern, lower, d in zip(patterns, lowers, by_d, strict=True)
        for part in pattern.terms
    )
    return BlockFit(
        lowers=lowers,
        at=at,
        sigma2=sigma2,
        hessian=hessian,
        converged=bool(decrement < DECREMENT and rises),
        method="BFGS, then Newton",
        n_iterations=n_iterations + steps,
        n_evaluations=search.count,
        gradient_norm=float(np.abs(slope).max()),
        decrement=decrement,
    )


def polished(search: Search, theta: FloatArray) -> tuple[FloatArray, FloatArray, float, int]:
    """Newton steps while they shorten the gradient: theta, Hessian, last decrement, steps.

    A Hessian serves for several steps, and is made anew once theta has moved away from where it
    was taken, so that at the end it is one of the optimum.
    """
    slope = search.at(theta)[1]
    hessian, origin = search.hessian(theta), theta
    decrement = np.inf
    for step in range(NEWTON_STEPS):
        move = newton_move(hessian, slope)
        decrement = abs(float(slope @ move))
        if decrement < 1e-4 * DECREMENT and _near(theta, origin):
            return theta, hessian, decrement, step
        shortened = False
        for shorter in (1.0, 0.25, 0.05):
            trial = theta - shorter * move
            trial_slope = search.at(trial)[1]
            if np.linalg.norm(trial_slope) < np.linalg.norm(slope):
                shortened = True
                break
        if not shortened and _near(theta, origin):
            return theta, hessian, decrement, step
        slow = not shortened or np.linalg.norm(trial_slope) > 0.1 * np.linalg.norm(slope)
        if shortened:
            theta, slope = trial, trial_slope
        if slow or not _near(theta, origin):
            hessian, origin = search.hessian(theta), theta
    return theta, hessian, decrement, NEWTON_STEPS


def _near(theta: FloatArray, origin: FloatArray) -> bool:
    return bool(np.abs(theta - origin).max() <= SAME_HESSIAN * np.abs(theta).max())


def newton_move(hessian: FloatArray, slope: FloatArray) -> FloatArray:
    """The step to take off, by a Hessian made positive; flat directions stay."""
    values, vectors = np.linalg.eigh(hessian)
    usable = np.abs(values) > 1e-9 * np.abs(values).max(initial=1e-300)
    along = vectors.T @ slope
    return np.asarray(vectors[:, usable] @ (along[usable] / np.abs(values[usable])))
