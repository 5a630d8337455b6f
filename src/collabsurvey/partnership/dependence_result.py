"""What `dependence` returns: who needs whom for what, and whether both sides say the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from collabsurvey.display import Chart, Table
from collabsurvey.display.heat import heat_chart
from collabsurvey.errors import DataError, OptionError, UnknownNameError, listed
from collabsurvey.partnership.dyad_result import choices, chosen_rows, rounded_up
from collabsurvey.partnership.pictures import cell_format, framed
from collabsurvey.partnership.round_robin import wide_table
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

Joint = Literal["mean", "sum"]


@dataclass(frozen=True, eq=False)
class DependenceResult(Result):
    """One row a directed pair and resource.

    `summary()` has a row a directed pair, for all resources together; `resource_table` shows
    one of them, `accounts_table` what the other side says, and `to_frame` everything.

    Attributes
    ----------
    grid : pandas.DataFrame
        `partnership` and `wave` where they are known, then `source target resource n_raters
        n_ours n_theirs we_need_them they_need_us asymmetry sd se df ci_low ci_high joint
        below_min`, as the people of `source` see it. `asymmetry` is they_need_us -
        we_need_them of each person, averaged over the `n_raters` who answered both; above
        zero means power over the target. `joint` is the mean (or sum) of the two needs.
    accounts : pandas.DataFrame
        The two accounts of one need, that of `target` for `source`: `n_source source_says`
        (they need us), `n_target target_says` (we need them), `difference` source_says -
        target_says with Welch's interval, `one_sided` where one account is missing.
    agreement : pandas.DataFrame
        Over directed pairs with both accounts, by resource (and wave): `n_directed
        correlation mean_difference`.
    resources : tuple of str
        In the order of the instrument; "all resources" is the mean of them.
    """

    grid: pd.DataFrame
    accounts: pd.DataFrame
    agreement: pd.DataFrame
    resources: tuple[str, ...]
    joint: Joint
    keys: tuple[str, ...]
    schools: tuple[Any, ...]
    n_rows: int
    n_raters: int
    min_raters: int
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a directed pair and resource; see the class."""
        return self.grid.copy()

    def matrix(
        self,
        quantity: str = "asymmetry",
        resource: str | None = None,
        *,
        partnership: Any = None,
        wave: Any = None,
    ) -> pd.DataFrame:
        """Sources in rows, targets in columns, of one resource (the last: all of them)."""
        allowed = ("asymmetry", "we_need_them", "they_need_us", "joint", "n_raters")
        if quantity not in allowed:
            raise OptionError("quantity", quantity, allowed=allowed)
        frame = self._of(resource)
        frame = chosen_rows(frame, self.keys, partnership=partnership, wave=wave)
        if frame.duplicated(["source", "target"]).any():
            raise DataError(
                f"A pair of schools stands in several {' and '.join(f'{k}s' for k in self.keys)}. "
                f"Say which: {', '.join(choices(self.grid, self.keys))}."
            )
        there = {*frame["source"], *frame["target"]}
        return wide_table(frame, [school for school in self.schools if school in there], quantity)

    def _of(self, resource: str | None) -> pd.DataFrame:
        chosen = self.resources[-1] if resource is None else resource
        if chosen not in self.resources:
            raise UnknownNameError("resource", chosen, available=self.resources, where="The grid")
        return self.grid[self.grid["resource"] == chosen]

    def table(self) -> Table:
        """Needs in both directions and their asymmetry, of all resources together."""
        table = self.resource_table()
        if len(self.resources) == 1:
            return table
        *single, _ = map(repr, self.resources)
        more = f"One resource: resource_table() of {listed(single)}; to_frame() has them all."
        return replace(table, notes=(more, *table.notes))

    def resource_table(self, resource: str | None = None) -> Table:
        """Needs in both directions and their asymmetry, of one resource (the last: all)."""
        frame = self._of(resource)
        name = frame["resource"].iloc[0]
        shown = [*self.keys, "source", "target", "n_ours", "we_need_them", "n_theirs"]
        shown += ["they_need_us", "n_raters", "asymmetry", "ci_low", "ci_high", "joint"]
        two = ("we_need_them", "they_need_us", "asymmetry", "ci_low", "ci_high", "joint")
        return Table(
            title=f"Who needs whom, {name}, as the source sees it "
            f"({self.conf_level:.0%} intervals of the asymmetry)",
            columns={name: frame[name].tolist() for name in (*shown, "below_min")},
            notes=self.notes,
            formats=dict.fromkeys(two, ".2f"),
            labels={
                "n_ours": "n (ours)",
                "n_theirs": "n (theirs)",
                "n_raters": "n both",
                "below_min": f"below {self.min_raters}",
            },
        )

    def accounts_table(self) -> Table:
        """The two accounts of each need."""
        shown = [*self.keys, "source", "target", "resource", "n_source", "source_says"]
        shown += ["n_target", "target_says", "difference", "ci_low", "ci_high", "one_sided"]
        two = ("source_says", "target_says", "difference", "ci_low", "ci_high")
        return Table(
            title="How much the target needs the source, as each of them says "
            f"({self.conf_level:.0%} intervals)",
            columns={name: self.accounts[name].tolist() for name in shown},
            formats=dict.fromkeys(two, ".2f"),
            labels={"n_source": "n", "n_target": "n", "one_sided": "one-sided"},
        )

    def chart(self) -> Chart:
        """Asymmetry of each directed pair and resource: blue where the target needs more."""
        grid = self.grid
        n = len(self.resources)
        values = grid["asymmetry"].to_numpy().reshape(-1, n)
        first = grid.iloc[::n].to_dict("records")
        names = [
            f"{row['source']} → {row['target']}" + "".join(f" · {row[k]}" for k in self.keys)
            for row in first
        ]
        known = [abs(x) for x in values.ravel().tolist() if isfinite(x)]
        limit = rounded_up(max(known, default=1.0))
        few = grid["below_min"].to_numpy().reshape(-1, n).tolist()
        mark, words = framed(values.tolist(), few, f"fewer than {self.min_raters} people")
        return heat_chart(
            values.tolist(),
            names,
            list(self.resources),
            title=f"They need us, less we need them{words}",
            description_of="asymmetry",
            limit=limit,
            form=cell_format(limit),
            mark=mark,
        )
