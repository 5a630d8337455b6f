"""The variables of a formula: columns, numbers, arithmetic and the functions of the language."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

FUNCTIONS = {  # name: number of arguments
    "C": 1,
    "factor": 1,
    "log": 1,
    "I": 1,
    "center": 1,
    "within": 2,
    "between": 2,
    "offset": 1,
    "cbind": 2,
}
_PLAIN_NAME = re.compile(r"(?:[^\W\d]|\.(?!\d))[\w.]*")


@dataclass(frozen=True)
class ColumnRef:
    """A column of the data."""

    name: str

    @property
    def label(self) -> str:
        """The name, in backticks where R would need them."""
        return self.name if _PLAIN_NAME.fullmatch(self.name) else f"`{self.name}`"


@dataclass(frozen=True)
class Number:
    """A number inside arithmetic."""

    value: float

    @property
    def label(self) -> str:
        """The number, as R writes it."""
        return f"{self.value:.15g}"


@dataclass(frozen=True)
class Arithmetic:
    """An operator and its one or two operands; "()" keeps parentheses for the label."""

    operator: str
    operands: tuple[Expression, ...]

    @property
    def label(self) -> str:
        """The arithmetic, spaced as R writes it."""
        parts = [operand.label for operand in self.operands]
        if self.operator == "()":
            return f"({parts[0]})"
        if len(parts) == 1:
            return f"{self.operator}{parts[0]}"
        space = "" if self.operator in {"^", "/"} else " "
        return f"{space}{self.operator}{space}".join(parts)


@dataclass(frozen=True)
class Call:
    """A function of the language and its arguments."""

    function: str
    arguments: tuple[Expression, ...]

    @property
    def label(self) -> str:
        """The call, as R writes it."""
        return f"{self.function}({', '.join(argument.label for argument in self.arguments)})"


Expression = ColumnRef | Number | Arithmetic | Call


def columns_of(expressions: Iterable[Expression]) -> tuple[str, ...]:
    """Columns the expressions name, in order, each once."""
    found: dict[str, None] = {}
    for expression in expressions:
        for part in parts_of(expression):
            if isinstance(part, ColumnRef):
                found[part.name] = None
    return tuple(found)


def parts_of(expression: Expression) -> list[Expression]:
    """List the expression and everything inside it, innermost first."""
    if isinstance(expression, Arithmetic):
        inner = expression.operands
    elif isinstance(expression, Call):
        inner = expression.arguments
    else:
        return [expression]
    return [part for child in inner for part in parts_of(child)] + [expression]
