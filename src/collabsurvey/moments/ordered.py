"""Ordered categories: the order a column declares, and predictions in the caller's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from collabsurvey.moments.design import series_like
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.responses.engine import as_narwhals, collect, is_lazy, require_columns


def declared_order(frame: Any, name: str) -> tuple[str, ...] | None:
    """Categories of a column from lowest to highest, also those without a row; None without order.

    pandas and Dask: an ordered categorical; polars and DuckDB: an Enum; PyArrow: an ordered
    dictionary.
    """
    table = as_narwhals(frame)
    require_columns(table, [name])
    dtype = table.collect_schema()[name]
    if isinstance(dtype, nw.Enum):
        return tuple(str(category) for category in dtype.categories)
    native = table.to_native()
    if nw.dependencies.is_pyarrow_table(native):
        kind = native.schema.field(name).type
        if getattr(kind, "ordered", False) and native.num_rows:
            chunks = native.column(name).unify_dictionaries()
            return tuple(str(category) for category in chunks.chunk(0).dictionary.to_pylist())
    return None


def frame_like(frame: Any, columns: Mapping[str, FloatArray]) -> Any:
    """Columns of row-wise numbers as a table of the caller's engine, with pandas' index kept.

    A lazy frame gives a table of the engine it is collected into, in the order of its rows.
    """
    series = [
        nw.from_native(series_like(frame, name, values), series_only=True).alias(name)
        for name, values in columns.items()
    ]
    return series[0].to_frame().with_columns(*series[1:]).to_native()


def labels_like(frame: Any, name: str, codes: IntArray, categories: Sequence[str]) -> Any:
    """Row-wise categories as a series of the caller's engine; -1 is missing.

    An ordered categorical where the engine has one (pandas, polars), else text.
    """
    table = as_narwhals(frame)
    rows = collect(table.select(table.collect_schema().names()[:1])) if is_lazy(table) else table
    words = np.array([*categories, None], dtype=object)[codes]
    series = nw.new_series(name, words.tolist(), nw.String, backend=rows.implementation)
    if rows.implementation.is_pandas_like() or rows.implementation.is_polars():
        series = series.cast(nw.Enum(list(categories)))
    native = series.to_native()
    if rows.implementation.is_pandas_like():
        native.index = rows.to_native().index
    return native
