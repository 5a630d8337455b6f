"""Compositions of groups: mean shares, centre, and the type that has most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.shares import share_chart
from collabsurvey.moments.grouped import grouped
from collabsurvey.numerics.compositions import closure, modal_part
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import Frame
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result, table_from_frame
from collabsurvey.scoring.rows import role_column, some, weight_of
from collabsurvey.scoring.shares import Shares, flag

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class CompositionGroups(Result):
    """Composition of each group, such as a school.

    Attributes
    ----------
    groups : (G,) labels, in order
    n, n_unscored : (G,)
        Rows with shares, and rows that answered too little.
    mean_shares : (G, D)
        Mean share of each type, weighted where there is a weight role; NaN where n is 0.
    centres : (G, D)
        Closed geometric means of the shares with zeros replaced; NaN where a zero is refused.
    modal : (G,) type with the largest mean share, None where tied
    n_tied : (G,) types that share the first place, 0 for none
    """

    scale: str
    by: str
    types: tuple[str, ...]
    groups: tuple[str, ...]
    n: tuple[int, ...]
    n_unscored: tuple[int, ...]
    mean_shares: FloatArray
    centres: FloatArray
    modal: tuple[str | None, ...]
    n_tied: tuple[int, ...]
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a group: counts, `share.type`, `centre.type`, modal type, ties."""
        import pandas as pd

        columns: dict[str, Any] = {
            self.by: self.groups,
            "n": self.n,
            "n_unscored": self.n_unscored,
        }
        for name, values in (("share", self.mean_shares), ("centre", self.centres)):
            columns |= {f"{name}.{one}": values[:, j] for j, one in enumerate(self.types)}
        return pd.DataFrame(columns | {"modal": self.modal, "n_tied": self.n_tied})

    def table(self) -> Table:
        """One row a group."""
        frame = self.to_frame()
        shares = [name for name in frame.columns if name.startswith(("share.", "centre."))]
        return table_from_frame(
            frame,
            f"Composition of {self.scale} by {self.by}",
            notes=self.notes,
            formats=dict.fromkeys(shares, ".2f"),
            labels={"n_unscored": "too few answers", "modal": "most", "n_tied": "tied"},
        )

    def chart(self) -> Chart:
        """Mean share of each type in each group."""
        return share_chart(
            self.groups,
            self.mean_shares.tolist(),
            self.types,
            title=f"Composition of {self.scale} by {self.by}",
        )


def group_shares(responses: Responses, rows: Frame, made: Shares, by: str) -> CompositionGroups:
    """Aggregate the shares of `rows` by a role or its column."""
    column = role_column(responses, by, option="by")
    places = range(len(made.names))
    w = weight_of(responses)
    scored = ~nw.col(made.column("share", 0)).is_null()
    weight = nw.when(scored).then(nw.lit(1.0) if w is None else w)
    known = nw.col(made.column("log", 0)).is_null() & scored
    # The grouping column goes under a name of its own: it may be the weight, or named __n.
    rows = rows.select(
        nw.col(column).alias("__by"),
        weight.alias("__weight"),
        flag(~scored).alias("__unscored"),
        flag(known).alias("__refused"),
        *(
            (weight * nw.col(made.column(what, j))).alias(f"__{what}{j}")
            for what in ("share", "log")
            for j in places
        ),
    )
    columns = ["__weight", "__unscored", "__refused"]
    columns += [f"__{what}{j}" for what in ("share", "log") for j in places]
    found = grouped(rows, columns, "__by")
    total = np.nan_to_num(found.mean) * found.n
    with np.errstate(invalid="ignore"):
        mean = total[:, 3:] / np.where(total[:, :1] > 0, total[:, :1], np.nan)
    shares, logs = mean[:, : len(places)], mean[:, len(places) :]
    refused = total[:, 2] > 0
    centres = closure(np.exp(np.where(refused[:, None], np.nan, logs)))
    place, tied = modal_part(shares)
    notes = ["Centre: geometric means of the shares with zeros replaced, closed to 1."]
    if found.n_without_group:
        notes.append(f"Without {by}, and in no group: {some(found.n_without_group)}.")
    if n_tied := int((tied > 0).sum()):
        notes.append(f"First place tied, so no single type with most: {some(n_tied, 'group')}.")
    if refused.any():
        notes.append(
            "No centre, because somebody's share is 0 and zeros are refused: "
            f"{some(refused.sum(), 'group')}."
        )
    return CompositionGroups(
        scale=made.scale.id,
        by=by,
        types=made.names,
        groups=tuple(label for (label,) in found.groups),
        n=tuple(int(n) for n in found.n[:, 0]),
        n_unscored=tuple(round(n) for n in total[:, 1]),
        mean_shares=shares,
        centres=centres,
        modal=tuple(made.names[j] if j >= 0 else None for j in place),
        n_tied=tuple(tied.tolist()),
        notes=(*notes, *closing_notes(responses)),
    )


def closing_notes(responses: Responses) -> list[str]:
    """What every composition has to say."""
    notes = [
        "Shares add up to 1, so one can only grow where others shrink: correlations among them, "
        "alpha and factor analysis mean nothing. In a model use as_='ilr'."
    ]
    if "weight" in responses.roles:
        notes.append("Means and centres are weighted; counts are of respondents.")
    if responses.synthetic:
        notes.append("Synthetic data: drawn by a computer, no evidence about any school.")
    return notes
