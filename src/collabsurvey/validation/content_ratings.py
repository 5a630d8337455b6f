"""A raters' sheet as arrays: who judged which item how; everything that is wrong with it at once.

A sheet is long (one row for each rater and item) or wide (items in rows and raters in columns,
or the other way round). Names of columns decide which; nothing is guessed from the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from collabsurvey.errors import AnswersError, DataError, OptionError, listed
from collabsurvey.instruments.faults import did_you_mean
from collabsurvey.instruments.model import Instrument
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import Column, as_narwhals, column_names, read_columns
from collabsurvey.responses.excel import read_workbook
from collabsurvey.responses.tables import read_table

Layout = Literal["auto", "long", "items_in_rows", "raters_in_rows"]
Role = Literal["rater", "item", "construct", "relevance", "clarity", "coverage", "comment"]
Cell = float | str | None

RATED: tuple[Role, ...] = ("relevance", "clarity", "coverage")
ROLES: tuple[Role, ...] = ("rater", "item", "construct", *RATED, "comment")
NOT_RATERS = ("construct", "comment", "definition", "text", "scale", "form")  # beside wide ratings
LOWEST, HIGHEST = 1, 4
SHOWN = 20  # faults written out; a sheet on another scale would have hundreds
WORKBOOKS = (".xlsx", ".xlsm")


@dataclass(frozen=True, eq=False)
class Panel:
    """Judgements of k items and c constructs by r raters; NaN where a cell is blank.

    relevance, clarity : (k, r); clarity is None where the sheet has none
    coverage : (c, r), how fully the items cover each of `constructs`; None without any
    comments : rater, item or construct, text
    """

    items: tuple[str, ...]
    raters: tuple[str, ...]
    relevance: FloatArray
    clarity: FloatArray | None
    constructs: tuple[str, ...]
    coverage: FloatArray | None
    comments: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]


@dataclass
class _Table:
    """One file or frame: its name, its columns, its rows."""

    name: str
    columns: list[str]
    rows: list[list[Cell]]
    stands_for: str = ""  # rater of a file that names none


@dataclass
class _Found:
    """What has been read so far: (kind, rater, what was judged) → rating."""

    labels: Mapping[str, int]
    instrument: Instrument | None
    ratings: dict[tuple[Role, str, str], float] = field(default_factory=dict)
    comments: list[tuple[str, str, str]] = field(default_factory=list)
    faults: dict[str, None] = field(default_factory=dict)
    order: dict[str, dict[str, None]] = field(
        default_factory=lambda: {"rater": {}, "item": {}, "construct": {}}
    )
    n_repeated: int = 0
    words: dict[str, int] = field(default_factory=dict)
    how: dict[str, None] = field(default_factory=dict)

    def fault(self, sentence: str) -> None:
        self.faults[sentence] = None

    def is_construct(self, item: str, construct: str) -> bool:
        """Whether a row is about a construct as a whole."""
        if item in ("", construct):
            return True
        if self.instrument is None or item in self.instrument.item_ids:
            return False
        return any(one.id == item for one in self.instrument.constructs)

    def take(self, kind: Role, rater: str, name: str, cell: Cell) -> None:
        """Keep one judgement; judge the same thing twice only in the same way."""
        self.order["rater"].setdefault(rater)
        self.order["construct" if kind == "coverage" else "item"].setdefault(name)
        value = self._number(kind, rater, name, cell)
        key = (kind, rater, name)
        before = self.ratings.get(key, np.nan)
        if key in self.ratings and np.isfinite(value):
            if np.isfinite(before) and before != value:
                self.fault(
                    f"rater {rater!r} judges the {kind} of {name!r} twice, as {before:g} and as "
                    f"{value:g}. Keep one of the two."
                )
                return
            self.n_repeated += int(np.isfinite(before))
        if np.isfinite(value) or key not in self.ratings:
            self.ratings[key] = value

    def _number(self, kind: Role, rater: str, name: str, cell: Cell) -> float:
        if cell is None:
            return float("nan")
        value = _as_number(cell)
        if value is None:
            word = str(cell).casefold()
            if word in self.labels:
                self.words[str(cell)] = self.labels[word]
                return float(self.labels[word])
            hint = (
                f"The labels given are {listed(map(repr, self.labels))}."
                if self.labels
                else "Write 1 to 4, or say which word means which number with "
                f"labels={{{str(cell)!r}: …}}."
            )
            self.fault(f"{kind} has the word {str(cell)!r} where a rating is due. {hint}")
            return float("nan")
        if value not in range(LOWEST, HIGHEST + 1):
            self.fault(
                f"rater {rater!r} judges the {kind} of {name!r} as {value:g}; ratings are the "
                f"whole numbers from {LOWEST} to {HIGHEST}."
            )
            return float("nan")
        return value


def read_panel(
    sheet: Any,
    *,
    instrument: Instrument | None,
    layout: Layout,
    columns: Mapping[Role, str],
    labels: Mapping[str, int],
    worksheet: str | None,
) -> Panel:
    """Read one sheet or several, and refuse them with every fault they have."""
    for role in columns:
        if role not in ROLES:
            raise OptionError("columns", role, allowed=ROLES)
    tables = _tables(sheet, worksheet)
    words = {str(word).strip().casefold(): code for word, code in labels.items()}
    if wrong := [code for code in words.values() if code not in range(LOWEST, HIGHEST + 1)]:
        raise OptionError("labels", wrong[0], allowed=range(LOWEST, HIGHEST + 1))
    found = _Found(words, instrument)
    for table in tables:
        _read(table, found, layout, columns)
    _refuse_unknown(found)
    if found.faults:
        faults = list(found.faults)
        if len(faults) > SHOWN:
            faults = [*faults[:SHOWN], f"and {len(faults) - SHOWN} more like these."]
        raise AnswersError(listed([table.name for table in tables], most=3), faults)
    return _panel(found, len(tables))


def _tables(sheet: Any, worksheet: str | None) -> list[_Table]:
    if isinstance(sheet, str | Path):
        return [_from_file(Path(sheet), worksheet)]
    if isinstance(sheet, list | tuple):
        if not sheet:
            raise DataError("There is no sheet: the list of sheets is empty.")
        return [one for part in sheet for one in _tables(part, worksheet)]
    names = column_names(as_narwhals(sheet))
    found = read_columns(sheet, names)
    cells = [_cells(found[name]) for name in names]
    rows = [list(row) for row in zip(*cells, strict=True)]
    return [_Table("the sheet", list(names), rows)]


def _from_file(file: Path, worksheet: str | None) -> _Table:
    if file.suffix.casefold() in WORKBOOKS:
        header, *rows = read_workbook(file, sheet=worksheet).lines.rows
        cells: list[list[Cell]] = [[_text(cell) for cell in row] for row in rows]
        return _Table(file.name, [name.strip() for name in header], cells, file.stem)
    frame, _ = read_table(file)
    parts = [[_text(cell) for cell in frame[name]] for name in frame.columns]
    return _Table(
        file.name,
        [str(name).strip() for name in frame.columns],
        [list(row) for row in zip(*parts, strict=True)],
        file.stem,
    )


def _cells(column: Column) -> list[Cell]:
    if column.categories is None:
        return [None if np.isnan(value) else float(value) for value in column.values]
    return [None if code < 0 else _text(column.categories[code]) for code in column.values]


def _text(cell: object) -> str | None:
    return cell.strip() or None if isinstance(cell, str) else None


def _as_number(cell: Cell) -> float | None:
    """A number, or a text that is written like one; None for words."""
    try:
        value = float(str(cell))
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _name(cell: Cell) -> str:
    """A name; rater 1.0 is rater 1."""
    if isinstance(cell, float):
        return f"{cell:g}"
    return cell or ""


def _plain(name: str) -> str:
    """'Relevance (1 = not, … 4 = highly relevant)' is the column relevance."""
    return re.sub(r"\s*[(\[].*$", "", name, flags=re.DOTALL).strip().casefold()


def _read(table: _Table, found: _Found, layout: Layout, columns: Mapping[Role, str]) -> None:
    """Read one table in its layout; which that is comes from the names of its columns."""
    for role, name in columns.items():
        if name not in table.columns:
            raise DataError(
                f"{table.name} has no column {name!r} (given as {role}). "
                + did_you_mean(name, table.columns)
            )
    taken = set(columns.values())
    place: dict[Role, int] = {role: table.columns.index(name) for role, name in columns.items()}
    for role in ROLES:
        alike = [
            i
            for i, name in enumerate(table.columns)
            if _plain(name) in (role, f"{role}s") and name not in taken
        ]
        if role not in place and alike:
            place[role] = alike[0]
    if layout == "auto":
        layout = _layout(table, place, found.instrument)
    rows = [row for row in table.rows if any(cell is not None for cell in row)]
    if not rows:
        raise DataError(f"{table.name} has no rows: nothing has been rated.")
    if layout == "long":
        _long(table, rows, place, found)
    else:
        _wide(table, rows, place, found, items_in_rows=layout == "items_in_rows")


def _layout(table: _Table, place: Mapping[Role, int], instrument: Instrument | None) -> Layout:
    judged = any(role in place for role in RATED)
    if "item" in place and judged and ("rater" in place or table.stands_for):
        return "long"
    if judged:
        lacking = [role for role in ("rater", "item") if role not in place]
        raise DataError(
            f"{table.name} has ratings but no column {listed(map(repr, lacking))}. Add it, or say "
            "which column it is: columns={'rater': …, 'item': …}."
        )
    if "item" in place and "rater" not in place:
        return "items_in_rows"
    if "rater" in place and "item" not in place:
        return "raters_in_rows"
    known = set(instrument.item_ids) if instrument else set()
    if known and sum(name in known for name in table.columns) >= len(table.columns) - 1:
        return "raters_in_rows"
    if known and table.rows and all(_name(row[0]) in known for row in table.rows if row[0]):
        return "items_in_rows"
    raise DataError(
        f"It is not clear how {table.name} is laid out; its columns are "
        f"{listed(map(repr, table.columns), most=6)}. Call the columns 'rater', 'item' and "
        "'relevance' (one row for each rater and item), or only the column of item ids 'item' "
        "(raters in columns), or only that of raters 'rater' (items in columns)."
    )


def _long(
    table: _Table, rows: Sequence[list[Cell]], place: Mapping[Role, int], found: _Found
) -> None:
    if "item" not in place:
        raise DataError(f"{table.name} has no column 'item'. Say which it is with columns=.")
    for number, row in enumerate(rows, start=1):
        cell = {role: row[at] for role, at in place.items()}
        rater = _name(cell.get("rater")) or table.stands_for
        about = _name(cell.get("item")) or _name(cell.get("construct"))
        if rater and about:
            _one_row(cell, rater, found)
        elif any(cell.get(role) is not None for role in (*RATED, "comment")):
            found.fault(f"row {number} of ratings names no {'item' if rater else 'rater'}.")
    rater_words = (
        f"rater from {table.columns[place['rater']]!r}"
        if "rater" in place and any(row[place["rater"]] is not None for row in rows)
        else "rater from the name of each file"
    )
    kinds = [role for role in ROLES if role in place and role not in ("rater", "item")]
    found.how[
        f"Read as one row for each rater and item ({rater_words}, item from "
        f"{table.columns[place['item']]!r}; also {listed(kinds)})."
    ] = None


def _one_row(cell: Mapping[Role, Cell], rater: str, found: _Found) -> None:
    """Take what one rater says of one item, or of a construct."""
    item, construct = _name(cell.get("item")), _name(cell.get("construct"))
    judged = [role for role in RATED if cell.get(role) is not None]
    about = item or construct
    if (comment := cell.get("comment")) is not None:
        found.comments.append((rater, about, _name(comment)))
    if found.is_construct(item, construct) or (found.instrument is None and judged == ["coverage"]):
        if wrong := [role for role in judged if role != "coverage"]:
            found.fault(
                f"rater {rater!r} judges the {wrong[0]} of {about!r}, a construct. Only its "
                "coverage is asked for: leave the other cells of that row blank."
            )
        elif "coverage" in cell:
            covered = construct if found.instrument is None and construct else about
            found.take("coverage", rater, covered, cell["coverage"])
        return
    for role in RATED[:2]:
        if role in cell:
            found.take(role, rater, item, cell[role])
    if "coverage" in judged and not construct:
        found.fault(f"coverage of {item!r} lacks the construct that is covered.")
    elif "coverage" in judged:
        found.take("coverage", rater, construct, cell["coverage"])


def _wide(
    table: _Table,
    rows: Sequence[list[Cell]],
    place: Mapping[Role, int],
    found: _Found,
    *,
    items_in_rows: bool,
) -> None:
    known = set(found.instrument.item_ids) if found.instrument else set()
    role: Role = "item" if items_in_rows else "rater"
    key = place.get(role)
    if key is None and (items_in_rows or table.columns[0] not in known):
        key = 0
    across = [
        at
        for at, name in enumerate(table.columns)
        if at != key and not (_plain(name) in NOT_RATERS and name not in known)
    ]
    # A column without a name or a cell is not a rater.
    across = [at for at in across if any(row[at] is not None for row in rows)]
    if not across:
        raise DataError(f"{table.name} has no column of ratings beside {role!r}.")
    if key is None:
        raise DataError(f"{table.name} does not say who rated. Add a column 'rater'.")
    for number, row in enumerate(rows, start=1):
        down = _name(row[key])
        if not down:
            if any(row[at] is not None for at in across):
                found.fault(f"row {number} of ratings names no {role}.")
            continue
        for at in across:
            other = table.columns[at]
            rater, item = (other, down) if items_in_rows else (down, other)
            found.take("relevance", rater, item, row[at])
    ignored = [table.columns[at] for at in range(len(table.columns)) if at not in (key, *across)]
    beside = f"; not read: {listed(map(repr, ignored))}" if ignored else ""
    what, others = ("items", "raters") if items_in_rows else ("raters", "items")
    found.how[
        f"Read as relevance with {what} in rows (from {table.columns[key]!r}) and {others} in "
        f"columns ({listed(map(repr, (table.columns[at] for at in across)), most=4)}{beside})."
    ] = None


def _refuse_unknown(found: _Found) -> None:
    """Refuse items and constructs that the instrument does not have."""
    if found.instrument is None:
        return
    known = {
        "item": found.instrument.item_ids,
        "construct": tuple(construct.id for construct in found.instrument.constructs),
    }
    for kind, names in known.items():
        for name in found.order[kind]:
            if name not in names:
                found.fault(
                    f"{kind} {name!r} is not in the instrument {found.instrument.id!r}. "
                    + did_you_mean(name, names)
                )


def _panel(found: _Found, n_tables: int) -> Panel:
    """Arrays of what was found: the instrument's order of items, the sheet's order of raters."""
    rated = {key for key, value in found.ratings.items() if np.isfinite(value)}
    raters = [one for one in found.order["rater"] if any(key[1] == one for key in rated)]
    notes = list(found.how)
    if n_tables > 1:
        notes.append(f"{n_tables} sheets were put together.")
    if silent := [one for one in found.order["rater"] if one not in raters]:
        notes.append(f"Raters without a single rating are left out: {listed(silent)}.")
    if found.words:
        pairs = listed(f"{word!r} = {code}" for word, code in found.words.items())
        notes.append(f"Words were read as numbers: {pairs}.")
    if found.n_repeated:
        notes.append(f"{found.n_repeated} ratings occur twice with the same value; counted once.")
    if twins := _twins(raters):
        notes.append(f"Raters whose names differ only in capitals or blanks: {listed(twins)}.")
    items = list(found.order["item"])
    constructs = list(found.order["construct"])
    if found.instrument is not None:
        items = [name for name in found.instrument.item_ids if name in found.order["item"]]
        constructs = [c.id for c in found.instrument.constructs if c.id in found.order["construct"]]
    if bare := [one for one in items if not any(key[::2] == ("relevance", one) for key in rated)]:
        notes.append(f"Items whose relevance nobody rated are left out: {listed(bare)}.")
        items = [one for one in items if one not in bare]
    constructs = [c for c in constructs if any(key[::2] == ("coverage", c) for key in rated)]

    def matrix(kind: Role, names: Sequence[str]) -> FloatArray:
        values = [
            [found.ratings.get((kind, rater, name), np.nan) for rater in raters] for name in names
        ]
        return np.array(values, dtype=float).reshape(len(names), len(raters))

    has_clarity = any(key[0] == "clarity" for key in rated)
    return Panel(
        items=tuple(items),
        raters=tuple(raters),
        relevance=matrix("relevance", items),
        clarity=matrix("clarity", items) if has_clarity else None,
        constructs=tuple(constructs),
        coverage=matrix("coverage", constructs) if constructs else None,
        comments=tuple(dict.fromkeys(found.comments)),
        notes=tuple(notes),
    )


def _twins(raters: Sequence[str]) -> list[str]:
    plain = ["".join(name.casefold().split()) for name in raters]
    return [name for name, short in zip(raters, plain, strict=True) if plain.count(short) > 1]
