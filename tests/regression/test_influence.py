"""Models without each school: refits to the rows in R and here, and lme4's influence()."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    NotSupportedError,
    OptionError,
    SingularFitWarning,
)
from collabsurvey.regression import mixed, ols
from collabsurvey.regression.influence import influence
from support import REFERENCE, dataset

PEERS = json.loads((REFERENCE / "guard_rails.json").read_text(encoding="utf-8"))["values"]
WITHOUT = PEERS["influence"]["without"]
SLOPES = "normexam ~ standLRT + schavg + (1 + standLRT | school)"


def test_least_squares_without_a_school_matches_lm() -> None:
    result = ols("normexam ~ standLRT + schavg + schgend", dataset("exam"), cluster="school")
    found = influence(result)
    for school, expected in WITHOUT.items():
        assert_allclose(found.coefficients.loc[school], expected["linear"], rtol=1e-9)


def test_weights_and_all_schools_match_refits() -> None:
    rng = np.random.default_rng(1)
    data = dataset("exam").assign(w=lambda d: rng.uniform(0.5, 2, len(d)))
    data = data[data["school"].isin(data["school"].unique()[:12])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewClustersWarning)
        result = ols("normexam ~ standLRT + schavg", data, cluster="school", weights="w")
        found = influence(result)
        for school in data["school"].unique():
            rest = data[data["school"] != school]
            refit = ols("normexam ~ standLRT + schavg", rest, cluster="school", weights="w")
            label = str(school)
            assert_allclose(found.coefficients.loc[label], refit.coefficients, rtol=1e-9)
    changes = found.coefficients - result.coefficients
    assert_allclose(found.dfbetas, changes / result.std_errors, rtol=1e-12)


def test_mixed_without_a_school_matches_lme4() -> None:
    data = dataset("exam")
    found = influence(mixed(SLOPES, data), data)
    for school, expected in WITHOUT.items():
        # lme4 stops within about 1e-7 of its own optimum
        assert_allclose(found.coefficients.loc[school], expected["mixed"], rtol=1e-5)
        assert found.variances is not None
        variances = np.array(expected["variances"])[[0, 1, 3]]
        assert_allclose(found.variances.loc[school], variances, rtol=1e-5)


def test_cooks_distance_and_changes_match_lme4_but_for_its_factor() -> None:
    data = dataset("exam")
    result = mixed("normexam ~ standLRT + schavg + (1 | school)", data)
    found = influence(result, data)
    place = {str(name): i for i, name in enumerate(PEERS["influence"]["lme4_schools"])}
    order = [place[level] for level in found.dfbetas.index]
    changes = np.array(PEERS["influence"]["lme4_dfbeta"])[order]
    errors = result.std_errors
    assert_allclose(found.dfbetas, changes / errors, atol=1e-5)  # small differences of two fits
    factor = (65 - 3) / 65
    expected = np.array(PEERS["influence"]["lme4_cook"])[order]
    assert_allclose(found.cooks_distance * factor, expected, rtol=1e-4)


@pytest.mark.parametrize("formula", ["(1 + standLRT || school)", "(1 | school)"])
@pytest.mark.parametrize("reml", [True, False])
def test_other_random_parts_match_refits(formula: str, reml: bool) -> None:
    data = dataset("exam")
    data = data[data["school"].isin(data["school"].unique()[:15])]
    text = f"normexam ~ standLRT + sex + {formula}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        warnings.simplefilter("ignore", FewClustersWarning)
        result = mixed(text, data, reml=reml)
        found = influence(result, data)
        for school in data["school"].unique()[:4]:
            refit = mixed(text, data[data["school"] != school], reml=reml)
            label = str(school)
            # both at optima good to about 1e-8 in the deviance
            assert_allclose(found.coefficients.loc[label], refit.coefficients, rtol=1e-5)
            assert found.variances is not None
            assert_allclose(found.variances.loc[label, "Residual"], refit.fit["sigma"] ** 2)


def test_a_singular_fit_is_refitted_from_the_start() -> None:
    rng = np.random.default_rng(11)
    data = pd.DataFrame({"school": np.repeat(np.arange(12), 8), "x": rng.normal(size=96)})
    data["y"] = data["x"] + rng.normal(size=96)
    data["y"] -= data.groupby("school")["y"].transform("mean") * 0.9
    with pytest.warns(SingularFitWarning):
        result = mixed("y ~ x + (1 | school)", data)
    found = influence(result, data)
    assert found.variances is not None
    rest = data[data["school"] != 3]
    refit = ols("y ~ x", rest)
    assert found.variances.loc["3", "(Intercept)"] == 0
    assert_allclose(found.coefficients.loc["3"], refit.coefficients, rtol=1e-8)


def test_kept_variances_are_close_and_said() -> None:
    data = dataset("exam")
    result = mixed("normexam ~ standLRT + schavg + (1 | school)", data)
    kept = influence(result, data, variances="kept")
    exact = influence(result, data)
    assert np.abs(kept.dfbetas - exact.dfbetas).max().max() < 0.4
    assert np.corrcoef(kept.cooks_distance, exact.cooks_distance)[0, 1] > 0.95
    assert "The variances of all groups are kept." in kept.notes


def test_a_coefficient_of_one_school_is_named() -> None:
    data = dataset("exam").assign(own=lambda d: (d["school"] == 2).astype(float))
    result = ols("normexam ~ standLRT + own", data, cluster="school")
    found = influence(result)
    assert "own cannot be estimated without 2." in found.notes
    row = found.coefficients.loc["2"]
    assert np.isnan(row["own"])
    refit = ols("normexam ~ standLRT", data[data["school"] != 2]).coefficients
    assert_allclose(row[["(Intercept)", "standLRT"]], refit, rtol=1e-9)
    assert found.to_frame().set_index("school").loc["2", "marked"]
    assert np.isinf(found.cooks_distance[found.dfbetas.index.get_loc("2")])


def test_a_finding_that_rests_on_one_school_is_told() -> None:
    rng = np.random.default_rng(3)
    school = np.repeat(np.arange(20), 10)
    x = rng.normal(size=20)
    x[7] = 6
    y = -0.1 * x
    y[7] = 6
    data = pd.DataFrame({"school": school, "x": x[school]})
    data["y"] = y[school] + 0.5 * rng.normal(size=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewClustersWarning)
        result = ols("y ~ x", data, cluster="school")
    found = influence(result)
    assert "x changes its sign without 7." in found.notes
    text = found.summary()
    assert text.splitlines()[4].startswith("7 ")
    assert "20 clusters, each left out in turn" in text
    assert "Cook" in found.chart().to_svg()


def test_mistakes_are_named() -> None:
    data = dataset("exam")
    result = mixed("normexam ~ standLRT + (1 | school)", data)
    with pytest.raises(OptionError, match="the rows of the fit"):
        influence(result)
    with pytest.raises(DataError, match="do not give the model"):
        influence(result, data.assign(standLRT=data["standLRT"] * 1.1))
    with pytest.raises(DataError, match="do not give the model"):
        influence(result, data.head(3000))
    with pytest.raises(OptionError, match="variances='fixed'"):
        influence(result, data, variances="fixed")  # type: ignore[arg-type]
    with pytest.raises(NotSupportedError, match="without one way of clustering"):
        influence(ols("normexam ~ standLRT", data))
    pastes = dataset("pastes")
    several = mixed("strength ~ 1 + (1 | batch) + (1 | sample)", pastes)
    with pytest.raises(NotSupportedError, match="several random terms"):
        influence(several, pastes)
