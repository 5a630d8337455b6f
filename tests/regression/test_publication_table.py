"""One table for models of different kinds: each with its own quantities."""

from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import OptionError
from collabsurvey.regression import compare, mixed, ols
from collabsurvey.regression.generalized_linear import counts, logit
from collabsurvey.regression.mixed_counts import mixed_counts
from collabsurvey.regression.mixed_logit import mixed_logit
from collabsurvey.regression.mixed_ordinal import mixed_ordinal
from collabsurvey.regression.results import RegressionResult
from support import dataset

FORMULA = "use01 ~ age10 + urban"


@cache
def women() -> pd.DataFrame:
    data = dataset("contraception").astype({"district": str})
    return data.assign(use01=(data["use"] == "Y").astype(int), age10=data["age"] / 10)


@cache
def slopes() -> RegressionResult:
    return mixed("normexam ~ standLRT + (1 + standLRT | school)", dataset("exam"))


@cache
def odds(n_quad: int = 7) -> RegressionResult:
    return mixed_logit(f"{FORMULA} + (1 | district)", women(), n_quad=n_quad)


@cache
def single() -> RegressionResult:
    return logit(FORMULA, women(), cluster="district")


def rows_of(*models: RegressionResult, **options: object) -> pd.DataFrame:
    table = compare(models, **options).table()  # type: ignore[arg-type]
    return pd.DataFrame({k: list(v) for k, v in table.columns.items()}).set_index("term")


def test_every_kind_has_its_own_quantities() -> None:
    wine = dataset("wine").astype({"rating": int})
    ordered = mixed_ordinal("rating ~ temp + (1 | judge)", wine)
    crossed = mixed("diameter ~ 1 + (1 | plate) + (1 | sample)", dataset("penicillin"))
    rows = rows_of(slopes(), odds(), ordered, crossed, names=["lin", "logit", "ord", "crossed"])
    parts = slopes().variance_components.set_index("term1")["sdcor"]
    assert rows.loc["SD (Intercept), school", "lin"] == f"{parts['(Intercept)'].iloc[0]:.3f}"
    assert rows.loc["SD standLRT, school", "lin"] == f"{parts['standLRT']:.3f}"
    correlation = slopes().variance_components["sdcor"][2]
    assert rows.loc["correlation (Intercept), standLRT, school", "lin"] == f"{correlation:.2f}"
    assert rows.loc["residual SD", "lin"] == f"{slopes().fit['sigma']:.3f}"
    assert rows.loc["residual SD", ["logit", "ord"]].isna().all()
    assert rows.loc["SD (Intercept), district", "logit"] is not None
    assert {"SD (Intercept), plate", "SD (Intercept), sample"} <= set(rows.index)
    threshold = ordered.thresholds.iloc[0]
    assert rows.loc["1|2", "ord"].startswith(f"{threshold['estimate']:.3f}".replace("-", "−"))
    assert "p " not in rows.loc["1|2", "ord"]
    assert rows.loc["groups", "crossed"] == "24 plate, 6 sample"
    assert rows.loc["model"].tolist() == [
        "mixed linear", "mixed logistic", "mixed ordinal (logit)", "mixed linear"
    ]  # fmt: skip
    assert rows.loc["fitted by"].tolist()[:3] == ["REML", *["ML, 7 quadrature points"] * 2]
    assert rows.loc["R² marginal", "lin"] == f"{slopes().fit['r2_marginal']:.3f}"
    assert rows.loc["ICC", "ord"] == f"{ordered.fit['icc']:.3f}"
    assert rows.index[-2:].tolist() == ["groups", "log-likelihood"]  # AIC: nothing to compare


def test_errors_and_df_are_named() -> None:
    exam = dataset("exam")
    rows = rows_of(
        ols("normexam ~ standLRT", exam, cluster="school"),
        ols("normexam ~ standLRT", exam, cov="HC2"),
        mixed("normexam ~ standLRT + (1 | school)", exam, df_method="z"),
        single(),
        odds(),
    )
    assert rows.loc["standard errors"].tolist() == [
        "CR2 by school", "HC2", "model-based", "CR1S by district", "model-based"
    ]  # fmt: skip
    assert rows.loc["degrees of freedom"].tolist() == [
        "Satterthwaite", "rows − terms", "normal distribution", "clusters − 1",
        "normal distribution",
    ]  # fmt: skip


def test_stars_stay_off_spreads_and_ratios_off_standard_deviations() -> None:
    plain, starred = rows_of(odds()), rows_of(odds(), p_values="stars", show="std_error")
    assert "***" in starred.loc["urbanY", "(1)"]
    for row in ("SD (Intercept), district", "ICC", "R² marginal", "log-likelihood"):
        assert "*" not in starred.loc[row, "(1)"]
    assert "*" not in "".join(plain["(1)"].dropna())
    assert ", p < .001" in plain.loc["urbanY", "(1)"]
    ratios = rows_of(slopes(), odds(), exponentiate=True)
    found = odds().ratios.set_index("term").loc["urbanY"]  # type: ignore[attr-defined]
    shown = f"{found['odds_ratio']:.3f} [{found['ci_low']:.3f}, {found['ci_high']:.3f}]"
    assert ratios.loc["urbanY", "(2)"].startswith(shown)
    assert ratios.loc["coefficients are"].tolist() == ["outcome", "odds ratio"]
    assert (
        ratios.loc["SD (Intercept), district", "(2)"]
        == plain.loc["SD (Intercept), district", "(1)"]
    )
    assert ratios.loc["standLRT", "(1)"] == rows_of(slopes()).loc["standLRT", "(1)"]
    bare = rows_of(odds(), show="estimate", p_values="none", digits=1)
    assert bare.loc["urbanY", "(1)"] == f"{odds().coefficients[2]:.1f}"


def test_frame_stays_on_the_scale_of_each_model() -> None:
    result = compare([single(), odds()], exponentiate=True)
    assert_allclose(
        result.to_frame()["estimate"],
        np.concatenate((single().coefficients, odds().coefficients)),
    )
    again = pickle.loads(pickle.dumps(result))
    assert again.summary() == result.summary()


def aic_of(*models: RegressionResult) -> tuple[list[bool], str]:
    rows, notes = rows_of(*models), " ".join(compare(models).notes)
    if "AIC" not in rows.index:
        return [False] * len(models), notes
    return rows.loc["AIC"].notna().tolist(), notes


def test_aic_stands_only_where_likelihoods_can_be_compared() -> None:
    exam = dataset("exam")
    reml = slopes()
    same = mixed("normexam ~ standLRT + (1 | school)", exam)
    other = mixed("normexam ~ standLRT + sex + (1 | school)", exam)
    assert aic_of(reml)[0] == [True]
    assert aic_of(reml, same)[0] == [True, True]
    shown, notes = aic_of(reml, same, other)
    assert shown == [True, True, False]
    assert "REML likelihoods of models with different fixed parts" in notes
    assert "between (1) and (2) only" in notes
    ml = [mixed(f"normexam ~ {x} + (1 | school)", exam, reml=False) for x in ("standLRT", "sex")]
    assert aic_of(*ml, ols("normexam ~ standLRT", exam))[0] == [True] * 3
    assert aic_of(ml[0], same)[0] == [False, False]


def test_quadrature_outcomes_rows_and_weights_forbid_it() -> None:
    shown, notes = aic_of(odds(7), odds(1))
    assert shown == [False, False]
    assert "quadrature points" in notes
    assert aic_of(odds(7), single())[0] == [True, True]
    assert aic_of(odds(1), single())[0] == [False, False]
    shown, notes = aic_of(single(), ols("use01 ~ age10", women()))
    assert shown == [False, False]
    assert "kinds of outcome differ" in notes
    fewer = logit("use01 ~ age10", women().head(900))
    shown, notes = aic_of(logit("use01 ~ age10", women()), fewer)
    assert shown == [False, False]
    assert "different rows" in notes
    weighted = logit("use01 ~ age10", women().assign(w=2.0), weights="w")
    shown, notes = aic_of(logit("use01 ~ age10", women()), weighted)
    assert shown == [False, False]
    assert "Weights differ" in notes
    gaps = women().assign(age10=lambda d: d["age10"].mask(d.index < 5), urban=women()["urban"])
    gaps.loc[10:14, "urban"] = None
    _, notes = aic_of(logit("use01 ~ age10", gaps), logit("use01 ~ urban", gaps))
    assert "make sure that the rows are the same" in notes


def test_counts_of_both_families_are_compared() -> None:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 15).astype(str), "x": rng.normal(size=300)})
    data["y"] = rng.negative_binomial(2, 0.4, 300)
    poisson = counts("y ~ x", data, cov="HC1")
    negbin = mixed_counts("y ~ x + (1 | g)", data, family="negbin", n_quad=3)
    rows = rows_of(poisson, negbin, exponentiate=True)
    assert rows.loc["AIC"].notna().all()
    assert rows.loc["coefficients are"].tolist() == ["rate ratio", "rate ratio"]
    assert rows.loc["shape of the counts", "(2)"] == f"{negbin.fit['negbin_shape']:.2f}"


@pytest.mark.parametrize(
    "options",
    [
        {"show": "se"},
        {"p_values": "star"},
        {"digits": -1},
        {"exponentiate": True, "show": "std_error"},
        {"names": ["term"]},
    ],
)
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        compare([single()], **options)  # type: ignore[arg-type]


def test_structures_of_the_residual_have_rows_of_their_own() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(np.arange(30), 6), "wave": np.tile(range(6), 30)})
    data["half"] = np.where(data["wave"] < 3, "early", "late")
    data["y"] = np.repeat(rng.normal(size=30), 6) + rng.normal(size=180) * (1 + (data["wave"] > 2))
    plain = mixed("y ~ wave + (1 | g)", data)
    structured = mixed("y ~ wave + (1 | g)", data, residual="ar1(wave) + by(half)")
    rows = rows_of(plain, structured)
    found = structured.residual_parameters.set_index("parameter")["estimate"]
    assert rows.loc["residual correlation, wave", "(2)"] == f"{found['phi']:.2f}".replace("-", "−")
    shown = rows.loc[["residual SD, half early", "residual SD, half late"], "(2)"]
    assert shown.tolist() == [f"{sd:.3f}" for sd in found["sd"]]
    assert rows.loc["residual SD"].notna().tolist() == [True, False]
    assert rows.loc["AIC"].notna().all()
