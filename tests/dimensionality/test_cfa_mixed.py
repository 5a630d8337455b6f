"""Models of ordered items with continuous variables beside lavaan's; what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey import dimensionality
from collabsurvey.dimensionality.cfa import sem_result
from collabsurvey.dimensionality.sem.fit_indices.measures import LAVAAN_NAMES
from collabsurvey.dimensionality.sem.fitted import analyse
from collabsurvey.dimensionality.sem.material import squares_material
from collabsurvey.dimensionality.sem.mixed_samples import mixed_samples
from collabsurvey.dimensionality.sem.prepare import prepare
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.errors import DataError, NotSupportedError, OptionError
from support import REFERENCE, dataset

OPTIONS: dict[str, dict[str, Any]] = {
    "outcome": {},
    "outcome_theta": {"parameterization": "theta"},
    "outcome_pairwise": {"missing": "pairwise"},
    "indicators": {},
    "indicators_ulsmv": {"estimator": "ULSMV", "std_lv": True},
    "indicators_wlsm": {"estimator": "WLSM", "parameterization": "theta"},
    "indicators_dwls": {"estimator": "DWLS"},
    "within_factor": {},
    "groups": {"group": "school"},
    "groups_equal": {"group": "school", "equal": ["loadings", "intercepts", "thresholds"]},
    "covariates": {},
}
ITEMS = {"bfi": [f"N{i}" for i in range(1, 6)], "hs1939": ["x4", "x5", "x6"]}
NEURO = "neuro =~ N1 + N2 + N3 + N4 + N5"
KEY = ["lhs", "op", "rhs", "group"]


@cache
def stored() -> dict[str, Any]:
    return json.loads((REFERENCE / "mixed.json").read_text(encoding="utf-8"))


def people(name: str) -> pd.DataFrame:
    data = dataset(name)
    if name == "bfi":
        return data.head(600)
    for item, cuts in stored()["cuts"].items():
        data[item] = np.digitize(data[item], np.atleast_1d(cuts))
    return data


def fitted(name: str, **options: Any) -> SemResult:
    entry = stored()["models"][name]
    text = entry["model"].replace(" ; ", "\n")
    data = people(entry["dataset"])
    return dimensionality.sem(data, text, ordered=ITEMS[entry["dataset"]], **options)


@cache
def as_lavaan(name: str) -> SemResult:
    """Fit with lavaan's asymptotic covariances, which hold for normal continuous variables."""
    ours = fitted(name, **OPTIONS[name])
    prepared = ours.prepared
    samples = mixed_samples(prepared.answers, prepared.categories, bread="outer")
    material = squares_material(
        samples,
        prepared.options.estimator,
        means=True,
        ordered=np.isin(prepared.names, list(prepared.categories)),
    )
    options = OPTIONS[name]
    model = prepared.build(ours.syntax, equal=options.get("equal", ()))
    found = analyse(model, material)
    return sem_result(replace(prepared, material=material), found, ours.syntax, name, 0.95)


@pytest.mark.parametrize("name", OPTIONS)
def test_estimates_are_lavaans(name: str) -> None:
    expected = pd.DataFrame(stored()["models"][name]["estimates"]).set_index(KEY)
    found = as_lavaan(name).estimates.set_index(KEY)
    assert set(found.index) == set(expected.index)
    found = found.loc[expected.index]
    # optimiser: lavaan's is good to about 2e-6
    largest = expected["est"].abs().max()
    assert_allclose(found["estimate"], expected["est"], rtol=0, atol=1e-5 * largest)
    free = expected["se"] > 0
    assert_allclose(found["std_error"][free], expected["se"][free], rtol=1e-4)
    largest = expected["std.all"].abs().max()
    assert_allclose(found["std_all"], expected["std.all"], rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("name", OPTIONS)
def test_fit_is_lavaans(name: str) -> None:
    expected, found = stored()["models"][name]["fit"], as_lavaan(name).fit
    compared = 0
    for ours, value in found.items():
        theirs = LAVAAN_NAMES.get(ours, ours)
        if ours == "n_respondents" or theirs not in expected:
            continue
        number = expected[theirs]
        compared += 1
        assert_allclose(
            value, np.nan if number is None else number, rtol=1e-5, atol=1e-5, err_msg=ours
        )
    assert compared > 35


@pytest.mark.parametrize("name", ["indicators", "groups"])
def test_r_squared_are_lavaans(name: str) -> None:
    assert_allclose(
        sorted(as_lavaan(name).r_squared),
        sorted(_flat(stored()["models"][name]["r_squared"])),
        atol=1e-5,
    )


def _flat(values: Any) -> list[float]:
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, list):
        return [one for value in values for one in _flat(value)]
    return [float(values)]


def test_mean_of_an_outcome_has_its_own_error() -> None:
    found = fitted("outcome")
    row = found.estimates.set_index(KEY).loc[("age", "~1", "", 1)]
    age = people("bfi")[[*ITEMS["bfi"], "age"]].dropna()["age"]
    assert_allclose(row["estimate"], age.mean(), rtol=1e-8)
    assert_allclose(row["std_error"], age.std() / np.sqrt(len(age)), rtol=1e-6)
    lavaans = stored()["models"]["outcome"]["estimates"]
    theirs = next(one["se"] for one in lavaans if one["op"] == "~1" and one["lhs"] == "age")
    assert theirs > 1.3 * row["std_error"]  # as if a skewed variable's mean were harder to know


def test_predictors_are_taken_jointly_with_the_items() -> None:
    # gender has two values; lavaan conditions on it
    found = fitted("two_values")
    expected = pd.DataFrame(stored()["models"]["two_values"]["estimates"])
    expected = expected[expected["op"] == "~"].set_index("rhs")
    rows = found.estimates[found.estimates["op"] == "~"].set_index("rhs")
    assert_allclose(rows["estimate"], expected["est"].loc[rows.index], rtol=0.2)
    assert_allclose(rows["std_error"], expected["se"].loc[rows.index], rtol=0.1)
    assert any("jointly normal" in note for note in found.notes)
    assert any("Continuous: age, gender" in note for note in found.notes)
    assert found.fit["df"] == stored()["models"]["two_values"]["fit"]["df"]


def test_lavaans_default_with_predictors_is_no_guide() -> None:
    found = fitted("covariates")
    names, cov = list(found.items), found.samples[0].cov
    given = [names.index(one) for one in ("ageyr", "agemo")]
    pair = [names.index(one) for one in ("x4", "x2")]
    inside = np.linalg.solve(cov[np.ix_(given, given)], cov[np.ix_(given, pair)])
    rest = cov[np.ix_(pair, pair)] - cov[np.ix_(pair, given)] @ inside
    assert rest[0, 1] / np.sqrt(rest[0, 0] * rest[1, 1]) < 0.3
    assert stored()["conditional_x4_x2"] > 0.99


def test_independence_model_with_free_predictors() -> None:
    text = "visual =~ x1 + x2 + x3\nvisual ~ ageyr + sex"
    found = dimensionality.sem(dataset("hs1939"), text, fixed_x=False).fit
    expected = stored()["free_x"]
    assert found["baseline_df"] == expected["baseline.df"]
    for ours in ("chi2", "df", "baseline_chi2", "cfi", "tli"):
        assert_allclose(found[ours], expected[LAVAAN_NAMES[ours]], rtol=1e-7, err_msg=ours)


def test_true_leaves_predictors_alone() -> None:
    data = people("bfi")
    every = dimensionality.sem(data, f"{NEURO}\nneuro ~ age", "WLSMV", ordered=True)
    named = dimensionality.sem(data, f"{NEURO}\nneuro ~ age", ordered=ITEMS["bfi"])
    assert_allclose(every.theta, named.theta)


def test_order_of_variables_does_not_matter() -> None:
    data = people("bfi")
    one = dimensionality.sem(data, f"{NEURO}\nage ~ neuro", ordered=ITEMS["bfi"])
    text = "age ~ neuro\nneuro =~ N5 + N4 + N1 + N2 + N3"
    two = dimensionality.sem(data, text, ordered=ITEMS["bfi"][::-1])
    assert_allclose(one.fit["chi2_scaled"], two.fit["chi2_scaled"], rtol=1e-6)
    weighted = dimensionality.sem(
        data.assign(w=2.0), f"{NEURO}\nage ~ neuro", ordered=ITEMS["bfi"], weights="w"
    )
    assert_allclose(weighted.theta, one.theta, rtol=1e-6)


def test_clusters() -> None:
    data = people("bfi").assign(team=np.arange(600) // 4, person=np.arange(600))
    text = f"{NEURO}\nage ~ neuro"
    alone = dimensionality.sem(data, text, ordered=ITEMS["bfi"])
    single = dimensionality.sem(data, text, ordered=ITEMS["bfi"], cluster="person")
    teams = dimensionality.sem(data, text, ordered=ITEMS["bfi"], cluster="team")
    # n / (n - 1) of the variances; weights have it too
    n = alone.n_obs
    assert_allclose(single.vcov, alone.vcov * n / (n - 1), rtol=1e-6, atol=1e-10)
    assert_allclose(single.theta, alone.theta, rtol=1e-6, atol=1e-8)
    assert not np.allclose(teams.vcov, alone.vcov, rtol=1e-2)
    with pytest.raises(DataError, match="only one cluster"):
        dimensionality.sem(data.assign(team=1), text, ordered=ITEMS["bfi"], cluster="team")


def test_refusals() -> None:
    data = people("bfi")
    with pytest.raises(NotSupportedError, match=r"ordered predictor \(gender\)"):
        dimensionality.sem(data, f"{NEURO}\nneuro ~ gender", ordered=[*ITEMS["bfi"], "gender"])
    with pytest.raises(OptionError, match="nobody"):
        dimensionality.sem(data, f"{NEURO}\nage ~ neuro", ordered=["N1", "nobody"])
    with pytest.raises(DataError, match="age.*follows exactly|perfectly associated"):
        dimensionality.sem(
            data.assign(months=12 * data["age"]),
            f"{NEURO}\nage + months ~ neuro",
            ordered=ITEMS["bfi"],
        )
    total = data.assign(both=data["age"] + data["education"])
    with pytest.raises(DataError, match="follows exactly from the other items"):
        dimensionality.sem(total, f"{NEURO}\nage + education + both ~ neuro", ordered=ITEMS["bfi"])
    found = fitted("outcome")
    with pytest.raises(NotSupportedError, match="Factor scores from ordered items together"):
        found.factor_scores(data)


def test_other_methods_take_all_or_none() -> None:
    options = replace(fitted("outcome").prepared.options, estimator="WLSMV")
    with pytest.raises(NotSupportedError, match=r"together with continuous ones \(age\)"):
        prepare(people("bfi"), f"{NEURO}\nage ~ neuro", options)
