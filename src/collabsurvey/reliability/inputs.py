"""What every reliability coefficient asks of a scale before it is computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotEnoughItemsError,
    NoVarianceError,
    OptionError,
)
from collabsurvey.instruments.model import Instrument
from collabsurvey.moments import Moments, item_moments, weighted_answers
from collabsurvey.moments.covariance import Missing
from collabsurvey.responses.responses import Responses, require_responses

FEWEST_RESPONDENTS = 3


def scale_name(items: str | Sequence[str]) -> str:
    """Return the scale's id, or the first and last of the items named."""
    if isinstance(items, str):
        return items
    return items[0] if len(items) == 1 else f"{items[0]} … {items[-1]}"


def scale_moments(
    responses: Responses, items: str | Sequence[str], *, missing: Missing, method: str
) -> Moments:
    """Moments of the keyed items of a scale, checked: items, respondents, variance."""
    require_responses(responses, method=method)
    if not len(items):
        raise NotEnoughItemsError("(no items named)", n_items=0, needed=2, method=method)
    name = scale_name(items)
    names = responses.instrument.items_of(items)
    if missing not in ("listwise", "pairwise"):
        raise OptionError("missing", missing, allowed=("listwise", "pairwise"))
    if len(names) < 2:
        raise NotEnoughItemsError(name, n_items=len(names), needed=2, method=method)
    try:
        moments = item_moments(responses, names, missing=missing)
    except NotEnoughDataError:
        moments = None
    fewest = 0 if moments is None else int(moments.n_pairs.min())
    if moments is None or fewest < FEWEST_RESPONDENTS:
        everyone = "respondents who answered every item"
        raise NotEnoughDataError(
            method,
            what=everyone if missing == "listwise" else "respondents for each pair of items",
            found=n_complete(responses, names) if missing == "listwise" else fewest,
            needed=FEWEST_RESPONDENTS,
            where=f"scale {name!r}",
        )
    if fixed := constant_items(moments):
        what = "item" if len(fixed) == 1 else "each of the items"
        raise NoVarianceError(
            f"{what} {', '.join(map(repr, fixed))}", method=f"{method} of {name!r}"
        )
    own = np.trace(moments.cov)
    if moments.cov.sum() <= 1e-12 * own:
        raise DataError(
            f"{method} of {name!r} is not defined: the items cancel out, their sum does not vary. "
            "Check which items are reverse-keyed."
        )
    return moments


def constant_items(moments: Moments) -> tuple[str, ...]:
    """Items everyone answered alike, up to rounding."""
    size = np.maximum(np.abs(np.nan_to_num(moments.mean)), 1.0)
    same = np.diag(moments.cov) <= (1e-12 * size) ** 2
    return tuple(item for item, fixed in zip(moments.items, same, strict=True) if fixed)


def n_complete(responses: Responses, items: Sequence[str]) -> int:
    """Rows that answered every item."""
    answers, weight = weighted_answers(responses, items)
    return int(((~np.isnan(answers)).all(axis=1) & (weight > 0)).sum())


def effective_respondents(
    responses: Responses, items: Sequence[str], *, missing: Missing
) -> int | None:
    """Kish's effective number of respondents, None without a weight role.

    (sum of weights)² / sum of squared weights over the rows used (Kish, 1965, Survey
    Sampling, sec. 11.7): how many unweighted respondents carry as much information.
    """
    if "weight" not in responses.roles:
        return None
    answers, weight = weighted_answers(responses, items)
    if missing == "listwise":
        weight = weight[(~np.isnan(answers)).all(axis=1)]
    return int(np.floor(weight.sum() ** 2 / (weight**2).sum()))


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


def repeated_rows_note(responses: Responses) -> str:
    """Say that people answered more than once, where the roles tell; "" otherwise."""
    several = [role for role in ("wave", "partner") if role in responses.roles]
    if "respondent" not in responses.roles or not several:
        return ""
    n_rows, n_people = responses.n_rows, responses.n_respondents
    if n_rows == n_people:
        return ""
    return (
        f"{n_rows} rows of {n_people} people: rows of each {' and '.join(several)} are pooled here."
    )
