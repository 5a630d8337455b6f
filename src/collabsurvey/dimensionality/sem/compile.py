"""From the parameter table to the matrices of every block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from collabsurvey.dimensionality.sem.constraints import check_definitions, reduction
from collabsurvey.dimensionality.sem.model import (
    Block,
    Cells,
    Definition,
    MatrixName,
    Model,
    Parameter,
    Parameterization,
)
from collabsurvey.dimensionality.sem.roles import roles
from collabsurvey.dimensionality.sem.syntax import SOURCE, Equation, parse
from collabsurvey.dimensionality.sem.table import parameter_table
from collabsurvey.errors import FaultsError, NotSupportedError
from collabsurvey.numerics.typing import IntArray


def build(
    text: str,
    *,
    columns: Collection[str] | None = None,
    groups: Sequence[str] = ("",),
    ordered: Mapping[str, int] | None = None,
    means: bool | None = None,
    std_lv: bool = False,
    orthogonal: bool = False,
    fixed_x: bool = True,
    parameterization: Parameterization = "delta",
    equal: Collection[str] = (),
    partial: Collection[str] = (),
    observed: Sequence[str] | None = None,
) -> Model:
    """Read, complete and compile a model text; see `parameter_table` for the options.

    `groups` are the labels of the groups; `observed` puts the observed variables in another
    order than lavaan's (indicators, outcomes, predictors, others, as they appear in the text).
    """
    syntax = parse(text)
    parameters = parameter_table(
        syntax,
        n_groups=len(groups),
        ordered=ordered,
        means=means,
        std_lv=std_lv,
        orthogonal=orthogonal,
        fixed_x=fixed_x,
        parameterization=parameterization,
        equal=equal,
        partial=partial,
        columns=columns,
    )
    return compile_model(
        parameters,
        groups=groups,
        levels=syntax.levels,
        definitions=syntax.definitions,
        constraints=syntax.constraints,
        parameterization=parameterization,
        observed=observed,
    )


def compile_model(
    parameters: Sequence[Parameter],
    *,
    groups: Sequence[str] = ("",),
    levels: int = 1,
    definitions: Sequence[Equation] = (),
    constraints: Sequence[Equation] = (),
    parameterization: Parameterization = "delta",
    observed: Sequence[str] | None = None,
) -> Model:
    """Put every parameter into its cell, and the equalities into `offset` and `reduce`."""
    free = np.array([one.free for one in parameters], dtype=bool)
    place = np.where(free, np.cumsum(free) - 1, -1).astype(np.int64)
    check_definitions(parameters, definitions)
    offset, reduce, texts = reduction(parameters, place, definitions, constraints, levels)
    blocks = []
    for b in range(len(groups) * levels):
        rows = [i for i, one in enumerate(parameters) if one.block == b]
        blocks.append(_block(parameters, rows, place, b, levels, parameterization, observed))
    return Model(
        tuple(parameters),
        place,
        tuple(blocks),
        tuple(groups),
        levels,
        tuple(Definition(one.lhs, one.rhs) for one in definitions),
        texts,
        offset,
        reduce,
    )


@dataclass(slots=True)
class _Filling:
    """Cells of one matrix while rows are read."""

    shape: tuple[int, ...]
    fixed: list[tuple[int, int, float]] = field(default_factory=list)
    free: list[tuple[int, int, int]] = field(default_factory=list)

    def put(self, row: int, column: int, place: int, value: float) -> None:
        if place >= 0:
            self.free.append((row, column, place))
        else:
            self.fixed.append((row, column, value))

    def put_both(self, row: int, column: int, place: int, value: float) -> None:
        self.put(row, column, place, value)
        if row != column:
            self.put(column, row, place, value)

    def cells(self, otherwise: float = 0.0) -> Cells:
        fixed = np.full(self.shape, otherwise)
        for row, column, value in self.fixed:
            fixed[(row, column)[: len(self.shape)]] = value
        free = np.array(self.free, dtype=np.int64).reshape(-1, 3)
        places = free[:, 0], free[:, 1]
        fixed[places[: len(self.shape)]] = 0.0
        return Cells(fixed, *(np.ascontiguousarray(column) for column in free.T))


def _block(
    parameters: Sequence[Parameter],
    rows: Sequence[int],
    place: IntArray,
    number: int,
    levels: int,
    parameterization: Parameterization,
    wanted: Sequence[str] | None,
) -> Block:
    """Matrices of one block from its rows."""
    table = [parameters[i] for i in rows]
    part = roles(table)
    observed = part.observed
    if wanted is not None:
        observed = tuple(name for name in wanted if name in observed)
    doubled = _doubled(table, set(part.latent))
    latent = part.latent + tuple(name for name in observed if name in doubled)
    cuts = Counter(one.lhs for one in table if one.op == "|")
    ordered = tuple(name for name in observed if name in cuts)
    _check_ordered(table, set(ordered), doubled, parameterization)
    threshold_of = tuple(name for name in ordered for _ in range(cuts[name]))

    p, m, t = len(observed), len(latent), len(threshold_of)
    at = {name: i for i, name in enumerate(observed)}
    above = {name: i for i, name in enumerate(latent)}
    first = {name: threshold_of.index(name) for name in ordered}
    filling: dict[MatrixName, _Filling] = {
        "loadings": _Filling((p, m)), "factor_cov": _Filling((m, m)), "paths": _Filling((m, m)),
        "residual_cov": _Filling((p, p)), "intercepts": _Filling((p,)),
        "factor_means": _Filling((m,)), "thresholds": _Filling((t,)), "scales": _Filling((p,)),
    }  # fmt: skip
    for name in doubled:
        filling["loadings"].put(at[name], above[name], -1, 1.0)
    for i, one in zip(rows, table, strict=True):
        to, value = int(place[i]), one.value
        match one.op:
            case "=~" if one.rhs in above:
                filling["paths"].put(above[one.rhs], above[one.lhs], to, value)
            case "=~":
                filling["loadings"].put(at[one.rhs], above[one.lhs], to, value)
            case "~":
                filling["paths"].put(above[one.lhs], above[one.rhs], to, value)
            case "~~" if one.lhs in above:
                filling["factor_cov"].put_both(above[one.lhs], above[one.rhs], to, value)
            case "~~":
                filling["residual_cov"].put_both(at[one.lhs], at[one.rhs], to, value)
            case "~1" if one.lhs in above:
                filling["factor_means"].put(above[one.lhs], 0, to, value)
            case "~1":
                filling["intercepts"].put(at[one.lhs], 0, to, value)
            case "|":
                filling["thresholds"].put(first[one.lhs] + int(one.rhs[1:]) - 1, 0, to, value)
            case _:
                filling["scales"].put(at[one.lhs], 0, to, value)
    cells = {name: one.cells(1.0 if name == "scales" else 0.0) for name, one in filling.items()}
    covariates = {one.lhs for one in table if one.exogenous}
    return Block(
        group=number // levels,
        level=number % levels + 1,
        observed=observed,
        latent=latent,
        n_factors=len(part.latent),
        covariates=tuple(name for name in observed if name in covariates),
        ordered=ordered,
        threshold_of=threshold_of,
        means=bool(ordered) or any(one.op == "~1" for one in table),
        parameterization=parameterization,
        **cells,
    )


def _doubled(table: Sequence[Parameter], latent: Collection[str]) -> set[str]:
    """Observed variables that must stand among the latent ones.

    They take part in a regression or covary with a latent variable, or they covary with one
    that does.
    """
    found = {name for one in table if one.op == "~" for name in (one.lhs, one.rhs)}
    shared = [(one.lhs, one.rhs) for one in table if one.op == "~~" and one.lhs != one.rhs]
    while True:
        before = len(found)
        for lhs, rhs in shared:
            if {lhs, rhs} & (found | set(latent)):
                found |= {lhs, rhs}
        found -= set(latent)
        if len(found) == before:
            return found


def _check_ordered(
    table: Sequence[Parameter],
    ordered: Collection[str],
    doubled: Collection[str],
    parameterization: Parameterization,
) -> None:
    """Refuse what the parameterisation leaves no room for."""
    faults = []
    for one in table:
        if not one.free or one.lhs not in ordered:
            continue
        if parameterization == "delta" and one.op == "~~" and one.lhs == one.rhs:
            faults.append(
                f"the residual variance of {one.lhs!r} cannot be free under the delta "
                "parameterisation: use parameterization='theta'"
            )
        if parameterization == "theta" and one.op == "~*~":
            faults.append(
                f"the scale of {one.lhs!r} cannot be free under the theta parameterisation: "
                "use parameterization='delta'"
            )
    if faults:
        raise FaultsError(SOURCE, list(dict.fromkeys(faults)))
    causes = {one.rhs for one in table if one.op == "~"}
    if parameterization == "delta" and (both := causes & set(ordered) & set(doubled)):
        raise NotSupportedError(
            f"Under the delta parameterisation, the ordinal predictor {min(both)!r}",
            instead="Use parameterization='theta', or leave it out of `ordered`.",
        )


def observed_variables(model: Model) -> tuple[str, ...]:
    """Observed variables of all blocks, each once, in their order."""
    return tuple(dict.fromkeys(name for block in model.blocks for name in block.observed))


def count_moments(model: Model) -> int:
    """Sample moments that the model is to explain; df is this minus `n_unique`.

    Moments among covariates do not count; on two levels, the mean of a variable that is on both
    counts once.
    """
    total = 0
    for block in model.blocks:
        p, q = len(block.observed), len(block.covariates)
        total += p * (p + 1) // 2 - q * (q + 1) // 2
        if block.means:
            total += p - q
        total += len(block.threshold_of) - 2 * len(block.ordered)
        if block.level == 1 and model.levels == 2:
            between = set(model.blocks[2 * block.group + 1].observed) - set(block.covariates)
            total -= sum(name in between for name in block.observed)
    return total
