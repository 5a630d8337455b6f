"""Which platform a file is of: found, named, named wrongly; mixed and damaged files."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from collabsurvey.errors import (
    AnswersError,
    CollabSurveyError,
    DataError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses import read_responses
from collabsurvey.responses.platforms.detect import find_platform
from collabsurvey.responses.platforms.reading import read_export

Make = Callable[..., Instrument]
Write = Callable[..., Path]
IMPORT_IDS = (
    '"{""ImportId"":""_recordId""}","{""ImportId"":""finished""}","{""ImportId"":""QID1""}"'
)
FILES = {
    "qualtrics": "ResponseId,Finished,q_1\nResponse ID,Finished,What?\n"
    f"{IMPORT_IDS}\nR_1,1,4\nR_2,1,5\n",
    "limesurvey": "id,submitdate,lastpage,startlanguage,q1\n1,x,2,en,4\n2,,2,en,5\n",
    "redcap": "record_id,redcap_event_name,q_1,form_complete\n1,a,4,2\n2,a,5,2\n",
    "surveymonkey": "Respondent ID,Collector ID,q.1\n,,Response\n1,7,4\n2,7,5\n",
    "microsoft_forms": "ID,Start time,Completion time,q.1\n1,a,b,4\n2,a,b,5\n",
    "google_forms": "Timestamp,q.1\n01/02/2026 10:00:00,4\n01/02/2026 10:01:00,5\n",
    "csv": "who,q.1\na,4\nb,5\n",
}


@pytest.mark.parametrize("platform", FILES)
def test_platform_is_found_or_named(instrument_of: Make, write: Write, platform: str) -> None:
    path = write(FILES[platform])
    assert read_export(path).platform == platform
    for named in (None, platform):
        found = read_responses(path, instrument=instrument_of(["q.1"]), platform=named)
        assert found.frame["q.1"].tolist() == [4.0, 5.0]
        n_read = [line.n for line in found.ledger if line.step == "read" and line.unit == "rows"]
        assert n_read == [2]
        assert all(line.source == "answers.csv" for line in found.ledger)


@pytest.mark.parametrize("platform", [one for one in FILES if one != "csv"])
@pytest.mark.parametrize("named", [one for one in FILES if one != "csv"])
def test_wrong_platform_named(instrument_of: Make, write: Write, platform: str, named: str) -> None:
    if named == platform:
        return
    with pytest.raises(DataError, match=f"platform='{named}' was said, but answers.csv looks like"):
        read_responses(write(FILES[platform]), instrument=instrument_of(["q.1"]), platform=named)


@pytest.mark.parametrize("named", [one for one in FILES if one != "csv"])
def test_plain_table_named_as_a_platform(instrument_of: Make, write: Write, named: str) -> None:
    path = write("who,q.1\na,4\nb,5\n")
    if named == "redcap":  # any table with an id may be one
        assert read_responses(path, instrument=instrument_of(["q.1"]), platform=named).n_rows == 2
        return
    with pytest.raises(DataError, match="Leave platform out"):
        read_responses(path, instrument=instrument_of(["q.1"]), platform=named)


def test_said_to_be_plain(instrument_of: Make, write: Write) -> None:
    path = write(FILES["limesurvey"])
    found = read_responses(path, instrument=instrument_of(["q.1"]), platform="csv")
    assert found.frame["q.1"].tolist() == [4.0, 5.0]
    assert not any("read as an export" in line.what for line in found.ledger)


def test_options_of_another_platform(instrument_of: Make, write: Write) -> None:
    path = write(FILES["csv"])
    instrument = instrument_of(["q.1"])
    with pytest.raises(UnknownNameError, match="Did you mean 'limesurvey'"):
        read_responses(path, instrument=instrument, platform="lime survey")
    with pytest.raises(OptionError, match="only exports of Qualtrics, LimeSurvey, REDCap have one"):
        read_responses(path, instrument=instrument, definition="survey.qsf")
    with pytest.raises(OptionError, match="the file is no workbook"):
        read_responses(path, instrument=instrument, sheet="Sheet1")
    with pytest.raises(DataError, match="is read as SPSS by its ending"):
        read_responses(path, instrument=instrument, platform="spss")
    with pytest.raises(NotSupportedError, match="old Excel workbooks"):
        read_responses(write(FILES["csv"], "answers.xls"), instrument=instrument)
    with pytest.raises(DataError, match="There is no file"):
        read_responses("nowhere.sav", instrument=instrument)
    with pytest.raises(OptionError, match="delimiter=';;'"):
        read_responses(path, instrument=instrument, delimiter=";;")


def test_headers_of_one_platform_with_answers_of_another(instrument_of: Make, write: Write) -> None:
    text = FILES["qualtrics"].replace("R_1,1,4", "R_1,1,A4").replace("R_2,1,5", "R_2,1,N/A")
    with pytest.raises(AnswersError, match=r"none of the options: 'A4' \(1\), 'N/A' \(1\)"):
        read_responses(write(text), instrument=instrument_of(["q.1"]))
    glued = FILES["limesurvey"] + FILES["qualtrics"]
    with pytest.raises(AnswersError, match="has 3 cells, the header has 5"):
        read_responses(write(glued), instrument=instrument_of(["q.1"]))


def test_empty_tables_are_no_platform() -> None:
    assert find_platform([]).platform == "csv"
    assert find_platform([[""]]).platform == "csv"
    assert find_platform([["a"], []]).platform == "csv"


@pytest.mark.parametrize("platform", FILES)
def test_damaged_files_give_sentences(instrument_of: Make, write: Write, platform: str) -> None:
    """Bytes cut, doubled, swapped and replaced: read, or refused in words."""
    rng = random.Random(platform)
    instrument = instrument_of(["q.1"])
    marks = [
        b'"',
        b",",
        b";",
        b"\n",
        b"\x00",
        b"\xff",
        b"{",
        b"ImportId",
        b"\xe2\x80\x99",
        b"-99",
        b"N/A",
    ]
    for _ in range(60):
        raw = bytearray(FILES[platform].encode())
        for _ in range(rng.randint(1, 4)):
            at, kind = rng.randrange(len(raw) + 1), rng.randrange(4)
            if kind == 0:
                del raw[at : at + rng.randint(1, 12)]
            elif kind == 1:
                raw[at:at] = rng.choice(marks)
            elif kind == 2:
                raw[at:at] = raw[max(0, at - 20) : at]
            else:
                del raw[at:]
            if not raw:
                raw = bytearray(b"a")
        path = write(bytes(raw))
        for named in (None, platform):
            try:
                read_responses(path, instrument=instrument, platform=named)
            except CollabSurveyError as error:
                assert str(error).strip()
