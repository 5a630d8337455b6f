"""Likelihood ratio tests of mixed models: lmerTest's ranova, the mixture, simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.special import chdtrc

from collabsurvey.errors import DataError, NotSupportedError, OptionError
from collabsurvey.numerics.mixed_bootstrap import fitted_draws, simulator
from collabsurvey.regression.likelihood_ratio import (
    likelihood_ratio,
    mixture,
    mixture_tail,
)
from collabsurvey.regression.linear import ols
from collabsurvey.regression.mixed import mixed
from collabsurvey.regression.mixed_blocks_of import fitted_blocks
from support import dataset, gold

GOLD = gold("08_mixed_models")
RANOVA = {
    n: e for n, e in GOLD.items() if "ranova" in e["values"] and len(e["values"]["ngroups"]) == 1
}


@pytest.mark.parametrize("name", RANOVA)
def test_statistics_and_naive_p_values_match_ranova(name: str) -> None:
    entry = RANOVA[name]
    stored = entry["values"]["ranova"][1]
    formula = entry["method"].split("lmer(")[1].split(", REML")[0]
    data, reml = dataset(entry["dataset"].removesuffix(".csv")), entry["values"]["REML"]
    larger = mixed(formula, data, reml=reml)
    fixed, random = formula.rsplit(" + (", 1)
    term, group = random.rstrip(")").split(" | ")
    if term == "1":
        found = likelihood_ratio(ols(fixed, data), larger)
    else:  # ranova takes the slope out
        smaller = mixed(f"{fixed} + (1 | {group})", data, reml=reml)
        found = likelihood_ratio(smaller, larger)
    assert abs(found.statistic - stored["LRT"]) < 4e-6
    assert abs(found.loglik_smaller - stored["logLik"]) < 1e-6
    assert_allclose(found.p_value_naive, stored["Pr(>Chisq)"], rtol=1e-5)
    assert found.df == ((0, 1) if term == "1" else (1, 2))
    assert found.weights == (0.5, 0.5)
    assert found.p_value < found.p_value_naive


def test_crossed_factors_match_ranova() -> None:
    data = dataset("scotssec")
    larger = mixed("attain ~ verbal + sex + (1 | primary) + (1 | second)", data)
    smaller = mixed("attain ~ verbal + sex + (1 | primary)", data)
    stored = GOLD["scotssec_crossed_reml"]["values"]["ranova"][2]
    found = likelihood_ratio(smaller, larger)
    assert abs(found.statistic - stored["LRT"]) < 4e-6
    assert_allclose(found.p_value_naive, stored["Pr(>Chisq)"], rtol=1e-5)
    assert_allclose(found.p_value, stored["Pr(>Chisq)"] / 2, rtol=1e-5)


def test_reml_fits_with_other_coefficients_are_refitted() -> None:
    data = dataset("sleepstudy")
    formula = "Reaction ~ {} + (Days | Subject)"
    reml = likelihood_ratio(mixed(formula.format(1), data), mixed(formula.format("Days"), data))
    one, two = (mixed(formula.format(x), data, reml=False) for x in (1, "Days"))
    expected = 2 * (two.fit["loglik"] - one.fit["loglik"])
    assert_allclose(reml.statistic, expected, atol=1e-6)
    assert reml.criterion == "maximum likelihood"
    assert reml.notes[0].startswith("REML likelihoods of models with different coefficients")
    assert_allclose(reml.p_value, chdtrc(1, expected), rtol=1e-5)
    plain = likelihood_ratio(one, two)
    assert_allclose(plain.statistic, expected, atol=1e-9)
    assert plain.notes == ("Chi-square with 1 df.",)
    # One by REML and one not, with the same coefficients.
    other = mixed("Reaction ~ Days + (1 | Subject)", data)
    both = likelihood_ratio(other, two)
    ml = mixed("Reaction ~ Days + (1 | Subject)", data, reml=False)
    assert_allclose(both.statistic, 2 * (two.fit["loglik"] - ml.fit["loglik"]), atol=1e-6)
    assert both.notes[0].startswith("One model was fitted by REML and one not")


@pytest.mark.parametrize("weighted", [False, True])
def test_refits_have_the_likelihood_of_a_fit(weighted: bool) -> None:
    data = dataset("exam").assign(w=lambda d: 1 + d.index % 3)
    formula, weights = "normexam ~ standLRT + (standLRT | school)", "w" if weighted else None
    by_reml = mixed(formula, data, weights=weights)
    by_ml = mixed(formula, data, reml=False, weights=weights)
    assert_allclose(fitted_blocks(by_reml, reml=False).minus2, -2 * by_ml.fit["loglik"], rtol=1e-10)
    assert_allclose(fitted_blocks(by_ml, reml=True).minus2, -2 * by_reml.fit["loglik"], rtol=1e-10)
    assert_allclose(fitted_blocks(by_ml).minus2, -2 * by_ml.fit["loglik"], rtol=1e-12)


def test_mixtures() -> None:
    assert mixture(0, n_variances=1, n_added=1) == ((0, 1), (0.5, 0.5))
    assert mixture(0, n_variances=1, n_added=2) == ((1, 2), (0.5, 0.5))
    assert mixture(2, n_variances=1, n_added=3) == ((4, 5), (0.5, 0.5))
    assert mixture(1, n_variances=2, n_added=2) == ((1, 2, 3), (0.25, 0.5, 0.25))
    assert mixture(0, n_variances=0, n_added=1) == ((1,), (1.0,))
    assert mixture(0, n_variances=2, n_added=3) == ((3,), (1.0,))
    # Stram & Lee (1994), section 5: .05 of 0.5 chi2(0) + 0.5 chi2(1), and of chi2(1), chi2(2).
    assert_allclose(mixture_tail(2.7055, (0, 1), (0.5, 0.5)), 0.05, atol=1e-5)
    assert_allclose(mixture_tail(5.1390, (1, 2), (0.5, 0.5)), 0.05, atol=1e-4)
    assert mixture_tail(0.0, (0, 1), (0.5, 0.5)) == 1.0


def simulated(seed: int, *, groups: int = 12, tau: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), 10)
    x = rng.normal(size=len(g))
    y = 0.3 * x + tau * rng.normal(size=groups)[g] + rng.normal(size=len(g))
    return pd.DataFrame({"g": g, "x": x, "y": y})


def test_simulation_of_one_variance() -> None:
    data = simulated(1, tau=0.2)
    larger = mixed("y ~ x + (1 | g)", data)
    found = likelihood_ratio(ols("y ~ x", data), larger, method="simulation", n_draws=4000)
    chi_bar = likelihood_ratio(ols("y ~ x", data), larger)
    assert found.statistic == chi_bar.statistic > 0.5
    # With few groups more than half of the statistics are zero: the mixture errs upwards.
    assert 0.4 * chi_bar.p_value < found.p_value < 1.05 * chi_bar.p_value
    again = likelihood_ratio(ols("y ~ x", data), larger, method="simulation", n_draws=4000)
    assert again.p_value == found.p_value
    assert "4000 draws" in " ".join(found.notes)


def test_simulation_of_a_slope_and_of_two_variances_at_once() -> None:
    data = dataset("sleepstudy")
    one = mixed("Reaction ~ Days + (1 | Subject)", data)
    apart = mixed("Reaction ~ Days + (Days || Subject)", data)
    both = mixed("Reaction ~ Days + (Days | Subject)", data)
    slope = likelihood_ratio(one, both, method="simulation", n_draws=500)
    assert slope.p_value == pytest.approx(1 / 501)
    correlation = likelihood_ratio(apart, both, method="simulation", n_draws=1000)
    assert_allclose(correlation.p_value, likelihood_ratio(apart, both).p_value, atol=0.05)
    at_once = likelihood_ratio(ols("Reaction ~ Days", data), both)
    assert "no mixture is known" in at_once.notes[0]
    assert at_once.p_value == at_once.p_value_naive
    assert likelihood_ratio(ols("Reaction ~ Days", data), both, method="simulation").p_value < 0.01


@pytest.mark.parametrize(("groups", "share"), [(10, 0.035), (20, 0.04), (50, 0.045)])
def test_type_one_error_of_the_mixture(groups: int, share: float) -> None:
    """Near .05 and below it; the naive chi-square rejects half as often."""
    larger = fitted_blocks(mixed("y ~ x + (1 | g)", simulated(2, groups=groups, tau=0.5)))
    design = simulator(larger.products)
    n = 6000
    draws = design.draw((np.zeros((1, 1)),), 1.0, n, np.random.default_rng(groups))
    left = larger.products.n_rows - 2
    null = left * (1 + np.log(2 * np.pi * draws.ee / left))
    found = null - fitted_draws(larger.products, draws, larger.lowers).criterion
    statistic = np.maximum(found, 0.0)
    error = np.sqrt(0.05 * 0.95 / n)
    rejected = (0.5 * chdtrc(1, statistic) < 0.05).mean()
    assert abs(rejected - share) < 4 * error
    assert (chdtrc(1, statistic) < 0.05).mean() < 0.6 * rejected


def test_what_is_refused() -> None:
    data = dataset("sleepstudy")
    one = mixed("Reaction ~ Days + (1 | Subject)", data)
    both = mixed("Reaction ~ Days + (Days | Subject)", data)
    with pytest.raises(DataError, match="lacks random effects of Subject"):
        likelihood_ratio(both, one)
    with pytest.raises(DataError, match="larger model lacks Days"):
        likelihood_ratio(one, mixed("Reaction ~ 1 + (Days | Subject)", data))
    with pytest.raises(DataError, match="nothing to test"):
        likelihood_ratio(one, one)
    with pytest.raises(DataError, match="different data"):
        likelihood_ratio(mixed("Reaction ~ Days + (1 | Subject)", data[:150]), both)
    other = data.assign(Reaction=data["Reaction"].sample(frac=1, random_state=1).to_numpy())
    with pytest.raises(DataError, match="different rows or weights"):
        likelihood_ratio(mixed("Reaction ~ Days + (1 | Subject)", other), both)
    with pytest.raises(DataError, match=r"larger model of mixed"):
        likelihood_ratio(one, ols("Reaction ~ Days", data))  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="chi-bar"):
        likelihood_ratio(one, both, method="wald")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="at least 100"):
        likelihood_ratio(one, both, method="simulation", n_draws=10)
    with pytest.raises(NotSupportedError, match="different coefficients"):
        likelihood_ratio(
            mixed("Reaction ~ 1 + (1 | Subject)", data), both, method="simulation", n_draws=100
        )
    slope = mixed("Reaction ~ Days + (0 + Days | Subject)", data)
    with pytest.raises(NotSupportedError, match="beside slopes"):
        likelihood_ratio(slope, both, method="simulation", n_draws=100)
    pastes = dataset("pastes")
    nested = mixed("strength ~ 1 + (1 | batch/cask)", pastes)
    with pytest.raises(NotSupportedError, match="several grouping factors"):
        likelihood_ratio(
            mixed("strength ~ 1 + (1 | batch)", pastes), nested, method="simulation", n_draws=100
        )


def test_shown_to_a_reader() -> None:
    data = dataset("sleepstudy")
    found = likelihood_ratio(
        mixed("Reaction ~ Days + (1 | Subject)", data),
        mixed("Reaction ~ Days + (Days | Subject)", data),
    )
    text = found.summary()
    assert "Likelihood ratio test (REML)" in text
    assert "0.5 χ²(1) + 0.5 χ²(2)" in text
    assert found.to_frame()["p_value"][1] == found.p_value
    assert found.plot() is not None
    assert "<table" in found._repr_html_()
