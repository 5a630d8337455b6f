"""Within and between analysis of two variables (WABA).

Source: Dansereau, Alutto & Yammarino (1984) Theory Testing in Organizational Behavior: The Varient
Approach; the R package multilevel gives the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import DataError, NotEnoughDataError, NoVarianceError
from collabsurvey.moments.clustered import within_group_sscp
from collabsurvey.multilevel.inputs import score_table
from collabsurvey.multilevel.levels import pooled_note
from collabsurvey.responses.engine import group_codes, read_columns
from collabsurvey.results import Result, table_from_frame

if TYPE_CHECKING:
    import pandas as pd

MEANINGS = {
    "r": "correlation of the scores",
    "eta_between_x": "share of x between clusters, as a correlation",
    "eta_between_y": "share of y between clusters, as a correlation",
    "r_between": "correlation of the cluster means, weighted by their members",
    "eta_within_x": "share of x within clusters, as a correlation",
    "eta_within_y": "share of y within clusters, as a correlation",
    "r_within": "correlation of the deviations from the cluster means",
}


@dataclass(frozen=True, eq=False)
class WabaResult(Result):
    """A correlation taken apart: r = eta_bx eta_by r_between + eta_wx eta_wy r_within."""

    parts_frame: pd.DataFrame  # part estimate meaning
    x: str
    y: str
    cluster: str
    n: int
    n_clusters: int
    notes: tuple[str, ...]

    def estimate(self, part: str) -> float:
        """Return one part by its name, such as "r_within"."""
        return float(self.parts_frame.set_index("part")["estimate"][part])

    def to_frame(self) -> pd.DataFrame:
        """One row a part."""
        return self.parts_frame.copy()

    def table(self) -> Table:
        """Return the parts."""
        return table_from_frame(
            self.parts_frame,
            f"{self.x} and {self.y} within and between groups of {self.cluster}",
            notes=self.notes,
        )

    def chart(self) -> Chart:
        """Correlations: of scores, between and within."""
        frame = self.parts_frame[self.parts_frame["part"].isin(["r", "r_between", "r_within"])]
        return dot_chart(
            labels=frame["part"].tolist(),
            values=frame["estimate"].tolist(),
            title=f"{self.x} and {self.y} by {self.cluster}",
            axis="correlation",
            reference=0.0,
        )


def waba(data: Any, x: str, y: str, cluster: str = "cluster") -> WabaResult:
    """Take the correlation of two variables apart into within and between clusters.

    Parameters
    ----------
    data : frame of any engine, or the result of `cs.score`
        One row a respondent; rows with both variables and a cluster count.
    x, y : str
        Numeric columns.
    cluster : str
        A column, or a role where the data have roles.

    Raises
    ------
    NotEnoughDataError
        Fewer than two clusters, or none with two members.
    NoVarianceError
        A variable does not vary within, or between, clusters.
    WeightsNotAppliedError
        The responses have a weight role.
    """
    import pandas as pd

    table = score_table(data, method="multilevel.waba")
    names = [table.column(x), table.column(y)]
    column = table.column(cluster)
    columns = read_columns(table.frame, [*names, column])
    if text := [name for name in names if columns[name].categories is not None]:
        raise DataError(f"Column {text[0]!r} holds text, so it has no variance.")
    values = np.column_stack([columns[name].values for name in names])
    codes, labels = group_codes(columns[column])
    used = ~np.isnan(values).any(axis=1) & (codes >= 0)
    pieces = within_group_sscp(values[used], codes[used], len(labels), np.ones(int(used.sum())))
    n = pieces.n
    g = int((n > 0).sum())
    if g < 2 or not (n > 1).any():
        raise NotEnoughDataError(
            "WABA", what=f"different values of {column!r}, one with two members", found=g, needed=2
        )
    within = pieces.sscp.sum(axis=0)
    away = pieces.mean - n @ pieces.mean / n.sum()
    between = (away * n[:, None]).T @ away
    total = within + between
    for matrix, where in ((within, "within"), (between, "between")):
        flat = np.diag(matrix) <= 1e-12 * np.diag(total)
        if flat.any():
            name = names[int(np.argmax(flat))]
            raise NoVarianceError(f"column {name!r} {where} {column!r}", method="WABA")

    def correlation(matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
        return float(matrix[0, 1] / np.sqrt(matrix[0, 0] * matrix[1, 1]))

    eta_b = np.sqrt(np.diag(between) / np.diag(total))
    eta_w = np.sqrt(np.diag(within) / np.diag(total))
    estimates = [
        correlation(total),
        *eta_b.tolist(),
        correlation(between),
        *eta_w.tolist(),
        correlation(within),
    ]
    lost = int((~used).sum())
    return WabaResult(
        parts_frame=pd.DataFrame(
            {"part": list(MEANINGS), "estimate": estimates, "meaning": list(MEANINGS.values())}
        ),
        x=names[0],
        y=names[1],
        cluster=column,
        n=int(used.sum()),
        n_clusters=g,
        notes=(
            "r = eta_between_x · eta_between_y · r_between + eta_within_x · eta_within_y · "
            "r_within.",
            *(pooled_note(table.responses, column) if table.responses is not None else ()),
            *((f"Rows without both variables or {column}, left out: {lost}.",) if lost else ()),
            *(("Synthetic data.",) if table.synthetic else ()),
        ),
    )
