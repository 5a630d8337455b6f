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
from collabsurvey.instruments.scales import refuse_not_amounts, scale_name
from collabsurvey.moments import Moments, item_moments, weighted_answers
from collabsurvey.moments.covariance import Missing, constant_items
from collabsurvey.responses.responses import Responses, require_responses

FEWEST_RESPONDENTS = 3


def scale_moments(
    responses: Responses, items: str | Sequence[str], *, missing: Missing, method: str
) -> Moments:
    """Moments of the keyed items of a scale, checked: items, respondents, variance."""
    require_responses(responses, method=method)
    if not len(items):
        raise NotEnoughItemsError("(no items named)", n_items=0, needed=2, method=method)
    name = scale_name(items)
    names = responses.instrument.items_of(items)
    refuse_not_amounts(responses.instrument, names, method=method, asked=items)
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
            "Check which items are reverse-keyed. If they share out a fixed total, no such "
            "coefficient can be had from them."
        )
    return moments


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
