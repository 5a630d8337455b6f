"""The items as a table (CSV): one row for each question, with its key and where it is scored."""

from __future__ import annotations

from collections.abc import Iterator

from collabsurvey.instruments.exchange.asked import Question, Questionnaire
from collabsurvey.instruments.exchange.names import code_text
from collabsurvey.instruments.exchange.texts import csv_text, spreadsheet_text


def item_table(asked: Questionnaire) -> str:
    """Return the table."""
    header, *rows = item_rows(asked)
    return csv_text(header, [[spreadsheet_text(cell) for cell in row] for row in rows])


def item_rows(asked: Questionnaire) -> Iterator[list[str]]:
    """Header, then one row for each question."""
    one = asked.instrument
    yield [
        "id",
        "column",
        "partner",
        *(f"text_{language}" for language in asked.languages),
        "response",
        "type",
        *(f"answers_{language}" for language in asked.languages),
        "not_answers",
        "keyed",
        "reversed",
        "polarity",
        "construct",
        "scales",
        "forms",
        "instrument",
        "version",
        "status",
        "licence",
    ]
    for question in asked.questions:
        item = question.item
        scales = [scale.id for scale in one.scoring if item.id in scale.items]
        yield [
            item.id,
            question.column,
            question.partner or "",
            *(question.texts[language] for language in asked.languages),
            item.response or "",
            question.answers.source.type if question.answers else "",
            *(_answers(question, language) for language in asked.languages),
            _not_answers(question),
            str(item.keyed),
            "yes" if item.keyed == -1 else "no",
            item.polarity,
            item.construct_id or "",
            "; ".join(scales),
            "; ".join(item.forms),
            one.id,
            one.version,
            one.status,
            one.licence.items,
        ]


def _answers(question: Question, language: str) -> str:
    """Answers as "Strongly disagree = 1 | Disagree = 2"; of a range its ends and names."""
    if question.answers is None:
        return ""
    source = question.answers.source
    labels = source.labels.get(language, {})
    named = sorted({*source.values, *labels}) if source.type == "bounded" else source.values
    return " | ".join(
        f"{labels[code]} = {code_text(code)}" if code in labels else code_text(code)
        for code in named
    )


def _not_answers(question: Question) -> str:
    """Codes that are no answers: "cannot_say = -8 | …"."""
    missing = question.answers.source.missing if question.answers else {}
    return " | ".join(f"{reason} = {code_text(code)}" for code, reason in missing.items())
