"""One run of a small synthetic study, as the report receives it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from collabsurvey.errors import CollabSurveyWarning
from collabsurvey.moments import answer_tables
from collabsurvey.multilevel import aggregate, icc
from collabsurvey.regression import mixed, ols
from collabsurvey.reliability import item_analysis, overview
from collabsurvey.reporting import (
    Calibrated,
    JoinCount,
    ModelRecord,
    RunRecord,
    SourceFile,
)
from collabsurvey.responses import from_frame
from collabsurvey.responses.ledger import Ledger
from collabsurvey.scoring import score

SIZES = {"Ash": 24, "Birch": 4, "Cedar": 12, "Elm": 15, "Fir": 18, "Gorse": 11}
PARTNERSHIPS = {"Ash": "North", "Birch": "North", "Cedar": "North"}  # the others: South
ITEMS = {"openness": [f"o{i}" for i in range(1, 5)], "help": [f"h{i}" for i in range(1, 4)]}


def answers() -> pd.DataFrame:
    """Two waves; Birch is small in both."""
    rng = np.random.default_rng(11)
    rows = []
    for wave in (1, 2):
        number = 0
        for school, size in SIZES.items():
            level = rng.normal(0, 0.4)
            for _ in range(size):
                number += 1
                person = level + rng.normal(0, 0.8)
                row: dict[str, Any] = {
                    "id": f"Q-{number:04d}",
                    "school": school,
                    "group": PARTNERSHIPS.get(school, "South"),
                    "wave": wave,
                    "role": "Principal-in-charge" if number % 9 == 0 else "Classroom-teacher",
                }
                for item in (*ITEMS["openness"], *ITEMS["help"]):
                    value = 3 + person + rng.normal(0, 0.7)
                    row[item] = float(np.clip(np.round(value), 1, 5))
                rows.append(row)
    frame = pd.DataFrame(rows)
    frame["o2"] = 6 - frame["o2"]
    frame.loc[5, "o1"] = np.nan
    return frame


def build_record() -> RunRecord:
    """Everything a run of this study finds."""
    frame = answers()
    responses = from_frame(
        frame,
        scales=ITEMS,
        reverse_keyed=["o2"],
        response_range=(1, 5),
        roles={
            "respondent": "id",
            "cluster": "school",
            "partnership": "group",
            "wave": "wave",
            "staff_role": "role",
        },
    )
    result = score(responses)
    scores = result.to_frame(keep=["respondent", "cluster", "partnership", "wave", "staff_role"])
    scores = scores.rename(
        columns={"id": "respondent", "group": "partnership", "role": "staff_role"}
    )
    scales = ["openness", "help"]
    by_school = scores.groupby(["school", "wave"], as_index=False).agg(n=("respondent", "size"))
    by_school["n_eligible"] = by_school["n"] + 7
    by_school["rate"] = by_school["n"] / by_school["n_eligible"]
    rng = np.random.default_rng(3)
    table = scores.assign(attendance=90 + scores["openness"] + rng.normal(size=len(scores)))
    first = mixed("attendance ~ openness + (1 | school)", table)
    second = ols("attendance ~ help + C(school)", table, cluster="school")
    return RunRecord(
        study_id="trial",
        title="A trial of the report",
        seed=7,
        min_group=10,
        synthetic=True,
        conf_level=0.95,
        ledger=Ledger()
        .add("read", "rows read", len(frame))
        .add("drop", "repeated rows, such as those of Q-0003", 2)
        .add("missing", "code -9 (no answer) set to missing", 1, unit="cells", column="o1"),
        sources=(SourceFile("/home/someone/staff.csv", "ab" * 32, len(frame), "responses"),),
        options={"study": {"seed": 7}, "privacy": {"key_file": "/home/someone/secret.key"}},
        responses=responses,
        scores=scores,
        score_result=result,
        scale_titles={"openness": "Openness", "help": "Help-seeking"},
        response_by_school=by_school,
        overview=overview(responses, n_boot=199),
        item_analyses={scale: item_analysis(responses, scale) for scale in scales},
        answers=answer_tables(responses, responses.instrument.item_ids),
        icc=icc(scores, scales, "school"),
        aggregates={
            "school": aggregate(scores, ["school", "wave"], scales=scales),
            "partnership": aggregate(
                scores, ["partnership", "wave"], through="school", scales=scales
            ),
        },
        joins=(JoinCount("attendance", 6, 8, 6, 12),),
        models=(
            ModelRecord(
                "attendance",
                "attendance ~ openness + (1 | school)",
                "respondent",
                "confirmatory",
                first,
                int(first.fit["n_obs"]),
                len(table) + 3,
                hypothesis="open schools have higher attendance",
                calibrated=(Calibrated("openness", 0.4, 0.55, 0.7),),
            ),
            ModelRecord(
                "school by school",
                "attendance ~ help + C(school)",
                "respondent",
                "exploratory",
                second,
                int(second.fit["n_obs"]),
                len(table),
            ),
        ),
        limits=("Nobody assigned the conditions.",),
    )


@pytest.fixture(scope="session")
def record() -> RunRecord:
    """The run, with its warnings (few clusters) left aside: they are others' tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)
        return build_record()


@pytest.fixture(scope="session")
def slim(record: RunRecord) -> RunRecord:
    """The run with little to draw, for tests of files."""
    return replace(record, answers=None, aggregates={}, overview=None, models=())


@pytest.fixture
def changed(record: RunRecord) -> Callable[..., RunRecord]:
    """The run with some of its parts replaced."""
    return lambda **parts: replace(record, **parts)
