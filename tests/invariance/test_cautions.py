"""What a reader must be told beside the levels: few people, people in several groups, clusters."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.errors import CollabSurveyWarning, DataError, UnknownNameError
from collabsurvey.invariance import alignment, consequences, ladder, partial

ITEMS = ["t1", "t2", "t3", "t4", "t5"]
MODEL = "trust =~ t1 + t2 + t3 + t4 + t5"


def drawn(n: int = 400, *, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    trust = rng.normal(size=(n, 1))
    frame = pd.DataFrame(3 + 0.8 * trust + 0.6 * rng.normal(size=(n, 5)), columns=ITEMS)
    return frame.assign(
        id=np.arange(n),
        role=np.where(np.arange(n) % 2, "leader", "teacher"),
        school=rng.integers(0, 25, n),
    )


def waves(n: int = 200) -> pd.DataFrame:
    """Two rows of each person, in two waves and about two partners."""
    both = pd.concat([drawn(n, seed=2), drawn(n, seed=3)], ignore_index=True)
    return both.assign(wave=np.repeat([1, 2], n), partner=np.repeat(["a", "b"], n))


def responses(frame: pd.DataFrame, **roles: str) -> cs.Responses:
    return cs.from_frame(frame, scales={"trust": ITEMS}, roles={"respondent": "id", **roles})


@pytest.mark.parametrize("method", [ladder, partial, alignment])
def test_people_in_several_groups_are_said(method: Any) -> None:
    result = method(responses(waves(), wave="wave"), MODEL, "wave")
    assert not any("pooled" in note for note in result.notes)
    said = [note for note in result.notes if "repeated='respondent'" in note]
    assert len(said) == 1
    assert said[0].startswith("200 people answered in more than one group of 'wave'")


def test_rows_of_a_person_within_a_wave_are_counted() -> None:
    frame = waves()
    more = pd.concat([frame, frame.assign(partner="c").head(30)], ignore_index=True)
    result = ladder(responses(more, wave="wave", partner="partner"), MODEL, "wave")
    assert "30 rows beyond the first of a person in a group of 'wave' are pooled." in result.notes


def test_rows_that_are_pooled_are_still_said() -> None:
    frame = waves()
    result = ladder(responses(frame, wave="wave"), MODEL, "role")
    assert "400 rows of 200 people: rows of each wave are pooled here." in result.notes
    assert not any("more than one group" in note for note in result.notes)


@pytest.mark.parametrize("method", [ladder, partial])
def test_clusters_are_counted(method: Any) -> None:
    assert "Errors over 25 clusters." in method(drawn(), MODEL, "role", cluster="school").notes
    few = drawn().assign(school=lambda one: one.school % 5)
    said = "Errors over 5 clusters: few, so that errors are rough."
    assert said in method(few, MODEL, "role", cluster="school").notes


def test_a_small_group_is_in_the_title() -> None:
    small = drawn().assign(role=lambda one: np.where(one.id < 10, "few", "many"))
    with pytest.warns(CollabSurveyWarning, match="'few' has 10"):
        result = ladder(small, MODEL, "role")
    assert "a group of 10" in result.cautions
    assert "(rough: a group of 10" in result.table().title
    assert "(rough: a group of 10" in result.chart().title
    assert result.notes[1].startswith("Group 'few' has 10 respondents")
    assert "rough" not in ladder(drawn(), MODEL, "role").table().title


def test_an_improper_configural_fit_is_in_the_title() -> None:
    # A single pair of items with a correlation above what the other pairs allow.
    rng = np.random.default_rng(4)
    cov = np.array([[1, 0.9, 0.5], [0.9, 1, 0.3], [0.5, 0.3, 1]])
    frame = pd.DataFrame(rng.multivariate_normal(np.zeros(3), cov, 400), columns=ITEMS[:3])
    frame["role"] = np.where(np.arange(400) % 2, "a", "b")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)
        result = ladder(frame, "trust =~ t1 + t2 + t3", "role")
    assert "improper configural" in result.table().title
    assert result.cautions[-1].startswith("improper configural")


@pytest.mark.parametrize("method", [ladder, partial, alignment])
def test_a_model_without_a_factor_is_refused(method: Any) -> None:
    with pytest.raises(DataError, match="no factor"):
        method(drawn(), "t1 ~ t2 + t3", "role")


@pytest.mark.parametrize("method", [ladder, partial])
def test_fit_is_of_one_kind(method: Any) -> None:
    ordered = drawn().assign(**{one: lambda f, one=one: f[one].round().clip(2, 4) for one in ITEMS})
    result = method(ordered, MODEL, "role", ordered=True)
    shown = result.table()
    assert any("(robust)" in name or "(scaled)" in name for name in shown.labels.values())


def test_the_search_and_the_ladder_show_the_same_index() -> None:
    data = drawn().assign(**{one: lambda f, one=one: f[one].round().clip(1, 5) for one in ITEMS})
    found = partial(data, MODEL, "role", estimator="MLR")
    climbed = ladder(
        data, MODEL, "role", estimator="MLR", levels=["configural", "metric", "scalar"]
    )
    assert found.version == climbed.judged.version == "robust"
    np.testing.assert_allclose(found.models.cfi, climbed.judged.cfi, atol=1e-6)


def test_large_samples_are_spoken_of_where_they_are_large() -> None:
    data = drawn(2000, seed=9)
    shared = 0.25 * np.random.default_rng(5).normal(size=len(data))  # what the model leaves out
    data = data.assign(t1=data.t1 + shared, t2=data.t2 + shared)
    result = ladder(data.assign(t3=data.t3 + 0.15 * (data.role == "leader")), MODEL, "role")
    row = result.to_frame().set_index("level").loc["scalar"]
    assert row.delta_p < 0.05  # else the sentence is not called for
    assert row.step_holds
    assert "In large samples tests find differences too small to matter." in result.summary()


def test_no_chi_square_below_zero() -> None:
    two = drawn().assign(**{one: lambda f, one=one: 1 + (f[one] > 3) for one in ITEMS})
    text = ladder(two, MODEL, "role", ordered=True).summary()
    assert "−0.00 " not in text
    assert "−0.000" not in text


def test_ladders_over_waves_can_be_copied() -> None:
    result = ladder(waves(), MODEL, "wave", repeated="id")
    for other in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert other.summary() == result.summary()
        pd.testing.assert_frame_equal(other.latent_means, result.latent_means)


def test_an_outcome_that_does_not_exist() -> None:
    data = drawn().assign(commitment=1.0)
    with pytest.raises(UnknownNameError, match=r"outcome= has no column 'comitment'.*'commitment'"):
        consequences(data, MODEL, "role", ["t3~1"], outcome="comitment")
    with pytest.raises(UnknownNameError, match="Available: commitment, id, school"):
        consequences(data, MODEL, "role", ["t3~1"], outcome="zz")
