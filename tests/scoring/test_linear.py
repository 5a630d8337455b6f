"""Weighted sums of standardised items in every engine, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, UnknownNameError
from collabsurvey.responses import from_frame
from collabsurvey.scoring.linear import linear_scores

ITEMS = ("a", "b")
NAMES = ("F1", "F2")
WEIGHTS = np.array([[0.5, -1.0], [0.25, 2.0]])
MEAN, SD = np.array([3.0, 10.0]), np.array([1.5, 4.0])


def answers() -> pd.DataFrame:
    return pd.DataFrame(
        {"id": ["p", "q", "r", "s"], "a": [1.0, 5.0, np.nan, 3.0], "b": [10, 2, 7, 14]}
    )


def scores(data: Any) -> Any:
    return linear_scores(data, ITEMS, NAMES, weights=WEIGHTS, mean=MEAN, sd=SD)


def by_hand(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    return np.asarray(((frame[list(ITEMS)].to_numpy(float) - MEAN) / SD) @ WEIGHTS)


def test_every_engine_computes_the_same(engine: Any) -> None:
    frame = answers()
    found = engine.pandas(scores(engine(frame)))
    assert list(found.columns) == list(NAMES)
    expected = pd.DataFrame(by_hand(frame)).sort_values([0, 1]).to_numpy()
    got = found.astype(float).sort_values(["F1", "F2"]).to_numpy()  # lazy engines have no order
    assert_allclose(got, expected, rtol=1e-12)


def test_rows_index_and_the_data_of_the_caller_are_kept() -> None:
    frame = answers().set_index(pd.Index([7, 7, 2, 9], name="row"))
    before = frame.copy()
    found = scores(frame)
    pd.testing.assert_index_equal(found.index, frame.index)
    assert_allclose(found.to_numpy(float), by_hand(frame), rtol=1e-12)
    assert found["F1"].isna().tolist() == [False, False, True, False]
    pd.testing.assert_frame_equal(frame, before)


def test_lazy_answers_keep_the_columns_of_their_roles(lazy_engine: Any) -> None:
    data = from_frame(lazy_engine(answers()), scales={"s": list(ITEMS)}, roles={"respondent": "id"})
    found = lazy_engine.pandas(scores(data)).set_index("id").sort_index()
    assert_allclose(found[list(NAMES)].to_numpy(float), by_hand(answers()), rtol=1e-12)


def test_eager_answers_have_scores_only(eager_engine: Any) -> None:
    data = from_frame(
        eager_engine(answers()), scales={"s": list(ITEMS)}, roles={"respondent": "id"}
    )
    assert list(eager_engine.pandas(scores(data)).columns) == list(NAMES)


def test_null_and_not_a_number_both_mean_no_score() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"a": [1.0, None, float("nan")], "b": [1, 1, 1]})
    found = scores(frame)["F1"]
    assert found.is_null().sum() + found.is_nan().sum() == 2


def test_a_missing_item_is_named() -> None:
    with pytest.raises(UnknownNameError, match="The data has no column 'b'"):
        scores(answers()[["a"]])


def test_a_role_that_is_called_as_a_score_is_named(lazy_engine: Any) -> None:
    frame = lazy_engine(answers().rename(columns={"id": "F1"}))
    data = from_frame(frame, scales={"s": list(ITEMS)}, roles={"respondent": "F1"})
    with pytest.raises(DataError, match="would be called F1, as a column of the data is. Rename"):
        scores(data)
