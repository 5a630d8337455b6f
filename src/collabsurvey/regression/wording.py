"""Coefficients in plain words: what goes with what, how surely, compared with whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.student import critical_value
from collabsurvey.regression.expressions import Call, ColumnRef, Expression, columns_of
from collabsurvey.regression.results import RegressionResult

MOST_NAMED = 4  # other terms named in a sentence; more become "the other terms"


def in_words(result: RegressionResult, *, unit: str = "rows") -> dict[str, str]:
    """One sentence for each coefficient but the intercept.

    The sentences describe differences that go together; they claim no cause.

    Parameters
    ----------
    result : LinearResult or MixedResult
        A fitted model.
    unit : str
        What a row of the data is, in the plural: "schools", "members of staff".

    Returns
    -------
    dict of str to str
        Coefficient name: sentence, in the order of the model.
    """
    half = critical_value(result.conf_level, result.df) * result.std_errors
    sentences: dict[str, str] = {}
    for j, column in enumerate(result.plan.columns):
        if not column.parts:
            continue
        estimate = float(result.coefficients[j])
        low, high = estimate - float(half[j]), estimate + float(half[j])
        reading = _read(result, j)
        sentences[column.name] = (
            f"{_finding(reading, result, estimate)} "
            f"({result.conf_level * 100:g} % interval {_number(low)} to {_number(high)})"
            f"{_alike(reading, unit)}; the interval "
            f"{'includes' if low <= 0 <= high else 'excludes'} zero{_together(reading)}."
        )
    return sentences


@dataclass(frozen=True)
class _Reading:
    """What a coefficient is the difference of, where it holds, and what is held alike."""

    steps: tuple[tuple[Expression, int], ...]  # parts that change; none for the mean of a cell
    where: tuple[str, ...]  # "f is a", "x is 0"
    alike: tuple[Expression, ...]
    together: tuple[Expression, ...]  # other terms made of the same columns


def _read(result: RegressionResult, j: int) -> _Reading:
    column, label = result.plan.columns[j], result.plan.term_labels[j]
    own = dict(column.parts)
    # A factor with a column for every level says where, not what differs.
    cells = [v for v, level in own.items() if level >= 0 and not _has_reference(v, label, result)]
    steps = tuple(part for part in column.parts if part[0] not in cells)
    where = {v: f"{_plain(v)} is {result.encoding.levels[v][own[v]]}" for v in cells}
    for other, its_label in zip(result.plan.columns, result.plan.term_labels, strict=True):
        held = [variable for variable, _ in other.parts]
        # Of the mean of a cell everything else is at its zero; else partners in interactions.
        if not steps or set(own) < set(held):
            at = {v: _zero(v, its_label, result) for v in held if v not in own and v not in where}
            where |= {v: text for v, text in at.items() if text}
    mains = [term[0] for term in result.encoding.formula.terms if len(term) == 1]
    rest = [v for v in mains if v not in own and v not in where]
    together = [v for v in rest if any(_same_columns(v, step) for step, _ in steps)]
    return _Reading(
        steps=steps,
        where=tuple(where.values()),
        alike=tuple(v for v in rest if v not in together) if steps else (),
        together=tuple(together),
    )


def _has_reference(variable: Expression, term: str, result: RegressionResult) -> bool:
    """Whether no column of the term stands for the first level."""
    columns = zip(result.plan.columns, result.plan.term_labels, strict=True)
    return not any((variable, 0) in column.parts for column, label in columns if label == term)


def _zero(variable: Expression, term: str, result: RegressionResult) -> str:
    """Say where the columns of a variable are zero; "" where one of them never is."""
    levels = result.encoding.levels.get(variable)
    if levels is None:
        centred = isinstance(variable, Call) and variable.function == "center"
        return f"{_plain(variable)} is {'at its mean' if centred else '0'}"
    return f"{_plain(variable)} is {levels[0]}" if _has_reference(variable, term, result) else ""


def _same_columns(a: Expression, b: Expression) -> bool:
    """Whether two terms change together; the parts within and between groups do not."""
    parted = any(isinstance(e, Call) and e.function in {"within", "between"} for e in (a, b))
    return not parted and bool(set(columns_of([a])) & set(columns_of([b])))


def _finding(reading: _Reading, result: RegressionResult, estimate: float) -> str:
    outcome = _plain(result.encoding.formula.response)
    places = " and ".join(reading.where)
    if not reading.steps:
        return f"Where {places}, the mean of {outcome} is {_number(estimate)}"
    (variable, level), *others = reading.steps
    where = f", where {places}," if places else ""
    step = _step(variable, level, result)
    if not others:
        more = "more" if estimate >= 0 else "less"
        return f"{_capital(step)}{where} goes with {_size(estimate)} {more} {outcome}"
    conditions = " and ".join(_step(other, at, result) for other, at in others)
    change = "higher" if estimate >= 0 else "lower"
    return (
        f"With {conditions}{where or ','} the difference in {outcome} that goes with {step} "
        f"is {_size(estimate)} {change}"
    )


def _step(variable: Expression, level: int, result: RegressionResult) -> str:
    if level >= 0:
        levels = result.encoding.levels[variable]
        return f"{_plain(variable)} {levels[level]} rather than {levels[0]}"
    if isinstance(variable, Call):
        words = [_plain(argument) for argument in variable.arguments]
        if variable.function == "within":
            return f"one unit more {words[0]} than the mean of the same {words[1]}"
        if variable.function == "between":
            return f"one unit more in the mean {words[0]} of the {words[1]}"
        if variable.function == "log":
            return f"one unit more {variable.label} ({words[0]} {np.e:.2f} times as large)"
    return f"one unit more {_plain(variable)}"


def _alike(reading: _Reading, unit: str) -> str:
    if not reading.alike:
        return ""
    if len(reading.alike) > MOST_NAMED:
        return f", comparing {unit} that are alike in the other terms of the model"
    return f", comparing {unit} that are alike in {_listing(reading.alike)}"


def _together(reading: _Reading) -> str:
    if not reading.together:
        return ""
    return f"; read it together with {_listing(reading.together)}, of the same column"


def _listing(variables: Sequence[Expression]) -> str:
    words = [_plain(variable) for variable in variables]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _plain(expression: Expression) -> str:
    if isinstance(expression, ColumnRef):
        return expression.name
    if isinstance(expression, Call):
        if expression.function in {"C", "factor", "I", "center"}:
            return _plain(expression.arguments[0])
        if expression.function == "between":
            x, group = (_plain(argument) for argument in expression.arguments)
            return f"mean {x} of the {group}"
        if expression.function == "within":
            x, group = (_plain(argument) for argument in expression.arguments)
            return f"{x} within the {group}"
    return expression.label


def _size(value: float) -> str:
    return _number(abs(value))


def _number(value: float) -> str:
    digits = f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"
    if "e" in digits:
        digits = np.format_float_positional(float(digits), trim="-")
    return digits.replace("-", "−")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
