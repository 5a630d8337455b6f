"""Residuals, standardised effects and their charts."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, SingularFitWarning, UnknownNameError
from collabsurvey.regression import mixed, ols
from collabsurvey.regression.residual_plots import normal_quantiles, residuals
from support import dataset


def test_residuals_are_what_is_left() -> None:
    data = dataset("exam")
    result = ols("normexam ~ standLRT + sex", data)
    found = residuals(result, data)
    assert_allclose(found.fitted, result.predict(data), rtol=1e-12)
    assert_allclose(found.residuals, data["normexam"] - result.predict(data), atol=1e-12)
    assert_allclose((found.residuals**2).sum() / (len(data) - 3), result.fit["sigma"] ** 2)
    bands = found.bands()
    assert bands["n"].sum() == len(data)
    assert bands["mean_fitted"].is_monotonic_increasing
    assert_allclose((bands["n"] * bands["mean_residual"]).sum(), 0, atol=1e-8)


def test_effects_have_spread_one() -> None:
    data = dataset("exam")
    result = mixed("normexam ~ standLRT + (1 + standLRT | school)", data)
    found = residuals(result, data)
    assert list(found.effects) == ["school", "school: standLRT"]
    for values in found.effects.values():
        assert abs(values.std() - 1) < 0.1  # 65 draws of a variable with sd 1
    tau2 = result.random_covariance[0, 0]
    spread = np.sqrt(tau2 - result.mode_sds[:, 0] ** 2)
    assert_allclose(found.effects["school"], result.modes[:, 0] / spread)
    assert_allclose(found.residuals, data["normexam"] - result.predict(data), atol=1e-12)


def test_quantiles_are_bloms() -> None:
    expected, found = normal_quantiles(np.array([3.0, 1, 2]))
    assert found.tolist() == [1, 2, 3]
    assert_allclose(expected, [-0.8694238, 0, 0.8694238], atol=1e-6)  # qnorm(0.625 / 3.25)


def test_charts_and_words() -> None:
    data = dataset("exam")
    data.loc[:9, "standLRT"] = np.nan
    found = residuals(mixed("normexam ~ standLRT + (1 | school)", data), data)
    assert "4049 rows, 10 without an outcome or a predictor." in found.notes[0]
    assert "by fitted value" in found.summary()
    assert "Residuals of normexam" in found.chart().to_svg()
    for of in ("residuals", "school"):
        chart = found.qq_chart(of)
        assert "expected" in chart.description
        chart.to_svg()
    with pytest.raises(UnknownNameError, match="no effects 'class'"):
        found.qq_chart("class")
    assert not found.fitted.flags.writeable
    assert len(found.to_frame()) == 4049


def test_a_variance_at_zero_has_no_effects_to_look_at() -> None:
    rng = np.random.default_rng(11)
    data = pd.DataFrame({"school": np.repeat(np.arange(12), 8), "x": rng.normal(size=96)})
    data["y"] = data["x"] + rng.normal(size=96)
    data["y"] -= data.groupby("school")["y"].transform("mean") * 0.9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        result = mixed("y ~ x + (1 | school)", data)
    assert residuals(result, data).effects == {}


def test_rows_of_something_else_are_refused() -> None:
    data = dataset("exam")
    result = ols("normexam ~ standLRT", data)
    with pytest.raises(DataError, match="No row has an outcome and every predictor"):
        residuals(result, data.assign(standLRT=np.nan))
