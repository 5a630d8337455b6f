"""Instruments that no file holds: from the scales of a call, or several fielded together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from collabsurvey.errors import OptionError, UnknownNameError
from collabsurvey.instruments.model import (
    DEFAULT_MIN_VALID,
    UNVERSIONED,
    Instrument,
    Item,
    Licence,
    ResponseSet,
    Scale,
    Status,
    Use,
    items_required,
)


def instrument_from_scales(
    scales: Mapping[str, Sequence[str]],
    *,
    reverse_keyed: Iterable[str] = (),
    response_range: tuple[float, float] | None = None,
    min_valid: str | int = DEFAULT_MIN_VALID,
    missing_codes: Iterable[float] = (),
    instrument_id: str = "survey",
) -> Instrument:
    """Make an instrument from a mapping of scale to columns, for data that came without one."""
    reverse = set(reverse_keyed)
    columns = tuple(dict.fromkeys(column for items in scales.values() for column in items))
    if unknown := reverse.difference(columns):
        raise UnknownNameError(
            "item", sorted(unknown)[0], available=columns, where="The scales given"
        )
    sets: dict[str, ResponseSet] = {}
    if response_range is not None:
        low, high = response_range
        if not low < high:
            raise OptionError("response_range", response_range, allowed=("(lowest, highest)",))
        missing = {float(code): "missing" for code in missing_codes}
        sets["answers"] = ResponseSet(type="bounded", values=(low, high), missing=missing)
    for name, items in scales.items():
        if not items:
            raise OptionError(f"scales[{name!r}]", [], allowed=("at least one column",))
        items_required(min_valid, len(items))
    return Instrument(
        id=instrument_id,
        version=UNVERSIONED,
        title="Scales named in the call",
        kind="own",
        licence=Licence(
            items="none", key="none", redistribute_text=False, commercial=False, confidence="low"
        ),
        response_sets=sets,
        items=tuple(
            Item(
                id=column,
                response="answers" if sets else None,
                keyed=-1 if column in reverse else 1,
                polarity="negative" if column in reverse else "positive",
            )
            for column in columns
        ),
        scoring=tuple(
            Scale(id=name, title=name, items=tuple(items), min_valid=min_valid)
            for name, items in scales.items()
        ),
    )


def _strictest(licences: Sequence[Licence]) -> Licence:
    """Terms that hold for all of them together."""
    first = licences[0]

    def joined(values: Iterable[str]) -> str:
        return " and ".join(dict.fromkeys(values))

    return first.model_copy(
        update={
            "items": joined(one.items for one in licences),
            "key": joined(one.key for one in licences),
            "redistribute_text": all(one.redistribute_text for one in licences),
            "commercial": all(one.commercial for one in licences),
            "confidence": max(
                (one.confidence for one in licences), key=("high", "medium", "low").index
            ),
        }
    )


def combine_instruments(instruments: Sequence[Instrument]) -> Instrument:
    """One instrument from several fielded together; ids must not collide.

    Response sets are kept apart by prefixing their instrument's id.
    """
    if len(instruments) == 1:
        return instruments[0]
    seen: dict[str, str] = {}
    for instrument in instruments:
        for name in (*instrument.item_ids, *instrument.scale_ids):
            if seen.setdefault(name, instrument.id) != instrument.id:
                raise OptionError(
                    "instruments",
                    [one.id for one in instruments],
                    allowed=(f"instruments that do not both use the id {name!r}",),
                )
    first = instruments[0]

    def moved(instrument: Instrument, item: Item) -> Item:
        if item.response is None:
            return item
        return item.model_copy(update={"response": f"{instrument.id}/{item.response}"})

    return first.model_copy(
        update={
            "id": "+".join(one.id for one in instruments),
            "title": "; ".join(one.title for one in instruments),
            "version": "+".join(one.version for one in instruments),
            "constructs": tuple(c for one in instruments for c in one.constructs),
            "respondents": tuple(dict.fromkeys(r for one in instruments for r in one.respondents)),
            "slots": {k: v for one in instruments for k, v in one.slots.items()},
            "response_sets": {
                f"{one.id}/{name}": rs
                for one in instruments
                for name, rs in one.response_sets.items()
            },
            "items": tuple(moved(one, item) for one in instruments for item in one.items),
            "scoring": tuple(scale for one in instruments for scale in one.scoring),
            "use": Use(
                intended=tuple(dict.fromkeys(u for one in instruments for u in one.use.intended)),
                not_for=tuple(dict.fromkeys(u for one in instruments for u in one.use.not_for)),
            ),
            "evidence": tuple(e for one in instruments for e in one.evidence),
            "norms": tuple(n for one in instruments for n in one.norms),
            # Wording that may not be passed on stays so in company.
            "licence": _strictest([one.licence for one in instruments]),
            "texts_are_local": any(one.texts_are_local for one in instruments),
            "status": min(
                (one.status for one in instruments),
                key=get_args(Status).index,
            ),
        }
    )
