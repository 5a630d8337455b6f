"""What `congruence` returns: from now to wanted, of respondents and of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.moments.grouped import grouped
from collabsurvey.numerics.compositions import aitchison_distance, closure
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import as_narwhals
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result, table_from_frame
from collabsurvey.scoring.group_shares import closing_notes
from collabsurvey.scoring.rows import beside, role_column, some, weight_of
from collabsurvey.scoring.shares import flag

if TYPE_CHECKING:
    import pandas as pd

WORKING = "__both__"  # starts the names of the columns of a row with both compositions


@dataclass(frozen=True, eq=False)
class CongruenceGroups(Result):
    """Distance from now to wanted, of each group or of everybody.

    Attributes
    ----------
    groups : (G,) labels, in order
    n, n_unscored : (G,) rows with both compositions, and the others
    distance : (G,)
        Mean of the respondents' Aitchison distances, weighted where there is a weight role.
    distance_of_centres : (G,)
        Distance between the centres of now and of wanted: smaller than the mean distance
        where people want to go different ways.
    moved : (G,) mean points that would have to go to another type
    change : (G, D) mean of wanted minus now, in points of 100
    """

    name: str
    by: str
    types: tuple[str, ...]
    groups: tuple[str, ...]
    n: tuple[int, ...]
    n_unscored: tuple[int, ...]
    distance: FloatArray
    distance_of_centres: FloatArray
    moved: FloatArray
    change: FloatArray
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a group: counts, distances, points moved, `change.type`."""
        import pandas as pd

        columns: dict[str, Any] = {
            self.by: self.groups,
            "n": self.n,
            "n_unscored": self.n_unscored,
            "distance": self.distance,
            "distance_of_centres": self.distance_of_centres,
            "moved": self.moved,
        }
        columns |= {f"change.{one}": self.change[:, j] for j, one in enumerate(self.types)}
        return pd.DataFrame(columns)

    def table(self) -> Table:
        """One row a group."""
        frame = self.to_frame()
        points = [name for name in frame.columns if name.startswith("change.")]
        return table_from_frame(
            frame,
            f"From now to wanted ({self.name}) by {self.by}",
            notes=self.notes,
            formats={"distance": ".2f", "distance_of_centres": ".2f", "moved": ".0f"}
            | dict.fromkeys(points, "+.0f"),
            labels={"n_unscored": "without both", "moved": "points moved"},
        )

    def chart(self) -> Chart:
        """Mean distance of each group."""
        return dot_chart(
            self.groups,
            self.distance.tolist(),
            title=f"From now to wanted ({self.name})",
            axis="mean Aitchison distance; 0 is no wish for change",
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

    def by(self, group: str) -> CongruenceGroups:
        """Distance and change of each group; `group` is a role such as "cluster"."""
        return congruence_groups(self, group)

    def table(self) -> Table:
        """One row a type: points now and wanted, and the change."""
        mark = " (synthetic data)" if self.responses.synthetic else ""
        return Table(
            title=f"From {self.now} to {self.wanted}: mean distance "
            f"{self.distance:.2f}, {self.n_scored} of {self.n_rows} with both{mark}",
            columns={
                "type": self.types,
                "now": self.mean_now,
                "wanted": self.mean_wanted,
                "change": self.change,
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


def congruence_groups(result: CongruenceResult, by: str) -> CongruenceGroups:
    """Aggregate the rows of a result by a role or its column."""
    responses, d = result.responses, len(result.types)
    column = role_column(responses, by, option="by")
    scored = ~nw.col(f"{WORKING}distance").is_null()
    w = weight_of(responses)
    weight = nw.when(scored).then(nw.lit(1.0) if w is None else w)
    rows = as_narwhals(result.rows).select(
        nw.col(column).alias("__by"),
        weight.alias("__weight"),
        flag(~scored).alias("__unscored"),
        *((weight * nw.col(WORKING + key)).alias(f"__{key}") for key in summed(d)),
    )
    columns = ["__weight", "__unscored", *(f"__{key}" for key in summed(d))]
    found = grouped(rows, columns, "__by")
    total = np.nan_to_num(found.mean) * found.n
    mean = total[:, 2:] / np.where(total[:, :1] > 0, total[:, :1], np.nan)
    notes = [
        "Distance: mean of the respondents' Aitchison distances; distance of centres: of what "
        "the group has to what it wants on the whole. Change: wanted minus now, points of 100."
    ]
    if found.n_without_group:
        notes.append(f"Without {by}, and in no group: {some(found.n_without_group)}.")
    return CongruenceGroups(
        name=result.name,
        by=by,
        types=result.types,
        groups=tuple(label for (label,) in found.groups),
        n=tuple(int(n) for n in found.n[:, 0]),
        n_unscored=tuple(round(n) for n in total[:, 1]),
        distance=mean[:, 0],
        distance_of_centres=distance_of_centres(mean[:, 2 + 2 * d :]),
        moved=mean[:, 1],
        change=100 * (mean[:, 2 + d : 2 + 2 * d] - mean[:, 2 : 2 + d]),
        notes=(*notes, *closing_notes(responses)),
    )
