"""Counts, means and sums of squares by group, on every engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, NotEnoughDataError, OptionError, UnknownNameError
from collabsurvey.moments import grouped

RTOL = 1e-12  # closed forms; the engines sum in their own order


def scores() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "school": ["B", "A", "B", None, "C", "A", "B"],
            "wave": [1.0, 1, 2, 1, 1, 1, np.nan],
            "n": [4.0, 2, 8, 1, 5, np.nan, 6],
            "size__": [1, 2, 3, 4, 5, 6, 7],
        }
    )


def test_moments_of_each_group(engine: Any) -> None:
    found = grouped(engine(scores()), ["n", "size__"], "school")
    assert found.groups == (("A",), ("B",), ("C",))
    n, mean, ss = found.column("n")
    assert n.tolist() == [1, 3, 1]
    assert_allclose(mean, [2, 6, 5], rtol=RTOL)
    assert_allclose(ss, [0, 8, 0], rtol=RTOL)
    assert found.column("size__")[0].tolist() == [2, 3, 1]
    assert found.n_without_group == 1


def test_nan_is_no_group(engine: Any) -> None:
    found = grouped(engine(scores()), ["n"], ["school", "wave"])
    assert found.groups == (("A", "1"), ("B", "1"), ("B", "2"), ("C", "1"))
    assert found.n_without_group == 2


def test_nan_of_polars_is_no_group_and_no_value() -> None:
    pl = pytest.importorskip("polars")
    df = pl.DataFrame({"g": [1.0, float("nan"), 1.0, 2.0], "x": [1.0, 2.0, float("nan"), 3.0]})
    found = grouped(df, ["x"], "g")
    assert found.groups == (("1",), ("2",))
    assert found.n[:, 0].tolist() == [1, 1]
    assert found.n_without_group == 1


def test_group_without_values_has_no_mean(engine: Any) -> None:
    df = scores().assign(n=[4.0, np.nan, 8, 1, 5, np.nan, 6])
    n, mean, ss = grouped(engine(df), ["n"], "school").column("n")
    assert (n[0], ss[0]) == (0, 0)
    assert np.isnan(mean[0])


def test_groups_that_are_numbers_go_by_size(engine: Any) -> None:
    df = pd.DataFrame({"g": [10, 9, 10, 2], "x": [1, 2, 3, 4]})
    assert grouped(engine(df), ["x"], "g").groups == (("2",), ("9",), ("10",))


def test_groups_that_are_categories_keep_their_order() -> None:
    values = pd.Categorical(["low", "high", "low"], categories=["low", "mid", "high"], ordered=True)
    df = pd.DataFrame({"g": values, "x": [1, 2, 3]})
    assert grouped(df, ["x"], "g").groups == (("low",), ("high",))


def test_digits_are_kept_far_from_zero(engine: Any) -> None:
    rng = np.random.default_rng(5)
    df = pd.DataFrame({"g": np.repeat([1, 2], 500), "x": rng.integers(0, 9, 1000).astype(float)})
    near = grouped(engine(df), ["x"], "g")
    far = grouped(engine(df.assign(x=df["x"] + 1e9)), ["x"], "g")
    assert_allclose(far.ss, near.ss, rtol=RTOL)


def test_column_may_be_grouped_by_itself(engine: Any) -> None:
    found = grouped(engine(scores()), ["size__"], "size__")
    assert_allclose(found.mean[:, 0], np.arange(1, 8), rtol=RTOL)


def test_wrong_columns_are_named(engine: Any) -> None:
    frame = engine(scores())
    with pytest.raises(UnknownNameError, match="Did you mean 'school'"):
        grouped(frame, ["n"], "scool")
    with pytest.raises(DataError, match="Column 'school' holds text, so it has no mean"):
        grouped(frame, ["school"], "wave")
    with pytest.raises(NotEnoughDataError, match="at least 1 rows with 'school'; there are 0"):
        grouped(engine(scores().iloc[[3]]), ["n"], "school")
    with pytest.raises(OptionError, match="at least one column"):
        grouped(frame, [], "school")
