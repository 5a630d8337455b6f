"""SurveyMonkey: a question over its options in two header rows, or 'question - option' in one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from collabsurvey.errors import DataError
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.platforms.export import (
    Export,
    Source,
    plain_answer,
    plain_text,
    table_of,
)

ANSWER_WORDS = {"", "response", "open-ended response"}
MADE_UP = re.compile(r"Unnamed: \d+(_level_\d+)?")  # what pandas calls a blank header
DECIMAL_ID = re.compile(r"\d+\.0")
IDS = ("respondentid", "respondent id")


def read_surveymonkey(source: Source) -> Export:
    """Read an export of individual responses (all responses data)."""
    rows = source.lines.rows
    first = ["" if MADE_UP.fullmatch(cell.strip()) else cell.strip() for cell in rows[0]]
    if plain_answer(first[0] if first else "") not in IDS:
        raise DataError(
            f"{source.name} does not begin with a column RespondentID, as exports of SurveyMonkey "
            "do. Leave platform out to have it found."
        )
    two = _has_options(rows)
    options = [cell.strip() for cell in rows[1]] if two else []
    options += [""] * (len(first) - len(options))
    parents = _parents(first)
    headers = [
        _header(parent, option) if two else parent
        for parent, option in zip(parents, options, strict=False)
    ]
    table = table_of(source, n_headers=2 if two else 1, headers=headers)
    frame, lines, names = table.frame, table.lines, table.names
    wording = {
        column: _wordings(names[column], options[place]) for column, place in table.places.items()
    }
    column = next((c for c in frame.columns if plain_answer(c) in IDS), None)
    if column is not None and frame[column].dropna().str.fullmatch(DECIMAL_ID).all():
        n = int(frame[column].notna().sum())
        frame = frame.assign(**{column: frame[column].str.removesuffix(".0")})
        what = "ids that were made decimals (123.0) read as whole numbers"
        lines = (*lines, LedgerLine("repair", what, n, "cells", column, source.name))
    return Export("surveymonkey", frame, lines, wording=wording, names=names, respondent=column)


def _has_options(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the second row holds options: its first cell is blank, no respondent's id."""
    if len(rows) < 2 or not rows[1]:
        return False
    below = {plain_answer(cell) for cell in rows[1]}
    return not rows[1][0].strip() and bool((ANSWER_WORDS - {""}) & below or len(below) > 2)


def _parents(first: Sequence[str]) -> list[str]:
    """Each question, repeated over the blank cells to its right."""
    parents: list[str] = []
    for cell in first:
        parents.append(cell or (parents[-1] if parents else ""))
    return parents


def _header(parent: str, option: str) -> str:
    return parent if plain_answer(option) in ANSWER_WORDS else f"{parent} - {option}"


def _wordings(name: str, option: str) -> tuple[str, ...]:
    """The whole, the option (a row of a matrix), or what stands behind a dash."""
    found = [plain_text(name)]
    if plain_answer(option) not in ANSWER_WORDS:
        found.append(plain_text(option))
    elif " - " in name:
        found.append(plain_text(name.rpartition(" - ")[2]))
    return tuple(dict.fromkeys(found))
