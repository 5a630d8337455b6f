"""The compiled model: which parameter sits in which cell of which matrix of which block.

A block is the model of one covariance matrix: one group, or one level of one group. Its
matrices are those of LISREL with every variable on the y side (Jöreskog, 1973):

    Sigma = L E P E' L' + T,   mu = n + L E a,   E = inv(I - B)

with `loadings` L, `factor_cov` P, `paths` B, `residual_cov` T, `intercepts` n and
`factor_means` a. An observed variable that takes part in a regression stands in the latent
vector as well, loads 1 on itself there and has no residual.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from collabsurvey.numerics.typing import AnyArray, BoolArray, FloatArray, IntArray

Op = Literal["=~", "~~", "~", "~1", "|", "~*~"]
Parameterization = Literal["delta", "theta"]
MatrixName = Literal[
    "loadings", "factor_cov", "paths", "residual_cov",
    "intercepts", "factor_means", "thresholds", "scales",
]  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One row of the parameter table.

    `value` is the fixed value; of a free parameter the start that was asked for, or NaN. A fixed
    NaN is a moment of a covariate, taken from the sample (`exogenous`).
    """

    lhs: str
    op: Op
    rhs: str  # "" for an intercept; "t1", "t2", … for a threshold
    block: int  # 0-based
    free: bool
    value: float
    label: str = ""
    exogenous: bool = False
    written: bool = True  # in the model text; else added by the rules


@dataclass(frozen=True)
class Definition:
    """`name := expression`, a number computed from labelled parameters."""

    name: str
    expression: str


@dataclass(frozen=True, eq=False)
class Cells:
    """A matrix or vector with some of its cells free: cell (row, column) is theta[which]."""

    fixed: FloatArray  # with 0 where a cell is free
    row: IntArray  # (c,)
    column: IntArray  # (c,); zeros for a vector
    which: IntArray  # (c,) place in theta; symmetric matrices name both halves

    def filled(self, theta: AnyArray) -> AnyArray:
        """Return the matrix at theta (…, n_free), with its leading axes; complex where it is."""
        out: AnyArray = np.empty(theta.shape[:-1] + self.fixed.shape, dtype=theta.dtype)
        out[...] = self.fixed
        if self.fixed.ndim == 1:
            out[..., self.row] = theta[..., self.which]
        else:
            out[..., self.row, self.column] = theta[..., self.which]
        return out


@dataclass(frozen=True, eq=False)
class Block:
    """Model of p observed and m latent variables of one group, or of one level of it."""

    group: int  # 0-based
    level: int  # 1 = individuals (also when there is only one level), 2 = clusters
    observed: tuple[str, ...]  # (p,)
    latent: tuple[str, ...]  # (m,): latent variables first, then observed ones in regressions
    n_factors: int  # of the m, how many are latent
    covariates: tuple[str, ...]  # observed, exogenous, their moments fixed at the sample's
    ordered: tuple[str, ...]  # items with thresholds, in the order of `observed`
    threshold_of: tuple[str, ...]  # (t,) item of each threshold, item by item
    means: bool  # whether there is a mean structure; always with thresholds
    parameterization: Parameterization
    loadings: Cells  # (p, m)
    factor_cov: Cells  # (m, m)
    paths: Cells  # (m, m)
    residual_cov: Cells  # (p, p); diagonal of ordered items is not used under delta
    intercepts: Cells  # (p,)
    factor_means: Cells  # (m,)
    thresholds: Cells  # (t,)
    scales: Cells  # (p,) 1 / sd of the latent responses; only used under delta

    @cached_property
    def which(self) -> IntArray:
        """Places in theta (f,) of the parameters that move this block, ascending."""
        names = ("loadings", "factor_cov", "paths", "residual_cov", "intercepts")
        cells = [getattr(self, name).which for name in names]
        cells += [self.factor_means.which, self.thresholds.which, self.scales.which]
        return np.unique(np.concatenate(cells)).astype(np.int64)

    @cached_property
    def is_ordered(self) -> BoolArray:
        """Which of the observed variables have thresholds (p,)."""
        return np.isin(self.observed, self.ordered)

    @cached_property
    def item_of_threshold(self) -> IntArray:
        """Place (t,) among the observed variables of the item of each threshold."""
        place = {name: i for i, name in enumerate(self.observed)}
        return np.array([place[item] for item in self.threshold_of], dtype=np.int64)

    @cached_property
    def has_paths(self) -> bool:
        """Whether latent variables depend on each other."""
        return bool(len(self.paths.which)) or bool(self.paths.fixed.any())


@dataclass(frozen=True, eq=False)
class Model:
    """A model that can be estimated: theta = offset + reduce @ x, x free of constraints."""

    parameters: tuple[Parameter, ...]
    place: IntArray  # (rows,) place of a parameter in theta; -1 for fixed ones
    blocks: tuple[Block, ...]
    groups: tuple[str, ...]  # labels; ("",) for one sample
    levels: int  # 1 or 2
    definitions: tuple[Definition, ...]
    constraints: tuple[str, ...]  # as written or implied ("a == b"), for the reader
    offset: FloatArray  # (n_free,)
    reduce: FloatArray  # (n_free, n_unique)

    @property
    def n_free(self) -> int:
        """Free rows of the table: before equalities."""
        return len(self.offset)

    @property
    def n_unique(self) -> int:
        """Parameters that are estimated: after equalities."""
        return int(self.reduce.shape[1])

    @cached_property
    def unconstrained(self) -> bool:
        """Whether every free parameter is estimated by itself."""
        return self.n_free == self.n_unique and bool((self.reduce == np.eye(self.n_free)).all())

    def reduced(self, matrix: FloatArray) -> FloatArray:
        """Turn a matrix about theta (n_free, n_free) into one about x (n_unique, n_unique)."""
        if self.unconstrained:
            return matrix
        return np.asarray(self.reduce.T @ matrix @ self.reduce)

    def theta(self, x: FloatArray) -> FloatArray:
        """Return all free parameters (n_free,) from the unconstrained ones (n_unique,)."""
        return np.asarray(self.offset + self.reduce @ x)
