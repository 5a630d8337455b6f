"""Standardised solutions, as functions of the parameters so that their errors follow.

Every standardised value is the raw one times a standard deviation and divided by one or two;
which ones is settled once for a model, and the rest is arithmetic on vectors. Definitions are
those of lavaan: a covariance of disturbances or of residuals becomes their correlation; a
variance the share it is of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.dimensionality.sem.implied import STEP, Parts, parts
from collabsurvey.dimensionality.sem.model import Block, Model, Parameter
from collabsurvey.numerics.typing import AnyArray, BoolArray, FloatArray, IntArray

Kind = Literal["all", "latent", "not_covariates"]
ONE = 0  # place of the number 1 among the sizes


@dataclass(frozen=True, eq=False)
class Standards:
    """For each row of the parameter table, which sizes multiply and divide it."""

    times: IntArray  # (r,)
    by: IntArray  # (r, 2)
    unit: BoolArray  # (r,) scales, which are 1 where latent responses have unit variance


def standards(model: Model, kind: Kind = "all") -> Standards:
    """Settle what each row is multiplied with and divided by.

    "all": latent and observed variables have unit variance; "latent": only latent ones;
    "not_covariates": all but exogenous covariates (lavaan's std.all, std.lv and std.nox).
    """
    times, by = [], []
    start = 1
    starts = []
    for block in model.blocks:
        starts.append(start)
        start += 2 * (len(block.latent) + len(block.observed))
    for row in model.parameters:
        block = model.blocks[row.block]
        places = _Places(block, starts[row.block], kind)
        t, b = _of_row(row, places)
        times.append(t)
        by.append(b)
    unit = np.array([row.op == "~*~" and kind != "latent" for row in model.parameters])
    divisors = np.array(by, dtype=np.int64).reshape(-1, 2)
    return Standards(np.array(times, dtype=np.int64), divisors, unit)


class _Places:
    """Where the total and the own standard deviation of a variable stand among the sizes."""

    def __init__(self, block: Block, start: int, kind: Kind) -> None:
        self.block, self.start, self.kind = block, start, kind
        self.latent = {name: i for i, name in enumerate(block.latent)}
        self.observed = {name: i for i, name in enumerate(block.observed)}

    def _skipped(self, name: str) -> bool:
        if self.kind == "latent":
            return name in self.observed
        return self.kind == "not_covariates" and name in self.block.covariates

    def total(self, name: str) -> int:
        if self._skipped(name):
            return ONE
        if name in self.latent:
            return self.start + self.latent[name]
        return self.start + len(self.latent) + self.observed[name]

    def own(self, name: str) -> int:
        if self._skipped(name):
            return ONE
        return self.total(name) + len(self.latent) + len(self.observed)


def _of_row(row: Parameter, at: _Places) -> tuple[int, tuple[int, int]]:
    """Places of the multiplier and of the two divisors of one row."""
    if row.op == "=~":
        return at.total(row.lhs), (at.total(row.rhs), ONE)
    if row.op == "~":
        return at.total(row.rhs), (at.total(row.lhs), ONE)
    if row.op == "~~":
        if row.lhs == row.rhs:
            return ONE, (at.total(row.lhs), at.total(row.lhs))
        return ONE, (at.own(row.lhs), at.own(row.rhs))
    if row.op in {"~1", "|"}:
        return ONE, (at.total(row.lhs), ONE)
    return ONE, (ONE, ONE)


def sizes(model: Model, theta: AnyArray) -> AnyArray:
    """Return 1, and for every block total and own standard deviations of its variables."""
    out = [np.ones(1, dtype=theta.dtype)]
    for block in model.blocks:
        at = parts(block, theta)
        own_latent, own_observed = _own_variances(block, at, theta)
        total = [np.diag(at.latent_cov), np.diag(at.cov)]
        out.append(_root(np.concatenate([*total, own_latent, own_observed])))
    return np.concatenate(out)


def _own_variances(block: Block, at: Parts, theta: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Variances of disturbances (m,) and of residuals (p,)."""
    residual = np.diag(block.residual_cov.filled(theta)).copy()
    if block.ordered and block.parameterization == "delta":
        common = np.einsum("ij,ij->i", at.cross_cov, block.loadings.filled(theta))
        ordered = block.is_ordered
        residual[ordered] = np.diag(at.cov)[ordered] - common[ordered]
    return np.diag(block.factor_cov.filled(theta)), residual


def _root(values: AnyArray) -> AnyArray:
    """Square roots; NaN where a variance is negative, 1 where a variable has none."""
    real = values.real
    with np.errstate(invalid="ignore"):
        root = np.sqrt(np.where(real == 0, 1.0, values))
    return np.where(real < 0, np.nan, root)


def values(model: Model, theta: AnyArray) -> AnyArray:
    """Value (r,) of every row of the parameter table.

    Under delta the residual variance of an ordered item, under theta its scale, is no parameter
    but follows from the others.
    """
    fixed = np.array([row.value for row in model.parameters])
    free = model.place >= 0
    out = np.where(free, 0.0, fixed).astype(theta.dtype)
    out[free] = theta[model.place[free]]
    for number, block in enumerate(model.blocks):
        if not block.ordered:
            continue
        at = parts(block, theta)
        delta = block.parameterization == "delta"
        derived = _own_variances(block, at, theta)[1] if delta else at.scale
        place = {name: i for i, name in enumerate(block.observed)}
        for i, row in enumerate(model.parameters):
            follows = row.op == "~~" and row.lhs == row.rhs if delta else row.op == "~*~"
            if follows and row.block == number and row.lhs in block.ordered:
                out[i] = derived[place[row.lhs]]
    return out


def standardised(model: Model, theta: AnyArray, rules: Standards) -> AnyArray:
    """Return the standardised value (r,) of every row; complex where theta is."""
    return standardised_by(model, values(model, theta), sizes(model, theta), rules)


def standardised_by(model: Model, value: AnyArray, size: AnyArray, rules: Standards) -> AnyArray:
    """Standardise the values (r,) of all rows with `sizes`."""
    out = value * size[rules.times]
    out = out / (size[rules.by[:, 0]] * size[rules.by[:, 1]])
    out[rules.unit] = 1.0
    return np.asarray(out)


def standardised_jacobian(model: Model, x: FloatArray, rules: Standards) -> FloatArray:
    """Derivatives (r, n_unique) of standardised values by a complex step."""
    theta = model.theta(x)
    out = np.empty((len(model.parameters), model.n_unique))
    for i in range(model.n_unique):
        moved = theta + 1j * STEP * model.reduce[:, i]
        out[:, i] = standardised(model, moved, rules).imag / STEP
    return out
