"""Polyserial correlations against polycor, psych and lavaan; what must hold; what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, special

from collabsurvey.dimensionality import polyserial
from collabsurvey.dimensionality.polyserial_kernel import (
    _gradient,
    _loglik,
    closed_form,
    likelihood_fit,
)
from collabsurvey.errors import (
    AnswersError,
    CollabSurveyError,
    DataError,
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.responses import from_frame
from support import BFI_SCALES, dataset, gold

METHODS = ("ml", "two_step_ml", "two_step")
seeds = st.integers(0, 10_000)


def people(n: int = 300, *, seed: int = 1, rho: float = 0.5) -> pd.DataFrame:
    """Years of a measurement, two items that go with it, and one turned round."""
    generator = np.random.default_rng(seed)
    z = generator.standard_normal(n)
    df = pd.DataFrame({"years": 40 + 10 * z, "pay": 1000 + generator.standard_normal(n)})
    for item, sign, cuts in (("a", 1, [-0.8, 0.2, 1.1]), ("b", 1, [0.4]), ("c", -1, [-1.0, 0.0])):
        y = sign * rho * z + np.sqrt(1 - rho**2) * generator.standard_normal(n)
        df[item] = 1.0 + np.searchsorted(cuts, y)
    return df


def kernel_data(seed: int, rho: float = 0.5) -> tuple[FloatArray, IntArray, FloatArray]:
    df = people(seed=seed, rho=rho)
    z = df["years"].to_numpy()
    weight = np.random.default_rng(seed).uniform(0.5, 2.0, len(z))
    z = z - weight @ z / weight.sum()
    z = z / np.sqrt(weight @ z**2 / weight.sum())
    codes: IntArray = (df["a"].to_numpy() - 1).astype(np.int64)
    return z, codes, weight


# ---------------------------------------------------------------- stored values


def test_age_with_an_item(engine: Any) -> None:
    values = gold("03_polychoric_and_tetrachoric")["polyserial_bfi"]["values"]
    data = engine(dataset("bfi")[["age", "N1"]])
    found = polyserial(data, "age", "N1")
    assert found.n.loc["age", "N1"] == values["n"]
    # polyserial(ML=TRUE) leaves six parameters to Nelder-Mead, which stops early, and divides by
    # the standard deviation with n - 1: ours is the better optimum of the same likelihood.
    ours = np.r_[found.correlations.loc["age", "N1"], found.thresholds["age", "N1"]]
    theirs = np.r_[values["ml"]["rho"]["1"], list(values["ml"]["cuts"].values())]
    answered = dataset("bfi")[["age", "N1"]].dropna()
    age = answered["age"].to_numpy(dtype=float)
    codes = (answered["N1"].to_numpy() - 1).astype(np.int64)
    for ddof in (0, 1):
        z = (age - age.mean()) / age.std(ddof=ddof)
        likelihood = [_loglik(z, codes, np.ones(len(z)), x) for x in (ours, theirs)]
        assert likelihood[0] > likelihood[1]
    assert_allclose(ours[0], theirs[0], atol=1e-4)
    assert_allclose(ours[1:], theirs[1:], atol=5e-4)
    assert_allclose(found.std_errors.loc["age", "N1"], values["ml"]["se"], rtol=1e-3)
    assert_allclose(found.pearson.loc["age", "N1"], values["pearson"], rtol=1e-10)
    lavaan = polyserial(data, "age", "N1", method="two_step_ml")
    assert_allclose(lavaan.correlations.loc["age", "N1"], values["lavCor"], atol=1e-6)
    simple = polyserial(data, "age", "N1", method="two_step")
    for stored in (values["two_step"], values["psych"]):
        assert_allclose(simple.correlations.loc["age", "N1"], stored, rtol=1e-12)
    assert np.isnan(simple.std_errors.loc["age", "N1"])


# ---------------------------------------------------------------- kernels


@given(seed=seeds, rho=st.sampled_from([-0.9, -0.3, 0.0, 0.6, 0.95]))
@settings(max_examples=20)
def test_gradient_by_differences(seed: int, rho: float) -> None:
    z, codes, weight = kernel_data(seed, rho)
    start = closed_form(z, codes, weight)
    x = np.concatenate([[np.clip(start.rho, -0.97, 0.97)], start.cuts])
    found = _gradient(z, codes, weight, x)
    d = 1e-6
    for place in range(len(x)):
        up, down = x.copy(), x.copy()
        up[place] += d
        down[place] -= d
        slope = (_loglik(z, codes, weight, up) - _loglik(z, codes, weight, down)) / (2 * d)
        assert_allclose(found[place], slope, atol=1e-3, rtol=1e-5)


@given(seed=seeds, joint=st.booleans())
@settings(max_examples=15)
def test_maximum_by_another_search(seed: int, joint: bool) -> None:
    z, codes, weight = kernel_data(seed)
    fit = likelihood_fit(z, codes, weight, joint=joint)
    assert fit.converged
    start = closed_form(z, codes, weight)
    free = 1 + len(start.cuts) if joint else 1

    def cost(x: FloatArray) -> float:
        full = np.concatenate([x, start.cuts]) if not joint else x
        edges = np.concatenate([[-np.inf], full[1:], [np.inf]])
        root = np.sqrt(1 - full[0] ** 2)
        p = special.ndtr((edges[codes + 1] - full[0] * z) / root)
        p = p - special.ndtr((edges[codes] - full[0] * z) / root)
        return float(-(weight @ np.log(np.maximum(p, 1e-300))))

    first = np.concatenate([[start.rho], start.cuts])[:free]
    options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000}
    found = optimize.minimize(cost, first, method="Nelder-Mead", options=options)
    ours = np.concatenate([[fit.rho], fit.cuts])[:free]
    assert_allclose(ours, found.x, atol=1e-5)
    assert cost(ours) <= found.fun + 1e-9
    if not joint:
        assert_array_equal(fit.cuts, start.cuts)


# ---------------------------------------------------------------- what must hold


@given(
    seed=seeds,
    unit=st.sampled_from([1e-200, 1e-9, 1.0, 1e12, 1e200]),
    method=st.sampled_from(METHODS),
)
@settings(max_examples=20)
def test_unit_and_sign_of_the_measurement(seed: int, unit: float, method: Any) -> None:
    df = people(seed=seed)
    plain = polyserial(df, "years", ["a", "b", "c"], method=method)
    other = polyserial(df.assign(years=df["years"] * unit), "years", ["a", "b", "c"], method=method)
    assert_allclose(other.correlations, plain.correlations, atol=1e-8)
    assert_allclose(other.std_errors, plain.std_errors, rtol=1e-5)
    turned = polyserial(df.assign(years=-df["years"]), "years", ["a", "b", "c"], method=method)
    assert_allclose(turned.correlations, -plain.correlations, atol=1e-8)
    assert_allclose(turned.pearson, -plain.pearson, atol=1e-12)


@given(seed=seeds, method=st.sampled_from(METHODS))
@settings(max_examples=15)
def test_order_codes_and_an_item_turned_round(seed: int, method: Any) -> None:
    df = people(seed=seed)
    plain = polyserial(df, ["years", "pay"], ["a", "b"], method=method)
    shuffled = df.sample(frac=1, random_state=seed)
    other = polyserial(shuffled, ["pay", "years"], ["b", "a"], method=method)
    wanted = plain.correlations.loc[["pay", "years"], ["b", "a"]]
    assert_allclose(other.correlations, wanted, atol=1e-8)
    coded = polyserial(df.assign(a=np.exp(df["a"])), "years", "a", method=method)
    assert_allclose(coded.correlations.iloc[0, 0], plain.correlations.loc["years", "a"], atol=1e-10)
    turned = polyserial(df.assign(a=-df["a"]), "years", "a", method=method)
    assert_allclose(
        turned.correlations.iloc[0, 0], -plain.correlations.loc["years", "a"], atol=1e-8
    )
    cuts = plain.thresholds["years", "a"]
    assert_allclose(turned.thresholds["years", "a"], -cuts[::-1], atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_rows_twice_and_whole_weights(method: Any) -> None:
    df = people(n=120)
    plain = polyserial(df, "years", ["a", "b"], method=method)
    twice = polyserial(pd.concat([df, df]), "years", ["a", "b"], method=method)
    assert_allclose(twice.correlations, plain.correlations, atol=1e-8)
    if method != "two_step":
        assert_allclose(twice.std_errors, plain.std_errors / np.sqrt(2), rtol=1e-5)
    times = np.random.default_rng(3).integers(0, 4, len(df))
    scales = {"items": ["a", "b"], "person": ["years"]}
    answered = from_frame(df.assign(w=times), scales=scales, roles={"weight": "w"})
    found = polyserial(answered, "person", "items", method=method)
    rows = polyserial(df.loc[df.index.repeat(times)], "years", ["a", "b"], method=method)
    assert_allclose(found.correlations, rows.correlations, atol=1e-8)
    assert found.n.loc["years", "a"] == (times > 0).sum()
    assert "Weights applied." in found.notes


def test_engines_agree(engine: Any) -> None:
    df = people(n=100)
    df.loc[:9, "years"] = np.nan
    df.loc[5:20, "a"] = np.nan
    found = polyserial(engine(df), ["years", "pay"], ["a", "c"])
    plain = polyserial(df, ["years", "pay"], ["a", "c"])
    assert_allclose(found.correlations, plain.correlations, atol=1e-9)
    assert_array_equal(found.n, [[79, 90], [84, 100]])
    assert "Each correlation from the rows with both answers (79 to 100)." in found.notes


def test_recovery_and_intervals() -> None:
    found = polyserial(people(n=20_000, rho=0.6), "years", ["a", "b", "c"])
    error = found.correlations.to_numpy()[0] - [0.6, 0.6, -0.6]
    assert (np.abs(error) < 4 * found.std_errors.to_numpy()[0]).all()
    assert_allclose(found.thresholds["years", "a"], [-0.8, 0.2, 1.1], atol=0.05)
    covered = 0
    for seed in range(200):
        row = polyserial(people(n=120, seed=seed, rho=0.4), "years", "a").to_frame().iloc[0]
        covered += row["ci_low"] <= 0.4 <= row["ci_high"]
    assert 0.90 <= covered / 200 <= 0.99


def test_result() -> None:
    found = polyserial(people(), ["years", "pay"], ["a", "b"])
    frame = found.to_frame()
    assert list(frame["measurement"]) == ["years", "years", "pay", "pay"]
    assert list(frame["item"]) == ["a", "b", "a", "b"]
    assert (frame["ci_low"] < frame["estimate"]).all()
    assert (frame["estimate"] < frame["ci_high"]).all()
    assert frame["estimate"].abs().max() > frame["pearson"].abs().max()
    assert "Polyserial correlations" in found.summary()
    assert found.chart() is not None
    bfi = from_frame(dataset("bfi"), scales=BFI_SCALES | {"person": ["age"]})
    scale = polyserial(bfi, "person", "agree")
    assert list(scale.correlations.columns) == BFI_SCALES["agree"]
    column = polyserial(from_frame(dataset("bfi"), scales=BFI_SCALES), "age", "agree")
    assert_allclose(column.correlations.to_numpy(), scale.correlations.to_numpy())


# ---------------------------------------------------------------- the limit


@pytest.mark.parametrize("sign", [1, -1])
def test_item_that_is_the_measurement_cut(sign: int) -> None:
    df = people(n=60)
    for cuts in ([39.0], [30.0, 41.0, 47.0]):
        df["cut"] = sign * np.searchsorted(cuts, df["years"]).astype(float)
        margins = polyserial(df, "years", "cut", method="two_step_ml")
        assert sign * margins.correlations.iloc[0, 0] > 0.99  # its cuts miss the gaps a little
        found = polyserial(df, "years", "cut")
        assert found.correlations.iloc[0, 0] == sign * 0.999
        assert np.isnan(found.std_errors.iloc[0, 0])
        assert "years with cut is at the limit of ±.999." in found.notes
        assert found.thresholds["years", "cut"].shape == (len(cuts),)
        assert (np.diff(found.thresholds["years", "cut"]) > 0).all()
        assert found.summary()


def test_formula_can_exceed_one() -> None:
    # Two far groups: a measurement that is not normal at all.
    df = pd.DataFrame({"x": np.repeat([0.0, 1.0], 50), "y": np.repeat([1.0, 2.0], 50)})
    found = polyserial(df, "x", "y", method="two_step")
    assert found.correlations.iloc[0, 0] == 0.999
    assert "x with y is at the limit of ±.999." in found.notes


# ---------------------------------------------------------------- what cannot be done


def test_what_does_not_vary_or_is_too_little() -> None:
    df = people().assign(same=3.0)
    with pytest.raises(NoVarianceError, match="of 'same' with 'a'.*the measurement 'same' has the"):
        polyserial(df, "same", "a")
    with pytest.raises(
        NoVarianceError, match="of 'years' with 'same'.*the item 'same' has the same"
    ):
        polyserial(df, "years", "same")
    with pytest.raises(DataError, match="the item has 300 different answers, which is a measur"):
        polyserial(df, "a", "years")
    with pytest.raises(NotEnoughDataError, match="at least 5 rows with both answers; there are 4"):
        polyserial(df.iloc[:4], "years", "a")
    gone = df.assign(a=np.nan)
    with pytest.raises(NotEnoughDataError, match="rows with both answers; there are 0"):
        polyserial(gone, "years", "a")
    with pytest.raises(DataError, match="years has infinite values"):
        polyserial(df.assign(years=df["years"].replace(df["years"].max(), np.inf)), "years", "a")
    with pytest.raises(AnswersError, match="Item 'years' has answers that are words"):
        polyserial(df.assign(years="long"), "years", "a")


def test_names_and_options() -> None:
    df = people()
    with pytest.raises(UnknownNameError, match="no column 'year'. Did you mean 'years'"):
        polyserial(df, "year", "a")
    with pytest.raises(OptionError, match="items that are not measurements too"):
        polyserial(df, ["years", "a"], ["a", "b"])
    with pytest.raises(OptionError, match="method='mle' is not possible here"):
        polyserial(df, "years", "a", method="mle")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="conf_level=95"):
        polyserial(df, "years", "a", conf_level=95)
    for nothing in ([], None, 3):
        with pytest.raises(OptionError, match="items=.*a name, or a list of names"):
            polyserial(df, "years", nothing)  # type: ignore[arg-type]
        with pytest.raises(OptionError, match="measurements=.*a name, or a list of names"):
            polyserial(df, nothing, "a")  # type: ignore[arg-type]


def test_small_frames_give_numbers_or_one_clear_sentence() -> None:
    generator = np.random.default_rng(77)
    finished = 0
    for _ in range(120):
        n = int(generator.choice([4, 6, 10, 30]))
        z = generator.standard_normal(n)
        noise = generator.choice([0.0, 0.3, 2.0]) * generator.standard_normal(n)
        item = np.searchsorted(np.sort(generator.normal(size=generator.integers(1, 4))), z)
        df = pd.DataFrame({"x": z + noise, "y": item.astype(float)})
        df = df.mask(generator.random(df.shape) < generator.choice([0.0, 0.2]))
        method: Any = str(generator.choice(METHODS))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                found = polyserial(df, "x", "y", method=method)
            except CollabSurveyError as error:
                assert "\n" not in str(error)
                continue
        finished += 1
        r = float(found.correlations.iloc[0, 0])
        assert abs(r) <= 0.999
        if method != "two_step" and abs(r) < 0.999:
            assert found.std_errors.iloc[0, 0] > 0
        assert not any("did not converge" in note for note in found.notes)
    assert finished > 60
