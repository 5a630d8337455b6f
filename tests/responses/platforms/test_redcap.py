"""REDCap: raw and labels, checkboxes, events, repeating forms, completion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from collabsurvey.errors import AnswersError, DataError, OptionError
from collabsurvey.instruments.model import Instrument
from collabsurvey.responses import Responses, read_responses
from collabsurvey.responses.platforms.reading import read_export
from collabsurvey.responses.platforms.redcap import read_dictionary

Make = Callable[..., Instrument]
Write = Callable[..., Path]
ITEMS = {"clim.01": "We can bring up problems.", "clim.02": "It is safe to take a risk."}
DICTIONARY = (
    '"Variable / Field Name","Form Name","Section Header","Field Type","Field Label",'
    '"Choices, Calculations, OR Slider Labels"\n'
    "record_id,staff,,text,Record ID,\n"
    'clim_01,staff,,radio,"We can bring up problems.",'
    '"10, Strongly disagree | 20, Disagree | 30, Neither agree nor disagree | 40, Agree | '
    '50, Strongly agree"\n'
    'clim_02,staff,,dropdown,"It is safe to take a risk.",'
    '"5, Strongly disagree|4, Disagree|3, Neither agree nor disagree|2, Agree|1, Strongly agree"\n'
    'subjects,staff,,checkbox,Which subjects?,"1, Maths | 2, Art"\n'
    "total,staff,,calc,Total,[clim_01] + [clim_02]\n"
)
RAW = (
    "record_id,clim_01,clim_02,subjects___1,subjects___2,staff_complete\n"
    "1,50,1,1,0,2\n2,20,,0,0,0\n"
)
LABELS = (
    "Record ID,We can bring up problems.,It is safe to take a risk.,"
    "Which subjects? (choice=Maths),Which subjects? (choice=Art),Complete?\n"
    "1,Strongly agree,Strongly agree,Checked,Unchecked,Complete\n"
    "2,Disagree,,Unchecked,Unchecked,Incomplete\n"
)
REPEATS = (
    "record_id,redcap_repeat_instrument,redcap_repeat_instance,school,clim_01,staff_complete\n"
    "1,,,Hill,,\n1,staff,1,,4,2\n1,staff,2,,5,1\n2,,,Mill,,\n2,staff,1,,1,2\n"
)


def said(responses: Responses, step: str) -> dict[str, int]:
    return {line.what: line.n for line in responses.ledger if line.step == step}


@pytest.mark.parametrize("text", [RAW, LABELS], ids=["raw", "labels"])
def test_raw_and_labels_give_the_same(instrument_of: Make, write: Write, text: str) -> None:
    found = read_responses(
        write(text),
        instrument=instrument_of(ITEMS),
        definition=write(DICTIONARY, "dictionary.csv"),
    )
    assert found.frame["clim.01"].tolist() == [5.0, 2.0]
    assert found.frame["clim.02"].tolist()[0] == 5.0
    assert found.frame["subjects___1"].tolist() == ["1", "0"]
    assert said(found, "note")["rows whose form is not marked complete, kept"] == 1


def test_codes_without_a_dictionary(instrument_of: Make, write: Write) -> None:
    with pytest.raises(AnswersError, match="not possible: 20, 50"):
        read_responses(write(RAW), instrument=instrument_of(ITEMS))
    labels = read_responses(write(LABELS), instrument=instrument_of(ITEMS))
    assert labels.frame["clim.01"].tolist() == [5.0, 2.0]


def test_partners_of_our_own_survey(instrument_of: Make, write: Write) -> None:
    """REDCap makes one underscore of two."""
    text = "record_id,clim_01_1,clim_01_2,staff_complete\n1,4,5,2\n2,3,,2\n"
    found = read_responses(write(text), instrument=instrument_of(["clim.01"]), partners=["A", "B"])
    assert found.frame.groupby("partner")["clim.01"].apply(list).to_dict() == {
        "A": [4.0, 3.0],
        "B": [5.0],
    }


def test_rows_of_the_repeating_form_are_found(instrument_of: Make, write: Write) -> None:
    found = read_responses(write(REPEATS), instrument=instrument_of(["clim.01"]))
    assert found.frame["clim.01"].tolist() == [4.0, 5.0, 1.0]
    assert found.ledger.n_dropped() == 2
    assert said(found, "drop") == {"rows of another kind (no repeating form)": 2}
    with pytest.raises(OptionError, match="form='staf'"):
        read_responses(write(REPEATS), instrument=instrument_of(["clim.01"]), form="staf")


def test_answers_in_rows_of_several_kinds(instrument_of: Make, write: Write) -> None:
    path = write(REPEATS.replace("1,,,Hill,,", "1,,,Hill,3,"))
    with pytest.raises(DataError, match="in rows of several kinds"):
        read_responses(path, instrument=instrument_of(["clim.01"]))
    found = read_responses(path, instrument=instrument_of(["clim.01"]), form="staff")
    assert found.frame["clim.01"].tolist() == [4.0, 5.0, 1.0]
    base = read_responses(path, instrument=instrument_of(["clim.01"]), form="")
    assert base.n_rows == 2


def test_form_is_an_option_of_redcap(instrument_of: Make, write: Write) -> None:
    with pytest.raises(OptionError, match="no form repeats in this export"):
        read_responses(write(RAW), instrument=instrument_of(ITEMS), form="staff")
    with pytest.raises(OptionError, match="only REDCap has repeating forms"):
        read_responses(write("a,b\n1,2\n"), instrument=instrument_of(["a"]), form="staff")


def test_tables_that_are_no_dictionary(instrument_of: Make, write: Write) -> None:
    with pytest.raises(AnswersError, match="It has no column 'Form Name'"):
        read_responses(
            write(RAW), instrument=instrument_of(ITEMS), definition=write(RAW, "dictionary.csv")
        )
    with pytest.raises(DataError, match="is the data dictionary of another project"):
        read_responses(
            write(RAW.replace("clim", "clam").replace("record", "rec").replace("subjects", "s")),
            instrument=instrument_of(ITEMS),
            definition=write(DICTIONARY, "dictionary.csv"),
        )


# --- real exports ---------------------------------------------------------------------------


def test_morale_over_events(exports: Path, instrument_of: Make) -> None:
    folder = exports / "redcap" / "longitudinal"
    fields = read_dictionary(folder / "dictionary.csv")
    labels = [texts[0] for texts in fields["pmq1"].choices.values()]
    assert labels == ["less than 5", "5-10", "6-15", "over 15"]
    options = {
        "instrument": instrument_of(["pmq1"], labels, first=0),
        "definition": folder / "dictionary.csv",
    }
    found = read_responses(
        folder / "data.csv",
        roles={"respondent": "study_id", "wave": "redcap_event_name"},
        **options,
    )
    assert found.frame["pmq1"].value_counts().to_dict() == {0.0: 4, 1.0: 2, 2.0: 2, 3.0: 2}
    assert (found.n_rows, found.n_respondents, found.ledger.n_dropped()) == (10, 3, 8)
    assert said(found, "note")["rows whose form is not marked complete, kept"] == 3
    with pytest.raises(AnswersError, match="If there are several waves, set the wave role"):
        read_responses(folder / "data.csv", roles={"respondent": "study_id"}, **options)


def test_measures_in_rows_of_a_repeating_form(exports: Path) -> None:
    folder = exports / "redcap"
    pressure = read_responses(
        folder / "repeating-instruments" / "data.csv",
        scales={"bp": ["bp_systolic", "bp_diastolic"]},
        response_range=(50, 250),
        definition=folder / "repeating-instruments" / "dictionary.csv",
    )
    assert pressure.frame["bp_systolic"].tolist() == [110.0, 111.0, 112.0, 114.0]
    assert pressure.ledger.n_dropped() == 2
    model = read_responses(
        folder / "multilevel-model-1" / "data.csv",
        scales={"cog": ["cog_1", "cog_2", "cog_3"]},
        response_range=(0, 10),
        roles={"respondent": "patient_id", "wave": "redcap_repeat_instance"},
    )
    assert (model.n_rows, model.n_respondents, model.ledger.n_dropped()) == (200, 20, 20)
    assert (model.frame["cog_1"] == 5.6).sum() == 15


def test_checkboxes(exports: Path) -> None:
    folder = exports / "redcap" / "checkboxes-1"
    found = read_responses(
        folder / "data.csv",
        scales={"one": [f"check_one___{n}" for n in range(1, 5)]},
        response_range=(0, 1),
        definition=folder / "dictionary.csv",
    )
    assert found.frame["check_one___1"].tolist() == [1.0, 0.0, 1.0, 0.0]
    assert found.n_rows == 4
    export = read_export(folder / "data.csv", definition=folder / "dictionary.csv")
    assert export.wording["check_two___c"] == ("C", "check two")


def test_survey_with_timestamps(exports: Path) -> None:
    folder = exports / "redcap" / "survey"
    export = read_export(folder / "data.csv", definition=folder / "dictionary.csv")
    assert export.frame.shape == (2, 33)
    assert export.choices["has_diabetes"] == {"1": ("True",), "0": ("False",)}
    notes = {line.what: line.n for line in export.lines if line.step == "note"}
    assert notes["survey begun and not completed, kept"] == 1


def test_every_kind_of_field(exports: Path) -> None:
    folder = exports / "redcap" / "validation-types-1"
    fields = read_dictionary(folder / "dictionary.csv")
    assert fields["f_calculated"].choices == {}
    assert fields["f_dropdown"].choices == {"0": ("Zero",), "1": ("One",), "2": ("Two",)}
    assert read_export(folder / "data.csv").frame.shape == (1, 52)


def test_nameless_first_column_and_no_dictionary(exports: Path) -> None:
    found = read_responses(
        exports / "redcap" / "russian" / "data.csv",
        scales={"age": ["age"]},
        response_range=(10, 99),
        missing_codes=["NA"],
    )
    assert found.frame["age"].tolist() == [33.0, 18.0, 22.0]
    assert found.frame["unnamed_1"].tolist() == ["1", "2", "3"]
