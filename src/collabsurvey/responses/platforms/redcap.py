"""REDCap: raw codes or labels, checkboxes as name___1, events, repeats, `_complete`.

One table may hold rows of several kinds: events, and the instances of repeating forms. Kinds of
rows in which no item was ever answered are left out and counted; `form` says which to keep
where the answers stand in several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from collabsurvey.errors import AnswersError, DataError, OptionError, listed
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.platforms.export import (
    Choices,
    Export,
    Source,
    count_cells,
    plain_answer,
    plain_text,
    table_of,
)
from collabsurvey.responses.tables import read_table

if TYPE_CHECKING:
    import pandas as pd

NAME, FORM, KIND, LABEL, OPTIONS = (
    "Variable / Field Name",
    "Form Name",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
)
EVENT, REPEAT, INSTANCE = (
    "redcap_event_name",
    "redcap_repeat_instrument",
    "redcap_repeat_instance",
)
BUILT_IN_LABELS = {
    "event name": EVENT,
    "repeat instrument": REPEAT,
    "repeat instance": INSTANCE,
    "survey identifier": "redcap_survey_identifier",
    "data access group": "redcap_data_access_group",
    "survey timestamp": "survey_timestamp",
    "complete?": "complete",
}
CHECKBOX = re.compile(r"(?P<field>\w+?)___(?P<code>\w+)")
LABELLED_BOX = re.compile(r"(?P<field>.+) \(choice=(?P<label>.*)\)", re.DOTALL)
TICKS = {"checked": "1", "unchecked": "0"}
INCOMPLETE = ("0", "1", "incomplete", "unverified")
FIXED: Mapping[str, Choices] = {
    "yesno": {"1": ("Yes",), "0": ("No",)},
    "truefalse": {"1": ("True",), "0": ("False",)},
}
LISTED_KINDS = ("radio", "dropdown")


def read_redcap(source: Source, *, definition: str | Path | None = None) -> Export:
    """Read a REDCap export, raw or labelled, with its data dictionary where one is named."""
    fields = read_dictionary(definition) if definition is not None else {}
    written = [name.strip() for name in source.lines.rows[0]]
    headers = _field_names(written, fields)
    table = table_of(source, headers=headers)
    frame, lines, names = table.frame, table.lines, table.names
    choices = {
        column: fields[names[column]].choices
        for column in names
        if names[column] in fields and fields[names[column]].choices
    }
    if definition is not None and not any(_field_of(name) in fields for name in names.values()):
        raise DataError(
            f"{Path(definition).name} describes no column of {source.name}: it is the data "
            "dictionary of another project."
        )
    frame, lines = _ticks(frame, names, fields, lines, source.name)
    wording = {
        column: _wording(names[column], written[place], fields)
        for column, place in table.places.items()
    }
    for column, name in names.items():
        if name.endswith("_timestamp") and (n := count_cells(frame, column, ("[not completed]",))):
            what = "survey begun and not completed, kept"
            lines = (*lines, LedgerLine("note", what, n, "rows", column, source.name))
    aliases = {old: new for old, new in zip(written, headers, strict=True) if old and old != new}
    first = next((c for c in frame.columns if names.get(c, "").strip()), None)
    return Export(
        "redcap",
        frame,
        lines,
        wording={column: said for column, said in wording.items() if said},
        choices=choices,
        names=names,
        aliases=aliases,
        respondent=first,
        unexplained=definition is None,
        hint=""
        if definition is not None
        else "If these are codes of REDCap, name the data dictionary: definition='dictionary.csv'.",
    )


@dataclass(frozen=True)
class Field:
    """One variable of a data dictionary."""

    form: str
    kind: str
    label: str
    choices: Choices


def read_dictionary(path: str | Path) -> dict[str, Field]:
    """Read a data dictionary: the CSV of 18 columns that REDCap writes and reads."""
    table, _ = read_table(path)
    name = Path(path).name
    columns = {plain_answer(column): column for column in table.columns}
    wanted = {one: columns.get(plain_answer(one)) for one in (NAME, FORM, KIND, LABEL, OPTIONS)}
    if absent := [one for one, column in wanted.items() if column is None]:
        raise AnswersError(
            name,
            [
                f"It has no column {one!r}, so it is no data dictionary of REDCap. Download the "
                "dictionary there (CSV) and name that file as definition."
                for one in absent
            ],
        )
    cells = table.astype(object).where(table.notna(), "")
    rows = zip(*(cells[wanted[one]] for one in (NAME, FORM, KIND, LABEL, OPTIONS)), strict=True)
    return {
        str(field).strip(): Field(
            str(form).strip(), str(kind).strip(), plain_text(str(label)), _choices(kind, options)
        )
        for field, form, kind, label, options in rows
    }


def _choices(kind: str, options: str) -> Choices:
    """Answers of '0, No | 1, Yes' or '1, one|2, two'; formulas are none."""
    if kind in FIXED:
        return FIXED[kind]
    if kind not in (*LISTED_KINDS, "checkbox"):
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for part in options.split("|"):
        code, mark, label = part.partition(",")
        if mark and code.strip():
            found[code.strip()] = (plain_text(label),)
    return found


def _field_of(name: str) -> str:
    match = CHECKBOX.fullmatch(name)
    return match["field"] if match else name


def _field_names(written: Sequence[str], fields: Mapping[str, Field]) -> list[str]:
    """Variable names where the header holds labels: by the dictionary, and REDCap's own columns."""
    known = {EVENT, REPEAT, INSTANCE, *fields}
    if any(name in known or name.endswith("_complete") for name in written):
        return list(written)
    by_label: dict[str, list[str]] = {}
    for name, one in fields.items():
        by_label.setdefault(plain_answer(one.label), []).append(name)
    headers: list[str] = []
    for label in written:
        plain = plain_answer(label)
        box = LABELLED_BOX.fullmatch(plain_text(label))
        if plain in BUILT_IN_LABELS:
            headers.append(BUILT_IN_LABELS[plain])
        elif len(found := by_label.get(plain, [])) == 1:
            headers.append(found[0])
        elif box and (own := _box_name(box["field"], box["label"], by_label, fields)):
            headers.append(own)
        else:
            headers.append(label)
    return headers


def _box_name(
    field: str, label: str, by_label: Mapping[str, Sequence[str]], fields: Mapping[str, Field]
) -> str | None:
    """'check one (choice=two)' is check_one___2."""
    found = by_label.get(plain_answer(field), [])
    if len(found) != 1:
        return None
    for code, said in fields[found[0]].choices.items():
        if plain_answer(label) in map(plain_answer, said):
            return f"{found[0]}___{code}"
    return None


def _ticks(
    frame: pd.DataFrame,
    names: Mapping[str, str],
    fields: Mapping[str, Field],
    lines: tuple[LedgerLine, ...],
    source: str,
) -> tuple[pd.DataFrame, tuple[LedgerLine, ...]]:
    """'Checked' and 'Unchecked' of checkbox columns as 1 and 0."""
    changed: dict[str, pd.Series] = {}
    for column, name in names.items():
        box = CHECKBOX.fullmatch(name) or LABELLED_BOX.fullmatch(name)
        if not box or (fields and name in fields):
            continue
        if n := count_cells(frame, column, tuple(TICKS)):
            plain = frame[column].str.strip().str.casefold()
            changed[column] = plain.map(TICKS).where(plain.isin(list(TICKS)), frame[column])
            what = "Checked and Unchecked turned into 1 and 0"
            lines = (*lines, LedgerLine("recode", what, n, "cells", column, source))
    return (frame.assign(**changed) if changed else frame), lines


def _wording(name: str, written: str, fields: Mapping[str, Field]) -> tuple[str, ...]:
    box = CHECKBOX.fullmatch(name)
    if box and box["field"] in fields:
        one = fields[box["field"]]
        return tuple(said for said in (*one.choices.get(box["code"], ()), one.label) if said)
    label = fields[name].label if name in fields else ""
    return tuple(dict.fromkeys(said for said in (label, plain_text(written)) if said))


def kept_rows(
    export: Export, items: Iterable[str], *, form: str | None, name: str
) -> tuple[pd.DataFrame, tuple[LedgerLine, ...]]:
    """Leave out the kinds of rows (event, repeating form) in which no item was answered.

    Parameters
    ----------
    items : columns
        Where the answers stand.
    form : str, optional
        The repeating form whose rows hold them; "" for rows that repeat nothing.
    """
    frame = export.frame
    own = {export.names.get(column, column): column for column in frame.columns}
    repeat, event = own.get(REPEAT), own.get(EVENT)
    if form is not None and repeat is None:
        raise OptionError("form", form, allowed=("None: no form repeats in this export",))
    lines: list[LedgerLine] = []
    if repeat is not None:
        frame, dropped = _of_one_form(frame, repeat, list(items), form, name)
        lines += dropped
    if event is not None:
        frame, dropped = _of_asked_events(frame, event, list(items), name)
        lines += dropped
    return frame, (*lines, *_unfinished(export, frame, list(items), name))


def _of_one_form(
    frame: pd.DataFrame, repeat: str, items: Sequence[str], form: str | None, name: str
) -> tuple[pd.DataFrame, list[LedgerLine]]:
    kinds = frame[repeat].fillna("").astype(str).str.strip()
    there = list(dict.fromkeys(kinds))
    if form is None:
        answered = frame[items].notna().any(axis=1)
        with_answers = list(dict.fromkeys(kinds[answered]))
        if len(with_answers) > 1:
            shown = listed([repr(kind) for kind in with_answers])
            raise DataError(
                f"{name} holds answers to these items in rows of several kinds ({REPEAT}: "
                f"{shown}). Say which to read with form=... (form='' for rows that repeat nothing)."
            )
        if not with_answers:
            return frame, []
        form = with_answers[0]
    if form not in there:
        raise OptionError("form", form, allowed=there)
    keep = kinds == form
    lines = [
        LedgerLine(
            "drop", f"rows of another kind ({kind or 'no repeating form'})", n, "rows", repeat, name
        )
        for kind, n in kinds[~keep].value_counts(sort=False).items()
    ]
    if not lines:
        return frame, []
    return frame[keep].reset_index(drop=True), lines


def _of_asked_events(
    frame: pd.DataFrame, event: str, items: Sequence[str], name: str
) -> tuple[pd.DataFrame, list[LedgerLine]]:
    """Events in which nobody answered any item: the form was not part of them."""
    events = frame[event].fillna("").astype(str)
    answered = frame[items].notna().any(axis=1)
    asked = set(events[answered])
    keep = events.isin(list(asked))
    if keep.all() or not asked:
        return frame, []
    lines = [
        LedgerLine(
            "drop",
            f"rows of the event {one!r}, in which no item was answered",
            n,
            "rows",
            event,
            name,
        )
        for one, n in events[~keep].value_counts(sort=False).items()
    ]
    return frame[keep].reset_index(drop=True), lines


def _unfinished(
    export: Export, frame: pd.DataFrame, items: Sequence[str], name: str
) -> list[LedgerLine]:
    """Rows whose form is not marked complete: the `_complete` column behind each item."""
    order = list(frame.columns)
    marks: dict[str, None] = {}
    for item in items:
        behind = order[order.index(item) :] if item in order else []
        mark = next(
            (c for c in behind if re.fullmatch(r".*_complete|complete( \(\d+\))?", c)), None
        )
        if mark is not None:
            marks[mark] = None
    counted = [(mark, count_cells(frame, mark, INCOMPLETE)) for mark in marks]
    what = "rows whose form is not marked complete, kept"
    return [LedgerLine("note", what, n, "rows", mark, name) for mark, n in counted if n]
