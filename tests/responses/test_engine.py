"""Columns out of every engine, and the responses' own small answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from collabsurvey.errors import DataError, UnknownNameError
from collabsurvey.responses import Ledger, from_frame
from collabsurvey.responses.engine import (
    as_narwhals,
    group_codes,
    number_blocks,
    read_columns,
    require_columns,
)


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "x": [1.5, np.nan, 3.0, 1.5],
            "n": [4, 3, 2, 1],
            "yes": [True, False, True, True],
            "town": ["York", "Bath", None, "York"],
        }
    )


def test_columns_are_numbers_or_codes(engine: Any) -> None:
    columns = read_columns(engine(table()), ["x", "n", "yes", "town", "x"])
    np.testing.assert_array_equal(columns["x"].values, [1.5, np.nan, 3, 1.5])
    np.testing.assert_array_equal(columns["yes"].values, [1, 0, 1, 1])
    assert columns["town"].categories == ("Bath", "York")
    assert columns["town"].values.tolist() == [1, 0, -1, 1]
    assert columns["town"].missing.tolist() == [False, False, True, False]
    assert columns["x"].missing.tolist() == [False, True, False, False]


def test_order_of_categories_is_kept() -> None:
    values = pd.Categorical(["low", None, "high"], categories=["low", "mid", "high"], ordered=True)
    column = read_columns(pd.DataFrame({"c": values}), ["c"])["c"]
    assert column.categories == ("low", "high")
    assert column.values.tolist() == [0, -1, 1]


def test_column_of_nothing_has_no_categories() -> None:
    column = read_columns(pd.DataFrame({"c": pd.Series([None, None], dtype="str")}), ["c"])["c"]
    assert column.categories == ()
    assert column.missing.all()


def test_groups_of_numbers_are_labelled_as_written(engine: Any) -> None:
    codes, labels = group_codes(read_columns(engine(table()), ["x"])["x"])
    assert codes.tolist() == [0, -1, 1, 0]
    assert labels == ("1.5", "3")


def test_blocks_cover_every_row(engine: Any) -> None:
    blocks = list(number_blocks(as_narwhals(engine(table())), ["x", "n"], rows=3))
    assert [len(block) for block in blocks] == [3, 1]
    np.testing.assert_array_equal(np.vstack(blocks), table()[["x", "n"]].to_numpy(float))


def test_unknown_columns_are_named(engine: Any) -> None:
    with pytest.raises(UnknownNameError, match=r"has no column 'towm'\. Did you mean 'town'"):
        read_columns(engine(table()), ["towm"])
    require_columns(as_narwhals(engine(table())), ["x"])


def test_what_is_no_frame_is_refused() -> None:
    for thing in ([1, 2], "file.csv", np.zeros((2, 2)), None):
        with pytest.raises(DataError, match="is not a table of answers"):
            as_narwhals(thing)


def test_roles_that_are_needed_are_named() -> None:
    responses = from_frame(pd.DataFrame({"q": [1, 2]}), scales={"s": ["q"]})
    with pytest.raises(DataError, match="Aggregation needs the role 'cluster'"):
        responses.role("cluster", purpose="Aggregation")
    assert responses.n_respondents == 2
    assert repr(responses) == "Responses(survey, 2 rows)"


def test_roles_cannot_be_changed() -> None:
    responses = from_frame(pd.DataFrame({"q": [1, 2]}), scales={"s": ["q"]})
    with pytest.raises(TypeError):
        responses.roles["wave"] = "q"  # type: ignore[index]


def test_ledger_as_a_table() -> None:
    ledger = Ledger().add("read", "rows read", 3).add("drop", "gone", 1).named("a.csv")
    assert ledger.to_frame().to_dict("list") == {
        "step": ["read", "drop"],
        "what": ["rows read", "gone"],
        "n": [3, 1],
        "unit": ["rows", "rows"],
        "column": ["", ""],
        "source": ["a.csv", "a.csv"],
    }
    assert ledger.n_dropped() == 1
    assert ledger.named("b.csv").lines[0].source == "a.csv"
