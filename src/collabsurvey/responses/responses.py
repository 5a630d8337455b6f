"""Responses: one survey's answers, with the instrument, the column roles and the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

import narwhals as nw

from collabsurvey.errors import DataError, OptionError
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses.engine import (
    as_narwhals,
    collect,
    column_names,
    count_rows,
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
ROLES: tuple[str, ...] = get_args(Role)
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
    key : tuple of roles, optional
        Roles that tell rows apart besides respondent, wave and partner, such as the cluster
        where a person may answer once in each.
    """

    frame: Any
    instrument: Instrument
    roles: Mapping[str, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    synthetic: bool = False
    key: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "roles", MappingProxyType(dict(self.roles)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Let responses be copied and pickled, for work in several processes."""
        roles = dict(self.roles)
        fields = (self.frame, self.instrument, roles, self.ledger, self.synthetic, self.key)
        return Responses, fields

    @property
    def n_rows(self) -> int:
        """Rows of answers."""
        return count_rows(as_narwhals(self.frame))

    @property
    def n_respondents(self) -> int:
        """Different ids, and each row that has no id; all rows where the role is not set."""
        if "respondent" not in self.roles:
            return self.n_rows
        who = nw.col(self.roles["respondent"])
        frame = as_narwhals(self.frame)
        known = frame.filter(~who.is_null()).select(self.roles["respondent"]).unique()
        return count_rows(known) + count_rows(frame.filter(who.is_null()))

    @property
    def key_roles(self) -> tuple[str, ...]:
        """Roles whose values together occur once: the row key."""
        named = (*ROW_KEY, *(self.key or ()))
        return tuple(dict.fromkeys(role for role in named if role in self.roles))

    def replace(self, **changes: Any) -> Responses:
        """Return responses in which the named fields are others."""
        return replace(self, **changes)

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

    def answered(self, items: Iterable[str]) -> Responses:
        """Rows that hold an answer to any of the items.

        Where people answered about several partners, questions about the whole partnership
        stand in the rows without a partner: these, without the blank ones.
        """
        any_answer = nw.any_horizontal(
            *(~nw.col(self.instrument.item(item).id).is_null() for item in items),
            ignore_nulls=True,
        )
        return replace(self, frame=to_native(as_narwhals(self.frame).filter(any_answer)))

    def wide(self, by: str = "wave") -> Any:
        """One row per respondent, with a column `item_level` for each level of the role `by`.

        Returned in the caller's engine, sorted by respondent where it is eager. The rest of the
        row key (such as the partner) stays a column; other roles get a column for each level.
        Rows without a respondent or a level are left out, because they cannot be matched.
        """
        purpose = "Wide data"
        self.role("respondent", purpose=purpose)
        when = self.role(by, purpose=purpose)
        if by == "respondent":
            raise OptionError("by", by, allowed=[r for r in self.roles if r != by])
        who = [self.roles[role] for role in self.key_roles if role != by]
        frame = as_narwhals(self.frame)
        others = [column for column in self.roles.values() if column not in (*who, when)]
        values = [*others, *self.instrument.item_ids]
        known = frame.filter(~nw.col(when).is_null(), ~nw.col(who[0]).is_null())
        levels = sorted(collect(known.select(when).unique())[when].to_list())
        if not levels:
            raise DataError(f"Wide data: the column {when!r} is empty, so it has no levels.")
        # Ids first and each level joined to them: a join on keys with nulls would lose rows.
        texts = [nw.col(column).cast(nw.String).fill_null("") for column in who[1:]]
        keys = [who[0], *(f"key__{j}" for j in range(len(texts)))]
        if texts:
            named_keys = (text.alias(key) for text, key in zip(texts, keys[1:], strict=True))
            known = known.with_columns(*named_keys)
        wide: Any = known.select(*dict.fromkeys((*keys, *who))).unique(subset=keys, keep="any")
        for level in levels:
            named = [nw.col(column).alias(f"{column}_{_label(level)}") for column in values]
            rows = known.filter(nw.col(when) == level).select(*keys, *named)
            wide = wide.join(rows, on=keys, how="left")
        wide = wide.drop(*keys[1:]) if texts else wide
        if is_lazy(wide):
            return to_native(wide)
        wide = wide.sort(who)
        if wide.implementation.is_pandas():
            return to_native(wide).reset_index(drop=True)
        return to_native(wide)

    def __repr__(self) -> str:
        roles = ", ".join(f"{role}={column}" for role, column in self.roles.items())
        mark = ", synthetic" if self.synthetic else ""
        size = "lazy" if is_lazy(as_narwhals(self.frame)) else f"{self.n_rows} rows"
        return f"Responses({self.instrument.id}, {size}{f', {roles}' if roles else ''}{mark})"


def _label(level: Any) -> str:
    """How a level is written in a column name: wave 1.0 is 1."""
    return f"{level:g}" if isinstance(level, float) else str(level)


def require_responses(value: object, *, method: str) -> None:
    """Refuse a plain frame where answers with their key are needed."""
    if not isinstance(value, Responses):
        raise DataError(
            f"{method} takes Responses, not a {type(value).__name__}. Make them first: "
            "cs.from_frame(df, scales={'agree': ['A1', 'A2']}) or cs.read_responses(...)."
        )
