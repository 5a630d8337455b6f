"""Microsoft Forms and Google Forms: the questions are the headers, times and names come first."""

from __future__ import annotations

import re

from collabsurvey.errors import DataError
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.platforms.detect import FORMS_ENDS, FORMS_STARTS, TIMESTAMPS
from collabsurvey.responses.platforms.export import (
    TITLES,
    Export,
    Source,
    plain_answer,
    plain_text,
    table_of,
)

GRID_ROW = re.compile(r".*\S\s*\[(?P<row>[^\[\]]+)\]\s*", re.DOTALL)
QUIZ = re.compile(r"(points|feedback|punkte|score|total points|quiz feedback)\b", re.IGNORECASE)


def read_forms(source: Source, *, platform: str) -> Export:
    """Read the table of answers of a form."""
    header = source.lines.rows[0]
    plain = [plain_answer(name) for name in header]
    named = set(plain)
    is_form = (
        bool(FORMS_STARTS & named or FORMS_ENDS & named)
        if platform == "microsoft_forms"
        else bool(plain and plain[0] in TIMESTAMPS)
    )
    if not is_form:
        expected = "Start time" if platform == "microsoft_forms" else "Timestamp"
        raise DataError(
            f"{source.name} has no column {expected!r}, as tables of {TITLES[platform]} do. Leave "
            "platform out to have it found."
        )
    table = table_of(source)
    frame, lines, names = table.frame, table.lines, table.names
    wording = {column: _wordings(names[column]) for column in names}
    quiz = [column for column in names if QUIZ.match(names[column])]
    if quiz:
        what = "columns of points and feedback are no answers"
        lines = (*lines, LedgerLine("note", what, len(quiz), "columns", source=source.name))
        wording = {column: said for column, said in wording.items() if column not in quiz}
    respondent = next((c for c in names if plain_answer(c) == "id"), None)
    return Export(
        platform,
        frame,
        lines,
        wording=wording,
        names=names,
        respondent=respondent,
        hint="A cell that joins several answers (; or ,) belongs to a question of several choices.",
    )


def _wordings(header: str) -> tuple[str, ...]:
    """The whole header, and the row of a grid: 'Question [row]'."""
    text = plain_text(header)
    grid = GRID_ROW.fullmatch(text)
    return (text, grid["row"].strip()) if grid else (text,)
