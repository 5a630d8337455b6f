"""Levels of ordered items: semTools' models, and the rules for few categories."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.invariance import LadderResult, ladder
from support import REFERENCE, dataset

STORED = json.loads((REFERENCE / "invariance_peers.json").read_text(encoding="utf-8"))
ITEMS = ("N1", "N2", "N3", "N4", "N5")
NEURO = "neuro =~ N1 + N2 + N3 + N4 + N5"
CUTS: dict[str, list[list[float]]] = {
    "three": [[2.5, 4.5]] * 5,
    "two": [[3]] * 5,
    "mixed": [[3], [3], [2.5, 4.5], [2, 3, 4, 5], [2, 3, 4, 5, 6]],
}
LEVELS = ("configural", "thresholds", "loadings", "intercepts", "residuals")


def answers(case: str) -> pd.DataFrame:
    data = dataset("bfi")[[*ITEMS, "gender"]].dropna()
    for item, cuts in zip(ITEMS, CUTS[case], strict=True):
        data[item] = np.digitize(data[item], cuts)
    return data


@cache
def climbed(case: str) -> LadderResult:
    return ladder(answers(case), NEURO, "gender", ordered=True)


# Of binary items semTools keeps residual variances at 1 at the level "loadings", see below.
SAME = [
    (case, level) for case in CUTS for level in LEVELS if case == "three" or level != "loadings"
]


@pytest.mark.parametrize(("case", "level"), SAME)
def test_models_of_few_categories(case: str, level: str) -> None:
    expected, fit = STORED[case]["fit"][level], climbed(case).fits[level].fit
    assert fit["df"] == expected["df"]
    assert_allclose(fit["chi2"], expected["chisq"], rtol=1e-6)
    assert_allclose(fit["chi2_scaled"], expected["chisq.scaled"], rtol=1e-5)


@pytest.mark.parametrize("case", list(CUTS))
def test_latent_means_of_few_categories(case: str) -> None:
    found = climbed(case).latent_means.iloc[0]
    expected = STORED[case]["means"]
    assert found["level"] == "intercepts"
    assert_allclose(found["difference"], expected["est"], rtol=1e-4)
    assert_allclose(found["std_error"], expected["se"], rtol=1e-4)


def test_equal_thresholds_of_three_categories_restrict_nothing() -> None:
    result = climbed("three")
    frame = result.to_frame().set_index("level")
    assert frame.loc["thresholds", "delta_df"] == 0
    assert frame["equivalent"].tolist() == [False, True, False, False, False]
    assert np.isnan(frame.loc["thresholds", "delta_p"])
    assert_allclose(frame.loc["thresholds", "chi2"], frame.loc["configural", "chi2"], rtol=1e-6)
    assert frame.loc["thresholds", "step_holds"]
    assert "equal thresholds restrict nothing" in result.summary()
    assert "Thresholds: no restriction is added" in result.summary()


def test_binary_items_are_tested_once_for_thresholds_loadings_and_intercepts() -> None:
    result = climbed("two")
    frame = result.to_frame().set_index("level")
    assert frame["equivalent"].tolist() == [False, True, True, False, False]
    # 5 thresholds and 5 loadings less 5 residual variances, a mean and a variance
    assert frame.loc["intercepts", "delta_df"] == 5 + 5 - 5 - 1 - 1
    assert frame.loc["residuals", "delta_df"] == 5
    assert "they are tested together with the intercepts" in result.summary()


def test_levels_of_mixed_items_are_nested() -> None:
    """semTools' loadings level has 19 df, its next one 21; ours 17 and 21."""
    frame = climbed("mixed").to_frame().set_index("level")
    # thresholds: 2 + 3 of the last two items; loadings: five less a variance and two residuals
    assert frame["delta_df"].tolist()[1:] == [5, 2, 4, 5]
    assert (np.diff(frame["chi2"]) > -1e-6).all()
    estimates = climbed("mixed").fits["loadings"].estimates
    loadings = estimates[estimates["op"] == "=~"]["estimate"].to_numpy()
    assert_allclose(loadings[:5], loadings[5:])


def free_in(result: LadderResult, level: str, group: int = 2) -> set[str]:
    rows = result.fits[level].estimates
    rows = rows[(rows["group"] == group) & (rows["std_error"] > 0) & (rows["op"] != "~*~")]
    return {f"{a}{op}{b}" for a, op, b in zip(rows["lhs"], rows["op"], rows["rhs"], strict=True)}


def shared(result: LadderResult, level: str) -> set[str]:
    rows = result.fits[level].estimates
    keys = ["lhs", "op", "rhs"]
    wide = rows.pivot_table(index=keys, columns="group", values="estimate")
    same = wide[(wide[1] - wide[2]).abs() < 1e-12].index
    free = free_in(result, level)
    return {f"{a}{op}{b}" for a, op, b in same if f"{a}{op}{b}" in free}


@cache
def partial(*names: str) -> LadderResult:
    return ladder(dataset("bfi"), NEURO, "gender", ordered=True, partial=list(names))


def test_released_parameters() -> None:
    result = partial("N1|t3", "neuro=~N2", "N3~1", "N4~~N4")
    df = result.to_frame()["delta_df"].tolist()
    assert df[1:] == [15 - 1, 4 - 1, 4 - 1, 5 - 1]
    assert "N1|t3" not in shared(result, "residuals")
    assert "N1|t2" in shared(result, "residuals")
    assert "neuro=~N2" not in shared(result, "residuals")
    assert "N3~1" in free_in(result, "residuals")
    assert free_in(result, "residuals") >= {"N4~~N4", "neuro~1", "neuro~~neuro"}
    assert "N1~~N1" not in free_in(result, "residuals")
    assert result.partial == ("N1|t3", "N3~1", "N4~~N4", "neuro=~N2")


def test_an_item_without_equal_thresholds_cannot_show_more() -> None:
    """All thresholds of N1 differ: it has no intercept of its own, its scale is its loading's."""
    names = [f"N1|t{k}" for k in range(1, 6)]
    result = partial(*names)
    assert result.to_frame()["delta_df"].tolist()[1:] == [12, 3, 3, 5]
    assert "N1~1" not in free_in(result, "thresholds")
    assert "N1~~N1" not in free_in(result, "thresholds")
    assert "N1~~N1" in free_in(result, "loadings")


def test_equal_latent_means() -> None:
    levels = ["intercepts", "residuals", "means"]
    result = ladder(dataset("bfi"), NEURO, "gender", ordered=True, levels=levels)
    assert result.to_frame()["delta_df"].tolist()[1:] == [5, 1]
    assert "neuro~1" not in free_in(result, "means")
    assert "Latent means differ between groups (p < .001)" in result.summary()


def test_several_factors_and_a_second_order_one() -> None:
    text = "a =~ a1 + a2 + a3; b =~ b1 + b2 + b3; c =~ c1 + c2 + c3; g =~ a + b + c"
    rng = np.random.default_rng(8)
    n, columns = 1500, {"group": np.repeat([1, 2], 750)}
    general = rng.normal(size=n) + 0.4 * (columns["group"] == 2)
    for name in "abc":
        factor = 0.8 * general + 0.6 * rng.normal(size=n)
        for j in range(1, 4):
            answer = 0.8 * factor + 0.6 * rng.normal(size=n)
            columns[f"{name}{j}"] = np.digitize(answer, [-1, 0, 0.8])
    data = pd.DataFrame(columns)
    result = ladder(data, text, "group", ordered=True, levels=["loadings", "intercepts"])
    # 9 intercepts; the mean of the second-order factor explains those of the others
    assert result.to_frame()["delta_df"].tolist()[1] == 9 - 1
    means = result.latent_means
    assert means["factor"].tolist() == ["g"]
    assert means["d_pooled_ci_low"][0] < 0.4 < means["d_pooled_ci_high"][0]


def test_an_empty_category_is_joined_and_said() -> None:
    data = dataset("bfi")
    data.loc[(data["gender"] == 1) & (data["N1"] == 6), "N1"] = np.nan
    result = ladder(data, NEURO, "gender", ordered=True, levels=["configural", "thresholds"])
    assert "N1: a category nobody chose in one of the groups was joined" in result.summary()
    assert result.to_frame()["delta_df"].tolist()[1] == 15 - 1


def test_the_parameterisation_is_said() -> None:
    assert any("Theta parameterisation" in note for note in climbed("three").notes)


def test_the_test_decides_for_ordered_items() -> None:
    result = climbed("three")
    assert result.rule == "test"
    assert any("with WLSMV they miss differences" in note for note in result.notes)
    frame = result.to_frame()
    assert frame["rmsea_t"].isna().all()


def test_names_of_continuous_levels_are_refused() -> None:
    with pytest.raises(Exception, match=r"levels='metric'.*'thresholds'"):
        ladder(dataset("bfi"), NEURO, "gender", ordered=True, levels=["metric"])


def options() -> list[dict[str, Any]]:
    return [{"estimator": "ULSMV"}, {"estimator": "WLSM"}, {"missing": "pairwise"}]


@pytest.mark.parametrize("option", options(), ids=str)
def test_other_estimators(option: dict[str, Any]) -> None:
    result = ladder(dataset("bfi").iloc[:900], NEURO, "gender", ordered=True, **option)
    frame = result.to_frame()
    assert frame["delta_df"].tolist()[1:] == [15, 4, 4, 5]
    assert frame["delta_p"].iloc[1:].between(0, 1).all()
