"""What can be said of a set of items before anybody has answered them."""

from __future__ import annotations

from collections.abc import Sequence

from collabsurvey.errors import NotAmountsError
from collabsurvey.instruments.model import Instrument, Scale


def scale_name(items: str | Sequence[str]) -> str:
    """Return the scale's id, or the first and last of the items named."""
    if isinstance(items, str):
        return items
    return items[0] if len(items) == 1 else f"{items[0]} … {items[-1]}"


def not_reflective(instrument: Instrument, items: Sequence[str]) -> str:
    """Why items are not parallel signs of one construct; "" where they are, or nothing is said."""
    models = {construct.id: construct.measurement_model for construct in instrument.constructs}
    totals = [one.id for one in instrument.scoring if set(one.items) == set(items)]
    for construct in (*totals, *(str(instrument.item(item).construct_id) for item in items)):
        model = models.get(construct, "reflective")
        if model != "reflective":
            return (
                f"the construct {construct!r} is {model}: its items need not go together, so "
                "internal consistency says nothing about it"
            )
    return ""


SHARES = (
    "they share out a whole, so one can only rise at the cost of another. Their correlations "
    "(about −1/(k − 1) on average), and any alpha or factor made of them, come from the format "
    "and not from the people."
)
KINDS = "their answers are kinds, not amounts, so they have no mean, spread or correlation."


DERIVED = {
    "difference": "its items are subtracted from one another, so they are no signs of one thing.",
    "distance": "it counts how far answers are from a point, and the answers themselves point "
    "either way.",
}


def refuse_not_amounts(
    instrument: Instrument,
    items: Sequence[str],
    *,
    method: str,
    asked: str | Sequence[str] | None = None,
) -> None:
    """Refuse parts of a whole, rankings, picks and free text where amounts are needed.

    `asked` are the scales or items as the caller named them: the items of a difference or a
    distance may have an alpha, but not under that scale's name.

    Brown & Maydeu-Olivares (2013, doi:10.1037/a0030641) on what ipsative scores do to
    covariances, reliability and factors.

    Raises
    ------
    NotAmountsError
        With the reason and the function to use.
    """
    chosen = set(items)
    named = {asked} if isinstance(asked, str) else set(asked or ())
    for scale in instrument.scoring:
        found = [item for item in scale.items if item in chosen]
        if found and scale.rule == "composition":
            raise NotAmountsError(
                method,
                items=found,
                reason=SHARES,
                instead=f"Use cs.scoring.composition(responses, {scale.id!r}), which also gives "
                "log-ratios that may be analysed.",
            )
        if found and scale.rule == "agreement":
            raise NotAmountsError(
                method,
                items=found,
                reason=KINDS if _nominal(instrument, scale.items[0]) else SHARES,
                instead=f"Use cs.partnership.consensus(responses, {scale.id!r}).",
            )
    for scale in instrument.scoring:
        if scale.id in named and scale.rule in DERIVED:
            parts = [one.id for one in instrument.scoring if set(one.items) <= set(scale.items)]
            others = [one for one in parts if one != scale.id]
            raise NotAmountsError(
                method,
                items=[scale.id],
                reason=DERIVED[scale.rule],
                instead=f"Ask for {', '.join(others)}." if others else "Name the items.",
            )
    models = {construct.id: construct.measurement_model for construct in instrument.constructs}
    for item in items:
        model = models.get(str(instrument.item(item).construct_id))
        if _nominal(instrument, item) or model == "nominal":
            raise NotAmountsError(
                method, items=[item], reason=KINDS, instead="Leave it out, or count its answers."
            )
        if model == "ipsative":
            raise NotAmountsError(method, items=[item], reason=SHARES, instead="Leave it out.")


def amounts(instrument: Instrument) -> tuple[Scale, ...]:
    """Scales whose items may be averaged and correlated: no shares, ranks, picks or text."""
    kept = []
    for scale in instrument.scoring:
        try:
            refuse_not_amounts(instrument, scale.items, method="")
        except NotAmountsError:
            continue
        kept.append(scale)
    return tuple(kept)


def _nominal(instrument: Instrument, item: str) -> bool:
    answers = instrument.response_set(item)
    return answers is not None and answers.type in ("nominal", "text")
