"""Counts, means and sums of squares of columns by group, computed in the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from collabsurvey.errors import DataError, NotEnoughDataError
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import (
    Column,
    as_narwhals,
    as_number,
    collect,
    group_codes,
    is_number,
    read_columns,
    require_columns,
)


@dataclass(frozen=True, eq=False)
class GroupedMoments:
    """Per group g and column j: count, mean, sum of squared deviations from the mean."""

    columns: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]  # (G,) labels, one for each grouping column
    n: FloatArray  # (G, k)
    mean: FloatArray  # (G, k), NaN where n is 0
    ss: FloatArray  # (G, k)
    n_without_group: int  # rows whose group is missing, left out

    def column(self, name: str) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return count, mean and sum of squares (each (G,)) of one column."""
        j = self.columns.index(name)
        return self.n[:, j], self.mean[:, j], self.ss[:, j]


def grouped(frame: Any, columns: Sequence[str], by: str | Sequence[str]) -> GroupedMoments:
    """Moments of `columns` by the columns in `by`; groups sorted by label."""
    table = as_narwhals(frame)
    keys = [by] if isinstance(by, str) else list(by)
    names = list(dict.fromkeys(columns))
    require_columns(table, [*keys, *names])
    schema = table.collect_schema()
    for name in names:
        if not is_number(schema[name]):
            raise DataError(
                f"Column {name!r} holds text, so it has no mean. "
                "Turn it into numbers first, or leave it out."
            )
    used = table.select(*keys, *(as_number(name, schema[name]) for name in names))
    known = used.filter(*(~nw.col(key).is_null() for key in keys))
    counts = collect(used.select(nw.len().alias("rows")))
    statistics = [
        expression
        for j, name in enumerate(names)
        for expression in (
            nw.col(name).count().alias(f"n{j}"),
            nw.col(name).mean().alias(f"m{j}"),
            nw.col(name).var(ddof=1).alias(f"v{j}"),
        )
    ]
    per_group = collect(
        known.group_by(keys).agg(nw.len().alias("size"), *statistics)
    )
    if not len(per_group):
        raise NotEnoughDataError("Grouping", what=f"rows with {keys[0]!r}", found=0, needed=1)
    labels = _labels(per_group, keys)
    order = sorted(range(len(labels)), key=lambda g: labels[g])

    def read(prefix: str) -> FloatArray:
        cells = read_columns(per_group, [f"{prefix}{j}" for j in range(len(names))])
        return np.column_stack([column.values for column in cells.values()])[order]

    n = np.nan_to_num(read("n"))
    variance = np.where(n > 1, read("v"), 0.0)
    rows = float(read_columns(counts, ["rows"])["rows"].values[0])
    size = float(read_columns(per_group, ["size"])["size"].values.sum())
    return GroupedMoments(
        columns=tuple(names),
        groups=tuple(labels[g] for g in order),
        n=n,
        mean=np.where(n > 0, read("m"), np.nan),
        ss=variance * np.maximum(n - 1, 0),
        n_without_group=int(rows - size),
    )


def _labels(table: nw.DataFrame[Any], keys: Sequence[str]) -> list[tuple[str, ...]]:
    columns = read_columns(table, keys)
    parts = [_texts(columns[key]) for key in keys]
    return list(zip(*parts, strict=True))


def _texts(column: Column) -> list[str]:
    codes, labels = group_codes(column)
    return [labels[code] for code in codes]
