"""Qualtrics: two or three header rows, recode values from the .qsf, previews and tests kept.

The first header row names the columns, the second holds the questions ('question - statement'),
the third ImportIds: JSON in new exports, written the Python way in some. Legacy exports call the
first columns V1 to V10 and name them in the second row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from collabsurvey.errors import DataError
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.numbers import numbers_from_text
from collabsurvey.responses.platforms.detect import has_import_ids
from collabsurvey.responses.platforms.export import (
    Choices,
    Export,
    Source,
    count_cells,
    plain_text,
    table_of,
)
from collabsurvey.responses.platforms.qsf import Qsf, read_qsf

if TYPE_CHECKING:
    import pandas as pd

LEGACY = re.compile(r"V\d+")
IMPORT_ID = re.compile(r"""["']ImportId["']\s*:\s*["']([^"']*)["']""")
RESPONSE_IDS = ("responseid", "response id")
TEST_STATUS = ("1", "2", "17", "survey preview", "survey test", "offline survey preview")
TEST_CHANNELS = ("preview", "test")
UNFINISHED = ("0", "false")
DURATIONS = ("Duration (in seconds)", "Duration", "Q_TotalDuration")
MISSING = {"-99": "seen but not answered (Qualtrics)"}
NO_DEFINITION = (
    "If these are recode values of Qualtrics, name the survey file: definition='survey.qsf'."
)


def read_qualtrics(source: Source, *, definition: str | Path | None = None) -> Export:
    """Read a Qualtrics export, with the choices of its .qsf where one is named."""
    rows = source.lines.rows
    n_headers = _n_headers(source)
    below = rows[1] if 1 < n_headers <= len(rows) else []
    headers = [
        cell.strip() if LEGACY.fullmatch(name.strip()) and (cell := _cell(below, place)) else name
        for place, name in enumerate(rows[0])
    ]
    table = table_of(source, n_headers=n_headers, headers=headers)
    frame, lines, names, place = table.frame, table.lines, table.names, table.places
    if source.lines.rows[0] != headers:
        n = sum(old != new for old, new in zip(rows[0], headers, strict=True))
        what = "legacy columns V1, V2, … called by the second header row"
        lines = (*lines, LedgerLine("rename", what, n, "columns", source=source.name))
    columns = list(names)
    wording = {
        name: _wordings(_cell(below, place[name]))
        for name in columns
        if n_headers > 1 and _cell(below, place[name])
    }
    ids = {}
    if n_headers == 3:
        found = {
            name: IMPORT_ID.search(_cell(table.more_headers[1], place[name])) for name in columns
        }
        ids = {name: match.group(1) for name, match in found.items() if match}
    choices: Mapping[str, Choices] = {}
    if definition is not None:
        said = {name: _cell(below, place[name]) for name in columns}
        choices, wording = _explained(read_qsf(definition), columns, names, ids, said, wording)
        if not choices:
            raise DataError(
                f"{Path(definition).name} describes no column of {source.name}: it is the file of "
                "another survey."
            )
    frame, lines = _durations(frame, lines)
    respondent = next((c for c in columns if c.casefold() in RESPONSE_IDS), None)
    aliases = {
        old: new for old, new in zip(rows[0], headers, strict=True) if old != new and new in columns
    }
    return Export(
        "qualtrics",
        frame,
        (*lines, *_notes(frame, source.name)),
        wording=wording,
        choices=choices,
        missing=MISSING,
        names=names,
        aliases=aliases,
        respondent=respondent,
        unexplained=definition is None,
        hint=NO_DEFINITION if definition is None else "",
    )


def _n_headers(source: Source) -> int:
    """One, two or three header rows; raise where there is no column that Qualtrics writes."""
    rows = source.lines.rows
    if len(rows) > 2 and has_import_ids(rows[2]):
        return 3
    if len(rows) > 1 and has_import_ids(rows[1]):
        raise DataError(
            f"{source.name} lacks Qualtrics' header row of questions: its second row holds the "
            "ImportIds. Export it again."
        )
    names = [name.strip().casefold() for name in rows[0]]
    second = [cell.strip().casefold() for cell in rows[1]] if len(rows) > 1 else []
    if any(LEGACY.fullmatch(n.strip()) for n in rows[0]) and set(RESPONSE_IDS) & set(second):
        return 2
    place = next((names.index(name) for name in RESPONSE_IDS if name in names), None)
    if place is None:
        raise DataError(
            f"{source.name} has neither a column ResponseId nor a header row of ImportIds, as "
            "exports of Qualtrics do. Leave platform out to have it found."
        )
    return 1 if _cell(rows[1] if len(rows) > 1 else [], place).startswith("R_") else 2


def _cell(row: Sequence[str], place: int) -> str:
    return row[place].strip() if place < len(row) else ""


def _wordings(header: str) -> tuple[str, ...]:
    """The question, and what stands behind its last dashes: the statement of a matrix."""
    text = plain_text(header)
    parts = [text]
    for mark in (" - ", "-"):
        start = -1
        while (start := text.find(mark, start + 1)) >= 0 and len(parts) < 12:
            parts.append(text[start + len(mark) :].strip())
    return tuple(dict.fromkeys(part for part in parts if part))


def _explained(
    qsf: Qsf,
    columns: Sequence[str],
    names: Mapping[str, str],
    ids: Mapping[str, str],
    said: Mapping[str, str],
    wording: dict[str, tuple[str, ...]],
) -> tuple[dict[str, Choices], dict[str, tuple[str, ...]]]:
    """The choices of each column, and its full wording: the header cuts long questions."""
    choices: dict[str, Choices] = {}
    full = dict(wording)
    for column in columns:
        found = qsf.at(ids[column]) if column in ids else qsf.named(names[column], said[column])
        if found is None:
            continue
        question, row = found
        if question.choices:
            choices[column] = question.choices
        statement = question.rows.get(row, "")
        texts = (question.text, statement) if not question.rows else (statement,)
        full[column] = tuple(dict.fromkeys(t for t in (*texts, *full.get(column, ())) if t))
    return choices, full


def _durations(
    frame: pd.DataFrame, lines: tuple[LedgerLine, ...]
) -> tuple[pd.DataFrame, tuple[LedgerLine, ...]]:
    """Seconds as numbers, so that fast answers can be screened for."""
    for name in DURATIONS:
        if name in frame.columns and frame[name].dropna().str.fullmatch(r"\d+(\.\d+)?").all():
            numbers, found = numbers_from_text(frame[name], decimal=".")
            return frame.assign(**{name: numbers}), (*lines, *found)
    return frame, lines


def _notes(frame: pd.DataFrame, name: str) -> list[LedgerLine]:
    found = [
        ("previews and tests by Status, kept", "Status", TEST_STATUS),
        ("previews and tests by DistributionChannel, kept", "DistributionChannel", TEST_CHANNELS),
        ("answers not finished, kept", "Finished", UNFINISHED),
    ]
    counted = [(what, column, count_cells(frame, column, values)) for what, column, values in found]
    return [LedgerLine("note", what, n, "rows", column, name) for what, column, n in counted if n]
