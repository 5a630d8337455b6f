"""How often each answer was given: counts, shares, and bars that part in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.diverging import diverging_items
from collabsurvey.errors import DataError, NotAmountsError, NotEnoughDataError
from collabsurvey.instruments.answer_words import (
    MOST_BARS,
    answer_labels,
    filled,
    in_bands,
    neutral_place,
    wording_of,
)
from collabsurvey.instruments.scales import scale_name
from collabsurvey.moments import answer_tables
from collabsurvey.moments.respondents import data_notes
from collabsurvey.responses.free_text import coded_ids, is_text
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class AnswerCounts:
    """Answers to one item, as they were given."""

    item: str
    wording: str  # the id where the text may not be shown
    labels: tuple[str, ...]
    codes: tuple[float, ...]  # lower ends of the bands, where answers were put together
    counts: tuple[float, ...]  # sums of weights where there is a weight role
    neutral: int | None  # place of the middle answer
    n_missing: float

    @property
    def shares(self) -> tuple[float, ...]:
        """Counts over their sum."""
        total = sum(self.counts)
        return tuple(count / total for count in self.counts)


@dataclass(frozen=True, eq=False)
class DistributionResult(Result):
    """How often each answer was given to each item; reversed items are not turned round."""

    name: str
    answers: tuple[AnswerCounts, ...]
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row an item and answer: item, code, label, count, share, n_missing."""
        import pandas as pd

        rows = [
            (one.item, code, label, count, share, one.n_missing)
            for one in self.answers
            for code, label, count, share in zip(
                one.codes, one.labels, one.counts, one.shares, strict=True
            )
        ]
        return pd.DataFrame(rows, columns=["item", "code", "label", "count", "share", "n_missing"])

    def formats(self) -> tuple[tuple[AnswerCounts, ...], ...]:
        """Items put together by what could be answered, in the order of the first of each."""
        found: dict[tuple[object, ...], list[AnswerCounts]] = {}
        for one in self.answers:
            found.setdefault((one.codes, one.labels), []).append(one)
        return tuple(tuple(items) for items in found.values())

    def table(self) -> Table:
        """One row an item with the share of each answer; of the format most items have."""
        items = max(self.formats(), key=len)
        columns: dict[str, list[object]] = {"item": [one.item for one in items]}
        for place, label in enumerate(items[0].labels):
            columns[label] = [one.shares[place] for one in items]
        columns["n_missing"] = [one.n_missing for one in items]
        return Table(
            f"Answers to {self.name}",
            columns,
            self._notes(items),
            formats={**dict.fromkeys(items[0].labels, ".0%"), "n_missing": ".0f"},
            labels={**{label: label for label in items[0].labels}, "n_missing": "missing"},
        )

    def chart(self) -> Chart:
        """Bars that part in the middle, the neutral answer apart; of the commonest format."""
        return self._chart(max(self.formats(), key=len))

    def charts(self) -> tuple[Chart, ...]:
        """One chart for each format of answers."""
        return tuple(self._chart(items) for items in self.formats())

    def _chart(self, items: Sequence[AnswerCounts]) -> Chart:
        return diverging_items(
            [one.wording for one in items],
            [one.shares for one in items],
            items[0].labels,
            title=f"Answers to {self.name}",
            neutral=items[0].neutral,
        )

    def _notes(self, items: Sequence[AnswerCounts]) -> tuple[str, ...]:
        left = len(self.answers) - len(items)
        said = f"{left} items with other answers are in to_frame() and charts()." if left else ""
        return (*self.notes, said) if said else self.notes


def distributions(
    responses: Responses, items: str | Sequence[str] | None = None
) -> DistributionResult:
    """How often each answer was given to each item.

    Parameters
    ----------
    responses : Responses
        The weight role is applied.
    items : str, sequence of str, or None
        A scale id, item ids, or all items. More than 11 different answers are put together
        in five bands of equal width. Lines in people's own words are left out.

    Raises
    ------
    NotEnoughDataError
        Nobody answered any of the items.
    UnknownNameError
        No such scale or item.
    """
    require_responses(responses, method="Distributions")
    instrument = responses.instrument
    names = coded_ids(instrument) if items is None else instrument.items_of(items)
    if lines := [name for name in names if is_text(instrument, name)]:
        raise NotAmountsError(
            "Distributions", items=lines, reason="they are free text.", instead="Leave them out."
        )
    tables = answer_tables(responses, names)
    found, silent = [], []
    for item, known in zip(tables.items, tables.categories, strict=True):
        counts = tables.one_way(item)
        if not counts.sum() > 0:
            silent.append(item)
            continue
        answers = instrument.response_set(item)
        codes = tuple(float(code) for code in known)
        labels = answer_labels(answers, codes)
        if len(codes) > MOST_BARS:
            codes, labels, counts = in_bands(answers, np.asarray(known), counts)
        if len(set(labels)) < len(labels):
            raise DataError(f"Two answers to {item!r} have the same label. Mend the instrument.")
        found.append(
            AnswerCounts(
                item=item,
                wording=filled(wording_of(instrument, item)) or item,
                labels=labels,
                codes=codes,
                counts=tuple(float(count) for count in counts),
                neutral=neutral_place(answers, codes),
                n_missing=float(tables.n_missing[tables.items.index(item)]),
            )
        )
    if not found:
        raise NotEnoughDataError("Distributions", what="answers", found=0, needed=1)
    notes = [
        f"Nobody answered {', '.join(silent)}." if silent else "",
        "As answered: reversed items are not turned round."
        if -1 in instrument.keys_of([one.item for one in found])
        else "",
        *data_notes(responses, weighted=tables.weighted),
    ]
    name = instrument.title if items is None else scale_name(items)
    return DistributionResult(name, tuple(found), tuple(note for note in notes if note))
