"""Models in plain words: what is said is what was estimated, and no more than it shows."""

from __future__ import annotations

import re
import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from collabsurvey.errors import DataError, OptionError, UnknownNameError
from collabsurvey.regression import in_words, mixed, ols
from collabsurvey.regression.explain import Explanation, explanation
from collabsurvey.regression.generalized_linear import counts, logit
from collabsurvey.regression.mixed_counts import mixed_counts
from collabsurvey.regression.mixed_logit import mixed_logit
from collabsurvey.regression.mixed_ordinal import mixed_ordinal
from collabsurvey.regression.ordinal import ordinal
from collabsurvey.regression.results import RegressionResult
from support import dataset

# Words that claim a cause, and those that turn an open question into a finding.
CAUSAL = re.compile(
    r"\b(affect\w*|effects?|caus(?:e[sd]?|ing|al\w*)|leads?\s+to|led\s+to|increas\w+|decreas\w+|"
    r"reduc\w+|rais(?:e[sd]?|ing)|lower(?:s|ed|ing)|improv\w+|harm\w*|impact\w*|influenc\w+|"
    r"driv(?:e[sn]?|ing)|drove|results?\s+in|due\s+to|because\s+of|owing\s+to|makes?|made|"
    r"produc\w+|determin\w+|boost\w*|contribut\w+|responsib\w+|consequen\w+|changes?|changed|"
    r"multiplied|brought|brings?)\b",
    re.IGNORECASE,
)
NEVER = re.compile(
    r"no (?:\w+ )?effect|no relation|not significant|insignificant|does not (?:matter|differ)",
    re.IGNORECASE,
)


@cache
def women() -> pd.DataFrame:
    data = dataset("contraception").astype({"district": str})
    return data.assign(use01=(data["use"] == "Y").astype(int), age10=data["age"] / 10)


@cache
def wine() -> pd.DataFrame:
    return dataset("wine").astype({"rating": int})


@cache
def meetings() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    school, x = np.repeat(np.arange(20), 15), rng.normal(size=300)
    months = rng.integers(1, 12, 300)
    mean = months * np.exp(-0.5 + 0.3 * x + 0.4 * rng.normal(size=20)[school])
    return pd.DataFrame(
        {"school": school.astype(str), "x": x, "months": months, "held": rng.poisson(mean)}
    )


MODELS: dict[str, tuple[Any, Any]] = {
    "ols": (lambda d: ols("normexam ~ standLRT * schavg + sex", d), lambda: dataset("exam")),
    "cells": (
        lambda d: ols("normexam ~ 0 + schgend", d, cluster="school"), lambda: dataset("exam"),
    ),
    "three": (lambda d: ols("normexam ~ standLRT * sex * vr", d), lambda: dataset("exam")),
    "mixed": (
        lambda d: mixed(
            "normexam ~ within(standLRT, school) * sex + between(standLRT, school) "
            "+ (1 + standLRT | school)", d,
        ),
        lambda: dataset("exam"),
    ),
    "crossed": (
        lambda d: mixed("diameter ~ 1 + (1 | plate) + (1 | sample)", d),
        lambda: dataset("penicillin"),
    ),
    "logit": (lambda d: logit("use01 ~ age10 + I(age10^2) + urban", d, cluster="district"), women),
    "mixed_logit": (
        lambda d: mixed_logit("use01 ~ age10 * urban + (1 + age10 | district)", d, n_quad=3), women,
    ),
    "counts": (lambda d: counts("held ~ x + offset(log(months))", d, cov="HC1"), meetings),
    "mixed_counts": (
        lambda d: mixed_counts("held ~ x + offset(log(months)) + (1 | school)", d, n_quad=3),
        meetings,
    ),
    "ordinal": (lambda d: ordinal("rating ~ temp * contact", d), wine),
    "probit": (lambda d: ordinal("rating ~ temp + contact", d, link="probit"), wine),
    "cloglog": (lambda d: ordinal("rating ~ temp + contact", d, link="cloglog"), wine),
    "mixed_ordinal": (lambda d: mixed_ordinal("rating ~ temp + contact + (1 | judge)", d), wine),
}  # fmt: skip


@cache
def model(name: str) -> RegressionResult:
    fit, data = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few groups, overdispersion: not what is tested
        return fit(data())


@cache
def said(name: str, *, with_data: bool) -> Explanation:
    return explanation(model(name), data=MODELS[name][1]() if with_data else None, unit="people")


@pytest.mark.parametrize("with_data", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_called_a_cause_and_nothing_open_is_called_nothing(
    name: str, *, with_data: bool
) -> None:
    sentences = (*said(name, with_data=with_data).sentences, *in_words(model(name)).values())
    for sentence in sentences:
        assert CAUSAL.search(sentence) is None, sentence
        assert NEVER.search(sentence) is None, sentence
        assert sentence.endswith(".")
        assert "  " not in sentence
        assert not re.search(r"nan|None|\bp [<=]|\.\.", sentence), sentence
    text = model(name).explain(unit="people")
    assert text.startswith(model(name).title)
    assert "What this does not say:" in text


def test_scan_finds_causal_words() -> None:
    for words in ("x affects y", "leads to more", "the effect of x", "y increased", "x lowered y"):
        assert CAUSAL.search(words)
    assert CAUSAL.search("goes with 0.2 more y, which lies lower") is None


def test_randomised_designs_may_say_what_the_assigned_column_did() -> None:
    result = ols("normexam ~ sex + standLRT", dataset("exam"))
    found = explanation(result, design="randomised", assigned="sex")
    assert found.findings["sexM"].startswith("Sex M rather than F lowered normexam by 0.17")
    assert CAUSAL.search(found.findings["standLRT"]) is None
    assert any("Only sex was assigned by chance" in sentence for sentence in found.limits)
    assert "lowered" in in_words(result, design="experimental", assigned=["sex"])["sexM"]
    with pytest.raises(OptionError, match="assigned"):
        result.explain(design="randomised")  # which of the two?
    assert "raised" in ols("normexam ~ standLRT", dataset("exam")).explain(design="randomised")
    assert CAUSAL.search(" ".join(explanation(result, design="experimental").sentences)) is None
    with pytest.raises(OptionError, match="observational"):
        result.explain(assigned="sex")
    with pytest.raises(OptionError, match="design"):
        result.explain(design="causal")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="no predictor 'sx'"):
        result.explain(design="randomised", assigned="sx")
    odds = explanation(model("mixed_ordinal"), design="randomised", assigned="temp").findings
    assert "multiplied the odds of a higher category of rating by 21.37" in odds["tempwarm"]
    shift = explanation(model("probit"), design="randomised", assigned="temp").findings
    assert "brought a shift of" in shift["tempwarm"]


def test_quasi_experiments_are_told_that_chance_did_not_decide() -> None:
    limits = explanation(model("ols"), design="quasi-experimental").limits
    assert "Chance did not assign anything here" in limits[0]


def test_units_labels_and_steps() -> None:
    result = mixed("normexam ~ standLRT + sex + (1 | school)", dataset("exam"))
    words = explanation(
        result,
        unit="pupils",
        labels={"standLRT": "intake score", "normexam": "exam result"},
        units={"normexam": "points", "standLRT": "marks"},
        steps={"standLRT": 10},
    )
    row = result.estimates.set_index("term").loc["standLRT"] * 10
    assert words.findings["standLRT"] == (
        f"10 marks more intake score goes with {row['estimate']:.2f} points more exam result, "
        f"comparing pupils that are alike in sex. Anything from {row['ci_low']:.2f} to "
        f"{row['ci_high']:.2f} points more fits these data (95 % interval)."
    )
    assert "What goes with what, in a typical school:" in str(words)
    sd = result.variance_components["sdcor"][0]
    assert any(f"their SD is {sd:.2f} points of exam result" in line for line in words.groups)
    assert (
        explanation(result, units={"standLRT": "marks"})
        .findings["standLRT"]
        .startswith("One unit more standLRT (in marks) goes with")
    )


def test_slopes_of_interactions_are_those_of_each_level() -> None:
    data = dataset("exam")
    result = ols("normexam ~ standLRT * sex", data)
    found = explanation(result).findings
    # With the other level as the reference the coefficient itself is the slope.
    turned = data.assign(sex=data["sex"].map({"M": "a", "F": "b"}))
    other = ols("normexam ~ standLRT * sex", turned).estimates.set_index("term").loc["standLRT"]
    sentence = found["standLRT, where sex is M"]
    assert f"goes with {other['estimate']:.2f} more" in sentence
    assert f"from {other['ci_low']:.2f} to {other['ci_high']:.2f} more" in sentence
    assert "standLRT" not in found
    difference = found["standLRT:sexM"]
    assert "lower" in difference
    assert "so they leave the direction open" in difference


def test_slopes_at_numbers_are_one_standard_deviation_apart() -> None:
    data = dataset("exam")
    result = ols("normexam ~ standLRT * schavg", data)
    found = explanation(result, data=data).findings
    at = data["schavg"].mean() + data["schavg"].std()
    slopes = result.estimates.set_index("term")["estimate"]
    name = next(key for key in found if "1 SD above" in key)
    assert f"schavg is {at:.2f}" in name
    assert (
        f"goes with {slopes['standLRT'] + at * slopes['standLRT:schavg']:.2f} more" in found[name]
    )
    plain = explanation(result).findings
    assert "standLRT, where schavg is 0" in plain  # without rows: where it is zero
    centred = ols("normexam ~ standLRT * center(schavg)", data)
    assert "standLRT, where schavg is at its mean" in explanation(centred).findings
    assert f"schavg is {data['schavg'].mean():.2g} (its mean)" in " ".join(
        explanation(centred, data=data).findings
    )
    binary = data.assign(male=(data["sex"] == "M").astype(int))
    both = explanation(ols("normexam ~ standLRT * male", binary), data=binary).findings
    assert {"standLRT, where male is 0", "standLRT, where male is 1"} <= set(both)


def test_odds_are_probabilities_of_the_typical_case() -> None:
    data = women()
    result = mixed_logit("use01 ~ age10 + urban + (1 | district)", data, n_quad=3)
    mean = data["age10"].mean()
    grid = pd.DataFrame({"age10": [mean, mean], "urban": ["N", "Y"]})
    first, then = result.predict(grid, level="typical")
    sentence = explanation(result, data=data).findings["urbanY"]
    assert f"is {first:.0%} with urban N".replace("%", " %") in sentence
    assert f"and {then:.0%} with Y".replace("%", " %") in sentence
    ratio = result.ratios.set_index("term").loc["urbanY"]
    assert f"goes with {ratio['odds_ratio']:.2f} times the odds of use01" in sentence
    assert f"from {ratio['ci_low']:.2f} to {ratio['ci_high']:.2f} fits" in sentence
    assert "in the same district or in two alike" in sentence
    assert "probability" not in explanation(result).findings["urbanY"]
    spread = explanation(result, data=data).groups[0]
    assert "in nineteen groups of twenty" in spread


def test_counts_are_told_at_the_typical_offset() -> None:
    data, result = meetings(), model("counts")
    typical = {"x": [data["x"].mean(), data["x"].mean() + 1]}
    grid = pd.DataFrame(typical).assign(months=np.exp(np.log(data["months"]).mean()))
    first, then = result.predict(grid)
    sentence = said("counts", with_data=True).findings["x"]
    assert (
        f"the expected count of held is {first:.2f}, and {then:.2f} with one unit more" in sentence
    )


def test_ordered_answers_are_told_as_shares() -> None:
    result = model("ordinal")
    grid = pd.DataFrame({"temp": ["cold", "warm"], "contact": ["yes", "yes"]})
    shares = result.predict(grid)
    sentence = said("ordinal", with_data=False).findings["tempwarm, where contact is yes"]
    assert f"{shares.iloc[0, 1]:.0%}".replace("%", " %") in sentence
    assert f"{shares.iloc[1, 2]:.0%}".replace("%", " %") in sentence
    assert "answer 1, 2, 3, 4 and 5 with temp cold; with warm" in sentence
    tens = wine().assign(rating=(wine()["response"] / 10).round().astype(int))
    many = explanation(ordinal("rating ~ temp", tens)).findings["tempwarm"]
    assert "or above" in many


def test_parts_within_and_between_say_what_they_compare() -> None:
    found = said("mixed", with_data=False).findings
    within = found["within(standLRT, school), where sex is F"]
    assert "This compares people with others of the same school." in within
    assert "by their means, and not single people." in found["between(standLRT, school)"]
    raw = ols("normexam ~ standLRT + between(standLRT, school)", dataset("exam"))
    contextual = explanation(raw).findings["between(standLRT, school)"]
    assert "alike themselves, in groups of school whose means differ" in contextual


def test_sentences_of_every_kind_read_their_scale() -> None:
    logistic = in_words(model("logit"), unit="women")
    ratio = model("logit").ratios.set_index("term").loc["urbanY"]  # type: ignore[attr-defined]
    assert logistic["urbanY"] == (
        f"Urban Y rather than N goes with {ratio['odds_ratio']:.2f} times the odds of use01 (95 % "
        f"interval {ratio['ci_low']:.2f} to {ratio['ci_high']:.2f}), comparing women that are "
        "alike in age10 and age10^2; the interval excludes 1."
    )
    assert "1.3" in in_words(model("counts"))["x"]
    assert "times the expected count of held" in in_words(model("counts"))["x"]
    odds = in_words(model("mixed_ordinal"))
    assert "times the odds of a higher category of rating" in odds["tempwarm"]
    assert "the interval excludes 1" in odds["tempwarm"]
    assert "a shift of" in in_words(model("probit"))["tempwarm"]
    assert "the odds ratio that goes with" in in_words(model("mixed_logit"))["age10:urbanY"]
    cells = in_words(logit("use01 ~ 0 + urban", women()))
    share = women().groupby("urban")["use01"].mean()["Y"]
    assert f"(a probability of {share:.0%})".replace("%", " %") in cells["urbanY"]
    trials = pd.DataFrame({"yes": [3, 5, 9, 7], "no": [5, 4, 2, 6], "x": [1.0, 2, 3, 4]})
    assert "the odds of yes rather than no" in in_words(logit("cbind(yes, no) ~ x", trials))["x"]


def test_small_steps_keep_the_digits_that_tell_a_ratio_from_one() -> None:
    data = women().assign(days=women()["age"] * 365)
    sentence = in_words(logit("use01 ~ days", data))["days"]
    ratio = float(re.search(r"goes with ([\d.]+) times", sentence)[1])  # type: ignore[index]
    assert ratio != 1


def test_singular_fits_are_not_called_alike() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"school": np.repeat(np.arange(30), 6), "x": rng.normal(size=180)})
    data["y"] = data["x"] + rng.normal(size=180)
    data["y"] -= data.groupby("school")["y"].transform("mean")
    with pytest.warns(UserWarning, match="singular"):
        result = mixed("y ~ x + (1 | school)", data)
    text = result.explain()
    assert "No spread between groups of school is seen in these data" in text
    assert "estimated at zero" in text


def test_other_tables_and_mistakes() -> None:
    polars = pytest.importorskip("polars")
    result = model("logit")
    assert result.explain(data=polars.from_pandas(women())) == result.explain(data=women())
    with pytest.raises(UnknownNameError, match="use01"):
        result.explain(data=dataset("contraception"))
    with pytest.raises(DataError, match="no row with a value in every column"):
        result.explain(data=women().assign(age10=np.nan))
