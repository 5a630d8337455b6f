"""What can be said of a set of items before anybody has answered them."""

from __future__ import annotations

from collections.abc import Sequence

from collabsurvey.instruments.model import Instrument


def scale_name(items: str | Sequence[str]) -> str:
    """Return the scale's id, or the first and last of the items named."""
    if isinstance(items, str):
        return items
    return items[0] if len(items) == 1 else f"{items[0]} … {items[-1]}"


def not_reflective(instrument: Instrument, items: Sequence[str]) -> str:
    """Why items are not parallel signs of one construct; "" where they are, or nothing is said."""
    models = {construct.id: construct.measurement_model for construct in instrument.constructs}
    for item in items:
        construct = str(instrument.item(item).construct_id)
        model = models.get(construct, "reflective")
        if model != "reflective":
            return (
                f"the construct {construct!r} is {model}: its items need not go together, so "
                "internal consistency says nothing about it"
            )
    return ""
