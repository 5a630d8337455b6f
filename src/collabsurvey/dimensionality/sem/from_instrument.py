"""A model text for an instrument: one factor for each of its scales."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from collabsurvey.errors import DataError, NotSupportedError

if TYPE_CHECKING:
    from collabsurvey.instruments.model import Instrument, Scale

_NAME = re.compile(r"(?:[^\W\d]|\.(?!\d))[\w.]*")


def model_of(instrument: Instrument, scales: Sequence[str] | None = None) -> str:
    """Write the model in which every scale is one factor of its items.

    Without `scales`, all scales that score a reflective construct are taken, except totals: scales
    whose items are all in other, smaller scales, or factors would measure the same items twice.
    A factor has the name of its scale, with `_` for what a model text cannot hold.
    """
    if scales is None:
        chosen = [scale for scale in instrument.scoring if _why_not(instrument, scale) is None]
        chosen = [scale for scale in chosen if not _is_total(scale, chosen)]
        if not chosen:
            raise NotSupportedError(
                f"A factor model of instrument {instrument.id!r}, which has no reflective scale,",
                instead="Write the model text yourself.",
            )
    else:
        chosen = [instrument.scale(name) for name in scales]
        for scale in chosen:
            if (why := _why_not(instrument, scale)) is not None:
                raise NotSupportedError(
                    f"A factor for scale {scale.id!r}, which {why},",
                    instead="Leave it out, or use its score as a column.",
                )
    items = {item for scale in chosen for item in scale.items}
    for item in sorted(items):
        if not _NAME.fullmatch(item):
            raise DataError(
                f"Item id {item!r} cannot stand in a model text: letters, digits, '.' and '_' can."
            )
    taken = set(items)
    lines = []
    for scale in chosen:
        name = _factor_name(scale.id, taken)
        taken.add(name)
        lines.append(f"{name} =~ {' + '.join(scale.items)}")
    return "\n".join(lines)


def _why_not(instrument: Instrument, scale: Scale) -> str | None:
    """Why a scale is no factor; None if it is one."""
    if scale.rule not in ("mean", "sum"):
        return f"is scored by the rule {scale.rule!r}"
    models = {one.id: one.measurement_model for one in instrument.constructs}
    of_items = [instrument.item(item).construct_id for item in scale.items]
    for construct in (scale.id, *of_items):
        if construct is not None and models.get(construct, "reflective") != "reflective":
            return f"measures a {models[construct]} construct"
    return None


def _is_total(scale: Scale, chosen: Sequence[Scale]) -> bool:
    """Whether other scales, each smaller, hold all of its items."""
    parts = [one for one in chosen if set(one.items) < set(scale.items)]
    return bool(parts) and set(scale.items) <= {item for one in parts for item in one.items}


def _factor_name(scale: str, taken: set[str]) -> str:
    name = re.sub(r"[^\w.]", "_", scale)
    if not _NAME.fullmatch(name):
        name = f"f_{name.lstrip('.')}"
    while name in taken:
        name += "_f"
    return name
