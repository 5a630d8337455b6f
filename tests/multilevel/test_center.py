"""Within and between parts on every engine."""

from __future__ import annotations

import dask.dataframe as dd
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from collabsurvey.errors import DataError, UnknownNameError
from collabsurvey.multilevel import center
from collabsurvey.responses import from_frame
from collabsurvey.scoring import score


def staff() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": range(7),
            "school": ["b", "a", "b", None, "a", "a", "c"],
            "x": [1.0, 2.0, 3.0, 4.0, np.nan, 6.0, 7.0],
            "k": [1, 2, 3, 4, 5, 6, 7],
        },
        index=[10, 11, 12, 13, 14, 15, 16],
    )


EXPECTED = pd.DataFrame(
    {
        "x_within": [-1, -2, 1, np.nan, np.nan, 2, 0],
        "x_between": [2, 4, 2, np.nan, 4, 4, 7],
        "k_within": [-1, 2 - 13 / 3, 1, np.nan, 5 - 13 / 3, 6 - 13 / 3, 0],
        "k_between": [2, 13 / 3, 2, np.nan, 13 / 3, 13 / 3, 7],
    }
)


def test_pandas_keeps_rows_order_index_and_the_callers_frame() -> None:
    frame = staff()
    result = center(frame, ["x", "k"], "school")
    assert_frame_equal(frame, staff())
    assert_frame_equal(result[frame.columns], frame)
    assert_allclose(result[EXPECTED.columns], EXPECTED, rtol=1e-12)


def test_other_engines_return_their_own_frames() -> None:
    eager = center(pl.from_pandas(staff()), ["x", "k"], "school")
    assert isinstance(eager, pl.DataFrame)
    assert eager["row"].to_list() == list(range(7))
    lazy = center(pl.from_pandas(staff()).lazy(), ["x", "k"], "school")
    assert isinstance(lazy, pl.LazyFrame)
    table = center(duckdb.from_df(staff()), ["x", "k"], "school")
    assert isinstance(table, duckdb.DuckDBPyRelation)
    for frame in (eager.to_pandas(), lazy.collect().to_pandas(), table.df()):
        found = frame.sort_values("row")[EXPECTED.columns].to_numpy(float)
        assert_allclose(found, EXPECTED, rtol=1e-12)


# narwhals announces that its Dask part will move to a package of its own.
@pytest.mark.filterwarnings("ignore:Dask support is moving:FutureWarning")
def test_dask() -> None:
    result = center(dd.from_pandas(staff(), npartitions=2), ["x", "k"], "school")
    assert isinstance(result, dd.DataFrame)
    found = result.compute().sort_values("row")[EXPECTED.columns].to_numpy(float)
    assert_allclose(found, EXPECTED, rtol=1e-12)


def test_the_parts_add_up_and_within_averages_to_zero() -> None:
    generator = np.random.default_rng(1)
    frame = pd.DataFrame({"s": generator.integers(0, 9, 200), "y": generator.normal(50, 5, 200)})
    result = center(frame, "y", "s")
    assert_allclose(result["y_within"] + result["y_between"], frame["y"], rtol=1e-12)
    assert_allclose(result.groupby("s")["y_within"].mean(), 0, atol=1e-12)


def test_nan_is_no_cluster_in_polars_either() -> None:
    frame = pl.DataFrame({"y": [1.0, 3.0, 5.0], "s": [1.0, 1.0, float("nan")]})
    result = center(frame, "y", "s")
    assert result["y_between"].to_list() == [2, 2, None]
    assert result["y_within"].to_list() == [-1, 1, None]


def test_scores_are_centred_by_role() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3, 5], "b": [2, 2, 4, 5], "school": [1, 1, 2, 2]})
    responses = from_frame(frame, scales={"s": ["a", "b"]}, roles={"cluster": "school"})
    result = center(score(responses), "s", "cluster")
    assert_allclose(result["s_between"], [1.75, 1.75, 4.25, 4.25])


def test_bad_input_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="has no column or role 'z'"):
        center(staff(), "z", "school")
    with pytest.raises(DataError, match="'school' holds text, so it cannot be centred"):
        center(staff(), "school", "row")
    with pytest.raises(DataError, match="already has a column x_within"):
        center(staff().assign(x_within=1.0), "x", "school")
