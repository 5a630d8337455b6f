"""Arithmetic of labels: values, derivatives, linear forms, constraints."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.constraints import constraint_matrix, defined
from collabsurvey.dimensionality.sem.expression import (
    differentiate,
    evaluate,
    linear,
    names_of,
    parse_expression,
)
from collabsurvey.errors import DataError, FaultsError, UnknownNameError

AT = {"a": 0.7, "b": 1.3, "c": -0.4}
EXPRESSIONS = {
    "a*b + c": 0.7 * 1.3 - 0.4,
    "-a^2": -(0.7**2),
    "2^3^2": 512.0,
    "2**-1": 0.5,
    "a - b - c": 0.7 - 1.3 + 0.4,
    "a/b/2": 0.7 / 1.3 / 2,
    "sqrt(a)*exp(c)/log(b)": math.sqrt(0.7) * math.exp(-0.4) / math.log(1.3),
    "abs(c) + abs(a)": 1.1,
    "(a + b)^c": 2.0**-0.4,
    "c^2 * -(a - +b)": 0.16 * 0.6,
    "1.5e1": 15.0,
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_value_and_derivative(text: str) -> None:
    assert evaluate(text, AT) == pytest.approx(EXPRESSIONS[text], rel=1e-14)
    value, slopes = differentiate(text, AT)
    assert value == pytest.approx(EXPRESSIONS[text], rel=1e-14)
    assert set(slopes) == set(names_of(parse_expression(text)))
    for name, slope in slopes.items():  # against the complex step
        moved = evaluate(text, {**AT, name: AT[name] + 1e-30j})
        assert slope == pytest.approx(moved.imag / 1e-30, rel=1e-12)


@given(
    st.recursive(
        st.sampled_from(["a", "b", "c", "2", "0.5"]),
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        max_leaves=8,
    )
)
def test_arithmetic_agrees_with_python(text: str) -> None:
    assert evaluate(text, AT) == pytest.approx(eval(text, {}, dict(AT)), rel=1e-12, abs=1e-12)


def test_linear_forms() -> None:
    found = linear(parse_expression("2*(a - b/4) - (1 - a) + log(1)"), {})
    assert found.constant == -1 and found.coefficients == {"a": 3.0, "b": -0.5}


@pytest.mark.parametrize("text", ["log(a - a - 1)", "1/(a - a)", "sqrt(c)"])
def test_what_cannot_be_computed_is_said(text: str) -> None:
    with pytest.raises(DataError, match="cannot be computed"):
        evaluate(text, AT)


def test_faults_of_expressions() -> None:
    with pytest.raises(FaultsError, match="bracket is not closed"):
        parse_expression("(a + b")
    with pytest.raises(FaultsError, match="not expected"):
        parse_expression("a b")


FOUR = "f =~ x1 + a*x2 + b*x3 + c*x4\n"


def test_constraints_hold_for_every_x() -> None:
    model = build(FOUR + "c == 2*a - 0.5\nb - a == 0")
    assert model.n_unique == model.n_free - 2
    random = np.random.default_rng(1)
    theta = model.theta(random.normal(size=model.n_unique))
    label = {one.label: theta[i] for one, i in zip(model.parameters, model.place, strict=True)}
    np.testing.assert_allclose(label["c"], 2 * label["a"] - 0.5)
    np.testing.assert_allclose(label["b"], label["a"])


def test_shared_labels_give_zeros_and_ones() -> None:
    model = build("f =~ x1 + a*x2 + a*x3 + x4", groups=("u", "v"), equal=("loadings", "intercepts"))
    assert not model.offset.any()
    assert set(np.unique(model.reduce)) == {0.0, 1.0}
    assert (model.reduce.sum(axis=1) == 1).all()
    assert "f=~x2 == f=~x3" in model.constraints and "x1~1 == x1~1.g2" in model.constraints


def test_constraint_matrix_is_orthogonal_to_what_is_free() -> None:
    text = FOUR + "y ~ a*f\nd := a + b\nd == 2\nc == b"
    model = build(text)
    matrix = constraint_matrix(model)
    assert matrix.shape == (len(model.constraints), model.n_free)
    assert model.constraints == ("d == 2", "c == b", "f=~x2 == y~f")
    np.testing.assert_allclose(matrix @ model.reduce, 0, atol=1e-12)
    assert np.linalg.matrix_rank(matrix) == model.n_free - model.n_unique
    np.testing.assert_allclose(matrix @ model.offset, [2, 0, 0])


def test_a_constraint_can_fix_a_parameter() -> None:
    model = build(FOUR + "a == 1\nb == a\na == b")
    theta = model.theta(np.full(model.n_unique, 7.0))
    by_label = {one.label: theta[i] for one, i in zip(model.parameters, model.place, strict=True)}
    assert by_label["a"] == by_label["b"] == 1 and by_label["c"] == 7


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("a == b^2", "line 2: 'a == b\\^2' is not linear in the labels"),
        ("p := a*b; p == 1", "'p == 1' is not linear"),
        ("a == 1; a == 2", "'a == 2' contradicts"),
    ],
)
def test_constraints_that_cannot_be(line: str, sentence: str) -> None:
    with pytest.raises(FaultsError, match=sentence):
        build(FOUR + line)
    with pytest.raises(UnknownNameError, match="no label 'q'"):
        build(FOUR + "a == q")


def test_definitions_and_their_derivatives() -> None:
    model = build(FOUR + "y ~ d*f + e*x1\nind := a*d\ntotal := ind + e\nratio := ind / total")
    theta = np.random.default_rng(2).uniform(0.5, 1, model.n_free)
    values, slopes = defined(model, theta)
    place = {one.label: i for one, i in zip(model.parameters, model.place, strict=True)}
    a, d, e = (theta[place[name]] for name in "ade")
    np.testing.assert_allclose(values, [a * d, a * d + e, a * d / (a * d + e)])
    for i in range(model.n_free):
        step = np.zeros(model.n_free)
        step[i] = 1e-6
        moved = (defined(model, theta + step)[0] - defined(model, theta - step)[0]) / 2e-6
        np.testing.assert_allclose(slopes[:, i], moved, atol=1e-9)


def test_no_definitions() -> None:
    values, slopes = defined(build(FOUR), np.zeros(8))
    assert values.shape == (0,) and slopes.shape == (0, 8)
