"""Reading, joining and widening answers; what is refused, and what the ledger says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.errors import AnswersError, CollabSurveyError
from conftest import Engine

PLAN: dict[str, Any] = {
    "scales": {"s": ["a", "b"]},
    "response_range": (1, 5),
    "roles": {"respondent": "id", "cluster": "school"},
}
TEXT = "id,school,a,b\n001,Ash,1,2\n002,Ash,3,4\n003,Öst – £,5,\n"


@pytest.fixture
def df() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": ["p1", "p2", "p3", "p4"],
            "school": list("xxyy"),
            "a": [1, 2, 3, 4],
            "b": [5, 4, 3, 2],
        }
    )


def written(folder: Path, text: str | bytes, name: str = "answers.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def adds_up(responses: cs.Responses) -> bool:
    """Rows in (and made by reshaping) = rows out + rows dropped."""
    lines = responses.ledger.to_frame()
    rows = lines[lines["unit"] == "rows"].groupby("step")["n"].sum()
    gained = rows.get("read", 0) + rows.get("reshape", 0)
    return bool(gained == responses.n_rows + rows.get("drop", 0))


# --- frames -------------------------------------------------------------------------------------


def test_parts_of_responses(engine: Engine, df: pd.DataFrame) -> None:
    answers = cs.from_frame(engine(df), **PLAN)
    assert answers.n_respondents == 4
    assert dict(answers.roles) == PLAN["roles"]
    assert answers.instrument.scale_ids == ("s",)
    assert type(answers.frame) is type(engine(df))
    assert adds_up(answers)


def test_missing_codes_are_counted_by_column(engine: Engine, df: pd.DataFrame) -> None:
    coded = df.assign(a=[-9, -9, 3, 4], b=[5, -8, 3, 2])
    answers = cs.from_frame(engine(coded), missing_codes=(-9, -8), **PLAN)
    lines = answers.ledger.to_frame()
    cells = lines[lines["unit"] == "cells"].groupby("column")["n"].sum()
    assert cells.to_dict() == {"a": 2, "b": 1}
    found = engine.pandas(answers.frame).sort_values("id")
    np.testing.assert_array_equal(found["a"], [np.nan, np.nan, 3, 4])


def test_nan_of_polars_is_missing() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"a": [1.0, float("nan"), None], "b": [2.0, 4.0, 5.0]})
    answers = cs.from_frame(frame, scales={"s": ["a", "b"]}, response_range=(1, 5))
    assert answers.frame["a"].null_count() == 2
    assert cs.score(answers, min_valid=0).to_frame()["s"].to_list() == [1.5, 4.0, 5.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": [1, 2, 3, 9]}, "not possible: 9"),
        ({"a": [1, 2, 3, np.inf]}, "not possible"),
        ({"a": list("wxyz")}, "words"),
        ({"a": np.nan, "b": None}, "Every answer is missing"),
        ({"id": "p1"}, "more than once"),
        ({"id": ["1", "01", "2", "3"]}, "leading zeros"),
        ({"id": [1, "1", 2, 3]}, "type"),
        ({"school": ["Ash", "ash ", "B", "B"]}, "case"),
    ],
)
def test_contradictions_are_refused(df: pd.DataFrame, change: dict[str, Any], message: str) -> None:
    with pytest.raises(CollabSurveyError, match=message):
        cs.from_frame(df.assign(**change), **PLAN)


@pytest.mark.parametrize(
    "change",
    [
        {"roles": {"teacher": "id"}},
        {"roles": {"cluster": "nope"}},
        {"scales": {"s": ["a", "nope"]}},
        {"reverse_keyed": ["nope"]},
        {"response_range": (5, 1)},
        {"missing_codes": (3,)},
        {"repair": {"duplicate": "first"}},
        {"scales": None},
        {"scales": {}},
        {"columns": {"a": "a", "zz": "b"}},
    ],
)
def test_options_are_checked(df: pd.DataFrame, change: dict[str, Any]) -> None:
    with pytest.raises(CollabSurveyError) as caught:
        cs.from_frame(df, **{**PLAN, **change})
    assert len(str(caught.value)) > 30


@pytest.mark.parametrize("frame", [None, [1, 2], {"a": [1], "b": [2]}, "answers.csv"])
def test_what_is_no_frame(frame: object) -> None:
    with pytest.raises(CollabSurveyError, match="frame"):
        cs.from_frame(frame, **PLAN)


def test_frames_with_names_that_cannot_be_used(df: pd.DataFrame) -> None:
    for odd in (
        pd.concat([df, df[["a"]]], axis=1),
        pd.concat({"top": df}, axis=1),
        df.rename(columns={"a": 1}),
        df.iloc[:0],
    ):
        with pytest.raises(CollabSurveyError):
            cs.from_frame(odd, **PLAN)


def test_weights_below_nought_are_refused(df: pd.DataFrame) -> None:
    for weights in (-1.0, 0.0, np.nan, "heavy"):
        with pytest.raises(AnswersError, match="weight"):
            cs.from_frame(df.assign(w=weights), **{**PLAN, "roles": {"weight": "w"}})


def test_rows_without_id_are_kept_and_said(df: pd.DataFrame) -> None:
    answers = cs.from_frame(df.assign(id=["p1", None, None, "p4"]), **PLAN)
    assert answers.n_rows == 4
    lines = answers.ledger.to_frame().set_index("column")
    assert lines.loc["id", "n"] == 2
    assert adds_up(answers)


def test_repairs_are_lines_of_the_ledger(df: pd.DataFrame) -> None:
    messy = pd.concat([df, df.iloc[[0]].assign(a=np.nan)]).assign(b=[5, 4, 3, 9, 5])
    answers = cs.from_frame(
        messy,
        repair={"duplicates": {"keep": "most_complete"}, "out_of_range": "missing"},
        **PLAN,
    )
    assert answers.n_rows == 4
    assert answers.ledger.n_dropped() == 1
    assert answers.frame["a"].notna().all()
    assert answers.frame["b"].isna().sum() == 1
    assert adds_up(answers)


def test_partner_columns_are_read_long(engine: Engine) -> None:
    wide = pd.DataFrame(
        {"id": [1, 2], "aN": [1, 5], "aS": [2, None], "bN": [3, 4], "bS": [4, None]}
    )
    answers = cs.from_frame(
        engine(wide),
        scales={"s": ["a", "b"]},
        response_range=(1, 5),
        roles={"respondent": "id"},
        columns={"a": {"North": "aN", "South": "aS"}, "b": {"North": "bN", "South": "bS"}},
    )
    assert answers.n_respondents == 2
    assert answers.roles["partner"] == "partner"
    long = engine.pandas(answers.frame).sort_values(["id", "partner"])
    assert long[["id", "partner", "a", "b"]].to_numpy().tolist() == [
        [1, "North", 1, 3],
        [1, "South", 2, 4],
        [2, "North", 5, 4],
    ]
    assert adds_up(answers)
    back = engine.pandas(answers.wide(by="partner")).sort_values("id")
    np.testing.assert_array_equal(back["a_South"], [2, np.nan])


# --- several parts ------------------------------------------------------------------------------


def test_concat_and_wide(engine: Engine, df: pd.DataFrame) -> None:
    roles = {**PLAN["roles"], "wave": "wave"}
    waves = [
        cs.from_frame(engine(df.assign(wave=wave, a=value)), **{**PLAN, "roles": roles})
        for wave, value in ((1, 2), (2, 5))
    ]
    both = cs.concat(waves)
    assert (both.n_rows, both.n_respondents) == (8, 4)
    assert adds_up(both)
    wide = engine.pandas(both.wide(by="wave")).sort_values("id")
    assert wide["id"].tolist() == df["id"].tolist()
    assert (wide["a_1"] == 2).all()
    assert (wide["a_2"] == 5).all()
    assert wide["b_2"].tolist() == df["b"].tolist()


def test_wide_leaves_absent_waves_missing(df: pd.DataFrame) -> None:
    roles = {**PLAN["roles"], "wave": "wave"}
    frame = pd.concat([df.assign(wave=1), df.head(2).assign(wave=2)])
    wide = cs.from_frame(frame, **{**PLAN, "roles": roles}).wide(by="wave").set_index("id")
    assert wide.loc["p1", "a_2"] == 1
    assert wide.loc[["p3", "p4"], "a_2"].isna().all()


def test_concat_refuses_doubt(df: pd.DataFrame) -> None:
    one = cs.from_frame(df, **PLAN)
    other = cs.from_frame(df.assign(id=range(4)), **PLAN)
    for parts in ([one, one], [one, other], []):
        with pytest.raises(CollabSurveyError):
            cs.concat(parts)
    with pytest.raises(CollabSurveyError, match="wave"):
        one.wide(by="wave")


# --- files --------------------------------------------------------------------------------------

FILES = {
    "plain": TEXT.encode(),
    "bom, crlf": ("\ufeff" + TEXT.replace("\n", "\r\n")).encode(),
    "windows-1252, semicolon": TEXT.replace(",", ";").encode("cp1252"),
    "utf-16, tab": TEXT.replace(",", "\t").encode("utf-16"),
    "pipe": TEXT.replace(",", "|").encode(),
    "quoted": TEXT.replace("Öst – £", '"Öst – £"').encode(),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_many_makes(tmp_path: Path, name: str) -> None:
    answers = cs.read_responses(written(tmp_path, FILES[name]), **PLAN)
    assert answers.frame["id"].tolist() == ["001", "002", "003"]
    assert answers.frame["school"].tolist() == ["Ash", "Ash", "Öst – £"]
    np.testing.assert_array_equal(answers.frame["a"], [1, 3, 5])
    np.testing.assert_array_equal(answers.frame["b"], [2, 4, np.nan])
    assert adds_up(answers)


def test_decimal_commas(tmp_path: Path) -> None:
    text = "id;school;a;b;w\n1;x;1,5;2;0,25\n2;x;3;4;1,75\n"
    roles = {**PLAN["roles"], "weight": "w"}
    answers = cs.read_responses(written(tmp_path, text), **{**PLAN, "roles": roles})
    assert answers.frame["a"].tolist() == [1.5, 3]
    assert answers.frame["w"].tolist() == [0.25, 1.75]


def test_parquet_keeps_types(tmp_path: Path, df: pd.DataFrame) -> None:
    path = tmp_path / "answers.parquet"
    df.to_parquet(path)
    answers = cs.read_responses(path, **PLAN)
    assert answers.frame["id"].tolist() == df["id"].tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"id,school,a,b\n", "no rows"),
        (b"PK\x03\x04" + bytes(100), "zip"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "picture"),
        (b"%PDF-1.4\n", "PDF"),
        (b"<html><body>Log in</body></html>", "web page"),
        (bytes(range(256)) * 4, "binary"),
        (b"id,school,a,a\n1,x,1,2\n", "more than one column"),
        (b"id,school,a,b\n1,x,1\n2,x,1,2,3\n", "Line 2"),
        (b'id,school,a,b\n1,x,1,2\n2,x,"1', "cut off"),
        (b"id,school,a,b\n1,x,n/a,2\n", "'n/a'"),
        (b"id,school,a,b\n1,x,7,2\n", "not possible"),
        (b"id,school,a,b\n1.0,x,1,2\n1,x,2,2\n", "several ways"),
    ],
)
def test_bad_files_get_a_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(CollabSurveyError, match=message):
        cs.read_responses(written(tmp_path, content), **PLAN)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nope.csv", tmp_path):
        with pytest.raises(CollabSurveyError, match=path.name):
            cs.read_responses(path, **PLAN)
    good = written(tmp_path, TEXT)
    for options in ({"platform": "nope"}, {"encoding": "nope"}, {"delimiter": "|"}):
        with pytest.raises(CollabSurveyError):
            cs.read_responses(good, **options, **PLAN)  # type: ignore[arg-type]


def test_mapped_columns_and_labels(tmp_path: Path) -> None:
    trust = cs.load_instrument("trust")
    scale = trust.scale("tru.invest.people")
    labels = ["Strongly agree", "agree", "Disagree", "Neither agree nor disagree"]
    text = "who," + ",".join(f"Q{i}" for i in range(4)) + "\nx1," + ",".join(labels) + "\n"
    answers = cs.read_responses(
        written(tmp_path, text),
        instrument=trust,
        items="present",
        columns={item: f"Q{i}" for i, item in enumerate(scale.items)},
        roles={"respondent": "who"},
    )
    assert answers.frame[list(scale.items)].iloc[0].tolist() == [5, 4, 2, 3]


def test_ids_out_of_a_pattern(tmp_path: Path) -> None:
    text = "id,school,a,b\n_12_1,x,1,2\n_07_1,x,3,4\n"
    answers = cs.read_responses(
        written(tmp_path, text), repair={"ids": {"pattern": r"^_(\d+)_1$"}}, **PLAN
    )
    assert answers.frame["id"].tolist() == ["12", "07"]
    assert "repair" in answers.ledger.to_frame()["step"].tolist()
