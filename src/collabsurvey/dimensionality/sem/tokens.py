"""The words of lavaan's model language, with the line each stands on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["name", "number", "text", "sign"]

_WORD = re.compile(
    r"""
      (?P<space>[ \t\r\f\v\u00a0]+)
    | (?P<comment>[\#!][^\n]*)
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<name>(?:[^\W\d]|\.(?!\d))[\w.]*)
    | (?P<text>"[^"\n]*"|'[^'\n]*')
    | (?P<sign>~\*~|=~|<~|~~|:=|==|\*\*|[-+*/^~|:<>(),;\n])
    """,
    re.VERBOSE,
)
_KINDS: dict[str | None, Kind] = {
    "name": "name", "number": "number", "text": "text", "sign": "sign",
}  # fmt: skip
_OPEN_END = frozenset(
    {"=~", "<~", "~*~", "~~", "~", "|", ":=", "==", "<", ">", "+", "-", "*", "**", "/", "^", ","}
)
_OPEN_START = _OPEN_END - {"-"}


class StatementError(Exception):
    """A mistake in one statement; collected, so that all are reported at once."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word: a name, a number, quoted text, or an operator or bracket."""

    kind: Kind
    text: str  # without quotes
    line: int  # from 1


def tokens(source: str) -> tuple[list[Token], list[str]]:
    """Split `source` into words, line ends and semicolons among them; and what is no word."""
    found: list[Token] = []
    faults: list[str] = []
    line, at = 1, 0
    while at < len(source):
        match = _WORD.match(source, at)
        if match is None:
            faults.append(f"line {line}: {source[at]!r} is not part of the model language")
            at += 1
            continue
        kind, text, at = match.lastgroup, match.group(), match.end()
        if kind in _KINDS:
            found.append(Token(_KINDS[kind], text.strip("\"'"), line))
        if text == "\n":
            line += 1
    return found, faults


def statements(found: Sequence[Token]) -> list[list[Token]]:
    """Cut at semicolons and line ends, except where a line plainly goes on.

    A line goes on when it ends, or the next begins, with an operator, and inside brackets.
    """
    out: list[list[Token]] = []
    current: list[Token] = []
    depth = 0
    for i, token in enumerate(found):
        if token.kind == "sign":
            if token.text == "\n":
                if depth == 0 and current and not _goes_on(current[-1], found, i + 1):
                    out.append(current)
                    current = []
                continue
            if token.text == ";":
                if current:
                    out.append(current)
                current, depth = [], 0
                continue
            depth += (token.text == "(") - (token.text == ")")
        current.append(token)
    if current:
        out.append(current)
    return out


def _goes_on(last: Token, found: Sequence[Token], after: int) -> bool:
    if last.kind == "sign" and last.text in _OPEN_END:
        return True
    for token in found[after:]:
        if token.text != "\n":
            return token.kind == "sign" and token.text in _OPEN_START
    return False


def written(found: Sequence[Token]) -> str:
    """The words as one text without spaces, as lavaan prints an expression."""
    return "".join(token.text for token in found)
