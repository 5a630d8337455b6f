"""Every stored value of lavaan's confirmatory models, through the public functions.

Estimates agree to 1e-5 of the largest (bifactor 1e-4), standard errors to 1e-4, chi-square of ML
to 1e-7, everything else to 1e-5. lavaan's own optimiser is good to about 2e-6.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey import dimensionality
from collabsurvey.dimensionality.sem.fit_indices.measures import LAVAAN_NAMES
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.errors import DataError, NotSupportedError
from dimensionality.sem.test_scores import numbers, reference
from support import REFERENCE, dataset, gold, matrix

HS = "visual =~ x1 + x2 + x3 ; textual =~ x4 + x5 + x6 ; speed =~ x7 + x8 + x9"
AC = "agree =~ A1 + A2 + A3 + A4 + A5 ; consc =~ C1 + C2 + C3 + C4 + C5"
REST = (
    "extra =~ E1 + E2 + E3 + E4 + E5 ; neuro =~ N1 + N2 + N3 + N4 + N5 ; "
    "open =~ O1 + O2 + O3 + O4 + O5"
)
NE = "neuro =~ N1 + N2 + N3 + N4 + N5 ; extra =~ E1 + E2 + E3 + E4 + E5"
GENERAL = "g =~ x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9"
MEDIATION = (
    f"{HS} ; textual ~ a*visual ; speed ~ b*textual + c*visual ; visual ~ ageyr ; "
    "ind := a*b ; total := c + a*b"
)
HS_CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "cfa_ml_hs1939": (HS, {}),
    "cfa_ml_stdlv_hs1939": (HS, {"std_lv": True}),
    "cfa_ml_meanstructure_hs1939": (HS, {"meanstructure": True}),
    "cfa_mlr_hs1939": (HS, {"estimator": "MLR"}),
    "cfa_mlm_hs1939": (HS, {"estimator": "MLM"}),
    "cfa_wishart_hs1939": (HS, {"likelihood": "wishart"}),
    "cfa_observed_info_hs1939": (HS, {"information": "observed"}),
    "cfa_gls_uls_hs1939:GLS": (HS, {"estimator": "GLS"}),
    "cfa_gls_uls_hs1939:ULS": (HS, {"estimator": "ULS"}),
    "cfa_second_order_hs1939": (f"{HS} ; g =~ visual + textual + speed", {}),
    "cfa_bifactor_hs1939": (f"{GENERAL} ; {HS}", {"orthogonal": True, "std_lv": True}),
    "sem_mediation_hs1939": (MEDIATION, {}),
}
BFI_CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "cfa_fiml_bfi_AC": (AC, {"missing": "fiml"}),
    "cfa_fiml_mlr_bfi_AC": (AC, {"missing": "fiml", "estimator": "MLR"}),
    "cfa_fiml_bfi25": (f"{AC} ; {REST}", {"missing": "fiml"}),
    "cfa_fiml_mlr_bfi25": (f"{AC} ; {REST}", {"missing": "fiml", "estimator": "MLR"}),
    "cfa_wlsmv_bfi_NE": (NE, {"estimator": "WLSMV", "ordered": True}),
    "cfa_wlsmv_theta_bfi_NE": (
        NE,
        {"estimator": "WLSMV", "ordered": True, "parameterization": "theta", "std_lv": True},
    ),
    "cfa_wlsmv_pairwise_bfi_NE": (
        NE,
        {"estimator": "WLSMV", "ordered": True, "missing": "pairwise"},
    ),
    "cfa_ulsmv_wlsm_bfi_NE:ULSMV": (NE, {"estimator": "ULSMV", "ordered": True}),
}
CALLS = HS_CALLS | BFI_CALLS
ORDINAL = [name for name in CALLS if "wlsmv" in name or "ulsmv" in name]


def stored(name: str) -> dict[str, Any]:
    entry, _, part = name.partition(":")
    values = gold("05_cfa")[entry]["values"]
    return values[part] if part else values


@cache
def fitted(name: str) -> SemResult:
    text, options = CALLS[name]
    data = dataset("hs1939" if name in HS_CALLS else "bfi")
    with warnings.catch_warnings():
        if name == "cfa_bifactor_hs1939":  # a negative variance, in lavaan too
            warnings.simplefilter("ignore")
        return dimensionality.sem(data, text, **options)


def column(rows: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=float)


def assert_estimates(found: pd.DataFrame, rows: list[dict[str, Any]], *, rtol: float) -> None:
    """All columns of lavaan's parameterEstimates."""
    assert found["lhs"].tolist() == [row["lhs"] for row in rows]
    assert found["op"].tolist() == [row["op"] for row in rows]
    assert [text.replace(" ", "") for text in found["rhs"]] == [row["rhs"] or "" for row in rows]
    estimate, error = column(rows, "est"), column(rows, "se")
    largest = np.abs(estimate).max()
    assert_allclose(found["estimate"], estimate, atol=rtol * largest, rtol=0)
    assert_allclose(found["std_error"], error, rtol=1e-4)
    for ours, theirs in (("ci_low", "ci.lower"), ("ci_high", "ci.upper")):
        assert_allclose(found[ours], column(rows, theirs), atol=4e-4 * error.max() + rtol * largest)
    z = column(rows, "z")
    free = ~np.isnan(z)
    assert (found["statistic"].isna() == ~free).all()
    assert_allclose(found["statistic"][free], z[free], rtol=2e-4, atol=2e-4)
    assert_allclose(found["p_value"][free], column(rows, "pvalue")[free], atol=1e-5)
    if "label" in rows[0]:
        assert found["label"].tolist() == [row["label"] for row in rows]
    for ours, theirs in (("std_all", "std.all"), ("std_lv", "std.lv"), ("std_nox", "std.nox")):
        if theirs in rows[0]:
            standard = column(rows, theirs)
            assert_allclose(found[ours], standard, atol=rtol * np.abs(standard).max(), rtol=0)


def assert_fit(found: Any, values: dict[str, Any], *, chi2: float = 1e-7) -> None:
    """All of lavaan's fitMeasures."""
    names = {theirs: ours for ours, theirs in LAVAAN_NAMES.items()}
    for theirs, value in values.items():
        ours = found[names[theirs]]
        if value is None:
            assert np.isnan(ours), theirs
        elif theirs == "chisq":
            assert_allclose(ours, value, rtol=chi2, err_msg=theirs)
        elif "pvalue" in theirs:
            assert_allclose(ours, value, atol=1e-5, err_msg=theirs)
        else:
            assert_allclose(ours, value, rtol=1e-5, atol=1e-6, err_msg=theirs)


@pytest.mark.parametrize("name", CALLS)
class TestEveryModel:
    def test_estimates(self, name: str) -> None:
        rtol = 1e-4 if "bifactor" in name else 1e-5
        assert_estimates(fitted(name).estimates, stored(name)["estimates"], rtol=rtol)

    def test_fit(self, name: str) -> None:
        result, values = fitted(name), stored(name)
        assert_fit(result.fit, values["fit"], chi2=1e-7 if name not in ORDINAL else 1e-6)
        assert result.converged == values["converged"]
        assert result.fit["n_parameters"] == values["npar"]
        assert result.n_obs == values["nobs"] == values["ntotal"]

    def test_explained_variance(self, name: str) -> None:
        found, values = fitted(name).r_squared, stored(name)["rsquare"]
        for variable, value in values.items():
            if value is None:
                assert np.isnan(found[variable])
            else:
                assert_allclose(found[variable], value, rtol=1e-4, atol=1e-5, err_msg=variable)
        assert set(found.index) == set(values)


def test_wlsm() -> None:
    """The mean-corrected test of the same estimates: only its fit is stored."""
    result = dimensionality.cfa(dataset("bfi"), NE, estimator="WLSM", ordered=True)
    assert_fit(result.fit, gold("05_cfa")["cfa_ulsmv_wlsm_bfi_NE"]["values"]["WLSM"], chi2=1e-6)


def test_matrices_of_the_model() -> None:
    result, values = fitted("cfa_ml_hs1939"), stored("cfa_ml_hs1939")
    implied = matrix(values["implied_cov"])
    found = result.implied_cov().loc[implied.index, implied.columns]
    assert_allclose(found, implied, atol=1e-5)
    residual = matrix(values["residual_cor"])
    found = result.residuals("bentler").loc[residual.index, residual.columns]
    assert_allclose(found, residual, atol=1e-5)
    vcov = matrix(values["vcov"])
    free = result.estimates[result.estimates["std_error"] > 0]
    names = [f"{a}{op}{b}" for a, op, b in zip(free["lhs"], free["op"], free["rhs"], strict=True)]
    order = [names.index(name) for name in vcov.index]
    assert_allclose(result.vcov[np.ix_(order, order)], vcov, atol=1e-4 * vcov.to_numpy().max())


@pytest.mark.parametrize("name", ["cfa_ml_hs1939", "cfa_wlsmv_bfi_NE"])
def test_modification_indices(name: str) -> None:
    found = fitted(name).modification_indices()
    rows = stored(name)["modindices_top10"]
    top = found.head(len(rows))
    assert top["lhs"].tolist() == [row["lhs"] for row in rows]
    assert top["rhs"].tolist() == [row["rhs"] for row in rows]
    for ours, theirs in (
        ("mi", "mi"),
        ("epc", "epc"),
        ("sepc_lv", "sepc.lv"),
        ("sepc_all", "sepc.all"),
        ("sepc_nox", "sepc.nox"),
    ):
        assert_allclose(top[ours], column(rows, theirs), rtol=1e-4, err_msg=ours)


@pytest.mark.parametrize("method", ["regression", "bartlett"])
def test_factor_scores(method: Any) -> None:
    values = matrix(stored("cfa_ml_hs1939")[f"factor_scores_{method}_first10"])
    found = fitted("cfa_ml_hs1939").factor_scores(dataset("hs1939"), method)
    assert_allclose(found.head(10), values, atol=1e-5)


def test_factor_scores_of_ordered_items() -> None:
    stored_scores = stored("cfa_wlsmv_bfi_NE")["factor_scores_EBM_first5"]
    items = list(fitted("cfa_wlsmv_bfi_NE").items)
    data = dataset("bfi").dropna(subset=items)
    found = fitted("cfa_wlsmv_bfi_NE").factor_scores(data)
    assert found.columns.tolist() == stored_scores["cols"]
    # lavaan's optimiser stops early: its scores are up to 3e-5 from the mode
    assert_allclose(found.head(5), np.array(stored_scores["data"]), atol=5e-5)


@pytest.mark.parametrize("name", ["cfa_fiml_bfi_AC", "cfa_fiml_bfi25"])
def test_moments_of_rows_with_gaps(name: str) -> None:
    result, values = fitted(name), stored(name)
    (sample,) = result.samples
    names = list(result.items)
    cov = matrix(values["em_sample_cov"])
    assert_allclose(
        pd.DataFrame(sample.cov, names, names).loc[cov.index, cov.columns],
        cov,
        rtol=1e-6,
        atol=1e-6,
    )
    assert_allclose(
        pd.Series(sample.mean, names)[list(values["em_sample_mean"])],
        list(values["em_sample_mean"].values()),
        rtol=1e-6,
    )
    assert_allclose(result.fit["loglik_saturated"], values["unrestricted_logl"], rtol=1e-10)
    there = ~np.isnan(sample.rows)
    coverage = matrix(values["coverage"])
    found = pd.DataFrame(there.T.astype(float) @ there / len(there), names, names)
    assert_allclose(found.loc[coverage.index, coverage.columns], coverage, rtol=1e-12)
    assert len(np.unique(there, axis=0)) == values["n_patterns"]


def test_ordinal_moments_and_correction() -> None:
    result, values = fitted("cfa_wlsmv_bfi_NE"), stored("cfa_wlsmv_bfi_NE")
    (sample,) = result.samples
    names = list(result.items)
    polychoric = matrix(values["polychoric"])
    found = pd.DataFrame(sample.cov, names, names).loc[polychoric.index, polychoric.columns]
    assert_allclose(found, polychoric, atol=1e-7)
    block = result.model.blocks[0]
    counts: dict[str, int] = {}
    keys = []
    for item in block.threshold_of:
        counts[item] = counts.get(item, 0) + 1
        keys.append(f"{item}|t{counts[item]}")
    assert_allclose(
        pd.Series(sample.thresholds, keys)[list(values["thresholds"])],
        list(values["thresholds"].values()),
        rtol=1e-9,
    )
    scaled = result.analysis.assessed.test.scaled
    assert scaled is not None
    assert_allclose(scaled.statistic, values["scaling"]["stat"], rtol=1e-5)
    assert_allclose(scaled.factor, values["scaling"]["scaling.factor"], rtol=1e-5)
    assert_allclose(scaled.shift, values["scaling"]["shift.parameter"], rtol=1e-5)
    assert scaled.df == values["scaling"]["df"]


def test_uncorrected_errors_of_dwls() -> None:
    naive = dimensionality.cfa(dataset("bfi"), NE, estimator="DWLS", ordered=True)
    expected = np.array(stored("cfa_wlsmv_bfi_NE")["naive_dwls_se"])
    assert_allclose(naive.estimates["std_error"], expected, rtol=1e-4)


BHR = ("AF06", "AF07", "AP12", "AS14", "AS16", "AS28")


def test_errors_over_clusters() -> None:
    """A model of one level with `cluster`: lavaan's sandwich and test."""
    values = gold("07_multilevel_aggregation")["cfa_cluster_robust_bhr2000"]["values"]
    result = dimensionality.cfa(dataset("bhr2000"), f"f =~ {' + '.join(BHR)}", cluster="GRP")
    assert_estimates(result.estimates, values["estimates"], rtol=1e-5)
    assert_fit(result.fit, values["fit"])
    assert result.n_obs == values["ntotal"]
    for item, value in values["rsquare"].items():
        assert_allclose(result.r_squared[item], value, rtol=1e-5)


@pytest.mark.parametrize("estimator", ["ML", "MLR"])
def test_two_levels(estimator: Any) -> None:
    """lavaan stops short twice: its unrestricted model by .0034, the model by 3.5e-6 in loglik.

    `sem/test_two_level.py` shows that our numbers at lavaan's stopping points are its own; here
    the public function must come as near as that allows, and end higher.
    """
    name = "twolevel_cfa_bhr2000" if estimator == "ML" else "twolevel_cfa_mlr_bhr2000"
    values = gold("07_multilevel_aggregation")[name]["values"]
    items = " + ".join(BHR)
    result = dimensionality.cfa(
        dataset("bhr2000"),
        f"level: 1\n f =~ {items}\nlevel: 2\n f =~ {items}",
        estimator,
        cluster="GRP",
    )
    rows, found = values["estimates"], result.estimates
    assert found["op"].tolist() == [row["op"] for row in rows]
    assert found["rhs"].tolist() == [row["rhs"] or "" for row in rows]
    estimate, error = column(rows, "est"), column(rows, "se")
    assert_allclose(found["estimate"], estimate, atol=5e-5 * np.abs(estimate).max())
    assert_allclose(found["std_error"], error, rtol=2e-4)
    assert 0 <= result.fit["loglik"] - values["fit"]["logl"] < 1e-5
    assert 0 <= result.fit["loglik_saturated"] - values["fit"]["unrestricted.logl"] < 0.004
    names = {theirs: ours for ours, theirs in LAVAAN_NAMES.items()}
    for theirs, value in values["fit"].items():
        if value is not None and "pvalue" not in theirs:
            ours = result.fit[names[theirs]]
            assert_allclose(ours, value, rtol=5e-4, atol=1e-6, err_msg=theirs)
    assert result.fit["df"] == values["fit"]["df"]


def stored_z(name: str) -> np.ndarray:
    """lavaan's residuals(type = "standardized")."""
    found = reference()["residuals"][name]["standardized"]
    first = found[0] if isinstance(found, list) else found
    return numbers((next(iter(first.values())) if "cov" not in first else first)["cov"])


@pytest.mark.parametrize(
    ("name", "call"),
    [
        # Two runs of lavaan, with and without means, give these z up to 4e-4 apart: the one with
        # means is compared at lavaan's own estimates, in sem/test_residuals.py.
        ("ml", "cfa_ml_hs1939"),
        ("gls", "cfa_gls_uls_hs1939:GLS"),
        ("wlsmv", "cfa_wlsmv_bfi_NE"),
    ],
)
def test_standardised_residuals(name: str, call: str) -> None:
    expected = stored_z(name)
    found = fitted(call).standardised_residuals().to_numpy()
    known = ~np.isnan(expected) & (np.abs(expected) > 1e-3) & (found != 0)
    assert known.sum() > 20
    assert_allclose(found[known], expected[known], rtol=1e-4, atol=1e-4)


def test_standardised_residuals_are_refused_by_name() -> None:
    with pytest.raises(NotSupportedError, match="Standardised residuals"):
        fitted("cfa_fiml_bfi_AC").standardised_residuals()


def test_each_level_has_its_own_fit() -> None:
    """Within, lavaan's matrix between is indefinite, so its chi-square is up to .1 lower."""
    items = " + ".join(BHR)
    result = dimensionality.cfa(
        dataset("bhr2000"), f"level: 1\n f =~ {items}\nlevel: 2\n f =~ {items}", cluster="GRP"
    )
    found = result.level_fits().set_index("level")
    values = json.loads((REFERENCE / "two_level.json").read_text(encoding="utf-8"))
    top, parts = values["whole"]["unrestricted_logl"], values["level_specific"]
    assert found["df"].tolist() == [9, 9]
    assert found["n"].tolist() == [5400, 99]
    between = 2 * (top - parts["between"]["logl"])
    assert_allclose(found.loc["between", "chi2"], between, rtol=1e-5)
    within = 2 * (top - parts["within"]["logl"])
    assert within < found.loc["within", "chi2"] < within + 0.1
    assert found["converged"].all()
    with pytest.raises(DataError, match="level: 1"):
        fitted("cfa_ml_hs1939").level_fits()
