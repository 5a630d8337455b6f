"""Edges of the public contract: odd types, odd names, and every error a sentence of ours."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.errors import CollabSurveyError
from support import BFI_SCALES, dataset

AGREE = BFI_SCALES["agree"]


@pytest.fixture
def df() -> pd.DataFrame:
    df = dataset("bfi").head(300)
    return df.assign(school=[f"S{row % 15:02d}" for row in range(len(df))])


def fielded(df: Any, **changes: Any) -> cs.Responses:
    options: dict[str, Any] = {
        "scales": {"agree": AGREE},
        "reverse_keyed": ["A1"],
        "response_range": (1, 6),
        "roles": {"respondent": "id", "cluster": "school"},
    }
    return cs.from_frame(df, **{**options, **changes})


# 1. Numbers in an object column silently become categories.


def test_numbers_in_an_object_column_are_numbers(df: pd.DataFrame) -> None:
    used = df.assign(A2=df["A2"].astype(object).where(df["A2"].notna(), None))
    for fit in (
        lambda d: cs.regression.ols("age ~ A2", d),
        lambda d: cs.regression.mixed("age ~ A2 + (1 | school)", d),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = fit(df).estimates
            try:
                found = fit(used).estimates
            except CollabSurveyError:
                continue  # refusing by name would do as well; guessing does not
        pd.testing.assert_frame_equal(found, plain)


# 2. A group column called like an output column is overwritten.


@pytest.mark.parametrize("name", ["n", "mean", "scale"])
def test_aggregate_keeps_or_refuses_a_group_column_of_that_name(
    df: pd.DataFrame, name: str
) -> None:
    renamed = df[["school", "A2"]].rename(columns={"school": name})
    try:
        found = cs.multilevel.aggregate(renamed, name, scales=["A2"]).to_frame()
    except CollabSurveyError as error:
        assert name in str(error)
    else:
        assert set(found.iloc[:, 0]) == set(df["school"])


# 3. Partnership means treat staff as independent although the schools are known.


def test_partnership_means_respect_the_cluster_role_or_say_not(df: pd.DataFrame) -> None:
    grouped = df.assign(partnership=df["school"].str[1:].astype(int) // 5)
    roles = {"respondent": "id", "cluster": "school", "partnership": "partnership"}
    scores = cs.score(fielded(grouped, roles=roles))
    found = cs.multilevel.aggregate(scores, "partnership")
    through = cs.multilevel.aggregate(scores, "partnership", through="school")
    same = np.allclose(found.to_frame()["se"], through.to_frame()["se"])
    assert same or any("school" in note or "independent" in note for note in found.notes)


# 4. An outcome that is constant within groups ends in a LinAlgError.


def test_school_level_outcome_on_staff_rows_gets_a_sentence(df: pd.DataFrame) -> None:
    attendance = df["school"].str[1:].astype(float).mul(1.7).round(1)
    with pytest.raises(CollabSurveyError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cs.regression.mixed("attendance ~ A2 + (1 | school)", df.assign(attendance=attendance))


# 5. conf_level is not looked at by ols and mixed.


@pytest.mark.parametrize("level", [95, 0, 1, -0.5, float("nan"), "0.95"])
def test_confidence_level_is_checked(df: pd.DataFrame, level: Any) -> None:
    with pytest.raises(CollabSurveyError):
        _ = cs.regression.ols("age ~ A2", df, conf_level=level).estimates
    with pytest.raises(CollabSurveyError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _ = cs.regression.mixed("age ~ A2 + (1 | school)", df, conf_level=level).estimates


# 6. Long ids lose their last digits as names of levels.


def test_levels_of_long_ids_have_their_own_names(df: pd.DataFrame) -> None:
    ids = 10**15 + np.arange(len(df)) % 3
    terms = cs.regression.ols("age ~ C(code)", df.assign(code=ids)).estimates["term"]
    assert terms.tolist() == ["(Intercept)", "C(code)1000000000000001", "C(code)1000000000000002"]


# 7. A scale named as a role column or another column.


@pytest.mark.parametrize(("name", "keep"), [("school", ["cluster"]), ("id", ["respondent"])])
def test_scale_named_as_a_column_that_is_kept(df: pd.DataFrame, name: str, keep: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(CollabSurveyError, match=name):
            cs.score(fielded(df, scales={name: AGREE})).to_frame(keep=keep)


# 8. overview(by=...) turns levels into text: 10 comes before 2, and nothing joins.


def test_overview_keeps_the_type_of_by(df: pd.DataFrame) -> None:
    waves = pd.concat([df.assign(wave=wave) for wave in (1, 2, 10)])
    answers = fielded(waves, roles={"respondent": "id", "wave": "wave"})
    found = cs.reliability.overview(answers, by="wave", ci="feldt").to_frame()
    assert found["wave"].tolist() == [1, 2, 10]


def test_overview_counts_rows_without_a_level(df: pd.DataFrame) -> None:
    half = df.assign(group=np.where(np.arange(len(df)) < 100, "a", None))
    result = cs.reliability.overview(fielded(half), by="group", ci="feldt")
    assert any("200" in note for note in result.notes)


# 9. Errors of other packages instead of a sentence.


@pytest.mark.parametrize(
    "call",
    [
        lambda df: fielded(df, min_valid=0.5),
        lambda df: cs.score(df),
        lambda df: cs.reliability.alpha(df, "agree"),
        lambda df: cs.reliability.overview(df),
        lambda df: cs.reliability.alpha(fielded(df), []),
        lambda df: cs.concat(fielded(df)),
        lambda df: cs.simulate_cohort("trust", n_schools=4, truth={"icc_skool": 0.2}),
        lambda df: cs.regression.ols("age ~ " + "(" * 3000 + "A2" + ")" * 3000, df),
    ],
    ids=[
        "min_valid float",
        "score of a frame",
        "alpha of a frame",
        "overview of a frame",
        "alpha of no items",
        "concat of one",
        "truth as a mapping",
        "deep formula",
    ],
)
def test_every_error_is_ours(df: pd.DataFrame, call: Any) -> None:
    with pytest.raises(CollabSurveyError):
        call(df)


@pytest.mark.parametrize("rule", ["3/2", 9, "50%", "most"])
def test_impossible_min_valid_is_refused_where_it_is_given(df: pd.DataFrame, rule: Any) -> None:
    with pytest.raises(CollabSurveyError, match="min_valid"):
        fielded(df, min_valid=rule)


def test_item_named_twice_in_a_scale_is_refused_where_it_is_given(df: pd.DataFrame) -> None:
    with pytest.raises(CollabSurveyError, match="A2"):
        fielded(df, scales={"s": ["A2", "A2", "A3"]}, reverse_keyed=[])


def test_dropping_every_row_is_refused(df: pd.DataFrame) -> None:
    with pytest.raises(CollabSurveyError):
        fielded(df.assign(**dict.fromkeys(AGREE, np.nan)), repair={"empty_rows": "drop"})


# 10. Frozen, and free to travel.


def test_fit_cannot_be_changed(df: pd.DataFrame) -> None:
    fit = cs.regression.ols("age ~ A2", df).fit
    with pytest.raises(TypeError):
        fit["aic"] = 0.0  # type: ignore[index]


def test_basis_cannot_be_changed(df: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="read-only"):
        cs.regression.ols("age ~ A2", df).basis[...] = 0


def test_responses_and_scores_can_be_copied_and_pickled(df: pd.DataFrame) -> None:
    answers = fielded(df)
    assert copy.deepcopy(answers).n_rows == len(df)
    assert pickle.loads(pickle.dumps(answers)).n_rows == len(df)
    assert pickle.loads(pickle.dumps(cs.score(answers))).n_scored


# 11. Smaller things.


def test_two_schools_give_no_numpy_warning(df: pd.DataFrame) -> None:
    answers = fielded(df.assign(school=np.arange(len(df)) % 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", cs.errors.FewClustersWarning)
        cs.reliability.alpha(answers, "agree")


def test_all_faults_of_the_answers_come_at_once(df: pd.DataFrame) -> None:
    broken = df.assign(A2="often", A3=9)
    with pytest.raises(CollabSurveyError) as caught:
        fielded(broken)
    assert "'A2'" in str(caught.value)
    assert "'A3'" in str(caught.value)


def test_described_scores_with_a_weight_role_say_that_they_are_unweighted(
    df: pd.DataFrame,
) -> None:
    weighted = df.assign(w=np.linspace(0.1, 3, len(df)))
    result = cs.score(fielded(weighted, roles={"respondent": "id", "weight": "w"}))
    scores = result.to_frame()["agree"]
    known = scores.notna().to_numpy()
    weighted_mean = np.average(scores[known], weights=weighted["w"][known])
    assert result.mean[0] == pytest.approx(weighted_mean) or any(
        "eight" in note for note in result.notes
    )
