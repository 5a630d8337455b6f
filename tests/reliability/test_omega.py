"""Omega total of one factor against semTools; intervals; what must hold; what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    KeyingWarning,
    NotEnoughDataError,
    NotEnoughItemsError,
    NotSupportedError,
    NoVarianceError,
    OptionError,
    SingularFitWarning,
    UnknownNameError,
)
from collabsurvey.moments import cluster_moments, item_moments
from collabsurvey.reliability.alpha import alpha
from collabsurvey.reliability.cluster_alpha import log_error
from collabsurvey.reliability.omega import omega
from collabsurvey.reliability.omega_columns import omega_columns
from collabsurvey.reliability.omega_result import OmegaResult
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset, gold

Engine = Callable[[pd.DataFrame], Any]
GOLD = gold("02_reliability")
# Closed forms of estimates that lavaan has to 2e-6; omegas hardly depend on their last digits.
LAVAAN = 2e-6


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def bfi(engine: Engine = as_is, frame: pd.DataFrame | None = None, **roles: str) -> Responses:
    frame = dataset("bfi") if frame is None else frame
    return from_frame(
        engine(frame),
        scales=BFI_SCALES,
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
        roles=roles,
    )


def schools(n_schools: int = 20, staff: int = 30, icc: float = 0.2, seed: int = 1) -> pd.DataFrame:
    """Five items with a common factor that schools share in part."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), staff)
    factor = np.sqrt(icc) * rng.standard_normal(n_schools)[school]
    factor += np.sqrt(1 - icc) * rng.standard_normal(len(school))
    frame = pd.DataFrame(
        0.7 * factor[:, None] + 0.7 * rng.standard_normal((len(school), 5)), columns=list("abcde")
    )
    return frame.assign(school=school)


def five(frame: pd.DataFrame, **roles: str) -> Responses:
    return from_frame(frame, scales={"s": list("abcde")}, roles=roles)


def value(result: OmegaResult, coefficient: str) -> float:
    frame = result.to_frame().set_index("coefficient")
    return float(frame.loc[coefficient, "estimate"])


@pytest.mark.parametrize("scale", list(BFI_SCALES))
def test_every_coefficient_matches_semtools(scale: str, engine: Engine) -> None:
    expected = GOLD[f"omega_1f_cfa_bfi_{scale}"]["values"]
    result = omega(bfi(engine), scale, ci="none")
    table = dict(zip(expected["reliability"]["rows"], expected["reliability"]["data"], strict=True))
    pairs = {
        "omega_total": (
            expected["omega_model_implied"],
            expected["compRelSEM_obsvar_FALSE"]["f"],
            table["omega"][0],
            table["omega2"][0],
        ),
        "omega_total_observed": (expected["compRelSEM"]["f"], table["omega3"][0]),
        "alpha": (expected["compRelSEM_tau_eq"]["f"], table["alpha"][0]),
        "composite_reliability": (expected["CR_standardized"],),
        "ave": (expected["AVE_std_mean_lambda2"],),
        "ave_raw": (expected["AVE"]["f"], table["avevar"][0]),
    }
    for coefficient, theirs in pairs.items():
        for other in theirs:
            assert_allclose(value(result, coefficient), other, atol=LAVAAN, err_msg=coefficient)
    assert result.estimate == value(result, "omega_total")
    assert np.isnan(result.ci_low)
    n = result.n_respondents
    loadings = result.loadings["loading"] * np.sqrt((n - 1) / n)  # lavaan divides by n
    assert_allclose(loadings, expected["loadings"], atol=LAVAAN)
    assert_allclose(result.fit["chi2"], expected["chisq"]["chisq"], rtol=1e-8)


def test_denominator_is_an_argument_and_said() -> None:
    """The values that the definitions give for the visual scale of HS1939."""
    hs = from_frame(dataset("hs1939"), scales={"visual": ["x1", "x2", "x3"]})
    model = omega(hs, "visual", ci="none")
    observed = omega(hs, "visual", denominator="observed", ci="none")
    assert (model.denominator, observed.denominator) == ("model", "observed")
    assert model.coefficient == "omega_total"
    assert observed.coefficient == "omega_total_observed"
    # Three items fit exactly, so both variances are the same.
    assert_allclose(model.estimate, observed.estimate, rtol=1e-7)
    agree = omega(bfi(), "agree", denominator="observed", ci="none")
    assert_allclose(agree.estimate, 0.714135941061893, atol=LAVAAN)


def test_frame_says_which_omega() -> None:
    frame = omega(bfi(), "agree", ci="none").to_frame()
    wanted = ["coefficient", "estimate", "ci_low", "ci_high", "estimator", "formula", "program"]
    assert [name for name in frame if name in wanted] == wanted
    assert frame["coefficient"].iloc[0] == "omega_total"
    assert frame["coefficient"].is_unique
    assert (frame[["estimator", "formula", "program"]] != "").all(axis=None)
    assert frame["formula"].nunique() == len(frame)


def test_minres_is_another_estimator_and_says_so() -> None:
    likely = omega(bfi(), "agree", ci="none")
    minres = omega(bfi(), "agree", extraction="minres", ci="none")
    assert likely.estimator == "one factor, maximum likelihood"
    assert minres.estimator == "one factor, minres"
    assert abs(likely.estimate - minres.estimate) < 0.02


def test_percentiles_are_the_default_for_independent_respondents() -> None:
    result = omega(bfi(), "agree", n_boot=400)
    again = omega(bfi(), "agree", n_boot=400)
    assert result.ci_method == "percentile"
    assert (result.ci_low, result.ci_high) == (again.ci_low, again.ci_high)
    assert result.ci_low < result.estimate < result.ci_high
    other = omega(bfi(), "agree", n_boot=400, seed=2)
    assert other.ci_low != result.ci_low
    # Nearly the interval of alpha, whose sampling error is nearly the same.
    alike = alpha(bfi(), "agree")
    assert_allclose([result.ci_low, result.ci_high], [alike.ci_low, alike.ci_high], atol=0.015)


@pytest.mark.parametrize("bootstrap", ["studentised", "percentile", "bca"])
def test_clusters_widen_the_interval(bootstrap: Any) -> None:
    frame = schools(n_schools=20, staff=100, icc=0.5)
    apart = omega(five(frame), "s", bootstrap=bootstrap, n_boot=300)
    together = omega(five(frame, cluster="school"), "s", bootstrap=bootstrap, n_boot=300)
    assert together.n_clusters == 20
    assert apart.n_clusters is None
    assert together.ci_method == bootstrap
    assert together.ci_high - together.ci_low > 1.2 * (apart.ci_high - apart.ci_low)
    assert together.estimate == apart.estimate


def test_clusters_are_studentised_by_default_and_said() -> None:
    result = omega(five(schools(), cluster="school"), "s", n_boot=200)
    assert result.ci_method == "studentised"
    assert any("studentised bootstrap of 20 clusters (school)" in note for note in result.notes)


def test_std_error_of_alpha_is_that_of_alpha() -> None:
    responses = five(schools(), cluster="school")
    result = omega(responses, "s", n_boot=100).to_frame().set_index("coefficient")
    pieces = cluster_moments(responses, "s", cluster="school")
    logs, errors = log_error(pieces, np.ones((1, 20)))
    # alpha's error is of a ratio of cluster sums, this one of covariances with n - 1.
    expected = float(errors[0] * np.exp(logs[0])) * 599 / 600
    assert_allclose(result.loc["alpha", "std_error"], expected, rtol=1e-6)


def test_linearised_errors_agree_with_the_jackknife() -> None:
    responses = five(schools(n_schools=60), cluster="school")
    linear = omega(responses, "s", n_boot=100).to_frame()
    left_out = omega(responses, "s", ci="jackknife").to_frame()
    assert_allclose(linear["std_error"], left_out["std_error"], rtol=0.05)


def test_few_clusters_are_left_out_in_turn() -> None:
    with pytest.warns(FewClustersWarning, match="Only 4 clusters"):
        result = omega(five(schools(n_schools=4), cluster="school"), "s")
    assert result.ci_method == "jackknife"


def test_one_cluster_draws_respondents_and_says_so() -> None:
    frame = schools().assign(school="a")
    with pytest.warns(FewClustersWarning, match="only one 'school'"):
        result = omega(five(frame, cluster="school"), "s", n_boot=100)
    assert result.n_clusters == 1
    with pytest.raises(DataError, match="only one"):
        omega(five(frame, cluster="school"), "s", cluster="school")


def test_rows_without_cluster_are_counted() -> None:
    frame = schools()
    frame["school"] = frame["school"].astype(float)
    frame.loc[:9, "school"] = np.nan
    result = omega(five(frame, cluster="school"), "s", n_boot=100)
    assert any("its interval: 10" in note for note in result.notes)


def test_weights_are_applied() -> None:
    frame = schools().assign(w=1.0)
    frame.loc[::2, "w"] = 2.0
    twice = pd.concat([frame, frame[frame["w"] == 2]])
    weighted = omega(five(frame, weight="w"), "s", n_boot=100)
    assert_allclose(weighted.estimate, omega(five(twice), "s", ci="none").estimate, rtol=1e-6)
    assert weighted.weighted
    assert "Weights applied." in weighted.notes


def test_a_reversed_item_changes_nothing() -> None:
    frame = dataset("bfi")
    plain = omega(bfi(frame=frame), "agree", ci="none")
    frame["A2"] = 7 - frame["A2"]
    turned = from_frame(
        frame,
        scales=BFI_SCALES,
        reverse_keyed=[*BFI_REVERSED, "A2"],
        response_range=(1, 6),
    )
    assert_allclose(omega(turned, "agree", ci="none").estimate, plain.estimate, rtol=1e-10)


def test_a_wrong_key_warns() -> None:
    frame = dataset("bfi")
    responses = from_frame(frame, scales=BFI_SCALES, response_range=(1, 6))
    with pytest.warns(KeyingWarning, match="A1"):
        result = omega(responses, "agree", ci="none")
    assert any("Negative loadings" in note for note in result.notes)


def test_a_heywood_case_is_named() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 3))
    frame = pd.DataFrame({"a": x[:, 0], "b": 0.8 * x[:, 0] + 0.5 * x[:, 1]})
    frame["c"] = 0.8 * x[:, 0] + 0.5 * x[:, 2] - 0.2 * x[:, 1]
    responses = from_frame(frame, scales={"s": ["a", "b", "c"]})
    with pytest.warns(SingularFitWarning, match="residual variance of a would"):
        result = omega(responses, "s", n_boot=100)
    assert result.heywood == ("a",)


def test_pairwise_has_no_interval() -> None:
    result = omega(bfi(), "agree", missing="pairwise", ci="none")
    assert result.n_respondents == 2800
    with pytest.raises(NotSupportedError, match="pairwise"):
        omega(bfi(), "agree", missing="pairwise")


def test_two_items_are_refused_with_the_alternative() -> None:
    with pytest.raises(NotEnoughItemsError, match="Spearman–Brown"):
        omega(bfi(), ["A2", "A3"])
    with pytest.raises(NotEnoughItemsError, match="Spearman–Brown"):
        omega(bfi(), ["A2", "A3"], kind="categorical")
    with pytest.raises(NotEnoughItemsError, match="needs at least 3 items"):
        omega(bfi(), ["A2"])


def test_copies_are_named_and_minres_still_works() -> None:
    frame = schools().assign(a=lambda f: f["b"])
    with pytest.raises(DataError, match="a and b have the same answers"):
        omega(five(frame), "s")
    result = omega(five(frame), "s", extraction="minres", n_boot=100)
    assert result.ci_low < result.estimate < result.ci_high < 1
    assert result.fit == {}


def test_a_sum_of_items_is_refused() -> None:
    frame = schools()
    frame["e"] = frame["a"] + frame["b"]
    with pytest.raises(DataError, match="a sum of others"):
        omega(five(frame), "s")


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="4 rows are too few for 5 items"):
        omega(five(schools().head(4)), "s")
    with pytest.raises(NotEnoughDataError):
        omega(five(schools().head(2)), "s")


def test_resamples_without_solution_are_counted() -> None:
    few = omega(five(schools(seed=3).head(9)), "s", n_boot=200)
    assert few.n_failed > 20
    assert np.isnan(few.ci_low)
    assert any(f"No interval: {few.n_failed} of 200 resamples" in note for note in few.notes)
    more = omega(five(schools(seed=3).head(13)), "s", n_boot=2000)
    assert 0 < more.n_failed < 200
    assert more.ci_low < more.ci_high
    assert any(f"{more.n_failed} resamples had no solution" in note for note in more.notes)


def test_a_constant_item_is_named() -> None:
    with pytest.raises(NoVarianceError, match="'c'"):
        omega(five(schools().assign(c=3.0)), "s")


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "beta"},
        {"denominator": "both"},
        {"ci": "feldt"},
        {"extraction": "pca"},
        {"rotation": "varimax"},
        {"structure": "none"},
        {"bootstrap": "normal"},
        {"n_boot": 10},
        {"conf_level": 95},
        {"missing": "fiml"},
        {"n_factors": 0},
        {"kind": "hierarchical"},
        {"kind": "categorical", "n_factors": 2},
    ],
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        omega(bfi(), "agree", **options)


def test_unknown_names_get_a_hint() -> None:
    with pytest.raises(UnknownNameError, match="agree"):
        omega(bfi(), "agre")
    with pytest.raises(UnknownNameError):
        omega(bfi(), "agree", cluster="school")


def test_studentised_needs_errors() -> None:
    with pytest.raises(DataError, match="only omega total of one factor"):
        omega(bfi(), "agree", kind="categorical", bootstrap="studentised")


def test_result_is_shown() -> None:
    result = omega(five(schools(), cluster="school"), "s", n_boot=100)
    text = result.summary()
    assert text.startswith("Omega total of s: 0.8")
    assert "Estimated by one factor, maximum likelihood." in text
    assert "semTools" in text
    assert "average variance extracted" in result._repr_html_()
    assert result.plot().get_title(loc="left") == "Omega total of s"
    plain = omega(five(schools()), "s", ci="none")
    assert "CI" not in plain.summary()
    assert plain.plot().get_xlabel() == "coefficient"


def test_columns_are_those_of_omega() -> None:
    frame = dataset("bfi")
    items = BFI_SCALES["neuro"]
    frame[items] = np.minimum(frame[items], 5)
    responses = bfi(frame=frame)
    cells = omega_columns(responses, "neuro", item_moments(responses, "neuro"))
    assert_allclose(cells.omega_total, omega(responses, "neuro", ci="none").estimate, rtol=1e-10)
    categorical = omega(responses, "neuro", kind="categorical", ci="none").estimate
    assert_allclose(cells.omega_categorical, categorical, rtol=1e-6)
    six = omega_columns(responses, "agree", item_moments(responses, "agree"))
    assert np.isnan(six.omega_categorical)
    assert six.reason == ""
    two = omega_columns(responses, "two", item_moments(responses, ["A2", "A3"]))
    assert "at least 3 items" in two.reason
