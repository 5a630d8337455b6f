"""The dataframe engine: pandas, polars (eager, lazy), DuckDB and Dask behind narwhals.

Rows stay in the engine. What leaves it are single columns for analyses that need every
row (`read_columns`), blocks of numbers for BLAS (`number_blocks`), or aggregates.
NaN is a value in polars and Arrow; here it is always a missing answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any, cast

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from collabsurvey.errors import DataError, UnknownNameError, listed

BLOCK_ROWS = 131_072  # a block of 100 float64 columns is then 100 MB

Frame = nw.DataFrame[Any] | nw.LazyFrame[Any]


@dataclass(frozen=True, eq=False)
class Column:
    """One column in memory, rows in the order of the frame.

    Numbers and booleans are float64 with NaN for missing, and `categories` is None. Text
    and categoricals are codes (int64, -1 for missing) into `categories`: categorical order
    where the engine knows one, else sorted.
    """

    values: NDArray[Any]
    categories: tuple[str, ...] | None = None

    @property
    def missing(self) -> NDArray[np.bool_]:
        """(n,) whether the value is missing."""
        if self.categories is None:
            return np.asarray(np.isnan(self.values), dtype=bool)
        return np.asarray(self.values < 0, dtype=bool)


def as_narwhals(frame: Any) -> Frame:
    """Wrap any supported frame; raise with the list of engines for anything else."""
    if isinstance(frame, nw.DataFrame | nw.LazyFrame):
        return frame
    if nw.dependencies.is_pandas_dataframe(frame):
        _refuse_pandas_names(frame.columns)
    elif nw.dependencies.is_pyarrow_table(frame):
        _refuse_repeated_names(frame.column_names)
    elif type(frame).__name__ == "DuckDBPyRelation":
        _refuse_repeated_names(frame.columns)
    try:
        return cast("Frame", nw.from_native(frame))
    except TypeError:
        raise DataError(
            f"A {type(frame).__name__} is not a table of answers. Hand in a pandas, polars, "
            "DuckDB, PyArrow or Dask frame."
        ) from None


def _refuse_pandas_names(columns: Any) -> None:
    """Refuse names that other engines do not have: repeated ones, and what is not text."""
    if columns.nlevels > 1:
        raise DataError(
            "The table has column names of several levels. Join them into one text each first."
        )
    _refuse_repeated_names(list(columns))
    if strange := [name for name in columns if not isinstance(name, str)]:
        raise DataError(
            f"Column names must be text; {listed(map(repr, strange), most=5)} are not. "
            "Rename them, for example with df.rename(columns=str)."
        )


def _refuse_repeated_names(names: Sequence[object]) -> None:
    repeated = [name for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise DataError(
            f"The table has more than one column named {listed(map(repr, repeated), most=5)}. "
            "Rename them so that each name occurs once."
        )


def to_native(frame: Frame) -> Any:
    """Return the caller's own kind of frame."""
    return frame.to_native()


def is_lazy(frame: Frame) -> bool:
    """Whether rows are computed only when asked for."""
    return isinstance(frame, nw.LazyFrame)


def column_names(frame: Frame) -> tuple[str, ...]:
    """Names of the columns, without computing anything."""
    return tuple(str(name) for name in frame.collect_schema().names())


def require_columns(frame: Frame, names: Sequence[str], *, where: str = "The table") -> None:
    """Raise for the first column that is not there."""
    known = column_names(frame)
    for name in names:
        if name not in known:
            raise UnknownNameError("column", name, available=known, where=where)


def collect(frame: Frame) -> nw.DataFrame[Any]:
    """Compute a small frame, such as aggregates."""
    if isinstance(frame, nw.LazyFrame):
        return frame.collect()
    return frame


def count_rows(frame: Frame) -> int:
    """How many rows there are."""
    return int(collect(frame.select(nw.len().alias("n")))["n"].to_list()[0])


def is_number(dtype: nw.dtypes.DType) -> bool:
    """Whether a column can be calculated with as it stands."""
    return dtype.is_numeric() or dtype == nw.Boolean


def as_number(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """Return a numeric column as Float64 with null, never NaN, for a missing answer."""
    column = nw.col(name).cast(nw.Float64)
    if dtype.is_float():
        column = nw.when(~column.is_nan()).then(column)
    return column.alias(name)


def number_blocks(
    frame: Frame, names: Sequence[str], *, rows: int = BLOCK_ROWS
) -> Iterator[NDArray[np.float64]]:
    """Yield (n_block, k) float64 arrays of numeric columns, NaN for missing.

    A lazy frame is computed once, with these columns only.
    """
    table = collect(frame.select(list(names)))
    for start in range(0, max(len(table), 1), rows):
        block = table[start : start + rows]
        yield _number_matrix(block, names)


def _number_matrix(table: nw.DataFrame[Any], names: Sequence[str]) -> NDArray[np.float64]:
    out = np.empty((len(table), len(names)))
    for j, name in enumerate(names):
        out[:, j] = _numbers(table[name])
    return out


def _numbers(series: nw.Series[Any]) -> NDArray[np.float64]:
    values = series.cast(nw.Float64)
    native = values.to_native()
    if hasattr(native, "to_numpy") and series.implementation.is_pandas_like():
        return np.asarray(native.to_numpy(dtype="float64", na_value=np.nan))
    return np.asarray(values.to_numpy(), dtype=np.float64)


def read_columns(frame: Any, names: Sequence[str]) -> dict[str, Column]:
    """Read the named columns into memory, one pass; see `Column`."""
    table = as_narwhals(frame)
    unique = list(dict.fromkeys(names))
    require_columns(table, unique)
    if not unique:
        return {}
    rows = collect(table.select(unique))
    return {name: _column(rows[name]) for name in unique}


def _column(series: nw.Series[Any]) -> Column:
    if is_number(series.dtype):
        return Column(_numbers(series))
    raw = series.to_numpy()
    missing = np.asarray(series.is_null().to_numpy(), dtype=bool)
    missing = missing | ~np.array([is_known(value) for value in raw], dtype=bool)
    if raw.dtype == object and all(isinstance(value, Number) for value in raw[~missing]):
        numbers = np.full(len(raw), np.nan)  # numbers that pandas keeps as objects
        numbers[~missing] = raw[~missing].astype(float)
        if not missing.all() or series.dtype == nw.Object:
            return Column(numbers)
    known = np.array([str(value) for value in raw[~missing]], dtype=str)
    categories, inverse = np.unique(known, return_inverse=True)
    codes = np.full(len(raw), -1, dtype=np.int64)
    if ordered := _category_order(series):
        present = set(categories.tolist())
        place = {text: i for i, text in enumerate(text for text in ordered if text in present)}
        inverse = np.array([place[text] for text in categories], dtype=np.int64)[inverse]
        categories = np.array(list(place), dtype=str)
    codes[~missing] = inverse
    return Column(codes, tuple(categories.tolist()))


def _category_order(series: nw.Series[Any]) -> list[str]:
    """Categories in their own order, where the engine keeps one; polars' Categorical does not."""
    if isinstance(series.dtype, nw.Enum):
        return [str(category) for category in series.dtype.categories]
    if series.dtype == nw.Categorical and series.implementation.is_pandas():
        return [str(category) for category in series.to_native().dtype.categories]
    return []


def is_known(value: object) -> bool:
    """Whether a single value is one: not None, NaN or pandas' NA."""
    return value is not None and type(value).__name__ != "NAType" and bool(value == value)  # noqa: PLR0124


def group_codes(column: Column) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Codes (n,), -1 for missing, and the labels of the groups, sorted.

    Numbers are labelled as they are written: 3.0 is "3".
    """
    if column.categories is not None:
        return np.asarray(column.values, dtype=np.int64), column.categories
    codes = np.full(len(column.values), -1, dtype=np.int64)
    known = ~column.missing
    levels, inverse = np.unique(column.values[known], return_inverse=True)
    codes[known] = inverse
    return codes, tuple(_number_label(level) for level in levels.tolist())


def _number_label(value: float) -> str:
    """A number as it is written: every digit of a long id, no '.0' behind a whole one."""
    return f"{value:.0f}" if value.is_integer() else repr(value)


def count_each(frame: Frame, conditions: Mapping[str, nw.Expr]) -> dict[str, int]:
    """In how many rows each condition holds, in one pass; those that hold nowhere left out."""
    if not conditions:
        return {}
    sums = [condition.sum().alias(f"{i}") for i, condition in enumerate(conditions.values())]
    found = collect(frame.select(*sums)).to_dict(as_series=False)
    counts = {name: int(found[f"{i}"][0] or 0) for i, name in enumerate(conditions)}
    return {name: n for name, n in counts.items() if n}
