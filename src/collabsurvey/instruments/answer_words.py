"""How questions and answers are called where they are shown."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from collabsurvey.instruments.model import Instrument, ResponseSet
from collabsurvey.numerics.typing import FloatArray

LANGUAGE = "en-GB"
MOST_BARS = 11  # more kinds of answer cannot be told apart in a bar
N_BANDS = 5  # into which a range of more answers is cut


def filled(text: str) -> str:
    """A wording with its slots as a reader understands them: {partner} is [partner]."""
    return re.sub(r"\{(\w+)\}", lambda slot: f"[{slot.group(1).replace('_', ' ')}]", text)


def wording_of(instrument: Instrument, item_id: str) -> str:
    """Text of an item in British English, else in its first language, if it may be shown."""
    text = instrument.item(item_id).text
    if not instrument.licence.redistribute_text or not text:
        return ""
    return text.get(LANGUAGE) or next(iter(text.values()))


def answer_labels(answers: ResponseSet | None, codes: tuple[float, ...]) -> tuple[str, ...]:
    """Labels of the codes (c,) in British English, else in the first language, else the codes.

    Labels from a user's own folder may not be passed on, so codes stand in for them.
    """
    by_code: dict[float, str] = {}
    if answers is not None and answers.labels and not answers.labels_are_local:
        by_code = answers.labels.get(LANGUAGE) or next(iter(answers.labels.values()))
    return tuple(by_code.get(code, f"{code:g}") for code in codes)


def neutral_place(answers: ResponseSet | None, codes: tuple[float, ...]) -> int | None:
    """Place of the middle of an odd number of ordered answers."""
    ordered = answers is None or answers.type in ("ordinal", "bipolar", "bounded")
    return len(codes) // 2 if ordered and len(codes) % 2 and len(codes) > 1 else None


def in_bands(
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
