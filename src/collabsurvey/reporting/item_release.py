"""Answers and statistics of single items, where enough people answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.instruments.answer_words import (
    MOST_BARS,
    answer_labels,
    filled,
    in_bands,
    neutral_place,
    wording_of,
)

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reliability import ItemAnalysisResult
    from collabsurvey.reporting.record import RunRecord


@dataclass(frozen=True)
class ItemAnswers:
    """How often each answer was given to one item, as answered (not turned round)."""

    item: str
    wording: str  # empty where the text may not be redistributed
    reversed: bool
    scales: tuple[str, ...]
    codes: tuple[float, ...]
    labels: tuple[str, ...]
    counts: tuple[float, ...]
    neutral: int | None  # place of the middle answer
    n_missing: float

    @property
    def n(self) -> float:
        """People (or the sum of weights) who answered."""
        return sum(self.counts)

    @property
    def shares(self) -> tuple[float, ...]:
        """Counts over their sum."""
        return tuple(count / self.n for count in self.counts)

    @property
    def name(self) -> str:
        """The wording, or the id where the wording may not be shown."""
        return self.wording or self.item


def answers_of(record: RunRecord, min_group: int) -> tuple[ItemAnswers, ...]:
    """Answers to each item that at least `min_group` people answered."""
    tables, responses = record.answers, record.responses
    if tables is None or responses is None:
        return ()
    instrument = responses.instrument
    found = []
    for item, codes in zip(tables.items, tables.categories, strict=True):
        counts = tables.one_way(item)
        if counts.sum() < min_group:
            continue
        values = tuple(float(code) for code in codes)
        answers = instrument.response_set(item)
        labels = answer_labels(answers, values)
        if len(codes) > MOST_BARS:
            values, labels, counts = in_bands(answers, np.asarray(codes), counts)
        found.append(
            ItemAnswers(
                item=item,
                wording=filled(wording_of(instrument, item)),
                reversed=instrument.item(item).keyed == -1,
                scales=tuple(s.id for s in instrument.scoring if item in s.items),
                codes=values,
                labels=labels,
                counts=tuple(float(count) for count in counts),
                neutral=neutral_place(answers, values),
                n_missing=float(tables.n_missing[tables.items.index(item)]),
            )
        )
    return tuple(found)


def items_table(result: ItemAnalysisResult, min_group: int) -> pd.DataFrame | None:
    """Item statistics, blank for items that fewer than `min_group` answered."""
    table = result.to_frame().copy()
    few = ~(table["n"] >= min_group)
    if few.all():
        return None
    numbers = [name for name in table.columns if table[name].dtype.kind in "fi"]
    table[numbers] = table[numbers].astype(float)
    table.loc[few, numbers] = float("nan")
    return table
