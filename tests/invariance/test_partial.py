"""The search for partial invariance against lavaan, and on answers whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotEnoughItemsError,
    NotSupportedError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.invariance import ladder
from collabsurvey.invariance.measured import measured
from collabsurvey.invariance.partial import partial
from collabsurvey.invariance.partial_result import PartialResult
from collabsurvey.invariance.releases import ReleaseTest, adjusted, candidates, score_tests
from support import REFERENCE, dataset, gold

STORED = json.loads((REFERENCE / "partial_invariance.json").read_text(encoding="utf-8"))
MODEL = "visual =~ x1 + x2 + x3\n textual =~ x4 + x5 + x6\n speed =~ x7 + x8 + x9"
ITEMS = 6
ONE = "f =~ " + " + ".join(f"i{j}" for j in range(ITEMS))
# lavaan stops its optimiser at a gradient of 1e-6 or so, which its score tests inherit.
SCORE_RTOL = 1e-4


@pytest.fixture(scope="module")
def hs() -> pd.DataFrame:
    return dataset("hs1939")


@pytest.fixture(scope="module")
def found(hs: pd.DataFrame) -> PartialResult:
    return partial(hs, MODEL, "school")


def answers(
    seed: int, *, n: int = 400, groups: int = 2, intercept: float = 0.0, loading: float = 0.0
) -> pd.DataFrame:
    """Six items; in the later groups i4 has another intercept and i2 another loading."""
    rng = np.random.default_rng(seed)
    parts = []
    for g in range(groups):
        factor = 0.3 * g + (1 + 0.1 * g) * rng.standard_normal(n)
        loadings, shift = np.full(ITEMS, 0.8), np.zeros(ITEMS)
        if g:
            shift[4] += intercept
            loadings[2] += loading
        x = shift + factor[:, None] * loadings + 0.6 * rng.standard_normal((n, ITEMS))
        part = pd.DataFrame(x, columns=[f"i{j}" for j in range(ITEMS)])
        parts.append(part.assign(group=f"g{g}"))
    return pd.concat(parts, ignore_index=True)


def ordered(data: pd.DataFrame, cuts: tuple[float, ...] = (-1.2, -0.3, 0.5, 1.4)) -> pd.DataFrame:
    out = data.copy()
    for j in range(ITEMS):
        out[f"i{j}"] = np.digitize(out[f"i{j}"], cuts) + 1
    return out


# Score tests.


def test_first_step_is_lavaans_score_tests(found: PartialResult) -> None:
    first = found.trace[(found.trace["level"] == "scalar") & (found.trace["step"] == 1)]
    expected = [STORED["score"][name] for name in first["parameter"]]
    assert len(first) == 9
    assert_allclose(first["statistic"], expected, rtol=SCORE_RTOL)


def test_second_step_is_that_of_the_partial_model(found: PartialResult) -> None:
    second = found.trace[(found.trace["level"] == "scalar") & (found.trace["step"] == 2)]
    expected = [STORED["score_released"][name] for name in second["parameter"]]
    assert len(second) == 8
    assert_allclose(second["statistic"], expected, rtol=SCORE_RTOL)


def test_four_groups_are_tested_together(hs: pd.DataFrame) -> None:
    found = measured(
        hs.assign(cell=hs["school"] + hs["sex"].astype(str)),
        MODEL,
        "cell",
        estimator="ML",
        missing="listwise",
        ordered=(),
        cluster=None,
        method="A test",
    )
    level = found.levels[2]
    tests = score_tests(found.fit(level, ()), candidates(found, level, ()))
    by_name = {one.candidate.label: one for one in tests}
    for name in ("x3~1", "x7~1"):
        stored = STORED["score_four"][name]
        assert by_name[name].df == stored["df"]
        assert_allclose(by_name[name].statistic, stored["X2"], rtol=SCORE_RTOL)


def test_robust_estimators_have_the_ordinary_score_tests(hs: pd.DataFrame) -> None:
    found = partial(hs, MODEL, "school", estimator="MLR")
    first = found.trace[(found.trace["level"] == "scalar") & (found.trace["step"] == 1)]
    expected = [STORED["score_mlr"][name] for name in first["parameter"]]
    assert_allclose(first["statistic"], expected, rtol=SCORE_RTOL)
    assert any("ordinary ones, not corrected as MLR" in note for note in found.notes)


@pytest.mark.parametrize("estimator", ["ML", "MLR"])
def test_wald_is_lavaans(hs: pd.DataFrame, estimator: str) -> None:
    found = partial(hs, MODEL, "school", rule="wald", estimator=estimator)  # type: ignore[arg-type]
    first = found.trace[(found.trace["level"] == "scalar") & (found.trace["step"] == 1)]
    wald = first.set_index("parameter").loc["x3~1", "statistic"]
    assert_allclose(wald, STORED["wald"][estimator], rtol=1e-4)


def test_difference_is_that_of_the_chi_squares(hs: pd.DataFrame) -> None:
    trace = partial(hs, MODEL, "school", rule="difference").trace
    gone = trace[trace["decision"] == "released"]
    assert_allclose(gone["statistic"], gone["chi2_before"] - gone["chi2_after"], rtol=1e-9)


def test_robust_difference_is_lavaans(hs: pd.DataFrame) -> None:
    trace = partial(hs, MODEL, "school", rule="difference", estimator="MLR").trace
    first = trace[(trace["level"] == "scalar") & (trace["step"] == 1)].set_index("parameter")
    assert_allclose(first.loc["x3~1", "statistic"], STORED["difference_mlr"], rtol=1e-4)


def test_three_rules_agree_in_large_samples() -> None:
    data = answers(3, n=4000, intercept=0.15)
    found = {
        rule: partial(data, ONE, "group", rule=rule) for rule in ("score", "wald", "difference")
    }
    assert {one.released for one in found.values()} == {("i4~1",)}
    first = [one.trace[one.trace["decision"] == "released"]["statistic"].iloc[0]
             for one in found.values()]  # fmt: skip
    assert_allclose(first, first[0], rtol=0.05)


# The search.


def test_released_model_is_lavaans(found: PartialResult) -> None:
    stored = gold("06_invariance")["invariance_partial_hs_school"]["values"]
    assert found.released == ("x3~1", "x7~1")
    last = found.models.iloc[-1]
    assert_allclose(last["chi2"], stored["fit"]["chisq"], rtol=1e-7)
    assert_allclose(last[["cfi", "rmsea"]].astype(float),
                    [stored["fit"]["cfi"], stored["fit"]["rmsea"]], atol=1e-7)  # fmt: skip
    assert last["df"] == stored["fit"]["df"]
    assert_allclose(last["delta_p"], stored["lrt"][1]["Pr(>Chisq)"], rtol=1e-5)


def test_released_parameters_serve_the_ladder(hs: pd.DataFrame, found: PartialResult) -> None:
    frame = ladder(hs, MODEL, "school", partial=found.released).to_frame().set_index("level")
    assert_allclose(frame.loc["scalar", "chi2"], found.models.iloc[-1]["chi2"], rtol=1e-9)


@pytest.mark.parametrize("rule", ["score", "wald", "difference"])
def test_finds_what_differs(rule: str) -> None:
    data = answers(11, n=600, intercept=0.6, loading=-0.35)
    found = partial(data, ONE, "group", rule=rule)  # type: ignore[arg-type]
    assert set(found.released) == {"f=~i2", "i2~1", "i4~1"}
    assert found.items == ("i2", "i4")
    assert found.same == {"f": ("i0", "i1", "i3", "i5")}
    assert found.holds


def test_first_item_can_be_released() -> None:
    data = answers(5, n=600, loading=-0.4).rename(columns={"i2": "i0", "i0": "i2"})
    found = partial(data, ONE, "group")
    assert found.released[0] == "f=~i0"
    assert any("write an item that is the same first" in note for note in found.notes)


def test_nothing_is_released_where_nothing_differs() -> None:
    found = partial(answers(2), ONE, "group", level="strict")
    assert found.released == () and found.holds
    assert "nothing released" in found.summary()
    assert found.trace.empty
    assert found.chart().to_svg()


def test_false_releases_are_as_rare_as_promised() -> None:
    """With no difference and alpha .05, at most about 5 % of samples a level see a release."""
    wrong = [bool(partial(answers(seed, n=200), ONE, "group").released) for seed in range(40)]
    assert np.mean(wrong) <= 0.2


def test_intercept_follows_its_loading_unless_told_otherwise() -> None:
    data = answers(11, n=600, loading=-0.5)
    assert partial(data, ONE, "group").released[:2] == ("f=~i2", "i2~1")
    assert "i2~1" not in partial(data, ONE, "group", whole_item=False).released


def test_two_items_stay_the_same() -> None:
    rng = np.random.default_rng(4)
    data = answers(4, n=500)[["i0", "i1", "i2", "group"]]
    late = data["group"] == "g1"
    data.loc[late, "i0"] += 0.8
    data.loc[late, "i1"] -= 0.8
    data["i0"] += 0.01 * rng.standard_normal(len(data))
    found = partial(data, "f =~ i0 + i1 + i2\n", "group")
    assert len(found.same["f"]) == 2
    assert not found.holds
    assert (found.trace["decision"] == "held").any()
    assert any("fewer than 2 items that are the same" in note for note in found.notes)
    assert "does not hold" in found.summary()


def test_most_limits_the_releases(hs: pd.DataFrame) -> None:
    found = partial(hs, MODEL, "school", most=1)
    assert found.released == ("x3~1",)
    assert not found.holds
    assert any("most=1" in note for note in found.notes)


def test_group_order_and_item_order_do_not_matter(found: PartialResult, hs: pd.DataFrame) -> None:
    turned = "speed =~ x9 + x7 + x8\n visual =~ x3 + x2 + x1\n textual =~ x6 + x5 + x4"
    other = partial(hs.iloc[::-1], turned, "school")
    assert other.released == found.released
    assert_allclose(other.models["chi2"], found.models["chi2"], rtol=1e-8)


def test_weight_of_a_fixed_first_loading_is_kept(hs: pd.DataFrame) -> None:
    found = partial(hs, "v =~ 1*x1 + x2 + x3 + x4", "school")
    assert "v=~x1" not in set(found.trace["parameter"])


def test_holm_and_bonferroni() -> None:
    tests = [ReleaseTest(None, 0.0, 1, p, 0.0) for p in (0.01, 0.04, np.nan, 0.03)]  # type: ignore[arg-type]
    assert_allclose(adjusted(tests, "holm"), [0.03, 0.06, np.nan, 0.06])
    assert_allclose(adjusted(tests, "bonferroni"), [0.03, 0.12, np.nan, 0.09])
    assert_allclose(adjusted(tests, "none"), [0.01, 0.04, np.nan, 0.03])


# Ordered items.


@pytest.mark.parametrize("rule", ["score", "difference"])
def test_ordered_intercept(rule: str) -> None:
    data = ordered(answers(6, n=800, intercept=0.5))
    found = partial(data, ONE, "group", ordered=True, rule=rule)  # type: ignore[arg-type]
    assert found.level == "intercepts"
    assert found.released == ("i4~1",)


def test_ordered_thresholds_are_released_as_a_whole() -> None:
    data = answers(9, n=1500)
    early, late = data["group"] == "g0", data["group"] == "g1"
    coded = pd.concat([ordered(data[early]), ordered(data[late])])
    odd = np.digitize(data.loc[late, "i4"], (-0.2, 0.0, 0.2, 1.8)) + 1
    coded.loc[late, "i4"] = odd
    found = partial(coded, ONE, "group", ordered=True, level="scalar")
    assert set(found.released) == {f"i4|t{k}" for k in range(1, 5)} | {"f=~i4", "i4~1"}
    first = found.trace[found.trace["decision"] == "released"].iloc[0]
    # Four thresholds, of which intercept and scale of the response can follow two.
    assert (first["parameter"], first["df"]) == ("i4|thresholds", 2)


def test_items_of_three_categories_leave_thresholds_untested() -> None:
    data = ordered(answers(6, n=800, intercept=0.5), cuts=(-0.7, 0.7))
    found = partial(data, ONE, "group", ordered=True)
    assert "thresholds" not in set(found.trace["level"])
    assert any("restricts nothing" in note for note in found.notes)
    assert found.released == ("i4~1",)


# What is shown.


def test_table_and_chart(found: PartialResult) -> None:
    text = found.summary()
    assert "x3~1, x7~1" in text
    assert "no longer worse than metric" in text
    chart = found.chart()
    assert "x3~1 released" in chart.description and chart.to_svg()
    assert found.to_frame().equals(found.trace)
    assert found.final.converged


# Bad input.


def test_refuses_what_it_cannot_do(hs: pd.DataFrame) -> None:
    with pytest.raises(OptionError, match=r"level='scalr' is not possible.*'scalar'"):
        partial(hs, MODEL, "school", level="scalr")
    with pytest.raises(OptionError, match="alpha"):
        partial(hs, MODEL, "school", alpha=5)
    with pytest.raises(OptionError, match="rule"):
        partial(hs, MODEL, "school", rule="lrt")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="correction"):
        partial(hs, MODEL, "school", correction="fdr")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="most"):
        partial(hs, MODEL, "school", most=0)
    with pytest.raises(NotSupportedError, match="second-order"):
        partial(hs, f"{MODEL}\n g =~ visual + textual + speed", "school")
    with pytest.raises(NotSupportedError, match="Wald test of thresholds"):
        partial(ordered(answers(1)), ONE, "group", ordered=True, rule="wald")


def test_names_what_is_wrong_with_the_data(hs: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="every row has the same value"):
        partial(hs.assign(one=1), MODEL, "one")
    with pytest.raises(UnknownNameError, match="Did you mean 'school'"):
        partial(hs, MODEL, "schol")
    with pytest.raises(NotEnoughDataError, match="there are 6"):
        partial(hs.groupby("school").head(6), MODEL, "school")
    with pytest.raises(NotEnoughItemsError, match="scale 'v'"):
        partial(hs, "v =~ x1\n t =~ x4 + x5 + x6", "school")
