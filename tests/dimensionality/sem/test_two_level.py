"""Two-level models against lavaan: gold values, its EM and BFGS run to the end, and properties.

lavaan 0.6.14 stops early twice. The EM algorithm for its unrestricted model ends when a step
gains less than 1e-4, and nlminb ends 3.5e-6 below the maximum of the likelihood, where
estimates are still 1e-4 away. Gold values that depend on this are reached from lavaan's own
estimates and its own unrestricted model; our maxima are compared with lavaan's run to the end.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.dimensionality.sem.compile import build, count_moments
from collabsurvey.dimensionality.sem.estimate import Fit, finished, fit, observed_information
from collabsurvey.dimensionality.sem.implied import gradient, implied
from collabsurvey.dimensionality.sem.level_specific import (
    level_fits,
    srmr_levels,
    started,
    two_level_baseline,
    with_level,
)
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.start import start_values, with_covariates
from collabsurvey.dimensionality.sem.two_level import (
    TwoLevelNormal,
    TwoLevelSample,
    covariates_loglik,
    two_level_sample,
)
from collabsurvey.errors import DataError, NotEnoughDataError, NoVarianceError
from collabsurvey.numerics.two_level_joint import evaluate_joint, joint_slopes
from collabsurvey.numerics.typing import FloatArray
from dimensionality.sem.two_level_em import em_unrestricted
from support import REFERENCE, dataset, gold

GOLD = gold("07_multilevel_aggregation")
PLAIN = GOLD["twolevel_cfa_bhr2000"]["values"]
ROBUST = GOLD["twolevel_cfa_mlr_bhr2000"]["values"]
LAVAAN = json.loads((REFERENCE / "two_level.json").read_text(encoding="utf-8"))
ITEMS = ["AF06", "AF07", "AP12", "AS14", "AS16", "AS28"]
FOUR = ["AF06", "AP12", "AS14", "AS16"]
CLOSED = 1e-9  # the same function of the same estimates
SECOND = 1e-6  # lavaan's second derivatives are differences
STOPPED = 1e-4  # where lavaan's iteration stopped short


def factor(items: list[str]) -> str:
    return "f =~ " + " + ".join(items)


MODELS = {
    "whole": (factor(ITEMS), factor(ITEMS)),
    "one_level": (
        factor([*FOUR, "own"]),
        factor(FOUR) + "\nsize ~~ f\nsize ~~ size\nsize ~ 1",
    ),
    "covariate": (factor(FOUR) + "\nf ~ own", factor(FOUR) + "\nf ~ size"),
}


def soldiers() -> pd.DataFrame:
    data = dataset("bhr2000")
    groups = data.groupby("GRP")
    data["size"] = groups["AF06"].transform("size") / 100
    data["own"] = data["AF07"] - groups["AF07"].transform("mean")
    return data


def sample_of(data: pd.DataFrame, model: Model) -> TwoLevelSample:
    return two_level_sample(
        data.to_numpy(dtype=float),
        data["GRP"].to_numpy(),
        list(data.columns),
        model.blocks[0].observed,
        model.blocks[1].observed,
    )


def fitted(model: Model, sample: TwoLevelSample) -> tuple[Fit, TwoLevelNormal]:
    model = with_covariates(model, sample.each_level())
    discrepancy = TwoLevelNormal([sample])
    return fit(model, discrepancy, start_values(model, sample.each_level())), discrepancy


@cache
def case(name: str) -> tuple[Fit, TwoLevelNormal]:
    within, between = MODELS[name]
    model = build(f"level: 1\n{within}\nlevel: 2\n{between}")
    return fitted(model, sample_of(soldiers(), model))


def of_lavaan(model: Model, rows: list[dict[str, Any]], column: str) -> FloatArray:
    """A column of lavaan's table (n_free,), in the order of theta."""
    out = np.full(model.n_free, np.nan)
    known = {}
    for row in rows:
        rhs = row["rhs"] or ""
        known[row["lhs"], row["op"], rhs, row["block"]] = row[column]
        known[rhs, row["op"], row["lhs"], row["block"]] = row[column]
    for one, place in zip(model.parameters, model.place.tolist(), strict=True):
        if place >= 0:
            out[place] = known[one.lhs, one.op, one.rhs, one.block + 1]
    return out


def table(name: str) -> list[dict[str, Any]]:
    return pd.DataFrame(LAVAAN[name]["estimates"]).to_dict("records")


@cache
def stopped() -> tuple[Fit, TwoLevelNormal]:
    """The gold model at lavaan's estimates, compared with lavaan's unrestricted model."""
    found, discrepancy = case("whole")
    samples = discrepancy.samples
    theirs = TwoLevelNormal(samples, saturated=[em_unrestricted(samples[0].levels)])
    x = of_lavaan(found.model, PLAIN["estimates"], "est")
    return finished(found.model, theirs, x), theirs


def robust_errors(found: Fit, discrepancy: TwoLevelNormal) -> FloatArray:
    bread = np.linalg.inv(observed_information(found, discrepancy))
    meat = discrepancy.first_order(found.implied, found.derivatives, found.model.n_free)
    return np.sqrt(np.diag(bread @ meat @ bread))


# --- gold ---------------------------------------------------------------------------------------


def test_likelihoods_are_lavaans() -> None:
    found, theirs = stopped()
    expected = PLAIN["fit"]
    assert theirs.samples[0].n == PLAIN["nobs"]
    assert theirs.samples[0].n_clusters == PLAIN["n_clusters"]
    assert_allclose(theirs.loglik(found.implied), expected["logl"], rtol=CLOSED)
    assert_allclose(theirs.unrestricted_loglik, expected["unrestricted.logl"], rtol=CLOSED)
    assert_allclose(found.value, expected["chisq"], rtol=1e-7)
    assert count_moments(found.model) - found.model.n_unique == expected["df"]


def test_implied_moments_are_lavaans() -> None:
    found, _ = stopped()
    for block, level in zip(found.implied, ("within", "GRP"), strict=True):
        expected = PLAIN["implied"][level]
        assert_allclose(block.cov, np.array(expected["cov"]["data"]), rtol=CLOSED, atol=CLOSED)
        assert_allclose(block.mean, list(expected["mean"].values()), rtol=CLOSED)


def test_baseline_is_lavaans() -> None:
    found, theirs = stopped()
    baseline, x = two_level_baseline(found.model, theirs.samples)
    value = finished(baseline, theirs, x).value
    assert_allclose(value, PLAIN["fit"]["baseline.chisq"], rtol=1e-7)
    assert count_moments(baseline) - baseline.n_unique == PLAIN["fit"]["baseline.df"]


def test_srmr_and_icc_are_lavaans() -> None:
    found, theirs = stopped()
    whole = theirs.saturated[0]
    within, between = srmr_levels(
        theirs.samples, found.implied, saturated=[(whole.within, whole.between)]
    )
    expected = PLAIN["fit"]
    assert_allclose(
        [within, between, within + between],
        [expected["srmr_within"], expected["srmr_between"], expected["srmr"]],
        rtol=1e-6,
    )
    ours = theirs.samples[0].icc
    share = np.diag(whole.between) / np.diag(whole.between + whole.within)
    assert_allclose(share, list(PLAIN["icc"].values()), rtol=1e-6)
    assert list(ours) == list(PLAIN["icc"])
    assert_allclose(list(ours.values()), share, rtol=1e-3)


def test_standard_errors_are_lavaans() -> None:
    found, theirs = stopped()
    plain = np.sqrt(np.diag(np.linalg.inv(observed_information(found, theirs))))
    assert_allclose(plain, of_lavaan(found.model, PLAIN["estimates"], "se"), rtol=SECOND)
    robust = robust_errors(found, theirs)
    assert_allclose(robust, of_lavaan(found.model, ROBUST["estimates"], "se"), rtol=SECOND)


def scaling(found: Fit, discrepancy: TwoLevelNormal) -> tuple[float, float, float]:
    """Scaling factors of the unrestricted model, of the model, and of chi-square."""
    ((curved, meat),) = discrepancy.saturated_pieces()
    bread = np.linalg.inv(observed_information(found, discrepancy))
    own = discrepancy.first_order(found.implied, found.derivatives, found.model.n_free)
    above, below = np.trace(np.linalg.solve(curved, meat)), np.trace(bread @ own)
    df = count_moments(found.model) - found.model.n_unique
    return above / len(curved), below / len(bread), (above - below) / df


def test_scaling_factors_are_lavaans() -> None:
    found, theirs = stopped()
    expected = ROBUST["fit"]
    names = ("scaling.factor.h1", "scaling.factor.h0", "chisq.scaling.factor")
    assert_allclose(scaling(found, theirs), [expected[name] for name in names], rtol=1e-5)
    baseline, x = two_level_baseline(found.model, theirs.samples)
    factor_of_baseline = scaling(finished(baseline, theirs, x), theirs)[2]
    assert_allclose(factor_of_baseline, expected["baseline.chisq.scaling.factor"], rtol=1e-5)


def test_our_maximum_is_near_where_lavaan_stopped() -> None:
    found, discrepancy = case("whole")
    expected = of_lavaan(found.model, PLAIN["estimates"], "est")
    assert found.converged
    assert_allclose(found.theta, expected, atol=STOPPED * np.abs(expected).max())
    assert_allclose(found.value, PLAIN["fit"]["chisq"], rtol=STOPPED)
    assert discrepancy.loglik(found.implied) > PLAIN["fit"]["logl"]
    assert discrepancy.unrestricted_loglik > PLAIN["fit"]["unrestricted.logl"]


# --- lavaan run to the end ----------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_maximum_is_lavaans_run_to_the_end(name: str) -> None:
    found, discrepancy = case(name)
    expected = LAVAAN[name]
    covariates = {name for block in found.model.blocks for name in block.covariates}
    given = covariates_loglik(discrepancy.samples[0], sorted(covariates))
    assert found.converged
    assert found.model.n_unique == expected["npar"]
    assert_allclose(
        discrepancy.unrestricted_loglik - given, expected["unrestricted_logl"], rtol=1e-11
    )
    assert_allclose(discrepancy.loglik(found.implied) - given, expected["logl"], rtol=1e-10)
    estimates, errors = (of_lavaan(found.model, table(name), column) for column in ("est", "se"))
    # nlminb left the smaller models 1e-5 away.
    assert_allclose(found.theta, estimates, atol=2e-5)
    ours = np.sqrt(np.diag(np.linalg.inv(observed_information(found, discrepancy))))
    assert_allclose(ours, errors, rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_baseline_is_lavaans_run_to_the_end(name: str) -> None:
    found, discrepancy = case(name)
    covariates = {name for block in found.model.blocks for name in block.covariates}
    given = covariates_loglik(discrepancy.samples[0], sorted(covariates))
    baseline, x = two_level_baseline(found.model, discrepancy.samples)
    at = finished(baseline, discrepancy, x)
    assert baseline.n_unique == LAVAAN[name]["baseline_npar"]
    expected = LAVAAN[name]["baseline_logl"]
    assert_allclose(discrepancy.loglik(at.implied) - given, expected, rtol=1e-10)
    again = fit(baseline, discrepancy, x)
    assert_allclose(again.value, at.value, rtol=1e-12)


def test_robust_errors_are_lavaans_run_to_the_end() -> None:
    found, discrepancy = case("whole")
    rows = [
        row | {"robust": value}
        for row, value in zip(table("whole"), LAVAAN["whole"]["robust_se"], strict=True)
    ]
    expected = of_lavaan(found.model, rows, "robust")
    assert_allclose(robust_errors(found, discrepancy), expected, rtol=1e-5)


def test_few_clusters_meet_the_boundary() -> None:
    data = soldiers()
    few = data[data["GRP"].isin(data["GRP"].unique()[:12])]
    model = build(f"level: 1\n{factor(FOUR)}\nlevel: 2\n{factor(FOUR)}")
    sample = sample_of(few, model)
    whole, expected = sample.saturated, LAVAAN["few"]
    assert whole.boundary and whole.converged
    # Towards the boundary EM creeps; it is below the maximum by what it left.
    assert 0 <= whole.loglik - expected["unrestricted_logl"] < 1e-3
    at = evaluate_joint(sample.levels, whole.within, whole.between)
    assert at is not None
    within, _, between = joint_slopes(sample.levels, at)
    assert_allclose(within, 0.0, atol=1e-3)
    assert_allclose(between @ whole.between, 0.0, atol=1e-3)
    assert np.linalg.eigvalsh(between)[0] > -1e-3  # nothing to gain inside
    discrepancy = TwoLevelNormal([sample])
    theta = model.theta(start_values(model, sample.each_level()))
    alone = with_level(model, [sample], 2, "independent", theta=theta)
    found = fit(alone, discrepancy, started(alone))
    assert_allclose(discrepancy.loglik(found.implied), expected["logl"], rtol=1e-9)


# --- each level by itself -----------------------------------------------------------------------


def test_level_between_is_lavaans() -> None:
    found, discrepancy = case("whole")
    within, between = level_fits(found, discrepancy, lambda model, x: fit(model, discrepancy, x))
    top = LAVAAN["whole"]["unrestricted_logl"]
    expected = LAVAAN["level_specific"]
    chi2 = 2 * (top - expected["between"]["logl"])
    baseline = 2 * (top - expected["between_baseline"]["logl"])
    assert between.converged and within.converged
    assert (between.df, between.df_baseline, within.df, within.df_baseline) == (9, 15, 9, 15)
    assert (between.n, within.n) == (99, 5400)
    assert_allclose([between.chi2, between.chi2_baseline], [chi2, baseline], rtol=1e-5)
    assert_allclose(between.cfi, 1 - (chi2 - 9) / (baseline - 15), rtol=1e-5)
    assert_allclose(between.rmsea, np.sqrt((chi2 - 9) / (9 * 99)), rtol=1e-5)
    # lavaan's matrix between is indefinite here, so that its chi-square is lower.
    unbounded = 2 * (top - expected["within"]["logl"])
    assert unbounded < within.chi2 < unbounded + 0.1


def test_saturated_level_between_is_the_best_possible_matrix() -> None:
    found, discrepancy = case("whole")
    sample = discrepancy.samples[0]
    partly = with_level(found.model, [sample], 2, "saturated", theta=found.theta)
    at = fit(partly, discrepancy, started(partly))
    between = at.implied[1].cov
    slope = discrepancy.slopes(at.implied)[1].cov
    assert_allclose(slope @ between, 0.0, atol=1e-4)
    assert np.linalg.eigvalsh(slope)[0] > -1e-4


def test_both_levels_saturated_leave_no_distance() -> None:
    for name in MODELS:
        found, discrepancy = case(name)
        partly = with_level(found.model, discrepancy.samples, 1, "saturated")
        whole = with_level(partly, discrepancy.samples, 2, "saturated")
        assert whole.n_unique == count_moments(found.model)
        at = finished(whole, discrepancy, started(whole))
        assert_allclose(at.value, 0.0, atol=1e-6)


def test_covariates_stay_fixed_on_the_saturated_level() -> None:
    found, discrepancy = case("covariate")
    free, _ = case("one_level")
    ours = level_fits(found, discrepancy, lambda model, x: fit(model, discrepancy, x))
    theirs = level_fits(free, discrepancy, lambda model, x: fit(model, discrepancy, x))
    for one, other in zip(ours, theirs, strict=True):
        assert one.converged and other.converged
        assert_allclose(one.chi2, other.chi2, rtol=1e-8)
        assert one.df == other.df


def test_equal_loadings_on_both_levels_are_given_up() -> None:
    text = "level: 1\nf =~ a*AF06 + b*AP12 + c*AS14\nlevel: 2\nf =~ a*AF06 + b*AP12 + c*AS14"
    model = build(text)
    sample = sample_of(soldiers(), model)
    partly = with_level(model, [sample], 2, "saturated")
    assert model.n_unique < model.n_free
    assert partly.n_unique == 6 + 9


# --- properties ---------------------------------------------------------------------------------


def test_second_derivatives_match_differences() -> None:
    found, discrepancy = case("one_level")
    model = found.model
    theta = found.theta * (1 + 0.05 * np.cos(np.arange(model.n_free)))

    def slope(at: FloatArray) -> FloatArray:
        moments = [implied(block, at) for block in model.blocks]
        return gradient(model.blocks, at, discrepancy.slopes(moments))

    steps = 1e-6 * np.eye(model.n_free)
    differences = np.array([(slope(theta + h) - slope(theta - h)) / 2e-6 for h in steps])
    exact = observed_information(finished(model, discrepancy, theta), discrepancy)
    assert_allclose(2 * exact, differences, atol=1e-5 * np.abs(differences).max())


def test_two_groups_add_up() -> None:
    found, discrepancy = case("whole")
    data, model = soldiers(), found.model
    halves = [sample_of(part, model) for _, part in data.groupby(data["GRP"] % 2)]
    both = TwoLevelNormal(halves)
    moments = list(found.implied)
    alone = [TwoLevelNormal([half]).value(moments) for half in halves]
    assert_allclose(both.value(moments * 2), sum(alone), rtol=1e-12)
    changes = list(found.derivatives)
    together = both.information(moments * 2, changes * 2, model.n_free)
    assert_allclose(
        together, discrepancy.information(moments, changes, model.n_free), rtol=1e-9, atol=1e-6
    )
    scores = both.scores(moments * 2, changes * 2, model.n_free)
    assert len(scores) == 99
    assert_allclose(scores.sum(axis=0), 0.0, atol=1e-3)


def test_order_of_rows_and_labels_of_clusters_do_not_matter() -> None:
    found, _ = case("whole")
    data = soldiers().sample(frac=1, random_state=1)
    data["GRP"] = 1000 - 3 * data["GRP"]
    shuffled = TwoLevelNormal([sample_of(data, found.model)])
    assert_allclose(shuffled.value(found.implied), found.value, rtol=1e-9)


def test_impossible_moments_are_infinitely_far() -> None:
    found, discrepancy = case("whole")
    within, between = found.implied
    broken = type(within)(-within.cov, within.mean, None)
    assert discrepancy.value([broken, between]) == np.inf
    with pytest.raises(np.linalg.LinAlgError, match="not definite"):
        discrepancy.slopes([broken, between])


# --- bad input ----------------------------------------------------------------------------------


def rows_of(n_clusters: int, size: int) -> tuple[FloatArray, FloatArray]:
    rows = np.random.default_rng(1).normal(size=(n_clusters * size, 3))
    return rows, np.repeat(np.arange(n_clusters), size)


def test_missing_answers_are_refused() -> None:
    rows, clusters = rows_of(5, 4)
    rows[3, 1] = np.nan
    with pytest.raises(DataError, match="needs complete rows"):
        two_level_sample(rows, clusters, "abc", "abc", "abc")


def test_too_few_clusters_or_respondents() -> None:
    with pytest.raises(NotEnoughDataError, match="at least 3 clusters; there are 2"):
        two_level_sample(*rows_of(2, 9), "abc", "abc", "abc")
    with pytest.raises(NotEnoughDataError, match="respondents more than clusters"):
        two_level_sample(*rows_of(9, 1), "abc", "abc", "abc")


def test_variable_that_does_not_vary_within_is_named() -> None:
    rows, clusters = rows_of(5, 4)
    rows[:, 1] = clusters
    with pytest.raises(NoVarianceError, match="within clusters 'b'"):
        two_level_sample(rows, clusters, "abc", "abc", "abc")
    sample = two_level_sample(rows, clusters, "abc", "ac", "abc")
    assert sample.names == ("a", "c", "b")
    assert list(sample.icc) == ["a", "c"]


def test_variable_between_must_be_the_same_in_a_cluster() -> None:
    rows, clusters = rows_of(5, 4)
    with pytest.raises(DataError, match="has c only between clusters"):
        two_level_sample(rows, clusters, "abc", "ab", "abc")
