"""The right side of a statement: variables joined by +, each with its modifiers before a *."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from collabsurvey.dimensionality.sem.expression import evaluate, names_of, parse_tokens
from collabsurvey.dimensionality.sem.tokens import StatementError, Token, written

_THRESHOLD = re.compile(r"t[1-9]\d*")
_REFUSED = {
    "efa": "'efa()' (exploratory blocks) is not supported",
    "prior": "'prior()' (Bayesian models) is not supported",
    "rv": "'rv()' (random slopes) is not supported; see mixed models",
    "lower": "'lower()' (bounds) is not supported",
    "upper": "'upper()' (bounds) is not supported",
}


@dataclass(frozen=True, slots=True)
class Modifiers:
    """What stands before a variable. Each holds one value, one for each group, or nothing."""

    fixed: tuple[float, ...] = ()  # NaN: free
    start: tuple[float, ...] = ()
    label: tuple[str, ...] = ()  # "" for a group without
    equal: tuple[str, ...] = ()  # parameters it equals, such as "f=~x1"


NONE = Modifiers()


def merged(first: Modifiers, second: Modifiers) -> Modifiers | None:
    """Both together; None where they say nothing new or contradict each other."""
    if second == NONE:
        return None
    values: dict[str, tuple[float, ...] | tuple[str, ...]] = {}
    for field in fields(Modifiers):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if one and other:
            return None
        values[field.name] = one or other
    return Modifiers(**values)  # type: ignore[arg-type]


def terms(op: str, words: Sequence[Token]) -> Iterator[tuple[str, Modifiers, int]]:
    """Variable ("" for an intercept), modifiers and line of each term; repeated ones merged."""
    found: dict[str, tuple[Modifiers, int]] = {}
    for piece in _split(words, "+"):
        name, modifiers = _term(op, piece)
        if name not in found:
            found[name] = modifiers, piece[0].line
            continue
        both = merged(found[name][0], modifiers)
        if both is None:
            raise StatementError(f"{name or '1'!r} stands twice behind {op}")
        found[name] = both, found[name][1]
    return ((name, modifiers, line) for name, (modifiers, line) in found.items())


def _split(words: Sequence[Token], sign: str) -> list[Sequence[Token]]:
    """Cut at a sign, outside of brackets."""
    out: list[Sequence[Token]] = []
    depth = begin = 0
    for i, word in enumerate(words):
        if word.kind != "sign":
            continue
        depth += (word.text == "(") - (word.text == ")")
        if depth == 0 and word.text == sign:
            out.append(words[begin:i])
            begin = i + 1
    out.append(words[begin:])
    if any(not piece for piece in out):
        raise StatementError(f"a term is missing beside {sign!r} in {written(words)!r}")
    return out


def _term(op: str, words: Sequence[Token]) -> tuple[str, Modifiers]:
    *before, last = _split(words, "*")
    modifiers = NONE
    for piece in before:
        one = _modifier(piece)
        both = merged(modifiers, one)
        if both is None:
            raise StatementError(f"two modifiers of the same kind in {written(words)!r}")
        modifiers = both
    name, zero = _variable(op, last, words)
    if zero:
        modifiers = Modifiers(fixed=(0.0,)) if modifiers == NONE else modifiers
    return name, modifiers


def _variable(op: str, last: Sequence[Token], words: Sequence[Token]) -> tuple[str, bool]:
    """Name of the variable, and whether it is the constant 0 (`x ~ 0`)."""
    word = last[0]
    if any(one.text == ":" for one in last):
        raise StatementError(
            f"the interaction {written(last)!r} is not supported; make a product column"
        )
    for one in last[1:]:
        if one.text in ("=~", "~", "~~", "|", "~*~", ":=", "=="):
            raise StatementError(f"a second operator {one.text!r}: is a line end or a ';' missing?")
    if len(last) > 1 and last[1].text == "(":
        raise StatementError(f"{written(last)!r} is not followed by * and a variable")
    if word.text == "-":
        raise StatementError(f"terms are joined by +; '-' is not expected in {written(words)!r}")
    if len(last) > 1:
        raise StatementError(
            f"{' '.join(one.text for one in last)!r} is not a variable: is a + missing?"
        )
    if word.kind == "number" and op == "~" and word.text in ("0", "1"):
        return "", word.text == "0"
    if word.kind == "number" and len(words) == 1:
        raise StatementError(f"the number {word.text} stands where a variable is expected")
    if word.kind == "number":
        raise StatementError(
            f"numbers stand before the variable: write {word.text}*x, not x*{word.text}"
        )
    if word.kind != "name":
        raise StatementError(f"{written(last)!r} is not a variable")
    if op == "|" and not _THRESHOLD.fullmatch(word.text):
        raise StatementError(f"thresholds are named t1, t2, and so on, not {word.text!r}")
    return word.text, False


def _modifier(words: Sequence[Token]) -> Modifiers:
    first = words[0]
    if first.kind == "name" and len(words) > 1 and words[1].text == "(":
        return _call(first.text, words)
    if len(words) == 1 and first.text == "NA":
        return Modifiers(fixed=(math.nan,))
    if len(words) == 1 and first.kind in ("name", "text"):
        return Modifiers(label=(first.text,))
    return Modifiers(fixed=(_constant(words),))


def _call(name: str, words: Sequence[Token]) -> Modifiers:
    if name in _REFUSED:
        raise StatementError(_REFUSED[name])
    if name not in ("c", "start", "equal", "label"):
        raise StatementError(
            f"'{name}()' is not a modifier; there are start(), equal(), label() and c()"
        )
    if words[-1].text != ")":
        raise StatementError(f"a bracket is not closed in {written(words)!r}")
    inside = words[2:-1]
    if not inside:
        raise StatementError(f"nothing stands between the brackets of '{name}()'")
    values = _values(inside)
    if name in ("equal", "label"):
        if any(isinstance(value, float) and not math.isnan(value) for value in values):
            raise StatementError(f"'{name}()' takes names, not numbers")
        texts = tuple(value if isinstance(value, str) else "" for value in values)
        return Modifiers(equal=texts) if name == "equal" else Modifiers(label=texts)
    named = [isinstance(value, str) for value in values]
    if not any(named):
        numbers = tuple(value for value in values if isinstance(value, float))
        return Modifiers(start=numbers) if name == "start" else Modifiers(fixed=numbers)
    if name == "start":
        raise StatementError("'start()' takes numbers")
    if any(isinstance(value, float) and not math.isnan(value) for value in values):
        raise StatementError(
            f"{written(words)!r} mixes numbers and labels; write them as two terms"
        )
    return Modifiers(label=tuple(value if isinstance(value, str) else "" for value in values))


def _values(words: Sequence[Token]) -> list[float | str]:
    """Numbers (NA is NaN) and names between commas."""
    out: list[float | str] = []
    for piece in _split(words, ","):
        first = piece[0]
        if first.text == "c" and len(piece) > 2 and piece[1].text == "(" and piece[-1].text == ")":
            out += _values(piece[2:-1])
        elif len(piece) == 1 and first.kind == "name":
            out.append(math.nan if first.text == "NA" else first.text)
        elif len(piece) == 1 and first.kind == "text":
            out.append(first.text)
        else:
            out.append(_constant(piece))
    return out


def _constant(words: Sequence[Token]) -> float:
    node = parse_tokens(words)
    if names_of(node):
        raise StatementError(f"{written(words)!r} is not a number, a label or a modifier")
    return float(evaluate(node, {}).real)
