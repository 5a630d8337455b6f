"""The plan of an instrument in one call: what a study says, and what is still missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.instruments import add_evidence, load_instrument


@pytest.fixture(scope="module")
def staff() -> cs.Responses:
    """Three hundred people whose six answers share one factor, two of them reversed."""
    rng = np.random.default_rng(11)
    instrument = load_instrument("cynicism")
    latent = rng.normal(size=300)
    frame = pd.DataFrame({"id": np.arange(300), "school": np.arange(300) % 15})
    for item in instrument.items:
        answer = item.keyed * latent + rng.normal(size=300)
        frame[item.id] = np.clip(np.round(3 + answer), 1, 5)
    frame.loc[:5, "cyn.change.01"] = np.nan
    roles = {"respondent": "id", "cluster": "school"}
    return cs.from_frame(frame, instrument=instrument, roles=roles)


def test_one_row_a_score_with_what_it_lacks(staff: cs.Responses) -> None:
    found = cs.validate(staff, n_boot=100)
    row = found.to_frame().set_index("scale").loc["cyn.change"]
    alpha = cs.reliability.alpha(staff, "cyn.change", ci="feldt", cluster=None).estimate
    assert row["alpha"] == pytest.approx(alpha, abs=1e-4)  # records have four digits
    assert row["n"] == 300
    assert row["most_missing"] == pytest.approx(6 / 300)
    assert row["status"] == "draft"  # nobody has judged the content
    assert "A content record" in row["lacks"]
    assert "Validation of Cynicism about change" in found.summary()


def test_its_records_go_into_a_file(staff: cs.Responses, tmp_path: Path) -> None:
    own = tmp_path / "cynicism.yaml"
    own.write_bytes(Path("instruments/cynicism.yaml").read_bytes())
    found = cs.validate(
        staff, study="Pilot 2027", population="primary staff", structure="none", n_boot=100
    )
    added = add_evidence(own, found.records)
    assert len(load_instrument(own).evidence) == len(found.records) == len(added.records)
    assert not load_instrument("cynicism").evidence  # the shipped file is as it was


def test_synthetic_answers_are_looked_at_and_move_nothing() -> None:
    cohort = cs.simulate_cohort(
        ["cynicism"], n_partnerships=2, n_schools=12, n_staff=40, waves=1, seed=2
    )
    found = cs.validate(cohort.responses, structure="none", n_boot=100)
    assert {record.sample.kind for record in found.records} == {"simulated"}
    assert found.to_frame()["status"].tolist() == ["draft"]
    assert found.notes[0].startswith("Synthetic answers")


def test_derived_scores_have_no_row() -> None:
    cohort = cs.simulate_cohort(
        ["autonomy_accountability"], n_partnerships=2, n_schools=12, n_staff=20, waves=1, seed=2
    )
    found = cs.validate(cohort.responses, structure="none", n_boot=100).to_frame()
    assert found["scale"].tolist() == list(cohort.responses.instrument.examined_ids)
