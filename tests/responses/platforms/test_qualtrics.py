"""Qualtrics: header rows, ImportIds, recodes of the .qsf, previews and tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collabsurvey.errors import AnswersError, DataError, OptionError, UnknownNameError
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses import Responses, read_responses
from collabsurvey.responses.platforms.qsf import read_qsf, split_import_id
from collabsurvey.responses.platforms.reading import read_export

Make = Callable[..., Instrument]
Write = Callable[..., Path]
LIKING = ["Like", "Neither like nor dislike", "Dislike"]
ITEMS = {
    "tru.expect.01": "How likely is it that {partner} keeps its promises?",
    "tru.expect.02": "We know whom to call.",
}
HEADER = "StartDate,Status,Finished,Duration (in seconds),ResponseId,DistributionChannel,{a},{b}\n"
QUESTIONS = (
    "Start Date,Response Type,Finished,Duration (in seconds),Response ID,Distribution Channel,"
    '"{qa}","{qb}"\n'
)
IMPORT_IDS = ",".join(
    '"' + json.dumps({"ImportId": name}).replace('"', '""') + '"'
    for name in (
        "startDate",
        "status",
        "finished",
        "duration",
        "_recordId",
        "channel",
        "QID1",
        "QID2",
    )
)
ROWS = (
    "2026-01-01,0,1,38,R_1,anonymous,5,4\n"
    "2026-01-01,1,1,55,R_2,preview,4,-99\n"
    "2026-01-02,0,0,12,R_3,anonymous,1,\n"
)


def export(
    a: str = "tru_expect_01", b: str = "tru_expect_02", qa: str = "A?", qb: str = "B?",
    *, ids: bool = True, rows: str = ROWS,
) -> str:  # fmt: skip
    head = HEADER.format(a=a, b=b) + QUESTIONS.format(qa=qa, qb=qb)
    return head + (IMPORT_IDS + "\n" if ids else "") + rows


def qsf(*payloads: dict[str, Any]) -> str:
    elements = [{"Element": "SQ", "Payload": payload} for payload in payloads]
    return json.dumps({"SurveyEntry": {}, "SurveyElements": elements})


def single(question: str, tag: str, labels: list[str], recodes: list[Any]) -> dict[str, Any]:
    numbers = [str(n) for n in range(1, len(labels) + 1)]
    return {
        "QuestionID": question,
        "DataExportTag": tag,
        "QuestionType": "MC",
        "Selector": "SAVR",
        "QuestionText": "<b>We know</b> whom to call.",
        "Choices": {n: {"Display": label} for n, label in zip(numbers, labels, strict=True)},
        "RecodeValues": dict(zip(numbers, recodes, strict=True)),
    }


def said(responses: Responses, step: str) -> dict[str, int]:
    return {line.what: line.n for line in responses.ledger if line.step == step}


@pytest.mark.parametrize("ids", [True, False], ids=["three header rows", "two"])
def test_export_with_stable_names(instrument_of: Make, write: Write, ids: bool) -> None:
    found = read_responses(write(export(ids=ids)), instrument=instrument_of(ITEMS))
    assert found.frame["tru.expect.01"].tolist() == [5.0, 4.0, 1.0]
    assert found.frame["tru.expect.02"].isna().tolist() == [False, True, True]
    notes = said(found, "note")
    assert notes["previews and tests by Status, kept"] == 1
    assert notes["previews and tests by DistributionChannel, kept"] == 1
    assert notes["answers not finished, kept"] == 1
    assert notes["different values: 'ResponseId' may be the respondent role"] == 3
    assert any("read as an export of Qualtrics" in what for what in notes)
    assert any("taken as the instrument's codes" in what for what in notes)
    assert said(found, "missing")["'-99' (seen but not answered (Qualtrics)) set to missing"] == 1
    assert found.frame["Duration (in seconds)"].tolist() == [38.0, 55.0, 12.0]


def test_wording_and_text_answers(instrument_of: Make, write: Write) -> None:
    rows = (
        "x,0,1,1,R_1,anonymous,Strongly agree,Agree\n"
        "x,0,1,1,R_2,anonymous,<b>agree</b>&nbsp;,2. Disagree\n"
    )
    asked = "Think of now. - How likely is it that Hill School keeps its promises?"
    text = export("Q1_1", "Q7", asked, "We know whom to call.", rows=rows)
    found = read_responses(write(text), instrument=instrument_of(ITEMS))
    assert found.frame["tru.expect.01"].tolist() == [5.0, 4.0]
    assert found.frame["tru.expect.02"].tolist() == [4.0, 2.0]
    renames = said(found, "rename")
    assert any("{partner} is 'hill school'" in what.casefold() for what in renames)


def test_recodes_lead_to_the_label_not_to_the_number(instrument_of: Make, write: Write) -> None:
    labels = ["Strongly agree", "Agree", "Neither agree nor disagree", "Disagree",
              "Strongly disagree", "No basis for judging"]  # fmt: skip
    definition = write(
        qsf(
            single("QID1", "Q1", labels, [1, 2, 3, 4, 5, -1]),
            single("QID2", "Q2", labels, ["10", "20", "30", "40", "50", "-2"]),
        ),
        "survey.qsf",
    )
    rows = "x,0,1,1,R_1,a,1,50\nx,0,1,1,R_2,a,-1,10\nx,0,1,1,R_3,a,5,-2\nx,0,1,1,R_4,a,4,-99\n"
    path = write(export("Q1", "Q2", rows=rows))
    found = read_responses(
        path,
        instrument=instrument_of(ITEMS),
        definition=definition,
        columns={"tru.expect.01": "Q1", "tru.expect.02": "Q2"},
    )
    assert found.frame["tru.expect.01"].tolist()[0] == 5.0  # value 1 says 'Strongly agree'
    assert found.frame["tru.expect.01"].tolist()[2:] == [1.0, 2.0]
    assert found.frame["tru.expect.02"].tolist()[:2] == [1.0, 5.0]
    gone = said(found, "missing")
    assert gone["'-1' (No basis for judging, recoded to -1) set to missing"] == 1
    assert gone["'-2' (No basis for judging, recoded to -2) set to missing"] == 1
    assert gone["'-99' (seen but not answered (Qualtrics)) set to missing"] == 1


def test_reason_that_the_instrument_knows(instrument_of: Make, write: Write) -> None:
    definition = write(
        qsf(single("QID1", "tru_expect_01", ["Agree", "I cannot say"], [4, 9])), "survey.qsf"
    )
    rows = "x,0,1,1,R_1,a,4,5\nx,0,1,1,R_2,a,9,5\n"
    instrument = instrument_of(
        ITEMS, missing={-8: "cannot_say"}, missing_labels={-8: "I cannot say"}
    )
    found = read_responses(write(export(rows=rows)), instrument=instrument, definition=definition)
    assert said(found, "missing") == {"code -8 (cannot_say) set to missing": 1}


def test_value_that_the_definition_does_not_list(instrument_of: Make, write: Write) -> None:
    definition = write(qsf(single("QID1", "tru_expect_01", ["Agree"], [4])), "survey.qsf")
    with pytest.raises(AnswersError) as error:
        read_responses(write(export()), instrument=instrument_of(ITEMS), definition=definition)
    assert "Item 'tru.expect.01' has answers that are none of the options: '1' (1), '5' (1)" in str(
        error.value
    )
    assert "5 'Strongly agree'" in str(error.value)


def test_answer_that_matches_nothing(instrument_of: Make, write: Write) -> None:
    rows = "x,0,1,1,R_1,a,Agree strongly,A1\nx,0,1,1,R_2,a,Agree strongly,5\n"
    with pytest.raises(AnswersError) as error:
        read_responses(write(export(rows=rows)), instrument=instrument_of(ITEMS))
    assert "'Agree strongly' (2)" in str(error.value)
    assert "'A1' (1)" in str(error.value)
    assert "definition='survey.qsf'" in str(error.value)
    mended = read_responses(
        write(export(rows=rows)),
        instrument=instrument_of(ITEMS),
        repair={
            "recode": {"tru_expect_01": {"Agree strongly": "Strongly agree"},
                       "tru_expect_02": {"A1": None}}
        },
    )  # fmt: skip
    assert mended.frame["tru.expect.01"].tolist() == [5.0, 5.0]


def test_every_fault_is_reported_at_once(instrument_of: Make, write: Write) -> None:
    rows = "x,0,1,1,R_1,a,Perhaps,4\nx,0,1,1,R_1,a,5,4\n"
    with pytest.raises(AnswersError) as error:
        read_responses(
            write(export(rows=rows)),
            instrument=instrument_of(ITEMS),
            roles={"respondent": "ResponseId"},
        )
    assert len(error.value.faults) == 2
    assert "'Perhaps' (1)" in error.value.faults[0]
    assert "occurs more than once" in error.value.faults[1]


def test_the_same_item_twice(instrument_of: Make, write: Write) -> None:
    path = write(export("tru_expect_01", "tru_expect_01"))
    instrument = instrument_of(["tru.expect.01"])
    with pytest.raises(
        AnswersError, match=r"stands in 2 columns: 'tru_expect_01', 'tru_expect_01 \(2\)'"
    ):
        read_responses(path, instrument=instrument)
    found = read_responses(
        path, instrument=instrument, columns={"tru.expect.01": "tru_expect_01 (2)"}
    )
    assert found.frame["tru.expect.01"].dropna().tolist() == [4.0]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("tru_expect_01", "tru_expect_01__2"),
        ("tru_expect_01__1", "tru_expect_01__2"),
        ("1_tru_expect_01", "2_tru_expect_01"),
    ],
)
def test_numbers_of_partners_are_written_in_several_ways(
    instrument_of: Make, write: Write, one: str, two: str
) -> None:
    found = read_responses(write(export(one, two)), instrument=instrument_of(["tru.expect.01"]))
    answers = found.frame.dropna(subset=["tru.expect.01"])
    assert answers.groupby("partner")["tru.expect.01"].size().to_dict() == {"1": 3, "2": 1}


def test_partners_in_column_names(instrument_of: Make, write: Write) -> None:
    path = write(export("tru_expect_01__1", "tru_expect_01__2"))
    instrument = instrument_of(["tru.expect.01"])
    found = read_responses(
        path, instrument=instrument, partners=["Hill School", "Mill School"],
        roles={"respondent": "ResponseId"},
    )  # fmt: skip
    answers = found.frame.dropna(subset=["tru.expect.01"])
    assert dict(answers.groupby("partner")["tru.expect.01"].apply(list)) == {
        "Hill School": [5.0, 4.0, 1.0],
        "Mill School": [4.0],
    }
    with pytest.raises(UnknownNameError, match="partners has no partner '2'"):
        read_responses(path, instrument=instrument, partners={"1": "Hill School"})
    with pytest.raises(OptionError, match="partners='Hill School'"):
        read_responses(path, instrument=instrument, partners="Hill School")
    unnamed = read_responses(path, instrument=instrument)
    assert set(unnamed.frame["partner"]) == {"1", "2"}


def test_partners_in_the_wording(instrument_of: Make, write: Write) -> None:
    ask = "How likely is it that {} keeps its promises?"
    path = write(export("Q1", "Q2", ask.format("Hill School"), ask.format("the Mill Trust")))
    found = read_responses(
        path, instrument=instrument_of({"tru.expect.01": ITEMS["tru.expect.01"]})
    )
    assert set(found.frame["partner"]) == {"Hill School", "the Mill Trust"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not a Qualtrics survey file"),
        ("[1]", "is not a Qualtrics survey file"),
        ('{"SurveyElements": 3}', "is not a Qualtrics survey file"),
        ("[" * 100_000, "is not a Qualtrics survey file"),
        (qsf(single("QID7", "Q77", ["Yes"], [1])), "describes no column"),
    ],
)
def test_definitions_that_do_not_fit(
    instrument_of: Make, write: Write, content: str, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        read_responses(
            write(export()),
            instrument=instrument_of(ITEMS),
            definition=write(content, "survey.qsf"),
        )


def test_truncated_export(instrument_of: Make, write: Write) -> None:
    path = write(export().rstrip("\n")[:-6])
    with pytest.raises(DataError, match="stops in the middle of line 6"):
        read_responses(path, instrument=instrument_of(ITEMS))
    found = read_responses(path, instrument=instrument_of(ITEMS), repair={"truncated": "drop"})
    assert (found.n_rows, found.ledger.n_dropped()) == (2, 1)
    with pytest.raises(DataError, match="has a header but no rows"):
        read_responses(write(export(rows="")), instrument=instrument_of(ITEMS))


def test_import_ids_are_split() -> None:
    assert split_import_id("QID4-1-1") == ("QID4", "1-1")
    assert split_import_id("QID10#2-1") == ("QID10#2", "1")
    assert split_import_id("2_QID4_3") == ("QID4", "3")
    assert split_import_id("startDate") == ("", "")


# --- real exports ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["insights", "legacy"])
def test_no_basis_is_missing_and_never_averaged(
    exports: Path, instrument_of: Make, kind: str
) -> None:
    columns = {f"veg.0{n}": f"Q3_{n}" for n in range(1, 5)}
    folder = exports / "qualtrics"
    found = read_responses(
        folder / f"no_basis_{kind}.csv",
        instrument=instrument_of(list(columns), LIKING),
        columns=columns,
        definition=folder / "no_basis.qsf",
        roles={"respondent": "ResponseID"},
    )
    assert found.n_rows == 15
    counts = {item: found.frame[item].value_counts().to_dict() for item in columns}
    assert counts["veg.01"] == {3.0: 4, 2.0: 3, 1.0: 3}
    assert counts["veg.03"] == {2.0: 7, 3.0: 4}
    gone = [line.n for line in found.ledger if "No Opinion, recoded to -1" in line.what]
    assert gone == [5, 4, 4, 4]
    assert said(found, "note")["previews and tests by Status, kept"] == 15


def test_no_basis_without_its_definition_is_an_error(exports: Path, instrument_of: Make) -> None:
    with pytest.raises(AnswersError, match="4 answers that are not possible: -1"):
        read_responses(
            exports / "qualtrics" / "no_basis_insights.csv",
            instrument=instrument_of(["veg.02"], LIKING),
            columns={"veg.02": "Q3_2"},
        )


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("insights", ["Q4_1", "Q5_question_one", "matrix_question_five_question_three"]),
        ("legacy", ["Q4_1", "question_one (2)", "question_three (3)"]),
    ],
)
def test_recodes_of_a_matrix(
    exports: Path, instrument_of: Make, kind: str, columns: list[str]
) -> None:
    folder = exports / "qualtrics"
    items = [f"m.{n}" for n in range(3)]
    found = read_responses(
        folder / f"single_answer_matrix_{kind}.csv",
        instrument=instrument_of(items, [f"Click to write Scale point {n}" for n in range(1, 5)]),
        columns=dict(zip(items, columns, strict=True)),
        definition=folder / "single_answer_matrix.qsf",
    )
    raw = found.frame["m.0"].tolist()
    assert sorted(raw) == [1.0, 2.0, 3.0, 3.0, 3.0]  # recoded 10 to 13 in the file
    assert found.frame["m.1"].between(1, 4).all()
    assert found.frame["m.2"].between(1, 4).all()
    assert found.n_rows == 5


def test_long_survey_with_side_by_side_questions(exports: Path, instrument_of: Make) -> None:
    folder = exports / "qualtrics"
    export = read_export(folder / "long_exhaustive.csv", definition=folder / "long_exhaustive.qsf")
    assert export.frame.shape == (31, 367)
    assert export.choices["Q25_cucumbers"].keys() == {"1", "10", "100", "-1", "-2"}
    assert len(export.choices["q42_animal_patterns#1_1"]) == 3
    assert "Q41#2_1_1" not in export.choices  # several answers a row: ticked or not
    texts = [
        label[0] for value, label in export.choices["Q25_cucumbers"].items() if value[0] != "-"
    ]
    found = read_responses(
        folder / "long_exhaustive.csv",
        instrument=instrument_of(["cucumbers"], texts),
        columns={"cucumbers": "Q25_cucumbers"},
        definition=folder / "long_exhaustive.qsf",
    )
    assert found.frame["cucumbers"].value_counts().to_dict() == {1.0: 6, 3.0: 5, 2.0: 3}
    assert sum(n for what, n in said(found, "missing").items() if "recoded to" in what) == 17


def test_colours_as_recode_values(exports: Path, instrument_of: Make) -> None:
    folder = exports / "qualtrics"
    questions = read_qsf(folder / "long_exhaustive.qsf").questions
    labels = [texts[0] for texts in questions["QID5"].choices.values()]
    found = read_responses(
        folder / "long_exhaustive.csv",
        instrument=instrument_of(["colour"], labels, kind="nominal"),
        columns={"colour": "Q5"},
        definition=folder / "long_exhaustive.qsf",
    )
    assert found.frame["colour"].value_counts().to_dict() == {
        3.0: 8,
        5.0: 8,
        1.0: 6,
        4.0: 5,
        2.0: 4,
    }


def test_small_sample_survey(exports: Path, instrument_of: Make) -> None:
    folder = exports / "qualtrics"
    questions = read_qsf(folder / "better_sample_survey.qsf").questions
    labels = [texts[0] for value, texts in questions["QID2"].choices.items() if value != "-1"]
    found = read_responses(
        folder / "better_sample_survey.csv",
        instrument=instrument_of(["rank"], labels),
        columns={"rank": "q4_rank_1"},
        definition=folder / "better_sample_survey.qsf",
        roles={"respondent": "ResponseID"},
    )
    assert found.frame["rank"].value_counts().to_dict() == {2.0: 3, 1.0: 1, 3.0: 1}
    assert found.n_respondents == 10


def test_ticked_boxes_of_a_matrix(exports: Path) -> None:
    for kind in ("insights", "legacy"):
        export = read_export(exports / "qualtrics" / f"multiple_answer_matrix_{kind}.csv")
        assert (
            export.frame["question_one_1" if kind == "legacy" else "Q3_question_one_1"]
            .notna()
            .sum()
            == 4
        )
        assert len(export.frame) == 5


@pytest.mark.parametrize("name", ["minimal_three_header", "minimal_legacy_two_header"])
def test_smallest_exports(exports: Path, instrument_of: Make, name: str) -> None:
    found = read_responses(
        exports / "qualtrics" / f"{name}.csv",
        instrument=instrument_of({"choice": "This is a multiple choice question."}),
    )
    assert found.frame["choice"].tolist() == [2.0]
    assert found.frame["Q2"].tolist() == ["Hello World!"]
