"""Models of a study: errors that respect schools, the sensitivity figure, faults before the run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from collabsurvey.regression import ols
from collabsurvey.reporting.model_release import release_model
from collabsurvey.reporting.record import ModelRecord
from collabsurvey.study import Study
from study_files import answers, outcomes, plan, write_study

pytestmark = pytest.mark.filterwarnings("ignore::collabsurvey.errors.FewClustersWarning")


def fitted(folder: Path, **model: str) -> ModelRecord:
    study = plan()
    study["analysis"]["models"][0].update(model)
    return Study.from_yaml(write_study(folder, study)).run().record.models[0]


def test_staff_of_one_school_are_never_independent(tmp_path: Path) -> None:
    study = plan(outcomes=[])
    file = study["responses"][0]
    file["scales"] = {"one": ["q1", "q2"], "two": ["q3", "q4"]}
    model = {"name": "m", "unit": "respondent", "formula": "one ~ two"}
    study["analysis"] = {"models": [model]}
    run = Study.from_yaml(write_study(tmp_path, study)).run()
    result = run.record.models[0].result
    expected = ols("one ~ two", run.record.scores, cluster="school").estimates
    assert result.estimates["std_error"].tolist() == expected["std_error"].tolist()
    assert "by school" in result.title


@pytest.mark.parametrize("condition", ["climate", "climate_between", "center(climate_between)"])
def test_the_sensitivity_figure_undoes_the_pull_towards_zero(
    tmp_path: Path, condition: str
) -> None:
    record = fitted(tmp_path, formula=f"attendance ~ {condition} + C(year) + (1 | school)")
    (figure,) = record.calibrated
    assert figure.term == condition
    assert 0 < figure.reliability < 1
    # Schools of equal size are shrunken by one factor, so the slope grows by its inverse.
    assert figure.adjusted == pytest.approx(figure.estimate / figure.reliability, rel=1e-6)


@pytest.mark.filterwarnings("ignore::collabsurvey.errors.SingularFitWarning")
def test_several_grouping_factors(tmp_path: Path) -> None:
    study = plan()
    formula = "attendance ~ climate_between + (1 | school) + (1 | year)"
    study["analysis"]["models"][0].update({"formula": formula})
    run = Study.from_yaml(write_study(tmp_path, study)).run()
    record = run.record.models[0]
    assert list(record.result.fit["n_groups"]) == ["school", "year"]
    released = release_model(record, run.record)
    assert released.cluster_word == "year"
    assert released.n_clusters == record.result.fit["n_groups"]["year"]
    assert released.variance_components is not None
    assert released.variance_components["group"].tolist() == ["school", "year", "Residual"]


@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        ("attendance ~ constant + (1 | school)", "'constant' has the same value in every row"),
        ("word ~ climate_between + (1 | school)", "The outcome 'word' is text"),
        ("attendance ~ log(zero) + (1 | school)", r"log\(zero\) is not defined in 12 rows"),
        (
            "attendance ~ climate_between + (0 + climate | school)",
            "terms in brackets out and say cluster",
        ),
    ],
)
def test_check_finds_what_no_model_can_be_fitted_to(
    tmp_path: Path, formula: str, sentence: str
) -> None:
    study = plan()
    study["analysis"]["models"][0]["formula"] = formula
    results = outcomes().assign(constant=3.0, word="high", zero=np.zeros(12))
    path = write_study(tmp_path, study, staff=answers(), results=results)
    (fault,) = Study.from_yaml(path).check().faults
    assert re.search(f"^model 'attendance': .*{sentence}", fault)
