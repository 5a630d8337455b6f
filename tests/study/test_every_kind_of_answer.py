"""A study of picks, rankings, points, free text and amounts: it runs, and no line leaks out."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.study import Study
from study_files import plan

pytestmark = pytest.mark.filterwarnings("ignore::collabsurvey.errors.CollabSurveyWarning")

NAMES = ["relational_context", "shared_meaning", "shared_ownership", "rationale"]
SECRET = "Mrs Jones of Hill School"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    cohort = cs.simulate_cohort(
        NAMES,
        n_partnerships=2,
        n_schools=10,
        n_staff=22,
        waves=1,
        truth={"icc_school": 0.2},
        seed=8,
    )
    files = cohort.write(folder)
    table = pd.read_csv(files.staff[0], dtype=str)
    table["mng.line.01"] = np.where(np.arange(len(table)) % 3 == 0, f"As {SECRET} says", "")
    table["own.nominate.01"] = SECRET
    table.to_csv(files.staff[0], index=False)
    roles = {name: name for name in ("respondent", "partnership", "staff_role")}
    study = plan(
        responses=[
            {
                "path": files.staff[0].name,
                "instruments": NAMES,
                "roles": {**roles, "cluster": "school"},
            }
        ],
        outcomes=[],
        analysis={
            "screening": {},
            "missing": {"predictors": ["staff_role"]},
            "levels": {"aggregate": ["school"]},
        },
    )
    (folder / "study.yaml").write_text(json.dumps(study), encoding="utf-8")
    Study.from_yaml(folder / "study.yaml").run(progress=False).report(folder / "out")
    return folder / "out"


def words(out: Path) -> str:
    page = (out / "report.html").read_text(encoding="utf-8")
    page = re.sub(r"<(script|style|svg)[\s\S]*?</\1>", "", page)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_no_file_holds_a_line_of_anybody(out: Path) -> None:
    files = [path for path in out.rglob("*") if path.is_file()]
    assert files
    for path in files:
        if path.suffix == ".parquet":
            assert SECRET not in pd.read_parquet(path).to_string()
        else:
            assert SECRET.encode() not in path.read_bytes(), path.name


def test_scores_are_those_of_scales_with_one_number_a_person(out: Path) -> None:
    columns = set(pd.read_parquet(out / "scores.parquet").columns)
    assert {"ctx_like_network", "mng_felt", "rat_benefit"} <= columns
    assert not {"ctx_now", "ctx_shift", "mng_cards", "mng_line_01"} & columns


def test_the_report_says_why_a_scale_is_not_there(out: Path) -> None:
    said = words(out)
    assert "No score for “Kind of relationship now”, “Kind of relationship wanted”" in said
    assert "Kind of relationship now: its answers share out a whole" in said
    assert "Like a network: a single item has no internal consistency" in said
    assert "Agreement on what matters most: it says how far the people of a group" in said
    assert "cs.scoring" not in said
    page = (out / "report.html").read_text(encoding="utf-8")
    reliability = re.search(r'<section id="reliability"[\s\S]*?</section>', page)
    assert reliability is not None
    # Nothing was calculated, so nothing is withheld.
    assert "&lt; 10 or withheld" not in reliability.group()


def test_tables_hold_answers_to_picks_and_ranks(out: Path) -> None:
    items = set(pd.read_csv(out / "tables" / "answers.csv")["item"])
    assert {"ctx.now.01", "mng.card.01", "mng.rank.01", "ctx.points.now.01"} <= items
    assert not {"mng.line.01", "own.nominate.01"} & items
