"""The parameter table: what the text says, completed by the rules of lavaan's cfa() and sem().

The rules (Rosseel, 2012, doi:10.18637/jss.v048.i02): the first loading of a factor is 1 (or its
variance, with `std_lv`); residual variances are free; exogenous latent variables covary, and so
do final outcomes; moments of observed predictors are those of the sample. Rows come in lavaan's
order: as written, then thresholds, variances, covariances, scales and means.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from collabsurvey.dimensionality.sem.equality import tie
from collabsurvey.dimensionality.sem.model import Op, Parameter, Parameterization
from collabsurvey.dimensionality.sem.roles import Roles, roles
from collabsurvey.dimensionality.sem.syntax import SOURCE, Statement, Syntax
from collabsurvey.dimensionality.sem.terms import NONE, Modifiers
from collabsurvey.errors import (
    FaultsError,
    NotSupportedError,
    NoVarianceError,
    UnknownNameError,
)


@dataclass(slots=True)
class Row:
    """A parameter in the making."""

    lhs: str
    op: Op
    rhs: str
    group: int
    level: int  # 1 or 2
    free: bool
    value: float
    written: bool
    modifiers: Modifiers
    line: int = 0
    label: str = ""
    equals: str = ""  # parameter that this one is declared equal to
    exogenous: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What the caller decides."""

    n_groups: int
    ordered: Mapping[str, int]  # number of categories
    means: bool
    std_lv: bool
    orthogonal: bool
    fixed_x: bool
    parameterization: Parameterization
    equal: frozenset[str]


def parameter_table(
    syntax: Syntax,
    *,
    n_groups: int = 1,
    ordered: Mapping[str, int] | None = None,
    means: bool | None = None,
    std_lv: bool = False,
    orthogonal: bool = False,
    fixed_x: bool = True,
    parameterization: Parameterization = "delta",
    equal: Collection[str] = (),
    partial: Collection[str] = (),
    columns: Collection[str] | None = None,
) -> tuple[Parameter, ...]:
    """Complete the model text into a table of all parameters of all blocks.

    `ordered` holds the number of categories of the items with thresholds; `means` None adds a
    mean structure where intercepts are written, and with groups, levels or thresholds. `equal`
    names what is equal across groups (loadings, intercepts, …), `partial` the exceptions, such
    as "x3~1". `columns` are the names that the data have; None leaves names unchecked.
    """
    within = [one for one in syntax.statements if one.level != 2]
    between = [one for one in syntax.statements if one.level == 2]
    blocks = [within, between] if syntax.levels == 2 else [within]
    every = roles(syntax.statements)
    _check(syntax, every, ordered or {}, columns)
    cut = {**dict(ordered or {}), **_written_thresholds(syntax.statements, ordered or {})}
    used = {name: count for name, count in cut.items() if name in every.observed}
    if used and syntax.levels == 2:
        raise NotSupportedError(
            "A two-level model of ordinal items", instead="Treat the items as continuous."
        )
    intercepts = any(one.op == "~1" for one in syntax.statements)
    required = bool(used) or syntax.levels == 2 or intercepts
    means = required or (n_groups > 1 if means is None else means)
    rules = Rules(
        n_groups, used, means, std_lv, orthogonal, fixed_x, parameterization, frozenset(equal)
    )
    known = [roles(block) for block in blocks]
    order = {name: i for i, name in enumerate((*every.latent, *every.observed))}
    drafts = [_draft(block, one, rules, order) for block, one in zip(blocks, known, strict=True)]
    if syntax.levels == 2:
        _centre_within(drafts, known[0])
    rows = [
        row
        for group in range(n_groups)
        for level, draft in enumerate(drafts, start=1)
        for row in _of_group(draft, known[level - 1], rules, group, level)
    ]
    _modify(rows, n_groups)
    tie(rows, known, equal=equal, partial=partial)
    return tuple(
        Parameter(
            row.lhs,
            row.op,
            row.rhs,
            row.group * syntax.levels + row.level - 1,
            row.free,
            row.value,
            row.label,
            row.exogenous,
            row.written,
        )
        for row in rows
    )


def _check(
    syntax: Syntax, every: Roles, ordered: Mapping[str, int], columns: Collection[str] | None
) -> None:
    """Refuse names that cannot be, and thresholds where there can be none."""
    latent = set(every.latent)
    faults = [
        f"line {one.line}: {one.lhs!r} is latent and cannot have thresholds"
        for one in syntax.statements
        if one.op in ("|", "~*~") and one.lhs in latent
    ]
    faults += [
        f"line {one.line}: {one.lhs!r} only predicts, so that it has no thresholds"
        for one in syntax.statements
        if one.op in ("|", "~*~") and one.lhs in every.exogenous
    ]
    faults += [
        f"line {one.line}: {one.lhs!r} has {ordered[one.lhs]} categories, so that its last "
        f"threshold is t{ordered[one.lhs] - 1}, not {one.rhs}"
        for one in syntax.statements
        if one.op == "|" and int(one.rhs[1:]) >= ordered.get(one.lhs, math.inf)
    ]
    for name, count in ordered.items():
        if name in every.observed and count < 2:
            raise NoVarianceError(f"item {name!r}", method="A model of ordinal items")
    if columns is not None:
        known = set(columns)
        first = {one.lhs: one.line for one in reversed(syntax.statements) if one.op == "=~"}
        faults += [
            f"line {first[name]}: the factor {name!r} has the name of a column; rename the factor"
            for name in every.latent
            if name in known
        ]
        unknown = [name for name in every.observed if name not in known]
        errors = [
            UnknownNameError(
                "column",
                name,
                available=columns,
                where=f"Line {_line_of(name, syntax)} of the model: the data set",
            )
            for name in unknown
        ]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise FaultsError(SOURCE, [str(one) for one in errors])
    if faults:
        raise FaultsError(SOURCE, faults)


def _line_of(name: str, syntax: Syntax) -> int:
    return next(one.line for one in syntax.statements if name in (one.lhs, one.rhs))


def _written_thresholds(
    statements: Sequence[Statement], ordered: Mapping[str, int]
) -> dict[str, int]:
    """Number of categories of the items whose thresholds only the text names."""
    highest: dict[str, int] = {}
    for one in statements:
        if one.op == "|" and one.lhs not in ordered:
            highest[one.lhs] = max(highest.get(one.lhs, 2), int(one.rhs[1:]) + 1)
    return highest


def _draft(
    statements: Sequence[Statement], block: Roles, rules: Rules, order: Mapping[str, int]
) -> list[Row]:
    """Rows of one block in the first group: as written, then what the rules add."""
    rows = []
    for one in statements:
        lhs, rhs = one.lhs, one.rhs
        if one.op == "~~" and order[lhs] > order[rhs]:
            lhs, rhs = rhs, lhs
        rows.append(Row(lhs, one.op, rhs, 0, 0, True, math.nan, True, one.modifiers, one.line))
    present = {(row.lhs, row.op, row.rhs) for row in rows}
    for lhs, op, rhs in _defaults(block, rules):
        if (lhs, op, rhs) not in present:
            rows.append(Row(lhs, op, rhs, 0, 0, True, math.nan, False, NONE))
    _fix(rows, block, rules)
    return rows


def _defaults(block: Roles, rules: Rules) -> Iterator[tuple[str, Op, str]]:
    """What every model has, whether written or not."""
    exogenous = block.exogenous
    cut = [name for name in block.observed if name in rules.ordered and name not in exogenous]
    for name in cut:
        yield from ((name, "|", f"t{k}") for k in range(1, rules.ordered[name]))
    for name in block.observed:
        if name not in exogenous:
            yield name, "~~", name
    for name in block.latent:
        yield name, "~~", name
    for pair in combinations(block.free_latent, 2):
        yield pair[0], "~~", pair[1]
    for pair in combinations(block.final, 2):
        yield pair[0], "~~", pair[1]
    for i, name in enumerate(exogenous):
        yield from ((name, "~~", other) for other in exogenous[i:])
    for name in cut:
        yield name, "~*~", name
    if rules.means:
        for name in (*block.observed, *block.latent):
            yield name, "~1", ""


def _fix(rows: Sequence[Row], block: Roles, rules: Rules) -> None:
    """Decide which parameters are fixed for the model to be identified."""
    latent, exogenous = set(block.latent), set(block.exogenous)
    ordered = set(rules.ordered) - exogenous
    begun: set[str] = set()
    single = _single_indicators(rows)
    for row in rows:
        variance = row.op == "~~" and row.lhs == row.rhs
        if row.op == "=~":
            if row.lhs not in begun and not rules.std_lv:
                row.free, row.value = False, 1.0
            begun.add(row.lhs)
        elif variance and row.lhs in latent and rules.std_lv:
            row.free, row.value = False, 1.0
        if row.written:
            continue
        if variance and row.lhs in ordered:
            row.free, row.value = False, 1.0
        elif variance and row.lhs in single:
            row.free, row.value = False, 0.0
        elif row.op == "~*~":
            row.free, row.value = False, 1.0
        elif row.op == "~~" and not variance and rules.orthogonal:
            if row.lhs in latent and row.rhs in latent:
                row.free, row.value = False, 0.0
        elif row.op == "~1" and (row.lhs in latent or row.lhs in ordered):
            row.free, row.value = False, 0.0
        if rules.fixed_x and row.lhs in exogenous and row.op in ("~~", "~1"):
            row.free, row.value, row.exogenous = False, math.nan, True


def _single_indicators(rows: Sequence[Row]) -> set[str]:
    """Only indicator of a factor, and of no other: its residual variance is not identified."""
    measured = [row for row in rows if row.op == "=~"]
    factors = [row.lhs for row in measured]
    indicators = [row.rhs for row in measured]
    return {
        row.rhs
        for row in measured
        if factors.count(row.lhs) == 1 and indicators.count(row.rhs) == 1
    }


def _centre_within(drafts: Sequence[Sequence[Row]], within: Roles) -> None:
    """Means of the individuals' level are 0 where the clusters' level has them."""
    between = {row.lhs for row in drafts[1] if row.op == "~1"}
    for row in drafts[0]:
        if row.op == "~1" and row.lhs in between and row.lhs in within.observed:
            row.free, row.value = False, 0.0


def _of_group(
    draft: Sequence[Row], block: Roles, rules: Rules, group: int, level: int
) -> Iterator[Row]:
    """Copy the draft for a group; from the second on, free what equality identifies."""
    latent, equal = set(block.latent), rules.equal
    free_means = bool(equal & {"intercepts", "thresholds"}) and "means" not in equal
    free_variances = rules.std_lv and "loadings" in equal and "lv.variances" not in equal
    free_scales = "thresholds" in equal and bool(rules.ordered)
    for one in draft:
        row = Row(
            one.lhs, one.op, one.rhs, group, level, one.free, one.value, one.written,
            one.modifiers, one.line, exogenous=one.exogenous,
        )  # fmt: skip
        if group > 0:
            variance = row.op == "~~" and row.lhs == row.rhs
            if (
                (free_means and row.op == "~1" and row.lhs in latent and not row.written)
                or (free_variances and variance and row.lhs in latent and not row.written)
                or (free_scales and rules.parameterization == "delta" and row.op == "~*~")
                or (
                    free_scales
                    and rules.parameterization == "theta"
                    and variance
                    and row.lhs in rules.ordered
                )
            ):
                row.free, row.value = True, math.nan
        yield row


def _modify(rows: Sequence[Row], n_groups: int) -> None:
    """Apply what is written before the variables; refuse vectors that do not fit the groups."""
    faults: dict[str, None] = {}
    for row in rows:
        if row.modifiers == NONE:
            continue
        shown = f"{row.lhs} {row.op.removesuffix('1')} {row.rhs or '1'}"
        given = row.modifiers
        for values in (given.fixed, given.start, given.label, given.equal):
            if len(values) not in (0, 1, n_groups):
                groups = "1 group" if n_groups == 1 else f"{n_groups} groups"
                faults[
                    f"line {row.line}: {len(values)} values are given for '{shown}', "
                    f"but there {'is' if n_groups == 1 else 'are'} {groups}"
                ] = None
        if given.equal and given.label:
            faults[f"line {row.line}: '{shown}' has a label and equal(); one is enough"] = None
        if not faults:
            _apply(row)
    if faults:
        raise FaultsError(SOURCE, list(faults))


def _apply(row: Row) -> None:
    given = row.modifiers
    if given.fixed:
        value = given.fixed[row.group if len(given.fixed) > 1 else 0]
        row.free, row.value, row.exogenous = math.isnan(value), value, False
    if given.start:
        row.value = given.start[row.group if len(given.start) > 1 else 0]
    if given.label:
        row.label = given.label[row.group if len(given.label) > 1 else 0]
    if given.equal:
        row.equals = given.equal[row.group if len(given.equal) > 1 else 0]
