"""Qualtrics survey as a text file in the advanced format.

Tags after https://www.qualtrics.com/support/survey-platform/survey-module/survey-tools/
import-and-export-surveys/#PreparingAnAdvancedFormatTXTFile: `[[ID:…]]` names the column,
`[[Choice:4]]` and `[[Answer:4]]` set the recode value. Qualtrics calls the rows of a matrix by
number: the six items tru.expect.01 to .06 are the matrix `tru_expect_0`, whose columns
`tru_expect_0_1` to `tru_expect_0_6` have the letters and digits of the items. Items that are not
numbered so, and questions repeated for partners, stand alone under their own name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from collabsurvey.instruments.exchange.asked import (
    Answers,
    Block,
    Choice,
    Question,
    Questionnaire,
    Section,
)
from collabsurvey.instruments.exchange.texts import html_text

NUMBERED = re.compile(r"(?P<stem>.*[A-Za-z_]0*)(?P<number>[1-9])")


def advanced_text(asked: Questionnaire) -> str:
    """Return the survey, in the first language."""
    lines = ["[[AdvancedFormat]]"]
    one = asked.instrument
    status = f"{one.version}, {one.status}"
    for section in asked.sections:
        about = f"About {section.number} {section.partner}: " if section.partner else ""
        lines += ["", f"[[Block:{_text(f'{about}{one.title} ({status})')}]]"]
        lines += _introduction(section, asked.language)
        for block in section.blocks:
            lines += _block(block, asked.language)
    return "\n".join(lines) + "\n"


def _introduction(section: Section, language: str) -> list[str]:
    if not section.instructions:
        return []
    name = f"introduction_{section.number}" if section.number else "introduction"
    return ["", "[[Question:DB]]", f"[[ID:{name}]]", _text(section.instructions[language])]


def _block(block: Block, language: str) -> list[str]:
    answers, stem = block.answers, _matrix_name(block)
    if answers is None:  # refused before; see `export`
        return []
    if not stem:
        return [line for q in block.questions for line in _alone(q, answers, language)]
    return [
        "",
        "[[Question:Matrix]]",
        f"[[ID:{stem}]]",
        # The statements are whole sentences, but a matrix wants a text above them.
        _text(block.questions[0].note(language)) or "&nbsp;",
        "[[Choices]]",
        *(_text(question.texts[language]) for question in block.questions),
        "[[AdvancedAnswers]]",
        *_offered("Answer", answers.choices, language),
    ]


def _alone(question: Question, answers: Answers, language: str) -> list[str]:
    kinds = {"list": "MC:Dropdown", "number": "TE:SingleLine", "text": "TE:SingleLine"}
    kind = kinds.get(answers.kind, "MC:SingleAnswer:Vertical")
    text = _text(question.texts[language])
    if note := question.note(language):
        text = f"{text}<br>{_text(note)}"
    head = ["", f"[[Question:{kind}]]", f"[[ID:{question.column}]]", text]
    if answers.kind in ("number", "text"):
        return head
    return [*head, "[[AdvancedChoices]]", *_offered("Choice", answers.choices, language)]


def _offered(tag: str, choices: Sequence[Choice], language: str) -> list[str]:
    return [
        line for one in choices for line in (f"[[{tag}:{one.text}]]", _text(one.labels[language]))
    ]


def _matrix_name(block: Block) -> str:
    """What the names of all rows share, where they are numbered 1, 2, 3; "" for no matrix."""
    if block.answers is None or block.answers.kind != "matrix" or len(block.questions) < 2:
        return ""
    if any(question.partner for question in block.questions):
        return ""
    found = [NUMBERED.fullmatch(question.column) for question in block.questions]
    stems = {match["stem"] for match in found if match}
    numbers = [int(match["number"]) for match in found if match]
    whole = len(stems) == 1 and numbers == list(range(1, len(found) + 1))
    return stems.pop().rstrip("_") if whole else ""


def _text(text: str) -> str:
    """HTML on one line in which nothing is a tag of the format or a piped text."""
    safe = html_text(text)
    for sign, entity in (("[[", "&#91;&#91;"), ("]]", "&#93;&#93;"), ("${", "$&#123;")):
        safe = safe.replace(sign, entity)
    return safe
