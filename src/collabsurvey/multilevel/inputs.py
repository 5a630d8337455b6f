"""Scores or any frame: the table, its roles, and which columns are scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collabsurvey.errors import DataError, UnknownNameError, WeightsNotAppliedError
from collabsurvey.moments.columns import numeric_columns
from collabsurvey.responses.engine import as_narwhals, column_names
from collabsurvey.responses.responses import ROLES, Responses


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """A native frame of scores with the roles of its columns."""

    frame: Any
    roles: Mapping[str, str]
    scales: tuple[str, ...]  # known scales, or all numeric columns that have no role
    responses: Responses | None

    def column(self, name: str) -> str:
        """Return the column of a role, or the column of that name."""
        if name in self.roles:
            return self.roles[name]
        known = column_names(as_narwhals(self.frame))
        if name in known:
            return name
        if name in ROLES and self.responses is not None:
            raise DataError(
                f"The role {name!r} is not set in these responses. Roles set: "
                f"{', '.join(self.roles) or 'none'}."
            )
        raise UnknownNameError("column or role", name, available=known, where="The table")

    @property
    def synthetic(self) -> bool:
        """Whether the scores are known to be drawn by a computer."""
        return self.responses is not None and self.responses.synthetic


def score_table(data: Any, *, method: str) -> ScoreTable:
    """Take the result of `cs.score`, responses, or a frame; refuse weights by name."""
    if isinstance(data, Responses):
        table = ScoreTable(data.frame, data.roles, data.instrument.item_ids, data)
    elif isinstance(responses := getattr(data, "responses", None), Responses):
        frame = data.to_frame(keep=tuple(responses.roles))
        table = ScoreTable(frame, responses.roles, tuple(data.scales), responses)
    else:
        table = ScoreTable(data, {}, numeric_columns(data), None)
    if "weight" in table.roles:
        raise WeightsNotAppliedError(method)
    return table


def chosen_scales(
    table: ScoreTable, scales: Sequence[str] | None, *, keys: Sequence[str]
) -> tuple[str, ...]:
    """Return the scales asked for, or all; never a key."""
    if scales is not None:
        names = [scales] if isinstance(scales, str) else list(scales)
        return tuple(table.column(name) for name in names)
    taken = {*keys, *table.roles.values()}
    found = tuple(name for name in table.scales if name not in taken)
    if not found:
        raise DataError("The table has no numeric column besides its keys, so nothing to average.")
    return found
