"""Files: encodings, delimiters, what is no table, and the sentence each fault gives."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collabsurvey.errors import (
    AnswersError,
    CollabSurveyError,
    DataError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.instruments import load_instrument
from collabsurvey.responses import Responses, read_column_map, read_responses, read_table

TEXT = "who,school,q1,q2\n007,Zürich,1,5\n08,Genève,2,\n"
SCALES = {"s": ["q1", "q2"]}


def write(folder: Path, content: str | bytes, name: str = "staff.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(path: Path, **options: Any) -> list[list[str | None]]:
    frame, _ = read_table(path, **options)
    plain = frame.astype(object).where(frame.notna(), None)
    return plain.to_numpy().tolist()


EXPECTED = [["007", "Zürich", "1", "5"], ["08", "Genève", "2", None]]


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8,"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("utf-32", "utf-32"),
        ("cp1252", "cp1252"),
    ],
)
def test_encoding_is_found(tmp_path: Path, encoding: str, found: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path = write(tmp_path, (mark + TEXT).encode(encoding))
    assert rows(path) == EXPECTED
    _, lines = read_table(path)
    assert f"text in {found}" in lines[0].what
    assert ("say encoding" in lines[0].what) is (encoding == "cp1252")


def test_encoding_may_be_stated(tmp_path: Path) -> None:
    path = write(tmp_path, "who;q\n1;Ł\n".encode("cp1250"))
    assert rows(path, encoding="cp1250") == [["1", "Ł"]]
    with pytest.raises(DataError, match="is not text in the encoding utf-8"):
        read_table(path, encoding="utf-8")
    with pytest.raises(OptionError, match="encoding='klingon'"):
        read_table(path, encoding="klingon")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_delimiter_and_line_ends_are_found(tmp_path: Path, delimiter: str, end: str) -> None:
    path = write(tmp_path, TEXT.replace(",", delimiter).replace("\n", end))
    assert rows(path) == EXPECTED


def test_quoted_cells_may_hold_delimiters_and_lines(tmp_path: Path) -> None:
    text = 'who;"Do you, or your team; agree?";q2\n1;"yes; we\ndo";"say ""so"""\n2;1,5;2,5\n'
    frame, _ = read_table(write(tmp_path, text))
    assert list(frame.columns) == ["who", "Do you, or your team; agree?", "q2"]
    assert frame.to_numpy().tolist() == [["1", "yes; we\ndo", 'say "so"'], ["2", "1,5", "2,5"]]


def test_excel_line_that_states_the_delimiter(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "sep=;\r\na;b\r\n1,2;3\r\n")) == [["1,2", "3"]]


def test_words_for_missing_stay_words(tmp_path: Path) -> None:
    path = write(tmp_path, 'a,b\nNA,N/A\nNone,null\n"",nan\n')
    assert rows(path) == [["NA", "N/A"], ["None", "null"], [None, "nan"]]


def test_columns_without_a_name(tmp_path: Path) -> None:
    frame, lines = read_table(write(tmp_path, ",a,b,\n1,2,3,\n2,3,4,\n"))
    assert list(frame.columns) == ["unnamed_1", "a", "b"]
    assert [(x.step, x.n, x.unit) for x in lines[1:]] == [
        ("drop", 1, "columns"),
        ("rename", 1, "columns"),
    ]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "\na,b\n\n1,2\n\n")) == [["1", "2"]]


def xlsx(folder: Path) -> Path:
    path = folder / "staff.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return path


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "staff.csv is empty"),
        (b"\r\n  \n", "staff.csv is empty"),
        (b"PK\x03\x04abc", "is a zip archive, not a CSV table. Export the answers as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an old Excel or Word file"),
        (b"%PDF-1.7\n", "is a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "is a picture"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), r"is a compressed \(gzip\) file"),
        (b"PAR1....PAR1", "is a Parquet file, not a CSV table. Give its name the ending .parquet"),
        (b"$FL2@(#) SPSS", "is an SPSS file"),
        (b"<!DOCTYPE html><html><body>Log in", "is a web page, not a CSV table"),
        (b"<?xml version='1.0'?><a/>", "is an XML document"),
        (json.dumps([{"a": 1}]).encode(), "is a JSON document"),
        (b"a,b\n\x00\x01,\x02\n", "holds binary data"),
        (b"\x00\x01\x02\xff\xfe\x99" * 40, "holds binary data"),
        (b"Dear colleague\nplease answer\n", "does not look like a table"),
        (b"who,q1\n", "has a header but no rows"),
        (b"a,b,b,a\n1,2,3,4\n", "more than one column named 'a', 'b'"),
        (b'a,b\n1,"x" y\n', "line 2 has text after a closing quotation mark"),
        (b'a,b,"c', "opens on line 1 is never closed"),
        (b'a,b\n1,"x\n2,3\n4,5\n', "opens on line 2 is never closed"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else re.sub(r"\W+", " ", value)[:30],
)
def test_what_is_no_table_says_what_it_is(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_table(write(tmp_path, content))


def test_office_document_with_a_csv_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is an Excel workbook or another Office document"):
        read_table(xlsx(tmp_path))


@pytest.mark.parametrize("ending", [".xlsx", ".XLS", ".sav", ".dta", ".ods"])
def test_other_formats_are_refused_by_name(tmp_path: Path, ending: str) -> None:
    with pytest.raises(NotSupportedError, match=r"Save the answers as CSV \(UTF-8\)"):
        read_table(write(tmp_path, "a,b\n1,2\n", f"staff{ending}"))


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    write(tmp_path, TEXT, "Staff.csv")
    with pytest.raises(
        DataError, match=r"There is no file .*staff\.csv\. Did you mean 'Staff\.csv'"
    ):
        read_table(tmp_path / "staff.csv")
    with pytest.raises(DataError, match="There is no file .* Check the path"):
        read_table(tmp_path / "nowhere" / "else.csv")
    with pytest.raises(DataError, match="is a folder. Name the file in it"):
        read_table(tmp_path)


def test_two_possible_delimiters_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b;c\n1,2;3\n")
    with pytest.raises(DataError, match="divided by comma and semicolon alike"):
        read_table(path)
    assert rows(path, delimiter=";") == [["1,2", "3"]]


def test_one_column_is_read_where_the_delimiter_is_stated(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "school\nA\nB\n"), delimiter=",") == [["A"], ["B"]]


def test_ragged_lines_are_named_with_their_numbers(tmp_path: Path) -> None:
    text = 'a,b\n1,"x\ny"\n3\n4,5,6\n7,8\n'
    with pytest.raises(AnswersError) as error:
        read_table(write(tmp_path, text))
    assert "Line 4 has 1 cell, the header has 2." in str(error.value)
    assert "Line 5 has 3 cells, the header has 2." in str(error.value)


def test_many_ragged_lines_are_counted(tmp_path: Path) -> None:
    with pytest.raises(AnswersError, match="3 more lines have too few or too many cells"):
        read_table(write(tmp_path, "a,b\n" + "1\n" * 8 + "1,2\n" * 20))


@pytest.mark.parametrize("text", ["a,b\n1,2\n3", 'a,b\n1,2\n3,"x'], ids=["short", "quoted"])
def test_cut_off_last_line(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match="stops in the middle of line 3.*'truncated': 'drop'"):
        read_table(path)
    frame, lines = read_table(path, drop_truncated=True)
    assert len(frame) == 1
    assert [(x.step, x.n) for x in lines] == [("read", 2), ("drop", 1)]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    df = pd.DataFrame({"who": pd.array([2**60 + 1, None], dtype="Int64"), "q1": [1, 2]})
    df.to_parquet(tmp_path / "staff.parquet")
    frame, lines = read_table(tmp_path / "staff.parquet")
    assert frame["who"][0] == 2**60 + 1
    assert lines[0].n == 2
    responses = read_responses(tmp_path / "staff.parquet", scales={"s": ["q1"]})
    assert responses.frame["q1"].tolist() == [1.0, 2.0]


def test_damaged_and_empty_parquet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as a Parquet file"):
        read_table(write(tmp_path, b"PAR1 and no more", "staff.parquet"))
    pd.DataFrame({"a": pd.Series([], dtype=float)}).to_parquet(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="has columns but no rows"):
        read_table(tmp_path / "none.parquet")


def test_responses_from_a_file(tmp_path: Path) -> None:
    responses = read_responses(
        write(tmp_path, TEXT),
        scales=SCALES,
        response_range=(1, 5),
        roles={"respondent": "who", "cluster": "school"},
        constants={"wave": 1},
    )
    assert responses.frame["who"].tolist() == ["007", "08"]
    assert responses.frame["q1"].tolist() == [1.0, 2.0]
    assert responses.frame[responses.roles["wave"]].tolist() == [1, 1]
    assert [line.source for line in responses.ledger] == ["staff.csv"] * len(responses.ledger)
    assert [line.n for line in responses.ledger if line.step == "read"] == [2]


def test_weights_written_as_text_are_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "q1;w\n1;1,5\n2;0,5\n")
    responses = read_responses(path, scales={"s": ["q1"]}, roles={"weight": "w"})
    assert responses.frame["w"].tolist() == [1.5, 0.5]


def test_columns_from_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, "who,n,s,z\na,1,2,3\nb,,4,5\n")
    places = write(tmp_path, "item,column,partner\nq1,n,North\nq1,s,South\nq2,z,\n", "columns.csv")
    assert read_column_map(places) == {"q1": {"North": "n", "South": "s"}, "q2": "z"}
    responses = read_responses(path, scales=SCALES, roles={"respondent": "who"}, columns=places)
    assert responses.n_rows == 5
    assert responses.key_roles == ("respondent", "partner")


def test_faults_of_a_column_file_come_together(tmp_path: Path) -> None:
    path = write(tmp_path, "item,column\nq1,a\nq1,b\nq2,\n", "columns.csv")
    with pytest.raises(AnswersError) as error:
        read_column_map(path)
    assert "Row 2: 'q1' is mapped already." in str(error.value)
    assert "Row 3 has no item or no column." in str(error.value)
    with pytest.raises(AnswersError, match="It has no column 'item'"):
        read_column_map(write(tmp_path, TEXT))


def test_options_that_cannot_be(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT)
    with pytest.raises(UnknownNameError, match="Did you mean 'qualtrics'"):
        read_responses(path, scales=SCALES, platform="qualtric")
    with pytest.raises(OptionError, match="constants='wafe'"):
        read_responses(path, scales=SCALES, constants={"wafe": 1})
    with pytest.raises(OptionError, match=r"a role without a column; roles\['cluster'\] is set"):
        read_responses(path, scales=SCALES, roles={"cluster": "school"}, constants={"cluster": "A"})
    with pytest.raises(UnknownNameError, match="Did you mean 'duplicates'"):
        read_responses(path, scales=SCALES, repair={"duplicate": {"keep": "first"}})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 6), st.binary(max_size=6)), max_size=4
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
)
def test_no_bytes_give_anything_but_answers_or_our_errors(
    tmp_path: Path, cuts: list[tuple[int, int, bytes]], encoding: str
) -> None:
    content = TEXT.encode(encoding)
    for start, length, other in cuts:
        content = content[:start] + other + content[start + length :]
    try:
        responses = read_responses(
            write(tmp_path, content), scales=SCALES, response_range=(1, 5), items="present"
        )
    except CollabSurveyError as error:
        assert len(str(error)) > 20
    else:
        assert isinstance(responses, Responses)
        read = sum(line.n for line in responses.ledger if line.what.startswith("rows read"))
        assert read == responses.n_rows + responses.ledger.n_dropped()


def test_invisible_blanks_in_a_header_can_be_typed(tmp_path: Path) -> None:
    path = tmp_path / "forms.csv"
    path.write_text("ID,How\u00a0likely\u200b is it? \n1,4\n2,5\n", encoding="utf-8")
    table, _ = read_table(path)
    assert list(table.columns) == ["ID", "How likely is it?"]


def test_faults_name_the_file_and_several_instruments_are_read(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    instruments = [load_instrument("trust"), load_instrument("culture")]
    path.write_text("tru.expect.01,cul.gap.01\n50,9\n", encoding="utf-8")
    with pytest.raises(AnswersError, match=r"^answers.csv has 1 fault:\n  - Item 'cul.gap.01'"):
        read_responses(path, instrument=instruments, items="present")
    path.write_text("tru.expect.01,cul.gap.01\n50,4\n", encoding="utf-8")
    both = read_responses(
        path, instrument=instruments, slots={"partner": "Dale School"}, items="present"
    )
    text = (both.instrument.item("tru.expect.01").text or {})["en-GB"]
    assert "Dale School" in text
