"""The ladder as a user meets it: what it says, what it refuses, what must not change it."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

import collabsurvey as cs
from collabsurvey.dimensionality.cfa import cfa
from collabsurvey.dimensionality.sem import difference, estimate
from collabsurvey.dimensionality.sem.nested import Difference
from collabsurvey.errors import (
    CollabSurveyWarning,
    ConvergenceWarning,
    DataError,
    NotEnoughDataError,
    NotSupportedError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.invariance import LadderResult, climb, ladder
from support import REFERENCE, dataset

HS = "visual =~ x1 + x2 + x3 ; textual =~ x4 + x5 + x6 ; speed =~ x7 + x8 + x9"
PEERS = json.loads((REFERENCE / "invariance_peers.json").read_text(encoding="utf-8"))
FOUR = ("configural", "metric", "scalar", "strict")
CONTRACT = [
    "level", "chi2", "df", "p_value", "cfi", "rmsea", "srmr", "delta_chi2", "delta_df", "delta_p",
    "delta_cfi", "delta_rmsea",
]  # fmt: skip


@cache
def pupils() -> LadderResult:
    return ladder(dataset("hs1939"), HS, "school")


def test_the_columns_of_the_contract_come_first() -> None:
    frame = pupils().to_frame()
    assert list(frame.columns[: len(CONTRACT)]) == CONTRACT
    assert frame["level"].tolist() == list(FOUR)
    assert pupils().levels == FOUR


def test_the_reading_names_the_highest_level_and_what_it_allows() -> None:
    result = pupils()
    assert result.highest == "metric"
    assert result.holds == {"configural": True, "metric": True, "scalar": False, "strict": False}
    assert result.to_frame()["step_holds"].tolist() == [True, True, False, True]
    text = result.summary()
    assert "Highest level that holds for school: metric. Correlations and slopes" in text
    assert "CFI falls by no more than .010 and RMSEA rises by no more than .015" in text
    assert "Strict: the difference test rejects it (p = .043), the change in fit is small." in text
    assert "In large samples" not in text  # 301 pupils
    assert "Groups: Pasteur (156), Grant-White (145); the first is the reference." in text


def test_small_samples_have_tighter_cutoffs() -> None:
    data = dataset("hs1939").groupby("school").head(140)
    text = ladder(data, HS, "school").summary()
    assert "CFI falls by no more than .005 and RMSEA rises by no more than .010" in text


def test_the_test_can_decide() -> None:
    data = dataset("hs1939")
    assert ladder(data, HS, "sex", rule="test").highest == "configural"
    assert ladder(data, HS, "school", rule="test").holds["metric"]


def test_fits_are_those_of_cfa() -> None:
    other = cfa(dataset("hs1939"), HS, group="school", equal=("loadings", "intercepts"))
    found = pupils().fits["scalar"]
    pd.testing.assert_frame_equal(found.estimates, other.estimates, rtol=1e-6)
    assert_allclose(found.fit["chi2"], other.fit["chi2"], rtol=1e-10)
    assert pupils().fits["scalar"] is found
    assert list(pupils().fits) == list(FOUR)
    assert len(pupils().fits) == 4
    with pytest.raises(UnknownNameError, match="Did you mean 'scalar'"):
        pupils().fits["scaler"]


def test_rows_and_items_may_come_in_any_order() -> None:
    data = dataset("hs1939")
    shuffled = data.sample(frac=1, random_state=1).sort_values("school", ascending=False)
    turned = HS.replace("x4 + x5 + x6", "x4 + x6 + x5")
    frame = ladder(shuffled, turned, "school").to_frame()
    columns = ["chi2", "cfi", "rmsea", "srmr", "delta_chi2", "delta_p"]
    assert_allclose(frame[columns], pupils().to_frame()[columns], rtol=1e-6, atol=1e-9)


def test_units_of_the_items_do_not_matter() -> None:
    data = dataset("hs1939")
    data["x5"] = 100 * data["x5"] + 7
    frame = ladder(data, HS, "school").to_frame()
    columns = ["chi2", "cfi", "rmsea", "delta_chi2"]
    assert_allclose(frame[columns], pupils().to_frame()[columns], rtol=1e-6, atol=1e-9)


def test_identical_groups_are_invariant() -> None:
    data = dataset("hs1939")
    twice = pd.concat([data.assign(half="a"), data.assign(half="b")])
    result = ladder(twice, HS, "half", levels=[*FOUR, "means"])
    frame = result.to_frame()
    assert_allclose(frame["chi2"], frame["chi2"].iloc[0], rtol=1e-9)
    assert result.highest == "strict"
    assert_allclose(result.latent_means["difference"], 0, atol=1e-6)
    assert "Latent means do not differ significantly" in result.summary()
    assert "Scale scores made of the items may be compared" in result.summary()


def test_levels_come_in_their_order() -> None:
    result = ladder(dataset("hs1939"), HS, "school", levels=["scalar", "configural"])
    assert result.levels == ("configural", "scalar")
    assert result.to_frame()["delta_df"].tolist()[1] == 12


def test_partial_is_said() -> None:
    free = ["x3~1", "x7 ~ 1"]
    result = ladder(dataset("hs1939"), HS, "school", partial=free)
    assert result.partial == ("x3~1", "x7~1")
    assert result.highest == "strict"
    assert "Left free in every group: x3~1, x7~1." in result.summary()
    assert "It holds in part" in result.summary()
    assert result.to_frame()["delta_df"].tolist()[1:] == [6, 4, 9]


def test_partial_that_changes_nothing_is_said() -> None:
    levels = ["configural", "metric"]
    result = ladder(dataset("hs1939"), HS, "school", levels=levels, partial="x3~~x3")
    assert "No level here makes x3~~x3 equal" in result.summary()
    assert "It holds in part" not in result.summary()


def test_partial_of_a_marker_is_refused() -> None:
    with pytest.raises(OptionError, match="sets the unit of its factor"):
        ladder(dataset("hs1939"), HS, "school", partial=["visual=~x1"])


def test_unknown_partial() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'x3~1'"):
        ladder(dataset("hs1939"), HS, "school", partial=["x33~1"])


def test_a_second_order_factor_explains_the_means() -> None:
    text = f"{HS}; g =~ visual + textual + speed"
    result = ladder(dataset("hs1939"), text, "school")
    assert result.to_frame()["delta_df"].tolist()[1:] == [8, 8, 9]
    assert result.latent_means["factor"].tolist() == ["g"]
    assert "Intercepts of first-order factors are 0" in result.summary()


def test_responses_with_roles() -> None:
    data = dataset("hs1939").rename(columns={"school": "role"})
    responses = cs.from_frame(
        data,
        scales={"visual": ["x1", "x2", "x3"], "textual": ["x4", "x5", "x6"]},
        roles={"staff_role": "role"},
    )
    text = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6"
    result = ladder(responses, text, "staff_role")
    assert result.by == "role"
    direct = ladder(responses, responses.instrument, "staff_role")
    assert_allclose(direct.to_frame()["chi2"], result.to_frame()["chi2"], rtol=1e-8)


def test_clusters_make_it_robust() -> None:
    data = dataset("hs1939")
    data["room"] = np.arange(len(data)) % 25
    result = ladder(data, HS, "school", cluster="room")
    assert result.estimator == "MLR"
    assert "Because of the clusters, errors and tests are robust, as with MLR." in result.notes
    assert "CFI (robust)" in result.summary()
    assert result.to_frame()["test"].tolist()[1:] == ["satorra-bentler-2001"] * 3


@pytest.mark.parametrize("estimator", ["MLM", "GLS"])
def test_other_estimators(estimator: Any) -> None:
    frame = ladder(dataset("hs1939"), HS, "school", estimator=estimator).to_frame()
    assert frame["delta_df"].tolist()[1:] == [6, 6, 9]
    assert frame["delta_p"].iloc[1:].between(0, 1).all()


def test_a_negative_factor_falls_back_to_2010(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of MLM, whose expected information does not depend on how the free model is written."""

    def negative(*_: Any) -> Difference:
        return Difference("satorra-bentler-2001", np.nan, 6, np.nan, -0.1)

    monkeypatch.setattr(difference, "satorra_bentler_2001", negative)
    frame = ladder(dataset("hs1939"), HS, "school", estimator="MLM").to_frame()
    assert frame["test"].tolist()[1:] == ["satorra-bentler-2010"] * 3
    assert_allclose(frame["delta_chi2"][1:], PEERS["differences_2010"], rtol=1e-5)


def test_a_level_that_does_not_converge_does_not_stop_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true = estimate.fit

    def failing(model: Any, *arguments: Any, **options: Any) -> Any:
        found = true(model, *arguments, **options)
        return dataclasses.replace(found, converged=model.n_unique != 54)

    monkeypatch.setattr(estimate, "fit", failing)
    with pytest.warns(ConvergenceWarning, match="metric did not converge"):
        result = ladder(dataset("hs1939"), HS, "school")
    frame = result.to_frame().set_index("level")
    assert frame["converged"].tolist() == [True, False, True, True]
    assert np.isnan(frame.loc["metric", ["chi2", "cfi", "delta_chi2"]].astype(float)).all()
    assert np.isnan(frame.loc["scalar", "delta_chi2"])
    assert_allclose(frame.loc["strict", "delta_chi2"], pupils().to_frame()["delta_chi2"][3])
    assert result.highest == "configural"
    assert result.holds["metric"] is None
    assert not result.converged
    assert result.summary().count("DID NOT CONVERGE: metric.") == 1
    assert not result.fits["metric"].converged
    assert "no fit" in result.chart().description


def test_bad_fit_of_the_first_level_is_said() -> None:
    result = ladder(
        dataset("hs1939"), "one =~ x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9", "school"
    )
    assert result.highest is None
    assert "No level can be relied on: the configural model itself does not fit" in result.summary()
    assert "no level holds" in result.summary()


def test_one_group() -> None:
    data = dataset("hs1939").assign(all="a")
    with pytest.raises(DataError, match="'all' needs two groups or more"):
        ladder(data, HS, "all")


def test_many_groups() -> None:
    data = dataset("hs1939").assign(person=range(301))
    with pytest.raises(DataError, match="'person' has 301 values"):
        ladder(data, HS, "person")


def ends(n: int) -> pd.DataFrame:
    data = dataset("hs1939")
    grant = data["school"] == "Grant-White"
    return pd.concat([data[~grant], data[grant].head(n)])


def test_a_group_of_ten() -> None:
    sentence = "Group 'Grant-White' has 10 respondents for 9 items and 30 parameters of its own"
    with pytest.warns(CollabSurveyWarning) as caught:
        result = ladder(ends(10), HS, "school", levels=["metric", "scalar"])
    assert any(sentence in str(one.message) for one in caught)
    assert sentence in result.summary()


@pytest.mark.parametrize("missing", ["listwise", "fiml"])
def test_a_group_smaller_than_the_items(missing: Any) -> None:
    with pytest.raises(DataError, match=r"Grant-White|too few respondents"):
        ladder(ends(8), HS, "school", missing=missing)


def test_a_very_small_group() -> None:
    with pytest.raises(NotEnoughDataError, match="'Grant-White'; there are 3"):
        ladder(ends(3), HS, "school")


def test_an_item_that_does_not_vary_in_a_group() -> None:
    data = dataset("hs1939")
    data.loc[data["school"] == "Pasteur", "x2"] = 3.0
    with pytest.raises(NoVarianceError, match=r"x2 \(in group 'Pasteur'\)"):
        ladder(data, HS, "school")


def test_unknown_names() -> None:
    data = dataset("hs1939")
    with pytest.raises(OptionError, match=r"levels='scaler'.*'configural', 'metric'"):
        ladder(data, HS, "school", levels=["scaler"])
    with pytest.raises(OptionError, match="levels"):
        ladder(data, HS, "school", levels=[])
    with pytest.raises(UnknownNameError, match="Did you mean 'school'"):
        ladder(data, HS, "scool")
    with pytest.raises(UnknownNameError, match="x99"):
        ladder(data, HS.replace("x9", "x99"), "school")
    with pytest.raises(OptionError, match="rule"):
        ladder(data, HS, "school", rule="both")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="model"):
        ladder(data, "", "school")
    with pytest.raises(OptionError, match="by"):
        ladder(data, HS, 3)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="conf_level"):
        ladder(data, HS, "school", conf_level=95)


def test_what_is_not_supported() -> None:
    data = dataset("hs1939")
    with pytest.raises(NotSupportedError, match="ULSMV"):
        ladder(data, HS, "school", estimator="ULS")
    with pytest.raises(NotSupportedError, match="two levels"):
        ladder(data, "level: 1\nf =~ x1 + x2 + x3\nlevel: 2\nf =~ x1 + x2 + x3", "school")


def test_the_picture_says_what_it_shows() -> None:
    chart = pupils().chart()
    assert "metric CFI .921 (−.002), RMSEA .093 (−.004), holds" in chart.description
    assert "scalar CFI .882 (−.038), RMSEA .107 (+.015), does not hold" in chart.description
    axes = pupils().plot(Figure().add_subplot())
    assert [label.get_text() for label in axes.get_yticklabels()] == list(FOUR)


def test_the_table_is_html_too() -> None:
    html = pupils()._repr_html_()
    assert "metric level holds" in html
    assert "Δ CFI" in html


def test_results_are_frozen() -> None:
    frame = pupils().to_frame()
    frame.loc[0, "chi2"] = 0.0
    assert pupils().to_frame().loc[0, "chi2"] > 100
    with pytest.raises(dataclasses.FrozenInstanceError):
        pupils().highest = "strict"  # type: ignore[misc]


def test_levels_start_from_the_one_before() -> None:
    """What makes it quick: few iterations after the first, and one baseline for all."""
    steps = pupils().steps
    assert len({id(step.analysis.baseline) for step in steps}) == 1
    assert isinstance(steps[1], climb.Step)
    assert max(step.analysis.fit.n_iterations for step in steps[1:]) < 10
