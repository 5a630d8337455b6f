"""The model language: what it says, and what is wrong with a text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.model import Model
from collabsurvey.dimensionality.sem.syntax import parse
from collabsurvey.dimensionality.sem.terms import Modifiers
from collabsurvey.errors import CollabSurveyError, FaultsError, UnknownNameError

COLUMNS = ("x1", "x2", "x3", "x4", "x", "y")


def rows(text: str) -> list[tuple[str, str, str]]:
    return [(one.lhs, one.op, one.rhs) for one in parse(text).statements]


def modifiers(text: str) -> Modifiers:
    (one,) = parse(text).statements
    return one.modifiers


@pytest.mark.parametrize(
    "text",
    [
        "f =~ x1 + x2",
        "f =~ x1 +\n x2",
        "f =~ x1\n  + x2",
        "f =~\n\n x1 # the first\n + x2 ! the second",
        "f\n=~ x1 + x2;",
        "; f =~ x1+x2 ;;",
        "f =~ x1; f =~ x2",
        "\tf=~x1\r\nf=~x2\r\n",
    ],
)
def test_lines_go_on_and_end(text: str) -> None:
    assert rows(text) == [("f", "=~", "x1"), ("f", "=~", "x2")]


def test_names_may_hold_dots_digits_and_letters_of_any_language() -> None:
    assert rows("vertrauen.größe =~ tru.expect.01 + _a + .b") == [
        ("vertrauen.größe", "=~", "tru.expect.01"),
        ("vertrauen.größe", "=~", "_a"),
        ("vertrauen.größe", "=~", ".b"),
    ]


def test_every_operator_is_read() -> None:
    assert rows("f + g =~ x1\nx1 + x2 ~ 0*1\ny ~ 1 + x\nx1 ~~ x2\nx3 | t1 + t2\nx3 ~*~ x3") == [
        ("f", "=~", "x1"),
        ("g", "=~", "x1"),
        ("x1", "~1", ""),
        ("x2", "~1", ""),
        ("y", "~1", ""),
        ("y", "~", "x"),
        ("x1", "~~", "x2"),
        ("x3", "|", "t1"),
        ("x3", "|", "t2"),
        ("x3", "~*~", "x3"),
    ]


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("0.5*x", Modifiers(fixed=(0.5,))),
        ("-1e-3*x", Modifiers(fixed=(-0.001,))),
        ("(1/4)*x", Modifiers(fixed=(0.25,))),
        ("a*x", Modifiers(label=("a",))),
        ('"a b"*x', Modifiers(label=("a b",))),
        ("label('a')*x", Modifiers(label=("a",))),
        ("start(0.8)*x", Modifiers(start=(0.8,))),
        ("start(c(1, 2))*x", Modifiers(start=(1.0, 2.0))),
        ("a*start(.5)*x", Modifiers(label=("a",), start=(0.5,))),
        ("a*x + 2*x", Modifiers(label=("a",), fixed=(2.0,))),
        ("x + 2*x", Modifiers(fixed=(2.0,))),
        ('equal("f=~x1")*x', Modifiers(equal=("f=~x1",))),
        ("c(a, b)*x", Modifiers(label=("a", "b"))),
        ('c("a", NA)*x', Modifiers(label=("a", ""))),
        ("c(1, 2)*x", Modifiers(fixed=(1.0, 2.0))),
    ],
)
def test_modifiers_are_read(term: str, expected: Modifiers) -> None:
    assert modifiers(f"f =~ {term}") == expected


def test_na_frees() -> None:
    first, second = modifiers("f =~ c(1, NA)*x").fixed
    assert first == 1 and math.isnan(second)
    assert all(math.isnan(value) for value in modifiers("f =~ NA*x").fixed)


def test_definitions_and_constraints_keep_their_line() -> None:
    syntax = parse("f =~ a*x1 + b*x2\nind := a * b\n\na == 2*b")
    (definition,), (constraint,) = syntax.definitions, syntax.constraints
    assert (definition.lhs, definition.rhs, definition.line) == ("ind", "a*b", 2)
    assert (constraint.lhs, constraint.rhs, constraint.line) == ("a", "2*b", 4)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "line|empty"),
        ("f =~", "nothing stands after =~"),
        ("f =~ x1 + + x2", "a term is missing"),
        ("f <~ x1 + x2", "formative"),
        ("f =~ a*x1\na < 3", "inequality"),
        ("y ~ x1:x2", "interaction 'x1:x2'"),
        ("f =~ x1 + x1", "'x1' stands twice"),
        ("f =~ x1 + x2\nf =~ x2", r"line 2: 'f =~ x2' is written twice \(first on line 1\)"),
        ("x1 ~~ x2; x2 ~~ x1", "written twice"),
        ("f =~ f + x1", "measured by itself"),
        ("y ~ y", "predicted by itself"),
        ('efa("b")*f =~ x1 + x2', "efa"),
        ('f =~ efa("b")*x1', "efa"),
        ('f =~ prior("normal(0,1)")*x1', "prior"),
        ('f =~ rv("r")*x1', "random slopes"),
        ("f =~ lower(0)*x1", "bounds"),
        ("group: 1\nf =~ x1", "'group:' blocks are not supported"),
        ("level: 1\nf =~ x1", "'level: 2' is missing"),
        ("f =~ x1\nlevel: 1\nf =~ x1\nlevel: 2\nf =~ x1", "before the first 'level:'"),
        ("level: 3\nf =~ x1", "level '3' is not supported"),
        ("f =~ x1 x2", "is a \\+ missing"),
        ("f =~ x1 g =~ x2", "a second operator '=~'"),
        ("f =~ x1*0.5", "write 0.5\\*x"),
        ("f =~ 1*2*x1", "two modifiers of the same kind"),
        ("f =~ c(1, a)*x1", "mixes numbers and labels"),
        ("f =~ foo(1)*x1", "'foo\\(\\)' is not a modifier"),
        ("f =~ start(a)*x1", "takes numbers"),
        ("f =~ start(1*x1", "brackets do not match"),
        ("f =~ x1\na := sin(b)", "sin\\(\\) is not among the functions"),
        ("f =~ a*x1\nb := a +", "breaks off"),
        ("f =~ x1\nx1 | tau1", "thresholds are named"),
        ("x1 ~*~ x2", "scale of one item"),
        ("f =~ x1 @ x2", "'@' is not part of the model language"),
        ("f = x1", "'=' is not part"),
        ("hello", "no operator"),
        ("y ~ x1 - x2", "is a \\+ missing"),
        ("f + 2 =~ x1", "names joined by \\+"),
    ],
)
def test_faults_say_what_is_wrong(text: str, sentence: str) -> None:
    with pytest.raises(FaultsError, match=sentence):
        parse(text)


def test_all_faults_are_reported_by_line() -> None:
    with pytest.raises(FaultsError) as caught:
        parse("f =~ x1 x2\nf <~ x3\ng =~ x4 + x4\ny ~ x1:x2")
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "line 1",
        "line 2",
        "line 3",
        "line 4",
    ]


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        (
            "f =~ x1 + x2 + xx3",
            UnknownNameError,
            "Line 1 .* has no column 'xx3'. Did you mean 'x3'",
        ),
        ("x1 =~ x2 + x3", FaultsError, "factor 'x1' has the name of a column"),
        ("f =~ x1 + x2 + x3\nind := a*b", UnknownNameError, "has no label 'a'"),
        ("f =~ x1 + a*x2\na := 2", FaultsError, "'a' is already a label"),
        ("f =~ c(1,2,3)*x1", FaultsError, "3 values are given for 'f =~ x1'"),
        ('f =~ equal("f=~x9")*x1 + x2', UnknownNameError, "no parameter 'f=~x9'"),
        ('f =~ equal("f=~x2")*x1 + a*x1 + x2', FaultsError, "one is enough"),
        ("f =~ x1 + x2\nf | t1", FaultsError, "latent and cannot have thresholds"),
        ("y ~ x\nx | t1", FaultsError, "only predicts"),
        ("f =~ x1 + x2\nx1 | t1\nx1 ~~ NA*x1", FaultsError, "parameterization='theta'"),
    ],
)
def test_faults_of_a_model(text: str, error: type[CollabSurveyError], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        build(text, columns=COLUMNS)


def test_options_are_checked() -> None:
    text = "f =~ x1 + x2 + x3"
    with pytest.raises(CollabSurveyError, match="equal='loading' is not possible"):
        build(text, groups=("a", "b"), equal=("loading",))
    with pytest.raises(UnknownNameError, match="no parameter 'x9~1'"):
        build(text, groups=("a", "b"), equal=("intercepts",), partial=("x9~1",))
    with pytest.raises(CollabSurveyError, match="same value"):
        build(text, ordered={"x1": 1})
    with pytest.raises(FaultsError, match="last threshold is t2, not t5"):
        build(text + "\nx1 | t5", ordered={"x1": 3})
    with pytest.raises(CollabSurveyError, match="two-level model of ordinal"):
        build(f"level: 1\n{text}\nlevel: 2\n{text}", ordered={"x1": 3})


@given(st.text(alphabet='fx12 =~+*|:()\n;#,.<a"c', max_size=40))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        model = build(text)
    except CollabSurveyError as error:
        assert str(error)
    else:
        assert isinstance(model, Model)
