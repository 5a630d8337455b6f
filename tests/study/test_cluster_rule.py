"""A predictor that is constant within a unit needs that unit in the model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from collabsurvey.regression import parse_formula
from collabsurvey.study.cluster_rule import missing_units


def pupils() -> pd.DataFrame:
    """4 partnerships × 3 schools × 3 cohorts × 5 pupils, with conditions of every unit."""
    rows = pd.DataFrame(
        [
            (f"p{p}", f"s{p}{s}", 2020 + c, i)
            for p in range(4)
            for s in range(3)
            for c in range(3)
            for i in range(5)
        ],
        columns=["partnership", "school", "cohort", "pupil"],
    )
    rng = np.random.default_rng(1)
    of_school = dict(zip(rows["school"].unique(), rng.normal(size=12), strict=True))
    of_partnership = dict(zip(rows["partnership"].unique(), rng.normal(size=4), strict=True))
    of_both = {key: rng.normal() for key, _ in rows.groupby(["school", "cohort"])}
    rows["by_school"] = rows["school"].map(of_school)
    rows["by_partnership"] = rows["partnership"].map(of_partnership)
    rows["by_school_cohort"] = [
        of_both[k] for k in zip(rows["school"], rows["cohort"], strict=True)
    ]
    of_all = {key: rng.normal() for key, _ in rows.groupby(["partnership", "cohort"])}
    rows["by_partnership_cohort"] = [
        of_all[k] for k in zip(rows["partnership"], rows["cohort"], strict=True)
    ]
    rows["second"] = np.where(rows["pupil"] == 0, rows["school"].shift(45), None)
    rows["third"] = np.where(rows["pupil"] == 1, rows["school"].shift(30), None)
    rows["own"] = rng.normal(size=len(rows))
    rows["y"] = rng.normal(size=len(rows))
    return rows


@pytest.mark.parametrize(
    ("formula", "cluster", "needed"),
    [
        ("y ~ own", None, []),
        ("y ~ own + C(cohort)", None, []),
        ("y ~ by_school", None, [("by_school", "school")]),
        ("y ~ by_school + (1 | school)", None, []),
        ("y ~ by_school", "school", []),
        ("y ~ by_school", "partnership", []),
        ("y ~ by_school_cohort + (1 | school)", None, [("by_school_cohort", "school:cohort")]),
        ("y ~ by_school_cohort + (1 | school:cohort)", None, []),
        ("y ~ by_school_cohort", "school", []),
        ("y ~ by_partnership + (1 | school)", None, [("by_partnership", "partnership")]),
        ("y ~ by_partnership", "school", [("by_partnership", "partnership")]),
        ("y ~ by_partnership", "partnership", []),
        ("y ~ by_partnership + (1 | partnership/school)", None, []),
        ("y ~ by_partnership + by_school + (1 | partnership) + (1 | school)", None, []),
        ("y ~ by_school + (1 | cohort) + (1 | partnership)", None, [("by_school", "school")]),
        ("y ~ by_school + (1 | mm(school, second))", None, []),
        ("y ~ by_school + (1 | mm(second, third))", None, [("by_school", "school")]),
        ("y ~ between(own, school)", None, [("between(own, school)", "school")]),
        ("y ~ within(own, school) + between(own, school) + (1 | school)", None, []),
        ("y ~ by_school + (0 + own | school)", None, [("by_school", "school")]),
        (
            "y ~ by_partnership_cohort + (1 | school:cohort)",
            None,
            [("by_partnership_cohort", "partnership:cohort")],
        ),
        ("y ~ by_partnership_cohort", "partnership", []),
        (
            "y ~ by_school + by_partnership",
            None,
            [("by_school", "school"), ("by_partnership", "partnership")],
        ),
    ],
)
def test_the_unit_to_add(formula: str, cluster: str | None, needed: list[tuple[str, str]]) -> None:
    assert missing_units(pupils(), parse_formula(formula), cluster=cluster) == needed


def test_one_row_for_each_school_needs_nothing() -> None:
    one = pupils().drop_duplicates("school")
    assert missing_units(one, parse_formula("y ~ by_school"), cluster=None) == []


def test_the_coarser_of_two_units_is_named() -> None:
    one_school_each = pupils().assign(partnership=lambda rows: rows["school"] + "+")
    needed = missing_units(one_school_each, parse_formula("y ~ by_school"), cluster=None)
    assert needed == [("by_school", "partnership")]
    one_school_each["partnership"] += one_school_each["cohort"].astype(str)  # changes every year
    needed = missing_units(one_school_each, parse_formula("y ~ by_school"), cluster=None)
    assert needed == [("by_school", "school")]
