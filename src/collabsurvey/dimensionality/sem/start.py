"""Where estimation starts, and the covariates' moments that are not estimated.

Loadings come from the leading component of each factor's items, so that scoring begins within
reach of the solution whatever the items' units and signs are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from collabsurvey.dimensionality.sem.model import Block, Cells, Model
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

MOST_COMMON = 0.9  # largest share of an item's variance that starts as common


def with_covariates(model: Model, samples: Sequence[Sample]) -> Model:
    """Put the sample's moments of the covariates where the model holds a fixed NaN."""
    if not any(block.covariates for block in model.blocks):
        return model
    blocks, parameters = [], list(model.parameters)
    for number, (block, sample) in enumerate(zip(model.blocks, samples, strict=True)):
        place = {name: i for i, name in enumerate(block.observed)}
        of = np.array([place.get(name, -1) for name in block.latent])
        cov = block.factor_cov.fixed.copy()
        row, column = np.nonzero(np.isnan(cov))
        cov[row, column] = sample.cov[of[row], of[column]]
        mean = np.zeros(len(sample.cov)) if sample.mean is None else sample.mean
        means = block.factor_means.fixed.copy()
        (row,) = np.nonzero(np.isnan(means))
        means[row] = mean[of[row]]
        blocks.append(
            replace(
                block,
                factor_cov=replace(block.factor_cov, fixed=cov),
                factor_means=replace(block.factor_means, fixed=means),
            )
        )
        for i, one in enumerate(parameters):
            if one.exogenous and one.block == number and not one.free:
                lhs = place[one.lhs]
                value = mean[lhs] if one.op == "~1" else sample.cov[lhs, place[one.rhs]]
                parameters[i] = replace(one, value=float(value))
    return replace(model, blocks=tuple(blocks), parameters=tuple(parameters))


def start_values(model: Model, samples: Sequence[Sample]) -> FloatArray:
    """Return x (n_unique,) to begin with; what the text asks for by start() comes first."""
    theta = np.zeros(model.n_free)
    for block, sample in zip(model.blocks, samples, strict=True):
        _fill(block, sample, theta)
    asked = np.array([one.value for one in model.parameters])[model.place >= 0]
    place = model.place[model.place >= 0]
    known = ~np.isnan(asked)
    theta[place[known]] = asked[known]
    if model.n_unique == model.n_free and not model.offset.any():
        return np.asarray(model.reduce.T @ theta)
    return np.asarray(
        np.linalg.lstsq(model.reduce, theta - model.offset, rcond=None)[0], dtype=np.float64
    )


def _fill(block: Block, sample: Sample, theta: FloatArray) -> None:
    """Write the start values of one block."""
    sd = np.sqrt(np.diag(sample.cov))
    strength, correlations = _strengths(block, sample.cov / np.outer(sd, sd))
    common = np.minimum((strength**2).sum(axis=1), MOST_COMMON)
    unit = sd.copy()  # standard deviation of the item, or of its response under theta
    if block.ordered and block.parameterization == "theta":
        ordered = block.is_ordered
        unit[ordered] = (1 - common[ordered]) ** -0.5
    turn = _turned(block, strength)
    strength, correlations = strength * turn, correlations * np.outer(turn, turn)
    size = _factor_sizes(block, strength * unit[:, None])
    _set(theta, block.loadings, strength * unit[:, None] / size)
    latent_cov = correlations * np.outer(size, size)
    observed = _observed(block)
    phantom = np.flatnonzero(observed >= 0)
    here = observed[phantom]
    latent_cov[np.ix_(phantom, phantom)] = sample.cov[np.ix_(here, here)]
    _set_paths(block, theta, latent_cov)
    residual = np.diag(unit**2 * (1 - common))
    _set(theta, block.residual_cov, residual)
    if sample.mean is not None:
        mean = np.where(block.is_ordered, 0.0, sample.mean)
        _set(theta, block.intercepts, mean)
        means = np.zeros(len(block.latent))
        means[phantom] = mean[here]
        _set(theta, block.factor_means, means)
    if sample.thresholds is not None:
        _set(theta, block.thresholds, sample.thresholds * unit[block.item_of_threshold])
    _set(theta, block.scales, np.ones(len(sd)))


def _strengths(block: Block, cor: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Standardised loadings (p, m) from leading components; correlations of factors (m, m).

    Factors with many items come first; what they explain is taken out before a factor that
    shares two or more of its items is looked at.
    """
    named = _named(block.loadings)
    p, m = named.shape
    strength, cor = np.zeros((p, m)), np.nan_to_num(cor)
    order = sorted(range(block.n_factors), key=lambda j: -int(named[:, j].sum()))
    for j in order:
        (items,) = np.nonzero(named[:, j])
        if len(items) == 0:
            continue
        part = cor[np.ix_(items, items)].copy()
        for other in order[: order.index(j)]:
            if (named[items, other]).sum() > 1:
                part -= np.outer(strength[items, other], strength[items, other])
        strength[items, j] = _leading(part)
    correlations = np.eye(m)
    totals = strength.sum(axis=0)
    for a in range(block.n_factors):
        for b in range(a):
            shared = named[:, a] & named[:, b]
            if totals[a] * totals[b] == 0 or shared.any():
                continue
            turn_a, turn_b = np.sign(strength[:, a]), np.sign(strength[:, b])
            weight = np.abs(strength[:, a]).sum() * np.abs(strength[:, b]).sum()
            value = float(np.clip(turn_a @ cor @ turn_b / weight, -MOST_COMMON, MOST_COMMON))
            correlations[a, b] = correlations[b, a] = value
    if m and np.linalg.eigvalsh(correlations)[0] < 0.01:
        correlations = 0.5 * (correlations + np.eye(m))
    return strength, correlations


def _leading(part: FloatArray) -> FloatArray:
    """Loadings (k,) on the leading component, with the largest correlation as communality."""
    k = len(part)
    if k == 1:
        return np.array([MOST_COMMON**0.5])
    part = part.copy()
    np.fill_diagonal(part, 0.0)
    np.fill_diagonal(part, np.abs(part).max(axis=0))
    values, vectors = np.linalg.eigh(part)
    loadings = vectors[:, -1] * max(values[-1], 0.1) ** 0.5
    loadings *= np.sign(loadings.sum()) or 1.0
    return np.asarray(np.clip(loadings, -(MOST_COMMON**0.5), MOST_COMMON**0.5))


def _named(cells: Cells) -> BoolArray:
    """Which cells of a matrix are free or fixed at something other than zero."""
    named: BoolArray = cells.fixed != 0
    named[cells.row, cells.column] = True
    return named


def _factor_sizes(block: Block, loadings: FloatArray) -> FloatArray:
    """Standard deviation (m,) each latent variable starts with, from its fixed loading if any."""
    size = np.ones(len(block.latent))
    for j in range(block.n_factors):
        fixed = block.loadings.fixed[:, j]
        (marked,) = np.nonzero(fixed)
        if len(marked):
            size[j] = max(float(loadings[marked[0], j] / fixed[marked[0]]), 0.05)
        elif not (
            block.factor_cov.which[(block.factor_cov.row == j) & (block.factor_cov.column == j)]
        ).size:
            size[j] = max(block.factor_cov.fixed[j, j], 0.0) ** 0.5 or 1.0
    return size


def _turned(block: Block, strength: FloatArray) -> FloatArray:
    """Signs (m,): a factor's first fixed loading as it is fixed; without one, its first is > 0."""
    turn = np.ones(strength.shape[1])
    for j in range(block.n_factors):
        (marked,) = np.nonzero(block.loadings.fixed[:, j])
        (items,) = np.nonzero(strength[:, j])
        if len(marked):
            first = marked[0]
            turn[j] = np.sign(strength[first, j] * block.loadings.fixed[first, j]) or 1.0
        elif len(items):
            turn[j] = np.sign(strength[items[0], j])
    return turn


def _set_paths(block: Block, theta: FloatArray, latent_cov: FloatArray) -> None:
    """Higher-order factors explain half of their first-order ones; regressions start at zero."""
    variances = np.diag(latent_cov).copy()
    paths = np.zeros_like(latent_cov)
    named = _named(block.paths) & (np.arange(len(paths))[None, :] < block.n_factors)
    has_items = _named(block.loadings).any(axis=0)
    for j in np.flatnonzero(named.any(axis=0) & ~has_items):
        (below,) = np.nonzero(named[:, j])
        fixed = block.paths.fixed[below, j]
        marked = np.flatnonzero(fixed)
        first = below[marked[0]] if len(marked) else below[0]
        own = (block.factor_cov.row == j) & (block.factor_cov.column == j)
        if own.any():
            variances[j] = variances[first] / 2
        paths[below, j] = (variances[below] / 2 / max(variances[j], 1e-8)) ** 0.5
        variances[below] /= 2
    _set(theta, block.paths, paths)
    cov = latent_cov.copy()
    np.fill_diagonal(cov, variances)
    _set(theta, block.factor_cov, cov)


def _observed(block: Block) -> IntArray:
    """Place (m,) among the observed variables of a latent-vector element; -1 for factors."""
    place = {name: i for i, name in enumerate(block.observed)}
    out = [place[name] for name in block.latent[block.n_factors :]]
    return np.array([-1] * block.n_factors + out, dtype=np.int64)


def _set(theta: FloatArray, cells: Cells, values: FloatArray) -> None:
    """Write the values of free cells to the parameters that stand in them."""
    picked = values[cells.row] if values.ndim == 1 else values[cells.row, cells.column]
    theta[cells.which] = picked
