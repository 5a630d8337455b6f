"""XLSForm (.xlsx), for ODK, KoboToolbox, Enketo and SurveyCTO.

Sheets survey, choices and settings as in https://xlsform.org/en/ref-table/ and
https://docs.getodk.org/form-language (`label::English (en)`); a matrix is a group with the
appearance `table-list`, a range of whole numbers a list with the appearance `minimal`. A sheet
`about`, which converters pass over, holds status, licence, partners and the scoring key.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence

from collabsurvey.errors import MissingPackageError
from collabsurvey.instruments.exchange.asked import (
    Answers,
    Block,
    Question,
    Questionnaire,
    Section,
    Texts,
)
from collabsurvey.instruments.exchange.item_table import item_rows
from collabsurvey.instruments.exchange.names import code_text
from collabsurvey.instruments.exchange.texts import spreadsheet_text

LANGUAGES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "ga": "Irish", "gd": "Scottish Gaelic", "he": "Hebrew", "hi": "Hindi",
    "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "is": "Icelandic", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "mt": "Maltese",
    "nb": "Norwegian Bokmål", "nl": "Dutch", "nn": "Norwegian Nynorsk", "no": "Norwegian",
    "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak",
    "sl": "Slovenian", "so": "Somali", "sq": "Albanian", "sr": "Serbian", "sv": "Swedish",
    "ta": "Tamil", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip
MARKDOWN = re.compile(r"[\\*_]|^#")
OPENING = re.compile(r"<(?=[A-Za-z/!])")  # what a form would take for a tag

Row = dict[str, str]


def xlsform(asked: Questionnaire) -> bytes:
    """Return the workbook."""
    languages = _language_names(asked.languages)
    survey: list[Row] = []
    groups = 0
    for section in asked.sections:
        survey += _opened(section, languages)
        for block in section.blocks:
            groups += 1
            survey += _block(block, f"g{groups}", languages)
        if section.number:
            survey.append({"type": "end_group"})
    used = {q.answers.name: q.answers for q in asked.questions if q.answers and q.answers.choices}
    used = {name: answers for name, answers in used.items() if answers.kind != "number"}
    choices = [
        {
            "list_name": list_name(name),
            "name": choice.text,
            **_said("label", choice.labels, languages),
        }
        for name, answers in used.items()
        for choice in answers.choices
    ]
    one = asked.instrument
    settings = {
        "form_title": f"{one.title} (draft)" if one.status == "draft" else one.title,
        "form_id": list_name(one.id),
        "version": one.version,
        "default_language": languages[asked.language],
    }
    labels = [f"label::{name}" for name in languages.values()]
    hints = [f"hint::{name}" for name in languages.values()]
    says = [f"constraint_message::{name}" for name in languages.values()]
    columns = ("type", "name", *labels, *hints, "required", "constraint", *says, "appearance")
    header, *key = item_rows(asked)
    sheets: dict[str, list[list[str]]] = {
        "survey": _table(columns, survey),
        "choices": _table(("list_name", "name", *labels), choices),
        "settings": _table(tuple(settings), [settings]),
        "about": [*([line] for line in asked.about), [], list(header), *map(list, key)],
    }
    return _workbook(sheets)


def list_name(name: str) -> str:
    """A name for a list or form: letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")


def _opened(section: Section, languages: Mapping[str, str]) -> list[Row]:
    """The group of a partner, and what is read before its questions."""
    rows: list[Row] = []
    name = f"p{section.number}" if section.number else ""
    if section.partner is not None:
        label = dict.fromkeys(languages, section.partner)
        rows.append({"type": "begin_group", "name": name, **_said("label", label, languages)})
    if section.instructions:
        note = f"introduction{section.number or ''}"
        rows.append(
            {"type": "note", "name": note, **_said("label", section.instructions, languages)}
        )
    return rows


def _block(block: Block, name: str, languages: Mapping[str, str]) -> list[Row]:
    rows = [_question(question, languages) for question in block.questions]
    if block.answers is None or block.answers.kind != "matrix" or len(rows) < 2:
        return rows
    begin = {"type": "begin_group", "name": name, "appearance": "table-list"}
    return [begin, *rows, {"type": "end_group"}]


def _question(question: Question, languages: Mapping[str, str]) -> Row:
    answers = question.answers
    if answers is None:  # refused before; see `export`
        return {}
    row = {"name": question.column, "required": "no"}
    row |= _said("label", question.texts, languages)
    notes = {language: question.note(language) for language in question.texts}
    if any(notes.values()):
        row |= _said("hint", notes, languages)
    row |= _constraint(question, answers, languages)
    if answers.kind == "text":
        return {"type": "text", **row}
    if answers.kind != "number":
        appearance = {"appearance": "minimal"} if answers.kind == "list" else {}
        return {"type": f"select_one {list_name(answers.name)}", **row, **appearance}
    return {"type": "integer" if answers.is_whole else "decimal", **row}


def _constraint(question: Question, answers: Answers, languages: Mapping[str, str]) -> Row:
    """What must be true of an answer; a blank one is never checked.

    A rank differs from those before it, and the last points make up the total: checked against
    questions further on, no answer could be mended without emptying another first.
    """
    together = question.together
    rule = ""
    if together is not None:
        before = together.columns[: together.columns.index(question.column)]
        if together.kind == "ranks":
            rule = " and ".join(f". != ${{{column}}}" for column in before)
        elif len(before) == len(together.columns) - 1:
            rule = _sum_rule(answers, before, together.total)
    inside = []
    if answers.kind == "number":
        low, high = code_text(answers.source.low), code_text(answers.source.high)
        inside = [f". >= {low} and . <= {high}"]
    allowed = " and ".join([*inside, *([rule] if rule else [])])
    if not allowed:
        return {}
    codes = [f". = {one.text}" for one in answers.choices if one.missing]
    row = {"constraint": " or ".join([f"({allowed})", *codes])}
    if rule and together is not None:
        row |= _said("constraint_message", together.rule, languages)
    return row


def _sum_rule(answers: Answers, before: Sequence[str], total: float) -> str:
    """Points add up to the total, unless one before is blank or no number of points."""
    low = code_text(answers.source.low)
    gaps = [f"${{{column}}} = '' or ${{{column}}} < {low}" for column in before]
    added = " + ".join([*(f"${{{column}}}" for column in before), "."])
    return f"({' or '.join(gaps)} or {added} = {code_text(total)})"


def _said(column: str, texts: Texts, languages: Mapping[str, str]) -> Row:
    return {f"{column}::{name}": _form_text(texts[lang]) for lang, name in languages.items()}


def _form_text(text: str) -> str:
    """Text that neither the converter nor a form reads as a reference, a tag or Markdown."""
    no_reference = text.replace("${", "$ {")
    return MARKDOWN.sub(lambda sign: f"\\{sign[0]}", OPENING.sub("< ", no_reference))


def _language_names(languages: Sequence[str]) -> dict[str, str]:
    """Language → its name in the form: English (en); the whole code where two share one."""
    main = [language.partition("-")[0].casefold() for language in languages]
    return {
        language: f"{LANGUAGES.get(short, short)} ({short if main.count(short) == 1 else language})"
        for language, short in zip(languages, main, strict=True)
    }


def _table(columns: Sequence[str], rows: Iterable[Row]) -> list[list[str]]:
    """Header and rows, without columns that hold nothing."""
    listed = list(rows)
    used = [column for column in columns if any(row.get(column) for row in listed)]
    return [used, *([row.get(column, "") for column in used] for row in listed)]


def _workbook(sheets: Mapping[str, Sequence[Sequence[str]]]) -> bytes:
    """A workbook of text cells."""
    try:
        import openpyxl
    except ImportError:
        raise MissingPackageError("openpyxl", purpose="Writing an XLSForm", extra="files") from None
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for number, row in enumerate(rows, start=1):
            for place, text in enumerate(row, start=1):
                if text:
                    cell = sheet.cell(number, place)
                    cell.value = spreadsheet_text(text)
                    cell.data_type = "s"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
