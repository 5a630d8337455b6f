"""Ordinal regression with a random intercept against ordinal::clmm, and properties."""

from __future__ import annotations

import json
import pickle
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    FormulaError,
    NotEnoughDataError,
    NotSupportedError,
    OptionError,
    SingularFitWarning,
)
from collabsurvey.regression.mixed_ordinal import mixed_ordinal
from collabsurvey.regression.mixed_ordinal_result import MixedOrdinalResult
from collabsurvey.regression.ordinal import ordinal
from support import REFERENCE, dataset, gold, matrix

GOLD = gold("08_mixed_models")
WINE = "rating ~ temp + contact + (1 | judge)"
RTOL = 1e-4  # clmm stops at a gradient of about 1e-5
# Under Laplace clmm seeks the modes to 1e-4 only (clmm.control's gradTol), which moves its
# log-likelihood by 3.5e-6. With gradTol = 1e-8 R gives -81.5654127783, ours to 2e-9, but then its
# numerical Hessian is noise in the second digit, so that covariances can be compared to 1e-3 only.
LAPLACE_VCOV = 1e-3


@cache
def stored() -> dict[str, Any]:
    return json.loads((REFERENCE / "ordinal.json").read_text(encoding="utf-8"))


def simulated(n: int = 600, seed: int = 1, n_groups: int = 30, sd: float = 0.9) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, school = rng.normal(size=n), rng.integers(0, n_groups, n)
    latent = 0.8 * x + sd * rng.normal(size=n_groups)[school] + rng.logistic(size=n)
    y = np.digitize(latent, [-1.5, 0.0, 1.2]) + 1
    return pd.DataFrame({"y": y, "x": x, "school": school})


def with_log_sd(found: MixedOrdinalResult) -> np.ndarray:
    """Covariance of thresholds, slopes and log(sd), as clmm has it."""
    v = found.parameter_covariance.copy()
    v[-1] /= found.sd
    v[:, -1] /= found.sd
    return v


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference of two covariance matrices, in units of the standard errors."""
    size = np.sqrt(np.diag(expected))
    return float(np.abs((found - expected) / np.outer(size, size)).max())


# against R -------------------------------------------------------------------------------------


def test_every_clmm_entry_is_walked() -> None:
    assert {n for n in GOLD if n.startswith("clmm_")} == {"clmm_wine_nAGQ1", "clmm_wine_nAGQ10"}


@pytest.mark.parametrize("n_quad", [1, 10])
def test_clmm(n_quad: int) -> None:
    values = GOLD[f"clmm_wine_nAGQ{n_quad}"]["values"]
    found = mixed_ordinal(WINE, dataset("wine"), n_quad=n_quad)
    expected = values["coefficients"]
    assert found.estimates["term"].tolist() == [row["_row"] for row in expected]
    for ours, theirs in (
        ("estimate", "Estimate"),
        ("std_error", "Std. Error"),
        ("statistic", "z value"),
    ):
        assert_allclose(found.estimates[ours], [row[theirs] for row in expected], rtol=RTOL)
    p_values = [row["Pr(>|z|)"] for row in expected]
    assert_allclose(found.estimates["p_value"], p_values, atol=1e-5)
    assert_allclose(found.fit["loglik"], values["logLik"], atol=1e-5 if n_quad == 1 else 1e-8)
    assert_allclose(found.fit["aic"], values["AIC"], atol=2e-5)
    assert found.fit["n_parameters"] == values["df"]
    vcov = matrix(values["vcov"]).to_numpy()
    assert relative(with_log_sd(found), vcov) < (LAPLACE_VCOV if n_quad == 1 else RTOL)
    assert_allclose(found.sd, values["varcomp_sd"]["judge"]["(Intercept)"], rtol=RTOL)
    components = found.variance_components
    assert_allclose(components["vcov"], values["varcomp_var"]["judge"], rtol=RTOL)
    first = values["ranef_first"]["judge"]
    modes = found.random_effects.head(len(first))
    assert modes["level"].tolist() == [row["_row"] for row in first]
    assert_allclose(modes["estimate"], [row["(Intercept)"] for row in first], rtol=3 * RTOL)
    assert values["max_grad"] < 1e-4
    assert found.optimiser.gradient_norm < 1e-6
    assert found.fit["converged"]


def test_the_tight_laplace_value_of_r() -> None:
    found = mixed_ordinal(WINE, dataset("wine"), n_quad=1)
    assert_allclose(found.fit["loglik"], -81.5654127783, atol=1e-8)  # gradTol = 1e-8


CASES = {
    "wine_mixed_probit": (WINE, "wine", {"link": "probit"}),
    "bfi_mixed": ("N1 ~ gender + education + (1 | age)", "bfi", {"n_quad": 5}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::collabsurvey.errors.SingularFitWarning")
def test_links_and_groups(name: str) -> None:
    formula, data, options = CASES[name]
    values = stored()[name]
    table = dataset(data).iloc[:800]
    found = mixed_ordinal(formula, table, **options)
    assert_allclose(found.fit["loglik"], values["loglik"], atol=1e-6)
    assert_allclose(found.estimates["estimate"], values["estimate"], rtol=RTOL, atol=1e-5)
    assert relative(with_log_sd(found), np.array(values["vcov"])) < 1e-3
    assert_allclose(found.sd, values["sd"], rtol=1e-3)
    assert_allclose(found.modes, values["modes"], rtol=1e-3, atol=1e-5)
    assert_allclose(found.mode_sds, values["mode_sds"], rtol=1e-3)


def test_cloglog_of_clmm_is_the_log_log_link() -> None:
    """clmm 2022.11.16 fits F = exp(-exp(-x)) as "cloglog": ours of answers turned round.

    clm of the same version has 1 - exp(-exp(x)), as we do (see test_ordinal).
    """
    values = stored()["wine_mixed_cloglog"]
    found = mixed_ordinal(WINE.replace("rating", "I(6 - rating)"), dataset("wine"), link="cloglog")
    assert_allclose(found.fit["loglik"], values["loglik"], atol=1e-6)
    estimate = np.array(values["estimate"])
    assert_allclose(found.threshold_values, -estimate[3::-1], rtol=RTOL)
    assert_allclose(found.coefficients, -estimate[4:], rtol=RTOL)
    assert_allclose(found.sd, values["sd"], rtol=RTOL)
    assert_allclose(found.modes, -np.array(values["modes"]), rtol=1e-3)


def test_likelihood_is_the_integral() -> None:
    data = dataset("wine")
    found = mixed_ordinal(WINE, data, link="cloglog", n_quad=31)
    u = np.linspace(-9, 9, 2001)
    weight = np.exp(-(u**2) / 2) / np.exp(-(u**2) / 2).sum()
    eta = found.predict(data, kind="link").to_numpy()[:, None] + found.sd * u
    cuts = np.concatenate(([-np.inf], found.threshold_values, [np.inf]))
    y = data["rating"].to_numpy()[:, None]

    def below(cut: np.ndarray) -> np.ndarray:
        return 1 - np.exp(-np.exp(np.minimum(cut - eta, 50)))

    shares = below(cuts[y]) - below(cuts[y - 1])
    total = sum(
        np.log(shares[(data["judge"] == judge).to_numpy()].prod(axis=0) @ weight)
        for judge in data["judge"].unique()
    )
    assert_allclose(found.fit["loglik"], total, atol=1e-7)


# properties ------------------------------------------------------------------------------------


def test_parameters_are_recovered() -> None:
    found = mixed_ordinal("y ~ x + (1 | school)", simulated(n=20_000, n_groups=500))
    error = (found.estimates["estimate"] - [-1.5, 0.0, 1.2, 0.8]) / found.estimates["std_error"]
    assert np.abs(error).max() < 3.5
    low, high = found.sd_interval or (0.0, 0.0)
    assert low < found.sd < high
    assert abs(found.sd - 0.9) < 0.15
    assert_allclose(found.fit["icc"], found.sd**2 / (found.sd**2 + np.pi**2 / 3))
    assert found.fit["p_variance"] < 1e-10


@settings(max_examples=8)
@given(seed=st.integers(0, 10**6), link=st.sampled_from(["logit", "probit"]))
def test_order_of_rows_does_not_matter(seed: int, link: Any) -> None:
    data = simulated(n=200, seed=seed % 5, n_groups=12)
    one = mixed_ordinal("y ~ x + (1 | school)", data, link=link)
    mixed_up = data.sample(frac=1, random_state=seed)
    other = mixed_ordinal("y ~ x + (1 | school)", mixed_up, link=link)
    assert_allclose(one.fit["loglik"], other.fit["loglik"], rtol=1e-10)
    assert_allclose(one.coefficients, other.coefficients, rtol=1e-6)
    assert_allclose(one.sd, other.sd, rtol=1e-5)
    assert one.group_names == other.group_names
    assert_allclose(one.modes, other.modes, atol=1e-6)
    assert np.all(np.diff(one.threshold_values) > 0)


def test_the_quadrature_converges() -> None:
    data = simulated(n=150, n_groups=50, sd=1.5)
    logliks = [
        mixed_ordinal("y ~ x + (1 | school)", data, n_quad=k).fit["loglik"] for k in (1, 7, 15, 31)
    ]
    errors = np.abs(np.array(logliks[:3]) - logliks[3])
    assert errors[0] > errors[1] > errors[2]
    assert errors[1] < 0.01
    assert errors[2] < 1e-4


def test_two_categories_are_mixed_logistic_regression() -> None:
    from collabsurvey.regression.mixed_logit import mixed_logit

    data = simulated().assign(up=lambda d: (d["y"] > 2).astype(int))
    found = mixed_ordinal("up ~ x + (1 | school)", data)
    peer = mixed_logit("up ~ x + (1 | school)", data, n_quad=7)
    assert_allclose(found.fit["loglik"], peer.fit["loglik"], rtol=1e-9)
    assert_allclose(found.coefficients, peer.coefficients[1:], rtol=1e-5)
    assert_allclose(found.slopes["std_error"], peer.estimates["std_error"][1:], rtol=1e-4)
    assert_allclose(found.sd, np.sqrt(peer.variance_components["vcov"][0]), rtol=1e-5)


def test_turned_round_and_in_other_units() -> None:
    data = simulated()
    one = mixed_ordinal("y ~ x + (1 | school)", data)
    other = mixed_ordinal("I(5 - y) ~ x + (1 | school)", data.assign(x=data["x"] * 1e4 + 1e6))
    assert_allclose(other.coefficients, -one.coefficients / 1e4, rtol=1e-5)
    assert_allclose(other.sd, one.sd, rtol=1e-5)
    assert_allclose(other.modes, -one.modes, atol=1e-5)


def test_no_variance_between_groups() -> None:
    data = simulated(sd=0.0, seed=1)
    with pytest.warns(SingularFitWarning, match="no variance between groups of school"):
        found = mixed_ordinal("y ~ x + (1 | school)", data)
    peer = ordinal("y ~ x", data)
    assert found.singular
    assert found.sd_interval is None
    assert found.fit["p_variance"] == 1.0
    assert found.fit["converged"]
    assert_allclose(found.estimates["estimate"], peer.estimates["estimate"], rtol=1e-6)
    assert_allclose(found.vcov, peer.vcov, rtol=1e-4, atol=1e-8)
    assert not found.modes.any()


# predictions -----------------------------------------------------------------------------------


def test_levels_of_predictions() -> None:
    data = simulated()
    found = mixed_ordinal("y ~ x + (1 | school)", data)
    new = pd.DataFrame({"x": [0.5, 0.5, 0.5, np.nan], "school": [3, 999, 4, 3]})
    typical = found.predict(new, level="typical")
    population = found.predict(new)
    own = found.predict(new, level="cluster")
    for shares in (typical, population, own):
        assert list(shares.columns) == ["1", "2", "3", "4"]
        assert_allclose(shares.iloc[:3].sum(axis=1), 1, rtol=1e-10)
        assert shares.iloc[3].isna().all()
    assert_allclose(own.iloc[1], population.iloc[1], rtol=1e-12)  # an unknown school
    at = found.threshold_values - 0.5 * found.coefficients[0] - found.modes[3]
    assert_allclose(own.iloc[0].cumsum()[:3], 1 / (1 + np.exp(-at)), rtol=1e-10)
    # By simulation: shares among very many schools.
    u = found.sd * np.random.default_rng(0).normal(size=400_000)
    cut = found.threshold_values[0] - 0.5 * found.coefficients[0] - u
    assert_allclose(population.iloc[0, 0], np.mean(1 / (1 + np.exp(-cut))), atol=2e-3)
    eta = found.predict(new, kind="link", level="cluster")
    assert_allclose(eta[0], 0.5 * found.coefficients[0] + found.modes[3])
    assert "school" not in found.predict(new[["x"]]).columns  # needs no groups
    with pytest.raises(OptionError, match="level="):
        found.predict(new, level="school")  # type: ignore[arg-type]


def test_population_shares_are_those_of_the_sample() -> None:
    data = simulated(n=5000, n_groups=200)
    found = mixed_ordinal("y ~ x + (1 | school)", data)
    shares = data["y"].value_counts(normalize=True).sort_index()
    assert_allclose(found.predict(data).mean(), shares, atol=0.01)


def test_engines_agree(engine: Any) -> None:
    data = simulated(n=300, n_groups=15)
    peer = mixed_ordinal("y ~ x + (1 | school)", data)
    table = engine(data)
    found = mixed_ordinal("y ~ x + (1 | school)", table)
    assert_allclose(found.coefficients, peer.coefficients, rtol=1e-8)
    ours = engine.pandas(found.predict(table, level="cluster"))
    assert_allclose(ours, peer.predict(data, level="cluster"), rtol=1e-6)


# assumptions -----------------------------------------------------------------------------------


def test_proportional_odds_beside_the_random_intercept() -> None:
    rng = np.random.default_rng(2)
    data = simulated(n=1500, n_groups=40).assign(s=lambda d: rng.normal(size=len(d)))
    low = (data["y"] <= 2) & (rng.random(1500) < 0.6)
    data.loc[low, "y"] = np.where(data.loc[low, "s"] > 0, 2, 1)
    fitted = mixed_ordinal("y ~ x + s + (1 | school)", data, n_quad=5)
    found = fitted.proportional_odds()
    tests = found.to_frame().set_index("term")
    assert tests.loc["s", "p_value"] < 1e-4
    assert (tests["loglik"] >= fitted.fit["loglik"] - 1e-6).all()
    assert "without the random intercept" in found.summary()


def test_proportional_odds_of_wine_holds() -> None:
    found = mixed_ordinal(WINE, dataset("wine")).proportional_odds()
    assert (found.to_frame()["p_value"] > 0.05).all()
    assert "temp has no finite estimate" in found.summary()


# refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("y ~ x + (x | school)", "random slopes"),
        ("y ~ x + (0 + x | school)", "random slopes"),
        ("y ~ x + (1 | school) + (1 | other)", r"several random terms \(school and other\)"),
        ("y ~ x + (1 | mm(school, other))", r"mm\(\) with an ordered outcome"),
    ],
)
def test_random_parts_that_are_refused(formula: str, words: str) -> None:
    data = simulated().assign(other=lambda d: d["school"] % 7)
    with pytest.raises(NotSupportedError, match=words):
        mixed_ordinal(formula, data)


def test_what_cannot_be_fitted() -> None:
    data = simulated()
    with pytest.raises(FormulaError, match=r"needs a random term such as \(1 \| school\)"):
        mixed_ordinal("y ~ x", data)
    for bad in (0, 2.5, 100, True):
        with pytest.raises(OptionError, match="n_quad"):
            mixed_ordinal("y ~ x + (1 | school)", data, n_quad=bad)  # type: ignore[arg-type]
    with pytest.raises(NotEnoughDataError, match="at least 2 groups"):
        mixed_ordinal("y ~ x + (1 | school)", data.assign(school=1))
    with pytest.raises(NotEnoughDataError, match="groups of one row each"):
        mixed_ordinal("y ~ x + (1 | school)", data.assign(school=range(len(data))))
    alone = data.assign(y=1 + data["school"] % 3)
    with pytest.raises(DataError, match="chose one category only"):
        mixed_ordinal("y ~ x + (1 | school)", alone)


def test_few_groups_are_warned_of() -> None:
    with pytest.warns(FewClustersWarning, match="4 groups of school are too few"):
        mixed_ordinal("y ~ x + (1 | school)", simulated(n_groups=4))


def test_groups_without_a_name_are_left_out() -> None:
    data = simulated()
    data["school"] = data["school"].astype(float)
    data.loc[:9, "school"] = np.nan
    found = mixed_ordinal("y ~ x + (1 | school)", data)
    assert found.fit["n_obs"] == 590
    assert "school 10" in " ".join(found.notes)


# what a reader sees ----------------------------------------------------------------------------


def test_table_charts_and_pickles() -> None:
    found = mixed_ordinal(WINE, dataset("wine"), n_quad=10)
    text = found.summary()
    assert "quadrature with 10 points" in text
    assert "Between groups: SD 1.135 [" in text
    assert "28% of the variance of the latent answer (ICC)" in text
    assert found._repr_html_()
    assert found.chart().to_svg()
    assert "at temp warm: 1 2%" in found.probability_chart("temp").description
    assert "Laplace" in mixed_ordinal(WINE, dataset("wine"), n_quad=1).title
    again = pickle.loads(pickle.dumps(found))
    assert_allclose(again.parameter_covariance, found.parameter_covariance)
    joint = found.wald()
    assert joint["df1"][0] == 2
    assert joint["test"][0] == "chi-square"
