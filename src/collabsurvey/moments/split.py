"""Responses split by a column, such as one part for each wave; rows stay in the engine."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import replace

import narwhals as nw

from collabsurvey.errors import DataError
from collabsurvey.responses.engine import as_narwhals, collect, require_columns, to_native
from collabsurvey.responses.responses import Responses


def role_or_column(responses: Responses, name: str) -> str:
    """Return the column of a role, or the column of that name."""
    if name in responses.roles:
        return responses.roles[name]
    require_columns(as_narwhals(responses.frame), [name], where="The table (and its roles)")
    return name


def split(responses: Responses, by: str) -> dict[Hashable, Responses]:
    """Part of the rows for each level of a role or column, sorted; rows without it are left out."""
    column = role_or_column(responses, by)
    frame = as_narwhals(responses.frame)
    values = collect(frame.select(column).unique())[column].to_list()
    levels = sorted(value for value in values if value is not None and not is_nan(value))
    if not levels:
        raise DataError(f"Column {column!r} is empty, so there is nothing to split by.")
    return {
        int(level) if isinstance(level, float) and level.is_integer() else level: replace(
            responses, frame=to_native(frame.filter(nw.col(column) == level))
        )
        for level in levels
    }


def is_nan(value: object) -> bool:
    """Whether a value is the float that means nothing."""
    return isinstance(value, float) and math.isnan(value)
