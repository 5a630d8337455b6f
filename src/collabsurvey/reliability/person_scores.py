"""Scores of persons from the caller's own engine, and tables of them back in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collabsurvey.errors import DataError
from collabsurvey.numerics.typing import FloatArray


def engine_of(scores: Any) -> str:
    """Name of the engine, "pandas" or "polars", of a Series; "" for anything else."""
    own = type(scores)
    engine = own.__module__.partition(".")[0]
    return engine if own.__name__ == "Series" and engine in ("pandas", "polars") else ""


def score_numbers(scores: Any) -> FloatArray:
    """Scores (n,) as numbers, NaN for a missing one."""
    try:
        if engine_of(scores) == "pandas":
            x = np.asarray(scores.to_numpy(dtype=float, na_value=np.nan))
        else:  # a polars Series turns its nulls into NaN itself
            x = np.asarray(scores, dtype=float)
    except (TypeError, ValueError):
        raise DataError(
            f"Scores must be numbers in one column; a {type(scores).__name__} of something else "
            "was given. Hand in a Series of pandas or polars, an array or a list."
        ) from None
    if x.ndim != 1:
        raise DataError(
            f"Scores must be one column of numbers, not {x.ndim} dimensions. Hand in a Series of "
            "pandas or polars, a one-dimensional array or a list."
        )
    return x


def same_order(first: Any, second: Any) -> None:
    """Refuse two pandas Series of the same index in different order: they would be mixed up."""
    if engine_of(first) != "pandas" or engine_of(second) != "pandas":
        return
    if not first.index.equals(second.index) and set(first.index) == set(second.index):
        raise DataError(
            "Both scores have the same index in a different order. Bring the second into the "
            "order of the first, for example with second.loc[first.index]."
        )


def frame_like(scores: Any, columns: Mapping[str, NDArray[Any]]) -> Any:
    """Columns as a frame of the engine of `scores`, with its index in pandas; else pandas."""
    if engine_of(scores) == "polars":
        series = type(scores)
        made = [
            series(name, values, nan_to_null=True)
            if values.dtype.kind == "f"
            else series(name, values.tolist())
            for name, values in columns.items()
        ]
        return made[0].to_frame().hstack(made[1:])
    import pandas as pd

    index = scores.index if engine_of(scores) == "pandas" else None
    return pd.DataFrame(dict(columns), index=index)
