"""From a formula and its columns to the columns of a design matrix, named and coded as in R.

Factors (text, categoricals, `C()`, `factor()`) become treatment contrasts with the first level
as reference; where the term without them is not in the model they keep a column for every
level (R's marginality rule, Chambers & Hastie, 1992, p. 38). A column is named
by what was written and the level: `sexM`, `C(year)2016`, `sexM:x`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from collabsurvey.errors import DataError, FormulaError, listed
from collabsurvey.numerics.typing import AnyArray, FloatArray, IntArray
from collabsurvey.regression.expressions import (
    Arithmetic,
    Call,
    ColumnRef,
    Expression,
    Number,
    parts_of,
)
from collabsurvey.regression.formula import Formula, Term
from collabsurvey.responses.engine import Column, group_codes

INTERCEPT = "(Intercept)"
Columns = Mapping[str, Column]
_OPERATORS = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
}


@dataclass(frozen=True, eq=False)
class Encoding:
    """What the rows of the fit taught: levels, means; the same serves predictions."""

    formula: Formula
    levels: Mapping[Expression, tuple[str, ...]]  # factors of the formula
    means: Mapping[Expression, float]  # of center()
    group_means: Mapping[Expression, Mapping[str, float]]  # of within() and between()
    constant_within: frozenset[Expression] = frozenset()  # within() and between() of constants


@dataclass(frozen=True)
class DesignColumn:
    """A product of numbers and level indicators."""

    name: str
    parts: tuple[tuple[Expression, int], ...]  # (variable, level), level -1 for a number


@dataclass(frozen=True)
class DesignPlan:
    """The columns of a design matrix, and the term each belongs to."""

    columns: tuple[DesignColumn, ...]
    term_labels: tuple[str, ...]  # one per column

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, as R writes them."""
        return tuple(column.name for column in self.columns)


def learn(formula: Formula, columns: Columns) -> Encoding:
    """Learn levels and means from the rows of the fit."""
    levels: dict[Expression, tuple[str, ...]] = {}
    means: dict[Expression, float] = {}
    group_means: dict[Expression, Mapping[str, float]] = {}
    constant: set[Expression] = set()
    encoding = Encoding(formula, levels, means, group_means)
    for variable in _variables(formula):
        factor = _factor_column(variable, columns)
        if factor is not None:
            codes, labels = group_codes(factor)
            present = np.bincount(codes, minlength=len(labels)) > 0
            levels[variable] = tuple(np.array(labels, dtype=object)[present].tolist())
            continue
        for part in parts_of(variable):
            if not isinstance(part, Call):
                continue
            if part.function == "center":
                means[part] = float(np.mean(evaluate(part.arguments[0], columns, encoding)))
            elif part.function in {"within", "between"}:
                x = evaluate(part.arguments[0], columns, encoding)
                codes, labels = group_codes(columns[_column_name(part.arguments[1])])
                x = np.broadcast_to(x, codes.shape)
                counts = np.bincount(codes, minlength=len(labels))
                # Centred first, so that large values keep their digits.
                middle = float(np.mean(x))
                sums = np.bincount(codes, weights=x - middle, minlength=len(labels))
                # Where x is constant its mean is x itself: rounding is no part within groups.
                first = np.zeros(len(labels))
                first[codes[::-1]] = x[::-1]
                differ = np.bincount(codes, weights=x != first[codes], minlength=len(labels))
                if not differ.any():
                    constant.add(part)
                group_means[part] = {
                    label: middle + float(sums[i] / counts[i]) if differ[i] else float(first[i])
                    for i, label in enumerate(labels)
                    if counts[i]
                }
    return replace(encoding, constant_within=frozenset(constant))


def design_plan(terms: Sequence[Term], *, intercept: bool, encoding: Encoding) -> DesignPlan:
    """Which columns the terms become."""
    columns = [DesignColumn(INTERCEPT, ())] if intercept else []
    labels = [INTERCEPT] if intercept else []
    model = {frozenset(term) for term in terms}
    if intercept:
        model.add(frozenset())
    whole = None if intercept else _first_factor(terms, encoding)
    for term in terms:
        coded: list[tuple[Expression, list[tuple[str, int]]]] = []
        for variable in term:
            levels = encoding.levels.get(variable)
            if levels is None:
                coded.append((variable, [(variable.label, -1)]))
                continue
            margin = frozenset(term) - {variable}
            # R codes main effects by contrasts even without an intercept, but for the first.
            contrasts = (margin in model or not margin) and whole != (term, variable)
            first = 1 if contrasts else 0
            names = [(f"{variable.label}{levels[i]}", i) for i in range(first, len(levels))]
            coded.append((variable, names))
        made = [DesignColumn("", ())]
        for variable, options in coded:  # the first variable varies fastest, as in R
            made = [
                DesignColumn(
                    f"{column.name}:{name}" if column.name else name,
                    (*column.parts, (variable, level)),
                )
                for name, level in options
                for column in made
            ]
        columns += made
        labels += [term_label(term)] * len(made)
    return DesignPlan(tuple(columns), tuple(labels))


def term_label(term: Term) -> str:
    """Write a term as R does: "a", "a:b"."""
    return ":".join(variable.label for variable in term)


def constant_of(plan: DesignPlan, encoding: Encoding) -> FloatArray | None:
    """Coefficients (p,) that make a column of ones: the intercept, or every level of a factor."""
    found = np.zeros(len(plan.columns))
    for j, column in enumerate(plan.columns):
        if not column.parts:
            found[j] = 1.0
            return found
    for variable, levels in encoding.levels.items():
        own = [
            j
            for j, column in enumerate(plan.columns)
            if len(column.parts) == 1 and column.parts[0][0] == variable
        ]
        if own and len(own) == len(levels):
            found[own] = 1.0
            return found
    return None


def variable_values(
    terms: Sequence[Term], columns: Columns, encoding: Encoding, n_rows: int
) -> dict[Expression, AnyArray]:
    """Values (n,) of every variable of the terms: numbers, or codes into its levels."""
    values: dict[Expression, AnyArray] = {}
    for variable in dict.fromkeys(variable for term in terms for variable in term):
        if variable in encoding.levels:
            values[variable] = _level_codes(variable, columns, encoding)
        else:
            values[variable] = np.broadcast_to(evaluate(variable, columns, encoding), n_rows)
    return values


def expand(plan: DesignPlan, values: Mapping[Expression, AnyArray], rows: slice) -> FloatArray:
    """Rows of the design matrix (n, p)."""
    n = rows.stop - rows.start
    x = np.ones((n, len(plan.columns)))
    for j, column in enumerate(plan.columns):
        for variable, level in column.parts:
            part = values[variable][rows]
            x[:, j] *= part if level < 0 else part == level
    return x


def evaluate(expression: Expression, columns: Columns, encoding: Encoding) -> FloatArray:
    """Numbers (n,) of an expression; arithmetic that is not defined raises."""
    if isinstance(expression, Number):
        return np.array([expression.value])
    if isinstance(expression, ColumnRef):
        return _numbers(expression, columns, encoding)
    if isinstance(expression, Arithmetic):
        parts = [evaluate(operand, columns, encoding) for operand in expression.operands]
        return _finite(_calculate(expression.operator, parts), expression)
    return _called(expression, columns, encoding)


def _called(call: Call, columns: Columns, encoding: Encoding) -> FloatArray:
    x = evaluate(call.arguments[0], columns, encoding)
    if call.function == "log":
        with np.errstate(divide="ignore", invalid="ignore"):
            return _finite(np.log(x), call)
    if call.function == "center":
        learned = encoding.means.get(call)
        return x if learned is None else x - learned
    if call.function in {"within", "between"}:
        means = _means_by_row(call, columns, encoding)
        return means if call.function == "between" else x - means
    return x  # I()


def _means_by_row(call: Call, columns: Columns, encoding: Encoding) -> FloatArray:
    name = _column_name(call.arguments[1])
    codes, labels = group_codes(columns[name])
    known = encoding.group_means[call]
    unknown = [label for label in labels if label not in known]
    if unknown:
        raise DataError(
            f"{call.label} has no mean for {name} {listed(unknown)}: it was not among the rows "
            "of the fit. Add the means as a column of your own and fit with that."
        )
    return np.asarray(np.array([known[label] for label in labels])[codes])


def _calculate(operator: str, parts: list[FloatArray]) -> FloatArray:
    if operator == "()":
        return parts[0]
    if len(parts) == 1:
        return -parts[0]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(_OPERATORS[operator](*parts))


def _finite(result: FloatArray, expression: Expression) -> FloatArray:
    wrong = int((~np.isfinite(result)).sum())  # the columns hold finite numbers only
    if wrong:
        raise DataError(
            f"{expression.label} is not defined in {wrong} rows (a logarithm of 0 or less, or a "
            "division by 0). Recode those values or leave the rows out."
        )
    return result


def _numbers(column: ColumnRef, columns: Columns, encoding: Encoding) -> FloatArray:
    found = columns[column.name]
    if found.categories is not None:
        raise FormulaError(
            encoding.formula.text,
            f"column {column.name!r} holds text and cannot be calculated with. Use it as it is, "
            "or turn it into numbers",
        )
    return np.asarray(found.values, dtype=np.float64)


def _level_codes(variable: Expression, columns: Columns, encoding: Encoding) -> IntArray:
    column = _factor_column(variable, columns)
    if column is None:
        raise DataError(
            f"{variable.label} was text when the model was fitted and is a number here. Hand in "
            "the same kind of column."
        )
    codes, labels = group_codes(column)
    place = {label: i for i, label in enumerate(encoding.levels[variable])}
    unknown = [label for label in labels if label not in place]
    if unknown:
        raise DataError(
            f"{variable.label} has values that were not among the rows of the fit: "
            f"{listed(unknown)}. The model says nothing about them; leave those rows out."
        )
    lookup = np.array([*(place[label] for label in labels), -1], dtype=np.int64)
    return np.asarray(lookup[codes])


def _factor_column(variable: Expression, columns: Columns) -> Column | None:
    """Return the column of a factor, or None if the variable is a number."""
    if isinstance(variable, Call) and variable.function in {"C", "factor"}:
        return columns[_column_name(variable.arguments[0])]
    if isinstance(variable, ColumnRef) and columns[variable.name].categories is not None:
        return columns[variable.name]
    return None


def _column_name(expression: Expression) -> str:
    if not isinstance(expression, ColumnRef):  # the parser let nothing else through
        raise TypeError(f"{expression.label} is not a column")
    return expression.name


def _variables(formula: Formula) -> tuple[Expression, ...]:
    terms = [*formula.terms, *(term for part in formula.random for term in part.terms)]
    found = [variable for term in terms for variable in term]
    return tuple(dict.fromkeys([*found, *formula.offsets, formula.response]))


def _first_factor(terms: Sequence[Term], encoding: Encoding) -> tuple[Term, Expression] | None:
    for term in terms:
        for variable in term:
            if variable in encoding.levels:
                return term, variable
    return None
