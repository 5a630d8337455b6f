"""Questions as they stand on the page: one block for each partner, groups of a dozen, answers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from collabsurvey.instruments.exchange import questions
from collabsurvey.instruments.exchange.names import code_text
from collabsurvey.instruments.exchange.questions import NOT_OFFERED, Questionnaire, Together
from collabsurvey.instruments.model import ResponseSet

Shape = Literal["side", "wide", "stack", "points", "number", "text"]

GROUP_SIZE = 12  # about what one screen of a desktop holds, and a page of paper
LONGEST_SIDE = 5  # answers that fit beside the question at 1280 pixels
OWN_SCHOOL = "\ue000"  # stands for the school in filled texts; no school is called by this sign
# "Left: we keep to routines. Right: we change them." The same two words in any language.
POLES = re.compile(r"([^:.]{2,15}: ?\S.*?[.;!?]) +([^:.]{2,15}: ?\S.*)", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """A piece of a sentence; `own_school` pieces follow the school that the respondent picks."""

    text: str
    own_school: bool = False
    capital: bool = False  # stands first in its sentence


@dataclass(frozen=True)
class Answer:
    """One circle to tick."""

    code: str
    label: str
    point: str = ""  # the number, where answers are called by numbers


@dataclass(frozen=True)
class Question:
    """One item about one partner, or about none."""

    column: str
    number: int
    text: tuple[tuple[Part, ...], ...]  # one sentence, or the two ends of a bipolar item
    shape: Shape
    answers: tuple[Answer, ...]
    others: tuple[Answer, ...]  # cannot say, no contact
    low: str
    high: str
    skipped: str  # code written for a question left open; "" where there is none


@dataclass(frozen=True)
class Group:
    """Neighbouring questions with the same answers, or each with statements to pick from."""

    id: str
    questions: tuple[Question, ...]
    anchors: tuple[tuple[str, str], ...]  # (0, "Certain not to happen"), where not all are named
    together: Together | None = None  # ranks, or points to share out
    rule: str = ""  # of these, in the page's language

    @property
    def first(self) -> int:
        """Number of the first question."""
        return self.questions[0].number

    @property
    def last(self) -> int:
        """Number of the last question."""
        return self.questions[-1].number


@dataclass(frozen=True)
class Block:
    """All questions about one partner, or those about no partner."""

    partner: str | None
    number: int  # of the partner, from 1; 0 without one
    instructions: tuple[Part, ...]
    groups: tuple[Group, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the answers, in order."""
        return tuple(q.column for group in self.groups for q in group.questions)


@dataclass(frozen=True)
class Wording:
    """What a text needs to be shown."""

    language: str
    own_school: str  # said until the respondent has named the school
    other_answers: Mapping[str, str]  # reason of a missing code → label where the file has none

    def parts(self, text: str) -> tuple[Part, ...]:
        """A text with the places of the respondent's own school marked."""
        parts: list[Part] = []
        for place, piece in enumerate(text.split(OWN_SCHOOL)):
            if place:
                first = not parts
                said = self.own_school
                parts.append(
                    Part(said[:1].upper() + said[1:] if first else said, True, capital=first)
                )
            if piece:
                parts.append(Part(piece))
        return tuple(parts)


def page_blocks(asked: Questionnaire, wording: Wording) -> tuple[Block, ...]:
    """Blocks in the order of the questionnaire; the questions about a partner once for each."""
    return tuple(
        Block(
            section.partner,
            section.number,
            wording.parts(_instructions(section, wording.language)),
            tuple(_groups(section, wording)),
        )
        for section in asked.sections
    )


def _instructions(section: questions.Section, language: str) -> str:
    """What is read first; nothing where it speaks of a partner and the questions do not."""
    text = section.instructions.get(language, "")
    return "" if "{partner}" in text else text


def _groups(section: questions.Section, wording: Wording) -> Iterator[Group]:
    every = [question for block in section.blocks for question in block.questions]
    n_groups = n_asked = 0
    for _, same in groupby(every, key=_alike):
        for some in _dozens(list(same)):
            shown = tuple(
                _question(question, wording, n_asked + place)
                for place, question in enumerate(some, start=1)
            )
            n_asked += len(some)
            n_groups += 1
            named = some[0].answers if shown[0].shape in ("points", "number") else None
            anchors = _anchors(named.source, wording.language) if named else ()
            together = some[0].together
            rule = together.rule[wording.language] if together else ""
            name = f"group-{section.number}-{n_groups}"
            yield Group(name, shown, anchors, together, rule)


def _alike(question: questions.Question) -> tuple[str | None, tuple[str, ...]]:
    """What neighbours in a group share: the answers, or that each has statements of its own."""
    is_pick = question.answers is not None and question.answers.source.type == "nominal"
    response = "" if is_pick else question.item.response
    return response, question.together.columns if question.together else ()


def _dozens(every: list[questions.Question]) -> Iterator[list[questions.Question]]:
    """Runs of at most a dozen, of equal length as nearly as can be; what belongs together stays."""
    n_parts = 1 if every[0].together else math.ceil(len(every) / GROUP_SIZE)
    for part in range(n_parts):
        yield every[part * len(every) // n_parts : (part + 1) * len(every) // n_parts]


def _question(question: questions.Question, wording: Wording, number: int) -> Question:
    if question.answers is None:  # the caller has refused these with a sentence
        raise TypeError(question.column)
    source = question.answers.source
    text = question.texts[wording.language]
    poles = POLES.fullmatch(text) if source.type == "bipolar" else None
    labels = source.labels.get(wording.language, {})
    shape: Shape
    if source.type == "text":
        shape = "text"
    elif source.type == "bounded":
        shape = "number"
    elif source.type == "nominal":
        shape = "stack"
    elif any(value not in labels for value in source.values):
        shape = "points"
    else:
        shape = "side" if len(source.values) <= LONGEST_SIDE and not poles else "wide"
    shown: Sequence[float] = () if shape == "number" else source.values
    skipped = [code for code, reason in source.missing.items() if reason in NOT_OFFERED]
    return Question(
        column=question.column,
        number=number,
        text=tuple(wording.parts(one) for one in (poles.groups() if poles else (text,))),
        shape=shape,
        answers=tuple(
            Answer(code_text(v), labels.get(v, ""), code_text(v) if shape == "points" else "")
            for v in shown
        ),
        others=_other_answers(source, wording),
        low=code_text(source.low) if source.values else "",
        high=code_text(source.high) if source.values else "",
        skipped=code_text(skipped[0]) if skipped else "",
    )


def _other_answers(source: ResponseSet, wording: Wording) -> tuple[Answer, ...]:
    """Answers such as "I cannot say"; codes for questions left blank are nobody's answer."""
    labels = source.missing_labels.get(wording.language, {})
    return tuple(
        Answer(
            code_text(code),
            labels.get(code)
            or wording.other_answers.get(reason)
            or reason.replace("_", " ").capitalize(),
        )
        for code, reason in source.missing.items()
        if reason not in NOT_OFFERED
    )


def _anchors(source: ResponseSet, language: str) -> tuple[tuple[str, str], ...]:
    labels = source.labels.get(language, {})
    return tuple((code_text(value), labels[value]) for value in sorted(labels))
