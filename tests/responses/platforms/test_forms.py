"""Microsoft Forms and Google Forms: questions as headers, several answers in a cell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from collabsurvey.errors import AnswersError, DataError
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses import read_responses

Make = Callable[..., Instrument]
Write = Callable[..., Path]
ITEMS = {"clim.01": "We can bring up problems.", "clim.02": "It is safe to take a risk."}
GOOGLE = (
    '"Timestamp","Your school","How far do you agree? [We can bring up problems.]",'
    '"How far do you agree? [It is safe to take a risk.]","Which subjects?"\n'
    '"2026/01/12 9:05:11 AM GMT","Hill","Agree","Strongly agree","Maths, Art"\n'
    '"2026/01/13 10:05:11 AM GMT","Mill","Disagree","","Art"\n'
)
MICROSOFT = (
    "ID,Start time,Completion time,Email,Name,We can bring up problems.,It is safe to take a risk.,"
    "Points - Quiz\n"
    "1,1/12/26 9:05:11,1/12/26 9:15:11,anonymous,,Agree,Strongly agree;,0\n"
    "2,1/12/26 9:05:11,1/12/26 9:15:11,anonymous,,Disagree,,0\n"
)


@pytest.mark.parametrize(
    ("text", "title"), [(GOOGLE, "Google Forms"), (MICROSOFT, "Microsoft Forms")]
)
def test_tables_of_forms(instrument_of: Make, write: Write, text: str, title: str) -> None:
    found = read_responses(write(text), instrument=instrument_of(ITEMS))
    assert found.frame["clim.01"].tolist() == [4.0, 2.0]
    assert found.frame["clim.02"].tolist()[0] == 5.0
    assert any(f"read as an export of {title}" in line.what for line in found.ledger)


def test_workbook_of_microsoft_forms(instrument_of: Make, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for line in MICROSOFT.splitlines():
        book.active.append(line.split(","))
    book.save(tmp_path / "form.xlsx")
    found = read_responses(tmp_path / "form.xlsx", instrument=instrument_of(ITEMS))
    assert found.frame["clim.01"].tolist() == [4.0, 2.0]
    assert any("read as an export of Microsoft Forms" in line.what for line in found.ledger)


def test_several_answers_in_a_cell(instrument_of: Make, write: Write) -> None:
    path = write(GOOGLE.replace('"Disagree"', '"Disagree, Agree"'))
    with pytest.raises(AnswersError, match="A cell may join several answers, and these items take"):
        read_responses(path, instrument=instrument_of(ITEMS))


def test_a_form_that_is_none(instrument_of: Make, write: Write) -> None:
    for platform in ("google_forms", "microsoft_forms"):
        with pytest.raises(DataError, match="Leave platform out to have it found"):
            read_responses(
                write("who,clim_01,clim_02\na,1,2\n"),
                instrument=instrument_of(ITEMS),
                platform=platform,
            )
