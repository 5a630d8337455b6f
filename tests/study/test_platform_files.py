"""Files of survey platforms in a study file: found or named, and written into the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from study_files import answers, plan, write_study

# Six schools are few for intervals, which is not the question here.
pytestmark = pytest.mark.filterwarnings("ignore::collabsurvey.errors.CollabSurveyWarning")


def changed(**keys: Any) -> dict[str, Any]:
    study = plan()
    study["responses"][0] |= keys
    return study


def test_a_sheet_of_a_workbook(tmp_path: Path) -> None:
    path = write_study(tmp_path, changed(path="answers.xlsx", sheet="Answers", platform="excel"))
    with pd.ExcelWriter(tmp_path / "answers.xlsx") as book:
        pd.DataFrame({"note": ["not the answers"]}).to_excel(book, sheet_name="Read me")
        answers().to_excel(book, sheet_name="Answers", index=False)
    plain = cs.Study.from_yaml(write_study(tmp_path / "csv")).run()
    found = cs.Study.from_yaml(path).run()
    one, other = (run.record.overview.to_frame() for run in (found, plain))
    assert one["alpha"].tolist() == other["alpha"].tolist()


def test_a_redcap_export_with_its_dictionary_needs_no_columns(tmp_path: Path) -> None:
    trust = cs.load_instrument("trust")
    dictionary = cs.export_instrument(trust, "redcap", partners="Hill School")
    (tmp_path / "dictionary.csv").write_text(str(dictionary), encoding="utf-8")
    cohort = cs.simulate_cohort(["trust"], n_partnerships=2, n_schools=6, n_staff=20, seed=1)
    frame = cohort.responses.frame
    items = list(cohort.responses.instrument.item_ids)
    table = frame[items].rename(columns=lambda name: name.replace(".", "_"))
    table = table.astype("Float64").round().astype("Int64")
    table.insert(0, "record_id", np.arange(len(frame)) + 1)
    table.insert(1, "school", frame[cohort.responses.roles["cluster"]].to_numpy())
    table.to_csv(tmp_path / "data.csv", index=False)
    study = {
        "study": {"id": "redcap", "title": "From REDCap", "seed": 1},
        "responses": [
            {
                "path": "data.csv",
                "platform": "redcap",
                "definition": "dictionary.csv",
                "instruments": ["trust"],
                "slots": {"partner": "Hill School"},
                "roles": {"respondent": "record_id", "cluster": "school"},
            }
        ],
    }
    path = write_study(tmp_path, study)
    run = cs.Study.from_yaml(path).run()
    held = {(source.name, source.holds) for source in run.record.sources}
    assert ("dictionary.csv", "definition of the survey") in held
    assert run.record.responses is not None
    assert run.record.responses.n_rows == len(frame)
