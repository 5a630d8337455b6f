"""Means of few members: published formulas, brute-force jackknife, recovery, mistakes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    FormulaError,
    NotEnoughDataError,
    NotSupportedError,
    UnknownNameError,
)
from collabsurvey.regression import ols
from collabsurvey.regression.aggregated import aggregated_predictor
from support import dataset


def schools_and_staff(
    n_schools: int = 60, size: int | None = 6, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trust differs between schools, goes with intake, and both with the outcome (1 and 1)."""
    rng = np.random.default_rng(seed)
    sizes = np.full(n_schools, size) if size else rng.integers(3, 15, n_schools)
    school = np.repeat(np.arange(n_schools), sizes)
    trust = 0.6 * rng.normal(size=n_schools)
    staff = pd.DataFrame({"school": school, "trust": trust[school] + rng.normal(size=len(school))})
    staff["eligible"] = 20.0
    intake = 0.6 * trust + 0.5 * rng.normal(size=n_schools)
    outcome = trust + intake + 0.5 * rng.normal(size=n_schools)
    schools = pd.DataFrame(
        {"school": np.arange(n_schools).astype(str), "intake": intake, "y": outcome}
    )
    return schools, staff


def oneway(staff: pd.DataFrame) -> tuple[pd.Series, float, float]:
    """Means of schools, and the mean squares between and within, of one size of school."""
    by_school = staff.groupby("school")["trust"]
    size = float(by_school.size().iloc[0])
    return by_school.mean(), size * float(by_school.mean().var()), float(by_school.var().mean())


def row(result: object, term: str) -> pd.Series:
    return result.to_frame().set_index("term").loc[term]  # type: ignore[attr-defined]


def test_one_predictor_is_divided_by_icc2() -> None:
    schools, staff = schools_and_staff()
    result = aggregated_predictor("y ~ between(trust, school)", schools, members=staff)
    mean, msb, msw = oneway(staff)
    icc2 = 1 - msw / msb
    found = row(result, "between(trust, school)")
    assert_allclose(found["naive"] / found["adjusted"], icc2, rtol=1e-9)
    assert_allclose(result.reliability, icc2, rtol=1e-9)
    assert_allclose(result.icc1, (msb - msw) / (msb + 5 * msw), rtol=1e-9)
    slope = np.polyfit(mean, schools["y"], 1)[0]
    assert_allclose(found["naive"], slope, rtol=1e-9)


def test_with_another_predictor_it_is_errors_in_variables() -> None:
    # Fuller (1987), Measurement error models, eq. 2.2.11: the error taken off X'X.
    schools, staff = schools_and_staff()
    mean, _, msw = oneway(staff)
    x = np.column_stack((np.ones(60), mean.to_numpy(), schools["intake"]))
    gram = x.T @ x
    # tau2 is unbiased given the 2 other columns, which the naive gram corrects by G - 2
    gram[1, 1] -= (60 - 2) * msw / 6
    expected = np.linalg.solve(gram, x.T @ schools["y"].to_numpy())
    result = aggregated_predictor("y ~ between(trust, school) + intake", schools, members=staff)
    assert_allclose(result.to_frame()["adjusted"], expected, rtol=1e-9)


@pytest.mark.parametrize("first", ["x", "within(x, school)"])
def test_both_levels_are_the_latent_covariate_model(first: str) -> None:
    # Between: covariance of the means less chance over variance of the means less chance
    # (Lüdtke et al., 2008, eq. 9, with mean squares).
    rng = np.random.default_rng(4)
    school = np.repeat(np.arange(60), 6)
    u = 0.5 * rng.normal(size=60)
    data = pd.DataFrame({"school": school, "x": u[school] + rng.normal(size=360)})
    data["y"] = 0.3 * (data["x"] - u[school]) + 1.5 * u[school] + rng.normal(size=360)
    result = aggregated_predictor(f"y ~ {first} + between(x, school)", data)
    groups = data.groupby("school")
    between = 6 * groups[["x", "y"]].mean().cov()
    apart = data[["x", "y"]] - groups[["x", "y"]].transform("mean")
    within = apart.T @ apart / 300
    expected = (between - within).loc["x", "y"] / (between - within).loc["x", "x"]
    slope = within.loc["x", "y"] / within.loc["x", "x"]
    found = row(result, "between(x, school)")
    contextual = found["adjusted"] if first != "x" else found["adjusted"] + slope
    assert_allclose(contextual, expected, rtol=1e-9)
    assert_allclose(row(result, first)["adjusted"], slope, rtol=1e-9)
    naive = ols(f"y ~ {first} + between(x, school)", data, cluster="school")
    assert_allclose(result.to_frame()["naive"], naive.coefficients, rtol=1e-9, atol=1e-12)
    assert result.affected == (
        ("between(x, school)",) if first == "x" else (first, "between(x, school)")
    )


def test_errors_are_those_of_repeating_it_without_each_school() -> None:
    schools, staff = schools_and_staff(25, None, seed=2)
    formula = "y ~ between(trust, school) + intake"
    result = aggregated_predictor(formula, schools, members=staff)
    replicates = []
    for school in range(25):
        again = aggregated_predictor(
            formula,
            schools[schools["school"] != str(school)],
            members=staff[staff["school"] != school],
        )
        replicates.append(again.to_frame()[["naive", "adjusted"]].to_numpy())
    spread = np.array(replicates)
    expected = np.sqrt(24 / 25 * ((spread - spread.mean(axis=0)) ** 2).sum(axis=0))
    found = result.to_frame()
    assert_allclose(found[["naive_error", "adjusted_error"]], expected, rtol=1e-8)
    groups = result.groups
    order = np.argsort(groups["n_members"], kind="stable")
    assert groups["reliability"].to_numpy()[order].argmax() >= 20  # many members, much known


def test_large_values_and_the_unit_do_not_matter() -> None:
    schools, staff = schools_and_staff()
    formula = "y ~ between(trust, school) + intake"
    one = aggregated_predictor(formula, schools, members=staff)
    moved = staff.assign(trust=1e6 + 10 * staff["trust"])
    other = aggregated_predictor(
        formula, schools.assign(intake=2015 + schools["intake"]), members=moved
    )
    a, b = row(one, "between(trust, school)"), row(other, "between(trust, school)")
    columns = ["naive", "adjusted", "naive_error", "adjusted_error"]
    assert_allclose(10 * b[columns].astype(float), a[columns].astype(float), rtol=1e-6)
    assert_allclose(other.groups["adjusted_mean"], 1e6 + 10 * one.groups["adjusted_mean"])


def test_where_all_answered_nothing_is_adjusted() -> None:
    schools, staff = schools_and_staff()
    formula = "y ~ between(trust, school)"
    all_of_them = staff.assign(eligible=6)
    result = aggregated_predictor(formula, schools, members=all_of_them, n_eligible="eligible")
    found = row(result, "between(trust, school)")
    assert_allclose(found["adjusted"], found["naive"], rtol=1e-9)
    assert_allclose(result.groups["reliability"], 1)
    some = aggregated_predictor(formula, schools, members=staff, n_eligible="eligible")
    none = aggregated_predictor(formula, schools, members=staff)
    at = [row(r, "between(trust, school)")["adjusted"] for r in (result, some, none)]
    assert at[0] < at[1] < at[2]
    with pytest.raises(DataError, match="more members who answered than are eligible"):
        aggregated_predictor(
            formula, schools, members=staff.assign(eligible=5), n_eligible="eligible"
        )


def test_interactions_with_the_mean_are_adjusted_too() -> None:
    schools, staff = schools_and_staff()
    schools["kind"] = np.where(np.arange(60) % 2, "a", "b")
    result = aggregated_predictor("y ~ between(trust, school) * kind", schools, members=staff)
    assert result.affected == ("between(trust, school)", "between(trust, school):kindb")
    with pytest.raises(NotSupportedError, match="by its square"):
        aggregated_predictor(
            "y ~ between(trust, school) + I(between(trust, school)^2)", schools, members=staff
        )


def test_it_shows_itself_with_its_conditions(engine: object) -> None:
    schools, staff = schools_and_staff(40)
    formula = "y ~ between(trust, school) + intake"
    result = aggregated_predictor(formula, engine(schools), members=engine(staff))  # type: ignore[operator]
    text = result.summary()
    assert text.startswith("The mean trust of the school, naive and adjusted for reliability")
    assert "6 members in 40 groups of school" in text
    assert "interchangeable reporters on their school" in text
    assert "not in its place" in text
    assert "40 groups are few for an adjustment" in text
    assert "between(trust, school), adjusted" in result.chart().to_svg()


def test_rows_without_members_are_counted() -> None:
    schools, staff = schools_and_staff()
    staff = staff[staff["school"] > 1].astype({"trust": float})
    staff.iloc[0, 1] = np.nan
    extra = pd.DataFrame({"school": [99], "trust": [0.0], "eligible": [20.0]})
    schools.loc[5, "y"] = np.nan
    result = aggregated_predictor(
        "y ~ between(trust, school)", schools, members=pd.concat([staff, extra])
    )
    assert result.notes[:4] == (
        "1 rows of the outcome lack a value and were left out.",
        "1 members lack a value or a group and were left out.",
        "2 rows are in groups of school without members and were left out.",
        "1 groups of school have members but no row of the outcome.",
    )
    assert len(result.groups) == 57


def test_mistakes_are_named() -> None:
    schools, staff = schools_and_staff()
    formula = "y ~ between(trust, school)"
    for text, sentence in (
        ("y ~ intake", "write it as between"),
        (f"{formula} + (1 | school)", "leave the random terms out"),
        (f"{formula} + between(intake, school)", "and once"),
    ):
        with pytest.raises(FormulaError, match=sentence):
            aggregated_predictor(text, schools, members=staff)
    with pytest.raises(NotSupportedError, match="Make it a column of its own"):
        aggregated_predictor("y ~ between(log(trust), school)", schools, members=staff)
    with pytest.raises(DataError, match="in the data and among the members"):
        aggregated_predictor(formula, schools.assign(trust=1.0), members=staff)
    with pytest.raises(DataError, match="Write both the same way"):
        aggregated_predictor(formula, schools.assign(school="s" + schools["school"]), members=staff)
    with pytest.raises(UnknownNameError, match="no column 'trust'"):
        aggregated_predictor(formula, schools)
    with pytest.raises(DataError, match="has one value within each 'school'"):
        aggregated_predictor("normexam ~ between(schavg, school)", dataset("exam"))
    with pytest.raises(NotEnoughDataError, match="at least 4 groups"):
        aggregated_predictor(formula, schools.head(3), members=staff[staff["school"] < 3])
    chance = staff.assign(trust=np.random.default_rng(1).normal(size=len(staff)))
    with pytest.raises(DataError, match="no more than by chance"):
        aggregated_predictor(formula, schools, members=chance)


@pytest.mark.slow
def test_the_adjusted_interval_covers_and_the_naive_one_does_not() -> None:
    hits = np.zeros(2)
    for seed in range(200):
        schools, staff = schools_and_staff(60, None, seed=100 + seed)
        result = aggregated_predictor("y ~ between(trust, school) + intake", schools, members=staff)
        found = row(result, "between(trust, school)")
        for i, kind in enumerate(("naive", "adjusted")):
            hits[i] += found[f"{kind}_ci_low"] <= 1 <= found[f"{kind}_ci_high"]
    assert hits[1] / 200 >= 0.92  # .95 less two standard errors of 200 trials
    assert hits[0] / 200 < 0.8
