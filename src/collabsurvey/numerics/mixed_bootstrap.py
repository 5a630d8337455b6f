"""Outcomes drawn from a fitted mixed model, as products; the rows are not needed.

y = Q beta + Z b + error enters the likelihood through Z'e, Q'e and e'e. Z'error of each level and
Q'error are normal with the design's own products as covariance, and what is left of error'error
is chi-square. So a draw costs as much as there are levels (of crossed factors: effects), whatever
the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from collabsurvey.numerics.mixed_blocks import (
    BFGS_STEPS,
    BlockEvaluation,
    BlockProducts,
    Lowers,
    Search,
    df_total,
    fit_blocks,
    lowers_of,
    quasi_newton,
    theta_of,
)
from collabsurvey.numerics.mixed_crossed import CrossedProducts
from collabsurvey.numerics.mixed_many import ManyProducts, fit_many
from collabsurvey.numerics.mixed_nested import NestedProducts
from collabsurvey.numerics.random_systems import effect_systems
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

NOTHING = 1e-10  # share of the largest eigenvalue that is zero
NUMBERS = 4_000_000  # of one array of draws
MOST_DRAWN = 3_000  # effects of crossed factors, whose matrix is decomposed
# Relative standard deviation from which a search starts: at 0 the gradient is 0 whatever the data.
FIRM_START = 0.15


@dataclass(frozen=True, eq=False)
class Draws:
    """R outcomes on one design."""

    ze: FloatArray  # (R, c, m) Z'e
    ee: FloatArray  # (R,)
    shift: FloatArray  # (R, p) Q'(y - Q beta), that least squares takes off


@dataclass(frozen=True, eq=False)
class Refits:
    """What was estimated from each of R outcomes."""

    lowers: tuple[FloatArray, ...]  # (R, q, q) of each block
    sigma2: FloatArray  # (R,)
    beta: FloatArray  # (R, p) on Q, less the true ones
    unscaled: FloatArray  # (R, p, p) covariance of the coefficients over sigma^2
    criterion: FloatArray  # (R,)
    converged: BoolArray  # (R,)


@dataclass(frozen=True, eq=False)
class Simulator:
    """A design from which outcomes are drawn; effects of one of the c systems share rows."""

    zz: FloatArray  # (c, m, m)
    zx: FloatArray  # (c, m, p)
    levels: tuple[IntArray, ...]  # level (c, levels) of each block whose effects are the columns
    n_levels: tuple[int, ...]
    n_rows: int

    @cached_property
    def _roots(self) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Roots of zz (c, m, m), their inverses, and which directions exist (c, m)."""
        values, vectors = np.linalg.eigh(self.zz)
        exists = values > NOTHING * np.maximum(values[:, -1:], 1e-300)
        root = np.sqrt(np.where(exists, values, 1.0))
        return (
            vectors * np.where(exists, root, 0.0)[:, None, :],
            vectors * np.where(exists, 1 / root, 0.0)[:, None, :],
            exists,
        )

    @cached_property
    def _rest(self) -> tuple[FloatArray, int]:
        """Root (p, r) of the covariance of Q'error that Z does not give, and the df left."""
        _, inverse, exists = self._roots
        given = inverse.transpose(0, 2, 1) @ self.zx
        flat = given.reshape(-1, self.zx.shape[2])
        values, vectors = np.linalg.eigh(np.eye(self.zx.shape[2]) - flat.T @ flat)
        own = values > NOTHING
        root = vectors[:, own] * np.sqrt(values[own])
        return root, self.n_rows - int(exists.sum()) - int(own.sum())

    def draw(
        self, lowers: Lowers, sigma: float, n_draws: int, generator: np.random.Generator
    ) -> Draws:
        """Outcomes with effects of covariance sigma^2 L L' and residuals of sigma."""
        c, m, p = self.zx.shape
        root, inverse, exists = self._roots
        effects = self._effects(lowers, n_draws, generator)
        u = generator.standard_normal((n_draws, c, m)) * exists
        noise = (root @ u[:, :, :, None])[:, :, :, 0]
        of_effects = (self.zz @ effects[:, :, :, None])[:, :, :, 0]
        joined = self.zx.reshape(c * m, p)
        known = (inverse @ u[:, :, :, None]).reshape(n_draws, c * m) @ joined
        rest, df = self._rest
        v = generator.standard_normal((n_draws, rest.shape[1]))
        shift = effects.reshape(n_draws, c * m) @ joined + known + v @ rest.T
        squares = (u**2).sum(axis=(1, 2)) + (v**2).sum(axis=1) + generator.chisquare(df, n_draws)
        squares = squares + (effects * (of_effects + 2 * noise)).sum(axis=(1, 2))
        ze = of_effects + noise - (shift @ joined.T).reshape(n_draws, c, m)
        return Draws(sigma * ze, sigma**2 * (squares - (shift**2).sum(axis=1)), sigma * shift)

    def _effects(self, lowers: Lowers, n_draws: int, generator: np.random.Generator) -> FloatArray:
        """Effects (R, c, m) in units of sigma."""
        found = []
        for lower, levels, n_levels in zip(lowers, self.levels, self.n_levels, strict=True):
            b = generator.standard_normal((n_draws, n_levels, len(lower))) @ lower.T
            found.append(b[:, levels].reshape(n_draws, len(levels), -1))
        return np.concatenate(found, axis=2)


def too_large_to_draw(products: BlockProducts) -> int | None:
    """Effects of crossed factors, if they are more than can be drawn from."""
    if not isinstance(products, CrossedProducts):
        return None
    effects = products.zz.shape[0] * products.zz.shape[1] + len(products.rr)
    return effects if effects > MOST_DRAWN else None


def simulator(products: BlockProducts) -> Simulator:
    """The design of a model of blocks."""
    if isinstance(products, NestedProducts):
        q = sum(pattern.n_random for pattern in products.patterns)
        level = [np.arange(len(products.by_level))]
        for parents in products.parents:
            level.append(parents.codes[level[-1]])
        return Simulator(
            products.by_level[:, :q, :q],
            products.by_level[:, :q, q:-1],
            tuple(codes[:, None] for codes in level),
            tuple(int(codes.max()) + 1 for codes in level),
            products.n_rows,
        )
    if isinstance(products, CrossedProducts):
        system = effect_systems(products)[0]
        n_levels = [len(products.zz)] if len(products.zz) else []
        n_levels += products.n_levels
        levels = tuple(np.arange(n)[None] for n in n_levels)
        return Simulator(system.zz, system.zx, levels, tuple(n_levels), products.n_rows)
    raise TypeError(f"{type(products).__name__} cannot be drawn from")


def with_outcome(products: BlockProducts, ze: FloatArray, ee: float) -> BlockProducts:
    """The same design with another outcome, Z'e (c, m) and e'e; Q'e is zero."""
    if isinstance(products, NestedProducts):
        w = products.by_level.copy()
        q = ze.shape[1]
        w[:, q:, -1] = w[:, -1, q:] = 0.0
        w[:, :q, -1] = w[:, -1, :q] = ze
        w[0, -1, -1] = ee
        return replace(products, by_level=w)
    if isinstance(products, CrossedProducts):
        first = products.zz.shape[0] * products.zz.shape[1] if len(products.zz) else 0
        zx, rx = products.zx.copy(), products.rx.copy()
        zx[:, :, -1] = ze[0, :first].reshape(zx.shape[:2])
        rx[:, -1] = ze[0, first:]
        return replace(products, zx=zx, rx=rx, ee=ee)
    raise TypeError(f"{type(products).__name__} cannot be drawn from")


def refits(
    products: BlockProducts, lowers: Lowers, sigma: float, *, n_draws: int, seed: int
) -> Refits:
    """Fit the model to outcomes drawn from itself, at L of each block and sigma."""
    design = simulator(products)
    generator = np.random.default_rng(seed)
    size = max(1, NUMBERS // (design.zx.shape[0] * design.zx.shape[1]))
    parts = []
    for start in range(0, n_draws, size):
        draws = design.draw(lowers, sigma, min(size, n_draws - start), generator)
        parts.append(fitted_draws(products, draws, lowers))
    return joined(parts)


def fitted_draws(products: BlockProducts, draws: Draws, lowers: Lowers) -> Refits:
    """Fit every outcome; those of one grouping factor all at once."""
    if isinstance(products, NestedProducts) and len(products.patterns) == 1:
        return _together(products, draws, lowers)
    start, _ = search_start(products, lowers)
    found = [
        _alone(with_outcome(products, ze, float(ee)), start)
        for ze, ee in zip(draws.ze, draws.ee, strict=True)
    ]
    return Refits(
        tuple(np.stack(part) for part in zip(*(fit[0] for fit in found), strict=True)),
        np.array([fit[1].r2 for fit in found]) / df_total(products),
        draws.shift + np.stack([fit[1].beta for fit in found]),
        np.stack([fit[1].unscaled for fit in found]),
        np.array([fit[1].criterion for fit in found]),
        np.array([fit[2] for fit in found]),
    )


def _alone(products: BlockProducts, start: FloatArray) -> tuple[Lowers, BlockEvaluation, bool]:
    """L, the model there, and whether it is an optimum, to the accuracy that a draw needs."""
    search = Search(products)
    theta, steps = quasi_newton(search, start)
    at, _ = search.at(theta)
    return lowers_of(products.patterns, theta), at, steps < BFGS_STEPS


def _together(products: NestedProducts, draws: Draws, lowers: Lowers) -> Refits:
    """All at once, and what did not converge alone."""
    pattern = products.patterns[0]
    q = pattern.n_random
    many = ManyProducts(
        pattern,
        np.ascontiguousarray(products.by_level[:, :q, :q]),
        np.ascontiguousarray(products.by_level[:, :q, q:-1]),
        draws.ze,
        draws.ee,
        products.n_rows,
        products.reml,
    )
    start, hessian = search_start(products, lowers)
    found = fit_many(many, start, hessian)
    lower, sigma2, beta, unscaled = found.lower, found.sigma2, found.beta, found.unscaled
    criterion, converged = found.criterion, found.converged
    for i in np.flatnonzero(~converged):
        alone = fit_blocks(with_outcome(products, draws.ze[i], float(draws.ee[i])))
        lower[i], sigma2[i], beta[i] = alone.lowers[0], alone.sigma2, alone.at.beta
        unscaled[i], criterion[i] = alone.at.unscaled, alone.at.criterion
        converged[i] = alone.converged
    return Refits((lower,), sigma2, draws.shift + beta, unscaled, criterion, converged)


def search_start(products: BlockProducts, lowers: Lowers) -> tuple[FloatArray, FloatArray]:
    """Elements of L to start from, and a positive definite Hessian there."""
    patterns = products.patterns
    diagonal = np.concatenate([p.elements[0] == p.elements[1] for p in patterns])
    theta = theta_of(patterns, lowers)
    theta = np.where(diagonal, np.maximum(np.abs(theta), FIRM_START), theta)
    hessian = Search(products).hessian(theta)
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(np.abs(values), 1e-2 * np.abs(values).max())
    return theta, (vectors * values) @ vectors.T


def joined(parts: list[Refits]) -> Refits:
    """Several sets of refits as one."""
    lowers = tuple(np.concatenate(x) for x in zip(*(part.lowers for part in parts), strict=True))
    names = ("sigma2", "beta", "unscaled", "criterion", "converged")
    return Refits(lowers, *(np.concatenate([getattr(part, n) for part in parts]) for n in names))
