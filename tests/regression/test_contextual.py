"""Within, between and contextual effects: two ways of writing one model, and their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, FormulaError, NotSupportedError, UnknownNameError
from collabsurvey.regression import mixed, ols
from collabsurvey.regression.contextual import contextual_effect
from collabsurvey.regression.contrasts import column_moments, contrast_frame, variable_named
from support import dataset

PARTED = "normexam ~ within(standLRT, school) + between(standLRT, school) + sex"
MUNDLAK = "normexam ~ standLRT + between(standLRT, school) + sex"


def fit(formula: str, kind: str) -> Any:
    data = dataset("exam")
    if kind == "ols":
        return ols(formula, data, cluster="school")
    return mixed(f"{formula} + (1 | school)", data, df_method=kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["ols", "satterthwaite", "z"])
def test_both_ways_of_writing_give_the_same(kind: str) -> None:
    frames = [
        contextual_effect(fit(formula, kind), "standLRT", "school").to_frame()
        for formula in (
            PARTED,
            MUNDLAK,
            "normexam ~ standLRT + within(standLRT, school) + sex",
        )
    ]
    assert frames[0]["effect"].tolist() == ["within", "between", "contextual"]
    for other in frames[1:]:
        pd.testing.assert_frame_equal(other, frames[0], rtol=1e-6)


@pytest.mark.parametrize("kind", ["ols", "satterthwaite", "z"])
def test_each_effect_is_the_coefficient_where_there_is_one(kind: str) -> None:
    effects = contextual_effect(fit(PARTED, kind), "standLRT", "school").to_frame()
    parted, mundlak = fit(PARTED, kind).estimates, fit(MUNDLAK, kind).estimates
    columns = ["estimate", "std_error", "statistic", "df", "p_value", "ci_low", "ci_high"]
    for place, row in ((0, parted.iloc[1]), (1, parted.iloc[2]), (2, mundlak.iloc[2])):
        found = effects[columns].iloc[place].astype(float)
        # the df of a mixed model come from differences: six digits
        assert_allclose(found, row[columns].astype(float), rtol=1e-5, atol=1e-14)


def test_the_df_of_a_contrast_are_those_of_its_wald_test() -> None:
    for kind in ("ols", "satterthwaite"):
        result = fit(PARTED, kind)
        row = np.array([[0.0, -1, 1, 0]])
        found = contrast_frame(result, row).iloc[0]
        within, between = "within(standLRT, school)", "between(standLRT, school)"
        test = result.wald({within: -1, between: 1}).iloc[0]
        assert_allclose(found["df"], test["df2"], rtol=1e-8)
        assert_allclose(found["statistic"] ** 2, test["statistic"], rtol=1e-8)


def test_it_shows_itself() -> None:
    result = contextual_effect(fit(MUNDLAK, "ols"), "standLRT", "school")
    text = result.summary()
    assert text.startswith("standLRT within and between school")
    assert "at the same own standLRT" in text
    assert "contextual" in result.chart().to_svg()


def test_a_model_without_both_parts_is_refused() -> None:
    data = dataset("exam")
    with pytest.raises(FormulaError, match=r"write within\(standLRT, school\) \+ between"):
        contextual_effect(ols("normexam ~ standLRT", data), "standLRT", "school")
    result = ols("normexam ~ standLRT * sex + between(standLRT, school)", data)
    with pytest.raises(NotSupportedError, match="sexM is in the model"):
        contextual_effect(result, "standLRT", "school")


def test_means_and_sds_of_columns_are_those_of_the_rows() -> None:
    data = dataset("exam")
    data["far"] = 1e6 + data["schavg"]
    result = mixed("normexam ~ standLRT * sex + far + (1 | school)", data)
    mean, sd, correlations = column_moments(result)
    male = (data["sex"] == "M").astype(float)
    x = np.column_stack((data["standLRT"], male, data["far"], data["standLRT"] * male))
    assert_allclose(mean[1:], x.mean(axis=0), rtol=1e-8)
    assert_allclose(sd[1:], x.std(axis=0, ddof=1), rtol=1e-8)
    assert_allclose(correlations[1:, 1:], np.corrcoef(x.T), atol=1e-8)
    with pytest.raises(DataError, match="it has no intercept"):
        column_moments(ols("normexam ~ 0 + standLRT", data))


def test_variables_are_found_as_written() -> None:
    data = dataset("exam").rename(columns={"schavg": "school mean"})
    result = ols("normexam ~ within(standLRT, school) + `school mean`", data)
    assert variable_named(result, "within(standLRT,school)").label == "within(standLRT, school)"
    assert variable_named(result, "school mean").label == "`school mean`"
    with pytest.raises(UnknownNameError, match="no variable 'standLRT'"):
        variable_named(result, "standLRT")
