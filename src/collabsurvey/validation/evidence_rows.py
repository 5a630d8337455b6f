"""Which rows of a survey a record may rest on: one occasion, people's answers, asked questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collabsurvey.errors import DataError, listed
from collabsurvey.numerics.typing import BoolArray
from collabsurvey.responses.engine import Column, group_codes, read_columns
from collabsurvey.responses.responses import Responses

SLOT = "{partner}"
SYNTHETIC = (
    "These answers are synthetic; they prove code, not the questionnaire. simulated=True makes "
    "records that never count."
)


def refuse_drawn(responses: Responses, *, simulated: bool) -> None:
    """Refuse synthetic answers; those of a file that says so of itself are marked on reading."""
    if not simulated and responses.synthetic:
        raise DataError(SYNTHETIC)


def refuse_waves(responses: Responses) -> None:
    """Refuse several occasions: a record is about one."""
    if (name := responses.roles.get("wave")) is None:
        return
    codes, labels = group_codes(read_columns(responses.frame, [name])[name])
    found = [labels[code] for code in np.unique(codes[codes >= 0]).tolist()]
    if len(found) > 1:
        raise DataError(
            f"These answers are of the waves {listed(found)}, and a record is about one occasion. "
            'Hand in the rows of one wave, responses.replace(frame=frame[frame["wave"] == 1]); '
            "two waves a few weeks apart are a retest (retest=)."
        )


def about_partners(responses: Responses) -> BoolArray | None:
    """(n,) which rows are about a partner; None where all are, or nothing is said of partners."""
    name = responses.roles.get("partner")
    if name is None or not any(names_partner(responses, one) for one in responses.instrument.items):
        return None
    about: BoolArray = ~read_columns(responses.frame, [name])[name].missing
    return None if about.all() or not about.any() else about


def asked_rows(responses: Responses, items: Sequence[str]) -> Responses:
    """Rows in which the items were asked: where a partner is named, or where none is.

    A row about a partner is blank in every question about the school, and the other way round;
    taken together, nearly every answer would seem to be missing.
    """
    about = about_partners(responses)
    if about is None:
        return responses
    import pandas as pd

    named = [names_partner(responses, responses.instrument.item(item)) for item in items]
    if any(named) and not all(named):
        return responses
    roles = {
        role: column for role, column in responses.roles.items() if any(named) or role != "partner"
    }
    columns = read_columns(responses.frame, [*roles.values(), *items])
    rows = about if any(named) else ~about
    frame = pd.DataFrame({name: _values(column)[rows] for name, column in columns.items()})
    return responses.replace(frame=frame, roles=roles)


def names_partner(responses: Responses, item: object) -> bool:
    """Whether the question names a partner."""
    return any(SLOT in text for text in (getattr(item, "text", None) or {}).values())


def _values(column: Column) -> NDArray[Any]:
    if column.categories is None:
        return column.values
    return np.asarray(np.array([*column.categories, None], dtype=object)[column.values])
