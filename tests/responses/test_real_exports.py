"""Real exports, where COLLABSURVEY_DATA says where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collabsurvey.errors import AnswersError, DataError, NotSupportedError
from collabsurvey.moments import item_moments
from collabsurvey.responses import Responses, numbers_from_text, read_responses, read_table
from collabsurvey.responses.encoding import decode

MOTIVATION = [f"Q1MaincellgroupRow{i}" for i in range(1, 11)]
ROLES = {"respondent": "opdata_username", "cluster": "opdata_CourseID"}
IDS = {"pattern": r"^_(\d+)_1$"}


@pytest.fixture
def courses(real_data: Path) -> Path:
    return real_data / "online-science-courses" / "pre_survey.csv"


def motivation(path: Path, **options: Any) -> Responses:
    return read_responses(path, scales={"m": MOTIVATION}, response_range=(1, 5), **options)


@pytest.mark.parametrize(
    ("reverse_keyed", "alpha"), [((), 0.675), ((MOTIVATION[3], MOTIVATION[6]), 0.883)]
)
def test_alpha_of_the_course_survey(
    courses: Path, reverse_keyed: tuple[str, ...], alpha: float
) -> None:
    moments = item_moments(motivation(courses, reverse_keyed=reverse_keyed), "m")
    k = len(MOTIVATION)
    found = k / (k - 1) * (1 - np.trace(moments.cov) / moments.cov.sum())
    assert moments.n_respondents == 870
    assert found == pytest.approx(alpha, abs=5e-4)  # the digits of the folder's README


def test_course_survey_says_what_must_be_repaired(courses: Path) -> None:
    with pytest.raises(AnswersError, match=r"2 ids that do not fit.*@X@user\.pk_string@X@"):
        motivation(courses, roles=ROLES, repair={"ids": IDS})
    with pytest.raises(AnswersError, match=r"keys \(respondent × cluster\) occur more than once"):
        motivation(
            courses, roles=ROLES, repair={"ids": {**IDS, "unmatched": "drop"}}, key=["cluster"]
        )


def test_course_survey_is_repaired_and_accounted_for(courses: Path) -> None:
    responses = motivation(
        courses,
        roles=ROLES,
        key=["cluster"],
        repair={
            "ids": {**IDS, "unmatched": "drop"},
            "duplicates": {"keep": "most_complete"},
            "empty_rows": "drop",
        },
    )
    who = responses.frame["opdata_username"].dropna()
    assert who.str.fullmatch(r"\d+").all()
    assert responses.n_rows == 1102 - responses.ledger.n_dropped()
    pairs = responses.frame.dropna(subset=["opdata_username"])
    assert not pairs.duplicated(list(ROLES.values())).any()


def test_poll_in_windows_1252(real_data: Path) -> None:
    path = real_data / "survey-exports" / "surveymonkey" / "thanksgiving.csv"
    text, encoding = decode(path.read_bytes(), name=path.name)
    assert encoding == "cp1252"
    assert "\ufffd" not in text
    with pytest.raises(DataError, match="more than one column named .*…'.* Rename them"):
        read_table(path)


def test_truncated_table_is_not_swallowed(real_data: Path) -> None:
    path = real_data / "nyc-schools-2011" / "survey_all.txt"
    with pytest.raises(DataError, match=r"survey_all\.txt stops in the middle of line 456"):
        read_table(path)
    frame, lines = read_table(path, drop_truncated=True)
    assert frame.shape == (454, 1942)
    assert (lines[0].n, lines[1].step, lines[1].n) == (455, "drop", 1)
    assert frame.columns[0] == "dbn"
    assert (frame == "NA").any(axis=None)


def test_old_workbook_is_refused(real_data: Path) -> None:
    with pytest.raises(NotSupportedError, match="Reading Excel workbooks"):
        read_table(real_data / "nyc-schools-2011" / "survey_data_dictionary.xls")


def test_percentages_and_money_of_the_school_explorer(real_data: Path) -> None:
    frame, _ = read_table(real_data / "nyc-school-explorer-2016" / "school_explorer_2016.csv")
    trust, lines = numbers_from_text(frame["Trust %"], missing=["N/A"])
    assert trust.isna().sum() == 25
    assert trust.dropna().between(0, 100).all()
    assert sum(line.n for line in lines) == 1272
    income, _ = numbers_from_text(frame["School Income Estimate"], missing=["N/A", "NA"])
    assert 31141.72 in income.tolist()
    with pytest.raises(AnswersError, match=r"not numbers: 'N/A' \(rows "):
        numbers_from_text(frame["Trust %"])


def test_suppressed_cells_of_the_graduation_table(real_data: Path) -> None:
    frame, _ = read_table(real_data / "nyc-schools-2011" / "graduation_2005_2015.csv")
    column = next(name for name in frame.columns if "%" in name)
    rates, lines = numbers_from_text(frame[column], missing=["s"])
    suppressed = [line.n for line in lines if line.step == "missing"]
    assert rates.isna().sum() == sum(suppressed) + frame[column].isna().sum()
    assert suppressed
