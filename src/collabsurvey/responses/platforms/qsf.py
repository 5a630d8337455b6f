"""A Qualtrics survey file (.qsf): which answers each question offered, and their recode values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collabsurvey.errors import DataError
from collabsurvey.responses.encoding import BYTE_ORDER_MARKS
from collabsurvey.responses.platforms.export import Choices, plain_answer, plain_text
from collabsurvey.responses.tables import read_bytes, refuse_path

LARGEST_QSF = 200_000_000  # bytes
SINGLE_CHOICE = {"SAVR", "SAHR", "SACOL", "DL", "SB", "NPS"}  # selectors of multiple choice
SINGLE_MATRIX = {"SingleAnswer", "DL"}  # what a row of a matrix takes


@dataclass(frozen=True)
class Question:
    """One question of the survey, or one column of a side-by-side question."""

    id: str  # QID4, or QID10#2 for the second column side by side
    tag: str  # its name in the export
    text: str
    choices: Choices = field(default_factory=dict)  # recode value → labels; {} for free text
    rows: Mapping[str, str] = field(default_factory=dict)  # row of a matrix → its statement
    row_tags: Mapping[str, str] = field(default_factory=dict)  # row → its name in the export


@dataclass(frozen=True)
class Qsf:
    """The questions of a survey by id."""

    questions: Mapping[str, Question]

    def at(self, import_id: str) -> tuple[Question, str] | None:
        """Question and matrix row of an ImportId such as QID4-1, QID4_1, QID10#2-1 or 1_QID4."""
        question_id, row = split_import_id(import_id)
        question = self.questions.get(question_id)
        if question is None or "text" in row.casefold():
            return None
        return question, row

    def named(self, column: str, wording: str) -> tuple[Question, str] | None:
        """Question and row of a column name, for exports without ImportIds.

        Where several questions have the name (row tags may repeat), the wording decides.
        """
        found = [
            (question, row)
            for question in self.questions.values()
            for row, name in _column_names(question)
            if name == column
        ]
        if len(found) > 1:
            found = [(q, row) for q, row in found if _is_wording_of(q, row, wording)]
        return found[0] if len(found) == 1 else None


def read_qsf(path: str | Path) -> Qsf:
    """Read a .qsf; raise where it is not one."""
    file = Path(path)
    refuse_path(file)
    raw = read_bytes(file)
    if len(raw) > LARGEST_QSF:
        raise DataError(
            f"{file.name} is larger than {LARGEST_QSF // 1_000_000} MB: no survey file."
        )
    for mark, _ in BYTE_ORDER_MARKS:
        raw = raw.removeprefix(mark)
    try:
        data = json.loads(raw)
        elements = data["SurveyElements"]
        payloads = [
            element["Payload"]
            for element in elements
            if element["Element"] == "SQ" and isinstance(element.get("Payload"), dict)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(
            f"{file.name} is not a Qualtrics survey file. In Qualtrics choose Tools > "
            "Import/Export > Export Survey, and name that .qsf as definition."
        ) from None
    questions: dict[str, Question] = {}
    for payload in payloads:
        for question in _questions_of(payload):
            questions[question.id] = question
    return Qsf(questions)


def split_import_id(import_id: str) -> tuple[str, str]:
    """Question id and what follows: 'QID10#2-1-1' is 'QID10#2' and '1-1'.

    A loop's number in front ('1_QID4') is left out: every round asks the same question.
    """
    start = import_id.find("QID")
    if start < 0:
        return "", ""
    text = import_id[start:]
    for place, character in enumerate(text):
        if character in "-_":
            return text[:place], text[place + 1 :]
    return text, ""


def _questions_of(payload: Mapping[str, Any]) -> list[Question]:
    question_id, tag = str(payload.get("QuestionID", "")), str(payload.get("DataExportTag", ""))
    text = plain_text(str(payload.get("QuestionText", "")))
    kind, selector = payload.get("QuestionType"), payload.get("Selector")
    choices = _displays(payload.get("Choices"))
    if kind == "MC" and selector in SINGLE_CHOICE:
        return [Question(question_id, tag, text, _recoded(choices, payload))]
    if kind == "Matrix" and payload.get("SubSelector") in SINGLE_MATRIX:
        answers = _recoded(_displays(payload.get("Answers")), payload)
        tags = _named(payload.get("ChoiceDataExportTags"))
        return [Question(question_id, tag, text, answers, choices, tags)]
    if kind == "SBS" and isinstance(payload.get("AdditionalQuestions"), dict):
        tags = _named(payload.get("ChoiceDataExportTags"))
        return [
            _side_by_side(f"{question_id}#{number}", f"{tag}#{number}", part, choices, tags)
            for number, part in payload["AdditionalQuestions"].items()
            if isinstance(part, dict)
        ]
    return [Question(question_id, tag, text, {}, choices)]


def _side_by_side(
    question_id: str,
    tag: str,
    part: Mapping[str, Any],
    rows: Mapping[str, str],
    tags: Mapping[str, str],
) -> Question:
    text = plain_text(str(part.get("QuestionText", "")))
    answers: Choices = {}
    if part.get("SubSelector") in SINGLE_MATRIX or part.get("Selector") in SINGLE_MATRIX:
        answers = _recoded(_displays(part.get("Answers")), part)
    return Question(question_id, tag, text, answers, rows, tags)


def _displays(choices: object) -> dict[str, str]:
    """Choice number → what it says; Qualtrics writes an empty mapping as a list."""
    if isinstance(choices, list):
        choices = {str(number): one for number, one in enumerate(choices, start=1)}
    if not isinstance(choices, dict):
        return {}
    return {
        str(number): plain_text(str(one.get("Display", "")))
        for number, one in choices.items()
        if isinstance(one, dict)
    }


def _recoded(choices: Mapping[str, str], payload: Mapping[str, Any]) -> Choices:
    recodes = _named(payload.get("RecodeValues"))
    found: dict[str, tuple[str, ...]] = {}
    for number, label in choices.items():
        value = recodes.get(number, number)
        found[value] = (*found.get(value, ()), label)
    return found


def _named(values: object) -> dict[str, str]:
    if isinstance(values, list):
        values = {str(number): one for number, one in enumerate(values, start=1)}
    if not isinstance(values, dict):
        return {}
    return {str(key): str(value) for key, value in values.items()}


def _column_names(question: Question) -> list[tuple[str, str]]:
    """Row and the name its column may have: Q3_1, Q3_question_one, question_one."""
    if not question.rows:
        return [("", question.tag)]
    names: list[tuple[str, str]] = []
    for row in question.rows:
        names.append((row, f"{question.tag}_{row}"))
        if tag := question.row_tags.get(row):
            names += [(row, tag), (row, f"{question.tag}_{tag}")]
    return list(dict.fromkeys(names))


def _is_wording_of(question: Question, row: str, wording: str) -> bool:
    """Whether a header such as 'the question, cut off...-the statement' is about this row."""
    plain = plain_answer(wording)
    statement = plain_answer(question.rows.get(row, ""))
    start = plain.removesuffix(statement).rstrip("- ").removesuffix("...")
    return plain.endswith(statement) and plain_answer(question.text).startswith(start)
