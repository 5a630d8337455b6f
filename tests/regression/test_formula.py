"""The formula language: what it reads, what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import CollabSurveyError, FormulaError
from collabsurvey.regression import ols, parse_formula
from collabsurvey.regression.terms import term_label

RNG = np.random.default_rng(0)
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=48),
        "x": RNG.uniform(1, 2, 48),
        "my col": RNG.normal(size=48),
        "a.b": RNG.normal(size=48),
        "f": list("abc") * 16,
        "g": ["p"] * 24 + ["q"] * 24,
        "year": [2015.0, 2016.0, 2017.0, 2018.0] * 12,
    }
)


def test_names_what_a_formula_uses() -> None:
    read = parse_formula("log(y) ~ x*C(year) + within(x, g) + `my col` + (1 + x | g/f) + offset(w)")
    assert read.outcome_columns == ("y",)
    assert read.predictor_columns == ("x", "year", "g", "my col", "w")
    assert read.grouping_columns == ("g", "f")
    assert read.columns == ("y", "x", "year", "g", "my col", "w", "f")
    assert [part.group_label for part in read.random] == ["g", "f:g"]
    assert all(part.correlated and part.intercept for part in read.random)


@pytest.mark.parametrize(
    ("right", "terms"),  # as model.matrix of R 4.2 names and codes them
    [
        ("x", ["(Intercept)", "x"]),
        ("f", ["(Intercept)", "fb", "fc"]),
        ("0 + f", ["fa", "fb", "fc"]),
        ("f - 1", ["fa", "fb", "fc"]),
        ("0 + f + g", ["fa", "fb", "fc", "gq"]),
        ("f * g", ["(Intercept)", "fb", "fc", "gq", "fb:gq", "fc:gq"]),
        ("x + f:x", ["(Intercept)", "x", "x:fb", "x:fc"]),
        ("f + f:x", ["(Intercept)", "fb", "fc", "fa:x", "fb:x", "fc:x"]),
        ("0 + f:g", ["fa:gp", "fb:gp", "fc:gp", "fa:gq", "fb:gq", "fc:gq"]),
        ("g + f:g", ["(Intercept)", "gq", "gp:fb", "gq:fb", "gp:fc", "gq:fc"]),
        ("(x + f + g)^2 - x:f", ["(Intercept)", "x", "fb", "fc", "gq", "x:gq", "fb:gq", "fc:gq"]),
        ("C(year)", ["(Intercept)", "C(year)2016", "C(year)2017", "C(year)2018"]),
        ("factor(year)", ["(Intercept)", *[f"factor(year){y}" for y in (2016, 2017, 2018)]]),
        ("I(x^2/2) + log(x + 1)", ["(Intercept)", "I(x^2/2)", "log(x + 1)"]),
        ("`my col` + a.b", ["(Intercept)", "`my col`", "a.b"]),
        ("x + x + x:x", ["(Intercept)", "x"]),
        ("1", ["(Intercept)"]),
        ("center(x):g + g", ["(Intercept)", "gq", "center(x):gp", "center(x):gq"]),
    ],
)
def test_terms_are_coded_and_named_as_in_r(right: str, terms: list[str]) -> None:
    assert list(ols(f"y ~ {right}", DATA).terms) == terms


def test_functions_compute_what_they_say() -> None:
    means = DATA.groupby("g")["x"].transform("mean")
    made = DATA.assign(w=DATA["x"] - means, b=means, c=DATA["x"] - DATA["x"].mean())
    a = ols("y ~ within(x, g) + between(x, g)", DATA)
    b = ols("y ~ w + b", made)
    assert_allclose(a.coefficients, b.coefficients, rtol=1e-9)
    assert_allclose(
        ols("y ~ center(x)", DATA).coefficients, ols("y ~ c", made).coefficients, rtol=1e-9
    )
    squared = ols("y ~ I(-(x - 1)^2 * 3 / 2)", DATA)
    direct = ols("y ~ q", DATA.assign(q=-((DATA["x"] - 1) ** 2) * 3 / 2))
    assert_allclose(squared.coefficients, direct.coefficients, rtol=1e-9)
    # the same means serve other rows
    head = DATA.head(7)
    assert_allclose(a.predict(head), b.predict(made.head(7)), rtol=1e-9)


def test_categorical_order_sets_the_reference() -> None:
    ordered = DATA.assign(f=pd.Categorical(DATA["f"], categories=["c", "a", "unused", "b"]))
    assert ols("y ~ f", ordered).terms == ("(Intercept)", "fa", "fb")


@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        ("y ~ __import__('os').system('x')", r"__import__\(\) is not a function of the language"),
        ("y ~ x.mean()", r"x.mean\(\) is not a function"),
        ("y ~ exp(x)", r"exp\(\) is not a function of the language.*log\(\)"),
        ("y ~ x[0]", r"'\[' cannot stand here"),
        ("y ~ x; y", "';' cannot stand here"),
        ("y ~ 'text'", "cannot stand here"),
        ("y ~ lambda: 3", "cannot stand here"),
        ("y ~ x ** 2", r"'\*\*' cannot stand here"),
        ("y ~ x^z", r"I\(x\^2\)"),
        ("y ~ x / z", r"I\(a/b\) to divide"),
        ("y ~ 2", "the number 2 is no predictor"),
        ("y x", "one ~ must stand"),
        ("y ~ x ~ z", "one ~ must stand"),
        (" ~ x", "the outcome is missing"),
        ("y ~ ", "the predictors are missing"),
        ("y + z ~ x", r"write I\(a \+ b\)"),
        ("C(y) ~ x", r"C\(\) cannot be an outcome"),
        ("y ~ 1 | school", r"stands in parentheses: \(1 \| school\)"),
        ("y ~ x:(1 | school)", "stands on its own"),
        ("y ~ (0 | school)", "needs an intercept or a slope"),
        ("y ~ (1 | f(x))", "right of the bar stands a column"),
        ("y ~ I(x", "is expected where the end stands"),
        ("y ~ within(x)", r"within\(\) takes 2 arguments"),
        ("y ~ within(x, x + 1)", "name of the group's column second"),
        ("y ~ C(x + 1)", "takes the name of a column"),
        ("y ~ I(C(x) + 1)", r"C\(\) cannot be calculated with"),
        ("y ~ cbind(x, z)", "is an outcome"),
        ("y ~ x - (1 | g)", "cannot be taken away"),
        ("y ~ (1 | mm(a))", "two or more different columns"),
        ("y ~ (1 | mm(a, a))", "two or more different columns"),
        ("y ~ (1 | mm(a, b, weights=(w)))", "2 columns of groups and 1 of weights"),
    ],
)
def test_anything_else_is_refused(formula: str, sentence: str) -> None:
    with pytest.raises(FormulaError, match=sentence):
        parse_formula(formula)


def test_random_terms_are_read() -> None:
    (part,) = parse_formula("y ~ x + (0 + x || a:b)").random
    assert (part.intercept, part.correlated, part.group) == (False, False, ("a", "b"))
    (part,) = parse_formula("y ~ (1 | mm(s1, s2, weights=(w1, w2)))").random
    assert part.multiple_membership
    assert part.group == ("s1", "s2")
    assert part.membership_weights == ("w1", "w2")
    assert part.group_label == "mm(s1, s2)"
    formula = parse_formula("y ~ (x | mm(s1, s2, weights=(w1, w2)))")
    assert formula.grouping_columns == ("s1", "s2")
    assert formula.random_columns == ("x", "s1", "s2", "w1", "w2")
    assert parse_formula("cbind(a, b) ~ x + (1 | factor(g))").grouping_columns == ("g",)


@given(st.text(alphabet="xyfg01 ~+-*:^|()`.,'[]/=C", max_size=30))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        read = parse_formula(text)
    except CollabSurveyError as error:
        assert "A formula is made of" in str(error)
    else:
        assert read.outcome_columns


@pytest.mark.parametrize("formula", ["y ~ a * b - b:a", "y ~ (a + b)^2 - b:a"])
def test_a_term_is_taken_away_in_any_order(formula: str) -> None:
    assert [term_label(term) for term in parse_formula(formula).terms] == ["a", "b"]


def test_a_formula_nested_without_end_is_refused() -> None:
    with pytest.raises(FormulaError, match="nested too deeply"):
        parse_formula("y ~ " + "(" * 3000 + "x" + ")" * 3000)
