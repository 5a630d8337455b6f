"""What a coefficient compares: which step, where it holds, and what is alike on both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from collabsurvey.regression.expressions import Call, ColumnRef, Expression, columns_of
from collabsurvey.regression.results import RegressionResult

MOST_NAMED = 4  # other terms named in a sentence; more become "the other terms"
SMALLEST_SHOWN = 0.0995  # a number that rounds to less has two digits that are not zero
MOST_DIGITS = 5  # of a ratio that is nearly 1


@dataclass(frozen=True)
class Words:
    """What a study calls its columns, its rows and its units.

    `labels` and `units` go by column; units are in the plural ("points"). `steps` are differences
    of a column that a sentence is about, in place of one unit.
    """

    unit: str = "rows"
    labels: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, float] = field(default_factory=dict)

    def plain(self, expression: Expression) -> str:
        """A variable without the signs of the formula language."""
        if isinstance(expression, ColumnRef):
            return self.labels.get(expression.name, expression.name)
        if isinstance(expression, Call):
            words = [self.plain(argument) for argument in expression.arguments]
            if expression.function in {"C", "factor", "I", "center"}:
                return words[0]
            if expression.function == "between":
                return f"mean {words[0]} of the {words[1]}"
            if expression.function == "within":
                return f"{words[0]} within the {words[1]}"
        return expression.label

    def label(self, name: str) -> str:
        """What a column, or a grouping factor, is called."""
        return self.labels.get(name, name)

    def step(self, variable: Expression) -> float:
        """How large a step of a number is; 1 where it is a logarithm or a power."""
        column = _stepped_column(variable)
        return 1.0 if column is None else float(self.steps.get(column, 1.0))

    def unit_of(self, variable: Expression) -> str:
        """The unit of a number that is a column, or its part within or between groups."""
        column = _stepped_column(variable)
        return "" if column is None else self.units.get(column, "")

    def listing(self, variables: Sequence[Expression]) -> str:
        """Variables joined by commas and "and"."""
        return joined([self.plain(variable) for variable in variables])


@dataclass(frozen=True)
class Reading:
    """What a coefficient is the difference of, where it holds, and what is held alike."""

    steps: tuple[tuple[Expression, int], ...]  # parts that change; none for the mean of a cell
    where: tuple[str, ...]  # "f is a", "x is 0"
    alike: tuple[Expression, ...]
    together: tuple[Expression, ...]  # other terms made of the same columns


def read(result: RegressionResult, j: int, words: Words) -> Reading:
    """Read coefficient j of a model."""
    column, label = result.plan.columns[j], result.plan.term_labels[j]
    own = dict(column.parts)
    # A factor with a column for every level says where, not what differs.
    cells = [v for v, level in own.items() if level >= 0 and not has_reference(v, label, result)]
    steps = tuple(part for part in column.parts if part[0] not in cells)
    where = {v: f"{words.plain(v)} is {result.encoding.levels[v][own[v]]}" for v in cells}
    for other, its_label in zip(result.plan.columns, result.plan.term_labels, strict=True):
        held = [variable for variable, _ in other.parts]
        # Of the mean of a cell everything else is at its zero; else partners in interactions.
        if not steps or set(own) < set(held):
            new = [v for v in held if v not in own and v not in where]
            at = {v: _zero(v, its_label, result, words) for v in new}
            where |= {v: text for v, text in at.items() if text}
    mains = [term[0] for term in result.encoding.formula.terms if len(term) == 1]
    rest = [v for v in mains if v not in own and v not in where]
    together = [v for v in rest if any(_same_columns(v, step) for step, _ in steps)]
    return Reading(
        steps=steps,
        where=tuple(where.values()),
        alike=tuple(v for v in rest if v not in together) if steps else (),
        together=tuple(together),
    )


def has_reference(variable: Expression, term: str, result: RegressionResult) -> bool:
    """Whether no column of the term stands for the first level."""
    columns = zip(result.plan.columns, result.plan.term_labels, strict=True)
    return not any((variable, 0) in column.parts for column, label in columns if label == term)


def step_words(variable: Expression, level: int, result: RegressionResult, words: Words) -> str:
    """What differs: "one unit more x", "f b rather than a"."""
    if level >= 0:
        levels = result.encoding.levels[variable]
        return f"{words.plain(variable)} {levels[level]} rather than {levels[0]}"
    size, unit = words.step(variable), words.unit_of(variable)
    if size == 1:
        more, tail = "one unit more", f" (in {unit})" if unit else ""
    else:
        more, tail = f"{abs(size):g} {unit or 'units'} {'more' if size > 0 else 'less'}", ""
    if isinstance(variable, Call):
        parts = [words.plain(argument) for argument in variable.arguments]
        if variable.function == "within":
            return f"{more} {parts[0]}{tail} than the mean of the same {parts[1]}"
        if variable.function == "between":
            return f"{more} in the mean {parts[0]} of the {parts[1]}{tail}"
        if variable.function == "log":
            return f"one unit more {variable.label} ({parts[0]} {np.e:.2f} times as large)"
    return f"{more} {words.plain(variable)}{tail}"


def step_size(steps: Sequence[tuple[Expression, int]], words: Words) -> float:
    """What a coefficient is multiplied by for the steps that are asked about."""
    return float(np.prod([words.step(v) if level < 0 else 1.0 for v, level in steps] or [1.0]))


def alike_words(reading: Reading, words: Words) -> str:
    """Which rows are compared."""
    if not reading.alike:
        return ""
    if len(reading.alike) > MOST_NAMED:
        return f", comparing {words.unit} that are alike in the other terms of the model"
    return f", comparing {words.unit} that are alike in {words.listing(reading.alike)}"


def together_words(reading: Reading, words: Words) -> str:
    """What must be read together with it."""
    if not reading.together:
        return ""
    return f"; read it together with {words.listing(reading.together)}, of the same column"


def joined(parts: Sequence[str], last: str = "and") -> str:
    """a, b and c."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def number(value: float) -> str:
    """Two decimals, or two digits that are not zero; with a true minus sign."""
    digits = f"{value:.2f}" if abs(value) >= SMALLEST_SHOWN or value == 0 else f"{value:.2g}"
    if "e" in digits:
        digits = np.format_float_positional(float(digits), trim="-")
    return digits.replace("-", "−")


def ratio_number(value: float) -> str:
    """Two decimals, or as many as tell a ratio from 1."""
    away = abs(value - 1)
    if not 0 < away < SMALLEST_SHOWN:
        return number(value)
    return f"{value:.{min(1 - int(np.floor(np.log10(away))), MOST_DIGITS)}f}"


def capital(text: str) -> str:
    """The same with a capital letter first."""
    return text[:1].upper() + text[1:]


def partners_of(variable: Expression, result: RegressionResult) -> tuple[Expression, ...]:
    """Variables in an interaction with this one, in the order of the formula."""
    found = [
        other
        for column in result.plan.columns
        if variable in (held := [v for v, _ in column.parts])
        for other in held
        if other != variable
    ]
    return tuple(dict.fromkeys(found))


def _zero(variable: Expression, term: str, result: RegressionResult, words: Words) -> str:
    """Say where the columns of a variable are zero; "" where one of them never is."""
    levels = result.encoding.levels.get(variable)
    if levels is None:
        centred = isinstance(variable, Call) and variable.function == "center"
        return f"{words.plain(variable)} is {'at its mean' if centred else '0'}"
    if not has_reference(variable, term, result):
        return ""
    return f"{words.plain(variable)} is {levels[0]}"


def _same_columns(a: Expression, b: Expression) -> bool:
    """Whether two terms change together; the parts within and between groups do not."""
    parted = any(isinstance(e, Call) and e.function in {"within", "between"} for e in (a, b))
    return not parted and bool(set(columns_of([a])) & set(columns_of([b])))


def _stepped_column(variable: Expression) -> str | None:
    """The one column that a number is a plain part of."""
    while isinstance(variable, Call):
        if variable.function not in {"center", "within", "between"}:
            return None
        variable = variable.arguments[0]
    return variable.name if isinstance(variable, ColumnRef) else None
