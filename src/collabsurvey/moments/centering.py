"""Within and between parts of columns: deviations from the cluster mean, and that mean.

Computed in the caller's engine; a lazy frame stays lazy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import narwhals as nw

from collabsurvey.errors import DataError
from collabsurvey.responses.engine import (
    Frame,
    as_narwhals,
    as_number,
    column_names,
    is_number,
    require_columns,
    to_native,
)


def centred(frame: Any, columns: Sequence[str], by: str) -> Any:
    """Return the frame with `column_within` and `column_between` added for each column.

    Rows, their order and their index are kept (Dask and DuckDB have no order). A row
    without a cluster has neither part; a missing value has no within part.
    """
    table = as_narwhals(frame)
    names = list(dict.fromkeys(columns))
    require_columns(table, [by, *names])
    schema = table.collect_schema()
    for name in names:
        if not is_number(schema[name]):
            raise DataError(
                f"Column {name!r} holds text, so it cannot be centred. "
                "Turn it into numbers first, or leave it out."
            )
        for part in ("within", "between"):
            if f"{name}_{part}" in column_names(table):
                raise DataError(
                    f"The table already has a column {name}_{part}. Rename it, or leave "
                    f"{name!r} out."
                )
    numbers = [as_number(name, schema[name]).alias(f"{name}_within") for name in names]
    table = table.with_columns(*numbers)
    known = ~nw.col(by).is_null()
    if schema[by].is_float():
        known = known & ~nw.col(by).is_nan()
    if table.implementation.is_dask():
        table = _means_joined(table, names, by, known)
    else:
        table = _means_over(table, names, by, known)
    parts = [nw.col(f"{name}_within") - nw.col(f"{name}_between") for name in names]
    table = table.with_columns(
        *(part.alias(f"{name}_within") for name, part in zip(names, parts, strict=True))
    )
    order = [f"{name}_{part}" for name in names for part in ("within", "between")]
    first = [name for name in column_names(table) if name not in order]
    return to_native(table.select(*first, *order))


def _means_over(table: Frame, names: Sequence[str], by: str, known: nw.Expr) -> Frame:
    means = [
        nw.when(known).then(nw.col(f"{name}_within").mean().over(by)).alias(f"{name}_between")
        for name in names
    ]
    return table.with_columns(*means)


def _means_joined(table: Frame, names: Sequence[str], by: str, known: nw.Expr) -> Frame:
    means = (
        table.filter(known)
        .group_by(by)
        .agg(*(nw.col(f"{name}_within").mean().alias(f"{name}_between") for name in names))
    )
    return table.join(cast("Any", means), on=by, how="left")
