"""The shipped questionnaires, and synthetic cohorts drawn from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.errors import CollabSurveyError
from collabsurvey.simulation import Truth

SHIPPED = {"trust", "role_identity", "culture", "collaborative_capacity"}


def test_list_of_instruments() -> None:
    table = cs.list_instruments()
    assert list(table.columns) == [
        "id",
        "title",
        "version",
        "status",
        "kind",
        "n_items",
        "n_scales",
        "licence",
    ]
    assert set(table["id"]) >= SHIPPED
    own = table[table["kind"] == "own"]
    assert (own["status"] == "draft").all()
    assert own["licence"].str.startswith("CC-BY").all()


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_instruments_hold_together(name: str) -> None:
    instrument = cs.load_instrument(name)
    row = cs.list_instruments().set_index("id").loc[name]
    assert len(instrument.item_ids) == row["n_items"] == len(set(instrument.item_ids))
    assert len(instrument.scale_ids) == row["n_scales"]
    for scale in instrument.scale_ids:
        items = instrument.items_of(scale)
        assert set(items) <= set(instrument.item_ids)
        assert set(instrument.keys_of(items)) <= {1, -1}


def test_unknown_instruments_and_files(tmp_path: Path) -> None:
    with pytest.raises(CollabSurveyError, match="trust"):
        cs.load_instrument("trsut")
    (tmp_path / "bad.yaml").write_text("id: [unclosed\n", encoding="utf-8")
    (tmp_path / "twice.yaml").write_text("id: a\nid: b\nextra: 1\n", encoding="utf-8")
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    for name in ("bad.yaml", "twice.yaml", "empty.yaml", "none.yaml", ""):
        with pytest.raises(CollabSurveyError, match=r"fault"):
            cs.load_instrument(tmp_path / name)


def test_all_faults_of_an_instrument_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("id: a\nid: b\nextra: 1\n", encoding="utf-8")
    with pytest.raises(CollabSurveyError) as caught:
        cs.load_instrument(path)
    assert "'id'" in str(caught.value)
    assert "line 2" in str(caught.value).lower()


def test_cohort_is_what_was_asked_for() -> None:
    cohort = cs.simulate_cohort(
        ["trust", "culture"], n_partnerships=2, n_schools=6, n_staff=10, waves=2, seed=5
    )
    answers = cohort.responses
    assert answers.synthetic
    assert any("ynthetic" in note for note in cs.score(answers).notes)
    roles = answers.roles
    assert answers.frame[roles["cluster"]].nunique() == 6
    assert answers.frame[roles["partnership"]].nunique() == 2
    assert set(answers.frame[roles["wave"]]) == {1, 2}
    assert answers.frame.groupby([roles["cluster"], roles["wave"]]).size().max() <= 10
    items = {*cs.load_instrument("trust").item_ids, *cs.load_instrument("culture").item_ids}
    assert items <= set(answers.frame.columns)
    assert cohort.outcomes["synthetic"].all()


def test_seed_fixes_everything() -> None:
    sizes = {"n_partnerships": 2, "n_schools": 4, "n_staff": 8, "waves": 1}
    first, again, other = (cs.simulate_cohort("trust", **sizes, seed=s) for s in (9, 9, 10))
    pd.testing.assert_frame_equal(first.answers, again.answers)
    pd.testing.assert_frame_equal(first.outcomes, again.outcomes)
    assert not first.answers.equals(other.answers)


def test_loadings_and_icc_are_recovered() -> None:
    truth = Truth(
        loadings=0.8, icc_school=0.3, icc_partnership=0.0, missing_share=0, careless_share=0
    )
    cohort = cs.simulate_cohort(
        "trust", n_partnerships=20, n_schools=80, n_staff=30, waves=1, truth=truth, seed=2
    )
    answers = cohort.responses
    scale = "tru.expect"
    alpha = cs.reliability.alpha(answers, scale, ci="feldt").estimate
    k = len(answers.instrument.items_of(scale))
    implied = k * 0.64 / (1 + (k - 1) * 0.64)
    assert alpha == pytest.approx(implied, abs=0.03)
    icc = cs.multilevel.icc(cs.score(answers), scale, "cluster").to_frame()["icc1"].iloc[0]
    assert icc == pytest.approx(0.3 * alpha, abs=0.06)


@pytest.mark.parametrize(
    "options",
    [
        {"n_schools": 0},
        {"waves": 0},
        {"n_staff": 0},
        {"n_staff": (9, 3)},
        {"seed": -1},
        {"n_schools": 2, "n_partnerships": 5},
        {"truth": Truth(loadings={"nope": 0.5})},
    ],
)
def test_impossible_cohorts(options: dict[str, object]) -> None:
    with pytest.raises(CollabSurveyError):
        cs.simulate_cohort("trust", **options)  # type: ignore[arg-type]
    with pytest.raises(CollabSurveyError, match="nope"):
        cs.simulate_cohort(["trust", "nope"])


def test_turned_round_items_are_turned_in_scoring_only() -> None:
    cohort = cs.simulate_cohort("trust", n_schools=4, n_staff=20, waves=1, seed=1)
    answers = cohort.responses
    instrument = answers.instrument
    scale = "tru.invest.people"
    items = list(instrument.items_of(scale))
    keys = np.array(instrument.keys_of(items))
    assert -1 in keys
    raw = answers.frame[items].to_numpy(float)
    keyed = np.where(keys > 0, raw, 6 - raw)
    enough = np.isfinite(keyed).sum(axis=1) >= np.ceil(len(items) * 2 / 3)
    expected = np.where(enough, np.nanmean(np.where(enough[:, None], keyed, 0), axis=1), np.nan)
    found = cs.score(answers, scale).to_frame()[scale]
    np.testing.assert_allclose(found, expected)
