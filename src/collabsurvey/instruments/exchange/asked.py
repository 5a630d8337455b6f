"""What is asked, in the order in which it is asked: the part that every format has in common.

Nothing here knows a platform; `questions` makes these from an instrument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from collabsurvey.instruments.describe import DRAFT_NOTE
from collabsurvey.instruments.exchange.names import code_text
from collabsurvey.instruments.model import Instrument, Item, ResponseSet

SLOT = re.compile(r"\{(\w+)\}")
INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

Kind = Literal["matrix", "single", "list", "number", "text"]
Texts = Mapping[str, str]  # language → text


@dataclass(frozen=True)
class Choice:
    """One answer offered."""

    code: float
    labels: Texts
    missing: bool = False  # "I cannot say" and the like

    @property
    def text(self) -> str:
        """The code as it stands in a file."""
        return code_text(self.code)


@dataclass(frozen=True)
class Answers:
    """A response set as it is offered."""

    name: str
    source: ResponseSet
    kind: Kind
    choices: tuple[Choice, ...]  # answers, then reasons for none; of a number the named ones

    def hint(self, language: str) -> str:
        """What the codes of a number mean: "0 = Certain not to happen; …"."""
        return "; ".join(f"{one.text} = {one.labels[language]}" for one in self.choices)

    @property
    def is_whole(self) -> bool:
        """Whether every code is a whole number."""
        return all(float(code).is_integer() for code in (*self.source.values, *self.source.missing))


@dataclass(frozen=True)
class Together:
    """Questions whose answers settle one another: ranks given once each, or points to share out."""

    kind: Literal["ranks", "points"]
    columns: tuple[str, ...]
    total: float  # of the points; of ranks the last one
    rule: Texts  # what to mind, in a sentence


@dataclass(frozen=True)
class Question:
    """One item about one partner, or about none."""

    column: str
    item: Item
    texts: Texts
    answers: Answers | None  # None where the instrument never said
    partner: str | None = None
    number: int = 0  # of the partner, from 1
    together: Together | None = None

    def note(self, language: str) -> str:
        """What to mind: the rule of ranks and points, and what codes of a number mean."""
        rule = self.together.rule[language] if self.together else ""
        is_number = self.answers is not None and self.answers.kind == "number"
        hint = self.answers.hint(language) if self.answers and is_number else ""
        return " ".join(part for part in (rule, hint) if part)


@dataclass(frozen=True)
class Block:
    """Neighbouring questions with the same answers: a matrix, or questions one by one."""

    answers: Answers | None
    questions: tuple[Question, ...]

    @property
    def together(self) -> Together | None:
        """The rule that all its questions share, if there is one."""
        return self.questions[0].together


@dataclass(frozen=True)
class Section:
    """All questions about one partner, or those about none."""

    partner: str | None
    number: int  # of the partner, from 1; 0 without one
    instructions: Texts
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Questionnaire:
    """An instrument ready to be written in any format."""

    instrument: Instrument
    languages: tuple[str, ...]
    partners: tuple[str, ...]
    sections: tuple[Section, ...]
    open_slots: tuple[str, ...]  # slots that nobody filled

    @property
    def questions(self) -> tuple[Question, ...]:
        """Every question, in order."""
        return tuple(q for section in self.sections for b in section.blocks for q in b.questions)

    @property
    def language(self) -> str:
        """The first language."""
        return self.languages[0]

    @property
    def about(self) -> tuple[str, ...]:
        """Sentences for the place where a format describes itself."""
        one = self.instrument
        status = DRAFT_NOTE if one.status == "draft" else f"Status {one.status}."
        lines = [f"{one.title}, version {one.version} ({one.id}). {status}"]
        if one.citation:
            lines.append(f"{one.citation.strip().rstrip('.')}. Licence: {one.licence.items}.")
        if self.partners:
            named = "; ".join(f"{n} {name}" for n, name in enumerate(self.partners, start=1))
            lines.append(f"Partners by the number behind the column name: {named}.")
        if self.open_slots:
            slots = ", ".join(f"{{{slot}}}" for slot in self.open_slots)
            lines.append(f"Words still to fill in: {slots}.")
        return tuple(plain(line) for line in lines)


def plain(text: str) -> str:
    """Text on one line, without control characters."""
    return " ".join(INVISIBLE.sub(" ", text).split())
