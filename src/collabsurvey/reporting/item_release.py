"""Answers and statistics of single items, where enough people answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.numerics.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.instruments.model import Instrument, ResponseSet
    from collabsurvey.reliability import ItemAnalysisResult
    from collabsurvey.reporting.record import RunRecord

LANGUAGE = "en-GB"
MOST_BARS = 11  # more kinds of answer cannot be told apart in a bar
N_BANDS = 5  # into which a range of more answers is cut


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
        labels = _labels(answers, values)
        if len(codes) > MOST_BARS:
            values, labels, counts = _in_bands(answers, np.asarray(codes), counts)
        found.append(
            ItemAnswers(
                item=item,
                wording=filled(wording_of(instrument, item)),
                reversed=instrument.item(item).keyed == -1,
                scales=tuple(s.id for s in instrument.scoring if item in s.items),
                codes=values,
                labels=labels,
                counts=tuple(float(count) for count in counts),
                neutral=_neutral(answers, values),
                n_missing=float(tables.n_missing[tables.items.index(item)]),
            )
        )
    return tuple(found)


def filled(text: str) -> str:
    """A wording with its slots as a reader understands them: {partner} is [partner]."""
    return re.sub(r"\{(\w+)\}", lambda slot: f"[{slot.group(1).replace('_', ' ')}]", text)


def _in_bands(
    answers: ResponseSet | None, codes: FloatArray, counts: FloatArray
) -> tuple[tuple[float, ...], tuple[str, ...], FloatArray]:
    """Answers put together in bands of equal width: lower ends, labels, counts."""
    low = answers.low if answers is not None else float(codes[0])
    high = answers.high if answers is not None else float(codes[-1])
    edges = np.linspace(low, high, N_BANDS + 1)
    place = np.clip(np.searchsorted(edges, codes, side="right") - 1, 0, N_BANDS - 1)
    labels = tuple(
        f"{a:g} to {'' if i == N_BANDS - 1 else 'under '}{b:g}"
        for i, (a, b) in enumerate(pairwise(edges))
    )
    in_band = np.array([counts[place == i].sum() for i in range(N_BANDS)])
    return tuple(edges[:-1].tolist()), labels, in_band


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


def wording_of(instrument: Instrument, item_id: str) -> str:
    """Text of an item in British English, else in its first language, if it may be shown."""
    text = instrument.item(item_id).text
    if not instrument.licence.redistribute_text or not text:
        return ""
    return text.get(LANGUAGE) or next(iter(text.values()))


def _labels(answers: ResponseSet | None, codes: tuple[float, ...]) -> tuple[str, ...]:
    by_code: dict[float, str] = {}
    if answers is not None and answers.labels:
        by_code = answers.labels.get(LANGUAGE) or next(iter(answers.labels.values()))
    return tuple(by_code.get(code, f"{code:g}") for code in codes)


def _neutral(answers: ResponseSet | None, codes: tuple[float, ...]) -> int | None:
    """Place of the middle of an odd number of ordered answers."""
    ordered = answers is None or answers.type in ("ordinal", "bipolar", "bounded")
    return len(codes) // 2 if ordered and len(codes) % 2 and len(codes) > 1 else None
