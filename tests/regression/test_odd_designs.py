"""Designs at the edge: terms of one cluster or one row, few rows a group, odd options."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, FewClustersWarning, OptionError
from collabsurvey.regression import mixed, ols
from collabsurvey.regression.prepare import groups_of
from collabsurvey.responses.engine import read_columns
from support import dataset


def schools(n_schools: int = 12, size: int = 8, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), size)
    data = pd.DataFrame({"school": school, "x": rng.normal(size=len(school))})
    data["y"] = data["x"] + rng.normal(size=n_schools)[school] + rng.normal(size=len(school))
    return data


def test_a_treatment_in_one_school_is_named() -> None:
    data = schools().assign(treated=lambda d: (d["school"] == 3).astype(float))
    result = ols("y ~ x + treated", data, cluster="school")
    assert any(
        note.startswith("Resting on single clusters of school: treated.") for note in result.notes
    )
    data["treated"] = (data["school"] <= 3).astype(float)
    several = ols("y ~ x + treated", data, cluster="school")
    assert not any("single clusters" in note for note in several.notes)


def test_school_dummies_are_named_and_the_slope_is_not() -> None:
    result = ols("y ~ x + C(school)", schools(), cluster="school", cov="CR0")
    (note,) = [note for note in result.notes if "single clusters" in note]
    assert "(Intercept), C(school)1" in note
    assert " x" not in note


@pytest.mark.parametrize("cov", ["CR0", "CR2", "CR3"])
def test_a_coefficient_of_one_cluster_has_no_df_and_raises_no_numpy_warning(cov: Any) -> None:
    data = schools(3).assign(treated=lambda d: (d["school"] == 1).astype(float))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", FewClustersWarning)
        result = ols("y ~ 0 + treated", data, cluster="school", cov=cov)
        row = result.estimates.iloc[0]
    assert np.isnan(row["df"])
    assert np.isnan(row["p_value"])
    assert "treated" in result.notes[-1]


@pytest.mark.parametrize("cov", ["HC2", "HC3", "HC4"])
def test_a_row_that_a_term_fits_exactly_is_refused(cov: Any) -> None:
    data = schools().assign(own=lambda d: (d.index == 0).astype(float))
    with pytest.raises(DataError, match="a term fits some row exactly"):
        ols("y ~ x + own", data, cov=cov)


def test_a_joint_test_of_too_many_terms_is_refused() -> None:
    data = schools(4).assign(a=lambda d: d["x"] ** 2, b=lambda d: d["x"] ** 3)
    data["w"] = np.repeat([1.0, 2, 4, 3], 8)
    with pytest.warns(FewClustersWarning):
        result = ols("y ~ x + a + b + w", data, cluster="school")
    with pytest.raises(DataError, match="too many to test at once with 4 clusters"):
        result.wald()


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(OptionError, match="between 0 and 1"):
        ols("y ~ x", schools(), conf_level=level)
    with pytest.raises(OptionError, match="between 0 and 1"):
        mixed("y ~ x + (1 | school)", schools(), conf_level=level)


def test_an_outcome_of_schools_on_rows_of_staff_is_refused() -> None:
    data = schools()
    data["y"] = 1e3 + data.groupby("school")["x"].transform("mean")
    with pytest.raises(DataError, match="'y' does not vary within 'school'"):
        mixed("y ~ x + (1 | school)", data)
    data["y"] += 1e-4 * np.random.default_rng(1).normal(size=len(data))
    assert mixed("y ~ x + (1 | school)", data).fit["converged"]


def test_results_are_frozen_and_can_travel() -> None:
    for result in (ols("y ~ x", schools()), mixed("y ~ x + (1 | school)", schools())):
        again = pickle.loads(pickle.dumps(result))
        pd.testing.assert_frame_equal(again.estimates, result.estimates)
        for one in (result, again):
            with pytest.raises(TypeError):
                one.fit["aic"] = 0.0
            with pytest.raises(ValueError, match="read-only"):
                one.basis[...] = 0


def test_uncorrelated_terms_need_rows_one_by_one() -> None:
    # lme4 counts the effects of each term; two terms of 12 groups fit 18 rows.
    data = schools().iloc[[i for i in range(96) if i % 8 == 0 or i % 16 == 1]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = mixed("y ~ x + (1 + x || school)", data)
    assert result.fit["n_obs"] == 18
    assert result.fit["converged"]


def test_a_column_may_be_in_the_outcome_and_among_the_predictors() -> None:
    data = dataset("exam")
    result = mixed("I(normexam - standLRT) ~ standLRT + (1 | school)", data)
    plain = mixed("normexam ~ standLRT + (1 | school)", data)
    assert_allclose(result.predict(data) + data["standLRT"], plain.predict(data), atol=1e-8)


def test_wald_of_a_model_with_normal_tests_is_chi_square() -> None:
    data = dataset("exam")
    formula = "normexam ~ standLRT + sex + (1 | school)"
    found = mixed(formula, data, df_method="z").wald("standLRT").iloc[0]
    statistic = mixed(formula, data).estimates["statistic"][1]
    assert found["test"] == "chi-square"
    assert_allclose(found["statistic"], statistic**2, rtol=1e-8)


def test_combined_groups_name_only_combinations_that_occur() -> None:
    n = 20_000  # 4e8 combinations of two columns would not fit in memory
    data = pd.DataFrame({"a": np.arange(n), "b": np.arange(n)[::-1].astype(str)})
    groups = groups_of(["a", "b"], read_columns(data, ["a", "b"]))
    assert len(groups.names) == n
    assert groups.names[groups.codes[7]] == "7:19992"


def test_what_left_rows_out_is_said_once_each() -> None:
    data = schools().assign(w=1.0)
    data.loc[:4, "w"] = 0
    assert ols("y ~ x", data, weights="w").notes[0] == (
        "5 of 96 rows were left out because of a weight of 0 in w (5)."
    )
    data.loc[90:, "x"] = np.nan
    assert ols("y ~ x", data, weights="w").notes[0] == (
        "11 of 96 rows were left out because a value is missing (x 6), or of a weight of 0 in w "
        "(5)."
    )
