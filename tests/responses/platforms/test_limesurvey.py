"""LimeSurvey: three kinds of headers, text and codes, not shown, other, structure files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from collabsurvey.errors import AnswersError, DataError
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses import Responses, read_responses
from collabsurvey.responses.platforms.limesurvey_structure import read_structure
from collabsurvey.responses.platforms.reading import read_export

Make = Callable[..., Instrument]
Write = Callable[..., Path]
SATISFIED = ["Very dissatisfied", "Dissatisfied", "Neither/nor", "Satisfied", "Very satisfied"]
REASONS = {-8: "does_not_apply", -9: "refused"}
REASON_LABELS = {-8: "Does not apply", -9: "I don't want to answer this question"}
ITEMS = {"sat.01": "The help you get", "sat.02": "The time you have"}
CODES = "id,submitdate,lastpage,startlanguage,sat01[SQ001],G1[sat02],G1[other]\r\n"
TEXTS = (
    "id. Response ID,submitdate. Date submitted,lastpage. Last page,startlanguage. Start language,"
    "Q[1]. How satisfied are you with: [The help you get],"
    "Q[2]. How satisfied are you with: [The time you have],"
    "Q[other]. How? [Other]\r\n"
)
FULL = (
    "Response ID,Date submitted,Last page,Start language,"
    "How satisfied are you with: [The help you get],"
    "How satisfied are you with: [The time you have],How? [Other]\r\n"
)
ROWS = "1,2026-01-01,3,en,Satisfied,N/A,\r\n2,,1,en,Very satisfied,Dissatisfied,more\r\n\r\n"


def said(responses: Responses, step: str) -> dict[str, int]:
    return {line.what: line.n for line in responses.ledger if line.step == step}


@pytest.mark.parametrize("header", [CODES, TEXTS, FULL], ids=["code", "code and text", "text"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_three_kinds_of_headers(instrument_of: Make, write: Write, header: str, mark: str) -> None:
    header = header.replace("sat01[SQ001]", "sat01")
    found = read_responses(write(mark + header + ROWS), instrument=instrument_of(ITEMS, SATISFIED))
    assert found.frame["sat.01"].tolist() == [4.0, 5.0]
    assert found.frame["sat.02"].tolist()[1] == 2.0
    assert said(found, "missing") == {"'N/A' (question not shown (LimeSurvey)) set to missing": 1}
    assert said(found, "note")["answers never submitted (no submitdate), kept"] == 1


def test_headers_as_they_stand_may_be_named(instrument_of: Make, write: Write) -> None:
    found = read_responses(
        write(TEXTS + ROWS),
        instrument=instrument_of(["x"], SATISFIED),
        columns={"x": "Q[1]. How satisfied are you with: [The help you get]"},
        roles={"respondent": "id. Response ID"},
    )
    assert found.frame["x"].tolist() == [4.0, 5.0]
    assert found.roles["respondent"] == "id"


LSS = """<?xml version="1.0" encoding="UTF-8"?>
<document><LimeSurveyDocType>Survey</LimeSurveyDocType>
<questions><rows>
 <row><qid>1</qid><parent_qid>0</parent_qid><type>F</type><title>G1</title>
  <question>How?</question></row>
 <row><qid>9</qid><parent_qid>0</parent_qid><type>Y</type><title>yes</title>
  <question>Is it?</question></row>
</rows></questions>
<subquestions><rows>
 <row><qid>2</qid><parent_qid>1</parent_qid><title>SQ1</title>
  <question><![CDATA[<p>The help you get</p>]]></question></row>
 <row><qid>3</qid><parent_qid>1</parent_qid><title>SQ2</title>
  <question>The time you have</question></row>
</rows></subquestions>
<answers><rows>
 <row><qid>1</qid><aid>11</aid><code>A1</code><scale_id>0</scale_id></row>
 <row><qid>1</qid><aid>12</aid><code>A2</code><scale_id>0</scale_id></row>
</rows></answers>
<answer_l10ns><rows>
 <row><aid>11</aid><answer>Sehr zufrieden</answer><language>de</language></row>
 <row><aid>11</aid><answer>Very satisfied</answer><language>en</language></row>
 <row><aid>12</aid><answer>Zufrieden</answer><language>de</language></row>
 <row><aid>12</aid><answer>Satisfied</answer><language>en</language></row>
</rows></answer_l10ns>
</document>"""


@pytest.mark.parametrize("answers", [("A1", "A2"), ("Sehr zufrieden", "Zufrieden")])
def test_codes_and_a_second_language(
    instrument_of: Make, write: Write, answers: tuple[str, str]
) -> None:
    header = "id,submitdate,lastpage,startlanguage,G1[SQ1],G1[SQ2],yes\n"
    rows = f"1,d,1,de,{answers[0]},{answers[1]},Y\n2,d,1,de,{answers[1]},{answers[1]},N\n"
    found = read_responses(
        write(header + rows),
        instrument=instrument_of(ITEMS, SATISFIED),
        definition=write(LSS, "survey.lss"),
    )
    assert found.frame["sat.01"].tolist() == [5.0, 4.0]
    assert found.frame["sat.02"].tolist() == [4.0, 4.0]


def test_codes_without_structure_are_not_guessed(instrument_of: Make, write: Write) -> None:
    header = "id,submitdate,lastpage,startlanguage,sat01,sat02\n"
    with pytest.raises(AnswersError) as error:
        read_responses(
            write(header + "1,d,1,en,A1,A2\n2,d,1,en,A2,A2\n"),
            instrument=instrument_of(ITEMS, SATISFIED),
        )
    assert "'A2' (3)" not in str(error.value)
    assert "Item 'sat.01' has answers that are none of the options: 'A1' (1), 'A2' (1)" in str(
        error.value
    )
    assert "definition='survey.lss'" in str(error.value)


def test_names_and_codes_of_our_own_survey(instrument_of: Make, write: Write) -> None:
    """LimeSurvey has no underscore, no minus and twenty characters for a name."""
    header = "id,submitdate,lastpage,startlanguage,sat[01x1],sat[01x2],sat[02]\n"
    found = read_responses(
        write(header + "1,d,1,en,4,n8,5\n2,d,1,en,2,,n9\n"),
        instrument=instrument_of(ITEMS, SATISFIED, missing=REASONS),
        roles={"respondent": "id"},
    )
    by_partner = found.frame.dropna(subset=["sat.01"])
    assert by_partner["partner"].tolist() == ["1", "1"]
    assert by_partner["sat.01"].tolist() == [4.0, 2.0]
    gone = {(line.column, line.what): line.n for line in found.ledger if line.step == "missing"}
    assert gone["sat.01", "code -8 (does_not_apply) set to missing"] == 1
    assert gone["sat.02", "code -9 (refused) set to missing"] == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]><document>&x;</document>', "declares a document type"),
        ("<document><rows>", "is not sound XML"),
        ("<html/>", "holds no survey of LimeSurvey"),
        ("not xml", "is not sound XML"),
        (LSS.replace(">G1<", ">G9<").replace(">yes<", ">no<"), "describes no column"),
    ],
)
def test_structures_that_are_refused(
    instrument_of: Make, write: Write, content: str, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        read_responses(
            write(CODES + ROWS),
            instrument=instrument_of(ITEMS, SATISFIED),
            definition=write(content, "survey.lss"),
        )


def test_dual_scales_are_kept_apart(write: Write) -> None:
    text = LSS.replace("<type>F</type>", "<type>1</type>").replace(
        "<aid>12</aid><code>A2</code><scale_id>0</scale_id>",
        "<aid>12</aid><code>A1</code><scale_id>1</scale_id>",
    )
    structure = read_structure(write(text, "survey.lss"))
    first, second = (structure.at(f"G1[SQ1][{n}]") for n in (1, 2))
    assert first is not None
    assert second is not None
    assert first[1] == {"A1": ("Sehr zufrieden", "Very satisfied")}
    assert second[1] == {"A1": ("Zufrieden", "Satisfied")}


# --- real exports ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["responses_code", "responses_code_and_text"])
def test_full_answers_of_2020(exports: Path, instrument_of: Make, name: str) -> None:
    columns = {"supervision": "C1[SQ001]", "covid": "C1[SQ021]", "ten": "C1[SQ010]"}
    path = exports / "limesurvey" / f"{name}.csv"
    found = read_responses(
        path,
        instrument=instrument_of(
            list(columns), SATISFIED, missing=REASONS, missing_labels=REASON_LABELS
        ),
        columns=columns,
        roles={"respondent": "id"},
    )
    assert found.n_rows == found.n_respondents == 12
    assert found.frame["supervision"].value_counts().to_dict() == {1.0: 5, 5.0: 3, 3.0: 2}
    assert found.frame["covid"].value_counts().to_dict() == {1.0: 4, 3.0: 3, 4.0: 2, 5.0: 1}
    refused = {line.what: line.n for line in found.ledger if line.column == "ten"}
    assert refused["code -9 (refused) set to missing"] == 1  # written with a curly apostrophe
    assert said(found, "note")["answers never submitted (no submitdate), kept"] == 7
    raw = read_export(path).frame
    assert raw.shape == (12, 559)
    assert int((raw == "N/A").sum().sum()) == 1195


def test_not_shown_is_missing(exports: Path, instrument_of: Make) -> None:
    found = read_responses(
        exports / "limesurvey" / "responses_code.csv",
        instrument=instrument_of(["funding"], ["No", "Yes"], kind="nominal", first=0),
        columns={"funding": "B4[SQ001]"},
    )
    assert found.frame["funding"].value_counts().to_dict() == {0.0: 2, 1.0: 1}
    assert said(found, "missing") == {"'N/A' (question not shown (LimeSurvey)) set to missing": 9}


def test_answer_codes_of_2021(exports: Path, instrument_of: Make) -> None:
    folder = exports / "limesurvey"
    columns = {"one": "C1[SQ001]", "two": "C1[SQ002]"}
    instrument = instrument_of(
        list(columns), SATISFIED, missing=REASONS, missing_labels=REASON_LABELS
    )
    found = read_responses(
        folder / "responses_2021_code.csv",
        instrument=instrument,
        columns=columns,
        definition=folder / "survey_structure_2021.xml",
    )
    assert found.n_rows == 36
    assert found.frame["one"].value_counts().to_dict() == {4.0: 11, 5.0: 7, 2.0: 5, 1.0: 2, 3.0: 1}
    reasons = {(x.column, x.what): x.n for x in found.ledger if x.step == "missing"}
    assert reasons["one", "code -9 (refused) set to missing"] == 1
    assert reasons["two", "code -8 (does_not_apply) set to missing"] == 1
    with pytest.raises(AnswersError, match=r"'A2' \(11\)"):
        read_responses(folder / "responses_2021_code.csv", instrument=instrument, columns=columns)


def test_structure_files_agree(exports: Path) -> None:
    folder = exports / "limesurvey"
    by_lss = read_structure(folder / "test_survey_structure.lss")
    by_xml = read_structure(folder / "test_survey_structure.xml")
    for column in ("G1Q1", "G1Q2", "G2Q1[SQ001]", "G3Q10"):
        one, other = by_lss.at(column), by_xml.at(column)
        assert one is not None
        assert other is not None
        assert one[1] == other[1], column
        assert one[0][0] == other[0][0]
    assert read_structure(folder / "two_languages.lss").questions.keys() == {"Q1"}
    assert "A8_SQ001" in read_structure(folder / "survey_structure.xml").questions


def test_structure_of_another_survey(exports: Path, instrument_of: Make) -> None:
    folder = exports / "limesurvey"
    with pytest.raises(DataError, match="describes no column of responses_code.csv"):
        read_responses(
            folder / "responses_code.csv",
            instrument=instrument_of(["one"], SATISFIED),
            columns={"one": "C1[SQ001]"},
            definition=folder / "test_survey_structure.lss",
        )
