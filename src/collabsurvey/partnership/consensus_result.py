"""What `consensus` returns: how far the people of each group give the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.display.paired import paired_chart
from collabsurvey.numerics.intervals import t_quantile
from collabsurvey.partnership.pictures import axis_broken
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

RESPONDENTS = "respondents"  # over whom an interval is made, where not over schools
PICK_COLUMNS = ("agreement", "ac1", "alpha", "kappa")
RANKING_COLUMNS = ("agreement", "tau", "spearman", "kendall_w")
FELT_COLUMNS = ("felt", "actual", "actual_beyond_chance", "gap", "gap_beyond_chance")
OWN_COLUMNS = (
    "n",
    "n_left_out",
    "n_felt",
    "chance",
    "n_items",
    "entropy_share",
    "gap_z",
    "interval",
    "n_units",
    "below_min_n",
    *(
        f"{name}{end}"
        for name in (*PICK_COLUMNS, *RANKING_COLUMNS, *FELT_COLUMNS)
        for end in ("", "_low", "_high")
    ),
)


@dataclass(frozen=True, eq=False)
class ConsensusResult(Result):
    """How far the people of each group give the same answer, and how far they feel they do.

    Attributes
    ----------
    groups_frame : pandas.DataFrame
        One row a group: the grouping column, then
        `n` people who count, `n_left_out` people with too few answers or no ranking;
        `agreement` share of pairs of people with the same answer (mean over items), or of
        pairs of things that two people rank in the same order; `chance` what it would be
        if all answers were equally likely; `n_items` items with two answers, on which it rests;
        picks: `ac1` (Gwet), `alpha` (Krippendorff, nominal), `kappa` (Fleiss),
        `entropy_share` (mean over items of entropy over its maximum: 0 all the same, 1 evenly
        spread); rankings: `tau` (mean Kendall correlation of two people), `spearman` (the same
        with Spearman's), `kendall_w`;
        where felt agreement is known: `n_felt`, `felt` and `actual` agreement, both 0 to 100,
        `actual_beyond_chance` (100 times AC1, or tau), `gap` = felt - actual,
        `gap_beyond_chance`, and `gap_z`, the difference of the two after each was
        standardised over groups;
        each with `_low` and `_high`; `interval` says what was left out or drawn for them, and
        `n_units` how many; `below_min_n`.
    items_frame : pandas.DataFrame
        One row a group and item; see `items`.
    shares_frame : pandas.DataFrame
        One row a group, item and answer; see `shares`.
    """

    groups_frame: pd.DataFrame
    items_frame: pd.DataFrame
    shares_frame: pd.DataFrame
    scale: str
    by: str
    ranking: bool
    common: bool
    felt: str | None
    chance: float
    min_n: int
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a group; see the class."""
        return self.groups_frame.copy()

    def items(self) -> pd.DataFrame:
        """One row a group and item.

        Picks: `n`, the modal `answer` (its code, missing where tied) and `label` (both labels
        where tied), its `share`, `n_tied` (answers with that share), `entropy` in bits,
        `entropy_share` of its maximum, `agreement` of pairs, `chance`, `ac1`. Rankings: `n`,
        `mean_rank`, `sd_rank`, `share_first` and `place` by mean rank, 1 the first.
        """
        return self.items_frame.copy()

    def shares(self) -> pd.DataFrame:
        """One row a group, item and possible answer: `answer label n share`."""
        return self.shares_frame.copy()

    def over_groups(self) -> pd.DataFrame:
        """One row a measure over groups: `n_groups mean sd std_error df ci_low ci_high`.

        Groups count equally; the interval takes t on groups - 1.
        """
        import pandas as pd

        names = RANKING_COLUMNS if self.ranking else PICK_COLUMNS
        rows = []
        for name in (*names, *(FELT_COLUMNS if self.felt else ())):
            values = self.groups_frame[name].dropna()
            n = len(values)
            sd = float(values.std()) if n > 1 else np.nan
            reach = sd / np.sqrt(n) * t_quantile((1 + self.conf_level) / 2, n - 1) if n > 1 else 0
            mean = float(values.mean()) if n else np.nan
            rows.append(
                {
                    "measure": name,
                    "n_groups": n,
                    "mean": mean,
                    "sd": sd,
                    "std_error": sd / np.sqrt(n) if n > 1 else np.nan,
                    "df": n - 1 if n > 1 else np.nan,
                    "ci_low": mean - reach if n > 1 else np.nan,
                    "ci_high": mean + reach if n > 1 else np.nan,
                }
            )
        return pd.DataFrame(rows)

    def table(self) -> Table:
        """One row a group: agreement with its interval, coefficients, felt against actual."""
        names = RANKING_COLUMNS if self.ranking else PICK_COLUMNS
        frame = self.groups_frame
        shown = [self.by, "n", "agreement", "agreement_low", "agreement_high", *names[1:]]
        shown += [] if self.ranking else ["entropy_share"]
        shown += ["felt", "actual", "gap", "gap_low", "gap_high"] if self.felt else []
        if len(set(frame["interval"])) > 1:  # not all over schools, or not all over people
            shown.append("interval")
        shown.append("below_min_n")
        points = ("felt", "actual", "gap", "gap_low", "gap_high")
        return Table(
            title=f"Agreement on {self.scale} by {self.by} ({self.conf_level:.0%} intervals)",
            columns={name: frame[name].tolist() for name in shown},
            notes=self.notes,
            formats={
                **dict.fromkeys(("agreement", "agreement_low", "agreement_high"), ".0%"),
                **dict.fromkeys(("entropy_share", *names[1:]), ".2f"),
                **dict.fromkeys(points, ".0f"),
            },
            labels={
                "agreement": "same order" if self.ranking else "agreement",
                "agreement_low": "agreement low",
                "agreement_high": "agreement high",
                "ac1": "AC1",
                "kendall_w": "W",
                "entropy_share": "entropy 0–1",
                "below_min_n": f"below {self.min_n}",
            },
        )

    def chart(self) -> Chart:
        """Felt against actual agreement of each group; agreement alone where nobody was asked.

        Hollow: fewer than `min_n` people. Groups from the least to the most agreement.
        """
        frame = self.groups_frame
        frame = frame[frame["agreement"].notna()].sort_values("agreement", kind="stable")
        labels = [str(label) for label in frame[self.by]]
        hollow = frame["below_min_n"].tolist()
        small = f"\n(hollow: fewer than {self.min_n} people)" if any(hollow) else ""
        if self.felt:
            chart = paired_chart(
                labels,
                frame["felt"].tolist(),
                frame["actual"].tolist(),
                names=("felt", "actual"),
                title=f"Agreement on {self.scale} by {self.by}: felt and actual",
                axis=f"agreement, 0 to 100; {100 * self.chance:.0f} by chance alone{small}",
                hollow=hollow,
                limits=(-3, 103),
            )
            return axis_broken(chart) if small else chart
        what = "pairs of things in the same order" if self.ranking else "pairs of people who agree"
        chart = interval_chart(
            labels,
            (100 * frame["agreement"]).tolist(),
            (100 * frame["agreement_low"]).tolist(),
            (100 * frame["agreement_high"]).tolist(),
            title=f"Agreement on {self.scale} by {self.by}",
            axis=f"% of {what}; line: by chance{small}",
            reference=100 * self.chance,
            highlight=hollow,
        )
        return axis_broken(chart) if small else chart
