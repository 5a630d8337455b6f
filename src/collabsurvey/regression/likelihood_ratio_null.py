"""The likelihood ratio of two mixed models where the smaller one is true, by simulation.

As RLRsim for one variance (Crainiceanu & Ruppert, 2004, doi:10.1111/j.1467-9868.2004.00438.x), and
by a parametric bootstrap for any random part of one grouping factor: outcomes are drawn as
products, and both models are fitted to all of them at once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collabsurvey.errors import NotSupportedError
from collabsurvey.numerics.mixed_blocks import BlockProducts, Pattern, df_total, fit_blocks
from collabsurvey.numerics.mixed_bootstrap import Draws, fitted_draws, simulator
from collabsurvey.numerics.mixed_nested import NestedProducts
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.regression.linear import LinearResult
from collabsurvey.regression.mixed_blocks_of import FittedBlocks, fitted_blocks
from collabsurvey.regression.mixed_result import MixedResult

NUMBERS = 4_000_000  # of one array of draws


def null_statistics(
    smaller: MixedResult | LinearResult,
    of_larger: FittedBlocks,
    *,
    more: int,
    n_draws: int,
    seed: int,
) -> FloatArray:
    """Statistics (n_draws,) of outcomes drawn from the smaller model."""
    products = of_larger.products
    if more or not isinstance(products, NestedProducts) or len(products.patterns) > 1:
        raise NotSupportedError(
            "A simulated test of models with several grouping factors or different coefficients",
            instead='Use method="chi-bar".',
        )
    restricted, columns = _restricted(smaller, products, of_larger)
    q = products.patterns[0].n_random
    lower, sigma = np.zeros((q, q)), float(np.sqrt(products.ee / products.n_rows))
    null = None
    if restricted is not None:
        null = fit_blocks(restricted)
        lower[np.ix_(columns, columns)] = null.lowers[0]
        sigma = float(np.sqrt(null.sigma2))
    design = simulator(products)
    generator = np.random.default_rng(seed)
    size = max(1, NUMBERS // (design.zx.shape[0] * q))
    found = []
    for start in range(0, n_draws, size):
        draws = design.draw((lower,), sigma, min(size, n_draws - start), generator)
        full = fitted_draws(products, draws, (lower,)).criterion
        if null is None or restricted is None:
            part = _without(products, draws.ee)
        else:
            own = Draws(np.ascontiguousarray(draws.ze[:, :, columns]), draws.ee, draws.shift)
            part = fitted_draws(restricted, own, null.lowers).criterion
        found.append(np.maximum(part - full, 0.0))
    return np.concatenate(found)


def _without(products: BlockProducts, ee: FloatArray) -> FloatArray:
    """Criterion (R,) without random effects: log det of Q'Q is zero."""
    n = df_total(products)
    return np.asarray(n * (1 + np.log(2 * np.pi * ee / n)))


def _restricted(
    smaller: MixedResult | LinearResult, products: NestedProducts, of_larger: FittedBlocks
) -> tuple[NestedProducts | None, IntArray]:
    """The larger model's products with the random effects of the smaller one only."""
    if isinstance(smaller, LinearResult):
        return None, np.empty(0, dtype=np.int64)
    own = fitted_blocks(smaller)
    place = {
        name: piece.columns.start + i
        for piece in of_larger.pieces
        for i, name in enumerate(piece.names)
    }
    names = [name for piece in own.pieces for name in piece.names]
    columns = np.array([place[name] for name in names], dtype=np.int64)
    others = np.setdiff1d(np.arange(len(place)), columns)
    # Standardised slopes hold a share of the intercept: alone they are another effect.
    mixed_up = np.linalg.inv(of_larger.scales[0])[np.ix_(others, columns)]
    if np.abs(mixed_up).max(initial=0.0) > 0:
        raise NotSupportedError(
            "A simulated test of a random intercept beside slopes", instead='Use method="chi-bar".'
        )
    q = products.patterns[0].n_random
    kept = [*columns.tolist(), *range(q, products.by_level.shape[1])]
    pattern = Pattern(tuple(len(piece.names) for piece in own.pieces))
    by_level = np.ascontiguousarray(products.by_level[:, kept][:, :, kept])
    return replace(products, patterns=(pattern,), by_level=by_level), columns
