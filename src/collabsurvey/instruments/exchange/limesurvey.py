"""LimeSurvey survey structure as tab-separated values (.txt).

Written after https://www.limesurvey.org/manual/Tab_Separated_Value_survey_structure and the
import of LimeSurvey 3 to 6: S and SL rows describe the survey, G, Q, SQ and A rows its groups,
questions, sub-questions and answers, once for each language in the same order. Every question is
an array (type F; K of numbers, Q of short texts), so that the parts of a column's name fit; texts
are HTML, and a brace followed by a blank is no expression. Answer codes have no sign: -8 is `n8`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from collabsurvey.errors import NotSupportedError
from collabsurvey.instruments.exchange.asked import Answers, Block, Questionnaire, Section
from collabsurvey.instruments.exchange.names import (
    code_text,
    limesurvey_answer,
    limesurvey_code,
)
from collabsurvey.instruments.exchange.texts import csv_text, html_text

COLUMNS = (
    "class",
    "type/scale",
    "name",
    "relevance",
    "text",
    "help",
    "language",
    "validation",
    "mandatory",
    "other",
    "default",
    "same_default",
    "use_dropdown",
    "min_num_value_n",
    "max_num_value_n",
    "num_value_int_only",
)
TYPES = {"number": "K", "text": "Q"}  # of answers that are written; all others are arrays (F)
WHOLE_CODES = ("pt-br", "zh-hans", "zh-hant-tw", "zh-hant-hk", "es-mx", "es-ar", "es-cl")
# Codes that LimeSurvey keeps for itself.
RESERVED = {"lang", "sid", "savedid", "token", "qid", "gid", "sgq", "self", "that", "this", "time"}

Row = dict[str, str]


@dataclass(frozen=True)
class _Named:
    """A block with the codes of its question and sub-questions."""

    block: Block
    answers: Answers
    code: str
    parts: tuple[str, ...]


def structure(asked: Questionnaire) -> str:
    """Return the survey structure."""
    languages = {language: language_code(language) for language in asked.languages}
    base, *others = dict.fromkeys(languages.values())
    rows: list[Row] = [
        {"class": "S", "name": "language", "text": base},
        {"class": "S", "name": "additional_languages", "text": " ".join(others)},
        {"class": "S", "name": "format", "text": "G"},
    ]
    one = asked.instrument
    title = f"{one.title} (draft)" if one.status == "draft" else one.title
    for code in languages.values():
        for name, text in (
            ("surveyls_title", title),
            ("surveyls_description", " ".join(asked.about)),
        ):
            rows.append({"class": "SL", "name": name, "text": _text(text), "language": code})
    taken = set(RESERVED)
    named = [
        [one for block in section.blocks for one in _named(block, taken)]
        for section in asked.sections
    ]
    for language, code in languages.items():
        for number, (section, blocks) in enumerate(zip(asked.sections, named, strict=True), 1):
            group = _group(section, number, one.title, language)
            questions = [row for one in blocks for row in _question(one, language)]
            rows += [{**row, "language": code} for row in (group, *questions)]
    return csv_text(
        COLUMNS, [[row.get(column, "") for column in COLUMNS] for row in rows], delimiter="\t"
    )


def language_code(language: str) -> str:
    """LimeSurvey's code of a language: en for en-GB, pt-BR as it is."""
    return language if language.casefold() in WHOLE_CODES else language.partition("-")[0].lower()


def _named(block: Block, taken: set[str]) -> list[_Named]:
    """Codes of a block; questions whose names share no start become blocks of their own."""
    if block.answers is None:  # refused before; see `export`
        raise ValueError(block)
    try:
        code, parts = limesurvey_code([question.column for question in block.questions], taken)
    except NotSupportedError:
        if len(block.questions) == 1:
            raise
        by_construct = groupby(block.questions, key=lambda question: question.item.construct_id)
        some = [tuple(group) for _, group in by_construct]
        smaller = some if len(some) > 1 else [(question,) for question in block.questions]
        return [one for few in smaller for one in _named(Block(block.answers, few), taken)]
    return [_Named(block, block.answers, code, parts)]


def _group(section: Section, number: int, title: str, language: str) -> Row:
    return {
        "class": "G",
        "type/scale": str(number),
        "name": _text(section.partner or title),
        "relevance": "1",
        "text": _text(section.instructions.get(language, "")),
    }


def _question(named: _Named, language: str) -> list[Row]:
    answers = named.answers
    kind: Row = {"type/scale": TYPES.get(answers.kind, "F")}
    if answers.kind == "number":
        kind |= _limits(answers)
    if answers.kind == "list":
        kind["use_dropdown"] = "1"
    question = {
        "class": "Q",
        "name": named.code,
        "relevance": "1",
        "text": _text(named.block.questions[0].note(language)),
        "mandatory": "N",
        "other": "N",
        **kind,
    }
    parts = [
        {
            "class": "SQ",
            "type/scale": "0",
            "name": part,
            "relevance": "1",
            "text": _text(asked.texts[language]),
        }
        for asked, part in zip(named.block.questions, named.parts, strict=True)
    ]
    return [question, *parts, *_offered(answers, language)]


def _offered(answers: Answers, language: str) -> list[Row]:
    if answers.kind == "number":
        return []
    return [
        {
            "class": "A",
            "type/scale": "0",
            "name": limesurvey_answer(one.code),
            "text": _text(one.labels[language]),
        }
        for one in answers.choices
    ]


def _limits(answers: Answers) -> Row:
    """Limits of a free number; its codes for no answer lie inside them."""
    codes = [answers.source.low, answers.source.high]
    codes += [one.code for one in answers.choices if one.missing]
    return {
        "min_num_value_n": code_text(min(codes)),
        "max_num_value_n": code_text(max(codes)),
        "num_value_int_only": "1" if answers.is_whole else "0",
    }


def _text(text: str) -> str:
    """HTML in which no brace begins an expression."""
    return html_text(text).replace("{", "{ ")
