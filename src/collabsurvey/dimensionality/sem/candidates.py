"""Parameters that a model does without: what modification indices are computed for.

The list is lavaan's: rows of the parameter table that are fixed; loadings of every factor on
every item; covariances of residuals and of factors; regressions among the variables that take
part in one. Moments of covariates are the sample's and no restriction, so they are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from collabsurvey.dimensionality.sem.model import Block, Cells, MatrixName, Model, Op, Parameter
from collabsurvey.dimensionality.sem.roles import roles
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

NONE = np.array([], dtype=np.int64)
MATRICES: tuple[MatrixName, ...] = (
    "loadings", "factor_cov", "paths", "residual_cov",
    "intercepts", "factor_means", "thresholds", "scales",
)  # fmt: skip
SYMMETRIC = ("factor_cov", "residual_cov")
# Where a row of the table stands: without and with its variable among the latent ones.
_WHERE: dict[Op, tuple[MatrixName, MatrixName]] = {
    "=~": ("loadings", "paths"),
    "~": ("paths", "paths"),
    "~~": ("residual_cov", "factor_cov"),
    "~1": ("intercepts", "factor_means"),
    "|": ("thresholds", "thresholds"),
    "~*~": ("scales", "scales"),
}


@dataclass(frozen=True, eq=False)
class Family:
    """Fixed cells (c,) of one matrix of one block, and the rows they would be in the table."""

    block: int
    matrix: MatrixName
    row: IntArray  # (c,)
    column: IntArray  # (c,); zeros for a vector
    value: FloatArray  # (c,) at which they are fixed
    parameters: tuple[Parameter, ...]  # (c,)

    @property
    def pairs(self) -> bool:
        """Whether no cell is on the diagonal."""
        return bool((self.row != self.column).all())


Pairs = tuple[MatrixName, Op, IntArray, IntArray]  # cells (c,) of a matrix


def candidates(model: Model) -> list[Family]:
    """Everything that could be freed, block by block."""
    out: list[Family] = []
    for b, block in enumerate(model.blocks):
        table = [one for one in model.parameters if one.block == b]
        taken = {name: _free(getattr(block, name)) for name in MATRICES}
        fixed: dict[tuple[MatrixName, Op], list[tuple[int, int, Parameter]]] = {}
        for one in table:
            if not one.free and not one.exogenous:
                matrix, at, to = cell_of(block, one)
                fixed.setdefault((matrix, one.op), []).append((at, to, one))
        for (matrix, _), cells in fixed.items():
            rows, columns, named = zip(*cells, strict=True)
            out.append(_family(block, matrix, np.array(rows), np.array(columns), named, b))
            _take(taken, matrix, out[-1].row, out[-1].column)
        for matrix, op, row, column in _pairs(block, table):
            new = ~taken[matrix][row, column]
            if new.any():
                named = _named(block, matrix, op, row[new], column[new], b)
                out.append(_family(block, matrix, row[new], column[new], named, b))
                _take(taken, matrix, row, column)
    return out


def only(block: Block, theta: FloatArray, family: Family) -> Block:
    """Return the block with everything held at `theta` but the family, cell i at place i."""
    held = {}
    for name in MATRICES:
        cells: Cells = getattr(block, name)
        held[name] = Cells(cells.filled(theta), NONE, NONE, NONE)
    row, column, which = family.row, family.column, np.arange(len(family.row))
    if family.matrix in SYMMETRIC:
        off = row != column
        row, column = np.append(row, column[off]), np.append(column, family.row[off])
        which = np.append(which, which[off])
    held[family.matrix] = Cells(held[family.matrix].fixed, row, column, which)
    return replace(block, **held)  # type: ignore[arg-type]


def cell_of(block: Block, one: Parameter) -> tuple[MatrixName, int, int]:
    """Matrix, row and column in which a row of the table stands."""
    latent, lhs, rhs = block.latent, one.lhs, one.rhs
    above = (rhs if one.op == "=~" else lhs) in latent
    matrix = _WHERE[one.op][above]
    names = latent if above and one.op != "~*~" else block.observed
    match one.op:
        case "|":
            return matrix, block.threshold_of.index(lhs) + int(rhs[1:]) - 1, 0
        case "~1" | "~*~":
            return matrix, names.index(lhs), 0
        case "=~":
            return matrix, names.index(rhs), latent.index(lhs)
        case "~":
            return matrix, latent.index(lhs), latent.index(rhs)
        case _:
            return matrix, names.index(rhs), names.index(lhs)


def _pairs(block: Block, table: Sequence[Parameter]) -> Iterator[Pairs]:
    """Cells by the rules of the list, free ones among them."""
    observed, latent, m = block.observed, block.latent, block.n_factors
    # Only the text tells what part a variable plays: the table has a row for each of them.
    apart = set(roles(one for one in table if one.written).exogenous) | set(block.covariates)
    regressed = [one for one in table if one.op == "~"]
    equations = dict.fromkeys([one.lhs for one in regressed] + [one.rhs for one in regressed])
    indicators = [one.rhs for one in table if one.op == "=~"]
    outside, measured = ~np.isin(observed, list(apart)), np.isin(observed, indicators)
    doubled = np.isin(observed, latent)
    above = np.array([latent.index(n) if n in latent else -1 for n in observed], dtype=np.int64)

    items = np.flatnonzero(outside & ~np.isin(observed, list(equations)))
    column, row = np.repeat(np.arange(m), len(items)), np.tile(items, m)
    keep = ~doubled[row]
    yield "loadings", "=~", row[keep], column[keep]
    yield "paths", "=~", above[row[~keep]], column[~keep]

    # The residual of an item that stands among the latent variables is there. It may covary
    # with one that does not, as long as nothing depends on it.
    items = np.flatnonzero(outside & measured)
    earlier, later = np.triu_indices(len(items), 1)
    row, column = items[later], items[earlier]
    both = doubled[row] & doubled[column]
    causes = doubled & np.isin(observed, [one.rhs for one in regressed])
    keep = ~both & ~causes[row] & ~causes[column]
    yield "residual_cov", "~~", row[keep], column[keep]
    yield "factor_cov", "~~", above[row[both]], above[column[both]]

    earlier, later = np.triu_indices(m)
    yield "factor_cov", "~~", later, earlier
    places = np.array([latent.index(name) for name in equations], dtype=np.int64)
    row, column = np.repeat(places, len(places)), np.tile(places, len(places))
    item = np.isin(latent, indicators) & (np.arange(len(latent)) >= m)
    covariate = np.isin(latent, block.covariates)
    keep = (row != column) & ~(item[row] & (column < m)) & ~(covariate[row] & covariate[column])
    yield "paths", "~", row[keep], column[keep]


def _named(
    block: Block, matrix: MatrixName, op: Op, row: IntArray, column: IntArray, b: int
) -> tuple[Parameter, ...]:
    """Rows of the table for cells (c,); the variable that comes first stands on the left."""
    of_column = block.observed if matrix == "residual_cov" else block.latent
    of_row = block.observed if matrix in ("residual_cov", "loadings") else block.latent
    left, right = (of_row, of_column) if op == "~" else (of_column, of_row)
    first, second = (row, column) if op == "~" else (column, row)
    return tuple(
        Parameter(left[i], op, right[j], b, False, 0.0, written=False)
        for i, j in zip(first.tolist(), second.tolist(), strict=True)
    )


def _family(
    block: Block,
    matrix: MatrixName,
    row: IntArray,
    column: IntArray,
    rows: tuple[Parameter, ...],
    b: int,
) -> Family:
    fixed = getattr(block, matrix).fixed
    value = fixed[row] if fixed.ndim == 1 else fixed[row, column]
    return Family(b, matrix, row, column, value, rows)


def _free(cells: Cells) -> BoolArray:
    """Which cells are free; of a vector as one column."""
    out = np.zeros((len(cells.fixed), cells.fixed.shape[-1]), dtype=bool)
    out[cells.row, cells.column] = True
    return out


def _take(
    taken: dict[MatrixName, BoolArray], matrix: MatrixName, row: IntArray, column: IntArray
) -> None:
    taken[matrix][row, column] = True
    if matrix in SYMMETRIC:
        taken[matrix][column, row] = True
