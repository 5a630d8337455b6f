"""Alignment by what defines it: derivatives, an independent optimiser, and known truth."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.invariance.alignment import alignment
from collabsurvey.invariance.alignment_result import AlignmentResult
from collabsurvey.invariance.invariant_sets import explained, invariant_set
from collabsurvey.invariance.simplicity import (
    Unaligned,
    align,
    aligned_values,
    criterion,
    curvature,
    freedom,
    pair_weights,
    polish,
    response,
    slope,
    spread_of,
)
from collabsurvey.numerics.typing import FloatArray
from support import REFERENCE, dataset, gold

STORED = json.loads((REFERENCE / "partial_invariance.json").read_text(encoding="utf-8"))
HS = "visual =~ x1 + x2 + x3\n textual =~ x4 + x5 + x6\n speed =~ x7 + x8 + x9"
MODEL = "f =~ i0 + i1 + i2 + i3 + i4 + i5"
KINDS = [(free, product) for free in (False, True) for product in (True, False)]


def problem(
    seed: int, *, groups: int = 4, items: int = 6, free: bool = True, product: bool = True,
    noise: float = 0.03, shift: float = 0.5,
) -> tuple[Unaligned, FloatArray, FloatArray]:  # fmt: skip
    """Configural estimates of groups of which every third has two items of its own; and truth."""
    rng = np.random.default_rng(seed)
    loadings = np.repeat(rng.uniform(0.5, 1, (items, 1)), groups, axis=1)
    cuts = np.repeat(rng.normal(0, 1, (items, 1)), groups, axis=1)
    for g in range(0, groups, 3):
        cuts[g % items, g] += shift
        loadings[(g + 1) % items, g] -= 0.6 * shift
    mean, sd = rng.normal(0, 0.5, groups), np.exp(rng.normal(0, 0.2, groups))
    mean -= mean[0]
    sd /= np.exp(np.log(sd).mean()) if product else sd[0]
    raw = loadings * sd + rng.normal(0, noise, loadings.shape)
    shifted = cuts + loadings * mean + rng.normal(0, noise, cuts.shape)
    n = rng.integers(100, 400, groups).astype(float)
    reduce = freedom(groups, 0, free_mean=free, product=product)
    item = np.arange(items)
    return Unaligned(raw, shifted, item, pair_weights(n), 0.01, reduce), mean, sd


def answers(
    seed: int, *, groups: int, n: int = 300, shift: float = 0.6, turn: float = 0.0
) -> tuple[pd.DataFrame, FloatArray, FloatArray]:
    """Answers of groups, each second of which has an intercept of its own; means and sds."""
    rng = np.random.default_rng(seed)
    loadings = np.linspace(0.6, 1.0, 6)
    mean, sd = np.linspace(0, 0.8, groups), np.linspace(1, 1.3, groups)
    parts = []
    for g in range(groups):
        cuts, own = np.zeros(6), loadings.copy()
        if g % 2:
            cuts[g % 6] += shift
            own[(g + 1) % 6] -= turn
        factor = mean[g] + sd[g] * rng.standard_normal(n)
        x = cuts + factor[:, None] * own + 0.7 * rng.standard_normal((n, 6))
        parts.append(pd.DataFrame(x, columns=[f"i{j}" for j in range(6)]).assign(school=f"s{g}"))
    return pd.concat(parts, ignore_index=True), mean, sd


# The criterion and its derivatives.


def test_criterion_is_the_formula() -> None:
    one, _, _ = problem(1, groups=3, items=2)
    x = np.array([0.1, -0.2, 0.3, 0.2, -0.1])
    values = aligned_values(one, x)
    by_hand = sum(
        one.weights[g, h] * ((v[g] - v[h]) ** 2 + 0.01) ** 0.25
        for v in values
        for g in range(3)
        for h in range(g + 1, 3)
    )
    assert_allclose(criterion(one, x), by_hand, rtol=1e-12)


@pytest.mark.parametrize(("free", "product"), KINDS)
def test_derivatives(free: bool, product: bool) -> None:
    one, _, _ = problem(3, groups=5, free=free, product=product)
    x = np.random.default_rng(4).normal(0, 0.3, one.reduce.shape[1])
    steps = 1e-6 * np.eye(len(x))
    by_steps = [(criterion(one, x + h) - criterion(one, x - h)) / 2e-6 for h in steps]
    assert_allclose(slope(one, x), by_steps, atol=1e-7)
    by_steps = [(slope(one, x + h) - slope(one, x - h)) / 2e-6 for h in steps]
    assert_allclose(curvature(one, x), by_steps, atol=1e-6)


@pytest.mark.parametrize(("free", "product"), KINDS)
def test_response_is_that_of_a_second_alignment(free: bool, product: bool) -> None:
    one, _, _ = problem(3, groups=5, free=free, product=product)
    best = align(one, starts=5, rng=np.random.default_rng(1))
    moves = response(one, best.x)
    z = one.stacked.T.ravel()
    for k in (0, 7, 13, 40):
        ends = []
        for sign in (1, -1):
            shifted = z.copy()
            shifted[k] += sign * 1e-5
            raw = shifted.reshape(one.n_groups, -1).T
            other = Unaligned(raw[:6], raw[6:], one.item, one.weights, one.epsilon, one.reduce)
            ends.append(polish(other, best.x)[0])
        assert_allclose(moves[:, k], (ends[0] - ends[1]) / 2e-5, atol=1e-5)


def test_spread_of_aligned_parameters_is_that_of_draws() -> None:
    one, _, _ = problem(8, groups=4)
    best = align(one, starts=5, rng=np.random.default_rng(1))
    covs = np.stack([np.eye(12) * 1e-6] * 4)  # so small that alignment is linear in them
    whole, values = spread_of(one, best.x, covs)
    rng = np.random.default_rng(2)
    settings, drawn = [], []
    for _ in range(400):
        raw = one.stacked + 1e-3 * rng.standard_normal(one.stacked.shape)
        other = Unaligned(raw[:6], raw[6:], one.item, one.weights, one.epsilon, one.reduce)
        x, _ = polish(other, best.x)
        settings.append(other.reduce @ x)
        drawn.append(aligned_values(other, x))
    # 400 draws: the error of a standard deviation is 3.5 %, and there are 56 of them.
    assert_allclose(np.sqrt(np.diag(whole))[1:], np.std(settings, axis=0)[1:], rtol=0.15)
    spread = np.sqrt(np.array([np.diag(v) for v in values]))
    assert_allclose(spread, np.std(drawn, axis=0), rtol=0.15)


# The optimum.


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("free", [False, True])
def test_no_other_optimiser_finds_less(seed: int, free: bool) -> None:
    one, _, _ = problem(seed, groups=5, free=free)
    best = align(one, starts=10, rng=np.random.default_rng(0))
    rng = np.random.default_rng(seed)
    for _ in range(30):
        start = rng.normal(0, 0.7, one.reduce.shape[1])
        other = minimize(lambda x: criterion(one, x), start, method="BFGS")
        assert other.fun >= best.criterion - 1e-9
    assert best.converged
    assert np.linalg.eigvalsh(curvature(one, best.x))[0] > 0


@pytest.mark.parametrize("free", [False, True])
def test_truth_without_noise(free: bool) -> None:
    one, mean, sd = problem(5, groups=12, free=free, noise=0.0)
    best = align(one, starts=5, rng=np.random.default_rng(0))
    # Not exact: a rounded corner lets the few large differences pull a little.
    assert_allclose(best.mean - best.mean[0], mean, atol=0.03)
    assert_allclose(np.exp(best.log_sd), sd, rtol=0.03)


def test_exact_invariance_is_found_exactly() -> None:
    one, mean, sd = problem(5, groups=12, free=False, noise=0.0, shift=0.0)
    best = align(one, starts=3, rng=np.random.default_rng(0))
    assert_allclose(best.mean, mean, atol=1e-6)
    assert_allclose(np.exp(best.log_sd), sd, rtol=1e-6)


def test_product_metric_beats_reference_metric() -> None:
    """What the docstring says: with the reference's sd fixed, the others shrink."""
    errors = []
    for product in (True, False):
        one, _, sd = problem(3, groups=30, items=10, free=False, product=product)
        best = align(one, starts=5, rng=np.random.default_rng(0))
        errors.append(np.sqrt(np.mean((np.exp(best.log_sd) - sd) ** 2)))
    assert errors[0] < 0.03
    assert errors[1] > 0.1


# Which parameters are the same.


def test_invariant_set() -> None:
    values = np.array([0.0, 0.02, -0.01, 0.5, 0.03, -0.6])
    cov = 0.05**2 * np.eye(6)
    assert invariant_set(values, cov).tolist() == [True, True, True, False, True, False]
    assert invariant_set(np.zeros(4), cov[:4, :4]).all()


def test_explained_variation() -> None:
    raw = np.array([1.0, 2.0, 4.0])
    assert explained(raw, raw + 3.0) == pytest.approx(1.0)
    assert explained(raw, np.zeros(3)) == pytest.approx(0.0)
    assert np.isnan(explained(np.ones(3), np.ones(3)))


# The whole analysis.


@pytest.fixture(scope="module")
def schools() -> tuple[pd.DataFrame, FloatArray, FloatArray]:
    return answers(1, groups=12, n=400)


@pytest.fixture(scope="module")
def found(schools: tuple[pd.DataFrame, FloatArray, FloatArray]) -> AlignmentResult:
    return alignment(schools[0], MODEL, "school")


def test_means_and_variances_are_recovered(
    schools: tuple[pd.DataFrame, FloatArray, FloatArray], found: AlignmentResult
) -> None:
    _, mean, sd = schools
    frame = found.means
    z = (frame["difference"] - (mean - mean[0]) / sd[0])[1:] / frame["difference_error"][1:]
    assert np.abs(z).max() < 3.5
    unit = np.exp(2 * np.log(sd).mean())
    z = (frame["variance"] - sd**2 / unit) / frame["variance_error"]
    assert np.abs(z).max() < 3.5
    assert found.converged


def test_what_differs_is_found(found: AlignmentResult) -> None:
    odd = found.parameters[~found.parameters["invariant"]]
    truth = {(f"i{g % 6}~1", f"s{g}") for g in range(1, 12, 2)}
    flagged = set(zip(odd["parameter"], odd["group"], strict=True))
    assert truth <= flagged
    assert len(flagged - truth) <= 2
    assert found.share == pytest.approx(len(flagged) / 144)
    assert found.share_of("loading") < 0.03
    assert any("up to 25%" in note for note in found.notes)


def test_errors_cover() -> None:
    """Intervals of differences over 30 samples: 95 % give or take what chance allows."""
    inside = []
    for seed in range(30):
        data, mean, sd = answers(seed, groups=5, n=250)
        frame = alignment(data, MODEL, "school", starts=3).means[1:]
        truth = (mean - mean[0])[1:] / sd[0]
        inside.append(np.abs(frame["difference"] - truth) < 1.96 * frame["difference_error"])
    # Differences share the reference, so that 30 samples count as little more than 30.
    assert 0.87 < np.mean(inside) <= 0.995


def test_bootstrap_errors_are_near_those_of_the_delta_method(
    schools: tuple[pd.DataFrame, FloatArray, FloatArray], found: AlignmentResult
) -> None:
    other = alignment(schools[0], MODEL, "school", errors="bootstrap", n_boot=150)
    assert_allclose(other.means["mean"], found.means["mean"])
    ratio = other.means["difference_error"][1:] / found.means["difference_error"][1:]
    assert_allclose(ratio, 1.0, atol=0.3)


def test_starts_from_the_groups_own_models() -> None:
    found = alignment(dataset("hs1939"), HS, "school")
    stored = gold("06_invariance")["invariance_ml_hs_school"]["values"]["fit"]["configural"]
    assert_allclose(found.fit["chi2"], stored["chisq"], rtol=1e-7)
    assert found.fit["df"] == stored["df"]
    assert_allclose(found.fit["rmsea"], stored["rmsea"], rtol=1e-6)
    own = found.parameters[found.parameters["group"] == "Grant-White"].set_index("parameter")
    for name, (estimate, _) in STORED["alone"].items():
        assert_allclose(own.loc[name, "configural"], estimate, rtol=1e-5)


def test_two_groups_are_fixed_and_more_are_free_if_they_can(found: AlignmentResult) -> None:
    two, _, _ = answers(2, groups=2)
    assert alignment(two, MODEL, "school").method == "fixed"
    turned, _, _ = answers(2, groups=8, n=500, turn=0.4)
    assert alignment(turned, MODEL, "school").method == "free"
    # Equal loadings do not tell where the reference's mean is.
    assert found.method == "fixed"
    assert any("could hardly be estimated" in note for note in found.notes)


def test_free_means_do_not_know_of_a_reference() -> None:
    data, _, _ = answers(2, groups=8, n=500, turn=0.4)
    one = alignment(data, MODEL, "school", method="free")
    other = alignment(data.iloc[::-1], MODEL, "school", method="free", reference="s3")
    a, b = one.means.set_index("group"), other.means.set_index("group")
    assert_allclose(b.loc[a.index, "mean"], a["mean"], atol=1e-6)
    assert_allclose(b.loc[a.index, "std_error"], a["std_error"], rtol=1e-5)
    assert b.loc["s3", "difference"] == 0.0


def test_reversed_factor_points_the_same_way(
    schools: tuple[pd.DataFrame, FloatArray, FloatArray], found: AlignmentResult
) -> None:
    data = schools[0].copy()
    data["i0"] = -data["i0"]
    turned = alignment(data, MODEL, "school")
    assert_allclose(turned.means["mean"], found.means["mean"], atol=1e-6)


def test_thresholds() -> None:
    data, mean, sd = answers(4, groups=5, n=600)
    for j in range(6):
        data[f"i{j}"] = np.digitize(data[f"i{j}"], (-1.0, 0.2, 1.2)) + 1
    found = alignment(data, MODEL, "school", ordered=True)
    assert set(found.parameters["kind"]) == {"loading", "threshold"}
    frame = found.means
    z = (frame["difference"] - (mean - mean[0]) / sd[0])[1:] / frame["difference_error"][1:]
    assert np.abs(z).max() < 3.5
    # Raw thresholds are shown with their own sign.
    first = found.parameters[found.parameters["group"] == "s0"].set_index("parameter")
    assert first.loc["i0|t1", "configural"] < first.loc["i0|t3", "configural"]


def test_missing_answers_and_robust_errors(
    schools: tuple[pd.DataFrame, FloatArray, FloatArray], found: AlignmentResult
) -> None:
    data = schools[0].copy()
    rng = np.random.default_rng(0)
    data["i2"] = data["i2"].where(rng.random(len(data)) > 0.15)
    with_gaps = alignment(data, MODEL, "school", missing="fiml", estimator="MLR", starts=3)
    assert_allclose(with_gaps.means["mean"], found.means["mean"], atol=0.15)


def test_what_is_shown(found: AlignmentResult) -> None:
    text = found.summary()
    assert "Aligned factor means by school" in text and "difference from s0" in text
    assert found.chart().to_svg() and found.parameter_chart().to_svg()
    assert found.to_frame().equals(found.means)
    assert len(found.items) == 12 and found.items["n_groups"].eq(12).all()
    with pytest.raises(UnknownNameError, match="Did you mean 'loading'"):
        found.share_of("loadings")  # type: ignore[arg-type]


def test_refuses_what_it_cannot_align() -> None:
    hs = dataset("hs1939")
    with pytest.raises(NotSupportedError, match=r"several factors \(x1\)"):
        alignment(hs, f"{HS} + x1", "school")
    with pytest.raises(NotSupportedError, match="fixed or labelled"):
        alignment(hs, "visual =~ 1*x1 + x2 + x3", "school")
    with pytest.raises(NotSupportedError, match="regressions"):
        alignment(hs, f"{HS}\n speed ~ visual", "school")
    with pytest.raises(UnknownNameError, match="Did you mean 'Pasteur'"):
        alignment(hs, HS, "school", reference="Pastuer")
    with pytest.raises(DataError, match="every row has the same value"):
        alignment(hs.assign(one=1), HS, "one")
    with pytest.raises(NotEnoughDataError, match="there are 6"):
        alignment(hs.groupby("school").head(6), HS, "school")
    for option in ({"method": "fre"}, {"epsilon": 0}, {"starts": 0}, {"metric": "sum"}):
        with pytest.raises(OptionError, match=next(iter(option))):
            alignment(hs, HS, "school", **option)  # type: ignore[arg-type]
