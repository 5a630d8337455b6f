"""How well each level of a two-level model fits, with the other level saturated.

Chi-square of both levels together is nearly all about the level within, where the respondents
are. Ryu & West (2009, doi:10.1080/10705510903203466) therefore fit each level with all moments
of the other level free, against a baseline without covariances on that level only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import linalg

from collabsurvey.dimensionality.sem.compile import count_moments
from collabsurvey.dimensionality.sem.estimate import Fit
from collabsurvey.dimensionality.sem.fit_indices.incremental import cfi, tli
from collabsurvey.dimensionality.sem.fit_indices.rmsea import rmsea
from collabsurvey.dimensionality.sem.model import Block, Cells, Model, Op, Parameter
from collabsurvey.dimensionality.sem.moments import Implied
from collabsurvey.dimensionality.sem.two_level import TwoLevelNormal, TwoLevelSample
from collabsurvey.dimensionality.sem.two_level_saturated import independent
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

Shape = Literal["saturated", "independent"]
SMALLEST_ROOT = 1e-6  # of the largest, where iteration begins


@dataclass(frozen=True)
class LevelFit:
    """Fit of one level, the other saturated."""

    level: Literal["within", "between"]
    chi2: float
    df: int
    chi2_baseline: float
    df_baseline: int
    n: float  # units of the level: respondents or clusters
    n_groups: int
    converged: bool  # the model and its baseline

    @property
    def cfi(self) -> float:
        """Comparative fit index against no covariances on this level."""
        return cfi(self.chi2, self.df, self.chi2_baseline, self.df_baseline)

    @property
    def tli(self) -> float:
        """Tucker-Lewis index; NaN with no degrees of freedom."""
        return tli(self.chi2, self.df, self.chi2_baseline, self.df_baseline)

    @property
    def rmsea(self) -> float:
        """Root mean square error of approximation; NaN with no degrees of freedom."""
        return rmsea(self.chi2, self.df, self.n, n_groups=self.n_groups)


def level_fits(
    fit: Fit,
    discrepancy: TwoLevelNormal,
    fitting: Callable[[Model, FloatArray], Fit],
) -> tuple[LevelFit, LevelFit]:
    """Fit of the level within and of that between.

    `fitting` estimates a model with the same data from a start x. Four fits are made: each
    level and its baseline.
    """
    samples = discrepancy.samples
    n_moments = count_moments(fit.model)
    out = []
    for level in (1, 2):
        partly = with_level(fit.model, samples, 3 - level, "saturated", theta=fit.theta)
        found = fitting(partly, started(partly))
        baseline = with_level(partly, samples, level, "independent")
        base = fitting(baseline, started(baseline))
        units = [one.n if level == 1 else one.n_clusters for one in samples]
        out.append(
            LevelFit(
                level="within" if level == 1 else "between",
                chi2=found.value,
                df=n_moments - found.model.n_unique,
                chi2_baseline=base.value,
                df_baseline=n_moments - base.model.n_unique,
                n=sum(units),
                n_groups=len(samples),
                converged=found.converged and base.converged,
            )
        )
    return out[0], out[1]


def two_level_baseline(model: Model, samples: Sequence[TwoLevelSample]) -> tuple[Model, FloatArray]:
    """Return the independence model on both levels and its estimates (n_unique,).

    The likelihood falls apart into that of each variable, so that no fit is needed but for
    covariates.
    """
    partly = with_level(model, samples, 1, "independent")
    baseline = with_level(partly, samples, 2, "independent")
    x = started(baseline)
    for group, sample in enumerate(samples):
        blocks = baseline.blocks[2 * group : 2 * group + 2]
        names = {*blocks[0].covariates, *blocks[1].covariates}
        covariates = np.flatnonzero(np.isin(sample.names, list(names)))
        found = independent(sample.levels, covariates, sample.saturated)
        means = (found.mean[sample.levels.within], found.mean[sample.levels.between])
        for block, cov, mean in zip(blocks, (found.within, found.between), means, strict=True):
            cells, vector = block.residual_cov, block.intercepts
            x[cells.which] = cov[cells.row, cells.column]
            x[vector.which] = mean[vector.row]
    return baseline, x


def with_level(
    model: Model,
    samples: Sequence[TwoLevelSample],
    level: int,
    shape: Shape,
    *,
    theta: FloatArray | None = None,
) -> Model:
    """The model with all moments of one level free, or its variances and means alone.

    Covariates' moments stay fixed. Start values: `theta` (n_free,) for the level that stays,
    the unstructured moments for the other. Equalities across levels are given up.
    """
    kept = [block for block in model.blocks if block.level != level]
    keep = np.unique(np.concatenate([block.which for block in kept])).astype(np.int64)
    parameters: list[Parameter] = []
    place: list[int] = []
    for one, at in zip(model.parameters, model.place.tolist(), strict=True):
        if model.blocks[one.block].level == level:
            continue
        started = replace(one, value=float(theta[at])) if at >= 0 and theta is not None else one
        parameters.append(started)
        place.append(int(np.searchsorted(keep, at)) if at >= 0 else -1)
    blocks, n = [], len(keep)
    for i, block in enumerate(model.blocks):
        if block.level != level:
            blocks.append(_moved(block, keep))
            continue
        new, rows = _unmodelled(block, i, samples[block.group], shape, first=n)
        blocks.append(new)
        parameters += rows
        place += range(n, n + len(rows))
        n += len(rows)
    basis = _basis(model.reduce[keep])
    return replace(
        model,
        parameters=tuple(parameters),
        place=np.array(place, dtype=np.int64),
        blocks=tuple(blocks),
        definitions=(),
        constraints=(),
        offset=np.concatenate([model.offset[keep], np.zeros(n - len(keep))]),
        reduce=linalg.block_diag(basis, np.eye(n - len(keep))),
    )


def started(model: Model) -> FloatArray:
    """Return x (n_unique,) nearest to the start values in the rows of the model."""
    theta = np.zeros(model.n_free)
    for one, at in zip(model.parameters, model.place.tolist(), strict=True):
        if at >= 0:
            theta[at] = one.value
    return np.asarray(np.linalg.lstsq(model.reduce, theta - model.offset, rcond=None)[0])


def _basis(reduce: FloatArray) -> FloatArray:
    """Columns that span the same changes of the parameters, without redundant ones."""
    used = reduce[:, np.any(reduce != 0, axis=0)]
    if np.linalg.matrix_rank(used) < used.shape[1]:
        return np.asarray(linalg.orth(used))
    return used


def _moved(block: Block, keep: IntArray) -> Block:
    """The block with its parameters at their new places."""

    def moved(cells: Cells) -> Cells:
        return replace(cells, which=np.searchsorted(keep, cells.which).astype(np.int64))

    return replace(
        block,
        loadings=moved(block.loadings),
        factor_cov=moved(block.factor_cov),
        paths=moved(block.paths),
        residual_cov=moved(block.residual_cov),
        intercepts=moved(block.intercepts),
        factor_means=moved(block.factor_means),
        thresholds=moved(block.thresholds),
        scales=moved(block.scales),
    )


def _unmodelled(
    block: Block, number: int, sample: TwoLevelSample, shape: Shape, *, first: int
) -> tuple[Block, list[Parameter]]:
    """A block without a model, its parameters from place `first` on, and their rows.

    Covariances between clusters are L L' with L lower triangular. Were they free to leave the
    positive semidefinite matrices, the likelihood of a model that is wrong within could grow
    without limit.
    """
    p = len(block.observed)
    moments = sample.each_level()[block.level - 1]
    given = np.isin(block.observed, block.covariates)
    both = np.isin(block.observed, [sample.names[i] for i in sample.levels.between])
    rooted = block.level == 2 and shape == "saturated"
    values, rank = _root(moments.cov, given) if rooted else (moments.cov, np.arange(p))
    free = (rank[:, None] >= rank) & ~(given[:, None] & given)
    if shape == "independent":
        free &= np.eye(p, dtype=bool)
    row, column = np.nonzero(free)
    which = first + np.arange(len(row))
    (own,) = np.nonzero(~given if block.level == 2 else ~given & ~both)
    mean = np.zeros(p) if moments.mean is None else moments.mean
    fixed = np.where(given[:, None] & given, values, 0.0)
    factors = tuple(f"_{i + 1}" for i in range(p)) if rooted else ()
    new = replace(
        block,
        latent=factors,
        n_factors=len(factors),
        means=True,
        loadings=Cells(fixed, row, column, which) if rooted else _nothing((p, 0)),
        factor_cov=replace(_nothing((len(factors), len(factors))), fixed=np.eye(len(factors))),
        paths=_nothing((len(factors), len(factors))),
        residual_cov=_nothing((p, p)) if rooted else _symmetric(fixed, row, column, which),
        intercepts=Cells(
            np.where(given, mean, 0.0),
            own,
            np.zeros_like(own),
            first + len(row) + np.arange(len(own)),
        ),
        factor_means=_nothing((len(factors),)),
    )
    return new, _rows(new, number, values, mean)


def _symmetric(fixed: FloatArray, row: IntArray, column: IntArray, which: IntArray) -> Cells:
    """Both halves of a symmetric matrix from its lower one."""
    aside = row != column
    rows = np.concatenate([row, column[aside]])
    return Cells(
        fixed, rows, np.concatenate([column, row[aside]]), np.concatenate([which, which[aside]])
    )


def _rows(block: Block, number: int, values: FloatArray, mean: FloatArray) -> list[Parameter]:
    """Rows of the parameters of a block without a model, in their order, with start values."""
    names = block.observed
    out = []
    cells, heads = block.residual_cov, names
    op: Op = "~~"
    if block.latent:
        cells, heads, op = block.loadings, block.latent, "=~"
    _, first = np.unique(cells.which, return_index=True)  # halves share a place
    for i, j in zip(cells.row[first].tolist(), cells.column[first].tolist(), strict=True):
        out.append(_parameter(heads[j], op, names[i], number, float(values[i, j])))
    return out + [
        _parameter(names[i], "~1", "", number, float(mean[i]))
        for i in block.intercepts.row.tolist()
    ]


def _parameter(lhs: str, op: Op, rhs: str, block: int, value: float) -> Parameter:
    return Parameter(lhs, op, rhs, block, free=True, value=value, written=False)


def _root(cov: FloatArray, given: BoolArray) -> tuple[FloatArray, IntArray]:
    """Root L of a positive semidefinite matrix, triangular with the `given` variables first.

    Also the rank of each variable in that order. The part of the given ones is exact; the rest
    keeps away from singular roots, from which no step leads back.
    """
    order = np.argsort(~given, kind="stable")
    c = int(given.sum())
    ordered = cov[np.ix_(order, order)]
    root = np.zeros_like(cov)
    root[:c, :c] = np.linalg.cholesky(ordered[:c, :c])
    root[c:, :c] = np.linalg.solve(root[:c, :c], ordered[:c, c:]).T
    rest, vectors = np.linalg.eigh(ordered[c:, c:] - root[c:, :c] @ root[c:, :c].T)
    rest = np.maximum(rest, SMALLEST_ROOT * rest[-1])
    upper = np.linalg.qr((vectors * np.sqrt(rest)).T).R
    root[c:, c:] = (upper * np.sign(np.diag(upper))[:, None]).T
    rank = np.argsort(order)
    return root[np.ix_(rank, rank)], rank


def _nothing(shape: tuple[int, ...]) -> Cells:
    """A matrix without free cells."""
    none = np.zeros(0, dtype=np.int64)
    return Cells(np.zeros(shape), none, none, none)


def srmr_levels(
    samples: Sequence[TwoLevelSample],
    implied: Sequence[Implied],
    *,
    saturated: Sequence[tuple[FloatArray, FloatArray]] | None = None,
) -> tuple[float, float]:
    """Root mean square difference of correlations within and between, as lavaan gives them.

    Implied against unstructured correlations, the diagonal counted; groups by respondents.
    lavaan's `srmr` of the whole model is the sum of both. NaN where a variance is not positive.
    """
    found = saturated or [(one.saturated.within, one.saturated.between) for one in samples]
    share = np.array([one.n for one in samples]) / sum(one.n for one in samples)
    out = []
    for level in (0, 1):
        parts = [
            _away(pair[level], one.cov) for pair, one in zip(found, implied[level::2], strict=True)
        ]
        out.append(float(share @ parts))
    return out[0], out[1]


def _away(sample: FloatArray, implied: FloatArray) -> float:
    """Root mean square difference of two matrices of correlations."""
    if min(np.diag(sample).min(), np.diag(implied).min()) <= 0:
        return float("nan")
    p = len(sample)
    away = np.tril(_correlations(sample) - _correlations(implied))
    return float(np.sqrt((away**2).sum() / (p * (p + 1) / 2)))


def _correlations(cov: FloatArray) -> FloatArray:
    unit = np.sqrt(np.diag(cov))
    return np.asarray(cov / np.outer(unit, unit))
