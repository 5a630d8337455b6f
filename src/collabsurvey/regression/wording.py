"""Coefficients in plain words: what goes with what, how surely, compared with whom."""

from __future__ import annotations

import numpy as np

from collabsurvey.numerics.student import critical_value
from collabsurvey.regression.expressions import Call, ColumnRef, Expression
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.terms import DesignColumn

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
        sentences[column.name] = (
            f"{_difference(column, result, estimate)} "
            f"({result.conf_level * 100:g} % interval {_number(low)} to {_number(high)})"
            f"{_alike(result, j, unit)}; the interval "
            f"{'includes' if low <= 0 <= high else 'excludes'} zero."
        )
    return sentences


def _difference(column: DesignColumn, result: RegressionResult, estimate: float) -> str:
    outcome = _plain(result.encoding.formula.response)
    if len(column.parts) == 1:
        variable, level = column.parts[0]
        more = "more" if estimate >= 0 else "less"
        step = f"{_step(variable, level, result)}{_where(column, result)}"
        return f"{step} goes with {_size(estimate)} {more} {outcome}"
    (variable, level), *others = column.parts
    conditions = " and ".join(_condition(other, at, result) for other, at in others)
    change = "higher" if estimate >= 0 else "lower"
    return (
        f"{conditions}{_where(column, result)}, the difference in {outcome} that goes with "
        f"{_lowered(_step(variable, level, result))} is {_size(estimate)} {change}"
    ).replace(",,", ",")


def _step(variable: Expression, level: int, result: RegressionResult) -> str:
    if level >= 0:
        levels = result.encoding.levels[variable]
        name = _plain(variable)
        if _has_reference(variable, result):
            return f"{_capital(name)} {levels[level]} rather than {levels[0]}"
        return f"{_capital(name)} {levels[level]}"
    if isinstance(variable, Call) and variable.function == "within":
        x, group = (_plain(argument) for argument in variable.arguments)
        return f"One unit more {x} than the mean of the same {group}"
    if isinstance(variable, Call) and variable.function == "between":
        x, group = (_plain(argument) for argument in variable.arguments)
        return f"One unit more in the mean {x} of the {group}"
    return f"One unit more {_plain(variable)}"


def _condition(variable: Expression, level: int, result: RegressionResult) -> str:
    if level >= 0:
        levels = result.encoding.levels[variable]
        against = f" rather than {levels[0]}" if _has_reference(variable, result) else ""
        return f"With {_plain(variable)} {levels[level]}{against}"
    return f"With one unit more {_plain(variable)}"


def _where(column: DesignColumn, result: RegressionResult) -> str:
    """Say at which values of its interaction partners a coefficient holds."""
    own = {variable for variable, _ in column.parts}
    partners: dict[Expression, None] = {}
    for other in result.plan.columns:
        held = [variable for variable, _ in other.parts]
        if own < set(held):
            partners |= dict.fromkeys(variable for variable in held if variable not in own)
    values = []
    for variable in partners:
        levels = result.encoding.levels.get(variable)
        if levels is None:
            values.append(f"{_plain(variable)} is 0")
        elif _has_reference(variable, result):
            values.append(f"{_plain(variable)} is {levels[0]}")
    return f", where {' and '.join(values)}," if values else ""


def _has_reference(variable: Expression, result: RegressionResult) -> bool:
    """Whether no column stands for the first level."""
    return not any((variable, 0) in column.parts for column in result.plan.columns)


def _alike(result: RegressionResult, j: int, unit: str) -> str:
    own = {variable for variable, _ in result.plan.columns[j].parts}
    others = [
        variable
        for term in result.encoding.formula.terms
        for variable in term
        if len(term) == 1 and variable not in own
    ]
    if not others:
        return ""
    if len(others) > MOST_NAMED:
        return f", comparing {unit} that are alike in the other terms of the model"
    words = [_plain(variable) for variable in others]
    listing = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f", comparing {unit} that are alike in {listing}"


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


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
