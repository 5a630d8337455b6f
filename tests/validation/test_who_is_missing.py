"""Who is missing: against statsmodels by hand and R's formula of odds, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.responses import Responses, from_frame
from collabsurvey.validation import who_is_missing


def staff(n: int = 600, seed: int = 1) -> pd.DataFrame:
    """Three items; teaching assistants leave the first out more often."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.integers(1, 6, (n, 3)).astype(float), columns=list("abc"))
    frame["job"] = rng.choice(["assistant", "leader", "teacher"], n)
    frame["years"] = rng.integers(0, 30, n)
    frame["school"] = rng.integers(0, 20, n)
    gone = rng.random(n) < np.where(frame["job"] == "assistant", 0.4, 0.15)
    frame.loc[gone, "a"] = np.nan
    return frame


def answers(frame: pd.DataFrame, **roles: str) -> Responses:
    return from_frame(frame, scales={"s": ["a", "b", "c"]}, response_range=(1, 5), roles=roles)


def test_one_predictor_of_levels_gives_the_odds_ratios_of_the_table() -> None:
    frame = staff()
    found = who_is_missing(answers(frame), "a", predictors="job")
    gone = frame["a"].isna()
    odds = gone.groupby(frame["job"]).mean().pipe(lambda share: share / (1 - share))
    ratios = found.estimates.set_index("term")["odds_ratio"]
    assert_allclose(ratios["job[leader]"], odds["leader"] / odds["assistant"], rtol=1e-6)
    assert_allclose(ratios["job[teacher]"], odds["teacher"] / odds["assistant"], rtol=1e-6)
    # Large-sample error of a log odds ratio: the root of the summed reciprocal counts (Woolf, 1955)
    counts = pd.crosstab(frame["job"], gone).loc[["assistant", "leader"]].to_numpy()
    error = found.estimates.set_index("term")["std_error"]["job[leader]"]
    assert_allclose(error, np.sqrt((1 / counts).sum()), rtol=1e-6)
    assert found.n == 600
    assert found.n_missing == int(gone.sum())
    assert "Odds compared with: assistant (job)." in found.notes
    assert_allclose(found.shares["share"], gone.groupby(frame["job"]).mean())


def test_errors_over_schools_are_those_of_the_sandwich() -> None:
    frame = staff()
    found = who_is_missing(answers(frame, cluster="school"), "a", predictors=["years"])
    x = np.column_stack([np.ones(600), frame["years"]])
    y = frame["a"].isna().to_numpy(float)
    beta = found.estimates["estimate"].to_numpy()
    p = 1 / (1 + np.exp(-x @ beta))
    assert_allclose(x.T @ (y - p), 0, atol=1e-6)
    bread = np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x)
    sums = pd.DataFrame(x * (y - p)[:, None]).groupby(frame["school"]).sum().to_numpy()
    g = len(sums)
    meat = sums.T @ sums * g / (g - 1) * (600 - 1) / (600 - 2)
    assert_allclose(found.estimates["std_error"], np.sqrt(np.diag(bread @ meat @ bread)), rtol=1e-5)
    assert (found.estimates["df"] == g - 1).all()
    assert found.n_clusters == 20


def test_the_score_of_a_scale_is_missing_when_too_few_items_are_answered() -> None:
    frame = staff()
    frame.loc[:49, "b"] = np.nan
    found = who_is_missing(answers(frame), "s", predictors="years")
    assert found.n_missing == int((frame[["a", "b", "c"]].notna().sum(axis=1) < 2).sum())
    some = who_is_missing(answers(frame), ["a", "b"], predictors="years")
    assert some.n_missing == int(frame[["a", "b"]].isna().any(axis=1).sum())


def test_who_does_not_come_back() -> None:
    rng = np.random.default_rng(3)
    first = staff(200).assign(wave=1, who=range(200))
    stay = rng.random(200) < np.where(first["years"] > 15, 0.9, 0.5)
    second = first[stay].assign(wave=2)
    both = answers(pd.concat([first, second]), respondent="who", wave="wave")
    found = who_is_missing(both, predictors="years", absent_in=2)
    assert found.n == 200
    assert found.n_missing == int((~stay).sum())
    assert found.estimates["estimate"][1] < 0
    assert "an answer in wave 2" in found.summary()
    with pytest.raises(OptionError, match="absent_in"):
        who_is_missing(both, predictors="years", absent_in=1)
    with pytest.raises(UnknownNameError, match="no wave '3'"):
        who_is_missing(both, predictors="years", absent_in=3)


def test_what_is_refused() -> None:
    frame = staff()
    resp = answers(frame)
    with pytest.raises(DataError, match="is missing from nobody"):
        who_is_missing(resp, "b", predictors="job")
    with pytest.raises(NoVarianceError, match="predictor 'one'"):
        who_is_missing(answers(frame.assign(one=1)), "a", predictors="one")
    with pytest.raises(OptionError, match="of"):
        who_is_missing(resp, predictors="job")
    with pytest.raises(UnknownNameError, match="scale or item"):
        who_is_missing(resp, "z", predictors="job")
    with pytest.raises(UnknownNameError, match="Did you mean 'job'"):
        who_is_missing(resp, "a", predictors="jobb")
    with pytest.raises(NotEnoughDataError, match="rows with every predictor"):
        who_is_missing(answers(frame.head(8)), "a", predictors="job")
    separated = frame.assign(job=np.where(frame["a"].isna(), "x", "y"))
    with pytest.raises(DataError, match="Among job 'x' all of"):
        who_is_missing(answers(separated), "a", predictors="job")
    exact = frame.assign(years=frame["a"].isna() * 1.0)
    with pytest.raises(DataError, match="exactly who is missing"):
        who_is_missing(answers(exact), "a", predictors="years")
    with pytest.raises(DataError, match="follow from others"):
        who_is_missing(answers(frame.assign(m=frame["years"] * 12)), "a", predictors=["years", "m"])
    with pytest.raises(DataError, match="different values"):
        names = frame.assign(job=[f"p{i}" for i in range(600)])
        who_is_missing(answers(names), "a", predictors="job")


def test_few_schools_are_said() -> None:
    frame = staff().assign(school=lambda f: f["school"] % 4)
    with pytest.warns(FewClustersWarning, match="Only 4 clusters"):
        found = who_is_missing(answers(frame, cluster="school"), "a", predictors="years")
    assert any("Only 4 clusters" in note for note in found.notes)
    assert found.chart().to_svg().startswith("<svg")
