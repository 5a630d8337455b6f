"""REDCap data dictionary: a CSV of 18 columns.

The columns, their order and their rules are those of
https://linkml.io/linkml-redcap/reference/data_dictionary/ and of REDCap's help text "How do I
make a Data Dictionary file": the first field is the record id, choices are `1, Label | 2, Label`,
neighbours of the same matrix group are shown as one table. Labels are HTML. REDCap makes one
underscore of two (https://github.com/uwrit/leaf/issues/263), so the column of the second partner is
`tru_expect_01_p2`. Ranks are no "matrix ranking" of REDCap, which would let one row only say "I
cannot say"; a field note gives the rule.
"""

from __future__ import annotations

from collabsurvey.instruments.exchange.asked import (
    Answers,
    Block,
    Question,
    Questionnaire,
    Section,
)
from collabsurvey.instruments.exchange.names import code_text, redcap_name
from collabsurvey.instruments.exchange.texts import csv_text, html_text, spreadsheet_text

COLUMNS = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)
RECORD = "record_id"

Row = dict[str, str]


def data_dictionary(asked: Questionnaire) -> str:
    """Return the data dictionary, in the first language."""
    form = redcap_name(asked.instrument.id)
    rows: list[Row] = [
        {
            COLUMNS[0]: RECORD,
            "Field Type": "text",
            "Field Label": "Record ID",
            "Field Annotation": spreadsheet_text(" ".join(asked.about)),
        }
    ]
    matrices = 0
    for section in asked.sections:
        rows += _introduction(section, asked.language)
        for block in section.blocks:
            matrices += 1
            rows += _block(block, f"{form[:40]}_m{matrices}", asked.language)
    filled = [{"Form Name": form, **row} for row in rows]
    return csv_text(COLUMNS, [[row.get(column, "") for column in COLUMNS] for row in filled])


def _introduction(section: Section, language: str) -> list[Row]:
    """The partner's name as a header, and what is read before the questions."""
    header = html_text(section.partner) if section.partner is not None else ""
    text = html_text(section.instructions.get(language, ""))
    if not header and not text:
        return []
    return [
        {
            COLUMNS[0]: f"introduction_{section.number or 'all'}",
            "Section Header": header,
            "Field Type": "descriptive",
            "Field Label": text or header,
        }
    ]


def _block(block: Block, matrix: str, language: str) -> list[Row]:
    rows = [_question(question, language) for question in block.questions]
    if block.answers is not None and block.answers.kind == "matrix" and len(rows) > 1:
        rows = [{**row, "Matrix Group Name": matrix} for row in rows]
    return rows


def _question(question: Question, language: str) -> Row:
    answers = question.answers
    row = {
        COLUMNS[0]: redcap_name(question.item.id, question.number),
        "Field Label": html_text(question.texts[language]),
        "Field Annotation": f"item {question.item.id}",
        "Field Note": html_text(question.note(language)),
    }
    if answers is None:  # refused before; see `export`
        return row
    if answers.kind == "text":
        return {**row, "Field Type": "notes"}
    if answers.kind == "number":
        return {**row, **_number(answers)}
    listed = answers.kind == "list"
    return {
        **row,
        "Field Type": "dropdown" if listed else "radio",
        COLUMNS[5]: _choices(answers, language),
        COLUMNS[7]: "autocomplete" if listed else "",
    }


def _number(answers: Answers) -> Row:
    """A free number; its codes for no answer lie inside the limits."""
    codes = [answers.source.low, answers.source.high]
    codes += [one.code for one in answers.choices if one.missing]
    return {
        "Field Type": "text",
        COLUMNS[7]: "integer" if answers.is_whole else "number",
        "Text Validation Min": code_text(min(codes)),
        "Text Validation Max": code_text(max(codes)),
    }


def _choices(answers: Answers, language: str) -> str:
    """Choices as REDCap reads them; a blank before a minus keeps spreadsheets from computing."""
    listed = " | ".join(
        f"{one.text}, {html_text(one.labels[language]).replace('|', '&#124;')}"
        for one in answers.choices
    )
    return f" {listed}" if listed.startswith("-") else listed
