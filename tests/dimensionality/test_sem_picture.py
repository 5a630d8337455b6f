"""Pictures of structural equation models: which arrows there are, which groups are compared."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Ellipse

from collabsurvey.dimensionality.cfa import cfa, sem
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.display.heat import written
from collabsurvey.errors import DataError, OptionError, SingularFitWarning
from support import dataset

HS = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"


@cache
def groups() -> SemResult:
    return cfa(dataset("hs1939"), HS, group="school")


def test_the_diagram_has_standardised_estimates() -> None:
    result = cfa(dataset("hs1939"), HS)
    ax = result.plot()
    shown = result.estimates[result.estimates["lhs"] != result.estimates["rhs"]]
    assert len(ax.lines) == len(shown) == 12
    values = [text.get_text() for text in ax.texts if text.get_text()[0] in ".−"]
    assert sorted(values) == sorted(written(x) for x in shown["std_all"])
    # First loadings are fixed, though their standardised values are estimated.
    assert sum(line.is_dashed() for line in ax.lines) == 3


def test_what_is_fixed_at_zero_is_not_drawn() -> None:
    result = cfa(dataset("hs1939"), f"{HS}\nvisual ~~ 0*speed")
    assert len(result.plot().lines) == 11


def test_an_improper_solution_says_so() -> None:
    general = "g =~ " + " + ".join(f"x{i}" for i in range(1, 10))
    with pytest.warns(SingularFitWarning, match="negative variances of x1"):
        result = cfa(dataset("hs1939"), f"{general}\n{HS}", orthogonal=True, std_lv=True)
    assert "negative variances of x1" in result.chart().description
    unread = replace(result, converged=False)
    assert unread.chart().title == "NOT CONVERGED: Model: path diagram"
    assert unread.table().title.startswith("Model: NOT CONVERGED; chi-square(18)")


def test_effects_point_from_cause_to_effect() -> None:
    result = sem(dataset("hs1939"), f"{HS}\nspeed ~ visual + ageyr")
    text = result.chart().description
    assert "visual leads to speed" in text
    assert "ageyr leads to speed" in text


def test_each_group_and_each_level_has_a_panel() -> None:
    ax = groups().plot()
    assert {"Pasteur", "Grant-White"} <= {text.get_text() for text in ax.texts}
    assert sum(isinstance(patch, Ellipse) for patch in ax.patches) == 6
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(60), 10)
    common = rng.normal(size=60)[school, None] * 0.6 + rng.normal(size=(600, 1))
    own = rng.normal(size=(60, 4))[school] * 0.5
    data = pd.DataFrame(common + own + rng.normal(size=(600, 4)), columns=["a", "b", "c", "d"])
    text = "level: 1\nfw =~ a + b + c + d\nlevel: 2\nfb =~ a + b + c + d"
    result = cfa(data.assign(school=school), text, cluster="school")
    titles = {text.get_text() for text in result.plot().texts}
    assert {"Within clusters", "Between clusters"} <= titles


def test_loadings_have_intervals() -> None:
    result = cfa(dataset("hs1939"), HS)
    ax = result.loadings_chart().plot()
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    assert labels[:2] == ["visual → x1", "visual → x2"]
    dots = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    loadings = result.estimates[result.estimates["op"] == "=~"]["std_all"]
    assert dots == pytest.approx(loadings.tolist())


def test_regressions_are_shown_where_there_are_no_loadings() -> None:
    result = sem(dataset("hs1939"), "x1 ~ x2 + x3")
    ax = result.loadings_chart().plot()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["x2 → x1", "x3 → x1"]


def test_long_names_of_items_stand_alone() -> None:
    names = {f"x{i}": f"tru.economise.contracts.0{i}" for i in range(1, 5)}
    data = dataset("hs1939").rename(columns=names)
    text = f"tru.economise =~ {' + '.join(names.values())}"
    ax = cfa(data, text).loadings_chart().plot()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == list(names.values())


@pytest.mark.parametrize("what", ["loadings", "intercepts"])
def test_groups_are_compared_item_by_item(what: str) -> None:
    result = groups()
    ax = result.group_chart(what).plot()  # type: ignore[arg-type]
    assert len(ax.get_yticks()) == 9
    dots = {line.get_label(): line for line in ax.lines if line.get_linestyle() == "None"}
    frame = result.estimates
    if what == "loadings":
        frame, column = frame[frame["op"] == "=~"], "std_all"
    else:
        frame, column = frame[(frame["op"] == "~1") & frame["lhs"].str.startswith("x")], "estimate"
    for number, label in enumerate(result.groups, start=1):
        own = frame[frame["group"] == number][column]
        assert dots[label].get_xdata() == pytest.approx(own.to_numpy())


def test_there_must_be_something_to_compare() -> None:
    with pytest.raises(DataError, match="one group only"):
        cfa(dataset("hs1939"), HS).group_chart()
    with pytest.raises(OptionError, match="what"):
        groups().group_chart("residuals")  # type: ignore[arg-type]
    answers = dataset("bfi").dropna(subset=["gender"])
    ordinal = cfa(answers, "f =~ A1 + A2 + A3 + A4", ordered=True, group="gender")
    with pytest.raises(DataError, match="ordered items have thresholds"):
        ordinal.group_chart("intercepts")
