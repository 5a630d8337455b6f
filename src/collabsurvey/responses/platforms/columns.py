"""Which column holds which item: by its id or export name, by its number of partner, by wording.

`tru.expect.01` is `tru_expect_01` in every export, and `tru_expect_01__2` about the second
partner; `instruments.exchange.names` knows how platforms write it that take no such name, and a
loop of Qualtrics writes `2_tru_expect_01`. A column found by name counts before one found by
wording; two columns for one item are a fault, unless their wording names different partners.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from collabsurvey.errors import OptionError, UnknownNameError, listed
from collabsurvey.instruments.model import Instrument, Item
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.matching import plain_wording, wording_pattern
from collabsurvey.responses.platforms.export import LONGEST_HEADER, Export, plain_name

Place = str | Mapping[str, str]
PARTNER_SLOT = "partner"
IN_FRONT = re.compile(r"(?P<number>\d+)_(?P<name>.+)")  # of a column in a loop of Qualtrics
BRACKETED = re.compile(r"[^\[\]]+\[(?P<part>[^\[\]]+)\]")
FIRST = "1"


@dataclass(frozen=True)
class Placed:
    """Where the items stand, how that was found, and what stands in the way."""

    columns: Mapping[str, Place]  # item id → column, or {partner: column}
    lines: tuple[LedgerLine, ...]
    faults: tuple[str, ...]


def place_items(
    export: Export,
    instrument: Instrument,
    columns: Mapping[str, Place],
    partners: Mapping[str, str] | Sequence[str] | None,
    *,
    taken: Iterable[str] = (),
) -> Placed:
    """Find the column of every item that `columns` does not name; `taken` have a role already."""
    open_items = [item for item in instrument.items if item.id not in columns]
    used = {*taken, *(c for place in columns.values() for c in columns_of(place))}
    by_name, faults = _by_name(export, open_items, used)
    used |= {c for place in by_name.values() for c in columns_of(place)}
    rest = [item for item in open_items if item.id not in by_name and not faults.get(item.id)]
    by_wording, words, more = _by_wording(export, rest, used)
    faults |= more
    numbered = _with_partners(by_name, partners)
    renamed = [
        item for item, place in numbered.items() if not isinstance(place, str) or place != item
    ]
    lines: list[LedgerLine] = []
    if renamed:
        what = "columns taken for items by their name (tru_expect_01 is tru.expect.01)"
        n = sum(len(columns_of(numbered[item])) for item in renamed)
        lines.append(LedgerLine("rename", what, n, "columns"))
    if by_wording:
        n = sum(len(columns_of(place)) for place in by_wording.values())
        slots = "".join(f"; {{{slot}}} is {word!r}" for slot, word in words.items())
        what = f"columns taken for items by the wording of the question{slots}"
        lines.append(LedgerLine("rename", what, n, "columns"))
    found = {**columns, **numbered, **by_wording}
    placed = {item: found[item] for item in instrument.item_ids if item in found}
    extra = {item: place for item, place in columns.items() if item not in placed}
    return Placed({**placed, **extra}, tuple(lines), tuple(faults.values()))


def columns_of(place: Place) -> list[str]:
    """Every column in which an item stands."""
    return [place] if isinstance(place, str) else list(place.values())


def _by_name(
    export: Export, items: Sequence[Item], used: set[str]
) -> tuple[dict[str, Place], dict[str, str]]:
    """Items whose id or export name is the name of a column, or of one for each partner."""
    whole, numbered = _named_columns(export, [item.id for item in items], used)
    found: dict[str, Place] = {}
    faults: dict[str, str] = {}
    for item in (item.id for item in items):
        alone = whole.get(item, [])
        own = [column for column in alone if export.names.get(column, column) == item]
        alone = own or alone  # the item's own id counts before its export name
        several = dict(numbered.get(item, {}))
        if alone and several and FIRST not in several:  # only later partners have a number
            several[FIRST], alone = alone, []
        places = [alone] if not several else list(several.values())
        if len(alone) > 1 or (alone and several) or any(len(place) > 1 for place in places):
            every = [*alone, *(column for place in several.values() for column in place)]
            faults[item] = _several(item, every)
        elif several:
            found[item] = {number: several[number][0] for number in sorted(several, key=int)}
        elif alone:
            found[item] = alone[0]
    return found, faults


def _named_columns(
    export: Export, items: Sequence[str], used: set[str]
) -> tuple[dict[str, list[str]], dict[str, dict[str, list[str]]]]:
    """Columns called like each item; and those with a partner's number behind the name."""
    by_plain: dict[str, list[str]] = {}
    for item in items:
        by_plain.setdefault(plain_name(item), []).append(item)
    wanted = {plain: ids[0] for plain, ids in by_plain.items() if len(ids) == 1 and plain}
    exact = set(items)
    whole: dict[str, list[str]] = {}
    numbered: dict[str, dict[str, list[str]]] = {}
    for column in export.frame.columns:
        if column in used:
            continue
        name = export.names.get(column, column)
        found = name if name in exact else wanted.get(plain_name(name))
        if found is None and (part := BRACKETED.fullmatch(name)):
            found = wanted.get(plain_name(part["part"]))
        if found is not None:
            whole.setdefault(found, []).append(column)
            continue
        base, number = _base(name, export.platform)
        found = base if base in exact else wanted.get(plain_name(base))
        if found is not None and number:
            numbered.setdefault(found, {}).setdefault(str(number), []).append(column)
        elif found is not None:
            whole.setdefault(found, []).append(column)
    return whole, numbered


def _base(name: str, platform: str) -> tuple[str, int]:
    """The name of an item in a column name, and the number of its partner or 0."""
    from collabsurvey.instruments.exchange.names import item_name

    if platform == "qualtrics" and (match := IN_FRONT.fullmatch(name)):
        return match["name"], int(match["number"])
    return item_name(name, platform)


def _several(item: str, columns: Sequence[str]) -> str:
    shown = listed([repr(column) for column in columns], most=6)
    return (
        f"Item {item!r} stands in {len(columns)} columns: {shown}. Say which holds it with "
        f"columns={{{item!r}: column}}, or which partner each is about with "
        f"columns={{{item!r}: {{partner: column}}}}."
    )


def _with_partners(
    found: Mapping[str, Place], partners: Mapping[str, str] | Sequence[str] | None
) -> dict[str, Place]:
    """Names of partners for the numbers at the end of column names."""
    numbers = {n for place in found.values() if not isinstance(place, str) for n in place}
    if partners is None or isinstance(partners, str):
        if isinstance(partners, str):
            raise OptionError("partners", partners, allowed=(["Hill School"], {"1": "Hill School"}))
        return dict(found)
    named = (
        {str(n): str(name) for n, name in partners.items()}
        if isinstance(partners, Mapping)
        else {str(n): str(name) for n, name in enumerate(partners, start=1)}
    )
    if unknown := sorted(numbers - named.keys(), key=int):
        raise UnknownNameError("partner", unknown[0], available=named, where="partners")
    if len(set(named.values())) < len(named):
        raise OptionError("partners", partners, allowed=("a different name for each number",))
    return {
        item: place
        if isinstance(place, str)
        else {named[number]: column for number, column in place.items()}
        for item, place in found.items()
    }


def _by_wording(
    export: Export, items: Sequence[Item], used: set[str]
) -> tuple[dict[str, Place], dict[str, str], dict[str, str]]:
    """Items whose question is the wording of a column; the words in the slots; faults."""
    free = {
        column: [plain_wording(text) for text in texts if len(text) <= LONGEST_HEADER]
        for column in export.frame.columns
        if column not in used and (texts := _texts(export, column))
    }
    found: dict[str, Place] = {}
    words: dict[str, dict[str, None]] = {}
    faults: dict[str, str] = {}
    for item in items:
        matches = _matches(item, free)
        partners = [said.get(PARTNER_SLOT, "") for said in matches.values()]
        if len(matches) == 1:
            found[item.id] = next(iter(matches))
        elif matches and all(partners) and len(set(partners)) == len(partners):
            found[item.id] = {
                _as_written(word, _texts(export, column)): column
                for word, column in zip(partners, matches, strict=True)
            }
        elif matches:
            faults[item.id] = _several(item.id, list(matches))
            continue
        for column, said in matches.items():
            for slot, word in said.items():
                if slot != PARTNER_SLOT or len(matches) == 1:
                    written = _as_written(word, _texts(export, column))
                    words.setdefault(slot, {})[written] = None
    faults |= _shared(found)
    agreed = {slot: next(iter(said)) for slot, said in words.items() if len(said) == 1}
    kept = {item: place for item, place in found.items() if item not in faults}
    return kept, agreed, faults


def _shared(found: Mapping[str, Place]) -> dict[str, str]:
    """Faults of items of the same wording, which cannot be told apart by it."""
    taken: dict[str, list[str]] = {}
    for item, place in found.items():
        for column in columns_of(place):
            taken.setdefault(column, []).append(item)
    return {
        item: f"The column {column!r} has the wording of {listed(map(repr, items))}. Say which it "
        "is with columns={item: column}."
        for column, items in taken.items()
        if len(items) > 1
        for item in items
    }


def _texts(export: Export, column: str) -> tuple[str, ...]:
    said = export.wording.get(column)
    return (export.names.get(column, column),) if said is None else said


def _matches(item: Item, free: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Columns that ask this item, and the words in their slots."""
    found: dict[str, dict[str, str]] = {}
    for text in (item.text or {}).values():
        pattern = wording_pattern(text)
        for column, plains in free.items():
            if column in found:
                continue
            match = next((m for plain in plains if (m := pattern.fullmatch(plain))), None)
            if match:
                found[column] = {slot: word for slot, word in match.groupdict().items() if word}
    return found


def _as_written(word: str, texts: Sequence[str]) -> str:
    """Words of a slot with the capitals they have in the header."""
    blanks = r"\s+".join(map(re.escape, word.split()))
    for text in texts:
        if match := re.search(blanks, text, re.IGNORECASE):
            return match.group(0)
    return word
