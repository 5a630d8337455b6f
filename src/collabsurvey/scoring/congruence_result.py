"""What `congruence` returns: from now to wanted, of respondents and of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart, interval_chart
from collabsurvey.errors import check_level
from collabsurvey.moments.grouped import GroupedMoments, grouped
from collabsurvey.numerics.compositions import aitchison_distance, closure
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import as_narwhals
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result, table_from_frame
from collabsurvey.scoring.group_shares import closing_notes
from collabsurvey.scoring.rows import (
    Grouping,
    Sizes,
    beside,
    check_min_n,
    group_sizes,
    some,
    weight_of,
)
from collabsurvey.scoring.shares import flag

if TYPE_CHECKING:
    import pandas as pd

WORKING = "__both__"  # starts the names of the columns of a row with both compositions


@dataclass(frozen=True, eq=False)
class CongruenceGroups(Result):
    """Distance from now to wanted, of each group or of everybody.

    Attributes
    ----------
    by : names of what was grouped by, in words
    keys, labels : (K,) those names; (G, K) the labels of each group
    groups : (G,) labels in order, those of several keys joined
    n : (G,) people with both compositions, each counted once
    n_rows, n_unscored : (G,)
        Rows with both (more than people, where they answered at several waves), and the others.
    below_min_n : (G,) whether fewer than `min_n` people have both; no group is removed
    distance, distance_low, distance_high : (G,)
        Mean of the respondents' Aitchison distances, weighted where there is a weight role,
        and its limits: t over people. NaN where people are no independent draws from the
        group: with weights, several rows of a person, or groups made of schools.
    distance_of_centres : (G,)
        Distance between the centres of now and of wanted: smaller than the mean distance
        where people want to go different ways.
    moved : (G,) mean points that would have to go to another type
    change : (G, D) mean of wanted minus now, in points of 100
    """

    name: str
    by: str
    keys: tuple[str, ...]
    types: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    n: tuple[int, ...]
    n_rows: tuple[int, ...]
    n_unscored: tuple[int, ...]
    below_min_n: tuple[bool, ...]
    min_n: int
    overall: float  # mean distance of everybody
    conf_level: float
    distance: FloatArray
    distance_low: FloatArray
    distance_high: FloatArray
    distance_of_centres: FloatArray
    moved: FloatArray
    change: FloatArray
    notes: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels of the groups, those of several keys joined."""
        return tuple(" · ".join(label) for label in self.labels)

    def to_frame(self) -> pd.DataFrame:
        """One row a group: keys, counts, distances, points moved, `change.type`, size."""
        import pandas as pd

        columns: dict[str, Any] = {
            name: [label[i] for label in self.labels] for i, name in enumerate(self.keys)
        }
        columns |= {
            "n": self.n,
            "n_rows": self.n_rows,
            "n_unscored": self.n_unscored,
            "distance": self.distance,
            "distance_low": self.distance_low,
            "distance_high": self.distance_high,
            "distance_of_centres": self.distance_of_centres,
            "moved": self.moved,
        }
        columns |= {f"change.{one}": self.change[:, j] for j, one in enumerate(self.types)}
        return pd.DataFrame(columns | {"below_min_n": self.below_min_n})

    def table(self) -> Table:
        """One row a group."""
        frame = self.to_frame()
        points = [name for name in frame.columns if name.startswith("change.")]
        frame[points] = frame[points].round() + 0.0  # so that no −0 is shown
        if self.n == self.n_rows:
            frame = frame.drop(columns="n_rows")
        return table_from_frame(
            frame,
            f"From now to wanted ({self.name}) by {self.by}",
            notes=self.notes,
            formats=dict.fromkeys(
                ("distance", "distance_low", "distance_high", "distance_of_centres"), ".2f"
            )
            | {"moved": ".0f"}
            | dict.fromkeys(points, "+.0f"),
            labels={
                "n_rows": "rows",
                "n_unscored": "without both",
                "distance_low": "low",
                "distance_high": "high",
                "moved": "points moved",
                "below_min_n": f"below {self.min_n}",
            },
        )

    def chart(self) -> Chart:
        """Mean distance of each group with its limits; hollow: fewer than `min_n` people.

        The line is the mean of everybody. Chance alone gives a distance, so 0 is no yardstick.
        """
        return interval_chart(
            self.groups,
            self.distance.tolist(),
            self.distance_low.tolist(),
            self.distance_high.tolist(),
            title=f"From now to wanted ({self.name}) by {self.by}",
            axis="mean Aitchison distance, to be compared with others and not with 0\n"
            f"(line: everybody; hollow: fewer than {self.min_n} people)",
            reference=self.overall,
            highlight=self.below_min_n,
        )


@dataclass(frozen=True, eq=False)
class CongruenceResult(Result):
    """Distance from now to wanted of every respondent, and on the whole.

    Attributes
    ----------
    rows : native frame
        Columns of the roles, then working columns; see `to_frame`.
    mean_now, mean_wanted, change : (D,)
        Mean share of each type in points of 100, and wanted minus now, over rows with both.
    distance, distance_of_centres, moved : see `CongruenceGroups`
    """

    responses: Responses
    name: str
    now: str
    wanted: str
    types: tuple[str, ...]
    rows: Any
    n_rows: int
    n_scored: int
    mean_now: tuple[float, ...]
    mean_wanted: tuple[float, ...]
    change: tuple[float, ...]
    distance: float
    distance_of_centres: float
    moved: float
    notes: tuple[str, ...]

    def to_frame(self, keep: Sequence[str] = ()) -> Any:
        """Return each respondent's distance and change, in the caller's engine.

        Columns: those kept; then, for the scale `ctx.shift`, `ctx.shift.distance`,
        `ctx.shift.moved` (points that would have to go to another type) and
        `ctx.shift.network` and so on (wanted minus now, in points of 100).
        """
        columns = [
            nw.col(WORKING + place).alias(f"{self.name}.{word}")
            for place, word in (
                ("distance", "distance"),
                ("moved", "moved"),
                *((f"change__{j}", one) for j, one in enumerate(self.types)),
            )
        ]
        return beside(self.responses, as_narwhals(self.rows), keep, columns)

    def by(
        self, group: str | Sequence[str], *, min_n: int = 10, conf_level: float = 0.95
    ) -> CongruenceGroups:
        """Distance and change of each group, such as "cluster" or ["cluster", "wave"].

        `group` names roles or their columns. Groups with fewer than `min_n` people are kept
        and flagged; 10 is the least that reports of this package show.
        """
        return congruence_groups(self, group, min_n=min_n, conf_level=conf_level)

    def table(self) -> Table:
        """One row a type: points now and wanted, and the change."""
        mark = " (synthetic data)" if self.responses.synthetic else ""
        far = f"mean distance {self.distance:.2f}, " if self.n_scored else ""
        return Table(
            title=f"From {self.now} to {self.wanted}: {far}{self.n_scored} of {self.n_rows} "
            f"with both{mark}",
            columns={
                "type": self.types,
                "now": self.mean_now,
                "wanted": self.mean_wanted,
                "change": (np.round(self.change) + 0.0).tolist(),  # so that no −0 is shown
            },
            notes=self.notes,
            formats={"now": ".0f", "wanted": ".0f", "change": "+.0f"},
        )

    def chart(self) -> Chart:
        """Change of each type in points; right of the line more of it is wanted."""
        return dot_chart(
            self.types,
            self.change,
            title=f"From {self.now} to {self.wanted}",
            axis="wanted minus now, points of 100",
            reference=0.0,
        )


def summed(n_types: int) -> list[str]:
    """Working columns whose means are told, the logarithms last."""
    sides = [f"{side}_{what}" for what in ("share", "log") for side in ("now", "wanted")]
    return ["distance", "moved", *(f"{side}__{j}" for side in sides for j in range(n_types))]


def distance_of_centres(logs: FloatArray) -> FloatArray:
    """Distance (G,) between centres from mean logarithms (G, 2 D): now, then wanted."""
    now, wanted = np.split(logs, 2, axis=1)
    return aitchison_distance(closure(np.exp(now)), closure(np.exp(wanted)))


def congruence_groups(
    result: CongruenceResult, by: str | Sequence[str], *, min_n: int, conf_level: float
) -> CongruenceGroups:
    """Aggregate the rows of a result by one or several roles or their columns."""
    check_min_n(min_n)
    check_level(conf_level)
    responses, d = result.responses, len(result.types)
    grouping = Grouping.of(responses, by)
    everybody = as_narwhals(result.rows)
    scored = ~nw.col(f"{WORKING}distance").is_null()
    w = weight_of(responses)
    weight = nw.when(scored).then(nw.lit(1.0) if w is None else w)
    rows = everybody.select(
        *grouping.expressions(),
        weight.alias("__weight"),
        flag(~scored).alias("__unscored"),
        *((weight * nw.col(WORKING + key)).alias(f"__{key}") for key in summed(d)),
    )
    columns = ["__weight", "__unscored", *(f"__{key}" for key in summed(d))]
    found = grouped(rows, columns, grouping.keys)
    sizes = group_sizes(responses, everybody, scored, grouping, found, min_n)
    total = np.nan_to_num(found.mean) * found.n
    mean = total[:, 2:] / np.where(total[:, :1] > 0, total[:, :1], np.nan)
    notes = [
        "Distance: mean of the respondents' Aitchison distances; distance of centres: of what "
        "the group has to what it wants on the whole. Change: wanted minus now, points of 100."
    ]
    reach, why_not = _reach(responses, grouping, sizes, found, conf_level)
    notes.append(why_not or f"Low and high: {conf_level:.0%} limits of the mean, t over people.")
    if found.n_without_group:
        notes.append(f"Without {grouping.words}, and in no group: {some(found.n_without_group)}.")
    return CongruenceGroups(
        name=result.name,
        by=grouping.words,
        keys=grouping.names,
        types=result.types,
        labels=found.groups,
        n=sizes.n,
        n_rows=sizes.n_rows,
        n_unscored=tuple(round(n) for n in total[:, 1]),
        below_min_n=sizes.below_min_n,
        min_n=min_n,
        overall=result.distance,
        conf_level=conf_level,
        distance=mean[:, 0],
        distance_low=mean[:, 0] - reach,
        distance_high=mean[:, 0] + reach,
        distance_of_centres=distance_of_centres(mean[:, 2 + 2 * d :]),
        moved=mean[:, 1],
        change=100 * (mean[:, 2 + d : 2 + 2 * d] - mean[:, 2 : 2 + d]),
        notes=(*notes, *sizes.notes, *closing_notes(responses)),
    )


def _reach(
    responses: Responses,
    grouping: Grouping,
    sizes: Sizes,
    found: GroupedMoments,
    conf_level: float,
) -> tuple[FloatArray, str]:
    """Half the width of each group's limits (G,); or NaN, and why there are none."""
    from collabsurvey.numerics.student import critical_value

    blank = np.full(len(found.groups), np.nan)
    if "weight" in responses.roles:
        return blank, "No limits of weighted means."
    if sizes.n != sizes.n_rows:
        return blank, "No limits, because people answered several times."
    cluster = responses.roles.get("cluster")
    if cluster is not None and cluster not in grouping.columns:
        return blank, f"No limits: people of one {cluster} answer alike, and are in one group here."
    n, _, ss = found.column("__distance")
    several = n > 1
    df = n[several] - 1
    blank[several] = critical_value(conf_level, df) * np.sqrt(ss[several] / df / n[several])
    return blank, ""
