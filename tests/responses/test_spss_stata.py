"""SPSS and Stata: labels, declared missing values, and files that come back as they were."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from collabsurvey.errors import AnswersError, CollabSurveyError, DataError, OptionError, OutputError
from collabsurvey.instruments import load_instrument
from collabsurvey.responses import Responses, from_frame, read_responses
from collabsurvey.responses.platforms.reading import read_export
from collabsurvey.responses.spss_stata import write_dta, write_sav
from collabsurvey.scoring import score

pyreadstat = pytest.importorskip("pyreadstat")
WRITERS = {"sav": write_sav, "zsav": write_sav, "dta": write_dta}


def said(responses: Responses, step: str) -> dict[tuple[str, str], int]:
    return {(line.column, line.what): line.n for line in responses.ledger if line.step == step}


def sav(path: Path, frame: pd.DataFrame, **options: Any) -> Path:
    pyreadstat.write_sav(frame, path, **options)
    return path


@pytest.fixture
def trust() -> Responses:
    """Answers to the trust questionnaire, some missing, with every kind of role."""
    instrument = load_instrument("trust")
    rng = random.Random(4)
    columns: dict[str, list[Any]] = {}
    for item in instrument.item_ids:
        answers = instrument.response_set(item)
        assert answers is not None
        values = list(answers.values) if answers.type != "bounded" else [0, 12.5, 50, 100]
        columns[item] = [rng.choice([*values, None]) for _ in range(12)]
    frame = pd.DataFrame(
        {
            "who": [f"0{n}" for n in range(12)],
            "Which school?": ["Hill", "Mill"] * 6,
            "wave": [1] * 12,
            "w": [0.5] * 12,
            "partner": ["Dale"] * 12,
            **columns,
        }
    )
    roles = {
        "respondent": "who", "cluster": "Which school?", "wave": "wave", "weight": "w",
        "partner": "partner",
    }  # fmt: skip
    return from_frame(frame, instrument=instrument, roles=roles)


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.KeyingWarning")  # random answers
@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("ids", ["kept", "numbered"])
def test_what_is_written_is_read_back(
    tmp_path: Path, trust: Responses, ending: str, ids: Any
) -> None:
    path = tmp_path / f"trust.{ending}"
    names = WRITERS[ending](trust, path, respondent_ids=ids)
    assert names["tru.expect.01"] == "tru_expect_01"
    assert names["Which school?"] == "Which_school_"
    roles = {role: names[column] for role, column in trust.roles.items()}
    back = read_responses(path, instrument=trust.instrument, roles=roles)
    items = list(trust.instrument.item_ids)
    pd.testing.assert_frame_equal(
        back.frame[items], trust.frame[items].astype("float64"), check_dtype=False
    )
    assert back.frame["Which_school_"].tolist() == ["Hill", "Mill"] * 6
    who = back.frame[names["who"]].tolist()
    assert who == (trust.frame["who"].tolist() if ids == "kept" else list(range(1, 13)))
    assert back.frame["wave"].tolist() == [1] * 12
    one, other = score(trust).to_frame(), score(back).to_frame()
    scales = [scale for scale in trust.instrument.scale_ids if scale in one.columns]
    pd.testing.assert_frame_equal(one[scales], other[scales], check_exact=True)


def test_every_engine_is_written(tmp_path: Path, eager_engine: Any) -> None:
    frame = pd.DataFrame({"who": ["b", "a", None], "q1": [1.0, None, 3.0], "q2": [5, 4, 3]})
    answers = from_frame(
        eager_engine(frame), scales={"s": ["q1", "q2"]}, roles={"respondent": "who"}
    )
    names = write_sav(answers, tmp_path / "small.sav")
    assert names == {"who": "who", "q1": "q1", "q2": "q2"}
    back, _ = pyreadstat.read_sav(tmp_path / "small.sav")
    assert back["who"].tolist()[:2] == [1.0, 2.0]
    assert back["who"].isna().tolist() == [False, False, True]
    assert back["q2"].tolist() == [5.0, 4.0, 3.0]


def test_labels_measure_and_missing_ranges(tmp_path: Path, trust: Responses) -> None:
    write_sav(trust, tmp_path / "trust.sav")
    _, meta = pyreadstat.read_sav(tmp_path / "trust.sav", user_missing=True)
    name = "tru_economise_contracts_01"
    item = trust.instrument.item("tru.economise.contracts.01")
    assert item.text is not None
    assert meta.column_names_to_labels[name] == item.text["en-GB"]
    assert meta.variable_value_labels[name][5.0] == "Strongly agree"
    assert meta.variable_value_labels[name][-8.0] == "I cannot say"
    assert [one["lo"] for one in meta.missing_ranges[name]] == [-9.0, -8.0, -7.0]
    assert meta.variable_measure[name] == "ordinal"
    assert meta.variable_measure["tru_expect_01"] == "scale"
    write_dta(trust, tmp_path / "trust.dta")
    _, meta = pyreadstat.read_dta(tmp_path / "trust.dta")
    assert meta.variable_value_labels[name][1] == "Strongly disagree"


def test_wording_that_may_not_be_redistributed(tmp_path: Path, trust: Responses) -> None:
    licence = trust.instrument.licence.model_copy(update={"redistribute_text": False})
    closed = trust.replace(instrument=trust.instrument.model_copy(update={"licence": licence}))
    write_sav(closed, tmp_path / "trust.sav")
    _, meta = pyreadstat.read_sav(tmp_path / "trust.sav")
    assert meta.column_names_to_labels["tru_expect_01"] == "tru.expect.01"


def test_more_missing_codes_than_spss_can_name(tmp_path: Path, trust: Responses) -> None:
    answers = trust.instrument.response_sets["agree5"]
    more = answers.model_copy(update={"missing": {-code: f"r{code}" for code in range(5, 10)}})
    sets = {**trust.instrument.response_sets, "agree5": more}
    wide = trust.replace(instrument=trust.instrument.model_copy(update={"response_sets": sets}))
    write_sav(wide, tmp_path / "trust.sav")
    _, meta = pyreadstat.read_sav(tmp_path / "trust.sav", user_missing=True)
    assert meta.missing_ranges["tru_economise_contracts_01"] == [{"lo": -9.0, "hi": -5.0}]


def test_files_that_cannot_be_written(tmp_path: Path, trust: Responses) -> None:
    with pytest.raises(OptionError, match="a name ending in .sav"):
        write_sav(trust, tmp_path / "trust.dta")
    with pytest.raises(OptionError, match="language='fr'"):
        write_sav(trust, tmp_path / "trust.sav", language="fr")
    with pytest.raises(OptionError, match="respondent_ids='hashed'"):
        write_sav(trust, tmp_path / "trust.sav", respondent_ids="hashed")  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="cannot be written"):
        write_sav(trust, tmp_path / "nowhere" / "trust.sav")
    scales = {"s": ["a.very.long.name.of.an.item.that.stata.refuses", "q.1", "q_1"]}
    frame = pd.DataFrame({name: [1.0, 2.0] for name in scales["s"]})
    with pytest.raises(AnswersError) as error:
        write_dta(from_frame(frame, scales=scales), tmp_path / "long.dta")
    assert "more than the 32 characters" in str(error.value)
    assert "'q_1' and 'q.1' would both be called 'q_1'" in str(error.value)


def test_value_labels_lead_to_the_code(tmp_path: Path, trust: Responses) -> None:
    """A colleague's file may count its answers the other way round."""
    labels = [
        "Strongly agree",
        "Agree",
        "Neither agree nor disagree",
        "Disagree",
        "Strongly disagree",
    ]
    path = sav(
        tmp_path / "theirs.sav",
        pd.DataFrame({"tru_economise_contracts_01": [1.0, 2.0, 5.0, 9.0]}),
        variable_value_labels={
            "tru_economise_contracts_01": {
                **{float(n): text for n, text in enumerate(labels, start=1)}, 9.0: "I cannot say"}
        },
    )  # fmt: skip
    found = read_responses(path, instrument=trust.instrument, items="present")
    assert found.frame["tru.economise.contracts.01"].tolist()[:3] == [5.0, 4.0, 1.0]
    assert said(found, "missing") == {
        ("tru.economise.contracts.01", "code -8 (cannot_say) set to missing"): 1
    }


def test_label_that_matches_nothing(tmp_path: Path, trust: Responses) -> None:
    path = sav(
        tmp_path / "theirs.sav",
        pd.DataFrame({"tru_economise_contracts_01": [1.0, 2.0]}),
        variable_value_labels={"tru_economise_contracts_01": {1.0: "Agree", 2.0: "Yes, very"}},
    )
    with pytest.raises(AnswersError, match=r"none of the options: '2' \(1\). The options are"):
        read_responses(path, instrument=trust.instrument, items="present")


# --- real files -----------------------------------------------------------------------------


def of_real(path: Path, items: list[str], low: float, high: float) -> Responses:
    return read_responses(path, scales={"s": items}, response_range=(low, high))


def test_discrete_and_ranged_missing_values(real_data: Path) -> None:
    folder = real_data / "survey-exports" / "spss-stata"
    found = of_real(folder / "sample_missing.sav", ["mylabl", "myord"], 1, 3)
    assert found.n_rows == 7
    assert found.frame["mylabl"].value_counts().to_dict() == {1.0: 3, 2.0: 2}
    assert found.frame["myord"].value_counts().to_dict() == {1.0: 3, 2.0: 1, 3.0: 1}
    gone = said(found, "missing")
    assert gone["mynum", "2500, declared missing in the file, set to missing"] == 1
    assert gone["mylabl", "-1 (undetermined), declared missing in the file, set to missing"] == 1
    assert gone["myord", "-3, declared missing in the file, set to missing"] == 1
    assert found.frame["mydate"].tolist()[0] == "2018-05-06"
    with pytest.raises(AnswersError, match=r"none of the options: 'a' \(1\)"):
        of_real(folder / "missing_char.sav", ["mychar"], 0, 1)


def test_letters_that_stata_keeps_for_missing(real_data: Path) -> None:
    folder = real_data / "survey-exports" / "spss-stata"
    export = read_export(folder / "missing_test.dta")
    assert [line.what.split(",")[0] for line in export.lines[1:]] == [
        ".a (missing)", ".b", ".c", ".x", ".y", ".z",
    ]  # fmt: skip
    found = of_real(folder / "missing_test.dta", ["var1", "var9"], 0, 5)
    assert found.frame["var9"].tolist() == [1.0]
    assert found.frame["var1"].isna().all()


def test_text_declared_missing(real_data: Path) -> None:
    export = read_export(real_data / "survey-exports" / "spss-stata" / "missing_char.sav")
    assert export.frame["mychar"].isna().tolist() == [True, False]
    assert export.lines[1].what == "Z, declared missing in the file, set to missing"


def test_all_types_and_multiple_response_sets(real_data: Path) -> None:
    folder = real_data / "survey-exports" / "spss-stata"
    export = read_export(folder / "simple_alltypes.sav")
    assert export.frame.shape == (6, 12)
    assert export.choices["x"] == {"1": ("red",), "2": ("green",), "3": ("blue",)}
    found = read_responses(
        folder / "simple_alltypes.sav", scales={"b": ["bool1", "bool2", "bool3"]}
    )
    assert found.frame[["bool1", "bool2", "bool3"]].notna().any(axis=None)
    gone = {what: n for (column, what), n in said(found, "missing").items() if column in "xz"}
    assert list(gone.values()) == [1, 1, 1]  # 8 of x; -9 and 999 of z


@pytest.mark.parametrize(
    ("name", "item", "counts"),
    [
        ("ordered_category.sav", "Col1", {2.0: 2, 1.0: 1, 3.0: 1}),
        ("sample.dta", "myord", {1.0: 3, 2.0: 1, 3.0: 1}),
        ("missing_test.sav", "var1", {2.0: 1}),
    ],
)
def test_labelled_files(real_data: Path, name: str, item: str, counts: dict[float, int]) -> None:
    found = of_real(real_data / "survey-exports" / "spss-stata" / name, [item], 0, 5)
    assert found.frame[item].value_counts().to_dict() == counts


def test_hebrew_variable_name(real_data: Path) -> None:
    path = real_data / "survey-exports" / "spss-stata" / "hebrews.sav"
    found = read_responses(path, scales={"s": ["ותק_ב"]}, response_range=(0, 60))
    assert found.n_rows == 99
    assert found.frame["ותק_ב"].tolist()[:3] == [33.0, 34.0, 15.0]


def test_damaged_files_give_sentences(tmp_path: Path) -> None:
    rng = random.Random(5)
    scales = {"s": ["q1", "q2"]}
    frame = pd.DataFrame({"who": ["a", "b", "c"], "q1": [1.0, 2.0, None], "q2": [5.0, 4.0, 3.0]})
    small = from_frame(frame, scales=scales, response_range=(1, 5), roles={"respondent": "who"})
    for ending, writer in (("sav", write_sav), ("dta", write_dta)):
        path = tmp_path / f"whole.{ending}"
        writer(small, path)
        whole = path.read_bytes()
        for _ in range(80):
            raw = bytearray(whole)
            for _ in range(rng.randint(1, 6)):
                raw[rng.randrange(len(raw))] = rng.randrange(256)
            path.write_bytes(bytes(raw[: rng.choice([len(raw), rng.randrange(len(raw))])]))
            try:
                read_responses(path, scales=scales, response_range=(1, 5))
            except CollabSurveyError as error:
                assert str(error).strip()
    path = tmp_path / "text.sav"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="cannot be read as a file of SPSS"):
        read_responses(path, scales=scales)
