"""Whether the moments determine the parameters, and if not, which of them they leave open.

The rank rule (Wald, 1950; Bekker, Merckens & Wansbeek, 1994): parameters are locally identified
where the derivatives of the moments have full column rank. The rank is the same almost everywhere,
so it is judged at arbitrary values and needs no data. What lies in the null space are the
parameters that can be changed together without any moment moving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from collabsurvey.dimensionality.sem.compile import count_moments
from collabsurvey.dimensionality.sem.equality import name_of
from collabsurvey.dimensionality.sem.implied import derivatives
from collabsurvey.dimensionality.sem.model import Block, Model, Parameter
from collabsurvey.dimensionality.sem.syntax import SOURCE
from collabsurvey.errors import FaultsError, listed
from collabsurvey.numerics.typing import FloatArray, IntArray

TOLERANCE = 1e-8  # singular value, against the largest, below which a direction is open
SEED = 1950  # the values are arbitrary, but the same in every call


def check_identified(model: Model) -> None:
    """Raise `FaultsError` that names the parameters the moments cannot determine."""
    parts = open_parts(model)
    if not parts:
        return
    faults = []
    moments, wanted = count_moments(model), model.n_unique
    if wanted > moments:
        faults.append(
            f"it has {wanted} parameters, more than the number of means, variances, covariances "
            f"and thresholds they are to explain: {moments}"
        )
    for part in parts:
        names = [_name(model, one) for one in part]
        hints = _hints(model, part)
        faults.append(
            f"the data cannot tell these parameters apart: {listed(names)}. {hints}".rstrip()
        )
    raise FaultsError(SOURCE, faults)


def open_parts(model: Model) -> tuple[tuple[Parameter, ...], ...]:
    """Parameters that are not identified, in groups that hang together; empty if all are."""
    if model.n_unique == 0:
        return ()
    jacobian = _jacobian(model)
    scale = np.linalg.norm(jacobian, axis=0)
    jacobian = jacobian / np.where(scale > 0, scale, 1.0)
    together = np.zeros((model.n_unique, model.n_unique), dtype=bool)
    for columns in _apart(model):
        own = jacobian[:, columns]
        _, values, right = np.linalg.svd(own[own.any(axis=1)], full_matrices=True)
        rank = int((values > TOLERANCE * values.max(initial=1.0)).sum())
        null = right[rank:]
        # projection onto the open directions
        together[np.ix_(columns, columns)] = np.abs(null.T @ null) > 1e-6
    left = set(np.flatnonzero(together.any(axis=0)).tolist())
    free = [one for one in model.parameters if one.free]
    parts = []
    while left:
        part, todo = set[int](), [min(left)]
        while todo:
            part.add(i := todo.pop())
            todo += [j for j in np.flatnonzero(together[i]).tolist() if j not in part]
        left -= part
        rows = np.flatnonzero(model.reduce[:, sorted(part)].any(axis=1)).tolist()
        parts.append(tuple(free[row] for row in rows))
    return tuple(parts)


def _apart(model: Model) -> list[IntArray]:
    """Parameters that share no moment: those of each group, unless something is equal."""
    if model.unconstrained and model.levels == 1:
        return [block.which for block in model.blocks]
    return [np.arange(model.n_unique)]


def _jacobian(model: Model) -> FloatArray:
    """Derivatives (s, n_unique) of all moments at arbitrary values."""
    random = np.random.default_rng(SEED)
    theta = model.theta(_arbitrary(model, random))
    stacked = []
    means: dict[tuple[int, str], FloatArray] = {}
    for block in model.blocks:
        change = derivatives(_with_moments(block, random), theta)
        p = len(block.observed)
        low = np.tril_indices(p)
        full = np.zeros((model.n_free, len(low[0])))
        full[change.which] = change.cov[:, low[0], low[1]]
        stacked.append(full.T)
        if change.thresholds is not None:
            cuts = np.zeros((model.n_free, change.thresholds.shape[1]))
            cuts[change.which] = change.thresholds
            stacked.append(cuts.T)
        if change.mean is None:
            continue
        for j, name in enumerate(block.observed):
            if name not in block.ordered:  # the levels of a group share one mean
                row = means.setdefault((block.group, name), np.zeros(model.n_free))
                row[change.which] += change.mean[:, j]
    if means:
        stacked.append(np.array(list(means.values())))
    return np.vstack(stacked) @ model.reduce


def _arbitrary(model: Model, random: np.random.Generator) -> FloatArray:
    """Values (n_unique,) at which Sigma is sound: positive variances, small covariances."""
    theta = np.zeros(model.n_free)
    for place, one in zip(model.place, model.parameters, strict=True):
        if not one.free:
            continue
        draw = random.uniform(0.5, 1.0)
        if one.op == "~~":
            theta[place] = 1.0 + draw if one.lhs == one.rhs else 0.1 * draw
        elif one.op == "|":
            theta[place] = int(one.rhs[1:]) - 2.0 + 0.5 * draw
        else:
            theta[place] = draw if one.op in ("=~", "~*~") else 0.4 * draw
    return np.asarray(np.linalg.lstsq(model.reduce, theta - model.offset, rcond=None)[0])


def _with_moments(block: Block, random: np.random.Generator) -> Block:
    """Put arbitrary moments where the block waits for those of the covariates."""
    cov, means = block.factor_cov.fixed.copy(), block.factor_means.fixed.copy()
    open_cov = np.isnan(cov)
    drawn = 0.1 * random.uniform(0.5, 1.0, cov.shape)
    drawn = np.tril(drawn) + np.tril(drawn, -1).T + np.diag(1.0 + drawn.diagonal())
    cov[open_cov] = drawn[open_cov]
    means[np.isnan(means)] = 0.5
    return replace(
        block,
        factor_cov=replace(block.factor_cov, fixed=cov),
        factor_means=replace(block.factor_means, fixed=means),
    )


def _name(model: Model, one: Parameter) -> str:
    group, level = divmod(one.block, model.levels)
    return name_of(one.lhs, one.op, one.rhs, group, level + 1)


def _hints(model: Model, part: Sequence[Parameter]) -> str:
    """What usually mends it."""
    hints: dict[str, None] = {}
    latent = {one.lhs for one in model.parameters if one.op == "=~"}
    for one in part:
        if one.lhs not in latent:
            continue
        loadings = [
            other
            for other in model.parameters
            if other.op == "=~" and other.lhs == one.lhs and other.block == one.block
        ]
        variance = one.op == "~~" and one.lhs == one.rhs
        if variance and all(other.free for other in loadings):
            hints[f"Factor {one.lhs!r} has no unit: fix a loading or its variance at 1."] = None
        elif variance and len(loadings) == 2:
            hints[
                f"Factor {one.lhs!r} has only 2 items: make its loadings equal, or let it covary "
                "with another factor."
            ] = None
        elif variance and len(loadings) == 1:
            hints[
                f"Factor {one.lhs!r} has only 1 item: fix the residual variance of that item."
            ] = None
        elif one.op == "~1":
            hints["Fix latent means in one group, or an intercept of each factor."] = None
    return " ".join(hints) or "Fix some of them, or make them equal."
