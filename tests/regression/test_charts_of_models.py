"""Pictures of models: what is drawn is what was estimated, at 6 groups and at 200."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from collabsurvey.display import Chart
from collabsurvey.display.caterpillar import caterpillar_chart, short_name
from collabsurvey.display.ratio_axis import ratio_ticks
from collabsurvey.errors import DataError, NotSupportedError, OptionError, UnknownNameError
from collabsurvey.regression import compare, mixed, ols
from collabsurvey.regression.caterpillar import caterpillar
from collabsurvey.regression.coefficient_chart import coefficient_chart
from collabsurvey.regression.generalized_linear import counts, logit
from collabsurvey.regression.mixed_logit import mixed_logit
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.ordinal import ordinal
from collabsurvey.regression.prediction_chart import prediction_chart
from support import dataset

LONG = "St Bartholomew's Church of England Voluntary Aided Primary School and Nursery"


def drawn(chart: Chart) -> Axes:
    ax = Figure().add_subplot()
    chart.plot(ax)
    return ax


@cache
def schools(n_schools: int, size: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(n_schools)
    names = np.array([LONG, *(f"School {i}" for i in range(1, n_schools))], dtype=object)
    data = pd.DataFrame({"school": np.repeat(names, size)})
    data["x"] = rng.normal(size=len(data))
    data["y"] = data["x"] + np.repeat(rng.normal(size=n_schools), size)
    data["y"] += rng.normal(size=len(data))
    return data.assign(z=(data["y"] > 0).astype(int), f=np.where(data["x"] > 0.5, "b", "a"))


@cache
def fitted(n_schools: int) -> MixedResult:
    return mixed("y ~ x + (1 + x | school)", schools(n_schools))


@cache
def exam() -> MixedResult:
    return mixed("normexam ~ standLRT + sex + (1 + standLRT | school)", dataset("exam"))


def test_caterpillar_orders_the_groups_and_names_a_few() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few schools
        result = fitted(6)
    effects = result.random_effects
    own = effects[effects["term"] == "(Intercept)"].sort_values("estimate", ascending=False)
    ax = drawn(caterpillar(result))
    assert_allclose(ax.lines[0].get_xdata(), own["estimate"])
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert [label.startswith("St Bart") for label in labels] == (own["level"] == LONG).tolist()
    assert max(len(line) for label in labels for line in label.split("\n")) <= 28
    assert all(label.count("\n") <= 1 for label in labels)
    ends = np.array([path.vertices[:, 0] for path in ax.collections[0].get_paths()])
    assert_allclose(ends.mean(axis=1), own["estimate"])
    assert_allclose(np.diff(ends)[:, 0], 2 * 1.959964 * own["conditional_sd"], rtol=1e-6)
    median = next(line for line in ax.lines if line.get_label() == "median")
    assert_allclose(median.get_xdata(), own["estimate"].median())
    assert "y, beside the typical school (95% interval)" in ax.get_xlabel()


def test_caterpillar_of_many_groups_has_no_names() -> None:
    chart = caterpillar(fitted(200), term="x", conf_level=0.5)
    ax = drawn(chart)
    assert len(ax.get_yticks()) == 0
    assert "200 groups of school, in order" in ax.get_ylabel()
    assert ax.lines[0].get_markersize() < 2
    assert chart.size[1] < 8
    assert "slope of x" in ax.get_xlabel()
    assert "50% interval" in ax.get_xlabel()
    assert chart.description.count(";") == 6


def test_caterpillar_asks_which_factor() -> None:
    crossed = mixed("diameter ~ 1 + (1 | plate) + (1 | sample)", dataset("penicillin"))
    with pytest.raises(OptionError, match="group=None is not possible.*plate"):
        caterpillar(crossed)
    assert len(drawn(caterpillar(crossed, "sample")).get_yticks()) == 6
    with pytest.raises(UnknownNameError, match="no grouping factor 'plates'"):
        caterpillar(crossed, "plates")
    with pytest.raises(UnknownNameError, match="no random term 'x'"):
        caterpillar(crossed, "plate", term="x")
    with pytest.raises(NotSupportedError, match="without random effects"):
        caterpillar(ols("y ~ x", schools(6)))


def test_coefficients_of_one_scale_share_an_axis() -> None:
    data = schools(200)
    models = [ols("y ~ x + f", data), fitted(200)]
    ax = drawn(coefficient_chart(models, names=["flat", "mixed"]))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["x", "fb"]
    assert not ax.child_axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["flat", "mixed"]
    assert drawn(coefficient_chart(models[:1])).get_legend() is None
    only = drawn(coefficient_chart(models, terms=["x"]))
    assert [text.get_text() for text in only.get_yticklabels()] == ["x"]


def test_coefficients_of_different_scales_stand_apart() -> None:
    data = schools(200)
    odds = logit("z ~ x", data)
    chart = coefficient_chart([ols("y ~ x", data), odds], exponentiate=True)
    ax = drawn(chart)
    first, second = ax.child_axes
    assert first.get_xlabel().startswith("difference in y")
    assert second.get_xlabel().startswith("odds ratio of z")
    assert (first.get_xscale(), second.get_xscale()) == ("linear", "log")
    assert first.get_legend() is None
    assert f"x {np.exp(odds.coefficients[1]):.3g}" in chart.description
    assert compare([ols("y ~ x", data), odds]).chart().to_svg()
    models = [ols(f"{y} ~ f", data.assign(a=1.0 * data.index, b=data["x"])) for y in "yabx"]
    with pytest.raises(DataError, match="4 different scales"):
        coefficient_chart(models)
    with pytest.raises(DataError, match="at least one model"):
        coefficient_chart([])
    with pytest.raises(OptionError, match="terms='w' is not possible"):
        coefficient_chart([odds], terms=["w"])
    with pytest.raises(OptionError, match="1 names"):
        coefficient_chart([odds], names=["a", "b"])


def test_prediction_line_is_what_the_model_predicts() -> None:
    data = dataset("exam")
    ax = drawn(prediction_chart(exam(), "standLRT", data))
    line = ax.lines[0]
    grid = pd.DataFrame({"standLRT": line.get_xdata(), "sex": "F"})  # F is more frequent
    assert_allclose(line.get_ydata(), exam().predict(grid, random_effects=False))
    expected = exam().predict_mean(grid)
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    # The chart takes the smallest df of all coefficients, so its band is a little wider.
    assert band.max() == pytest.approx(expected["ci_high"].max(), rel=0.01)
    assert band.max() >= expected["ci_high"].max()
    assert len(ax.collections[1].get_offsets()) == 12


def test_dots_without_other_predictors_are_means_of_the_data() -> None:
    data = schools(200)
    ax = drawn(prediction_chart(logit("z ~ f", data), "f", data))
    found = np.asarray(ax.collections[-1].get_offsets())[:, 1]
    assert_allclose(found, data.groupby("f")["z"].mean())
    assert_allclose(ax.lines[0].get_ydata(), data.groupby("f")["z"].mean(), rtol=1e-6)
    assert "probability of z" in ax.get_ylabel()


def test_partial_residuals_fall_on_a_line_with_the_coefficient_as_its_slope() -> None:
    data = schools(6).assign(w=lambda d: np.arange(len(d)) % 7)
    result = ols("y ~ x + w", data)
    ax = drawn(prediction_chart(result, "x", data))
    x, y = np.asarray(ax.collections[-1].get_offsets()).T
    assert len(x) == len(data)
    assert_allclose(np.polyfit(x, y, 1)[0], result.coefficients[1])


def test_mixed_logistic_line_is_the_average_over_groups() -> None:
    data = schools(200)
    result = mixed_logit("z ~ x + (1 | school)", data, n_quad=3)
    line = drawn(prediction_chart(result, "x", data)).lines[0]
    grid = pd.DataFrame({"x": line.get_xdata()})
    assert_allclose(line.get_ydata(), result.predict(grid), rtol=1e-6)


def test_powers_and_offsets_go_along() -> None:
    data = schools(200)
    result = ols("y ~ x + I(x^2)", data)
    line = drawn(prediction_chart(result, "x", data, points="none")).lines[0]
    assert_allclose(line.get_ydata(), result.predict(pd.DataFrame({"x": line.get_xdata()})))
    months = data.assign(months=1.0 + np.arange(len(data)) % 11, n=np.arange(len(data)) % 5)
    counted = counts("n ~ x + offset(log(months))", months, cov="HC1")
    line = drawn(prediction_chart(counted, "x", months)).lines[0]
    typical = float(np.exp(np.log(months["months"]).mean()))
    grid = pd.DataFrame({"x": line.get_xdata(), "months": typical})
    assert_allclose(line.get_ydata(), counted.predict(grid))


def test_parts_are_named_and_mistakes_are_told() -> None:
    data = schools(200)
    result = ols("y ~ within(x, school) + between(x, school)", data)
    with pytest.raises(DataError, match=r"Name one: 'within\(x, school\)' or 'between"):
        prediction_chart(result, "x", data)
    line = drawn(prediction_chart(result, "within(x, school)", data)).lines[0]
    slope = np.diff(line.get_ydata()) / np.diff(line.get_xdata())
    assert_allclose(slope, result.coefficients[1])
    with pytest.raises(UnknownNameError, match="no predictor 'w'"):
        prediction_chart(result, "w", data)
    with pytest.raises(DataError, match="Pass data=, the table of the fit"):
        prediction_chart(result, "x")
    with pytest.raises(OptionError, match="points='partial' is not possible"):
        prediction_chart(logit("z ~ x", data), "x", data, points="partial")
    wine = dataset("wine").astype({"rating": int})
    assert "each answer" in prediction_chart(ordinal("rating ~ temp", wine), "temp").title


def test_trials_weigh_the_means() -> None:
    data = pd.DataFrame({"g": list("aabb"), "yes": [1, 8, 5, 5], "no": [1, 2, 5, 15]})
    ax = drawn(prediction_chart(logit("cbind(yes, no) ~ g", data), "g", data))
    assert_allclose(np.asarray(ax.collections[-1].get_offsets())[:, 1], [9 / 12, 10 / 30])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.9, 3.1, [1, 1.25, 1.5, 2, 3]),
        (0.2, 40, [0.2, 0.5, 1, 2, 5, 10, 20][::2]),
        (0.98, 1.05, [0.98, 1.0, 1.02, 1.04]),
    ],
)
def test_ticks_of_ratios_are_round(low: float, high: float, expected: list[float]) -> None:
    found = ratio_ticks(low, high)
    assert len(found) <= 6
    assert all(low <= tick <= high for tick in found)
    if high < 5:
        assert found == expected


def test_names_are_cut_to_a_few_lines() -> None:
    assert short_name("Oak") == "Oak"
    assert short_name(LONG, most=1).endswith("…")
    assert len(short_name(LONG, most=1)) <= 28
    assert short_name("mean_trust_in_partner_schools_at_start") == (
        "mean_trust_in_partner_\nschools_at_start"
    )


def test_names_that_would_be_cut_to_the_same_stay_whole() -> None:
    names = [f"{LONG} number {i}" for i in range(40)]
    ax = drawn(caterpillar_chart(names, range(40), range(40), range(40), title="t", axis="a"))
    labels = [text.get_text().replace("\n", " ") for text in ax.get_yticklabels()]
    assert labels == names[::-1]
