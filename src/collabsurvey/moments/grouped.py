"""Counts, means and sums of squares of columns by group, computed in the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from collabsurvey.errors import DataError, NotEnoughDataError, OptionError
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.responses.engine import (
    Frame,
    as_narwhals,
    as_number,
    collect,
    count_rows,
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
    """Moments of `columns` by the columns in `by`; rows without a group are counted.

    Groups are sorted by the columns in `by`, in turn: numbers by size, text by letter,
    categoricals by the order of their categories. Of `by` and `columns`, one may be in both.
    """
    table = as_narwhals(frame)
    keys = [by] if isinstance(by, str) else list(by)
    names = list(dict.fromkeys(columns))
    if not keys or not names:
        raise OptionError("by" if names else "columns", (), allowed=("at least one column",))
    used, places = _own_names(table, keys, names)
    origin = _overall_means(used, len(names))
    known = used.filter(*(~nw.col(place).is_null() for place in places))
    known = known.with_columns(*(nw.col(f"x__{j}") - origin[j] for j in range(len(names))))
    statistics = [
        expression
        for j in range(len(names))
        for expression in (
            nw.col(f"x__{j}").count().alias(f"n__{j}"),
            nw.col(f"x__{j}").mean().alias(f"m__{j}"),
            nw.col(f"x__{j}").var(ddof=1).alias(f"v__{j}"),
        )
    ]
    per_group = collect(known.group_by(places).agg(nw.len().alias("size__"), *statistics))
    if not len(per_group):
        raise NotEnoughDataError(
            "Grouping", what=f"rows with {' and '.join(map(repr, keys))}", found=0, needed=1
        )
    labels, order = _groups(per_group, places)

    def read(prefix: str) -> FloatArray:
        cells = read_columns(per_group, [f"{prefix}__{j}" for j in range(len(names))])
        return np.column_stack([column.values for column in cells.values()])[order]

    n = np.nan_to_num(read("n"))
    variance = np.where(n > 1, read("v"), 0.0)
    size = read_columns(per_group, ["size__"])["size__"].values.sum()
    return GroupedMoments(
        columns=tuple(names),
        groups=labels,
        n=n,
        mean=np.where(n > 0, origin + read("m"), np.nan),
        ss=variance * np.maximum(n - 1, 0),
        n_without_group=count_rows(used) - int(size),
    )


def _own_names(table: Frame, keys: Sequence[str], names: Sequence[str]) -> tuple[Frame, list[str]]:
    """Groups as key__0 …, numbers as x__0 …; the user's names may be anything, one may be both."""
    require_columns(table, [*keys, *names])
    schema = table.collect_schema()
    for name in names:
        if not is_number(schema[name]):
            raise DataError(
                f"Column {name!r} holds text, so it has no mean. "
                "Turn it into numbers first, or leave it out."
            )
    places = [f"key__{i}" for i in range(len(keys))]
    groups = [_group_key(key, schema[key]).alias(f"key__{i}") for i, key in enumerate(keys)]
    numbers = [as_number(name, schema[name]).alias(f"x__{j}") for j, name in enumerate(names)]
    return table.select(*groups, *numbers), places


def _overall_means(used: Frame, k: int) -> FloatArray:
    """Mean of each column (k,), 0 where it is empty; engines lose digits far from zero."""
    means = collect(used.select(*(nw.col(f"x__{j}").mean() for j in range(k))))
    found = read_columns(means, [f"x__{j}" for j in range(k)])
    values = np.array([column.values[0] for column in found.values()], dtype=np.float64)
    return np.where(np.isfinite(values), values, 0.0)


def _group_key(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """A grouping column in which NaN is no group."""
    column = nw.col(name)
    return nw.when(~column.is_nan()).then(column) if dtype.is_float() else column


def _groups(
    table: nw.DataFrame[Any], keys: Sequence[str]
) -> tuple[tuple[tuple[str, ...], ...], IntArray]:
    """Labels of the groups in order (G,), and the rows of `table` they stand in (G,)."""
    columns = read_columns(table, keys)
    coded = [group_codes(columns[key]) for key in keys]
    order = np.lexsort([codes for codes, _ in reversed(coded)])
    parts = [[labels[code] for code in codes[order]] for codes, labels in coded]
    return tuple(zip(*parts, strict=True)), order
