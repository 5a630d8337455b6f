"""An instrument as plain text for a terminal: what it is, its scales with their questions, use."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from collabsurvey.instruments.hypotheses import hypotheses_of
from collabsurvey.instruments.model import Construct, Instrument, Item, ResponseSet, Scale
from collabsurvey.instruments.next_steps import next_steps
from collabsurvey.instruments.page import (
    DIRECTIONS,
    KINDS,
    MODELS,
    STATUS_WORDS,
    answered_by,
    choices,
    minutes,
    rule_words,
    shown_range,
    sign,
    source_language,
)

WIDTH = 96
NOT_DISTRIBUTED = "(text not distributed)"


def text_page(
    instrument: Instrument,
    *,
    language: str | None = None,
    width: int = WIDTH,
    source: str | None = None,
    texts: str | None = None,
) -> str:
    """Page of an instrument, wrapped to `width` characters (at least 60).

    `language` is that of questions and labels, such as "en-GB"; the source language if left
    out. `source` and `texts` are what the reader called the instrument and the folder of local
    wording, for the commands at the end.
    """
    chosen = language or source_language(instrument)
    page = _Page(instrument, chosen, max(60, width))
    parts = (
        page.about,
        page.instructions,
        page.scales,
        page.unscored,
        page.answers,
        page.expected,
        page.use,
    )
    blocks = ["\n".join(part()) for part in parts]
    lines = next_steps(instrument, source=source, texts=texts)
    steps = ["WHAT TO DO NEXT", *(f"  {line}" for line in lines)]
    return "\n\n".join([*(block for block in blocks if block), "\n".join(steps)])


class _Page:
    def __init__(self, instrument: Instrument, language: str, width: int) -> None:
        self.instrument = instrument
        self.language = language
        self.width = width
        self.constructs = {one.id: one for one in instrument.constructs}

    def wrapped(self, text: str, indent: int = 0, hanging: int | None = None) -> list[str]:
        after = " " * (indent if hanging is None else hanging)
        return textwrap.wrap(
            " ".join(text.split()),
            self.width,
            initial_indent=" " * indent,
            subsequent_indent=after,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def about(self) -> Iterator[str]:
        one = self.instrument
        yield one.title
        yield "=" * len(one.title)
        yield f"{one.id}, version {one.version}; {KINDS[one.kind]}"
        yield from self.wrapped(f"Status {STATUS_WORDS[one.status]}")
        yield f"{len(one.items)} questions, about {minutes(one)} minutes for all of them"
        yield from self.wrapped(f"Answered by: {answered_by(one)}", hanging=13)
        for name, slot in one.slots.items():
            yield from self.wrapped(f"Fill in {{{name}}}: {slot.description or slot.type}", 0, 9)
        yield from self.wrapped(
            f"Licence: items {one.licence.items}, scoring key {one.licence.key}"
        )
        yield from self.wrapped(f"Cite: {one.citation}", hanging=6)

    def instructions(self) -> Iterator[str]:
        if text := self.instrument.instructions.get(self.language):
            yield "WHAT RESPONDENTS READ FIRST"
            yield from self.wrapped(text, 2)

    def scales(self) -> Iterator[str]:
        yield "SCALES AND THEIR QUESTIONS"
        yield "+ agreeing is more of it, − is less (reversed); F D B P: who is asked"
        shown: set[str] = set()
        for scale in self.instrument.scoring:
            yield ""
            yield from self.scale(scale)
            if set(scale.items) <= shown or self.has_parts(scale):
                yield from self.wrapped(f"Questions: {self.where(scale)}", 4, 6)
                continue
            shown.update(scale.items)
            for item in scale.items:
                yield from self.item(self.instrument.item(item))

    def scale(self, scale: Scale) -> Iterator[str]:
        construct = self.constructs.get(scale.id) or self.only_construct(scale)
        yield f"  {scale.id}: {scale.title}"
        if construct is not None:
            yield from self.wrapped(construct.definition, 4)
        for label, text in (("Low", scale.label_low), ("High", scale.label_high)):
            if text:
                yield from self.wrapped(f"{label}: {text}", 4, 6)
        facts = [f"Score: {rule_words(self.instrument, scale)}"]
        if spread := shown_range(self.instrument, scale):
            facts.append(f"from {spread}")
        if construct is not None:
            facts.append(DIRECTIONS[construct.direction])
            facts.append(f"about {', '.join(construct.level)}")
            if len(scale.items) > 1:
                facts.append(MODELS[construct.measurement_model])
        yield from self.wrapped("; ".join(facts), 4, 6)
        if construct is not None and construct.sources:
            yield from self.wrapped(f"Source: {'; '.join(construct.sources)}", 4, 6)

    def only_construct(self, scale: Scale) -> Construct | None:
        """Construct that all items of a single indicator belong to."""
        if scale.rule != "mean" or len(scale.items) > 1:
            return None
        return self.constructs.get(str(self.instrument.item(scale.items[0]).construct_id))

    def has_parts(self, scale: Scale) -> bool:
        """Whether smaller scales that follow hold all of its items."""
        others = [one for one in self.instrument.scoring if set(one.items) < set(scale.items)]
        return bool(others) and set(scale.items) <= {i for one in others for i in one.items}

    def where(self, scale: Scale) -> str:
        inside = [one.id for one in self.instrument.scoring if set(one.items) < set(scale.items)]
        same = [
            one.id
            for one in self.instrument.scoring
            if one is not scale and set(one.items) == set(scale.items)
        ]
        return "those of " + ", ".join(inside or same)

    def item(self, item: Item) -> Iterator[str]:
        text = (item.text or {}).get(self.language, NOT_DISTRIBUTED)
        key = sign(self.instrument, item)
        yield from self.wrapped(f"{key} {text}".strip(), 4 if key else 6, 6)
        for choice in choices(self.instrument, item.id, self.language):
            yield from self.wrapped(f"o {choice}", 8, 10)
        forms = f"  ({' '.join(item.forms)})" if item.forms else ""
        yield f"      {item.id}{forms}"

    def unscored(self) -> Iterator[str]:
        items = [item for item in self.instrument.items if item.unscored]
        if items:
            yield "QUESTIONS WITHOUT A SCORE"
        for item in items:
            yield from self.item(item)

    def answers(self) -> Iterator[str]:
        yield "ANSWERS"
        for name, answers in self.instrument.response_sets.items():
            if answers.type != "nominal":
                yield from self.wrapped(f"{name}: {self.codes(answers)}", 2, 4)
        missing = {
            (code, answers.missing_labels.get(self.language, {}).get(code, reason))
            for answers in self.instrument.response_sets.values()
            for code, reason in answers.missing.items()
        }
        if missing:
            words = "; ".join(f"{code:g} {label}" for code, label in sorted(missing, reverse=True))
            yield from self.wrapped(f"No answer, never counted: {words}".replace("-", "−"), 2, 4)

    def codes(self, answers: ResponseSet) -> str:
        if answers.type == "text":
            return "a line in one's own words, never scored"
        labels = answers.labels.get(self.language, {})
        shown: Sequence[float] = tuple(labels) or (answers.low, answers.high)
        words = "; ".join(f"{code:g} {labels.get(code, '')}".strip() for code in shown)
        return words.replace("-", "−") if answers.low < 0 else words

    def expected(self) -> Iterator[str]:
        found = hypotheses_of(self.instrument)
        if found:
            yield "WHAT SHOULD BE FOUND, IF IT MEASURES WHAT IT SAYS (not tested yet)"
        for one in found:
            yield from self.wrapped(f"{one.id} {one.statement}", 2, 6)

    def use(self) -> Iterator[str]:
        yield "USE"
        for text in self.instrument.use.intended:
            yield from self.wrapped(f"For: {text}", 2, 4)
        for text in self.instrument.use.not_for:
            yield from self.wrapped(f"Never for: {text}", 2, 4)
