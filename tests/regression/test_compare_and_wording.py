"""Models side by side, and coefficients in plain words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from collabsurvey.errors import DataError, OptionError
from collabsurvey.regression import compare, in_words, mixed, ols
from support import dataset


def test_table_holds_every_term_of_every_model() -> None:
    data = dataset("exam")
    a = ols("normexam ~ standLRT", data, cluster="school")
    b = mixed("normexam ~ standLRT + sex + (1 | school)", data)
    result = compare([a, b], names=["robust", "mixed"])
    assert result.terms == ("(Intercept)", "standLRT", "sexM")
    frame = result.to_frame()
    assert frame["model"].tolist() == ["robust"] * 2 + ["mixed"] * 3
    pd.testing.assert_series_equal(
        frame["std_error"][2:].reset_index(drop=True), b.estimates["std_error"]
    )
    text = result.summary()
    slope = a.estimates.iloc[1]
    shown = f"{slope['estimate']:.3f} [{slope['ci_low']:.3f}, {slope['ci_high']:.3f}]"
    assert shown in text
    assert "R² marginal" in text
    assert "REML likelihoods" in text
    assert "sexM" in result.chart().to_svg()
    rows = [row for row in text.splitlines() if row.startswith("sexM")]
    assert "–" in rows[0]  # the first model has no such term


def test_differences_that_forbid_a_comparison_are_noted() -> None:
    data = dataset("sleepstudy")
    a = ols("Reaction ~ Days", data)
    b = ols("Days ~ Reaction", data.head(100))
    notes = " ".join(compare([a, b]).notes)
    assert "outcomes differ" in notes
    assert "different rows" in notes
    with pytest.raises(DataError, match="at least one model"):
        compare([])
    with pytest.raises(OptionError, match="2 different names"):
        compare([a, b], names=["one", "one"])


def test_sentences_read_the_coefficients() -> None:
    data = dataset("exam")
    # clubSandwich: 0.556 [0.517, 0.595], -0.165 [-0.267, -0.063]
    result = ols("normexam ~ standLRT + sex + schavg", data, cluster="school")
    words = in_words(result, unit="pupils")
    assert list(words) == ["standLRT", "sexM", "schavg"]
    assert words["standLRT"] == (
        "One unit more standLRT goes with 0.56 more normexam (95 % interval 0.52 to 0.59), "
        "comparing pupils that are alike in sex and schavg; the interval excludes zero."
    )
    assert words["sexM"].startswith(
        "Sex M rather than F goes with 0.16 less normexam (95 % interval −0.27 to −0.063), "
    )
    gender = in_words(ols("normexam ~ C(schgend)", data, cluster="school"))
    assert gender["C(schgend)mixed"].startswith("Schgend mixed rather than boys goes with")
    assert gender["C(schgend)mixed"].endswith("; the interval includes zero.")


def test_interactions_are_conditional() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=90), "g": list("abc") * 30, "s": [1, 2, 3] * 30})
    data["y"] = data["x"] + rng.normal(size=90)
    words = in_words(ols("y ~ x * g", data, conf_level=0.9))
    assert words["x"].startswith("One unit more x, where g is a, goes with")
    assert "(90 % interval" in words["x"]
    assert words["gb"].startswith("G b rather than a, where x is 0, goes with")
    sentence = words["x:gc"]
    assert sentence.startswith(
        "With g c rather than a, the difference in y that goes with one unit"
    )
    assert "comparing" not in sentence
    parts = in_words(ols("y ~ within(x, s) + between(x, s)", data))
    assert parts["within(x, s)"].startswith("One unit more x than the mean of the same s goes")
    assert parts["between(x, s)"].startswith("One unit more in the mean x of the s goes with")


def test_a_factor_with_every_level_says_where() -> None:
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"x": rng.gamma(2, size=90), "g": list("abc") * 30, "b": [0, 1] * 45})
    data["y"] = data["x"] + rng.normal(size=90)
    cells = in_words(ols("y ~ 0 + g + center(x)", data))
    assert cells["gb"].startswith("Where g is b and x is at its mean, the mean of y is ")
    assert "comparing" not in cells["gb"]
    slopes = in_words(ols("y ~ g:x", data))
    assert slopes["gc:x"].startswith("One unit more x, where g is c, goes with ")
    three = in_words(ols("y ~ x * g * b", data))
    assert three["x:gb:b"].startswith(
        "With g b rather than a and one unit more b, the difference in y that goes with one unit "
        "more x is "
    )
    assert three["x:b"].startswith("With one unit more b, where g is a, the difference in y")


def test_terms_of_one_column_are_read_together() -> None:
    data = dataset("exam")
    words = in_words(ols("normexam ~ standLRT + I(standLRT^2) + schavg", data))
    assert words["standLRT"].endswith("; read it together with standLRT^2, of the same column.")
    assert "alike in schavg" in words["standLRT"]
    assert "together" not in words["schavg"]
    data = pd.DataFrame({"x": [1.0, 2, 4, 8, 16], "y": [0.1, 1, 2, 3, 4.2]})
    assert in_words(ols("y ~ log(x)", data))["log(x)"].startswith(
        "One unit more log(x) (x 2.72 times as large) goes with "
    )
