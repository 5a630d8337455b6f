"""Between which numbers a mean of answers can lie, so that no limit lies beyond."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from collabsurvey.instruments.model import Instrument
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.responses import Responses

Span = tuple[float, float]
PLAIN = ("mean", "rule")  # ways of scoring that keep a mean in the units of the answers


def span_of(data: Any, names: Sequence[str]) -> Span | None:
    """Lowest and highest value of these scales or items; None where that is not known."""
    responses = data if isinstance(data, Responses) else getattr(data, "responses", None)
    if not isinstance(responses, Responses):
        return None
    plain = isinstance(data, Responses) or getattr(data, "method", None) in PLAIN
    spans = [_span(responses.instrument, name, plain=plain) for name in names]
    known = [one for one in spans if one is not None]
    if not known or len(known) < len(spans):
        return None
    return min(low for low, _ in known), max(high for _, high in known)


def _span(instrument: Instrument, name: str, *, plain: bool) -> Span | None:
    if name in instrument.scale_ids:
        scale = instrument.scale(name)
        items: Sequence[str] = scale.items if plain and scale.rule == "mean" else ()
    else:
        items = (name,) if name in instrument.item_ids else ()
    sets = [instrument.response_set(item) for item in items]
    known = [one for one in sets if one is not None and np.isfinite(one.low)]
    if not known or len(known) < len(sets):
        return None
    return min(one.low for one in known), max(one.high for one in known)


def width_of(span: Span | None) -> Span | None:
    """Between which numbers a difference of two means lies."""
    return None if span is None else (span[0] - span[1], span[1] - span[0])


def cut(low: FloatArray, high: FloatArray, span: Span | None) -> tuple[FloatArray, FloatArray]:
    """Limits (C,) that end where values do; NaN stays."""
    if span is None:
        return low, high
    return np.maximum(low, span[0]), np.minimum(high, span[1])


def beyond(low: FloatArray, high: FloatArray, span: Span | None) -> bool:
    """Whether any limit is cut."""
    return span is not None and bool(((low < span[0]) | (high > span[1])).any())
