"""A note on 0-100 expectations: how many answers are exactly the middle.

Asked for a chance, many people say 50 when they mean that they have no idea (Bruine de
Bruin, Fischhoff, Millstein & Halpern-Felsher, 2000, Organizational Behavior and Human
Decision Processes 81:115-131, doi:10.1006/obhd.1999.2868). The answers are scored as they
stand; a reader should know.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw

from collabsurvey.instruments.model import Instrument, Scale
from collabsurvey.responses.engine import Frame, as_number, collect

MANY = 0.20  # twice the share each ten has if answers in tens are spread evenly over 0 to 100


def middle_notes(frame: Frame, instrument: Instrument, scales: Sequence[Scale]) -> list[str]:
    """One sentence for each scale of bounded answers where a fifth or more are the middle."""
    middles = {scale.id: middle for scale in scales if (middle := _middle(instrument, scale))}
    if not middles:
        return []
    schema = frame.collect_schema()
    counts: list[nw.Expr] = []
    for scale in scales:
        if scale.id not in middles:
            continue
        answers = [as_number(item, schema[item]) for item in scale.items]
        at_middle = [(one == middles[scale.id]).cast(nw.Float64).sum() for one in answers]
        counts += [
            nw.sum_horizontal(*at_middle).alias(f"{scale.id}|middle"),
            nw.sum_horizontal(*(one.count() for one in answers)).alias(f"{scale.id}|all"),
        ]
    found = collect(frame.select(*counts)).to_dict(as_series=False)
    notes = []
    for name, middle in middles.items():
        at, total = found[f"{name}|middle"][0] or 0, found[f"{name}|all"][0] or 0
        if total and at / total >= MANY:
            notes.append(
                f"{at / total:.0%} of the answers to {name} are exactly {middle:g}, which many "
                "people say when they mean that they have no idea."
            )
    return notes


def _middle(instrument: Instrument, scale: Scale) -> float | None:
    """Return the middle of a scale whose answers say how likely something is."""
    sets = {instrument.item(item).response for item in scale.items}
    if scale.rule != "mean" or len(sets) != 1:
        return None
    answers = instrument.response_set(scale.items[0])
    if answers is None or answers.type != "bounded" or (answers.low, answers.high) != (0, 100):
        return None
    return (answers.low + answers.high) / 2
