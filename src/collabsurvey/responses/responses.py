"""Responses: one survey's answers, with the instrument, the column roles and the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, cast

import narwhals as nw

from collabsurvey.errors import DataError, OptionError, UnknownNameError
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses.engine import (
    Frame,
    as_narwhals,
    collect,
    column_names,
    is_lazy,
    to_native,
)
from collabsurvey.responses.ledger import Ledger

Role = Literal[
    "respondent",
    "cluster",
    "partnership",
    "partner",
    "wave",
    "cohort",
    "staff_role",
    "weight",
    "stratum",
]
ROLES: tuple[str, ...] = Role.__args__  # type: ignore[attr-defined]
ROW_KEY = ("respondent", "wave", "partner")  # one row of answers for each combination


@dataclass(frozen=True, eq=False)
class Responses:
    """Answers as they were given, one row for each respondent × wave × partner.

    Attributes
    ----------
    frame : pandas, polars, DuckDB or other frame
        Item columns are named by item id and hold codes, null for missing; reversed items
        are as they were answered. Role columns keep the names they came with.
    instrument : Instrument
        What was asked and how it is scored.
    roles : mapping of role to column
        Which column says who answered, in which school, when, about whom.
    ledger : Ledger
        Everything that was recoded, dropped or set to missing, counted.
    synthetic : bool
        Whether the answers were drawn by a computer.
    """

    frame: Any
    instrument: Instrument
    roles: Mapping[str, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    synthetic: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "roles", MappingProxyType(dict(self.roles)))

    @property
    def n_rows(self) -> int:
        """Rows of answers."""
        counted = collect(as_narwhals(self.frame).select(nw.len().alias("n")))
        return int(counted["n"].to_list()[0])

    @property
    def n_respondents(self) -> int:
        """People who answered: different ids, and each row that has no id; rows without the role."""
        if "respondent" not in self.roles:
            return self.n_rows
        who = nw.col(self.roles["respondent"])
        frame = as_narwhals(self.frame)
        known = frame.filter(~who.is_null()).select(self.roles["respondent"]).unique()
        named = collect(known.select(nw.len().alias("n")))["n"].to_list()[0]
        nameless = collect(frame.filter(who.is_null()).select(nw.len().alias("n")))
        return int(named) + int(nameless["n"].to_list()[0])

    def role(self, role: str, *, purpose: str) -> str:
        """Return the column of a role that an analysis cannot do without."""
        if role not in self.roles:
            raise DataError(
                f"{purpose} needs the role {role!r}. Say which column it is: "
                f"roles={{{role!r}: 'column'}}."
            )
        return self.roles[role]

    def with_constant(self, role: Role, value: str | int) -> Responses:
        """Return responses that have the same value of a role in every row, such as wave 1."""
        if role in self.roles:
            raise OptionError("role", role, allowed=(f"a role that is not set; {role} already is",))
        name = role if role not in column_names(as_narwhals(self.frame)) else f"{role}_role"
        frame = as_narwhals(self.frame).with_columns(nw.lit(value).alias(name))
        return replace(self, frame=to_native(frame), roles={**self.roles, role: name})

    def wide(self, by: str = "wave") -> Any:
        """One row per respondent, with a column `item_level` for each level of the role `by`.

        Returned in the caller's engine; other roles get a column for each level too.
        """
        who = self.role("respondent", purpose="Wide data")
        when = self.role(by, purpose="Wide data")
        frame = as_narwhals(self.frame)
        others = [column for role, column in self.roles.items() if role not in ("respondent", by)]
        present = set(column_names(frame))
        values = [*others, *(item for item in self.instrument.item_ids if item in present)]
        levels = collect(frame.select(when).unique())[when].to_list()
        known = sorted(level for level in levels if level is not None and level == level)
        wide: Any = None
        for level in known:
            rows = frame.filter(nw.col(when) == level, ~nw.col(who).is_null())
            part = rows.select(who, *(nw.col(c).alias(f"{c}_{level:g}" if isinstance(level, float) else f"{c}_{level}") for c in values))
            if wide is None:
                wide = part
                continue
            wide = wide.join(part, on=who, how="full", suffix="__right")
            wide = wide.with_columns(nw.coalesce(who, f"{who}__right").alias(who))
            wide = wide.drop(f"{who}__right")
        if wide is None:
            raise DataError(f"Wide data: the column {when!r} is empty, so there are no waves.")
        return to_native(wide if is_lazy(wide) else wide.sort(who))

    def __repr__(self) -> str:
        roles = ", ".join(f"{role}={column}" for role, column in self.roles.items())
        mark = ", synthetic" if self.synthetic else ""
        size = "lazy" if is_lazy(as_narwhals(self.frame)) else f"{self.n_rows} rows"
        return f"Responses({self.instrument.id}, {size}{f', {roles}' if roles else ''}{mark})"


def concat(parts: Sequence[Responses]) -> Responses:
    """Put waves, schools or files of one instrument together, one above the other.

    Role columns take the names of the first part. Ids that are numbers in one part and
    text in another are refused: 7 and "07" may be one person or two.
    """
    from collabsurvey.responses.build import check_answers

    if not parts:
        raise OptionError("parts", [], allowed=("at least one Responses",))
    first = parts[0]
    frames: list[Frame] = []
    for part in parts:
        frames.append(_aligned(first, part))
    columns = list(dict.fromkeys(name for frame in frames for name in column_names(frame)))
    _check_types(frames, [first.roles[role] for role in first.roles])
    schema = {name: dtype for frame in frames for name, dtype in frame.collect_schema().items()}
    padded = [
        frame.with_columns(
            *(nw.lit(None, dtype=schema[name]).alias(name)
              for name in columns if name not in column_names(frame))
        ).select(columns)
        for frame in frames
    ]
    frame = cast("Frame", nw.concat(cast("Any", padded), how="vertical"))
    if isinstance(frame, nw.DataFrame) and frame.implementation.is_pandas():
        frame = nw.from_native(to_native(frame).reset_index(drop=True))
    joined = replace(
        first,
        frame=to_native(frame),
        ledger=Ledger(tuple(line for part in parts for line in part.ledger)),
        synthetic=any(part.synthetic for part in parts),
    )
    check_answers(joined, only_keys=True)
    return joined


def _aligned(first: Responses, part: Responses) -> Frame:
    same = (part.instrument.id, part.instrument.version) == (
        first.instrument.id,
        first.instrument.version,
    )
    if not same or part.instrument.item_ids != first.instrument.item_ids:
        raise DataError(
            f"Responses to {part.instrument.id!r} {part.instrument.version} cannot be put under "
            f"responses to {first.instrument.id!r} {first.instrument.version}: the questions differ."
        )
    if set(part.roles) != set(first.roles):
        differ = sorted(set(part.roles) ^ set(first.roles))
        raise DataError(
            f"The parts do not have the same roles: {', '.join(differ)} is set in one and not in "
            "another. Set it in all, for example with with_constant('wave', 1)."
        )
    rename = {part.roles[r]: first.roles[r] for r in first.roles if part.roles[r] != first.roles[r]}
    frame = as_narwhals(part.frame)
    taken = set(rename.values()) & set(column_names(frame)) - set(rename)
    if taken:
        raise UnknownNameError(
            "free column name", sorted(taken)[0], available=(), where="A part to be concatenated"
        )
    return frame.rename(rename) if rename else frame


def _check_types(frames: Sequence[Frame], columns: Sequence[str]) -> None:
    for column in columns:
        kinds = {
            "text" if not frame.collect_schema()[column].is_numeric() else "numbers"
            for frame in frames
        }
        if len(kinds) > 1:
            raise DataError(
                f"Column {column!r} holds text in one part and numbers in another, so '07' and 7 "
                "cannot be told apart. Read it as text in every part."
            )
