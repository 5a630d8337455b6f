"""Evidence records written into the text of an instrument file, every other line as it was.

The parser's events say where the keys stand; only the lines of `evidence` and `status`
change. Whoever calls this reads the new text again before it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from collabsurvey.instruments.evidence_records import record_text
from collabsurvey.instruments.model import Evidence
from collabsurvey.instruments.yaml_tree import StrictLoader

LINE_END = re.compile(r"\r\n|\n|\r")
NOT_ANY_LONGER = re.compile(r"[;,]?[ \t]*there are none yet\.?")  # comment of the shipped drafts


class CannotPlaceError(Exception):
    """The text is written so that no record can be put into it line by line."""


@dataclass(frozen=True)
class Entry:
    """A key at the top of a file: where its value stands, as places in the text."""

    start: int
    end: int  # behind the last character of the value, comments left out
    column: int  # of the first dash of a list
    kind: str  # "scalar", "flow" or "block"
    empty: bool


@dataclass(frozen=True)
class Top:
    """The keys at the top of a file."""

    entries: dict[str, Entry]
    indent: int  # of the keys
    end: int  # behind the last value


def with_records(text: str, records: Sequence[Evidence], status: str | None) -> str:
    """Return the text with the records added, and the status set where one is given."""
    top = _top(text)
    edits = [_added(text, top, records), *_status(text, top, status)]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _added(text: str, top: Top, records: Sequence[Evidence]) -> tuple[int, int, str]:
    """Where the records go (from, to), and their text."""
    newline = _newline(text)
    entry = top.entries.get("evidence")
    dash = top.indent + 2
    if entry is not None and entry.kind == "block":
        dash = entry.column
    block = "".join(record_text(one, indent=dash, newline=newline) for one in records)
    if entry is None:
        place = _line_after(text, top.end, indent=max(top.indent, 1))
        return place, place, f"{_break(text, place)}{' ' * top.indent}evidence:{newline}{block}"
    if entry.kind == "block":
        place = _line_after(text, entry.end, indent=max(dash, 1))
        return place, place, _break(text, place) + block
    if not entry.empty:
        raise CannotPlaceError(
            "the records under 'evidence' are in square brackets. Write each on lines of its own, "
            "beginning with '- id:'."
        )
    if LINE_END.search(text[entry.start : entry.end]):
        raise CannotPlaceError("'evidence' is empty over several lines. Write 'evidence: []'.")
    return _in_place_of_nothing(text, entry, block)


def _in_place_of_nothing(text: str, entry: Entry, block: str) -> tuple[int, int, str]:
    """Records in the place of `[]` or of no value; a comment behind it stays."""
    place = _line_after(text, entry.end, indent=None)
    comment = text[entry.end : place].strip()
    start = len(text[: entry.start].rstrip(" \t"))
    return start, place, (f"  {comment}" if comment else "") + _newline(text) + block


def _status(text: str, top: Top, status: str | None) -> list[tuple[int, int, str]]:
    """Where the status is written (from, to), and what is written there; the comment stays."""
    entry = top.entries.get("status")
    if entry is None:
        if status is None:
            return []
        before = top.entries.get("kind") or top.entries["version"]
        place = _line_after(text, before.end, indent=None)
        line = f"{' ' * top.indent}status: {status}{_newline(text)}"
        return [(place, place, _break(text, place) + line)]
    end = _line_after(text, entry.end, indent=None)
    value = text[entry.start : entry.end] if status is None else status
    return [(entry.start, end, value + NOT_ANY_LONGER.sub("", text[entry.end : end]))]


def _top(text: str) -> Top:
    """Find the keys at the top of a file; the text is known to be sound."""
    loader = StrictLoader(text)
    try:
        return _read_top(loader)
    finally:
        loader.dispose()


def _read_top(loader: Any) -> Top:
    events = _events(loader)
    root: Any = next(event for event in events if isinstance(event, yaml.MappingStartEvent))
    if root.flow_style:
        raise CannotPlaceError("the whole file is in curly brackets. Write each key on a line.")
    entries: dict[str, Entry] = {}
    last = root.start_mark.index
    for key in events:
        if isinstance(key, yaml.MappingEndEvent):
            break
        entry = _entry(events)
        entries[str(getattr(key, "value", ""))] = entry
        last = max(last, entry.end)
    return Top(entries, root.start_mark.column, last)


def _entry(events: Iterator[Any]) -> Entry:
    """Read the value of a key."""
    first: Any = next(events)
    start = first.start_mark.index
    if isinstance(first, yaml.ScalarEvent):
        return Entry(start, _end(first), 0, "scalar", empty=first.value in ("", "~", "null"))
    depth, last, n_inside = 1, start, 0
    while depth:
        event = next(events)
        opens = isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent)
        closes = isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent)
        depth += int(opens) - int(closes)
        n_inside += not closes
        # The end of a block list is where the next key begins; everything else ends itself.
        if not closes or _width(event):
            last = max(last, _end(event))
    kind = "flow" if first.flow_style else "block"
    return Entry(start, last, first.start_mark.column, kind, empty=n_inside == 0)


def _end(event: Any) -> int:
    place: int = event.end_mark.index
    return place


def _width(event: Any) -> int:
    return _end(event) - int(event.start_mark.index)


def _events(loader: Any) -> Iterator[Any]:
    while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
        yield event


def _line_after(text: str, place: int, *, indent: int | None) -> int:
    """Return the start of the line after a place; also after comments at least `indent` in."""
    if not (place and text[place - 1] in "\r\n"):  # a block of text ends on a line of its own
        found = LINE_END.search(text, place)
        place = found.end() if found else len(text)
    if indent is None:
        return place
    after = place
    while after < len(text):
        found = LINE_END.search(text, after)
        end = found.end() if found else len(text)
        line = text[after:end].strip("\r\n")
        blank = len(line) - len(line.lstrip(" "))
        if line.strip() and not (line.lstrip().startswith("#") and blank >= indent):
            break
        after = end
        place = after if line.strip() else place
    return place


def _break(text: str, place: int) -> str:
    """Return the line end that is lacking where the text ends without one."""
    return _newline(text) if place and text[place - 1] not in "\r\n" else ""


def _newline(text: str) -> str:
    found = LINE_END.search(text)
    return found.group() if found else "\n"
