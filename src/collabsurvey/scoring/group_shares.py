"""Compositions of groups: mean shares, centre, and the type that has most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.shares import share_chart
from collabsurvey.moments.grouped import grouped
from collabsurvey.moments.respondents import repeated_rows_note
from collabsurvey.numerics.compositions import closure, modal_part
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import Frame
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result, table_from_frame
from collabsurvey.scoring.rows import Grouping, check_min_n, group_sizes, some, weight_of
from collabsurvey.scoring.shares import Shares, flag

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class CompositionGroups(Result):
    """Composition of each group, such as a school.

    Attributes
    ----------
    by : names of what was grouped by, in words
    keys, labels : (K,) those names; (G, K) the labels of each group
    groups : (G,) labels in order, those of several keys joined
    n : (G,) people with shares, each counted once
    n_rows, n_unscored : (G,)
        Rows with shares (more than people, where they answered at several waves), and rows
        that answered too little.
    below_min_n : (G,) whether fewer than `min_n` people have shares; no group is removed
    mean_shares : (G, D)
        Mean share of each type, weighted where there is a weight role; NaN where n is 0.
    centres : (G, D)
        Closed geometric means of the shares with zeros replaced; NaN where a zero is refused.
    modal : (G,) type with the largest mean share, None where tied
    n_tied : (G,) types that share the first place, 0 for none
    """

    scale: str
    by: str
    keys: tuple[str, ...]
    types: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    n: tuple[int, ...]
    n_rows: tuple[int, ...]
    n_unscored: tuple[int, ...]
    below_min_n: tuple[bool, ...]
    min_n: int
    mean_shares: FloatArray
    centres: FloatArray
    modal: tuple[str | None, ...]
    n_tied: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels of the groups, those of several keys joined."""
        return tuple(" · ".join(label) for label in self.labels)

    def to_frame(self) -> pd.DataFrame:
        """One row a group: keys, counts, `share.type`, `centre.type`, modal type, ties, size."""
        import pandas as pd

        columns: dict[str, Any] = {
            name: [label[i] for label in self.labels] for i, name in enumerate(self.keys)
        }
        columns |= {"n": self.n, "n_rows": self.n_rows, "n_unscored": self.n_unscored}
        for name, values in (("share", self.mean_shares), ("centre", self.centres)):
            columns |= {f"{name}.{one}": values[:, j] for j, one in enumerate(self.types)}
        columns |= {"modal": self.modal, "n_tied": self.n_tied, "below_min_n": self.below_min_n}
        return pd.DataFrame(columns)

    def table(self) -> Table:
        """One row a group."""
        frame = self.to_frame()
        if self.n == self.n_rows:
            frame = frame.drop(columns="n_rows")
        shares = [name for name in frame.columns if name.startswith(("share.", "centre."))]
        return table_from_frame(
            frame,
            f"Composition of {self.scale} by {self.by}",
            notes=self.notes,
            formats=dict.fromkeys(shares, ".2f"),
            labels={
                "n_rows": "rows",
                "n_unscored": "too few answers",
                "modal": "most",
                "n_tied": "tied",
                "below_min_n": f"below {self.min_n}",
            },
        )

    def chart(self) -> Chart:
        """Mean share of each type in each group."""
        return share_chart(
            self.groups,
            self.mean_shares.tolist(),
            self.types,
            title=f"Composition of {self.scale} by {self.by}",
        )


def group_shares(
    responses: Responses, rows: Frame, made: Shares, by: str | Sequence[str], min_n: int
) -> CompositionGroups:
    """Aggregate the shares of `rows` by one or several roles or their columns."""
    check_min_n(min_n)
    grouping = Grouping.of(responses, by)
    places = range(len(made.names))
    w = weight_of(responses)
    scored = ~nw.col(made.column("share", 0)).is_null()
    weight = nw.when(scored).then(nw.lit(1.0) if w is None else w)
    known = nw.col(made.column("log", 0)).is_null() & scored
    # The grouping columns go under names of their own: one may be the weight, or named __n.
    taken = rows.select(
        *grouping.expressions(),
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
    found = grouped(taken, columns, grouping.keys)
    sizes = group_sizes(responses, rows, scored, grouping, found, min_n)
    total = np.nan_to_num(found.mean) * found.n
    with np.errstate(invalid="ignore"):
        mean = total[:, 3:] / np.where(total[:, :1] > 0, total[:, :1], np.nan)
    shares, logs = mean[:, : len(places)], mean[:, len(places) :]
    refused = total[:, 2] > 0
    centres = closure(np.exp(np.where(refused[:, None], np.nan, logs)))
    place, tied = modal_part(shares)
    notes = ["Centre: geometric means of the shares with zeros replaced, closed to 1."]
    if found.n_without_group:
        notes.append(f"Without {grouping.words}, and in no group: {some(found.n_without_group)}.")
    if n_tied := int((tied > 0).sum()):
        notes.append(f"First place tied, so no single type with most: {some(n_tied, 'group')}.")
    if refused.any():
        notes.append(
            "No centre, because somebody's share is 0 and zeros are refused: "
            f"{some(refused.sum(), 'group')}."
        )
    return CompositionGroups(
        scale=made.scale.id,
        by=grouping.words,
        keys=grouping.names,
        types=made.names,
        labels=found.groups,
        n=sizes.n,
        n_rows=sizes.n_rows,
        n_unscored=tuple(round(n) for n in total[:, 1]),
        below_min_n=sizes.below_min_n,
        min_n=min_n,
        mean_shares=shares,
        centres=centres,
        modal=tuple(made.names[j] if j >= 0 else None for j in place),
        n_tied=tuple(tied.tolist()),
        notes=(*notes, *sizes.notes, *closing_notes(responses)),
    )


def rows_notes(responses: Responses) -> list[str]:
    """Say that somebody stands in several rows, of which each counts."""
    note = repeated_rows_note(responses)
    return [f"{note} Take one wave, or .by(['cluster', 'wave'])."] if note else []


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
