"""Small helpers for prose: counts, lists, and texts without anybody's id."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from math import isnan

LEAST_ID_DIGITS = 4  # a shorter number in a sentence is a count or a code, not an id
TOKEN = re.compile(r"[\w.@+-]*\w")


def without_ids(text: str, ids: Collection[str]) -> str:
    """Replace every word of a text that is a respondent's id."""

    def masked(match: re.Match[str]) -> str:
        word = match.group()
        short_number = word.isdigit() and len(word) < LEAST_ID_DIGITS
        return "[id]" if word in ids and not short_number else word

    return TOKEN.sub(masked, text) if ids else text


def names_any(text: str, names: Collection[str]) -> bool:
    """Whether one of these names stands in a text as a word."""
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None for name in names)


def counted(n: int, singular: str, plural: str | None = None) -> str:
    """1 school, 2 schools, 1,234 answers."""
    return f"{n:,} {singular if n == 1 else plural or plural_of(singular)}"


def plural_of(word: str) -> str:
    """Plural of a regular English noun."""
    if word.endswith(("s", "x", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"


def joined(parts: Sequence[str], *, last: str = "and") -> str:
    """a, b and c."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def sentence(text: str) -> str:
    """A text that begins with a capital and ends with a full stop."""
    stripped = text.strip()
    if not stripped:
        return ""
    ended = stripped if stripped[-1] in ".!?" else f"{stripped}."
    return ended[0].upper() + ended[1:]


def interval(low: float, high: float, digits: int = 2) -> str:
    """0.12 to 0.34, with true minus signs; on one line; a dash where it is missing."""
    if isnan(low) or isnan(high):
        return "–"
    ends = (f"{round(end, digits) + 0.0:.{digits}f}" for end in (low, high))  # + 0.0: never −0
    return "\u00a0to\u00a0".join(ends).replace("-", "−")


def percents(low: float, high: float) -> str:
    """12% to 34%, on one line; a dash where it is missing."""
    return "–" if isnan(low) or isnan(high) else f"{low:.0%}\u00a0to\u00a0{high:.0%}"


def sizes(low: float, high: float, digits: int = 2) -> str:
    """An interval on one side of 0 as sizes, the smaller first: −0.4 to −0.1 is 0.10 to 0.40."""
    smaller, larger = sorted((abs(low), abs(high)))
    return interval(smaller, larger, digits)


NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def number_word(n: int) -> str:
    """Numbers up to ten as words."""
    return NUMBERS[n] if n < len(NUMBERS) else f"{n:,}"


def signed(value: float, digits: int = 2) -> str:
    """A number with a true minus, never minus zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def quoted(names: Sequence[str], *, most: int) -> str:
    """“a”, “b” and 3 more."""
    shown = [f"“{name}”" for name in names[:most]]
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return joined([*shown, *more])
