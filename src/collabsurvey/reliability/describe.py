"""Plain description of items as they were answered, in the manner of `psych::describe`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import NotAmountsError, WeightsNotAppliedError, listed
from collabsurvey.instruments.model import Instrument
from collabsurvey.moments import weighted_answers
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result, table_from_frame

if TYPE_CHECKING:
    import pandas as pd

UNORDERED = ("nominal", "text")
MAD_FACTOR = 1.4826  # makes the median absolute deviation of a normal variable its sd
COLUMNS = ("n", "mean", "sd", "median", "trimmed", "mad", "min", "max", "skew", "kurtosis", "se")


@dataclass(frozen=True, eq=False)
class ItemDescription(Result):
    """One row an item: n mean sd median trimmed mad min max skew kurtosis se."""

    items_frame: pd.DataFrame
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row an item."""
        return self.items_frame.copy()

    def table(self) -> Table:
        """Two digits of every number."""
        formats = {name: ".2f" for name in COLUMNS if name not in ("n", "min", "max", "se")}
        return table_from_frame(
            self.items_frame,
            "Items as answered",
            notes=self.notes,
            formats={**formats, "min": ".4g", "max": ".4g", "se": ".3f"},
        )

    def chart(self) -> Chart:
        """Mean of each item, with one standard deviation to each side."""
        frame = self.items_frame
        return interval_chart(
            labels=frame["item"].tolist(),
            estimate=frame["mean"].tolist(),
            low=(frame["mean"] - frame["sd"]).tolist(),
            high=(frame["mean"] + frame["sd"]).tolist(),
            title="Items as answered",
            axis="mean, with one standard deviation to each side",
        )


def describe_items(
    responses: Responses, items: str | Sequence[str] | None = None
) -> ItemDescription:
    """Describe items as they were answered: reversed items are not turned round.

    Reads every row. Each item from all rows that answered it. `items` is a scale id, item
    ids, or None for all whose answers are amounts or ranks: picks and free text have no mean.

    Raises
    ------
    NotAmountsError
        Items that are named are picks or free text.
    WeightsNotAppliedError
        There is a weight role: medians and trimmed means are not weighted here.

    Notes
    -----
    `trimmed`: mean without the lowest and highest tenth. `mad`: median absolute deviation
    × 1.4826. `skew`, `kurtosis`: third and fourth central moments over sd³ and sd⁴ (minus
    3) with the n - 1 standard deviation, psych's type 3. `se`: sd / √n.
    """
    import pandas as pd

    if "weight" in responses.roles:
        raise WeightsNotAppliedError("describe_items")
    names, unordered = _described(responses.instrument, items)
    answers, _ = weighted_answers(responses, names)
    rows = [describe(column[~np.isnan(column)]) for column in answers.T]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"n": int})
    frame.insert(0, "item", names)
    notes = ["Answers as given; reverse-keyed items are not turned round."]
    if unordered:
        notes.append(f"Picks and free text have no mean, and are left out: {listed(unordered)}.")
    if thin := [name for name, row in zip(names, rows, strict=True) if row[0] < 2]:
        notes.append(f"Fewer than two answers, so no standard deviation: {', '.join(thin)}.")
    if flat := [name for name, row in zip(names, rows, strict=True) if row[2] == 0]:
        notes.append(f"The same answer in every row, so no skew: {', '.join(flat)}.")
    if responses.synthetic:
        notes.append("Synthetic data.")
    return ItemDescription(frame, tuple(notes))


def _described(
    instrument: Instrument, items: str | Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Items to describe, and those left out because their answers have no order."""
    names = instrument.items_of(instrument.item_ids if items is None else items)
    sets = {name: instrument.response_set(name) for name in names}
    unordered = tuple(name for name, one in sets.items() if one and one.type in UNORDERED)
    if unordered and items is not None:
        raise NotAmountsError(
            "describe_items",
            items=unordered,
            reason="their answers are kinds or free text, which have no mean.",
            instead="Use cs.reliability.distributions for how often each answer was given.",
        )
    return tuple(name for name in names if name not in unordered), unordered


def describe(x: FloatArray) -> tuple[float, ...]:
    """Return the numbers named in COLUMNS for the answers x (n,), none of them missing."""
    n = len(x)
    if not n:
        return (0.0, *[float("nan")] * (len(COLUMNS) - 1))
    x = np.sort(x)
    mean, median = float(x.mean()), float(np.median(x))
    cut = int(0.1 * n)
    trimmed = float(x[cut : n - cut].mean())
    mad = float(np.median(np.abs(x - median))) * MAD_FACTOR
    sd = float(x.std(ddof=1)) if n > 1 else float("nan")
    skew = kurtosis = float("nan")
    if sd > 0:
        d = x - mean
        skew = float((d**3).mean()) / sd**3
        kurtosis = float((d**4).mean()) / sd**4 - 3
    se = sd / float(np.sqrt(n))
    return (float(n), mean, sd, median, trimmed, mad, x[0], x[-1], skew, kurtosis, se)
