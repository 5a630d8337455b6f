"""Row-wise results in the caller's engine: which columns are kept beside the new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from collabsurvey.errors import DataError, UnknownNameError, listed
from collabsurvey.responses.engine import Frame, is_lazy, to_native
from collabsurvey.responses.responses import ROLES, Responses


def role_column(responses: Responses, name: str, *, option: str) -> str:
    """Return the column of a role, or of that name among the columns that have a role."""
    roles = responses.roles
    if name in roles:
        return roles[name]
    if name in roles.values():
        return name
    if name in ROLES:
        raise DataError(
            f"{option} names the role {name!r}, which is not set in these responses. "
            f"Roles set: {', '.join(roles) or 'none'}."
        )
    raise UnknownNameError(
        "role or role column", name, available=[*roles, *roles.values()], where=option
    )


def beside(
    responses: Responses, rows: Frame, keep: Sequence[str] | str, columns: Sequence[nw.Expr]
) -> Any:
    """Select the columns kept, then the new ones; a lazy frame carries the columns of all roles.

    Eager frames have the rows, order and index of the answers.
    """
    names = [keep] if isinstance(keep, str) else list(keep)
    kept = [role_column(responses, name, option="keep") for name in names]
    if is_lazy(rows):
        kept = [*kept, *responses.roles.values()]
    kept = list(dict.fromkeys(kept))
    made = [str(name) for name in rows.select(*columns).collect_schema().names()]
    refuse_taken(kept, made)
    return to_native(rows.select(*kept, *columns))


def some(n: float, word: str = "row") -> str:
    """A count with its noun: 1 row, 2 rows."""
    return f"{n:.0f} {word}" if n == 1 else f"{n:.0f} {word}s"


def refuse_taken(kept: Sequence[str], made: Sequence[str]) -> None:
    """Refuse a column of the answers that is named as one made here."""
    if taken := [name for name in kept if name in made]:
        raise DataError(
            f"The new columns would be called {listed(taken)}, as columns of the answers are. "
            "Rename those."
        )


def weight_of(responses: Responses) -> nw.Expr | None:
    """The weight of each row, 0 where it has none; None without the role."""
    column = responses.roles.get("weight")
    return None if column is None else nw.col(column).cast(nw.Float64).fill_null(0.0)
