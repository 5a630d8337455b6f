"""Simple slopes against refits with the moderator moved, and against lm."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import FormulaError, NotSupportedError, OptionError, UnknownNameError
from collabsurvey.regression import mixed, ols
from collabsurvey.regression.simple_slopes import simple_slopes
from support import REFERENCE, dataset

PEERS = json.loads((REFERENCE / "guard_rails.json").read_text(encoding="utf-8"))["values"]
COLUMNS = ["estimate", "std_error", "statistic", "df", "p_value"]


def test_slopes_match_lm() -> None:
    expected = PEERS["slopes"]
    result = ols("normexam ~ standLRT * schavg + sex", dataset("exam"))
    at = expected["at"]
    for x, moderator, key in (("standLRT", "schavg", ""), ("schavg", "standLRT", "other_")):
        found = simple_slopes(result, x, moderator=moderator, at=at).to_frame()
        slope = expected["other" if key else x]
        assert_allclose(found["estimate"], slope, rtol=1e-9, atol=1e-12)
        assert_allclose(found["std_error"], expected[f"{key}error"], rtol=1e-9)


def test_a_slope_is_the_coefficient_once_the_moderator_is_moved() -> None:
    data = dataset("exam")
    within, between = "within(standLRT, school)", "between(standLRT, school)"
    formula = f"normexam ~ {within} * {between} + (1 + {within} | school)"
    found = simple_slopes(mixed(formula, data), within, moderator=between, at=[0.4]).to_frame()
    data["moved"] = data.groupby("school")["standLRT"].transform("mean") - 0.4
    direct = mixed(f"normexam ~ {within} * moved + (1 + {within} | school)", data).estimates
    expected = direct.iloc[1][COLUMNS].astype(float)
    assert_allclose(found[COLUMNS].iloc[0].astype(float), expected, rtol=1e-5)


def test_mean_and_sd_are_those_of_the_rows() -> None:
    data = dataset("exam")
    result = ols("normexam ~ standLRT * schavg", data, cluster="school")
    found = simple_slopes(result, "standLRT", moderator="schavg")
    mean, sd = data["schavg"].mean(), data["schavg"].std()
    assert_allclose(found.to_frame()["value"], [mean - sd, mean, mean + sd], rtol=1e-9, atol=1e-12)
    assert found.to_frame()["moderator"][0] == "−0.31 (mean − 1 SD)"
    text = found.summary()
    assert text.startswith("Slope of standLRT by schavg")
    assert "over the rows of the fit, not over groups" in text
    assert "mean + 1 SD" in found.chart().to_svg()


def test_factors_on_either_side() -> None:
    data = dataset("exam")
    result = ols("normexam ~ sex * intake + standLRT * sex", data, cluster="school")
    slopes = simple_slopes(result, "standLRT", moderator="sex").to_frame()
    assert slopes["moderator"].tolist() == ["F", "M"]
    data["sex"] = data["sex"].replace("F", "Z")  # the other reference
    turned = ols("normexam ~ sex * intake + standLRT * sex", data, cluster="school").estimates
    of_boys = turned[turned["term"] == "standLRT"].iloc[0]
    assert_allclose(
        slopes[COLUMNS].iloc[1].astype(float), of_boys[COLUMNS].astype(float), rtol=1e-8
    )
    levels = simple_slopes(result, "intake", moderator="sex")
    frame = levels.to_frame()
    assert frame["effect"].unique().tolist() == [
        "intake mid 50% rather than bottom 25%",
        "intake top 25% rather than bottom 25%",
    ]
    mid = turned[turned["term"] == "intakemid 50%"].iloc[0]
    assert_allclose(frame[COLUMNS].iloc[1].astype(float), mid[COLUMNS].astype(float), rtol=1e-8)
    assert "intake mid 50% rather than bottom 25%, M" in levels.chart().to_svg()


def test_a_factor_with_a_column_for_every_level() -> None:
    data = dataset("exam")
    whole = ols("normexam ~ 0 + sex + sex:standLRT", data)
    plain = ols("normexam ~ sex * standLRT", data)
    found = simple_slopes(whole, "sex", moderator="standLRT", at=[0.5]).to_frame()
    expected = simple_slopes(plain, "sex", moderator="standLRT", at=[0.5]).to_frame()
    assert_allclose(found[COLUMNS].astype(float), expected[COLUMNS].astype(float), rtol=1e-8)
    by_sex = simple_slopes(whole, "standLRT", moderator="sex").to_frame()
    assert_allclose(by_sex["estimate"], whole.coefficients[2:], rtol=1e-10)


def test_other_moderators_are_held_and_named() -> None:
    data = dataset("exam")
    result = ols("normexam ~ standLRT * schavg + standLRT * sex", data)
    found = simple_slopes(result, "standLRT", moderator="schavg", at=[0])
    assert_allclose(found.to_frame()["estimate"], result.coefficients[1], rtol=1e-10)
    assert "Slopes where sex = F." in found.notes
    by_sex = simple_slopes(result, "standLRT", moderator="sex")
    expected = result.coefficients[1] + result.coefficients[4] * data["schavg"].mean()
    assert_allclose(by_sex.to_frame()["estimate"][0], expected, rtol=1e-9)
    assert any("schavg = 0.00181 (its mean)" in note for note in by_sex.notes)
    three = ols("normexam ~ standLRT * schavg * sex", data)
    slope = simple_slopes(three, "standLRT", moderator="schavg", at=[1]).to_frame()["estimate"][0]
    names = dict(zip(three.terms, three.coefficients, strict=True))
    assert_allclose(slope, names["standLRT"] + names["standLRT:schavg"], rtol=1e-10)


def test_mistakes_are_named() -> None:
    data = dataset("exam")
    result = ols("normexam ~ standLRT * schavg + sex", data)
    with pytest.raises(FormulaError, match=r"standLRT and sex do not meet.*write standLRT \* sex"):
        simple_slopes(result, "standLRT", moderator="sex")
    with pytest.raises(UnknownNameError, match="Did you mean 'standLRT'"):
        simple_slopes(result, "standlrt", moderator="schavg")
    with pytest.raises(OptionError, match="at='median'"):
        simple_slopes(result, "standLRT", moderator="schavg", at="median")  # type: ignore[arg-type]
    squared = ols("normexam ~ standLRT * schavg + I(standLRT^2)", data)
    with pytest.raises(NotSupportedError, match=r"also in I\(standLRT\^2\)"):
        simple_slopes(squared, "standLRT", moderator="schavg")
    curved = ols("normexam ~ standLRT * schavg + standLRT:I(schavg^2)", data)
    with pytest.raises(NotSupportedError, match="A moderator that is in two terms"):
        simple_slopes(curved, "standLRT", moderator="schavg")
    bare = ols("normexam ~ standLRT + standLRT:schavg", data)
    with pytest.raises(OptionError, match="no term of its own"):
        simple_slopes(bare, "standLRT", moderator="schavg")
    assert np.isfinite(
        simple_slopes(bare, "standLRT", moderator="schavg", at=[0, 1]).to_frame()["p_value"]
    ).all()
