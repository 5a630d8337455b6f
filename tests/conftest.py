"""Shared fixtures: the dataframe engines, and the folder of real data."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failure.
settings.register_profile(
    "collabsurvey", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("collabsurvey")


@dataclass(frozen=True)
class Engine:
    """One dataframe engine: `engine(df)` takes a pandas frame over, `pandas(frame)` back."""

    name: str
    make: Callable[[pd.DataFrame], Any]
    lazy: bool = False

    def __call__(self, df: pd.DataFrame) -> Any:
        return self.make(df)

    def pandas(self, frame: Any) -> pd.DataFrame:
        table = nw.from_native(frame)
        if isinstance(table, nw.LazyFrame):
            table = table.collect()
        return table.to_pandas()


def _polars(df: pd.DataFrame) -> Any:
    return pytest.importorskip("polars").from_pandas(df)


def _duckdb(df: pd.DataFrame) -> Any:
    import pyarrow as pa

    duckdb = pytest.importorskip("duckdb")
    return duckdb.from_arrow(pa.Table.from_pandas(df, preserve_index=False))


ENGINES = (
    Engine("pandas", lambda df: df),
    Engine("polars", _polars),
    Engine("polars lazy", lambda df: _polars(df).lazy(), lazy=True),
    Engine("duckdb", _duckdb, lazy=True),
)


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every dataframe engine in turn."""
    return request.param


@pytest.fixture(params=[one for one in ENGINES if not one.lazy], ids=lambda engine: engine.name)
def eager_engine(request: pytest.FixtureRequest) -> Engine:
    """The engines whose frames hold their rows, in an order."""
    return request.param


@pytest.fixture(params=[one for one in ENGINES if one.lazy], ids=lambda engine: engine.name)
def lazy_engine(request: pytest.FixtureRequest) -> Engine:
    """The engines whose frames compute their rows when asked."""
    return request.param


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets, which is not part of the project."""
    folder = os.environ.get("COLLABSURVEY_DATA")
    if not folder:
        pytest.skip("COLLABSURVEY_DATA is not set, so there are no real data sets to read")
    return Path(folder)
