"""Row-wise results in the caller's engine: which columns are kept beside the new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from collabsurvey.errors import DataError, OptionError, UnknownNameError, listed
from collabsurvey.moments.grouped import GroupedMoments, grouped
from collabsurvey.moments.respondents import repeated_rows_note
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


@dataclass(frozen=True)
class Grouping:
    """What rows are grouped by: names as they were asked for, and their columns."""

    names: tuple[str, ...]
    columns: tuple[str, ...]

    @classmethod
    def of(cls, responses: Responses, by: str | Sequence[str]) -> Grouping:
        """Check one name, or several, of roles or their columns."""
        names = (by,) if isinstance(by, str) else tuple(by)
        columns = tuple(role_column(responses, name, option="by") for name in names)
        if not names or len(set(columns)) < len(columns):
            allowed = ("a role such as 'cluster'", "several, such as ['cluster', 'wave']")
            raise OptionError("by", by, allowed=allowed)
        return cls(names, columns)

    @property
    def words(self) -> str:
        """The names in a sentence."""
        return " and ".join(self.names)

    @property
    def keys(self) -> list[str]:
        """Names under which the columns are grouped, whatever the user calls theirs."""
        return [f"__by{i}" for i in range(len(self.names))]

    def expressions(self) -> list[nw.Expr]:
        """The columns under these names."""
        return [nw.col(one).alias(key) for one, key in zip(self.columns, self.keys, strict=True)]


@dataclass(frozen=True)
class Sizes:
    """How many rows and people each of G groups rests on."""

    n: tuple[int, ...]  # people with a score
    n_rows: tuple[int, ...]  # rows with a score; more, where people answered several times
    below_min_n: tuple[bool, ...]
    notes: tuple[str, ...]


def group_sizes(
    responses: Responses,
    rows: Frame,
    scored: nw.Expr,
    grouping: Grouping,
    found: GroupedMoments,
    min_n: int,
) -> Sizes:
    """People of each group of `found`, whose first column counts rows with a score."""
    n_rows = tuple(int(n) for n in found.n[:, 0])
    n = n_rows
    notes = []
    if repeated_rows_note(responses):
        once = rows.select(
            *grouping.expressions(),
            nw.col(responses.roles["respondent"]).alias("__who"),
            scored.cast(nw.Float64).alias("__scored"),
        ).unique()
        counted = grouped(once, ["__scored"], grouping.keys)
        people = np.rint(counted.n[:, 0] * np.nan_to_num(counted.mean[:, 0])).astype(int)
        n = tuple(dict(zip(counted.groups, people.tolist(), strict=True))[g] for g in found.groups)
    if sum(n) < sum(n_rows):
        several = [role for role in ("wave", "partner") if role in responses.roles]
        several = [role for role in several if responses.roles[role] not in grouping.columns]
        by = [*grouping.names, *several]
        notes.append(
            f"{sum(n_rows)} rows of people who answered several times: n counts each once in a "
            f"group, means take every row. To keep them apart: by={by!r}."
        )
    small = tuple(one < min_n for one in n)
    named = [
        " · ".join(label)
        for label, one, low in zip(found.groups, n, small, strict=True)
        if low and one
    ]
    if named:
        notes.append(f"Fewer than {min_n} people, not to be published: {listed(named)}.")
    return Sizes(n, n_rows, small, tuple(notes))


def check_min_n(min_n: int) -> None:
    """Refuse a least group of nobody."""
    if isinstance(min_n, bool) or not min_n >= 1:
        raise OptionError("min_n", min_n, allowed=("a count of 1 or more",))


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
