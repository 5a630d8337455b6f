"""Which questions are answered together: ranks, each given once, and points of one total."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from collabsurvey.instruments.exchange.asked import Together
from collabsurvey.instruments.exchange.names import code_text, column_name
from collabsurvey.instruments.model import Instrument


@dataclass(frozen=True)
class Bound:
    """Items bound to one another, whoever they are about."""

    kind: Literal["ranks", "points"]
    items: tuple[str, ...]
    total: float

    def asked(self, number: int, languages: Sequence[str]) -> Together:
        """The rule for the columns about one partner, or about none."""
        from collabsurvey.instruments.exchange.html.words import page_words

        rules = {}
        for language in languages:
            sentence = page_words(language)[1][f"{self.kind}_rule"]
            rules[language] = sentence.format(total=code_text(self.total), n=len(self.items))
        columns = tuple(column_name(item, number) for item in self.items)
        return Together(self.kind, columns, self.total, rules)


def bound_items(instrument: Instrument, asked: Sequence[str]) -> dict[str, Bound]:
    """Item → the items it is bound to, of those that are asked; half a ranking binds nothing."""
    there = set(asked)
    return {
        item: bound
        for bound in _bounds(instrument)
        if there.issuperset(bound.items)
        for item in bound.items
    }


def share_sets(instrument: Instrument) -> set[str]:
    """Response sets of points to share out, which are asked as numbers and not as long lists."""
    bounds = [bound for bound in _bounds(instrument) if bound.kind == "points"]
    items = {item for bound in bounds for item in bound.items}
    return {item.response for item in instrument.items if item.id in items and item.response}


def _bounds(instrument: Instrument) -> Iterator[Bound]:
    for scale in instrument.scoring:
        if scale.rule == "composition" and scale.total is not None:
            for block in zip(*scale.parts.values(), strict=True):
                yield Bound("points", block, scale.total)
        elif scale.rule == "agreement":
            answers = instrument.response_set(scale.items[0])
            if answers is not None and answers.type == "ordinal":
                yield Bound("ranks", scale.items, float(len(scale.items)))
