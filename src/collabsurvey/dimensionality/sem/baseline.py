"""The independence model, against which incremental fit indices compare.

Every variable has its own variance, mean and thresholds and nothing is related, but for variables
that only predict: their moments are fixed here where they are fixed in the model, and free with
their covariances where they are free there, as in lavaan.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collabsurvey.dimensionality.sem.model import Block, Cells, Model, Parameter
from collabsurvey.dimensionality.sem.roles import roles
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import FloatArray, IntArray

NONE = np.array([], dtype=np.int64)


def independence(model: Model, samples: Sequence[Sample]) -> tuple[Model, FloatArray]:
    """Return the independence model of the same variables and its start values (n_unique,).

    `samples` has one entry for each block.
    """
    parameters: list[Parameter] = []
    blocks: list[Block] = []
    start: list[float] = []
    for b, (block, sample) in enumerate(zip(model.blocks, samples, strict=True)):
        place = len(start)
        p, fixed = len(block.observed), np.isin(block.observed, block.covariates)
        ordered = block.is_ordered
        own = np.flatnonzero(~fixed & ~ordered)
        cov = np.diag(np.where(ordered, 1.0, 0.0))
        cov[np.ix_(fixed, fixed)] = sample.cov[np.ix_(fixed, fixed)]
        variances = place + np.arange(len(own))
        start += np.diag(sample.cov)[own].tolist()
        names = block.observed
        parameters += [_free(names[i], "~~", names[i], b) for i in own]
        row, column = _related(model, b)
        shared = len(start) + np.arange(len(row))
        start += sample.cov[row, column].tolist()
        parameters += [_free(names[j], "~~", names[i], b) for i, j in zip(row, column, strict=True)]
        mean, means, mean_at = np.zeros(p), NONE, NONE
        if block.means and sample.mean is not None:
            mean[fixed] = sample.mean[fixed]
            mean_at = own
            means = len(start) + np.arange(len(own))
            start += sample.mean[own].tolist()
            parameters += [_free(names[i], "~1", "", b) for i in own]
        t = len(block.threshold_of)
        cuts = len(start) + np.arange(t)
        if sample.thresholds is not None:
            start += sample.thresholds.tolist()
            parameters += [
                _free(item, "|", f"t{i}", b) for i, item in enumerate(block.threshold_of)
            ]
        blocks.append(
            Block(
                group=block.group,
                level=block.level,
                observed=names,
                latent=(),
                n_factors=0,
                covariates=block.covariates,
                ordered=block.ordered,
                threshold_of=block.threshold_of,
                means=block.means,
                parameterization="delta",
                loadings=Cells(np.zeros((p, 0)), NONE, NONE, NONE),
                factor_cov=Cells(np.zeros((0, 0)), NONE, NONE, NONE),
                paths=Cells(np.zeros((0, 0)), NONE, NONE, NONE),
                residual_cov=Cells(
                    cov,
                    np.concatenate([own, row, column]),
                    np.concatenate([own, column, row]),
                    np.concatenate([variances, shared, shared]),
                ),
                intercepts=_vector(mean, mean_at, means),
                factor_means=_vector(np.zeros(0), NONE, NONE),
                thresholds=_vector(np.zeros(t), np.arange(t), cuts),
                scales=_vector(np.ones(p), NONE, NONE),
            )
        )
    n = len(start)
    baseline = Model(
        parameters=tuple(parameters),
        place=np.arange(n),
        blocks=tuple(blocks),
        groups=model.groups,
        levels=model.levels,
        definitions=(),
        constraints=(),
        offset=np.zeros(n),
        reduce=np.eye(n),
    )
    return baseline, np.array(start)


def _related(model: Model, b: int) -> tuple[IntArray, IntArray]:
    """Pairs (row, column) of a block's variables that only predict and whose moments are free."""
    block = model.blocks[b]
    written = [one for one in model.parameters if one.block == b and one.written]
    predict = [name for name in roles(written).exogenous if name not in block.covariates]
    places = np.array([block.observed.index(name) for name in predict], dtype=np.int64)
    column, row = np.triu_indices(len(places), 1)
    return places[row], places[column]


def _vector(fixed: FloatArray, row: IntArray, which: IntArray) -> Cells:
    return Cells(fixed, row, np.zeros(len(row), dtype=np.int64), which)


def _free(lhs: str, op: str, rhs: str, block: int) -> Parameter:
    return Parameter(lhs, op, rhs, block, free=True, value=float("nan"), written=False)  # type: ignore[arg-type]
