"""Arithmetic of labelled parameters: `ind := a*b`, `a == 2*b`. Parsed, never evaluated as code.

Derivatives are exact: forward differentiation along the parsed expression (Griewank & Walther,
2008, chapter 3, doi:10.1137/1.9780898717761).
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from collabsurvey.dimensionality.sem.tokens import StatementError, Token, tokens, written
from collabsurvey.errors import DataError, FaultsError

Number = float | complex
Operation = Literal["number", "name", "+", "-", "*", "/", "^", "exp", "log", "sqrt", "abs"]
FUNCTIONS: dict[str, Operation] = {"exp": "exp", "log": "log", "sqrt": "sqrt", "abs": "abs"}


@dataclass(frozen=True, slots=True)
class Node:
    """A number, a name, or an operation on one or two nodes."""

    operation: Operation
    value: float = 0.0
    name: str = ""
    of: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Linear:
    """constant + sum of coefficient times name."""

    constant: float
    coefficients: dict[str, float]


@lru_cache(maxsize=256)
def parse_expression(text: str) -> Node:
    """Parse `text`; raise `FaultsError` with what is not understood."""
    found, faults = tokens(text)
    if not faults:
        try:
            return parse_tokens([token for token in found if token.text != "\n"])
        except StatementError as fault:
            faults = [str(fault)]
    raise FaultsError(f"The expression {text!r}", faults)


def parse_tokens(found: Sequence[Token]) -> Node:
    """Parse the words of an expression; raise `StatementError`."""
    node, after = _sum(found, 0)
    if after < len(found):
        raise StatementError(f"{found[after].text!r} is not expected in {written(found)!r}")
    return node


def _sum(found: Sequence[Token], at: int) -> tuple[Node, int]:
    node, at = _product(found, at)
    while at < len(found) and found[at].text in ("+", "-"):
        sign: Operation = "+" if found[at].text == "+" else "-"
        right, at = _product(found, at + 1)
        node = Node(sign, of=(node, right))
    return node, at


def _product(found: Sequence[Token], at: int) -> tuple[Node, int]:
    node, at = _signed(found, at)
    while at < len(found) and found[at].text in ("*", "/"):
        sign: Operation = "*" if found[at].text == "*" else "/"
        right, at = _signed(found, at + 1)
        node = Node(sign, of=(node, right))
    return node, at


def _signed(found: Sequence[Token], at: int) -> tuple[Node, int]:
    if at < len(found) and found[at].text in ("+", "-"):
        node, after = _signed(found, at + 1)
        if found[at].text == "-":
            node = Node("*", of=(Node("number", -1.0), node))
        return node, after
    return _power(found, at)


def _power(found: Sequence[Token], at: int) -> tuple[Node, int]:
    node, at = _atom(found, at)
    if at < len(found) and found[at].text in ("^", "**"):
        exponent, at = _signed(found, at + 1)  # right to left, as in arithmetic: 2^3^2 is 2^9
        node = Node("^", of=(node, exponent))
    return node, at


def _atom(found: Sequence[Token], at: int) -> tuple[Node, int]:
    if at >= len(found):
        raise StatementError(f"{written(found)!r} breaks off: a number or a label is missing")
    token = found[at]
    if token.kind == "number":
        return Node("number", float(token.text)), at + 1
    if token.text == "(" and token.kind == "sign":
        node, at = _sum(found, at + 1)
        return node, _closed(found, at)
    if token.kind != "name":
        raise StatementError(f"{token.text!r} is not expected in {written(found)!r}")
    if at + 1 < len(found) and found[at + 1].text == "(":
        if token.text not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            raise StatementError(
                f"{token.text}() is not among the functions of expressions: {known}"
            )
        node, after = _sum(found, at + 2)
        return Node(FUNCTIONS[token.text], of=(node,)), _closed(found, after)
    return Node("name", name=token.text), at + 1


def _closed(found: Sequence[Token], at: int) -> int:
    if at < len(found) and found[at].text == ")":
        return at + 1
    raise StatementError(f"a bracket is not closed in {written(found)!r}")


def names_of(node: Node) -> tuple[str, ...]:
    """Names in the expression, each once, from left to right."""
    if node.operation == "name":
        return (node.name,)
    return tuple(dict.fromkeys(name for part in node.of for name in names_of(part)))


def evaluate(expression: str | Node, values: Mapping[str, Number]) -> Number:
    """Value at `values`; complex values are allowed (a complex step gives the derivative)."""
    node = parse_expression(expression) if isinstance(expression, str) else expression
    return _value(node, values)


def _value(node: Node, values: Mapping[str, Number]) -> Number:
    if node.operation == "number":
        return node.value
    if node.operation == "name":
        return values[node.name]
    return _computed(node.operation, [_value(part, values) for part in node.of])


def _computed(operation: Operation, parts: Sequence[Number]) -> Number:
    """Apply the operation, or say why it cannot be."""
    try:
        return _apply(operation, parts)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        shown = ", ".join(f"{part:.6g}" for part in parts)
        raise DataError(
            f"An expression of the model cannot be computed: {operation} of {shown}. "
            "Check the definition, or the estimates of the parameters in it."
        ) from error


def _apply(operation: Operation, parts: Sequence[Number]) -> Number:
    if operation in _TWO:
        return _TWO[operation](parts[0], parts[1])
    (x,) = parts
    if operation == "abs":
        return -x if x.real < 0 else x
    if operation == "exp":
        return cmath.exp(x) if isinstance(x, complex) else math.exp(x)
    if operation == "log":
        return cmath.log(x) if isinstance(x, complex) else math.log(x)
    return cmath.sqrt(x) if isinstance(x, complex) else math.sqrt(x)


def _power_of(x: Number, y: Number) -> Number:
    if isinstance(x, complex) or isinstance(y, complex):
        return complex(x**y)
    return math.pow(x, y)


_TWO: dict[Operation, Callable[[Number, Number], Number]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "^": _power_of,
}


def differentiate(
    expression: str | Node, values: Mapping[str, float]
) -> tuple[float, dict[str, float]]:
    """Value, and derivative with respect to every name in the expression."""
    node = parse_expression(expression) if isinstance(expression, str) else expression
    if node.operation == "number":
        return node.value, {}
    if node.operation == "name":
        return values[node.name], {node.name: 1.0}
    parts = [differentiate(part, values) for part in node.of]
    value = _computed(node.operation, [value for value, _ in parts])
    total: dict[str, float] = {}
    slopes = _SLOPES[node.operation](parts[0][0], parts[-1][0])
    for slope, (_, changes) in zip(slopes, parts, strict=True):
        for name, change in changes.items():
            total[name] = total.get(name, 0.0) + slope * change
    return float(value.real), total


def _power_slopes(x: float, y: float) -> tuple[float, float]:
    """Of x^y; with respect to y only defined for positive x."""
    along_x = 0.0 if y == 0 else math.inf if x == 0 and y < 1 else y * math.pow(x, y - 1)
    return along_x, math.pow(x, y) * math.log(x) if x > 0 else math.nan if x < 0 else 0.0


_SLOPES: dict[Operation, Callable[[float, float], tuple[float, ...]]] = {
    "+": lambda _x, _y: (1.0, 1.0),
    "-": lambda _x, _y: (1.0, -1.0),
    "*": lambda x, y: (y, x),
    "/": lambda x, y: (1 / y, -x / y**2),
    "^": _power_slopes,
    "exp": lambda x, _y: (math.exp(x),),
    "log": lambda x, _y: (1 / x,),
    "sqrt": lambda x, _y: (0.5 / math.sqrt(x) if x else math.inf,),
    "abs": lambda x, _y: (math.copysign(1.0, x),),
}


def linear(node: Node, known: Mapping[str, Linear]) -> Linear:
    """The expression as constant plus coefficients; raise `StatementError` if it is not linear.

    `known` holds names that stand for linear expressions themselves.
    """
    if node.operation == "number":
        return Linear(node.value, {})
    if node.operation == "name":
        return known.get(node.name, Linear(0.0, {node.name: 1.0}))
    parts = [linear(part, known) for part in node.of]
    left, right = parts[0], parts[-1]
    if not left.coefficients and not right.coefficients:
        value = _computed(node.operation, [part.constant for part in parts])
        return Linear(float(value.real), {})
    if node.operation in ("+", "-"):
        return _plus(left, right, 1.0 if node.operation == "+" else -1.0)
    if node.operation == "*" and not left.coefficients:
        return _times(right, left.constant)
    if node.operation in ("*", "/") and not right.coefficients and right.constant != 0:
        return _times(left, right.constant if node.operation == "*" else 1 / right.constant)
    raise StatementError("is not linear in the labels")


def _plus(left: Linear, right: Linear, sign: float) -> Linear:
    total = dict(left.coefficients)
    for name, value in right.coefficients.items():
        total[name] = total.get(name, 0.0) + sign * value
    kept = {name: value for name, value in total.items() if value != 0}
    return Linear(left.constant + sign * right.constant, kept)


def _times(one: Linear, factor: float) -> Linear:
    return Linear(one.constant * factor, {k: v * factor for k, v in one.coefficients.items()})
