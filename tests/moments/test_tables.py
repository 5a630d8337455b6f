"""How often each answer was given, alone and in pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from collabsurvey.errors import DataError, UnknownNameError
from collabsurvey.moments import answer_tables, clustered_answers, tables, weighted_answers
from collabsurvey.moments.respondents import cluster_column, data_notes
from collabsurvey.responses import from_frame


def answers(n: int = 50) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    x = rng.integers(1, 5, (n, 2)).astype(float)
    x[rng.random(x.shape) < 0.1] = np.nan
    return pd.DataFrame(x, columns=["a", "b"]).assign(w=rng.uniform(0, 2, n))


def test_tables_are_those_of_pandas(engine: Any) -> None:
    df = answers()
    found = answer_tables(from_frame(engine(df), scales={"s": ["a", "b"]}), "s")
    assert_array_equal(found.one_way("a"), df["a"].value_counts().sort_index())
    assert_array_equal(found.two_way("a", "b"), pd.crosstab(df["a"], df["b"]))
    assert_array_equal(found.two_way("b", "a"), found.two_way("a", "b").T)
    assert_array_equal(found.n_missing, df[["a", "b"]].isna().sum())
    assert_array_equal(found.categories[0], [1, 2, 3, 4])


def test_parts_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    responses = from_frame(answers(), scales={"s": ["a", "b"]})
    whole = answer_tables(responses, "s")
    monkeypatch.setattr(tables, "HOT_CELLS", 24)  # three rows at a time
    assert_array_equal(answer_tables(responses, "s").counts, whole.counts)


def test_weights_are_counted(engine: Any) -> None:
    df = answers()
    responses = from_frame(engine(df), scales={"s": ["a", "b"]}, roles={"weight": "w"})
    expected = pd.crosstab(df["a"], df["b"], values=df["w"], aggfunc="sum")
    assert_allclose(answer_tables(responses, "s").two_way("a", "b"), expected, rtol=1e-12)


def test_answers_nobody_gave_are_counted_as_zero() -> None:
    responses = from_frame(answers(), scales={"s": ["a", "b"]}, response_range=(1, 5))
    ordinal = responses.instrument.response_sets["answers"].model_copy(
        update={"type": "ordinal", "values": (1.0, 2.0, 3.0, 4.0, 5.0)}
    )
    instrument = responses.instrument.model_copy(update={"response_sets": {"answers": ordinal}})
    found = answer_tables(responses.replace(instrument=instrument), ["b"])
    assert found.one_way("b")[4] == 0
    assert found.one_way("b").sum() == answers()["b"].notna().sum()


def test_measurements_are_no_categories() -> None:
    df = pd.DataFrame({"a": np.arange(200.0)})
    with pytest.raises(DataError, match="'a' has 200 different answers, which is a measurement"):
        answer_tables(from_frame(df, scales={"s": ["a"]}), "s")


@pytest.mark.parametrize("weighted", [False, True])
def test_listwise_counts_rows_with_every_item(engine: Any, weighted: bool) -> None:
    df = answers().assign(c=[1.0, 2.0, np.nan, 1.0, 2.0] * 10)
    df.loc[:3, "w"] = [0.0, np.nan, 1.0, 0.0]
    roles = {"weight": "w"} if weighted else {}
    responses = from_frame(engine(df), scales={"s": ["a", "b", "c"]}, roles=roles)
    found = answer_tables(responses, "s", missing="listwise")
    complete = df.dropna(subset=["a", "b", "c"])
    w = complete["w"].fillna(0) if weighted else pd.Series(1.0, complete.index)
    expected = pd.crosstab(complete["a"], complete["b"], values=w, aggfunc="sum").fillna(0)
    assert_allclose(found.two_way("a", "b"), expected, rtol=1e-12)
    assert_allclose(found.one_way("c"), w.groupby(complete["c"]).sum(), rtol=1e-12)
    assert found.n_rows == 50
    assert found.n_used == (w > 0).sum()
    assert found.weighted is weighted
    # Missing answers are those of all rows, whatever is counted.
    pairs = answer_tables(responses, "s")
    assert_allclose(found.n_missing, pairs.n_missing, rtol=1e-12)
    assert pairs.n_used == ((df["w"].fillna(0) > 0).sum() if weighted else 50)


def test_parts_add_up_listwise(monkeypatch: pytest.MonkeyPatch) -> None:
    responses = from_frame(answers(), scales={"s": ["a", "b"]}, roles={"weight": "w"})
    whole = answer_tables(responses, "s", missing="listwise")
    monkeypatch.setattr(tables, "HOT_CELLS", 24)
    parts = answer_tables(responses, "s", missing="listwise")
    assert_allclose(parts.counts, whole.counts, rtol=1e-12)
    assert (parts.n_rows, parts.n_used) == (whole.n_rows, whole.n_used)


def test_observed_leaves_out_what_nobody_chose() -> None:
    df = pd.DataFrame({"a": [1.0, 2.0, 4.0, 3.0], "b": [5.0, 5.0, 7.0, np.nan]})
    found = answer_tables(from_frame(df, scales={"s": ["a", "b"]}), "s", missing="listwise")
    assert_array_equal(found.categories[0], [1, 2, 3, 4])  # 3 only beside a missing answer
    seen = found.observed()
    assert_array_equal(seen.categories[0], [1, 2, 4])
    assert_array_equal(seen.categories[1], [5, 7])
    assert_array_equal(seen.two_way("a", "b"), [[1, 0], [1, 0], [0, 1]])
    assert_array_equal(seen.one_way("a"), [1, 1, 1])
    assert (seen.items, seen.n_rows, seen.n_used) == (("a", "b"), 4, 3)
    assert_array_equal(seen.n_missing, found.n_missing)
    again = seen.observed()
    assert_array_equal(again.counts, seen.counts)


def test_observed_of_an_item_without_answers() -> None:
    df = pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, np.nan], "c": [3.0, 4.0]})
    seen = answer_tables(from_frame(df, scales={"s": ["a", "b", "c"]}), "s").observed()
    assert [len(codes) for codes in seen.categories] == [2, 0, 2]
    assert seen.two_way("a", "b").shape == (2, 0)
    assert_array_equal(seen.two_way("a", "c"), np.eye(2))


def test_answers_with_their_clusters(engine: Any) -> None:
    df = answers().assign(school=["x", "y", None, "z", "y"] * 10)
    responses = from_frame(engine(df), scales={"s": ["a", "b"]}, roles={"weight": "w"})
    x, w, groups, labels = clustered_answers(responses, ["b", "a"], "school")
    assert x.shape == (50, 2)
    names = np.array([*labels, None], dtype=object)[groups]
    found = pd.DataFrame(x, columns=["b", "a"]).assign(w=w, school=names)
    order = ["w", "a", "b"]  # an engine may give rows in another order
    pd.testing.assert_frame_equal(
        found.sort_values(order, ignore_index=True)[order],
        df.sort_values(order, ignore_index=True)[order],
    )
    matched = found.sort_values("w", ignore_index=True)["school"].tolist()
    assert matched == df.sort_values("w", ignore_index=True)["school"].tolist()
    plain, weights = weighted_answers(responses, ["b", "a"])
    assert_array_equal(np.sort(plain, axis=0), np.sort(x, axis=0))
    assert_array_equal(np.sort(weights), np.sort(w))


def test_clusters_of_numbers_and_weights_that_are_missing() -> None:
    df = answers().assign(school=np.where(np.arange(50) < 10, np.nan, np.arange(50) % 4))
    df.loc[0, "w"] = np.nan
    responses = from_frame(df, scales={"s": ["a", "b"]}, roles={"weight": "w"})
    _, w, groups, labels = clustered_answers(responses, "s", "school")
    assert w[0] == 0
    assert_array_equal(groups[:10], -1)
    assert len(labels) == 4
    assert_array_equal(groups[10:], np.arange(10, 50) % 4)
    responses = from_frame(df.drop(columns="w"), scales={"s": ["a", "b"]})
    assert_array_equal(clustered_answers(responses, "s", "school")[1], 1)


def test_which_column_says_who_belongs_together() -> None:
    df = answers().assign(school=np.arange(50) % 4, person=np.arange(50) % 25, wave=0)
    df["wave"] = np.arange(50) // 25
    scales = {"s": ["a", "b"]}
    plain = from_frame(df, scales=scales)
    assert cluster_column(plain, "auto") is None
    assert cluster_column(plain, None) is None
    assert cluster_column(plain, "school") == "school"
    with pytest.raises(UnknownNameError, match="has no column 'schol'. Did you mean 'school'"):
        cluster_column(plain, "schol")
    schools = from_frame(df, scales=scales, roles={"cluster": "school"})
    assert cluster_column(schools, "auto") == cluster_column(schools, "cluster") == "school"
    assert cluster_column(schools, None) is None
    people = {"respondent": "person", "wave": "wave"}
    twice = from_frame(df, scales=scales, roles=people)
    assert cluster_column(twice, "auto") == "person"
    assert data_notes(twice, weighted=False) == [
        "50 rows of 25 people: rows of each wave are pooled here."
    ]
    once = from_frame(df.iloc[:25], scales=scales, roles=people)
    assert cluster_column(once, "auto") is None
    both = from_frame(df, scales=scales, roles=people | {"cluster": "school"})
    assert cluster_column(both, "auto") == "school"  # the wider of the two
