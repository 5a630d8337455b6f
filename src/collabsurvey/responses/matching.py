"""Which column holds which question, where the header of an export is the wording itself.

Survey forms write the question above the answers. Exact wording (blanks, quotation marks and
case aside, any words in the slots) is a match; near wording is offered for a person to check.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from collabsurvey.instruments.model import Instrument

NEAR = 0.85  # of difflib's ratio: one word changed in a question of ten
SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class ColumnMatches:
    """What was found: columns of items, words of slots, and what a person must look at."""

    columns: Mapping[str, str]  # item id → column, in questionnaire order
    slots: Mapping[str, str]  # slot → the words that stood in the questions, where they agree
    near: Mapping[str, tuple[str, float]]  # item id → (column, likeness 0 to 1): check by eye
    missing: tuple[str, ...]  # items without a column


def match_columns(headers: Iterable[str], instrument: Instrument) -> ColumnMatches:
    """Match the wording of items with the headers of a table.

    Parameters
    ----------
    headers : column names
        As the export has them.
    instrument : Instrument
        With its texts; every language is tried.
    """
    free = {header: plain_wording(header) for header in headers}
    columns: dict[str, str] = {}
    words: dict[str, set[str]] = {}
    for item in instrument.items:
        for text in (item.text or {}).values():
            pattern = wording_pattern(text)
            found = [h for h, plain in free.items() if pattern.fullmatch(plain)]
            if len(found) == 1:
                columns[item.id] = found[0]
                match = pattern.fullmatch(free.pop(found[0]))
                for slot, word in (match.groupdict() if match else {}).items():
                    words.setdefault(slot, set()).add(_as_written(word, found[0]))
                break
    slots = {slot: next(iter(said)) for slot, said in words.items() if len(said) == 1}
    near = _near(instrument, free, set(columns), slots)
    return ColumnMatches(
        columns=columns,
        slots=slots,
        near=near,
        missing=tuple(i for i in instrument.item_ids if i not in columns and i not in near),
    )


def plain_wording(text: str) -> str:
    """Wording as it is compared: small letters, plain blanks and quotation marks, no number."""
    plain = re.sub(r"[\s\u00a0\u200b]+", " ", text).strip().casefold()
    plain = re.sub("[\u2018\u2019\u00b4`]", "'", plain)
    return re.sub(r"^(?:q?\d+[.):]\s*)", "", plain).rstrip(" .?:")


def wording_pattern(text: str) -> re.Pattern[str]:
    """The wording, with any words where the slots are; a slot used twice has the same words."""
    plain = plain_wording(text)
    parts: list[str] = []
    seen: set[str] = set()
    end = 0
    for slot in SLOT.finditer(plain):
        parts.append(re.escape(plain[end : slot.start()]))
        name = slot.group(1)
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>.+?)")
        seen.add(name)
        end = slot.end()
    parts.append(re.escape(plain[end:]))
    return re.compile("".join(parts))


def _as_written(word: str, header: str) -> str:
    """The words of a slot with the capitals they have in the header."""
    blanks = r"[\s\u00a0]+".join(map(re.escape, word.split()))
    match = re.search(blanks, header, re.IGNORECASE)
    return match.group(0) if match else word


def _near(
    instrument: Instrument, free: Mapping[str, str], taken: set[str], slots: Mapping[str, str]
) -> dict[str, tuple[str, float]]:
    """The likest free column of each item without one, if it is like enough and likest there."""
    likeness: list[tuple[float, str, str]] = []
    for item in instrument.items:
        if item.id in taken:
            continue
        for text in (item.text or {}).values():
            wording = plain_wording(SLOT.sub(lambda slot: slots.get(slot.group(1), ""), text))
            for header, plain in free.items():
                ratio = SequenceMatcher(None, wording, plain).ratio()
                if ratio >= NEAR:
                    likeness.append((ratio, item.id, header))
    found: dict[str, tuple[str, float]] = {}
    used: set[str] = set()
    for ratio, item_id, header in sorted(likeness, reverse=True):
        if item_id not in found and header not in used:
            found[item_id] = (header, ratio)
            used.add(header)
    return {item: found[item] for item in instrument.item_ids if item in found}
