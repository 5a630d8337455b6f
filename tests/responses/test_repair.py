"""Declared repairs: what is mended, what it is called in the ledger, and that rows add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabsurvey.errors import (
    AnswersError,
    DataError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.responses import Repair, Responses, from_frame

WRAPPED = r"^_(\d+)_1$"


def starts() -> pd.DataFrame:
    """One person who began three times, one template, one nobody, one empty row."""
    return pd.DataFrame(
        {
            "who": ["_7_1", "_7_1", "_7_1", "@X@", None, "_8_1"],
            "q1": [np.nan, 2.0, 4.0, 3.0, 1.0, np.nan],
            "q2": [5.0, 1.0, 3.0, 3.0, 2.0, np.nan],
        }
    )


def read(df: Any, repair: dict[str, Any], **options: Any) -> Responses:
    return from_frame(
        df,
        **{
            "scales": {"s": ["q1", "q2"]},
            "response_range": (1, 5),
            "roles": {"respondent": "who"},
            "repair": repair,
            **options,
        },
    )


def is_accounted_for(responses: Responses) -> bool:
    read_rows = sum(line.n for line in responses.ledger if line.what.startswith("rows read"))
    return read_rows == responses.n_rows + responses.ledger.n_dropped()


@pytest.mark.parametrize(
    ("keep", "kept"), [("most_complete", (2, 1)), ("first", (None, 5)), ("last", (4, 3))]
)
def test_rule_for_repeated_rows(eager_engine: Any, keep: str, kept: tuple[Any, Any]) -> None:
    responses = read(
        eager_engine(starts()),
        {"ids": {"pattern": WRAPPED, "unmatched": "missing"}, "duplicates": {"keep": keep}},
    )
    frame = eager_engine.pandas(responses.frame)
    row = frame[frame["who"] == "7"][["q1", "q2"]].iloc[0]
    assert tuple(None if pd.isna(v) else v for v in row) == kept
    assert responses.ledger.n_dropped() == 2
    assert is_accounted_for(responses)
    # Rows without an id are nobody's repetition: all are kept, in the order they came in.
    assert frame["who"].isna().tolist() == [False, True, True, False]


def test_repeated_rows_are_judged_on_the_whole_key() -> None:
    df = starts().assign(school=["A", "A", "B", "C", "C", "C"])
    repair = {"ids": {"pattern": WRAPPED, "unmatched": "drop"}, "duplicates": {"keep": "last"}}
    roles = {"respondent": "who", "cluster": "school"}
    responses = read(df, repair, roles=roles, key=["cluster"])
    assert responses.frame["q2"].dropna().tolist() == [1.0, 3.0, 2.0]


def test_index_of_the_kept_rows_is_kept() -> None:
    df = starts().set_axis([9, 9, 4, 4, 2, 1])
    repair = {"ids": {"pattern": WRAPPED, "unmatched": "missing"}, "duplicates": {"keep": "last"}}
    assert read(df, repair).frame.index.tolist() == [4, 4, 2, 1]


def test_ids_that_do_not_fit_are_an_error_unless_said_otherwise(eager_engine: Any) -> None:
    repair: dict[str, Any] = {"ids": {"pattern": WRAPPED}, "duplicates": {"keep": "last"}}
    with pytest.raises(AnswersError, match=r"1 id that does not fit the pattern .*'@X@' \(1 row\)"):
        read(eager_engine(starts()), repair)


def test_rows_of_ids_that_do_not_fit_may_be_dropped(eager_engine: Any) -> None:
    repair = {"ids": {"pattern": WRAPPED, "unmatched": "drop"}, "duplicates": {"keep": "first"}}
    responses = read(eager_engine(starts()), repair)
    assert sorted(eager_engine.pandas(responses.frame)["who"].dropna()) == ["7", "8"]
    assert is_accounted_for(responses)


def test_ids_of_several_columns_are_repaired() -> None:
    df = starts().iloc[2:].assign(school=["s-1", "s-2", "s-1", "s-2"])
    repair = {
        "ids": [
            {"pattern": WRAPPED, "unmatched": "missing"},
            {"pattern": r"^s-(\d)$", "column": "school"},
        ]
    }
    assert read(df, repair).frame["school"].tolist() == ["1", "2", "1", "2"]


def test_numbers_can_be_repaired_as_text() -> None:
    df = starts().iloc[2:].assign(who=[1017, 1018, 1019, 1020])
    assert read(df, {"ids": {"pattern": r"^10(\d\d)$"}}).frame["who"].tolist() == [
        "17",
        "18",
        "19",
        "20",
    ]


def test_impossible_answers_may_be_set_to_missing(engine: Any) -> None:
    df = starts().iloc[2:].assign(q1=[0.0, 6.0, 3.0, np.nan])
    responses = read(engine(df), {"out_of_range": "missing"})
    values = engine.pandas(responses.frame)["q1"]
    assert values.dropna().tolist() == [3.0]
    assert [(x.step, x.n, x.unit) for x in responses.ledger if x.column == "q1"] == [
        ("missing", 2, "cells")
    ]


def test_empty_rows_may_be_dropped(engine: Any) -> None:
    responses = read(engine(starts().iloc[2:]), {"empty_rows": "drop"})
    assert responses.n_rows == 3
    assert is_accounted_for(responses)


def test_lazy_frames_refuse_what_needs_an_order(lazy_engine: Any) -> None:
    for repair in ({"duplicates": {"keep": "first"}}, {"ids": {"pattern": WRAPPED}}):
        with pytest.raises(NotSupportedError, match="of a lazy frame .* collect it first"):
            read(lazy_engine(starts()), repair)


@pytest.mark.parametrize(
    ("repair", "error", "sentence"),
    [
        ({"id": {}}, UnknownNameError, "repair has no key 'id'. Did you mean 'ids'"),
        ({"ids": {"patern": "x"}}, UnknownNameError, "Did you mean 'pattern'"),
        ({"ids": {"pattern": "x"}}, OptionError, "with one group"),
        ({"ids": {"pattern": "(x"}}, OptionError, "a regular expression"),
        ({"ids": {"column": "who"}}, OptionError, "with one group"),
        ({"ids": ["x"]}, OptionError, "{'pattern'"),
        ({"ids": {"pattern": "(x)", "unmatched": "keep"}}, OptionError, "'error', 'missing'"),
        ({"ids": {"pattern": "(x)", "column": "id"}}, UnknownNameError, "no column 'id'"),
        ({"duplicates": {"keep": "best"}}, OptionError, "'most_complete', 'first', 'last'"),
        ({"duplicates": {}}, OptionError, "'most_complete'"),
        ({"duplicates": "first"}, OptionError, "{'keep': 'most_complete'}"),
        ({"duplicates": {"keep": "first", "by": []}}, UnknownNameError, "no key 'by'"),
        ({"out_of_range": "drop"}, OptionError, "'missing'"),
        ({"empty_rows": True}, OptionError, "'drop'"),
        ({"truncated": "keep"}, OptionError, "'drop'"),
        ("drop", OptionError, "{'empty_rows': 'drop'}"),
    ],
)
def test_repairs_that_are_not_known_are_refused(
    repair: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        read(starts(), repair)


def test_rule_for_repeated_rows_needs_a_respondent() -> None:
    with pytest.raises(DataError, match="Resolving repeated rows needs the role 'respondent'"):
        read(starts(), {"duplicates": {"keep": "first"}}, roles={})


def test_nothing_is_repaired_by_default() -> None:
    assert Repair.from_mapping(None) == Repair()


@given(
    who=st.lists(st.sampled_from(["a", "b", "c", None]), min_size=2, max_size=12),
    keep=st.sampled_from(["most_complete", "first", "last"]),
    data=st.data(),
)
def test_rows_in_are_rows_out_and_rows_dropped(who: list[Any], keep: str, data: Any) -> None:
    cell = st.sampled_from([1.0, 3.0, 5.0, 9.0, np.nan])
    answers = st.lists(cell, min_size=len(who), max_size=len(who))
    df = pd.DataFrame({"who": who, "q1": data.draw(answers), "q2": data.draw(answers)})
    df.loc[0, ["who", "q1"]] = ["z", 1.0]
    repair = {"duplicates": {"keep": keep}, "empty_rows": "drop", "out_of_range": "missing"}
    responses = read(df, repair)
    assert is_accounted_for(responses)
    known = responses.frame["who"].dropna()
    assert known.is_unique
    assert responses.frame.index.is_monotonic_increasing


def test_names_are_written_in_one_way_and_trials_left_out(engine: Any) -> None:
    df = pd.DataFrame(
        {
            "who": ["a", "b", "TEST", "c"],
            "school": ["St Mary’s", "St. Mary's", "x", None],
            "q1": [1.0, 2.0, 3.0, 4.0],
            "q2": [1.0, 2.0, 3.0, 4.0],
        }
    )
    options: dict[str, Any] = {
        "scales": {"s": ["q1", "q2"]},
        "roles": {"respondent": "who", "cluster": "school"},
    }
    with pytest.raises(AnswersError, match="'St Mary’s' and \"St. Mary's\".*repair: {recode:"):
        from_frame(engine(df), **options)
    repair = {"recode": {"school": {"St Mary’s": "St. Mary's"}}, "drop_rows": {"who": ["TEST"]}}
    mended = from_frame(engine(df), **options, repair=repair)
    kept = engine.pandas(mended.frame).sort_values("who")
    assert kept["who"].tolist() == ["a", "b", "c"]
    assert kept["school"].tolist()[:2] == ["St. Mary's", "St. Mary's"]
    assert kept["school"].isna().tolist() == [False, False, True]
    assert mended.ledger.n_dropped() == 1
    said = [(line.step, line.n) for line in mended.ledger if "St. Mary's" in line.what]
    assert said == [("repair", 1)]


def test_a_value_nobody_has_cannot_be_recoded() -> None:
    df = pd.DataFrame({"who": ["a", "b"], "q1": [1.0, 2.0]})
    for repair in ({"recode": {"who": {"aa": "b"}}}, {"drop_rows": {"who": ["aa"]}}):
        with pytest.raises(UnknownNameError, match="Column 'who' has no value 'aa'. Did you mean"):
            from_frame(df, scales={"s": ["q1"]}, repair=repair)
    with pytest.raises(OptionError, match="recode"):
        from_frame(df, scales={"s": ["q1"]}, repair={"recode": {"who": "a"}})
