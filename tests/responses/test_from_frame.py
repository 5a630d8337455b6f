"""Answers from frames of every engine: what is kept, counted and refused."""

from __future__ import annotations

import re
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabsurvey.errors import AnswersError, DataError, OptionError, UnknownNameError
from collabsurvey.instruments import load_instrument
from collabsurvey.instruments.making import instrument_from_scales
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses import Responses, from_frame

LABELS = {1: "Strongly disagree", 2: "Disagree", 3: "Neither", 4: "Agree", 5: "Strongly agree"}
ROLES = {"respondent": "who", "cluster": "school"}


def staff() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "who": ["07", "08", "11", "12"],
            "school": ["A", "A", "B", None],
            "q1": [1.0, 5.0, np.nan, -9.0],
            "q2": [2, 4, 3, 5],
            "note": ["x", "y", "z", "w"],
        }
    )


def labelled(labels: dict[str, dict[float, str]] | None = None, **changes: Any) -> Instrument:
    """Two items on a five-point scale with labels."""
    made = instrument_from_scales({"s": ["q1", "q2"]}, response_range=(1, 5))
    answers = made.response_sets["answers"].model_copy(
        update={
            "type": "ordinal",
            "values": (1.0, 2.0, 3.0, 4.0, 5.0),
            "labels": {"en-GB": dict(LABELS)} if labels is None else labels,
            "missing": {-8.0: "cannot_say"},
            "missing_labels": {"en-GB": {-8.0: "Cannot say"}},
            **changes,
        }
    )
    return made.model_copy(update={"response_sets": {"answers": answers}})


def read(df: Any, **options: Any) -> Responses:
    return from_frame(
        df, **{"scales": {"s": ["q1", "q2"]}, "response_range": (1, 5), "roles": ROLES, **options}
    )


def answers(responses: Responses, engine: Any) -> list[list[float | None]]:
    frame = engine.pandas(responses.frame).set_index("who").sort_index()
    return [[None if pd.isna(v) else float(v) for v in row] for row in frame[["q1", "q2"]].values]


def lines(responses: Responses) -> list[tuple[str, str, int, str]]:
    return [(line.step, line.what, line.n, line.column) for line in responses.ledger]


def test_codes_are_read_and_every_missing_answer_counted(engine: Any) -> None:
    responses = read(engine(staff()), missing_codes=(-9,))
    assert answers(responses, engine) == [[1, 2], [5, 4], [None, 3], [None, 5]]
    assert lines(responses) == [
        ("read", "rows read", 4, ""),
        ("missing", "code -9 (missing) set to missing", 1, "q1"),
        ("note", "rows without a cluster id, kept", 1, "school"),
    ]
    assert responses.n_rows == responses.n_respondents == 4


def test_frame_comes_back_in_the_callers_kind(engine: Any) -> None:
    native = engine(staff())
    assert type(read(native, missing_codes=(-9,)).frame) is type(native)


def test_callers_frame_is_not_changed() -> None:
    df = staff()
    before = df.copy(deep=True)
    read(df, missing_codes=(-9,), repair={"duplicates": {"keep": "first"}})
    pd.testing.assert_frame_equal(df, before)


@pytest.mark.parametrize("index", [[3, 1, 0, 2], [7, 7, 7, 7]], ids=["shuffled", "repeated"])
def test_rows_keep_their_index_and_order(index: list[int]) -> None:
    df = staff().set_axis(index)
    responses = read(df, missing_codes=(-9,))
    assert responses.frame.index.tolist() == index
    assert responses.frame["who"].tolist() == df["who"].tolist()
    assert responses.frame["q2"].tolist() == df["q2"].tolist()


def test_labels_become_codes_whatever_their_case(engine: Any) -> None:
    df = staff().assign(
        q1=["strongly agree", " Agree ", "Cannot say", None], q2=["3", "3.0", "", "Neither"]
    )
    responses = read(engine(df), scales=None, instrument=labelled(), response_range=None)
    assert answers(responses, engine) == [[5, 3], [4, 3], [None, None], [None, 3]]
    assert ("recode", "label text turned into codes", 3, "q1") in lines(responses)
    assert ("missing", "code -8 (cannot_say) set to missing", 1, "q1") in lines(responses)
    assert ("missing", "blank text set to missing", 1, "q2") in lines(responses)


def test_missing_words_are_counted_one_by_one(engine: Any) -> None:
    df = staff().assign(q1=["N/A", "n/a", "99", "4"])
    responses = read(engine(df), missing_codes=("N/A", 99))
    assert answers(responses, engine)[3] == [4, 5]
    found = lines(responses)
    assert ("missing", "'N/A' set to missing", 1, "q1") in found
    assert ("missing", "'n/a' set to missing", 1, "q1") in found
    assert ("missing", "code 99 (missing) set to missing", 1, "q1") in found


def test_missing_code_given_as_text_counts_in_a_column_of_numbers(engine: Any) -> None:
    assert answers(read(engine(staff()), missing_codes=("-9",)), engine)[3] == [None, 5]


def test_unknown_words_are_named_with_the_nearest_label(engine: Any) -> None:
    df = staff().assign(q1=["Stronly agree", "Agree", None, "Stronly agree"])
    with pytest.raises(
        AnswersError, match=r"'q1' has answers .*: 'Stronly agree' \(2\)\. Did you mean 'strongly a"
    ):
        read(engine(df), scales=None, instrument=labelled(), response_range=None)


@pytest.mark.parametrize("word", ["nan", "inf", "1_0", "1,000", "4 5", "1e0", "--1"])
def test_what_only_looks_like_a_number_is_refused(word: str) -> None:
    with pytest.raises(AnswersError, match=rf"answers that are words: '{word}' \(1\)"):
        read(staff().assign(q1=["4", word, "3", "2"]))


def test_decimal_comma_is_a_number() -> None:
    responses = read(staff().assign(q1=["3,5", "2,0", "1", "+4"]))
    assert responses.frame["q1"].tolist() == [3.5, 2.0, 1.0, 4.0]


def test_text_that_is_a_label_of_one_code_and_another_code_is_refused() -> None:
    instrument = labelled({"en-GB": {1: "5", 5: "1"}})
    with pytest.raises(AnswersError, match="'1', which may stand for the codes 5 and 1"):
        read(
            staff().assign(q1=["1", "2", None, "3"]),
            scales=None,
            instrument=instrument,
            response_range=None,
        )


def test_label_of_two_codes_is_refused() -> None:
    instrument = labelled({"en-GB": {1: "Never", 2: "never ", 3: "Often"}})
    with pytest.raises(AnswersError, match="2 times the answer 'Never', which may stand for the"):
        read(
            staff().assign(q1=["Never", "Never", None, "Often"]),
            scales=None,
            instrument=instrument,
            response_range=None,
        )


def test_answers_outside_the_range_are_all_named(engine: Any) -> None:
    df = staff().assign(q2=[0, 6, 7, 3])
    with pytest.raises(AnswersError) as error:
        read(engine(df))
    assert "'q1' has 1 answer that is not possible: -9. Answers go from 1 to 5." in str(error.value)
    assert "'q2' has 3 answers that are not possible: 0, 6, 7." in str(error.value)


def test_listed_answers_only_between_categories_is_refused(engine: Any) -> None:
    df = staff().assign(q1=[1.0, 2.5, None, 4.0])
    with pytest.raises(AnswersError, match=r"not possible: 2\.5\. Answers are 1, 2, 3, 4, 5"):
        read(engine(df), scales=None, instrument=labelled(), response_range=None)


def test_missing_code_that_is_an_answer_is_refused() -> None:
    with pytest.raises(AnswersError, match="missing_codes names 5, which is an answer of q1, q2"):
        read(staff(), missing_codes=(-9, 5))


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, 5, None, 4], dtype="Int64"),
        pd.array([1, 5, None, 4], dtype="Float64"),
        pd.array([1, 5, None, 4], dtype="float32"),
        pd.array([1, 5, None, 4], dtype=pd.ArrowDtype(pa.int8())),
        pd.array([1, 5, np.nan, 4], dtype=object),
        pd.array(["1", "5", np.nan, "4"], dtype=object),
        pd.array(["1", "5", None, "4"], dtype="string"),
        pd.array(["1", "5", None, "4"], dtype=pd.ArrowDtype(pa.string())),
        pd.Categorical(["1", "5", None, "4"]),
        pd.Categorical([1, 5, None, 4], ordered=True),
    ],
    ids=lambda column: str(column.dtype),
)
def test_every_pandas_type_of_answer_is_read_alike(column: Any) -> None:
    responses = read(staff().assign(q1=column))
    values = nw.from_native(responses.frame)["q1"]
    assert values.is_null().to_list() == [False, False, True, False]
    assert values.drop_nulls().to_list() == [1, 5, 4]


def test_booleans_are_zero_and_one() -> None:
    responses = read(staff().assign(q1=[True, False, True, True]), response_range=(0, 5))
    assert responses.frame["q1"].tolist() == [1, 0, 1, 1]
    with pytest.raises(AnswersError, match="'q1' has 1 answer that is not possible: 0"):
        read(staff().assign(q1=[True, False, True, True]))


def test_column_of_nothing_is_missing_answers(engine: Any) -> None:
    df = staff().assign(q1=pd.Series([None] * 4, dtype=object))
    assert [row[0] for row in answers(read(engine(df)), engine)] == [None] * 4


def test_polars_nan_is_a_missing_answer_and_a_missing_id() -> None:
    pl = pytest.importorskip("polars")
    df = pl.DataFrame(
        {"who": [1.0, float("nan"), 3.0], "q1": [float("nan"), 2.0, 3.0], "q2": [1, 2, 3]}
    )
    responses = read(df, roles={"respondent": "who"})
    assert responses.frame["q1"].null_count() == 1
    assert responses.frame["who"].null_count() == 1
    assert ("note", "rows without a respondent id, kept", 1, "who") in lines(responses)


def test_pyarrow_tables_are_read() -> None:
    responses = read(pa.Table.from_pandas(staff()), missing_codes=(-9,))
    assert isinstance(responses.frame, pa.Table)
    assert responses.frame["q1"].to_pylist() == [1, 5, None, None]


def test_blank_ids_are_missing_and_counted(engine: Any) -> None:
    df = staff().assign(who=["07", "", "  ", "12"], q1=[1, 2, 3, 4])
    responses = read(engine(df))
    assert responses.n_respondents == 4
    assert ("missing", "blank text set to missing", 2, "who") in lines(responses)
    assert ("note", "rows without a respondent id, kept", 2, "who") in lines(responses)


@pytest.mark.parametrize(
    "ids", [("07", "7"), ("A1", "a1"), ("7", "7.0"), ("x", "x ")], ids=lambda pair: repr(pair[1])
)
def test_ids_that_look_alike_are_refused(engine: Any, ids: tuple[str, str]) -> None:
    df = staff().assign(who=[*ids, "11", "12"], q1=[1, 2, 3, 4])
    named = " and ".join(map(repr, sorted(ids)))
    with pytest.raises(AnswersError, match=rf"1 id is written.*: {re.escape(named)}"):
        read(engine(df))


def test_ids_that_differ_only_in_type_are_refused() -> None:
    df = staff().assign(who=pd.Series([7, "7", "11", "12"], dtype=object), q1=[1, 2, 3, 4])
    with pytest.raises(AnswersError, match="'7' and 7"):
        read(df)


def test_ids_too_long_for_decimal_numbers_are_refused() -> None:
    df = staff().assign(who=[1e16, 1e16 + 2, 3.0, np.nan], q1=[1, 2, 3, 4])
    with pytest.raises(AnswersError, match="decimal numbers of more than 15 digits"):
        read(df)


def test_repeated_keys_are_refused_with_the_rule_to_choose(engine: Any) -> None:
    df = staff().assign(who=["07", "07", "11", "12"], q1=[1, 2, 3, 4])
    with pytest.raises(
        AnswersError, match=r"1 key \(respondent\) occurs more than once.*example who 07.*wave role"
    ):
        read(engine(df))


def test_wave_is_part_of_the_key(engine: Any) -> None:
    df = staff().assign(who=["07", "07", "11", "12"], wave=[1, 2, 1, 1], q1=[1, 2, 3, 4])
    responses = read(engine(df), roles={**ROLES, "wave": "wave"})
    assert (responses.n_rows, responses.n_respondents) == (4, 3)
    assert responses.key_roles == ("respondent", "wave")


def test_key_may_hold_the_cluster(engine: Any) -> None:
    df = staff().assign(who=["07", "07", "07", "12"], school=list("ABCC"), q1=[1, 2, 3, 4])
    responses = read(engine(df), key=["cluster"])
    assert responses.key_roles == ("respondent", "cluster")
    with pytest.raises(AnswersError, match="row key names 'clutser'"):
        read(engine(df), key=["clutser"])


def test_every_answer_missing_is_refused(engine: Any) -> None:
    df = staff().assign(q1=-9.0, q2=-9)
    with pytest.raises(DataError, match="Every answer is missing: no row has an answer"):
        read(engine(df), missing_codes=(-9,))


def test_table_without_rows_is_refused(engine: Any) -> None:
    with pytest.raises(DataError, match="has a header but no rows"):
        read(engine(staff().iloc[:0]))


def test_roles_are_checked_together(engine: Any) -> None:
    with pytest.raises(AnswersError) as error:
        read(
            engine(staff()),
            roles={"respondnet": "who", "cluster": "skool", "wave": "note", "cohort": "note"},
        )
    text = str(error.value)
    assert "'respondnet' is not a role. Roles are: respondent, cluster" in text
    assert "The role 'cluster' names the column 'skool', which is not in the table." in text
    assert "The column 'note' cannot be both wave and cohort." in text


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ([1.0, -2.0, 1.0, 1.0], "has 1 negative"),
        ([1.0, np.inf, 1.0, 1.0], "has 1 infinite"),
        ([0.0, 0.0, 0.0, np.nan], "has no value above zero"),
        (["a", "b", "c", "d"], "holds text, not numbers"),
    ],
)
def test_weights_that_cannot_be_are_refused(engine: Any, weights: list, sentence: str) -> None:
    df = staff().assign(w=weights)
    with pytest.raises(AnswersError, match=f"The weight column 'w' {sentence}"):
        read(engine(df), roles={**ROLES, "weight": "w"}, missing_codes=(-9,))


def test_missing_weights_are_noted(engine: Any) -> None:
    responses = read(
        engine(staff().assign(w=[1.0, np.nan, 2.0, 1.0])),
        roles={**ROLES, "weight": "w"},
        missing_codes=(-9,),
    )
    what = "rows without a weight, which count as zero where weights are applied"
    assert ("note", what, 1, "w") in lines(responses)


def test_items_without_a_column_are_named(engine: Any) -> None:
    with pytest.raises(AnswersError, match="1 items of 'survey' have no column: q3"):
        read(engine(staff()), scales={"s": ["q1", "q2"], "t": ["q2", "q3"]}, missing_codes=(-9,))


def test_present_keeps_the_scales_that_are_whole(engine: Any) -> None:
    responses = read(
        engine(staff()),
        scales={"s": ["q1", "q2"], "t": ["q2", "q3"]},
        items="present",
        missing_codes=(-9,),
    )
    assert responses.instrument.scale_ids == ("s",)
    assert ("read", "items of 'survey' not asked: q3", 1, "") in lines(responses)


def test_columns_are_renamed_to_items(engine: Any) -> None:
    df = staff().rename(columns={"q1": "First question"})
    responses = read(engine(df), columns={"q1": "First question"}, missing_codes=(-9,))
    assert answers(responses, engine)[0] == [1, 2]


def test_column_map_is_checked_together() -> None:
    with pytest.raises(AnswersError) as error:
        read(staff(), columns={"q1": "nowhere", "q9": "q2"})
    text = str(error.value)
    assert "columns maps 'q9', which is not an item" in text
    assert "maps 'q1' to the column 'nowhere', which is not in the table" in text


def test_columns_of_partners_become_rows(engine: Any) -> None:
    df = pd.DataFrame(
        {
            "who": ["a", "b", "c"],
            "north": [1.0, np.nan, 3.0],
            "south": [np.nan, 4.0, 5.0],
            "q2": [2, 3, 4],
        }
    )
    responses = read(
        engine(df),
        roles={"respondent": "who"},
        columns={"q1": {"North": "north", "South": "south"}},
    )
    assert responses.roles["partner"] == "partner"
    assert responses.key_roles == ("respondent", "partner")
    frame = engine.pandas(responses.frame)
    found = {
        (who, None if pd.isna(partner) else partner): (q1, q2)
        for who, partner, q1, q2 in frame[["who", "partner", "q1", "q2"]].itertuples(index=False)
    }
    assert set(found) == {
        ("a", "North"),
        ("c", "North"),
        ("b", "South"),
        ("c", "South"),
        ("a", None),
        ("b", None),
        ("c", None),
    }
    assert found["c", "South"][0] == 5
    assert found["c", None][1] == 4
    assert ("reshape", "columns of 2 partners read as rows; rows added", 4, "") in lines(responses)
    assert responses.n_respondents == 3


@pytest.mark.parametrize(
    ("frame", "error", "sentence"),
    [
        ({"q1": [1]}, DataError, "A dict is not a table of answers"),
        (
            pd.DataFrame([[1, 2]], columns=["q1", "q1"]),
            DataError,
            "more than one column named 'q1'",
        ),
        (pd.DataFrame([[1, 2]], columns=["q1", 3]), DataError, "names must be text; 3"),
        (
            pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("q", "1"), ("q", "2")])),
            DataError,
            "names of several levels",
        ),
    ],
    ids=["dict", "repeated", "number", "levels"],
)
def test_what_is_no_table_is_refused(frame: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        read(frame)


def test_scales_or_instrument_but_not_both() -> None:
    with pytest.raises(OptionError, match="one of the two"):
        from_frame(staff())
    with pytest.raises(OptionError, match=r"from cs\.load_instrument"):
        from_frame(staff(), instrument="trust")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="'all', 'present'"):
        read(staff(), items="some")
    with pytest.raises(UnknownNameError, match="no item 'q7'"):
        read(staff(), reverse_keyed=["q7"])


@given(order=st.permutations(range(4)))
def test_order_of_rows_does_not_matter(order: list[int]) -> None:
    whole = read(staff(), missing_codes=(-9,))
    shuffled = read(staff().iloc[order], missing_codes=(-9,))
    assert shuffled.ledger == whole.ledger
    pd.testing.assert_frame_equal(shuffled.frame.sort_index(), whole.frame)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scales": {}}, "scales={} is not possible"),
        ({"scales": {"s": "q1"}}, "scales={'s': 'q1'} is not possible"),
        ({"roles": ["who"]}, "Choose one of: {'respondent': 'column'}"),
        ({"key": "cluster"}, r"Choose one of: \['respondent', 'cluster'\]"),
        ({"columns": ["q1"]}, "Choose one of: {'item': 'column'}"),
    ],
)
def test_options_of_the_wrong_kind_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        read(staff(), **options)


def test_column_cannot_be_item_and_role(engine: Any) -> None:
    with pytest.raises(AnswersError, match="'q1' cannot be both an item and the role respondent"):
        read(engine(staff()), roles={"respondent": "q1"})


def test_single_missing_code_need_not_be_a_list() -> None:
    assert read(staff(), missing_codes=-9).frame["q1"].isna().sum() == 2
    assert read(staff().assign(q1=["NA", "1", "2", "3"]), missing_codes="NA").n_rows == 4


@pytest.mark.parametrize("response_range", [None, (1, 5)])
def test_infinite_answers_are_refused(engine: Any, response_range: Any) -> None:
    df = staff().assign(q1=[1.0, np.inf, np.nan, 2.0])
    with pytest.raises(AnswersError, match="'q1' has 1 answer that is not possible: inf"):
        read(engine(df), response_range=response_range)


def test_cells_of_several_values_are_refused() -> None:
    pl = pytest.importorskip("polars")
    df = pl.DataFrame({"q1": [[1, 2], [3]], "q2": [1, 2]})
    with pytest.raises(AnswersError, match="'q1' holds several values in a cell"):
        read(df, roles={})


def test_repeated_names_of_other_engines_are_refused() -> None:
    duckdb = pytest.importorskip("duckdb")
    table = pa.table([[1], [2]], names=["q1", "q1"])
    for frame in (table, duckdb.sql("select 1 as q1, 2 as q1")):
        with pytest.raises(DataError, match="more than one column named 'q1'"):
            read(frame, roles={})


def test_blank_ids_of_categoricals_are_missing() -> None:
    df = staff().assign(school=pd.Categorical(["A", " ", "B", "B"]), q1=[1, 2, 3, 4])
    assert read(df).frame["school"].isna().tolist() == [False, True, False, False]


def test_words_of_many_items_are_one_fault() -> None:
    trust = load_instrument("trust")
    df = pd.DataFrame({item: ["Agree", "No idea"] for item in trust.item_ids})
    df[list(trust.scale("tru.expect").items)] = "30%"
    with pytest.raises(AnswersError) as caught:
        from_frame(df, instrument=trust)
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith("37 items (tru.economise.contracts.01, ")
    assert "'No idea' (37)" in caught.value.faults[0]


def test_percentages_and_reasons_are_read() -> None:
    trust = load_instrument("trust")
    df = pd.DataFrame({item: ["30%", "Cannot say"] for item in trust.scale("tru.expect").items})
    read_answers = from_frame(df, instrument=trust, items="present")
    assert read_answers.frame["tru.expect.01"].tolist()[0] == 30.0
    assert read_answers.frame["tru.expect.01"].isna().tolist() == [False, True]
    assert any("cannot_say" in line.what for line in read_answers.ledger)
