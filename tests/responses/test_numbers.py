"""Numbers that a spreadsheet wrote as text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabsurvey.errors import AnswersError, OptionError
from collabsurvey.responses import numbers_from_text


def numbers(values: list[Any], **options: Any) -> list[float | None]:
    read, _ = numbers_from_text(pd.Series(values, name="x"), **options)
    return [None if math.isnan(value) else value for value in read]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["94%", "0%", None, "7.5 %"], [94, 0, None, 7.5]),
        (["$31,141.72 ", "$1,000"], [31141.72, 1000]),
        (["£1,000"], [1000]),
        (["1.234,5 €", "7 €"], [1234.5, 7]),
        (["1,000", "2,5"], [1, 2.5]),
        (["1,000", "1,234,567"], [1000, 1234567]),
        (["1.234.567", "2,5"], [1234567, 2.5]),
        (["1 234", "12\u00a0345,5"], [1234, 12345.5]),
        (["1'234.5"], [1234.5]),
        (["0,123"], [0.123]),
        (["-5", "\u22125", "+5"], [-5, -5, 5]),
        (["1e3", "2.5E-2"], [1000, 0.025]),
        ([".5", "5."], [0.5, 5]),
        (["0", "50%"], [0, 50]),
        (["", "  ", "1"], [None, None, 1]),
        ([1, 2.5, np.nan, pd.NA], [1, 2.5, None, None]),
    ],
)
def test_numbers_are_read(values: list[Any], expected: list[float | None]) -> None:
    assert numbers(values) == expected


def test_decimal_mark_may_be_stated() -> None:
    assert numbers(["1,234"], decimal=".") == [1234]
    assert numbers(["1,234"], decimal=",") == [1.234]
    with pytest.raises(OptionError, match="decimal=';'"):
        numbers(["1"], decimal=";")


def test_words_for_missing_are_counted() -> None:
    read, lines = numbers_from_text(
        pd.Series(["s", "S ", "94%", "-9", "-9.0"], name="rate"), missing=["s", -9]
    )
    assert read.isna().tolist() == [True, True, False, True, True]
    assert [(x.step, x.what, x.n, x.column) for x in lines] == [
        ("recode", "percentages read as numbers, 94% as 94", 1, "rate"),
        ("missing", "'-9' set to missing", 1, "rate"),
        ("missing", "'-9.0' set to missing", 1, "rate"),
        ("missing", "'S' set to missing", 1, "rate"),
        ("missing", "'s' set to missing", 1, "rate"),
    ]


def test_missing_codes_of_columns_of_numbers() -> None:
    assert numbers([1.0, -9.0], missing=[-9]) == [1, None]
    assert numbers([1, -9], missing=["-9"]) == [1, None]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["s", "3", "s"], r"'x' has values that are not numbers: 's' \(rows 1, 3\)"),
        (["nan", "inf", "1_0", "12 34", "--1", "."], r"\(rows 1, 2, 3 and 3 more\)"),
        (["1,000", "2"], r"can be read in two ways: '1,000' \(row 1\)"),
        (["1,5", "1.5"], "mixes decimal marks, such as"),
        (["94%", "0.94"], "mixes units, such as '0.94' and '94%'"),
        (["£5", "$5"], "mixes units"),
        (["$5$"], "not numbers"),
        (["1,23,4"], "not numbers"),
        ([True, False], "holds true and false"),
    ],
)
def test_what_is_no_number_is_refused(values: list[Any], sentence: str) -> None:
    with pytest.raises(AnswersError, match=sentence):
        numbers(values)


def test_series_is_not_changed_and_keeps_its_index() -> None:
    series = pd.Series(["1%", None], index=["b", "a"], name="x")
    before = series.copy()
    read, _ = numbers_from_text(series)
    pd.testing.assert_series_equal(series, before)
    assert read.index.tolist() == ["b", "a"]
    assert read.dtype == np.float64


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_written_float_is_read_back(values: list[float]) -> None:
    assert numbers([repr(value) for value in values]) == values


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1), st.sampled_from(["$", "£"]))
def test_money_is_read_back(values: list[int], currency: str) -> None:
    written = [f"{'-' if v < 0 else ''}{currency}{abs(v):,}.00" for v in values]
    assert numbers(written) == values
