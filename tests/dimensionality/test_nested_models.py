"""Nested models and Wald tests through the public functions, against lavaan 0.6.14."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality import cfa, sem
from collabsurvey.dimensionality.nested import NestedResult, nested
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.dimensionality.wald_result import wald_test
from collabsurvey.errors import (
    DataError,
    FaultsError,
    NotEnoughDataError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.invariance import ladder
from support import REFERENCE, dataset, gold

HS = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
AC = "agree =~ A1 + A2 + A3 + A4 + A5 ; consc =~ C1 + C2 + C3 + C4 + C5"
NE = "neuro =~ N1 + N2 + N3 + N4 + N5\nextra =~ E1 + E2 + E3 + E4 + E5"
LINEAR = """visual =~ NA*x1 + a*x1 + b*x2 + c*x3
textual =~ x4 + d*x5 + e*x6
speed =~ x7 + x8 + x9
a + b + c == 3
d == 1.1*e"""
LEVELS: dict[str, tuple[str, ...]] = {
    "configural": (),
    "metric": ("loadings",),
    "scalar": ("loadings", "intercepts"),
    "strict": ("loadings", "intercepts", "residuals"),
    "means": ("loadings", "intercepts", "residuals", "means"),
}
ENTRIES: dict[str, dict[str, Any]] = {
    "invariance_ml_hs_school": {"model": HS, "group": "school"},
    "invariance_mlr_hs_school": {"model": HS, "group": "school", "estimator": "MLR"},
    "invariance_ml_hs_sex": {"model": HS, "group": "sex"},
    "invariance_ml_bfi_gender_fiml": {"model": AC, "group": "gender", "missing": "fiml"},
}


def stored(entry: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = gold("06_invariance")[entry]["values"]["lrt"]
    return rows


@cache
def fitted(entry: str, level: str) -> SemResult:
    data = dataset("hs1939" if "_hs_" in entry else "bfi")
    return cfa(data, equal=LEVELS[level], **ENTRIES[entry])


@cache
def school(*equal: str, estimator: Any = "MLM") -> SemResult:
    return cfa(dataset("hs1939"), HS, estimator, group="school", equal=equal)


@cache
def pupils(more: str = "", **options: Any) -> SemResult:
    return cfa(dataset("hs1939"), HS + more, **options)


def assert_rows(
    found: NestedResult, rows: list[dict[str, Any]], *, chi2: float, change: float
) -> None:
    """Every column of lavTestLRT()."""
    frame = found.to_frame()
    assert frame["df"].tolist() == [row["Df"] for row in rows]
    for (_, ours), row in zip(frame.iterrows(), rows, strict=True):
        assert_allclose(ours["chi2"], row["Chisq"], rtol=chi2)
        for theirs, name in (("AIC", "aic"), ("BIC", "bic")):
            if row[theirs] is None:
                assert np.isnan(ours[name])
            else:
                assert_allclose(ours[name], row[theirs], rtol=1e-9)
        if row["Df diff"] is None:
            assert np.isnan(
                ours[["delta_chi2", "delta_df", "delta_p", "delta_cfi"]].astype(float)
            ).all()
            assert ours["method"] == ""
            continue
        assert ours["delta_df"] == row["Df diff"]
        assert_allclose(ours["delta_chi2"], row["Chisq diff"], rtol=change)
        assert_allclose(ours["delta_p"], row["Pr(>Chisq)"], rtol=1e-4, atol=1e-5)
        if row.get("RMSEA") is not None:
            assert_allclose(ours["rmsea_difference"], row["RMSEA"], rtol=1e-5)


@pytest.mark.parametrize("entry", ENTRIES)
def test_lrt_of_the_gold_file(entry: str) -> None:
    levels = list(LEVELS)
    # given in no particular order
    found = nested(*(fitted(entry, x) for x in reversed(levels)), names=levels[::-1])
    assert found.models == tuple(levels)
    # A difference has the rounding of the two it is made of; lavaan's scaling factors of MLR rest
    # on numerical second derivatives, which a tighter optimiser moves by 4e-5.
    mlr = "mlr" in entry
    assert_rows(found, stored(entry), chi2=1e-7, change=2e-5 if mlr else 1e-6)
    used = "satorra-bentler-2001" if mlr else "standard"
    assert set(found.comparison["method"][1:]) == {used}


@pytest.mark.parametrize("entry", ENTRIES)
def test_changes_in_fit(entry: str) -> None:
    levels = list(LEVELS)
    frame = nested(*(fitted(entry, x) for x in levels), names=levels).to_frame()
    fits = gold("06_invariance")[entry]["values"]["fit"]
    tail = ".robust" if "mlr" in entry or "fiml" in entry else ""
    for name in ("cfi", "rmsea"):
        expected = np.array([fits[level][name + tail] for level in levels])
        assert_allclose(frame[name], expected, atol=1e-5)
        assert_allclose(frame[f"delta_{name}"][1:], np.diff(expected), atol=1e-5)


def test_partial_invariance() -> None:
    metric = fitted("invariance_ml_hs_school", "metric")
    partly = cfa(
        dataset("hs1939"), HS, group="school", equal=LEVELS["scalar"], partial=["x3~1", "x7~1"]
    )
    found = nested(metric, partly)
    assert_rows(found, stored("invariance_partial_hs_school"), chi2=1e-7, change=1e-6)


def test_ordered_items() -> None:
    levels = ladder(dataset("bfi"), "neuro =~ N1 + N2 + N3 + N4 + N5", "gender", ordered=True).fits
    found = nested(*levels.values())
    rows = stored("invariance_ordinal_bfi_gender")
    assert_rows(found, rows, chi2=1e-5, change=1e-5)
    assert set(found.comparison["method"][1:]) == {"satorra-2000"}
    assert any("prefer the test" in note for note in found.notes)


@pytest.mark.parametrize("year", [2001, 2010])
def test_satorra_bentler_of_mlm(year: int) -> None:
    expected = json.loads((REFERENCE / "sem_robust.json").read_text(encoding="utf-8"))
    expected = expected[f"difference_{year}"]
    method: Any = f"satorra-bentler-{year}"
    found = nested(school("loadings"), school("loadings", "intercepts"), method=method)
    row = found.comparison.iloc[1]
    assert row["method"] == method
    # The factor is a difference of two that are ten times as large, and each depends on where
    # lavaan's optimiser stopped: at its estimates `sem/test_nested.py` finds its numbers.
    assert_allclose(row["delta_chi2"], expected["statistic"], rtol=1e-5)
    assert_allclose(row["delta_p"], expected["p_value"], rtol=1e-4)


def test_a_factor_that_is_not_positive() -> None:
    """Of a restriction far from the truth: the test of 2001 fails, that of 2010 does not."""
    free, restricted = pupils(estimator="MLM"), pupils("\nx1 ~~ 3*x1", estimator="MLM")
    found = nested(free, restricted)
    assert found.comparison["method"].iloc[1] == "satorra-bentler-2010"
    assert any("the factor of 2001 is not positive" in note for note in found.notes)
    # lavaan 0.6.14: lavTestLRT(free, restricted, method = "satorra.bentler.2010")
    assert_allclose(found.comparison["delta_chi2"].iloc[1], 1160.741018, rtol=1e-5)
    failed = nested(free, restricted, method="satorra-bentler-2001")
    assert np.isnan(failed.comparison["delta_chi2"].iloc[1])
    assert any("no test, since" in note for note in failed.notes)


def test_observed_information_may_have_no_positive_factor_at_all() -> None:
    """lavaan prints a statistic of -34 here, with p = 1 for a chi-square that rises by 215."""
    found = nested(
        pupils(estimator="MLR"), pupils("\ntextual =~ 0.2*x5", estimator="MLR"), names=["a", "b"]
    )
    assert np.isnan(found.comparison["delta_chi2"].iloc[1])
    assert any(note.startswith("b: no test, since") for note in found.notes)


@pytest.mark.parametrize(
    ("estimator", "method"),
    [("WLSMV", "auto"), ("WLSM", "satorra-2000"), ("WLSM", "auto")],
)
def test_the_order_of_variables_does_not_matter(estimator: Any, method: Any) -> None:
    data = dataset("bfi").dropna(subset=[f"{a}{i}" for a in "NE" for i in range(1, 6)]).head(700)
    free = cfa(data, NE, estimator)
    same = cfa(data, f"{NE}\nextra ~~ 0*neuro", estimator)
    other = cfa(
        data,
        "extra =~ E1 + E4 + E2 + E5 + E3\nneuro =~ N1 + N3 + N2 + N5 + N4\nneuro ~~ 0*extra",
        estimator,
    )
    expected = nested(free, same, method=method).comparison
    found = nested(free, other, method=method).comparison
    for name in ("delta_chi2", "delta_cfi", "delta_p"):
        assert_allclose(found[name], expected[name], rtol=1e-6, atol=1e-9)


def test_the_order_of_variables_does_not_matter_for_2010() -> None:
    free = pupils(estimator="MLM")
    same = pupils("\nvisual ~~ 0*speed", estimator="MLM")
    text = "speed =~ x7 + x9 + x8\nvisual =~ x1 + x3 + x2\ntextual =~ x4 + x5 + x6"
    other = cfa(dataset("hs1939"), f"{text}\nvisual ~~ 0*speed", "MLM")
    expected = nested(free, same, method="satorra-bentler-2010").comparison
    found = nested(free, other, method="satorra-bentler-2010").comparison
    assert_allclose(found["delta_chi2"], expected["delta_chi2"], rtol=1e-6)


def test_one_restriction_is_close_to_its_wald_test() -> None:
    """Both are chi-square distributed with one degree of freedom (Buse, 1982)."""
    text = "\ntextual ~~ p*speed"
    free = pupils(text)
    lrt = nested(free, pupils("\ntextual ~~ 0*speed")).comparison.iloc[1]
    assert_allclose(wald_test(free, "p == 0").statistic, lrt["delta_chi2"], rtol=0.25)


def test_a_saturated_model_gives_the_test_of_the_other() -> None:
    data = dataset("hs1939")
    text = "x1 ~~ x2 + x3 + x4\nx2 ~~ x3 + x4\nx3 ~~ x4"
    for estimator in ("ML", "MLM", "MLR"):
        saturated = cfa(data, text, estimator)
        factor = cfa(data, "f =~ x1 + x2 + x3 + x4", estimator)
        row = nested(saturated, factor).comparison.iloc[1]
        tail = "" if estimator == "ML" else "_scaled"
        assert_allclose(row["delta_chi2"], factor.fit[f"chi2{tail}"], rtol=1e-7)


def test_two_levels() -> None:
    items = "f =~ AF06 + AF07 + AP12 + AS14 + AS16 + AS28"
    data = dataset("bhr2000")
    free = cfa(data, f"level: 1\n {items}\nlevel: 2\n {items}", cluster="GRP")
    equal = items.replace("AF07", "a*AF07").replace("AP12", "b*AP12")
    same = cfa(data, f"level: 1\n {equal}\nlevel: 2\n {equal}", cluster="GRP")
    found = nested(free, same)
    row = found.comparison.iloc[1]
    assert row["delta_df"] == 2
    assert_allclose(row["delta_chi2"], 2 * (free.fit["loglik"] - same.fit["loglik"]), rtol=1e-6)
    assert any("not checked beyond" in note for note in found.notes)


def test_models_that_cannot_be_compared() -> None:
    data, free = dataset("hs1939"), pupils()
    restricted = "\nvisual ~~ 0*speed"
    with pytest.raises(NotEnoughDataError, match="at least 2 models; there are 1"):
        nested(free)
    with pytest.raises(DataError, match="different estimators"):
        nested(free, pupils(restricted, estimator="MLM"))
    with pytest.raises(DataError, match=r"different observed variables \(only one has x7, x8, x9"):
        nested(free, cfa(data, HS.rsplit("\n", 1)[0]))
    with pytest.raises(DataError, match="different rows"):
        nested(free, cfa(data.head(280), HS + restricted))
    with pytest.raises(DataError, match="different groups"):
        nested(school("loadings", estimator="ML"), pupils(restricted, meanstructure=True))
    with pytest.raises(DataError, match="meanstructure=True"):
        nested(free, pupils(restricted, meanstructure=True))
    with pytest.raises(DataError, match="likelihood="):
        nested(free, pupils(restricted, likelihood="wishart"))
    with pytest.raises(DataError, match="same 24 degrees of freedom"):
        nested(free, pupils(std_lv=True))
    with pytest.raises(DataError, match=r"model 2 is not nested in model 1.*AIC"):
        nested(free, pupils("\nx1 ~~ x4\nvisual ~~ 0*speed\ntextual ~~ 0*speed"))
    with pytest.raises(DataError, match="model 2 did not converge"):
        nested(free, replace(pupils(restricted), converged=False))
    with pytest.raises(OptionError, match="2 different names"):
        nested(free, pupils(restricted), names=["a", "a"])
    with pytest.raises(OptionError, match="'auto', 'standard'"):
        nested(free, pupils(restricted), method="satorra-2000")
    with pytest.raises(OptionError, match="method='lrt'"):
        nested(free, pupils(restricted), method="lrt")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="results of cfa"):
        nested(free, "f =~ x1")  # type: ignore[arg-type]


def test_a_parameterisation_does_not_matter() -> None:
    expected = nested(pupils(), pupils("\nvisual ~~ 0*speed")).comparison
    found = nested(pupils(std_lv=True), pupils("\nvisual ~~ 0*speed")).comparison
    assert_allclose(found["delta_chi2"], expected["delta_chi2"], rtol=1e-8)


def test_uls_has_no_p_value() -> None:
    found = nested(pupils(estimator="ULS"), pupils("\nvisual ~~ 0*speed", estimator="ULS"))
    assert found.comparison["delta_p"].isna().all()
    assert any("p is not known" in note for note in found.notes)


def test_likelihoods_of_different_variables_have_no_aic() -> None:
    data = dataset("hs1939")
    text = "textual =~ x4 + x5 + x6\ntextual ~ x1"
    found = nested(
        sem(data, f"{text} + x2\nx1 ~ x2"), sem(data, f"{text} + 0*x2"), names=["both", "one"]
    )
    assert found.comparison["aic"].isna().all()
    assert any("No AIC and BIC" in note for note in found.notes)
    assert "AIC" not in found.table().headings()


def test_what_a_reader_sees() -> None:
    found = nested(
        pupils(estimator="MLR"), pupils("\nvisual ~~ 0*speed", estimator="MLR"), names=["a", "b"]
    )
    text = found.summary()
    assert text.startswith("Nested models (MLR, 301 respondents)")
    assert "corrected difference of Satorra & Bentler (2001)" in text
    assert "CFI and RMSEA are the robust ones" in text
    assert found.version == "robust"
    assert "b against a" in found.chart().description
    found.plot()
    copy = found.to_frame()
    copy["chi2"] = 0.0
    assert (found.comparison["chi2"] > 0).all()
    plain = nested(
        pupils(estimator="MLR"), pupils("\nvisual ~~ 0*speed", estimator="MLR"), method="standard"
    )
    assert any("not corrected" in note for note in plain.notes)


WALD = json.loads((REFERENCE / "modification.json").read_text(encoding="utf-8"))["wald"]


@pytest.mark.parametrize(
    ("text", "name", "equalities"),
    [
        (LINEAR, "linear", "b == c"),
        (f"{HS}\ntextual ~ p*visual + q*ageyr\nvisual ~ r*sex", "mimic", "p*r == 0.2; q == 0"),
    ],
)
def test_wald_tests_of_lavaan(text: str, name: str, equalities: str) -> None:
    found = wald_test(sem(dataset("hs1939"), text), equalities)
    assert_allclose(found.statistic, WALD[name]["stat"], rtol=1e-6)
    assert found.df == WALD[name]["df"]
    assert_allclose(found.p_value, WALD[name]["p.value"], rtol=1e-5)


def test_what_a_reader_sees_of_a_wald_test() -> None:
    result = pupils("\ntextual ~~ p*speed + q*visual\ndouble := 2*p")
    found = wald_test(result, ["p == 0", "double == q"])
    frame = found.to_frame().set_index("equality")
    row = result.estimates[result.estimates["label"] == "p"].iloc[0]
    for ours, theirs in (
        ("estimate", "estimate"),
        ("std_error", "std_error"),
        ("ci_low", "ci_low"),
        ("ci_high", "ci_high"),
        ("p_value", "p_value"),
    ):
        assert_allclose(frame.loc["p == 0", ours], row[theirs], rtol=1e-8)
    assert frame.loc["all", "statistic"] == found.statistic
    assert found.summary().startswith("Wald test: chi-square(2) = ")
    assert "double == q" in found.chart().description
    found.plot()
    with pytest.raises(ValueError, match="read-only"):
        found.distance[0] = 1.0
    single = wald_test(result, "p == 0")
    assert "all" not in single.table().columns["equality"]
    assert "the equality does not hold" in single.notes[0]


def test_wald_tests_that_cannot_be_had() -> None:
    result = pupils("\ntextual ~~ p*speed")
    with pytest.raises(UnknownNameError, match="no label 'z'"):
        wald_test(result, "z == 0")
    with pytest.raises(FaultsError, match="not an equality"):
        wald_test(result, "p > 0")
    with pytest.raises(DataError, match="did not converge"):
        wald_test(replace(result, converged=False), "p == 0")
    with pytest.raises(OptionError, match="result of cfa"):
        wald_test(pd.DataFrame(), "p == 0")  # type: ignore[arg-type]
