"""Intervals of mixed models against lme4 and nlme, and properties."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.special import ndtri

from collabsurvey.errors import NotSupportedError, OptionError, SingularFitWarning
from collabsurvey.numerics import mixed_bootstrap
from collabsurvey.numerics.profile import Profile
from collabsurvey.numerics.profile_deviance import Deviance, Held
from collabsurvey.regression.intervals import intervals
from collabsurvey.regression.mixed import mixed
from collabsurvey.regression.mixed_blocks_of import fitted_blocks
from support import REFERENCE, dataset, gold, matrix

STORED = json.loads((REFERENCE / "mixed_intervals.json").read_text(encoding="utf-8"))
GOLD = {n: e for n, e in gold("08_mixed_models").items() if "confint_profile" in e["values"]}
# lme4 interpolates its profile between points with splines.
RTOL = 1e-3
# Where the constrained fits of lme4 stop early, its profile is too steep: see the test below.
STOPPED_EARLY = {"three": ["cor_Days.(Intercept)|Subject", "sd_Days|Subject"]}


def sleep() -> pd.DataFrame:
    data = dataset("sleepstudy")
    return data.assign(late=(data["Days"] > 5).astype(float))


def data_of(name: str) -> pd.DataFrame:
    return sleep() if name == "sleep" else dataset(name)


def by_lme4_name(frame: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Limits by the names of lme4's confint(oldNames = FALSE)."""
    found = {}
    for row in frame.itertuples():
        group = str(row.group).split(".")[0]  # lme4 does not number the groups here
        name = {
            "sd": f"sd_{row.term1}|{group}",
            "correlation": f"cor_{row.term2}.{row.term1}|{group}",
            "residual sd": "sigma",
            "coefficient": str(row.term1),
        }[row.quantity]
        found[name] = (row.ci_low, row.ci_high)
    return found


def close(found: tuple[float, float], expected: tuple[float, float]) -> None:
    """Relative to the limits and, where one is near zero, to the width."""
    width = abs(expected[1] - expected[0])
    assert_allclose(found, expected, rtol=RTOL, atol=RTOL * width)


@pytest.mark.parametrize("name", GOLD)
def test_profiles_match_the_gold_values(name: str) -> None:
    entry = GOLD[name]
    formula = entry["method"].split("lmer(")[1].split(", REML")[0]
    result = mixed(formula, dataset(entry["dataset"].removesuffix(".csv")), reml=False)
    found = by_lme4_name(intervals(result).to_frame())
    expected = matrix(entry["values"]["confint_profile"])
    assert set(found) == set(expected.index)
    for row in expected.itertuples():
        close(found[row.Index], row[1:])


@pytest.mark.parametrize("name", STORED["profile"])
def test_profiles_of_reml_fits_match_lme4(name: str) -> None:
    stored = STORED["profile"][name]
    result = mixed(stored["formula"], data_of(stored["data"]))
    found = intervals(result)
    assert "maximum likelihood" in found.notes[0]
    limits = by_lme4_name(found.to_frame())
    assert set(limits) == set(stored["names"])
    for row, expected in zip(stored["names"], stored["limits"], strict=True):
        if row not in STOPPED_EARLY.get(name, []):
            close(limits[row], expected)


def test_where_profiles_differ_lme4_has_not_minimised() -> None:
    stored = STORED["profile"]["three"]
    result = mixed(stored["formula"], sleep())
    blocks = fitted_blocks(result, reml=False)
    deviance = Deviance(blocks.model)
    profile = Profile(deviance, deviance.start(blocks.lowers, float(np.sqrt(blocks.sigma2))))
    limits = dict(zip(stored["names"], stored["limits"], strict=True))
    z = float(ndtri(0.975))
    low = limits["sd_Days|Subject"][0] / result.e_scale
    assert profile.rise(Held(parameter=1, value=low), profile.values)[0] < 0.95 * z
    # and its upper limit of a correlation, 1, is where the deviance rises by far more
    rise, _ = profile.rise(Held(parameter=3, value=0.0), profile.values)
    assert rise > 1.2 * z


def test_wald_intervals_match_nlme() -> None:
    stored = STORED["nlme"]
    result = mixed(stored["formula"], sleep())
    frame = intervals(result, method="wald").to_frame()
    found = frame[["ci_low", "ci_high"]].to_numpy()
    # nlme takes the Hessian by differences, in other parameters.
    assert_allclose(found[:2], np.array(stored["limits"])[:2], rtol=3e-3)
    assert_allclose(found[3], stored["sigma"], rtol=1e-3)
    coefficients = result.estimates[["ci_low", "ci_high"]]
    assert_allclose(found[4:], coefficients, rtol=1e-12)


def test_bootstrap_agrees_with_the_profile_where_there_is_much_data() -> None:
    result = mixed("normexam ~ standLRT + (standLRT | school)", dataset("exam"), reml=False)
    drawn = intervals(result, method="bootstrap", n_boot=400, seed=3)
    profile = intervals(result).to_frame()
    found = drawn.to_frame()
    width = profile["ci_high"] - profile["ci_low"]
    # a quantile of 400 draws has a standard error of about an eighth of a standard error
    assert (np.abs(found["ci_low"] - profile["ci_low"]) < 0.2 * width).all()
    assert (np.abs(found["ci_high"] - profile["ci_high"]) < 0.2 * width).all()
    assert drawn.draws is not None
    assert drawn.draws.shape == (400, len(found))
    # By maximum likelihood the coefficients have no bias.
    middle = drawn.draws[["(Intercept)", "standLRT"]]
    assert (np.abs(middle.mean() - result.coefficients) < 4 * middle.std() / 20).all()
    again = intervals(result, method="bootstrap", n_boot=400, seed=3).to_frame()
    pd.testing.assert_frame_equal(found, again)


@pytest.mark.parametrize("method", ["profile", "bootstrap", "wald"])
def test_units_do_not_matter(method: Any) -> None:
    data = sleep()
    formula = "Reaction ~ Days + (Days | Subject)"
    one = intervals(mixed(formula, data), method=method, n_boot=100).to_frame()
    moved = data.assign(Reaction=data["Reaction"] / 100 - 7, Days=data["Days"] * 60)
    other = intervals(mixed(formula, moved), method=method, n_boot=100).to_frame()
    shift = [0, 0, 0, 0, 7, 0]
    scale = [100, 6000, 1, 100, 100, 6000]
    for column in ("estimate", "ci_low", "ci_high"):
        assert_allclose((other[column] + shift) * scale, one[column], rtol=2e-4, atol=1e-3)


def test_a_variance_at_zero() -> None:
    data = sleep()
    rng = np.random.default_rng(1)
    data["y"] = rng.normal(size=len(data))
    data["y"] -= 0.9 * data.groupby("Subject")["y"].transform("mean")
    with pytest.warns(SingularFitWarning):
        result = mixed("y ~ Days + (1 | Subject)", data)
    profile = intervals(result)
    frame = profile.to_frame()
    assert frame["ci_low"][0] == 0.0
    assert 0 < frame["ci_high"][0] < 0.5
    assert "the lower limit is 0" in " ".join(profile.notes)
    wald = intervals(result, method="wald")
    assert np.isnan(wald.to_frame()["ci_low"][0])
    assert "has no Wald interval" in " ".join(wald.notes)
    drawn = intervals(result, method="bootstrap", n_boot=200).to_frame()
    assert drawn["ci_low"][0] == pytest.approx(0.0, abs=1e-6)


def test_a_correlation_at_its_bound() -> None:
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(25), 8)
    x = rng.normal(size=200)
    y = rng.normal(size=25)[g] * (1 + x) + rng.normal(size=200)
    with pytest.warns(SingularFitWarning):
        result = mixed("y ~ x + (x | g)", pd.DataFrame({"g": g, "x": x, "y": y}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = intervals(result).to_frame()
    row = frame[frame["quantity"] == "correlation"].iloc[0]
    assert row["ci_high"] == 1.0
    assert 0.5 < row["ci_low"] < 1.0


SEVERAL = [
    "y ~ x + (x | g) + (1 | h)",
    "y ~ x + (1 | h) + (x || g)",
    "y ~ x + (1 | g) + (0 + x | g) + (1 | k)",
    "y ~ x + (1 | mm(h, k)) + (x | g)",
    "y ~ x + (1 | g / m)",
]


@pytest.mark.parametrize("formula", SEVERAL)
def test_each_term_is_found_again(formula: str) -> None:
    rng = np.random.default_rng(0)
    g, h, k = np.repeat(np.arange(30), 12), rng.integers(0, 20, 360), rng.integers(0, 20, 360)
    x = rng.normal(size=360)
    y = rng.normal(size=30)[g] * (1 + 0.5 * x) + 0.5 * rng.normal(size=20)[h]
    y += 0.7 * rng.normal(size=20)[k] + 0.4 * rng.normal(size=90)[3 * g + h % 3]
    data = pd.DataFrame({"g": g, "h": h, "k": k, "m": h % 3, "x": x})
    result = mixed(formula, data.assign(y=y + 0.8 * rng.normal(size=360)))
    blocks = fitted_blocks(result)
    found = blocks.covariances(
        tuple(lower[None] for lower in blocks.lowers), np.array([blocks.sigma2])
    )
    sds = np.concatenate([np.sqrt(np.diag(cov[0])) for cov in found]) * result.e_scale
    components = result.variance_components
    variances = components[components["term2"].isna()]
    assert_allclose(sds, variances["sdcor"][:-1], rtol=1e-8)
    names = [(p.group, name) for p in blocks.pieces for name in p.names]
    assert names == list(zip(variances["group"][:-1], variances["term1"][:-1], strict=True))
    frame = intervals(result).to_frame()
    spread = frame[frame["quantity"] == "sd"]
    # An REML estimate may lie outside a profile by maximum likelihood, but not by much.
    assert (spread["ci_low"] < spread["estimate"]).all()
    assert (spread["estimate"] < spread["ci_high"]).all()


def test_level_and_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    result = mixed("Reaction ~ Days + (1 | Subject)", sleep())
    wide = intervals(result, conf_level=0.99).to_frame()
    narrow = intervals(result, conf_level=0.80).to_frame()
    assert (wide["ci_low"] < narrow["ci_low"]).all()
    assert (wide["ci_high"] > narrow["ci_high"]).all()
    with pytest.raises(OptionError, match="profile"):
        intervals(result, method="exact")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="at least 100"):
        intervals(result, method="bootstrap", n_boot=20)
    with pytest.raises(OptionError, match="between 0 and 1"):
        intervals(result, conf_level=95)
    crossed = mixed("diameter ~ 1 + (1 | plate) + (1 | sample)", dataset("penicillin"))
    monkeypatch.setattr(mixed_bootstrap, "MOST_DRAWN", 20)
    with pytest.raises(NotSupportedError, match="30 effects"):
        intervals(crossed, method="bootstrap")


def test_shown_to_a_reader() -> None:
    result = intervals(mixed("Reaction ~ Days + (Days | Subject)", sleep()))
    text = result.summary()
    assert "Intervals (profile)" in text
    assert "correlation (Intercept), Days | Subject" in text
    assert "residual SD" in text
    assert result.plot() is not None
    assert "Profile likelihood" in result._repr_html_()
