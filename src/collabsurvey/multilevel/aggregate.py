"""Means of groups, with honest errors: schools from staff, partnerships from schools.

Sources: empirical Bayes means, Morris (1983) doi:10.2307/2287098; reliability of group
means, Bliese (2000). No finite population correction: the interval is about the school as
it would answer again, not about the staff of one day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import OptionError, UnknownNameError, check_level, listed
from collabsurvey.multilevel.eligible import eligible_counts
from collabsurvey.multilevel.groups import Groups, groups_of
from collabsurvey.multilevel.inputs import chosen_scales, score_table
from collabsurvey.multilevel.wording import several
from collabsurvey.numerics.intervals import t_quantile
from collabsurvey.numerics.oneway import group_reliability, one_way, shrunken_means
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class AggregateResult(Result):
    """One row a group and scale; no value is removed, whatever the number of respondents.

    Attributes
    ----------
    groups_frame : pandas.DataFrame
        The grouping columns, then `scale n n_units n_eligible response_rate mean sd se df
        ci_low ci_high shrunken_mean reliability below_min_n`. `n` respondents with a score;
        `n_units` what the error is computed from: respondents, or schools with `through`;
        `sd` of these units; `below_min_n` whether the group is too small to be published.
    by : tuple of str
        Grouping columns.
    grand_mean : mapping of scale to float
        Towards which small groups are drawn in `shrunken_mean`.
    """

    groups_frame: pd.DataFrame
    by: tuple[str, ...]
    through: str | None
    scales: tuple[str, ...]
    grand_mean: Mapping[str, float]
    min_n: int
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a group and scale; see the class."""
        return self.groups_frame.copy()

    def table(self) -> Table:
        """Means with their intervals."""
        frame = self.groups_frame
        shown = [*self.by, "scale", "n", "n_units", "n_eligible", "mean", "sd"]
        shown += ["ci_low", "ci_high", "shrunken_mean", "reliability", "below_min_n"]
        if self.through is None:
            shown.remove("n_units")
        if frame["n_eligible"].isna().all():
            shown.remove("n_eligible")
        two = ("ci_low", "ci_high", "shrunken_mean", "reliability")
        return Table(
            title=f"Means by {' and '.join(self.by)} ({self.conf_level:.0%} intervals)",
            columns={name: frame[name].tolist() for name in shown},
            notes=self.notes,
            formats={**dict.fromkeys(two, ".2f"), "n_eligible": ".0f"},
            labels={
                "n_units": self.through or "units",
                "n_eligible": "eligible",
                "below_min_n": f"below {self.min_n}",
            },
        )

    def chart(self, scale: str | None = None) -> Chart:
        """Means of one scale (the first, if none is named) from low to high, with intervals.

        Hollow dots are groups below `min_n`; the line is the grand mean.
        """
        chosen = self.scales[0] if scale is None else scale
        if chosen not in self.scales:
            raise UnknownNameError(
                "scale", chosen, available=self.scales, where="The table of means"
            )
        frame = self.groups_frame
        frame = frame[(frame["scale"] == chosen) & frame["mean"].notna()].sort_values("mean")
        labels = [" · ".join(map(str, row)) for row in frame[list(self.by)].to_numpy()]
        return interval_chart(
            labels=labels,
            estimate=frame["mean"].tolist(),
            low=frame["ci_low"].tolist(),
            high=frame["ci_high"].tolist(),
            title=f"{chosen} by {' and '.join(self.by)}",
            axis=f"mean, with its {self.conf_level:.0%} interval "
            f"(hollow: fewer than {self.min_n} respondents)",
            reference=self.grand_mean[chosen],
            highlight=frame["below_min_n"].tolist(),
        )


RESULT_COLUMNS = (
    "scale",
    "n",
    "n_units",
    "n_eligible",
    "response_rate",
    "mean",
    "sd",
    "se",
    "df",
    "ci_low",
    "ci_high",
    "shrunken_mean",
    "reliability",
    "below_min_n",
)


def aggregate(
    scores: Any,
    by: str | Sequence[str],
    *,
    through: str | None = None,
    eligible: Any = None,
    min_n: int = 10,
    conf_level: float = 0.95,
    scales: Sequence[str] | None = None,
) -> AggregateResult:
    """Means of groups, scale by scale, with intervals and reliability.

    Parameters
    ----------
    scores : result of `cs.score`, or a frame of any engine
        One row a respondent. Where the roles show that people answered several times
        (waves, partners), each person counts once, with the mean of their rows.
    by : str or sequence of str
        Roles or columns that make the groups, such as "cluster" or ["school", "wave"].
    through : str, optional
        For partnerships: the role or column of the schools. The mean is then the plain mean
        of the school means, its error comes from their spread, with t on schools - 1. Where
        the cluster role is known and is not among the groups, it is taken without asking.
    eligible : mapping, pandas Series or frame, optional
        How many could have answered, by group; gives `n_eligible` and `response_rate`. A
        frame has the grouping columns and one column of counts. Columns of text, of true and
        false, and those that have a role in the responses (such as the wave) are no counts. Two
        rows of a group are refused, not added: at two waves they count the same people.
    min_n : int
        Groups with fewer respondents get `below_min_n`.
    scales : sequence of str, optional
        Columns to average; all scales, or numeric columns without a role, where left out.

    Raises
    ------
    UnknownNameError
        No such role, column or scale.
    NotEnoughDataError
        No row has a group.
    WeightsNotAppliedError
        The responses have a weight role.

    Notes
    -----
    Schools count equally in a partnership, since a partnership is an arrangement between
    schools: weighting by respondents would let the largest school, or the one that answered
    most, speak for the others. `reliability` is tau² / (tau² + sigma² / n_units) from the
    analysis of variance of the units (tau² not below zero), and `shrunken_mean` draws each
    mean towards the grand mean by 1 - reliability.
    """
    import pandas as pd

    if min_n < 1:
        raise OptionError("min_n", min_n, allowed=("a count of 1 or more",))
    check_level(conf_level)
    table = score_table(scores, method="multilevel.aggregate")
    keys = tuple(table.column(key) for key in ([by] if isinstance(by, str) else by))
    taken = [key for key in keys if key in RESULT_COLUMNS]
    if taken:
        raise OptionError("by", taken[0], allowed=(f"a column that is not called {taken[0]!r}",))
    if through is None and "cluster" in table.roles and table.roles["cluster"] not in keys:
        through = "cluster"  # people of one school are not independent
    unit = None if through is None else table.column(through)
    if unit in keys:
        raise OptionError("through", through, allowed=("a level below the groups in by",))
    names = chosen_scales(table, scales, keys=[*keys, *([unit] if unit else [])])
    groups = groups_of(table, names, keys, unit)
    notes = list(groups.notes)
    groups, counts, found_notes = eligible_counts(
        eligible, groups, keys, roles=tuple(table.roles.values())
    )
    notes += found_notes
    parts, grand = [], {}
    for name in names:
        part, mean, found_notes = scale_rows(groups, name, conf_level=conf_level)
        parts.append(part)
        grand[name] = mean
        notes += found_notes
    frame = pd.concat(parts, ignore_index=True)
    # Groups in their order, scales within groups.
    g = len(groups.labels)
    frame = frame.iloc[[s * g + i for i in range(g) for s in range(len(names))]]
    frame = frame.reset_index(drop=True)
    eligible_column = np.repeat(counts, len(names))
    frame.insert(len(keys) + 3, "n_eligible", eligible_column)
    rate = frame["n"].to_numpy() / np.where(eligible_column > 0, eligible_column, np.nan)
    frame.insert(len(keys) + 4, "response_rate", rate)
    frame["below_min_n"] = frame["n"] < min_n
    return AggregateResult(
        groups_frame=frame,
        by=keys,
        through=unit,
        scales=names,
        grand_mean=grand,
        min_n=min_n,
        conf_level=conf_level,
        notes=(*notes, *general_notes(frame, keys, unit, min_n), *synthetic_note(table.synthetic)),
    )


def scale_rows(
    groups: Groups, scale: str, *, conf_level: float
) -> tuple[pd.DataFrame, float, list[str]]:
    """Rows (G) of one scale, its grand mean, and what has to be said about it."""
    import pandas as pd

    n, units, mean, ss = groups.column(scale)
    several = units > 1
    df = np.where(several, units - 1, np.nan)
    sd = np.sqrt(np.divide(ss, df, out=np.full(len(df), np.nan), where=several))
    se = sd / np.sqrt(np.where(several, units, np.nan))
    tail = (1 + conf_level) / 2
    reach = se * np.array([t_quantile(tail, d) if d > 0 else np.nan for d in df])
    reliability = shrunken = np.full(len(n), np.nan)
    anova = one_way(units, mean, ss)
    notes = []
    if anova.df1 >= 1 and anova.df2 >= 1:
        tau2, sigma2 = anova.tau2, anova.ms_within
        reliability = group_reliability(units, tau2=tau2, sigma2=sigma2)
        shrunken, grand = shrunken_means(units, mean, tau2=tau2, sigma2=sigma2)
        shrunken = np.where(units > 0, shrunken, np.nan)
        if tau2 == 0:
            notes.append(
                f"{scale}: groups differ no more than chance would have it, so their means have "
                "reliability 0 and are drawn all the way to the grand mean."
            )
    else:
        there = units > 0
        grand = float(np.average(mean[there], weights=units[there])) if there.any() else np.nan
        notes.append(
            f"{scale}: reliability and shrunken means need two groups, one of them with two "
            "units; they are missing."
        )
    frame = groups.key_frame()
    frame = frame.assign(scale=scale, n=n.astype(int), n_units=units.astype(int))
    numbers = {
        "mean": mean,
        "sd": sd,
        "se": se,
        "df": df,
        "ci_low": mean - reach,
        "ci_high": mean + reach,
        "shrunken_mean": shrunken,
        "reliability": reliability,
    }
    return pd.concat([frame, pd.DataFrame(numbers)], axis=1), grand, notes


def general_notes(
    frame: pd.DataFrame, keys: Sequence[str], unit: str | None, min_n: int
) -> list[str]:
    """How the means were made, which of them have no error, which are below `min_n`."""
    place = " and ".join(keys)
    if unit is None:
        notes = [f"Mean of the respondents of each {place}; t interval on respondents less one."]
    else:
        notes = [
            f"Plain mean of the means of each {unit}, every {unit} counting once; t interval on "
            f"the number of {several(unit)} less one."
        ]
    what = "respondent" if unit is None else unit
    if names := group_names(frame[frame["n_units"] == 1], keys):
        notes.append(f"Only one {what}, so no standard error: {listed(names)}.")
    if names := group_names(frame[(frame["n_units"] > 1) & (frame["sd"] == 0)], keys):
        notes.append(
            f"Every {what} the same, so an interval without width that says nothing about others: "
            f"{listed(names)}."
        )
    if names := group_names(frame[frame["n_units"] == 0], keys):
        notes.append(f"Nobody with a score, so no mean: {listed(names)}.")
    if names := group_names(frame[frame["below_min_n"] & (frame["n"] > 0)], keys):
        notes.append(
            f"Fewer than {min_n} respondents, not to be published: "
            f"the {' · '.join(keys)} {listed(names)}."
        )
    return notes


def group_names(rows: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Names of the groups in these rows, each once."""
    return list(dict.fromkeys(" · ".join(map(str, row)) for row in rows[list(keys)].to_numpy()))


def synthetic_note(synthetic: bool) -> tuple[str, ...]:
    """Say that a computer drew the answers."""
    return ("Synthetic data.",) if synthetic else ()
