"""The typical case of a fit, and cases that differ from it in one thing.

Typical are the mean of a number and the most frequent level of a factor. A part within or between
groups has a mean of its own, whatever the group; powers and logarithms follow their column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collabsurvey.errors import DataError, UnknownNameError
from collabsurvey.moments.design import complete_columns
from collabsurvey.numerics.typing import AnyArray, FloatArray
from collabsurvey.regression.expressions import (
    Call,
    ColumnRef,
    Expression,
    columns_of,
    parts_of,
)
from collabsurvey.regression.ordinal_result import CumulativeResult
from collabsurvey.regression.reading import Words, number
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.terms import Columns, evaluate, expand, variable_values
from collabsurvey.responses.engine import Column

FEW_VALUES = 2  # a number with no more than these is shown at each of them


@dataclass(frozen=True, eq=False)
class Case:
    """Values (m,) of every variable of a model: numbers, or codes into the levels of a factor."""

    values: Mapping[Expression, AnyArray]
    n: int
    offset: float

    def design(self, result: RegressionResult) -> FloatArray:
        """Rows (m, p) of the fixed part."""
        return expand(result.plan, self.values, slice(0, self.n))

    def linear(self, result: RegressionResult) -> FloatArray:
        """Linear predictors (m,) of the fixed part, with the typical offset."""
        return np.asarray(self.design(result) @ result.coefficients + self.offset)

    def replaced(self, variable: Expression, values: FloatArray) -> Case:
        """The same cases with other values of one variable, one case for each value."""
        spread = {v: np.broadcast_to(x[:1], len(values)) for v, x in self.values.items()}
        return Case({**spread, variable: values}, len(values), self.offset)


def rows_of(result: RegressionResult, data: Any) -> Columns | None:
    """Columns of the rows a model rests on: those of `data`, else those it keeps, else None."""
    formula = result.encoding.formula
    if data is not None:
        columns, complete = complete_columns(
            data, formula.columns, any_of=formula.alternatives, optional=formula.optional_columns
        )
        if not complete.any():
            raise DataError("The table has no row with a value in every column of the model.")
        return columns
    return result.rows.columns if isinstance(result, CumulativeResult) else None


def n_rows(columns: Columns) -> int:
    """How many rows these are."""
    return len(next(iter(columns.values())).values)


def typical_case(result: RegressionResult, columns: Columns) -> Case:
    """The one typical case."""
    formula = result.encoding.formula
    terms = [*formula.terms, *(term for part in formula.random for term in part.terms)]
    of_rows = variable_values(terms, columns, result.encoding, n_rows(columns))
    means = _means(columns)
    values: dict[Expression, AnyArray] = {}
    for variable, found in of_rows.items():
        if variable in result.encoding.levels:
            values[variable] = np.array([np.bincount(found.astype(np.int64)).argmax()])
        elif is_parted(variable):
            values[variable] = np.array([float(np.mean(found))])
        else:
            values[variable] = np.atleast_1d(evaluate(variable, means, result.encoding))
    offset = sum(float(np.mean(evaluate(o, columns, result.encoding))) for o in formula.offsets)
    return Case(values, 1, offset)


def cases_along(
    result: RegressionResult, columns: Columns, predictor: str, grid: Sequence[Any]
) -> Case:
    """Typical but for a predictor that takes the values of a grid.

    `predictor` is a variable as the formula writes it, such as "within(x, school)", or a column;
    a column's powers and logarithms go along. The grid holds numbers, or labels of a factor.
    """
    typical = typical_case(result, columns)
    variables = {variable.label: variable for variable in typical.values}
    if predictor in variables:
        variable = variables[predictor]
        levels = result.encoding.levels.get(variable)
        values = np.asarray(grid, dtype=float) if levels is None else _codes(levels, grid)
        found = typical.replaced(variable, values)
        return _with_same_column(result, columns, found, variable, values)
    if predictor not in result.encoding.formula.predictor_columns:
        known = dict.fromkeys([*variables, *result.encoding.formula.predictor_columns])
        raise UnknownNameError("predictor", predictor, available=known, where="The model")
    found = typical
    for variable in typical.values:
        if predictor not in columns_of([variable]):
            continue
        if is_parted(variable):
            raise DataError(
                f"{predictor!r} has parts within and between groups, which differ by themselves. "
                f"Name one: {' or '.join(repr(v) for v in variables if predictor in v)}."
            )
        levels = result.encoding.levels.get(variable)
        if levels is not None:
            values = _codes(levels, grid)
        else:
            along = {**_means(columns), predictor: Column(np.asarray(grid, dtype=float))}
            values = np.broadcast_to(evaluate(variable, along, result.encoding), len(grid))
        found = (
            found.replaced(variable, values)
            if found is typical
            else _joined(found, variable, values)
        )
    return found


def is_parted(variable: Expression) -> bool:
    """Whether a variable is, or is made of, a part within or between groups."""
    calls = [part for part in parts_of(variable) if isinstance(part, Call)]
    return any(call.function in {"within", "between"} for call in calls)


@dataclass(frozen=True)
class Point:
    """A value of a variable at which something is said, and how it is called."""

    value: float  # a number, or the code of a level
    words: str  # "g is b", "x is 2.30 (1 SD above the mean)"


def points_of(
    variable: Expression, result: RegressionResult, columns: Columns | None, words: Words
) -> list[Point]:
    """Every level of a factor; mean and 1 SD either side of a number, or 0 without rows."""
    name = words.plain(variable)
    levels = result.encoding.levels.get(variable)
    if levels is not None:
        return [Point(i, f"{name} is {level}") for i, level in enumerate(levels)]
    if columns is None:
        centred = isinstance(variable, Call) and variable.function == "center"
        return [Point(0.0, f"{name} is {'at its mean' if centred else '0'}")]
    values = variable_values([(variable,)], columns, result.encoding, n_rows(columns))[variable]
    distinct = np.unique(values[: min(len(values), 1000)])
    if len(distinct) <= FEW_VALUES and len(np.unique(values)) <= FEW_VALUES:
        return [Point(float(x), f"{name} is {_short(x)}") for x in np.unique(values)]
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    # center(x) is shown in units of x.
    shift = sum(result.encoding.means.get(part, 0.0) for part in parts_of(variable))
    return [
        Point(at, f"{name} is {number(at + shift)} ({called})")
        for at, called in (
            (mean - sd, "1 SD below its mean"),
            (mean, "its mean"),
            (mean + sd, "1 SD above its mean"),
        )
    ]


def contrast_at(
    variable: Expression, level: int, at: Mapping[Expression, float], result: RegressionResult
) -> FloatArray:
    """Weights (p,) of the coefficients that a step of a variable adds up, others being `at`."""
    weights = np.zeros(len(result.plan.columns))
    for j, column in enumerate(result.plan.columns):
        parts = list(column.parts)
        if (variable, level) not in parts:
            continue
        rest = [part for part in parts if part != (variable, level)]
        sizes = [at[v] if lv < 0 else float(at[v] == lv) for v, lv in rest]
        weights[j] = float(np.prod(sizes or [1.0]))
    return weights


def typical_words(
    result: RegressionResult, columns: Columns, words: Words, *, but: str = ""
) -> str:
    """The typical case in words, "age 0.20, urban N", without one variable or column."""
    formula, said = result.encoding.formula, []
    case = typical_case(result, columns)
    means = _means(columns)
    mains = dict.fromkeys(v for term in formula.terms for v in term)
    shown: set[str] = set()
    for variable in mains:
        if but and but in {variable.label, *columns_of([variable])}:
            continue
        levels = result.encoding.levels.get(variable)
        own = columns_of([variable])
        if levels is not None:
            said.append(f"{words.plain(variable)} {levels[int(case.values[variable][0])]}")
        elif is_parted(variable):
            said.append(f"{words.plain(variable)} {number(float(case.values[variable][0]))}")
        else:
            new = [name for name in own if name not in shown]
            said += [f"{words.label(name)} {number(float(means[name].values[0]))}" for name in new]
        shown |= set(own)
    for offset in formula.offsets:
        if not but or but not in columns_of([offset]):
            said.append(_offset_words(offset, columns, result, words))
    return ", ".join(said)


def _offset_words(
    offset: Expression, columns: Columns, result: RegressionResult, words: Words
) -> str:
    """What an offset is in the typical case; of a logarithm the exposure itself."""
    value = float(np.mean(evaluate(offset, columns, result.encoding)))
    if isinstance(offset, Call) and offset.function == "log":
        inner = offset.arguments[0]
        unit = words.unit_of(inner)
        amount = f"{number(float(np.exp(value)))}{f' {unit}' if unit else ''}"
        return f"for an exposure ({words.plain(inner)}) of {amount}"
    return f"for an offset ({words.plain(offset)}) of {number(value)}"


def _with_same_column(
    result: RegressionResult, columns: Columns, case: Case, variable: Expression, values: FloatArray
) -> Case:
    """Let the powers and logarithms of a column go along with it."""
    if not isinstance(variable, ColumnRef) or variable in result.encoding.levels:
        return case
    along = {**_means(columns), variable.name: Column(values)}
    for other in case.values:
        if other != variable and variable.name in columns_of([other]) and not is_parted(other):
            found = np.broadcast_to(evaluate(other, along, result.encoding), len(values))
            case = _joined(case, other, found)
    return case


def _joined(case: Case, variable: Expression, values: AnyArray) -> Case:
    return Case({**case.values, variable: values}, case.n, case.offset)


def _means(columns: Columns) -> dict[str, Column]:
    """Every column of numbers at its mean; text as it is in the first row."""
    return {
        name: Column(np.array([np.mean(c.values)]))
        if c.categories is None
        else Column(c.values[:1], c.categories)
        for name, c in columns.items()
    }


def _codes(levels: Sequence[str], labels: Sequence[Any]) -> FloatArray:
    place = {level: i for i, level in enumerate(levels)}
    return np.array([place[str(label)] for label in labels], dtype=float)


def _short(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")
