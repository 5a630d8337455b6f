"""Records that hold relations and little else, made from synthetic answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

import collabsurvey as cs
from collabsurvey.errors import DataError
from collabsurvey.reporting import RunRecord
from collabsurvey.responses import Responses
from collabsurvey.responses.ledger import Ledger
from collabsurvey.study.conditions import scored
from collabsurvey.study.config import StudyFile
from collabsurvey.study.reading import StudyData
from collabsurvey.study.relations import relations

NAMES = ["relational_context", "shared_meaning", "relational_leadership", "resource_dependence"]


def cohort(**changes: Any) -> pd.DataFrame:
    """Answers of three partnerships of three schools; leaders and staff have questions apart."""
    options = {
        "n_partnerships": 3,
        "n_schools": 9,
        "n_staff": 34,
        "waves": 1,
        "partners": 2,
        "seed": 5,
        **changes,
    }
    names = options.pop("instruments", [*NAMES, "trust"])
    frame = cs.simulate_cohort(names, **options).answers.copy()
    numbers = frame.select_dtypes("number").columns
    frame[numbers] = frame[numbers].mask(frame[numbers] < 0)  # cannot say, no contact
    lead = frame["staff_role"] == "decision_maker"
    for column in [name for name in frame if name.startswith("ldr.")]:
        frame.loc[lead if ".self." not in column else ~lead, column] = float("nan")
    return frame


def answers(frame: pd.DataFrame, names: list[str] | None = None, **roles: str) -> Responses:
    """The answers as a study reads them."""
    from collabsurvey.instruments.making import combine_instruments

    instrument = combine_instruments(
        [cs.load_instrument(name) for name in names or [*NAMES, "trust"]]
    )
    usual = {
        "respondent": "respondent",
        "cluster": "school",
        "partnership": "partnership",
        "wave": "wave",
        "staff_role": "staff_role",
        "partner": "partner",
    }
    return cs.from_frame(frame, instrument=instrument, roles={**usual, **roles}, synthetic=True)


def record_of(responses: Responses, analysis: dict[str, Any] | None = None) -> RunRecord:
    """What a study finds of relations, and the scores that tell who is hidden."""
    study = StudyFile.model_validate(
        {"study": {"id": "trial", "title": "A trial"}, "analysis": analysis or {}}
    )
    notes: list[str] = []

    def attempt(what: str, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except DataError as error:
            notes.append(f"{what}: {error}")
            return None

    titles = {s.id.replace(".", "_"): s.title for s in responses.instrument.scoring}
    survey = scored(StudyData(responses, None, titles, {}, None, (), Ledger()))
    found = relations(study, responses, attempt)
    return RunRecord(
        study_id="trial",
        title="A trial",
        seed=1,
        min_group=10,
        synthetic=True,
        conf_level=0.95,
        ledger=Ledger(),
        sources=(),
        options={},
        responses=responses,
        scores=survey.frame,
        score_result=survey.result,
        scale_titles=titles,
        relations=found,
        notes=tuple(notes),
    )
