"""What a user can get wrong, through both ols() and mixed(), and the sentence that says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    CollabSurveyError,
    DataError,
    FormulaError,
    NotEnoughDataError,
    NoVarianceError,
    UnknownNameError,
)
from collabsurvey.regression import mixed, ols


def schools(n_schools: int = 20, size: int = 10) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    school = np.repeat(np.arange(n_schools), size)
    n = len(school)
    data = pd.DataFrame({"number": school, "school": school.astype(str)})
    data["x"] = rng.normal(size=n)
    data["climate"] = rng.normal(size=n_schools)[school]  # one value a school, with many digits
    data["y"] = data["x"] + rng.normal(size=n_schools)[school] + rng.normal(size=n)
    return data.assign(
        same=1.5,
        one="a",
        row=np.arange(n).astype(str),
        twice=3 - 2 * data["x"],
        no_id=None,
        zero=0.0,
        some_zero=np.where(np.arange(n) < 5, 0.0, 1.0),
        negative=np.where(np.arange(n) < 5, -1.0, 1.0),
    )


def fit(how: str, formula: str, group: str = "school", **options: Any) -> Any:
    data = options.pop("data", schools())
    if how == "ols":
        return ols(formula, data, cluster=group, **options)
    return mixed(f"{formula} + (1 | {group})", data, **options)


BOTH: list[tuple[str, dict[str, Any], type[CollabSurveyError], str]] = [
    (
        "y ~ within(climate, school)",
        {},
        DataError,
        r"climate has one value within each school, so that within\(climate, school\) is 0",
    ),
    ("y ~ within(climate, school) + between(climate, school)", {}, DataError, "is 0 in every row"),
    ("y ~ x * within(climate, school)", {}, DataError, "is 0 in every row"),
    ("y ~ climate + between(climate, school)", {}, DataError, "follows exactly from the terms"),
    ("y ~ C(school) + climate", {}, DataError, "'climate' follows exactly from the terms before"),
    ("y ~ x + twice", {}, DataError, "'twice' follows exactly from the terms before it"),
    ("y ~ x", {"group": "no_id"}, DataError, "'no_id' is missing in 200 of 200 rows"),
    ("y ~ x", {"group": "shcool"}, UnknownNameError, "Did you mean 'school'"),
    ("y ~ x", {"group": "one"}, NotEnoughDataError, "'one'; there are 1"),
    ("same ~ x", {}, NoVarianceError, "the outcome 'same' has the same value in every row"),
    ("y ~ x", {"weights": "negative"}, DataError, "Some weights in 'negative' are negative"),
    ("y ~ x", {"weights": "zero"}, DataError, "no row with a weight above 0: 'zero' is 0 in 200"),
    ("y ~ x", {"data": schools().head(0)}, DataError, "is given a table without rows"),
    ("y ~ __import__('os').system('ls')", {}, FormulaError, r"__import__\(\) is not a function"),
    ("y ~ exec(x)", {}, FormulaError, r"exec\(\) is not a function of the language"),
    ("y ~ x; import os", {}, FormulaError, "';' cannot stand here"),
    ("y ~ np.log(x)", {}, FormulaError, r"np.log\(\) is not a function"),
    ("y ~ I(lambda: x)", {}, FormulaError, "expected where"),
    ("y ~ {x}", {}, FormulaError, "'{' cannot stand here"),
]


@pytest.mark.parametrize("how", ["ols", "mixed"])
@pytest.mark.parametrize(("formula", "options", "error", "sentence"), BOTH)
def test_both_say_what_is_wrong(
    how: str, formula: str, options: dict[str, Any], error: type[CollabSurveyError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        fit(how, formula, **dict(options))


@pytest.mark.parametrize("how", ["ols", "mixed"])
def test_a_part_within_groups_is_kept_where_a_single_group_varies(how: str) -> None:
    data = schools()
    data.loc[3, "climate"] += 1
    result = fit(how, "y ~ within(climate, school) + between(climate, school)", data=data)
    assert "within(climate, school)" in result.terms


def test_means_of_constants_are_exact() -> None:
    data = schools()
    result = ols("y ~ between(climate, school)", data, cluster="school")
    direct = ols("y ~ climate", data, cluster="school")
    assert_allclose(result.coefficients, direct.coefficients, rtol=1e-14)


def test_singletons_and_weights_of_zero() -> None:
    with pytest.raises(NotEnoughDataError, match="at least 201 rows; there are 200"):
        fit("mixed", "y ~ x", "row")
    with pytest.raises(DataError, match="are 0 in 5 rows, which would have an infinite residual"):
        fit("mixed", "y ~ x", weights="some_zero")
    result = fit("ols", "y ~ x", weights="some_zero")
    assert "5 of 200 rows were left out because of a weight of 0 in some_zero" in result.notes[0]


@pytest.mark.parametrize("how", ["ols", "mixed"])
def test_keys_of_different_types_are_the_same_school(how: str) -> None:
    data = schools()
    mixed_types = [str(v) if i % 2 else v for i, v in enumerate(data["number"])]
    one = fit(how, "y ~ x", "number", data=data)
    for keys in (data["school"], pd.Series(mixed_types, dtype=object)):
        other = fit(how, "y ~ x", "key", data=data.assign(key=keys))
        assert_allclose(other.covariance, one.covariance, rtol=1e-6)
    parted = ols("y ~ within(x, number) + between(x, number)", data, cluster="number")
    assert_allclose(parted.predict(data.assign(number=data["school"])), parted.predict(data))
