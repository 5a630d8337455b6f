"""lavaan's model language, read into statements: one left side, operator and right side each.

Rosseel (2012, doi:10.18637/jss.v048.i02) describes the language. All faults of a text are
reported together, each with its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from collabsurvey.dimensionality.sem.expression import parse_tokens
from collabsurvey.dimensionality.sem.model import Op
from collabsurvey.dimensionality.sem.terms import Modifiers, merged, terms
from collabsurvey.dimensionality.sem.tokens import (
    StatementError,
    Token,
    statements,
    tokens,
    written,
)
from collabsurvey.errors import FaultsError

SOURCE = "The model"  # what error messages call the text
_OPERATORS = ("=~", "<~", "~*~", "~~", "~", "|", ":=", "==", "<", ">", ":")
_LEVELS = {"1": 1, "within": 1, "2": 2, "between": 2}
_REFUSED = {
    "<~": "'<~' (formative factors) is not supported; use '=~', or a composite score as a column",
    "<": "'<' (inequality constraints) is not supported; leave it out and check the estimate",
    ">": "'>' (inequality constraints) is not supported; leave it out and check the estimate",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One relation between two variables: what becomes a row of the parameter table."""

    lhs: str
    op: Op
    rhs: str  # "" for an intercept
    line: int
    level: int  # 0 outside of level blocks
    modifiers: Modifiers


@dataclass(frozen=True, slots=True)
class Equation:
    """A definition `lhs := rhs`, or a constraint `lhs == rhs`."""

    lhs: str
    rhs: str
    line: int


@dataclass(frozen=True, slots=True)
class Syntax:
    """A model text, read."""

    statements: tuple[Statement, ...]
    definitions: tuple[Equation, ...]
    constraints: tuple[Equation, ...]
    levels: int  # 1, or 2 with level blocks


def parse(text: str) -> Syntax:
    """Read a model text; raise `FaultsError` with everything that is wrong in it."""
    found, faults = tokens(text)
    reader = _Reader()
    for words in statements(found):
        try:
            reader.read(words)
        except StatementError as fault:
            faults.append(f"line {words[0].line}: {fault}")
    faults += reader.problems()
    if not reader.rows and not faults:
        faults.append("it is empty: write for instance 'climate =~ item1 + item2 + item3'")
    if faults:
        raise FaultsError(SOURCE, sorted(faults, key=_line_of))
    return Syntax(
        tuple(reader.rows.values()),
        tuple(reader.definitions),
        tuple(reader.constraints),
        2 if reader.level else 1,
    )


class _Reader:
    """Collects rows, definitions and constraints, statement after statement."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, str, str, str], Statement] = {}
        self.definitions: list[Equation] = []
        self.constraints: list[Equation] = []
        self.level = 0

    def read(self, words: Sequence[Token]) -> None:
        """Add one statement."""
        at = next(
            (i for i, w in enumerate(words) if w.kind == "sign" and w.text in _OPERATORS), None
        )
        if at is None:
            raise StatementError(f"{_shown(words)} has no operator such as =~, ~~ or ~")
        op, left, right = words[at].text, words[:at], words[at + 1 :]
        signs = [word.text for word in words if word.kind == "sign"]
        if signs.count("(") != signs.count(")"):
            raise StatementError(f"brackets do not match in {_shown(words)}")
        if op == ":":
            self._block(words)
        elif op in _REFUSED:
            raise StatementError(_REFUSED[op])
        elif not left or not right:
            side = "before" if not left else "after"
            raise StatementError(f"nothing stands {side} {op} in {_shown(words)}")
        elif op in (":=", "=="):
            self._equation(op, left, right)
        else:
            self._relation(left, op, right)

    def problems(self) -> list[str]:
        """What is only known at the end."""
        levels = {row.level for row in self.rows.values()}
        if self.level and 0 in levels:
            line = next(row.line for row in self.rows.values() if row.level == 0)
            return [f"line {line}: a statement stands before the first 'level:' block"]
        if self.level and levels != {1, 2}:
            missing = 2 if 2 not in levels else 1
            return [f"'level: {missing}' is missing: a two-level model describes both levels"]
        return []

    def _block(self, words: Sequence[Token]) -> None:
        kind = words[0].text.lower()
        if kind == "group" and len(words) == 3:
            raise StatementError(
                "'group:' blocks are not supported; write one model and, where groups differ, "
                "one value or label for each: c(a1, a2)*x"
            )
        if kind != "level" or len(words) < 3 or words[1].text != ":":
            raise StatementError(f"{_shown(words)} is not understood")
        if len(words) > 3:
            raise StatementError(f"put a line end or ';' after '{written(words[:3])}'")
        if (name := words[2].text.lower()) not in _LEVELS:
            raise StatementError(
                f"level {words[2].text!r} is not supported: 1 (within) or 2 (between)"
            )
        self.level = _LEVELS[name]

    def _equation(self, op: str, left: Sequence[Token], right: Sequence[Token]) -> None:
        for word in right:
            if word.kind == "sign" and word.text in _OPERATORS:
                raise StatementError(f"{word.text!r} is not part of an expression")
        parse_tokens(right)
        one = Equation(written(left), written(right), left[0].line)
        if op == "==":
            parse_tokens(left)
            self.constraints.append(one)
            return
        if len(left) != 1 or left[0].kind != "name":
            raise StatementError(f"a single name must stand before ':=', not {one.lhs!r}")
        if any(one.lhs == other.lhs for other in self.definitions):
            raise StatementError(f"{one.lhs!r} is defined twice")
        self.definitions.append(one)

    def _relation(self, left: Sequence[Token], op: str, right: Sequence[Token]) -> None:
        names = _left_side(left, op)
        for rhs, modifiers, line in terms(op, right):
            for lhs in names:
                self._add(Statement(lhs, *_relation_of(lhs, op, rhs), line, self.level, modifiers))

    def _add(self, row: Statement) -> None:
        if row.op == "=~" and row.lhs == row.rhs:
            raise StatementError(f"{row.lhs!r} cannot be measured by itself")
        if row.op == "~" and row.lhs == row.rhs:
            raise StatementError(f"{row.lhs!r} cannot be predicted by itself")
        key = (row.level, row.lhs, row.op, row.rhs)
        if row.op == "~~" and key not in self.rows:
            turned = (row.level, row.rhs, row.op, row.lhs)
            key = turned if turned in self.rows else key
        if key not in self.rows:
            self.rows[key] = row
            return
        before = self.rows[key]
        both = merged(before.modifiers, row.modifiers)
        if both is None:
            shown = f"{row.lhs} {row.op.removesuffix('1')} {row.rhs or '1'}"
            raise StatementError(f"'{shown}' is written twice (first on line {before.line})")
        self.rows[key] = replace(before, modifiers=both)


def _relation_of(lhs: str, op: str, rhs: str) -> tuple[Op, str]:
    match op:
        case "=~" | "~~" | "|":
            return op, rhs
        case "~*~":
            if lhs != rhs:
                raise StatementError(f"'~*~' is the scale of one item: write '{lhs} ~*~ {lhs}'")
            return "~*~", rhs
        case _:
            return ("~", rhs) if rhs else ("~1", "")


def _left_side(words: Sequence[Token], op: str) -> list[str]:
    """Names before the operator, joined by +."""
    if any(word.text == "*" for word in words):
        if words[0].text == "efa":
            raise StatementError("'efa()' (exploratory blocks) is not supported")
        raise StatementError(f"modifiers belong behind {op}, not before it: {written(words)!r}")
    names = [word.text for word in words[::2]]
    fine = len(words) % 2 == 1 and all(word.kind == "name" for word in words[::2])
    if not fine or any(word.text != "+" for word in words[1::2]):
        raise StatementError(f"names joined by + must stand before {op}, not {_shown(words)}")
    return names


def _shown(words: Sequence[Token]) -> str:
    text = " ".join(word.text for word in words)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _line_of(fault: str) -> int:
    head = fault.removeprefix("line ").partition(":")[0]
    return int(head) if head.isdigit() else 10**9
