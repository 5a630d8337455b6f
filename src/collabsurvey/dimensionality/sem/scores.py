"""Factor scores of continuous answers, their errors and how reliable they are.

Regression scores (Thurstone, 1935, The Vectors of Mind) are the expected factor values given the
answers; Bartlett's (1937, doi:10.1111/j.2044-8295.1937.tb00863.x) are unbiased for each person.
A row with gaps is scored from the answers it has, with the weights of its pattern of gaps. With w
the weights of a factor, c its covariances with the items and v its variance, a score is off by
w'Sigma w - 2 w'c + v on average. Reliability is the squared correlation of the scores with the
factor: squared determinacy (Guttman, 1955, Brit. J. Statist. Psychol. 8:65-81).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.dimensionality.sem.implied import Parts, parts
from collabsurvey.dimensionality.sem.missing_patterns import pattern_inverses
from collabsurvey.dimensionality.sem.model import Block
from collabsurvey.dimensionality.sem.normal import inverted
from collabsurvey.errors import DataError
from collabsurvey.numerics.em_normal import gap_patterns
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

ContinuousMethod = Literal["regression", "bartlett"]
CELLS = 2**18  # numbers held at a time: 2 MB, which stays in the cache
ROUNDING = 1e-9  # of a factor's variance: below it an error variance is zero
KNOWN = 1e-6  # how far a unit vector may be from itself for a factor to count as measured


@dataclass(frozen=True, eq=False)
class Scores:
    """One score for each row and factor."""

    factors: tuple[str, ...]  # (f,)
    values: FloatArray  # (n, f); NaN where none of a factor's items was answered
    std_error: FloatArray  # (n, f); NaN also where a solution is improper
    reliability: FloatArray  # (f,) over the rows scored; NaN where a solution is improper
    n_partial: int  # rows scored from some of their answers
    n_empty: int  # rows without any answer, which have no scores
    ignored: tuple[tuple[str, str], ...] = ()  # items with a residual covariance left out

    @property
    def determinacy(self) -> FloatArray:
        """Correlation (f,) of the scores with the factors."""
        return np.asarray(np.sqrt(self.reliability))


@dataclass(frozen=True, eq=False)
class Designs:
    """What weights are made of. Each design holds its factors fixed, and scores some of them."""

    cov: FloatArray  # (p, p)
    inverse: FloatArray  # (p, p)
    cross: FloatArray  # (p, f) covariances of items with factors
    variance: FloatArray  # (f,)
    effects: tuple[FloatArray, ...]  # of each design (p, k); none for regression scores
    scored: tuple[IntArray, ...]  # (s,) factors that the design is for
    columns: tuple[IntArray, ...]  # (s,) their columns in the design


def factor_scores(
    block: Block,
    theta: FloatArray,
    rows: FloatArray,
    *,
    method: ContinuousMethod = "regression",
    mean: FloatArray | None = None,
) -> Scores:
    """Scores from answers (n, p), NaN for missing, in the order of the block's variables.

    `mean` (p,) are the sample's means, used where the model has no mean structure. As in lavaan,
    regression takes the block's own means and variances as the prior, and scores have the
    factors' means. A higher-order factor has Bartlett scores as well, with the lower ones'
    disturbances as errors; lavaan gives 0.
    """
    at = parts(block, theta)
    item_mean, factor_mean = expected_means(block, theta, at, mean)
    designs = _designs(block, theta, at, method)
    weights, off = _weights(designs, designs.inverse[None])
    n, f = len(rows), block.n_factors
    values = np.empty((n, f))
    whole = np.empty(n, dtype=bool)
    for part in blocks_of(n, len(at.mean)):
        z = rows[part] - item_mean
        whole[part] = ~np.isnan(z).any(axis=1)
        values[part] = z @ weights[0].T
    spread = np.broadcast_to(off[0], (n, f))
    gappy = np.flatnonzero(~whole)
    n_empty = 0
    if len(gappy):
        spread = spread.copy()
        for some, w, spread_there, of in _by_pattern(designs, rows, gappy):
            z = np.nan_to_num(rows[some] - item_mean)
            values[some] = np.einsum("rp,rfp->rf", z, w[of])
            spread[some] = spread_there[of]
        empty = gappy[np.isnan(rows[gappy]).all(axis=1)]
        values[empty], spread[empty] = np.nan, np.nan
        n_empty = len(empty)
    values += factor_mean
    average = off[0] if not len(gappy) else _average(spread)
    return Scores(
        block.latent[:f],
        values,
        standard_errors(spread, designs.variance),
        _reliability(average, designs.variance, method),
        len(gappy) - n_empty,
        n_empty,
    )


def expected_means(
    block: Block, theta: FloatArray, at: Parts, mean: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Means of the items (p,) and of the factors (f,) that scores refer to.

    Without a mean structure items have the sample's means, and factors the ones that follow from
    observed variables they are regressed on, with intercepts of zero.
    """
    f = block.n_factors
    if block.means or mean is None:
        return at.mean, at.latent_mean[:f]
    observed = np.array([block.observed.index(name) for name in block.latent[f:]], dtype=np.intp)
    if not len(observed):
        return mean, np.zeros(f)
    paths = block.paths.filled(theta)
    carried = np.linalg.solve(np.eye(f) - paths[:f, :f], paths[:f, f:] @ mean[observed])
    return mean, np.asarray(carried)


def blocks_of(n: int, width: int) -> Iterator[slice]:
    """Split n rows into parts of so many that `width` numbers for each are CELLS."""
    size = max(CELLS // width, 1)
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def standard_errors(spread: FloatArray, variance: FloatArray) -> FloatArray:
    """Roots of error variances (n, f); 0 for rounding, NaN for negative ones."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(np.where(np.abs(spread) <= ROUNDING * variance, 0.0, spread)))


def _average(spread: FloatArray) -> FloatArray:
    """Mean error variance (f,) over the rows that have a score."""
    known = ~np.isnan(spread)
    total = np.where(known, spread, 0.0).sum(axis=0)
    return np.asarray(np.where(known.any(axis=0), total, np.nan) / np.maximum(known.sum(axis=0), 1))


def _reliability(spread: FloatArray, variance: FloatArray, method: ContinuousMethod) -> FloatArray:
    """Squared correlation (f,) of scores with factors, from mean error variances (f,)."""
    positive = np.where(variance > 0, variance, np.nan)
    share = spread / positive
    out = 1 - share if method == "regression" else 1 / (1 + share)
    return np.asarray(np.where((out < -ROUNDING) | (out > 1 + ROUNDING), np.nan, out.clip(0, 1)))


def _designs(block: Block, theta: FloatArray, at: Parts, method: ContinuousMethod) -> Designs:
    """Gather what the weights of a method are made of."""
    inverse, _ = inverted(at.cov)
    if inverse is None:
        raise DataError(
            "The model's covariances of the items are not positive definite, so that there are "
            "no factor scores. The solution is improper; simplify the model."
        )
    f = block.n_factors
    effects, scored, columns = [], [], []
    if method == "bartlett":
        for order in sorted(set((orders := _orders(block, theta))[:f].tolist())):
            effect, held = _held_fixed(block, theta, orders, order)
            mine = np.flatnonzero(orders[:f] == order)
            effects.append(effect)
            scored.append(mine)
            columns.append(np.searchsorted(held, mine))
    return Designs(
        at.cov,
        inverse,
        at.cross_cov[:, :f],
        np.diag(at.latent_cov)[:f].copy(),
        tuple(effects),
        tuple(scored),
        tuple(columns),
    )


def _orders(block: Block, theta: FloatArray) -> IntArray:
    """Return 1 for latent variables (m,) with items of their own, more for those above them."""
    measures = (block.loadings.filled(theta) != 0).any(axis=0)
    below = block.paths.filled(theta) != 0  # (effect, cause)
    orders: IntArray = measures.astype(np.int64)
    for order in range(2, len(orders) + 2):
        if (orders > 0).all():
            break
        lacking = orders == 0
        reached = (below & (orders == order - 1)[:, None]).any(axis=0)
        orders[lacking & reached] = order
        if not (lacking & reached).any():
            orders[lacking] = order  # measured by nothing
    return orders


def _held_fixed(
    block: Block, theta: FloatArray, orders: IntArray, order: int
) -> tuple[FloatArray, IntArray]:
    """Effects (p, k) on the items of the latent variables held fixed, and which they are (k,).

    For scores of an order these are the ones of that order, and lower ones that do not depend
    on them: what lower ones add to the effects is error.
    """
    loadings, paths = block.loadings.filled(theta), block.paths.filled(theta)
    low = orders < order
    depends = orders == order
    for _ in range(len(orders)):
        depends = depends | (low & ((paths != 0) & depends).any(axis=1))
    carried = np.flatnonzero(low & depends)
    held = np.flatnonzero((orders <= order) & ~(low & depends))
    effect = loadings[:, held]
    if len(carried):
        within = np.eye(len(carried)) - paths[np.ix_(carried, carried)]
        effect = effect + loadings[:, carried] @ np.linalg.solve(
            within, paths[np.ix_(carried, held)]
        )
    return effect, held


def _weights(designs: Designs, inverses: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights (q, f, p) and error variances (q, f) of patterns with inverses (q, p, p)."""
    if not designs.effects:
        weights = (inverses @ designs.cross).swapaxes(1, 2)
    else:
        shape = (len(inverses), len(designs.variance), len(designs.cov))
        weights = np.full(shape, np.nan)
        for effect, scored, columns in zip(
            designs.effects, designs.scored, designs.columns, strict=True
        ):
            weights[:, scored] = _unbiased(effect, inverses)[:, columns]
    own = np.einsum("qfp,pf->qf", weights, designs.cross)
    spread = ((weights @ designs.cov) * weights).sum(axis=2)
    return weights, spread - 2 * own + designs.variance


def _unbiased(effect: FloatArray, inverses: FloatArray) -> FloatArray:
    """Weights (q, k, p) of generalised least squares; NaN for what the answers do not tell."""
    pulled = effect.T @ inverses  # (q, k, p)
    products = pulled @ effect
    # In units in which each has as much information as the other, singular means the same.
    size = np.sqrt(np.maximum(np.diagonal(products, axis1=1, axis2=2).max(axis=0), 1e-300))
    scaled = products / np.outer(size, size)
    back = np.linalg.pinv(scaled, rcond=1e-10, hermitian=True)
    told = np.diagonal(back @ scaled, axis1=1, axis2=2)
    weights = (back @ (pulled / size[:, None])) / size[:, None]
    return np.where(np.abs(told - 1)[:, :, None] < KNOWN, weights, np.nan)


def _by_pattern(
    designs: Designs, rows: FloatArray, gappy: IntArray
) -> Iterator[tuple[IntArray, FloatArray, FloatArray, IntArray]]:
    """Rows with gaps, a few at a time: places (r,), weights and errors of patterns, which (r,)."""
    p, f = rows.shape[1], len(designs.variance)
    answered: BoolArray = ~np.isnan(rows[gappy])
    patterns = gap_patterns(answered)
    order = np.argsort(patterns.which, kind="stable")
    ends = np.concatenate([[0], np.cumsum(patterns.n_rows)])
    n_gaps = p - patterns.answered.sum(axis=1)
    for m in np.unique(n_gaps[n_gaps < p]):
        members = np.flatnonzero(n_gaps == m)
        for part in blocks_of(len(members), 3 * p * p):
            some = members[part]
            there = patterns.answered[some]
            gaps = np.nonzero(~there)[1].reshape(len(some), m)
            weights, spread = _weights(designs, pattern_inverses(designs.inverse, there, gaps))
            of = np.repeat(np.arange(len(some)), patterns.n_rows[some])
            places = np.concatenate([order[ends[q] : ends[q + 1]] for q in some])
            for few in blocks_of(len(places), (f + 1) * p):
                yield gappy[places[few]], weights, spread, of[few]
