"""Eligible staff, school membership with dates, and changed identifiers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from collabsurvey.errors import AnswersError, DataError, OptionError
from collabsurvey.responses import from_frame
from collabsurvey.responses.memberships import (
    link_schools,
    read_eligible_staff,
    read_memberships,
    read_successors,
)

Write = Callable[..., Path]
COLUMNS = {"school": "urn", "partnership": "group", "start": "from", "end": "to"}
GROUPS = (
    "urn,group,from,to\n"
    "100,North,2024-09-01,2025-08-31\n100,South,2025-09-01,\n"
    "200,North,,\n300,South,2024,2024-12\n"
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str, name: str = "table.csv") -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return to_file


def test_membership_on_a_day_and_in_waves(write: Write) -> None:
    groups = read_memberships(write(GROUPS), columns=COLUMNS)
    before, after = groups.on("2025-08-31"), groups.on(dt.date(2025, 9, 1))
    assert dict(zip(before["school"], before["partnership"], strict=True)) == {
        "100": "North", "200": "North",
    }  # fmt: skip
    assert dict(zip(after["school"], after["partnership"], strict=True)) == {
        "100": "South", "200": "North",
    }  # fmt: skip
    assert set(groups.on("2024-12-31")["school"]) == {"100", "200", "300"}
    waves = groups.at_waves({1: "2024-10-15", 2: "2025-10-14"})
    assert list(waves.columns) == ["school", "wave", "partnership", "weight"]
    moved = waves[waves["school"] == "100"].set_index("wave")["partnership"]
    assert moved.to_dict() == {1: "North", 2: "South"}
    assert groups.frame["start"].isna().sum() == 1
    for day in ("2025", "1/9/2025"):
        with pytest.raises(OptionError, match="a day such as"):
            groups.on(day)
    with pytest.raises(OptionError, match="days="):
        groups.at_waves({})


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            "1,A,2024-01-01,2024-12-31\n1,B,2024-06-01,\n",
            "in 'A' and in 'B' on 2024-06-01",
        ),
        ("1,A,2024-01-01,2024-06-01\n1,B,2024-06-01,\n", "let the first end a day earlier"),
        ("1,A,,\n1,B,,\n", "School '1' is in 'A' and in 'B' at one time"),
        ("1,A,2024,2024\n1,A,2024-05,\n", "School '1' is in 'A' twice on 2024-05-01"),
        ("1,A,2024-05-02,2024-05-01\n", "end before they start: row 1"),
        ("1,A,01/02/2024,\n", "dates that cannot be read: '01/02/2024' .row 1."),
        ("1,A,2024-02-30,\n", "dates that cannot be read"),
        (",A,,\n1,,,\n", "Column 'urn' is empty in row 1"),
        ("07,A,,\n7,B,,\n", "writes an identifier in several ways: '07' and '7'"),
    ],
)
def test_faulty_memberships(write: Write, rows: str, sentence: str) -> None:
    with pytest.raises(AnswersError, match=sentence):
        read_memberships(write("urn,group,from,to\n" + rows), columns=COLUMNS)


def test_dates_in_the_way_of_a_country(write: Write) -> None:
    path = write("urn,group,from,to\n1,A,01/02/2024,29/02/2024\n")
    found = read_memberships(path, columns=COLUMNS, date_format="%d/%m/%Y")
    assert found.frame["start"].tolist() == [pd.Timestamp("2024-02-01")]
    with pytest.raises(AnswersError, match="do not fit date_format='%Y'"):
        read_memberships(path, columns=COLUMNS, date_format="%Y")


def test_several_partnerships_with_weights(write: Write) -> None:
    columns = {**COLUMNS, "weight": "share"}
    head = "urn,group,from,to,share\n"
    found = read_memberships(
        write(head + "1,A,,,0.6\n1,B,,2024-08-31,0.4\n1,C,2024-09-01,,0.4\n"),
        columns=columns,
        multiple="weights",
    )
    assert found.on("2024-01-01")["weight"].tolist() == [0.6, 0.4]
    assert found.on("2025-01-01")["partnership"].tolist() == ["A", "C"]
    for rows, sentence in (
        ("1,A,,,0.6\n1,B,,,0.3\n", "add up to 0.9, not 1"),
        ("1,A,,,0.6\n1,B,,2024-08-31,0.4\n", "add up to 0.6, not 1 on 2024-09-01"),
        ("1,A,,,2\n", "no weight above 0 and up to 1 in row 1"),
        ("1,A,,,half\n", "not numbers: 'half'"),
    ):
        with pytest.raises(AnswersError, match=sentence):
            read_memberships(write(head + rows), columns=columns, multiple="weights")
    with pytest.raises(OptionError, match="'weights' with a weight column"):
        read_memberships(write(head), columns=columns)


def test_membership_columns_are_checked(write: Write) -> None:
    path = write(GROUPS)
    with pytest.raises(AnswersError, match="It has no column 'school'"):
        read_memberships(path, columns={"school": "school", "partnership": "group"})
    with pytest.raises(OptionError, match="columns="):
        read_memberships(path, columns={"school": "urn"})
    with pytest.raises(OptionError, match="columns='until'"):
        read_memberships(path, columns={**COLUMNS, "until": "to"})


def test_successors_over_several_changes(write: Write) -> None:
    path = write("old,new\n1,10\n10,100\n2,100\n5,6\n")
    found = read_successors(path, columns={"old": "old", "new": "new"})
    assert found.latest == {"1": "100", "10": "100", "2": "100", "5": "6"}
    assert found.current("7") == "7"
    assert found.merged() == {"100": ("1", "10", "2")}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("1,2\n2,3\n3,1\n", "1 → 2 → 3 → 1 lead round in a circle"),
        ("1,1\n", "1 → 1 lead round in a circle"),
        ("1,2\n1,3\n", "'1' has two successors, '2' and '3'"),
        ("1,\n", "Column 'new' is empty in row 1"),
    ],
)
def test_faulty_successors(write: Write, rows: str, sentence: str) -> None:
    with pytest.raises(AnswersError, match=sentence):
        read_successors(write("old,new\n" + rows), columns={"old": "old", "new": "new"})


def test_waves_link_after_a_merger(write: Write) -> None:
    answers = from_frame(
        pd.DataFrame({"urn": ["1", "2", "100", "7"], "wave": [1, 1, 2, 1], "q": [1, 2, 3, 4]}),
        scales={"s": ["q"]},
        roles={"cluster": "urn", "wave": "wave"},
    )
    changes = read_successors(
        write("old,new\n1,100\n2,100\n55,56\n"), columns={"old": "old", "new": "new"}
    )
    linked = link_schools(answers, changes)
    assert linked.frame["urn"].tolist() == ["100", "100", "100", "7"]
    assert answers.frame["urn"].tolist() == ["1", "2", "100", "7"]
    lines = {line.what: line.n for line in linked.ledger}
    assert lines["schools that are one now (1, 100, 2 are 100)"] == 3
    assert lines["'1' written '100'"] == 1
    none = link_schools(
        linked, read_successors(write("old,new\n55,56\n"), columns={"old": "old", "new": "new"})
    )
    assert none.ledger.lines[-1].what == "no school has a new identifier"


def test_eligible_staff(write: Write) -> None:
    path = write("urn,wave,post,staff\n007,1,teacher,20\n007,1,head,1\n008,1,teacher,31\n")
    found = read_eligible_staff(
        path, key={"school": "urn", "wave": "wave", "role": "post"}, count="staff"
    )
    assert list(found.frame.columns) == ["school", "wave", "role", "n_eligible"]
    assert found.frame["school"].tolist() == ["007", "007", "008"]
    assert found.frame["n_eligible"].tolist() == [20.0, 1.0, 31.0]
    with pytest.raises(OptionError, match="key="):
        read_eligible_staff(path, key=["urn"], count="staff")


def test_faulty_eligible_staff(write: Write) -> None:
    path = write("school,staff\n1,20\n1,30\n2,4.5\n3,\n,5\n")
    with pytest.raises(AnswersError) as error:
        read_eligible_staff(path, key=["school"], count="staff")
    faults = "\n".join(error.value.faults)
    assert "1 key (school) that occur more than once: 1." in faults
    assert "no whole number of staff in rows 3, 4" in faults
    assert "Column 'school' is empty in row 5" in faults
    with pytest.raises(AnswersError, match="It has no column 'count'"):
        read_eligible_staff(path, key=["school"], count="count")
    with pytest.raises(DataError, match="There is no file"):
        read_eligible_staff("nowhere.csv", key=["school"], count="staff")


def test_tables_in_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["urn", "group", "from"], [100, "North", dt.datetime(2024, 9, 1)]):
        book.active.append(row)
    book.save(tmp_path / "groups.xlsx")
    columns = {"school": "urn", "partnership": "group", "start": "from"}
    found = read_memberships(tmp_path / "groups.xlsx", columns=columns)
    assert found.frame["school"].tolist() == ["100"]
    assert found.frame["start"].tolist() == [pd.Timestamp("2024-09-01")]
