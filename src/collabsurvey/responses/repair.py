r"""Repairs that the user declares: ids, repeated, impossible, empty and cut-off rows.

    repair = {
        "ids": {"pattern": r"^_(\d+)_1$", "column": "user", "unmatched": "missing"},
        "recode": {"school": {"Riverside Acad.": "Riverside Academy", "?": None}},
        "drop_rows": {"user": ["TEST"]},
        "duplicates": {"keep": "most_complete"},
        "out_of_range": "missing",
        "empty_rows": "drop",
        "truncated": "drop",
    }

`ids` may be a list, one for each column. Nothing is mended that was not named here, and each
repair is a line of the ledger: rows in = rows out + rows dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import narwhals as nw

from collabsurvey.errors import (
    AnswersError,
    DataError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
    listed,
)
from collabsurvey.responses.engine import (
    Frame,
    collect,
    column_names,
    count_rows,
    is_known,
    is_lazy,
)
from collabsurvey.responses.ledger import Ledger

Keep = Literal["most_complete", "first", "last"]
Unmatched = Literal["error", "missing", "drop"]
REPAIRS = ("ids", "recode", "drop_rows", "duplicates", "out_of_range", "empty_rows", "truncated")
KEEP: tuple[Keep, ...] = ("most_complete", "first", "last")
UNMATCHED: tuple[Unmatched, ...] = ("error", "missing", "drop")
SHOWN_IDS = 5


@dataclass(frozen=True)
class IdRepair:
    """The part of an id that counts: the group of a pattern."""

    pattern: str  # a regular expression with one group
    column: str | None = None  # the respondent role's column if None
    unmatched: Unmatched = "error"  # what becomes of an id that the pattern does not fit

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> Self:
        """Check one entry of `ids`."""
        if not isinstance(given, Mapping):
            raise OptionError("repair['ids']", given, allowed=({"pattern": r"^_(\d+)_1$"},))
        _known(given, ("pattern", "column", "unmatched"), where="repair['ids']")
        pattern = given.get("pattern")
        try:
            n_groups = re.compile(str(pattern)).groups if pattern is not None else 0
        except re.error as error:
            raise OptionError(
                "repair['ids']['pattern']", pattern, allowed=(f"a regular expression ({error})",)
            ) from None
        if n_groups != 1:
            raise OptionError(
                "repair['ids']['pattern']",
                pattern,
                allowed=(r"a regular expression with one group, such as '^_(\d+)_1$'",),
            )
        unmatched = given.get("unmatched", "error")
        _one_of("repair['ids']['unmatched']", unmatched, UNMATCHED)
        return cls(str(pattern), given.get("column"), unmatched)


@dataclass(frozen=True)
class Repair:
    """Everything that may be mended; see the module."""

    ids: tuple[IdRepair, ...] = ()
    recode: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    drop_rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    duplicates: Keep | None = None
    out_of_range: Literal["missing"] | None = None
    empty_rows: Literal["drop"] | None = None
    truncated: Literal["drop"] | None = None

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any] | None) -> Self:
        """Check what the user wrote; unknown repairs are refused."""
        given = {} if given is None else given
        if not isinstance(given, Mapping):
            raise OptionError("repair", given, allowed=({"empty_rows": "drop"},))
        _known(given, REPAIRS, where="repair")
        ids = given.get("ids", ())
        entries = [ids] if isinstance(ids, Mapping) else list(ids)
        duplicates = given.get("duplicates")
        if duplicates is not None:
            if not isinstance(duplicates, Mapping):
                raise OptionError("repair['duplicates']", duplicates, allowed=({"keep": KEEP[0]},))
            _known(duplicates, ("keep",), where="repair['duplicates']")
            duplicates = duplicates.get("keep")
            _one_of("repair['duplicates']['keep']", duplicates, KEEP)
        recode = given.get("recode") or {}
        if not _is_nested(recode, Mapping):
            raise OptionError("repair['recode']", recode, allowed=({"school": {"old": "new"}},))
        drop_rows = given.get("drop_rows") or {}
        if not _is_nested(drop_rows, list | tuple):
            raise OptionError("repair['drop_rows']", drop_rows, allowed=({"user": ["TEST"]},))
        for name, word in (
            ("out_of_range", "missing"),
            ("empty_rows", "drop"),
            ("truncated", "drop"),
        ):
            if given.get(name) is not None:
                _one_of(f"repair[{name!r}]", given[name], (word,))
        return cls(
            ids=tuple(IdRepair.from_mapping(entry) for entry in entries),
            recode={
                column: {str(old): None if new is None else str(new) for old, new in pairs.items()}
                for column, pairs in recode.items()
            },
            drop_rows={column: tuple(map(str, values)) for column, values in drop_rows.items()},
            duplicates=duplicates,
            out_of_range=given.get("out_of_range"),
            empty_rows=given.get("empty_rows"),
            truncated=given.get("truncated"),
        )


def _is_nested(given: object, inner: Any) -> bool:
    return isinstance(given, Mapping) and all(isinstance(value, inner) for value in given.values())


def _known(given: Mapping[str, Any], keys: Sequence[str], *, where: str) -> None:
    for name in given:
        if name not in keys:
            raise UnknownNameError("key", str(name), available=keys, where=where)


def _one_of(option: str, value: object, allowed: Iterable[str]) -> None:
    if value not in tuple(allowed):
        raise OptionError(option, value, allowed=allowed)


def drop_named_rows(
    frame: Frame, named: Mapping[str, Sequence[str]], ledger: Ledger
) -> tuple[Frame, Ledger]:
    """Leave out rows by a value, such as a colleague's trial; a value nobody has is a fault."""
    for column, values in named.items():
        text, counts = _spellings(frame, column, values, where="repair['drop_rows']")
        frame = frame.filter(text.is_null() | ~text.is_in(list(values)))
        what = f"rows with {listed(map(repr, values))}, as the repair says"
        ledger = ledger.add("drop", what, sum(counts.values()), column=column)
    return frame, ledger


def recode_columns(
    frame: Frame, recode: Mapping[str, Mapping[str, str | None]], ledger: Ledger
) -> tuple[Frame, Ledger]:
    """Write values in another way, such as a school's name; a value nobody has is a fault."""
    for column, pairs in recode.items():
        text, counts = _spellings(frame, column, pairs, where="repair['recode']")
        new = text
        for old, value in pairs.items():
            new = nw.when(text != old).then(new).otherwise(nw.lit(value, dtype=nw.String))
            what = f"{old!r} set to missing" if value is None else f"{old!r} written {value!r}"
            ledger = ledger.add("repair", what, counts[old], unit="cells", column=column)
        frame = frame.with_columns(nw.when(~text.is_null()).then(new).alias(column))
    return frame, ledger


def _spellings(
    frame: Frame, column: str, values: Iterable[str], *, where: str
) -> tuple[nw.Expr, dict[str, int]]:
    """The column as text, and how many rows have each of the values."""
    known = column_names(frame)
    if column not in known:
        raise UnknownNameError("column", column, available=known, where=where)
    text = nw.col(column).cast(nw.String)
    counted = collect(
        frame.select(text.alias("value__")).group_by("value__").agg(nw.len().alias("rows__"))
    )
    counts = dict(zip(counted["value__"].to_list(), counted["rows__"].to_list(), strict=True))
    for value in values:
        if value not in counts:
            there = [str(cell) for cell in counts if is_known(cell)]
            raise UnknownNameError("value", value, available=there, where=f"Column {column!r}")
    return text, {value: int(counts[value]) for value in values}


def repair_ids(
    frame: Frame, repairs: Sequence[IdRepair], roles: Mapping[str, str], ledger: Ledger
) -> tuple[Frame, Ledger]:
    """Take the id out of the text around it, column by column."""
    if repairs and is_lazy(frame):
        raise _rows_needed("Repairing ids")
    for repair in repairs:
        frame, ledger = _repair_column(frame, repair, roles, ledger)
    return frame, ledger


def _repair_column(
    frame: Frame, repair: IdRepair, roles: Mapping[str, str], ledger: Ledger
) -> tuple[Frame, Ledger]:
    column = repair.column or roles.get("respondent")
    if column is None:
        raise OptionError(
            "repair['ids']['column']", None, allowed=("a column, or set the respondent role",)
        )
    known = column_names(frame)
    if column not in known:
        raise UnknownNameError("column", column, available=known, where="repair['ids']")
    text = nw.col(column).cast(nw.String)
    counts = collect(
        frame.select(text.alias("id__")).group_by("id__").agg(nw.len().alias("rows__"))
    )
    found: dict[str, str | None] = {}
    changed = 0
    unmatched: dict[str, int] = {}
    for value, n in zip(counts["id__"].to_list(), counts["rows__"].to_list(), strict=True):
        if not is_known(value):
            continue
        match = re.search(repair.pattern, value)
        found[value] = match.group(1) if match else None
        if not found[value]:
            unmatched[value] = n
        elif found[value] != value:
            changed += n
    if unmatched and repair.unmatched == "error":
        raise AnswersError("The table", [_unmatched_ids(column, repair.pattern, unmatched)])
    if changed:
        what = f"ids taken out of the pattern {repair.pattern}"
        ledger = ledger.add("repair", what, changed, unit="cells", column=column)
    kept = {value: part for value, part in found.items() if part and value not in unmatched}
    if unmatched:
        n = sum(unmatched.values())
        what = f"ids that do not fit the pattern {repair.pattern}"
        if repair.unmatched == "drop":
            frame = frame.filter(text.is_null() | ~text.is_in(list(unmatched)))
            ledger = ledger.add("drop", f"rows with {what}", n, column=column)
        else:
            ledger = ledger.add(
                "missing", f"{what}, set to missing", n, unit="cells", column=column
            )
    if not kept:
        return frame.with_columns(nw.lit(None, dtype=nw.String).alias(column)), ledger
    mended = text.replace_strict(
        list(kept), list(kept.values()), default=None, return_dtype=nw.String
    )
    return frame.with_columns(mended.alias(column)), ledger


def _unmatched_ids(column: str, pattern: str, unmatched: Mapping[str, int]) -> str:
    examples = [
        f"{value!r} ({n} {'row' if n == 1 else 'rows'})" for value, n in sorted(unmatched.items())
    ]
    many = "1 id that does" if len(unmatched) == 1 else f"{len(unmatched)} ids that do"
    return (
        f"Column {column!r} has {many} not fit the pattern {pattern}: "
        f"{listed(examples, most=SHOWN_IDS)}. Say what becomes of them with "
        "repair={'ids': {'unmatched': 'missing'}} (or 'drop')."
    )


def drop_empty_rows(frame: Frame, items: Sequence[str], ledger: Ledger) -> tuple[Frame, Ledger]:
    """Leave out rows that answered no item."""
    empty = nw.all_horizontal(*(nw.col(item).is_null() for item in items), ignore_nulls=False)
    n = int(collect(frame.select(empty.sum().alias("n")))["n"].to_list()[0] or 0)
    if not n:
        return frame, ledger
    if n == count_rows(frame):
        raise DataError(
            "No row has an answer to any item, so dropping empty rows would leave nothing. Check "
            "the column mapping and the missing codes."
        )
    return frame.filter(~empty), ledger.add("drop", "rows without any answer", n)


def resolve_duplicates(
    frame: Frame, key: Sequence[str], items: Sequence[str], keep: Keep, ledger: Ledger
) -> tuple[Frame, Ledger]:
    """Keep one row of each key; the first column of `key` is the respondent.

    "most_complete" keeps the row with most answered items, and the first in the file of
    several: a person who starts again usually sees the questions for the second time, so the
    earlier of two equally full answers is the less practised one. Rows without a respondent
    id are all kept, because nobody knows whose they are.
    """
    if is_lazy(frame):
        raise _rows_needed("Resolving repeated rows")
    answered = nw.sum_horizontal(*((~nw.col(i).is_null()).cast(nw.Int64) for i in items))
    rows = collect(frame.select(*key, answered.alias("answered__"))).with_row_index("row__")
    known = rows.filter(~nw.col(key[0]).is_null())
    order, descending = {
        "most_complete": (["answered__", "row__"], [True, False]),
        "first": (["row__"], [False]),
        "last": (["row__"], [True]),
    }[keep]
    kept = known.sort(*order, descending=descending).unique(
        subset=list(key), keep="first", maintain_order=True
    )
    dropped = set(known["row__"].to_list()).difference(kept["row__"].to_list())
    if not dropped:
        return frame, ledger
    rows_kept = [row not in dropped for row in range(len(rows))]
    what = f"repeated rows of {' × '.join(key)}; the {keep.replace('_', ' ')} of each is kept"
    return collect(frame).filter(rows_kept), ledger.add("drop", what, len(dropped))


def _rows_needed(what: str) -> NotSupportedError:
    return NotSupportedError(
        f"{what} of a lazy frame",
        instead="Its rows have no order until they are computed: collect it first "
        "(polars .collect(), DuckDB .df()), or write it to Parquet and read that file.",
    )
