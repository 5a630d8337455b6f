"""The three studies of real data run from their files, and agree with what is known of the data."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest

from collabsurvey import regression
from collabsurvey.study import Study

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::collabsurvey.errors.CollabSurveyWarning")
@pytest.mark.parametrize(
    ("name", "rows_read", "rows", "clusters"),
    [
        ("online-science-courses", 1102 + 603, [484, 484], [25, 25]),
        ("nyc-schools-2011", 455 + 17095, [764, 764, 764], [166, 9, 166]),
        ("nyc-school-explorer-2016", 1272 + 1272, [1216, 1216, 1216], [32, 32, 32]),
    ],
)
def test_a_real_study_runs_from_its_file(
    real_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    rows_read: int,
    rows: list[int],
    clusters: list[int],
) -> None:
    monkeypatch.setenv("COLLABSURVEY_DATA", str(real_data))
    run = Study.from_yaml(STUDIES / f"{name}.yaml").run()
    assert [model.rows_used for model in run.record.models] == rows
    assert [model.result.fit["n_groups"] for model in run.record.models] == clusters
    read = [line.n for line in run.record.ledger if line.what.startswith("rows read")]
    assert sum(read) == rows_read
    report = run.report(tmp_path / "out").read_text(encoding="utf-8")
    assert run.record.title in report


def estimates(formula: str, table: pd.DataFrame) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = regression.ols(formula, table)
    return result.estimates.set_index("term").assign(n=result.fit["n_obs"], r2=result.fit["r2"])


def test_proficiency_and_collaborative_teachers(real_data: Path) -> None:
    table = pd.read_csv(real_data / "nyc-school-explorer-2016" / "school_explorer_2016.csv")
    percent = table["Collaborative Teachers %"].str.rstrip("%")
    frame = pd.DataFrame(
        {
            "ela": pd.to_numeric(table["Average ELA Proficiency"], errors="coerce"),
            "teachers": pd.to_numeric(percent, errors="coerce"),
            "need": pd.to_numeric(table["Economic Need Index"], errors="coerce"),
        }
    )
    alone = estimates("ela ~ teachers", frame).loc["teachers"]
    assert alone["n"] == 1217
    assert alone["estimate"] == pytest.approx(0.0140, abs=5e-5)
    assert alone["std_error"] == pytest.approx(0.0013, abs=5e-5)
    assert alone["r2"] == pytest.approx(0.082, abs=5e-4)
    both = estimates("ela ~ teachers + need", frame)
    assert both.loc["teachers", "estimate"] == pytest.approx(0.0063, abs=5e-5)
    assert both.loc["need", "estimate"] == pytest.approx(-1.343, abs=5e-4)
    assert both.loc["need", "r2"] == pytest.approx(0.666, abs=5e-4)


def test_graduation_and_communication(real_data: Path) -> None:
    path = real_data / "nyc-schools-2011" / "high_schools_joined_by_third_party.csv"
    frame = pd.read_csv(path)
    alone = estimates("grads_percent ~ com_t_11", frame).loc["com_t_11"]
    assert alone["n"] == 310
    assert alone["estimate"] == pytest.approx(0.86, abs=5e-3)
    assert alone["std_error"] == pytest.approx(1.11, abs=5e-3)
    lunch = estimates("grads_percent ~ com_t_11 + frl_percent", frame).loc["com_t_11"]
    assert lunch["n"] == 298
    assert lunch["estimate"] == pytest.approx(0.21, abs=5e-3)


def test_final_grades_and_motivation(real_data: Path) -> None:
    frame = pd.read_csv(real_data / "online-science-courses" / "sci_mo_processed.csv")
    found = estimates("FinalGradeCEMS ~ `int` + pc + uv", frame)
    assert found["n"].iloc[0] == 503
    assert found["r2"].iloc[0] == pytest.approx(0.024, abs=5e-4)
    for term, estimate, error in (("int", 2.57, 2.27), ("pc", -5.18, 2.00), ("uv", -2.22, 1.81)):
        row = found.loc[next(name for name in found.index if term in name)]
        assert row["estimate"] == pytest.approx(estimate, abs=5e-3)
        assert row["std_error"] == pytest.approx(error, abs=5e-3)
