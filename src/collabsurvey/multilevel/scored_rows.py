"""Scores of every row beside other columns of the same rows, also of frames without an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import Column, as_narwhals, collect, read_columns, to_native
from collabsurvey.responses.responses import Responses
from collabsurvey.scoring import score
from collabsurvey.scoring.result import Method


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """Scores and columns in memory, their rows in one order.

    Attributes
    ----------
    scores : scale to (n,) scores, NaN for none
    columns : name to column
    notes : what `cs.score` has to say
    """

    scores: Mapping[str, FloatArray]
    columns: Mapping[str, Column]
    notes: tuple[str, ...]


def scored_rows(
    responses: Responses,
    scales: Sequence[str],
    columns: Sequence[str],
    *,
    method: Method = "mean",
    min_valid: str | int | None = None,
) -> ScoredRows:
    """Score the scales with `cs.score` and read the columns, in one pass over the frame.

    A lazy frame need not give its rows in the same order twice, so its columns are computed
    once and scored from there.
    """
    names = dict.fromkeys(scales)
    items = [item for name in names for item in responses.instrument.scale(name).items]
    needed = list(dict.fromkeys([*responses.roles.values(), *columns, *items]))
    table = to_native(collect(as_narwhals(responses.frame).select(needed)))
    if not names:
        return ScoredRows({}, read_columns(table, columns), ())
    result = score(responses.replace(frame=table), list(names), method=method, min_valid=min_valid)
    found = read_columns(result.to_frame(), list(names))
    return ScoredRows(
        scores={name: np.asarray(found[name].values, dtype=np.float64) for name in names},
        columns=read_columns(table, columns),
        notes=tuple(note for note in result.notes if not note.startswith("Synthetic data")),
    )
