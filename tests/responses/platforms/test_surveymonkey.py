"""SurveyMonkey: two header rows with blanks, one row 'question - option', ids as decimals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from collabsurvey.errors import AnswersError
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses import Responses, read_responses
from collabsurvey.responses.platforms.reading import read_export

Make = Callable[..., Instrument]
Write = Callable[..., Path]
ITEMS = {"clim.01": "We can bring up problems.", "clim.02": "It is safe to take a risk."}
TWO = (
    "Respondent ID,Collector ID,How far do you agree?,{blank},Anything else?\n"
    ",,We can bring up problems.,It is safe to take a risk.,Open-Ended Response\n"
    "118,7,Agree,4. Agree,no\n119,7,Strongly  agree,,=1+1\n"
)
ONE = (
    "RespondentID,CollectorID,How far do you agree? - We can bring up problems.,"
    "How far do you agree? - It is safe to take a risk.,Anything else?\n"
    "118,7,Agree,Agree,no\n119,7,Strongly agree,,x\n"
)
FAVOUR = [
    "Very unfavorably",
    "Somewhat unfavorably",
    "Neither favorably nor unfavorably (neutral)",
    "Somewhat favorably",
    "Very favorably",
]


def said(responses: Responses, step: str) -> dict[str, int]:
    return {line.what: line.n for line in responses.ledger if line.step == step}


@pytest.mark.parametrize(
    "text",
    [TWO.format(blank=""), TWO.format(blank="Unnamed: 3"), ONE],
    ids=["two", "pandas", "one"],
)
def test_header_rows(instrument_of: Make, write: Write, text: str) -> None:
    found = read_responses(write(text), instrument=instrument_of(ITEMS))
    assert found.frame["clim.01"].tolist() == [4.0, 5.0]
    assert found.frame["clim.02"].tolist()[0] == 4.0
    assert list(found.frame.columns)[-1] == "Anything else?"
    assert any("read as an export of SurveyMonkey" in what for what in said(found, "note"))


# --- real polls -----------------------------------------------------------------------------


def test_star_wars(exports: Path, instrument_of: Make) -> None:
    found = read_responses(
        exports / "surveymonkey" / "star_wars.csv",
        instrument=instrument_of(
            {"han": "Han Solo", "luke": "Luke Skywalker", "yoda": "Yoda"},
            FAVOUR,
            missing={-7: "unfamiliar"},
            missing_labels={-7: "Unfamiliar (N/A)"},
        ),
        roles={"respondent": "RespondentID"},
    )
    assert found.n_rows == found.n_respondents == 1186
    assert found.frame["han"].value_counts().to_dict() == {
        5.0: 610, 4.0: 151, 3.0: 44, 2.0: 8, 1.0: 1,
    }  # fmt: skip
    assert found.frame["luke"].value_counts()[5.0] == 552
    assert found.frame["yoda"].value_counts().to_dict() == {
        5.0: 605, 4.0: 144, 3.0: 51, 2.0: 8, 1.0: 8,
    }  # fmt: skip
    gone = {line.column: line.n for line in found.ledger if "unfamiliar" in line.what}
    assert gone == {"han": 15, "luke": 6, "yoda": 10}
    assert found.frame["RespondentID"].iloc[0] == "3292879998"
    assert any("made decimals" in line.what and line.n == 1186 for line in found.ledger)


def test_star_wars_with_options_it_does_not_have(exports: Path, instrument_of: Make) -> None:
    with pytest.raises(AnswersError) as error:
        read_responses(
            exports / "surveymonkey" / "star_wars.csv",
            instrument=instrument_of({"han": "Han Solo"}, FAVOUR),
        )
    assert "Item 'han' has answers that are none of the options: 'Unfamiliar (N/A)' (15)" in str(
        error.value
    )


def test_thanksgiving_in_windows_1252(exports: Path, instrument_of: Make) -> None:
    path = exports / "surveymonkey" / "thanksgiving.csv"
    found = read_responses(
        path,
        instrument=instrument_of(
            {
                "gravy": "Do you typically have gravy?",
                "shop": "Will you shop any Black Friday sales on Thanksgiving Day?",
            },
            ["No", "Yes"],
            kind="nominal",
            first=0,
        ),
    )
    assert found.n_rows == 1058
    assert found.frame["gravy"].value_counts().to_dict() == {1.0: 892, 0.0: 82}
    assert found.frame["shop"].value_counts().to_dict() == {0.0: 727, 1.0: 224}
    assert any("text in cp1252" in line.what for line in found.ledger)
    export = read_export(path)
    assert export.frame.shape == (1058, 65)
    assert sum(column.endswith("(2)") for column in export.frame.columns) == 3
