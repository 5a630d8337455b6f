"""What `composition` returns: shares of every respondent, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import narwhals as nw

from collabsurvey.display import Chart, Table
from collabsurvey.display.shares import share_chart
from collabsurvey.errors import DataError, OptionError
from collabsurvey.responses.engine import as_narwhals
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result
from collabsurvey.scoring.group_shares import CompositionGroups, group_shares
from collabsurvey.scoring.log_ratios import Zeros, clr_columns, ilr_columns
from collabsurvey.scoring.rows import beside, some
from collabsurvey.scoring.shares import Shares, faulty_blocks

As = Literal["shares", "clr", "ilr"]


@dataclass(frozen=True, eq=False)
class CompositionResult(Result):
    """Shares of every respondent, and what they rest on.

    Attributes
    ----------
    made : Shares
        The scale and how its blocks count.
    rows : native frame
        Columns of the roles, then working columns; see `to_frame` for the shares.
    types : (D,) in the order of the scale
    n_rows, n_scored, n_unscored : rows, those with shares, those that answered too little
    n_tied, n_with_zero : rows without a single largest share; rows with a share of 0
    mean_shares, centre : (D,)
        Weighted where there is a weight role; NaN where nobody is scored, and the centre
        where a zero is refused.
    n_modal : (D,) rows in which the type has the largest share
    n_faults : counts of blocks of points that were not scored, by what is wrong with them
    """

    responses: Responses
    made: Shares
    rows: Any
    zeros: Zeros
    types: tuple[str, ...]
    n_rows: int
    n_scored: int
    n_tied: int
    n_with_zero: int
    mean_shares: tuple[float, ...]
    centre: tuple[float, ...]
    n_modal: tuple[int, ...]
    n_faults: dict[str, int]
    notes: tuple[str, ...]

    @property
    def scale(self) -> str:
        """Id of the scale."""
        return self.made.scale.id

    @property
    def n_unscored(self) -> int:
        """Rows that answered too little."""
        return self.n_rows - self.n_scored

    def to_frame(self, keep: Sequence[str] = (), as_: As = "shares") -> Any:
        """Return what each respondent chose, in the caller's engine.

        Columns: those kept (roles, or columns that have one); then, for a scale `ctx.now`,
        `ctx.now.network` and so on (shares), `ctx.now.clr.network` (centred log-ratios, which
        add up to 0) or `ctx.now.ilr.1` … (one fewer than types; these can enter a model); then
        `.modal`, the type with the largest share, missing where tied; `.n_tied`, how many
        types are tied, 0 for none; `.n_answered`, triads answered or blocks that count.
        """
        if as_ not in get_args(As):
            raise OptionError("as_", as_, allowed=get_args(As))
        if as_ != "shares" and self.zeros == "refuse" and self.n_with_zero:
            raise DataError(
                f"A share of 0, whose logarithm does not exist: {some(self.n_with_zero)}; and "
                "zeros='refuse'. Use zeros='auto', which replaces it."
            )
        made = self.made
        named = [f"{self.scale}.{name}" for name in self.types]
        columns = [
            nw.col(column).alias(name)
            for column, name in zip(made.columns("share"), named, strict=True)
        ]
        if as_ == "clr":
            columns = clr_columns(made, [f"{self.scale}.clr.{name}" for name in self.types])
        elif as_ == "ilr":
            columns = ilr_columns(made, [f"{self.scale}.ilr.{j}" for j in range(1, len(named))])
        columns += [
            nw.col(made.column("modal")).alias(f"{self.scale}.modal"),
            nw.col(made.column("tied")).alias(f"{self.scale}.n_tied"),
            nw.col(made.column("n")).cast(nw.Int64).alias(f"{self.scale}.n_answered"),
        ]
        return beside(self.responses, as_narwhals(self.rows), keep, columns)

    @property
    def faults(self) -> Any:
        """Blocks of points that were not scored, in the caller's engine; None for picks.

        Columns of the roles, then row (place from 0; not of lazy frames), scale, block
        (from 1), points, blank (parts without an answer), problem.
        """
        if self.made.picks:
            return None
        kept = list(dict.fromkeys(self.responses.roles.values()))
        return faulty_blocks(as_narwhals(self.rows), self.made, kept)

    def by(self, group: str | Sequence[str], *, min_n: int = 10) -> CompositionGroups:
        """Composition of each group, such as "cluster" or ["cluster", "wave"].

        `group` names roles or their columns. Groups with fewer than `min_n` people are kept
        and flagged; 10 is the least that reports of this package show.
        """
        return group_shares(self.responses, as_narwhals(self.rows), self.made, group, min_n)

    def table(self) -> Table:
        """One row a type: mean share, centre, respondents for whom it has most."""
        mark = " (synthetic data)" if self.responses.synthetic else ""
        return Table(
            title=f"Composition of {self.scale}: {self.n_scored} of {self.n_rows} scored{mark}",
            columns={
                "type": self.types,
                "mean_share": self.mean_shares,
                "centre": self.centre,
                "n_modal": self.n_modal,
            },
            notes=self.notes,
            formats={"mean_share": ".2f", "centre": ".2f"},
            labels={"n_modal": "most for"},
        )

    def chart(self) -> Chart:
        """Mean share and centre of each type."""
        return share_chart(
            ("mean share", "centre"),
            (self.mean_shares, self.centre),
            self.types,
            title=f"Composition of {self.scale}",
        )
