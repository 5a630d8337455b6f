"""LimeSurvey: headers as code, 'code. text' or text; answers as text or as codes (A1).

`N/A` stands where a question was not shown; an empty submitdate is an answer not sent off.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from collabsurvey.errors import DataError
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.platforms.detect import LIMESURVEY_CODES, LIMESURVEY_TEXTS
from collabsurvey.responses.platforms.export import (
    Choices,
    Export,
    Source,
    plain_answer,
    plain_text,
    table_of,
)
from collabsurvey.responses.platforms.limesurvey_structure import read_structure

if TYPE_CHECKING:
    import pandas as pd

HEADER = re.compile(r"([A-Za-z]\w*(?:\[[^\[\]]*\])*)\. (.*)", re.DOTALL)
PART = re.compile(r"(.*?)\s*\[([^\[\]]+)\](?:\[([^\[\]]+)\])?\s*", re.DOTALL)
MISSING = {"N/A": "question not shown (LimeSurvey)"}
NO_DEFINITION = (
    "If these are answer codes of LimeSurvey, name the survey: definition='survey.lss'; or export "
    "full answers."
)


def read_limesurvey(source: Source, *, definition: str | Path | None = None) -> Export:
    """Read a LimeSurvey export, with the answer codes of its .lss or .xml where one is named."""
    written = source.lines.rows[0]
    split = [HEADER.fullmatch(name.strip()) for name in written]
    headers = [
        match[1] if match else name.strip() for name, match in zip(written, split, strict=True)
    ]
    _refuse_other(headers, source.name)
    table = table_of(source, headers=headers)
    frame, lines, names = table.frame, table.lines, table.names
    texts = [match[2] if match else name for name, match in zip(written, split, strict=True)]
    wording = {column: _wordings(texts[place]) for column, place in table.places.items()}
    choices: dict[str, Choices] = {}
    if definition is not None:
        structure = read_structure(definition)
        for column in names:
            if (asked := structure.at(names[column])) is None:
                continue
            said, offered = asked
            wording[column] = tuple(dict.fromkeys((*said, *wording.get(column, ()))))
            if offered:
                choices[column] = offered
        if not choices:
            raise DataError(
                f"{Path(definition).name} describes no column of {source.name}: it is the "
                "structure of another survey, or the headers are not question codes."
            )
    aliases = {
        name.strip(): code
        for name, code in zip(written, headers, strict=True)
        if name.strip() != code
    }
    respondent = next((c for c in frame.columns if plain_answer(c) in ("id", "response id")), None)
    return Export(
        "limesurvey",
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


def _refuse_other(headers: list[str], name: str) -> None:
    plain = {plain_answer(header) for header in headers}
    if not plain.intersection(LIMESURVEY_CODES) and not plain.intersection(LIMESURVEY_TEXTS):
        raise DataError(
            f"{name} has none of the columns submitdate, lastpage and startlanguage, as exports of "
            "LimeSurvey do. Leave platform out to have it found."
        )


def _wordings(header: str) -> tuple[str, ...]:
    """The sub-question in brackets, the whole, and the question without its brackets."""
    text = plain_text(header)
    match = PART.fullmatch(text)
    parts = (match[2], text) if match else (text,)
    return tuple(part for part in parts if part)


def _notes(frame: pd.DataFrame, name: str) -> list[LedgerLine]:
    for column in frame.columns:
        if plain_answer(column) in ("submitdate", "date submitted"):
            n = int(frame[column].isna().sum())
            what = "answers never submitted (no submitdate), kept"
            return [LedgerLine("note", what, n, "rows", column, name)] if n else []
    return []
