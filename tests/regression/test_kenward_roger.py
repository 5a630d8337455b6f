"""Kenward-Roger covariances, df and F tests against pbkrtest and lmerTest."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, NotSupportedError, OptionError, SingularFitWarning
from collabsurvey.numerics import random_systems
from collabsurvey.regression.anova import anova
from collabsurvey.regression.mixed import mixed
from collabsurvey.regression.mixed_blocks_of import kenward_roger_of
from collabsurvey.regression.mixed_result import MixedResult
from support import REFERENCE, dataset, gold, matrix

STORED = json.loads((REFERENCE / "kenward_roger.json").read_text(encoding="utf-8"))["models"]
GOLD = {n: e for n, e in gold("08_mixed_models").items() if "vcov_kenward_roger" in e["values"]}
ANOVA = {
    n: e for n, e in gold("08_mixed_models").items() if "anova_typeIII_satterthwaite" in e["values"]
}


def stored_data(name: str) -> pd.DataFrame:
    """The rows that kenward_roger.R keeps; R counts from 1."""
    if name in {"few", "flat"}:
        exam = dataset("exam")
        few = exam[exam["school"].isin([*range(1, 13), 48, 54])].copy()
        within = few["normexam"] - few.groupby("school")["normexam"].transform("mean")
        return few.assign(y=within + 0.3 * few["standLRT"])
    dropped = {
        "sleep": ("sleepstudy", [3, 4, 5, 17, 33, 34, 60, 61, 62, 63, 99, *range(140, 147)]),
        "pastes": ("pastes", [1, 2, 9, 17, 30, 31, 32, 44, 59]),
        "penicillin": ("penicillin", [1, 2, 3, 4, 5, 20, 37, 38, 90, 141, 142, 143, 144]),
    }
    data, rows = dropped[name]
    kept = dataset(data).drop(index=np.array(rows) - 1).reset_index(drop=True)
    if name == "sleep":
        return kept.assign(late=(kept["Days"] > 5).astype(float))
    return kept.assign(early=(np.arange(1, len(kept) + 1) % 3 == 0).astype(float))


def fitted(formula: str, data: pd.DataFrame) -> MixedResult:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        return mixed(formula, data)


def check(result: MixedResult, table: np.ndarray, vcov: np.ndarray) -> None:
    """Estimates, errors, df of R's coefficient table, and the adjusted covariance."""
    found = kenward_roger_of(result)
    covariance = result.basis @ found.covariance @ result.basis.T
    assert_allclose(result.coefficients, table[:, 0], rtol=1e-4, atol=1e-5)
    assert_allclose(np.sqrt(np.diag(covariance)), table[:, 1], rtol=1e-4)
    assert_allclose(found.df(result.basis), table[:, 2], rtol=1e-3)
    size = np.sqrt(np.outer(np.diag(vcov), np.diag(vcov)))
    assert (np.abs(covariance - vcov) < 2e-4 * size).all()


@pytest.mark.parametrize("name", STORED)
def test_covariance_and_df_match_pbkrtest(name: str) -> None:
    stored = STORED[name]
    data = stored_data(stored["data"])
    assert len(data) == stored["rows"]
    result = fitted(stored["formula"], data)
    assert list(result.terms) == stored["coefficients"]
    check(result, np.array(stored["table"]), np.array(stored["vcov"]))


@pytest.mark.parametrize("name", STORED)
def test_f_tests_match_pbkrtest_and_lmertest(name: str) -> None:
    stored = STORED[name]
    result = fitted(stored["formula"], stored_data(stored["data"]))
    found = anova(result, df_method="kenward-roger").to_frame()
    terms = [stored["terms"]] if isinstance(stored["terms"], str) else stored["terms"]
    assert found["term"].tolist() == terms
    expected = np.array(stored["anova"])  # NumDF, DenDF, F, p
    assert_allclose(found["df1"], expected[:, 0])
    assert_allclose(found["df2"], expected[:, 1], rtol=1e-3)
    assert_allclose(found["statistic"], expected[:, 2], rtol=3e-4)
    assert_allclose(found["p_value"], expected[:, 3], rtol=0, atol=1e-5)
    joint = kenward_roger_of(result).test(result.basis[1:], result.coefficients[1:])
    assert_allclose(joint.statistic, stored["joint"]["F"], rtol=3e-4)
    assert_allclose(joint.df2, stored["joint"]["df"], rtol=1e-3)
    assert_allclose(joint.scaling, stored["joint"]["scaling"], rtol=1e-5)
    assert_allclose(joint.p_value, stored["joint"]["p"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", GOLD)
def test_gold_tables_match(name: str) -> None:
    entry = GOLD[name]
    formula = entry["method"].split("lmer(")[1].split(", REML")[0]
    result = mixed(formula, dataset(entry["dataset"].removesuffix(".csv")))
    rows = entry["values"]["fixed_kenward_roger"]
    table = np.array([[row[k] for k in ("Estimate", "Std. Error", "df")] for row in rows])
    check(result, table, matrix(entry["values"]["vcov_kenward_roger"]).to_numpy())


def anova_data(entry: dict[str, Any]) -> tuple[str, pd.DataFrame]:
    formula = entry["method"].split("lmer(")[1].split(", REML")[0]
    data = dataset(entry["dataset"].removesuffix(".csv"))
    if entry["dataset"] == "exam.csv":
        data["gm"] = data.groupby("school")["standLRT"].transform("mean")
        data["within"] = data["standLRT"] - data["gm"]
    if entry["dataset"] == "star3.csv":
        levels = ["reg", *sorted(set(data["cltype"]) - {"reg"})]
        data["cltype"] = pd.Categorical(data["cltype"], categories=levels)
    return formula, data


@pytest.mark.parametrize("name", ANOVA)
def test_satterthwaite_anova_matches_lmertest(name: str) -> None:
    entry = ANOVA[name]
    formula, data = anova_data(entry)
    result = mixed(formula, data, reml=entry["values"]["REML"])
    found = anova(result).to_frame().set_index("term")
    for row in entry["values"]["anova_typeIII_satterthwaite"]:
        ours = found.loc[row["_row"]]
        assert_allclose(ours["statistic"], row["F value"], rtol=3e-4)
        assert ours["df1"] == row["NumDF"]
        assert_allclose(ours["df2"], row["DenDF"], rtol=1e-3)
        assert_allclose(ours["p_value"], row["Pr(>F)"], rtol=0, atol=2e-5)


def test_anova_does_not_depend_on_the_reference_level() -> None:
    data = stored_data("few")
    formula = "normexam ~ standLRT * schgend + (standLRT | school)"
    one = anova(fitted(formula, data)).to_frame()
    renamed = data.assign(schgend=data["schgend"].map({"boys": "z", "girls": "b", "mixed": "a"}))
    other = anova(fitted(formula, renamed)).to_frame()
    assert_allclose(other["statistic"], one["statistic"], rtol=1e-5)
    assert_allclose(other["df2"], one["df2"], rtol=1e-3)


def test_chi_square_tests_and_a_model_without_intercept() -> None:
    data = stored_data("few")
    result = mixed("normexam ~ standLRT + schgend + (1 | school)", data, df_method="z")
    found = anova(result).to_frame()
    assert found["test"].tolist() == ["chi-square"] * 2
    assert np.isinf(found["df2"]).all()
    wald = result.wald("schgend").iloc[0]
    assert_allclose(found["statistic"][1], wald["statistic"], rtol=1e-8)
    assert_allclose(found["p_value"][1], wald["p_value"], rtol=1e-8)
    # Without an intercept the first factor keeps a mean for every level, as in R.
    every = mixed("normexam ~ 0 + schgend + standLRT + (1 | school)", data)
    tested = anova(every).to_frame().set_index("term")
    assert tested.loc["schgend", "df1"] == 3
    expected = every.wald("standLRT").iloc[0]
    assert_allclose(tested.loc["standLRT", "statistic"], expected["statistic"], rtol=1e-8)


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = dataset("sleepstudy")
    by_likelihood = mixed("Reaction ~ Days + (1 | Subject)", sleep, reml=False)
    with pytest.raises(OptionError, match="a fit with reml=True"):
        anova(by_likelihood, df_method="kenward-roger")
    with pytest.raises(OptionError, match="kenward-roger"):
        anova(by_likelihood, df_method="kr")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="intercept only"):
        anova(mixed("Reaction ~ 1 + (1 | Subject)", sleep))
    crossed = mixed("diameter ~ 1 + (1 | plate) + (1 | sample)", dataset("penicillin"))
    monkeypatch.setattr(random_systems, "MOST_EFFECTS", 20)
    with pytest.raises(NotSupportedError, match="30 effects of crossed factors"):
        kenward_roger_of(crossed)


def test_shown_to_a_reader() -> None:
    result = anova(fitted("normexam ~ standLRT * schgend + (1 | school)", stored_data("few")))
    text = result.summary()
    assert "Satterthwaite df, each term given all others (type III)" in text
    assert "standLRT:schgend" in text
    assert "tested at the mean of the levels of factors" in text
    assert result.plot() is not None
    assert "<table" in result._repr_html_()
