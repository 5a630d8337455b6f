"""Coefficients by what they compare: "cohort 2026 rather than 2025" for `C(cohort)2026`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from collabsurvey.regression.expressions import Call, ColumnRef

if TYPE_CHECKING:
    from collabsurvey.regression.expressions import Expression

LEVEL = re.compile(r"(?:C|factor)\((\w+)\)(.+)")


def term_words(result: Any) -> dict[str, str]:
    """Each term of a fitted model in words; those of unknown results by their pattern."""
    plan, encoding = getattr(result, "plan", None), getattr(result, "encoding", None)
    if plan is None or encoding is None:
        found = {str(term): LEVEL.fullmatch(str(term)) for term in result.estimates["term"]}
        return {term: " ".join(match.groups()) for term, match in found.items() if match}
    held: dict[str, set[tuple[Expression, int]]] = {}
    for column, label in zip(plan.columns, plan.term_labels, strict=True):
        held.setdefault(label, set()).update(column.parts)
    return {
        column.name: " × ".join(
            _part(variable, level, encoding.levels, reference=(variable, 0) not in held[label])
            for variable, level in column.parts
        )
        for column, label in zip(plan.columns, plan.term_labels, strict=True)
        if column.parts
    }


def _part(
    variable: Expression,
    level: int,
    levels: Mapping[Expression, tuple[str, ...]],
    *,
    reference: bool,
) -> str:
    if level < 0:
        return _plain(variable)
    names = levels[variable]
    against = f" rather than {names[0]}" if reference else ""
    return f"{_plain(variable)} {names[level]}{against}"


def _plain(expression: Expression) -> str:
    """A variable without the signs of the formula language."""
    if isinstance(expression, ColumnRef):
        return expression.name
    if isinstance(expression, Call):
        words = [_plain(argument) for argument in expression.arguments]
        if expression.function in ("C", "factor", "I", "center"):
            return words[0]
        if expression.function == "between":
            return f"mean of {words[0]} in the {words[1]}"
        if expression.function == "within":
            return f"{words[0]} against the mean of the same {words[1]}"
        if expression.function == "log":
            return f"logarithm of {words[0]}"
    return expression.label


def spaced(text: str) -> str:
    """Names of columns as words: final_grade is "final grade"."""
    return re.sub(r"(?<=\w)_(?=\w)", " ", text)
