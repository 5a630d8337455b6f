"""Directed pairs by hand, on every engine; reciprocity; meta-accuracy; what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    OptionError,
    UnknownNameError,
    WeightsNotAppliedError,
)
from collabsurvey.instruments import load_instrument
from collabsurvey.partnership import DyadsResult, dyads
from collabsurvey.partnership.dyad_cells import cell_moments, t_limits
from collabsurvey.partnership.dyad_result import rounded_down, rounded_up
from collabsurvey.partnership.reciprocity import (
    connected,
    double_entry_correlation,
    dyad_correlation,
)
from collabsurvey.responses import Responses, from_frame
from collabsurvey.scoring import score

Engine = Callable[[pd.DataFrame], Any]


def small() -> pd.DataFrame:
    """A and B about each other, A about C; a2 cannot say anything about C."""
    rows = [
        ("a1", "A", "B", 4.0, 3.0),
        ("a2", "A", "B", 6.0, 4.0),
        ("b1", "B", "A", 2.0, 6.0),
        ("b2", "B", "A", 2.0, np.nan),
        ("b3", "B", "A", 5.0, 7.0),
        ("a1", "A", "C", 7.0, np.nan),
        ("a2", "A", "C", np.nan, np.nan),
    ]
    return pd.DataFrame(rows, columns=["id", "school", "partner", "trust", "meta"])


def found(data: Any, **options: Any) -> DyadsResult:
    return dyads(data, "school", "partner", "trust", rater="id", **options)


def cohort(seed: int = 3, schools: int = 4, partnerships: int = 2, waves: int = 1) -> pd.DataFrame:
    """Complete round robins, three raters a school who rate every partner."""
    generator = np.random.default_rng(seed)
    rows = [
        (f"P{p}", w, f"P{p}S{s}", f"P{p}S{s}R{r}", f"P{p}S{t}", generator.normal(50, 10))
        for p in range(partnerships)
        for w in range(1, waves + 1)
        for s in range(schools)
        for r in range(3)
        for t in range(schools)
        if s != t
    ]
    return pd.DataFrame(rows, columns=["group", "wave", "school", "id", "partner", "trust"])


def test_directed_pairs_by_hand(engine: Engine) -> None:
    frame = found(engine(small())).to_frame().set_index(["source", "target"])
    assert frame.index.tolist() == [("A", "B"), ("A", "C"), ("B", "A")]
    assert frame["n_raters"].tolist() == [2, 1, 3]
    assert frame["n_missing"].tolist() == [0, 1, 0]
    assert_allclose(frame["mean"], [5, 7, 3])
    assert_allclose(frame["sd"], [2**0.5, np.nan, 3**0.5])
    assert_allclose(frame["se"], [1, np.nan, 1])
    reach = stats.t.ppf(0.975, [1, np.nan, 2])
    mean = np.array([5, 7, 3])
    assert_allclose(frame["ci_low"], mean - reach, rtol=1e-10)
    assert_allclose(frame["ci_high"], mean + reach, rtol=1e-10)
    assert frame["below_min"].all()


def test_pairs_by_hand(engine: Engine) -> None:
    result = found(engine(small()), min_raters=2)
    ab, ac = result.pairs.to_dict("records")
    assert (ab["school_a"], ab["school_b"], ab["n_a_to_b"], ab["n_b_to_a"]) == ("A", "B", 2, 3)
    assert (ab["a_to_b"], ab["b_to_a"], ab["mean"], ab["asymmetry"]) == (5, 3, 4, 2)
    # Variances of the means 2 / 2 and 3 / 3; Satterthwaite 2² / (1² / 1 + 1² / 2).
    assert_allclose([ab["se"], ab["df"]], [2**0.5, 8 / 3])
    reach = stats.t.ppf(0.975, 8 / 3) * 2**0.5
    assert_allclose([ab["ci_low"], ab["ci_high"]], [2 - reach, 2 + reach], rtol=1e-10)
    assert (ab["one_sided"], ab["below_min"]) == (False, False)
    assert (ac["one_sided"], ac["below_min"], ac["n_b_to_a"]) == (True, True, 0)
    assert np.isnan(ac["asymmetry"])
    assert np.isnan(ac["mean"])
    assert "Pairs of which one direction only was answered, so without an asymmetry: 1." in (
        result.notes
    )


def test_welch_is_scipys() -> None:
    frame = cohort()
    result = found(frame).pairs
    for row in result.to_dict("records"):
        x = frame.query("school == @row['school_a'] and partner == @row['school_b']")["trust"]
        y = frame.query("school == @row['school_b'] and partner == @row['school_a']")["trust"]
        interval = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
        assert_allclose([row["ci_low"], row["ci_high"]], interval, rtol=1e-9)


def test_people_are_not_rows() -> None:
    result = found(small())
    assert (result.n_rows, result.n_raters) == (6, 5)
    assert result.notes[0].startswith("6 answers of 5 people, each about one partner.")
    without = dyads(small(), "school", "partner", "trust")
    assert (without.n_rows, without.n_raters) == (6, 6)
    assert any("every row counts as another person" in note for note in without.notes)


def test_the_same_id_in_two_schools_is_two_people() -> None:
    frame = small().assign(id=["1", "2", "1", "2", "3", "1", "2"])
    assert found(frame).n_raters == 5


def test_the_only_rater_there_is_counts_once() -> None:
    frame = small().iloc[[0, 5]]
    assert found(frame).n_raters == 1
    assert found(frame).notes[0].startswith("2 answers of 1 person, each about one partner.")


def test_who_did_not_answer_is_named() -> None:
    result = found(small())
    assert "No answers from C: only what others say about them is known." in result.notes
    assert result.schools == ("A", "B", "C")


def test_matrix(engine: Engine) -> None:
    matrix = found(engine(small())).matrix()
    assert matrix.index.tolist() == matrix.columns.tolist() == ["A", "B", "C"]
    expected = [[np.nan, 5, 7], [3, np.nan, np.nan], [np.nan] * 3]
    assert_allclose(matrix.to_numpy(), expected)
    counts = found(small()).matrix("n_raters")
    assert counts.loc["B", "A"] == 3
    with pytest.raises(OptionError, match="quantity='median'"):
        found(small()).matrix("median")


def test_a_matrix_of_two_waves_needs_a_choice() -> None:
    result = found(cohort(waves=2), partnership="group", wave="wave")
    with pytest.raises(DataError, match=r"several partnerships and waves.*wave= one of 1, 2"):
        result.matrix()
    assert result.matrix(wave=2).shape == (8, 8)
    assert result.matrix(wave=2, partnership="P1").shape == (4, 4)
    with pytest.raises(UnknownNameError, match="no wave"):
        result.matrix(wave=3)
    with pytest.raises(OptionError, match="these data have no wave"):
        found(cohort()).matrix(wave=1)


def test_waves_are_kept_apart() -> None:
    frame = cohort(waves=2)
    both = found(frame, partnership="group", wave="wave")
    first = found(frame.query("wave == 1"), partnership="group")
    assert both.directed.columns[:4].tolist() == ["partnership", "wave", "source", "target"]
    assert both.reciprocity["wave"].tolist() == [1, 2]
    part = both.directed.query("wave == 1").drop(columns="wave").reset_index(drop=True)
    pd.testing.assert_frame_equal(part, first.directed)
    assert_allclose(
        both.reciprocity.iloc[0]["icc_double_entry"], first.reciprocity["icc_double_entry"].iloc[0]
    )


def test_numbers_as_names_stay_numbers() -> None:
    frame = small().replace({"A": 10, "B": 9, "C": 100})
    frame = frame.astype({"school": int, "partner": int})
    result = found(frame)
    assert result.schools == (9, 10, 100)
    assert result.matrix().loc[10, 100] == 7


# Reciprocity.


def test_double_entry_correlation_by_hand() -> None:
    # Deviations from 3: -2 -2, -1 0, 2 3; cross-products 2 · (4 + 0 + 6), squares 22.
    r = double_entry_correlation(np.array([1.0, 2, 5]), np.array([1.0, 3, 6]))
    assert_allclose(r, 20 / 22)


def test_reciprocity_is_the_correlation_of_both_orders() -> None:
    result = found(cohort(), partnership="group")
    pairs, row = result.pairs, result.reciprocity.iloc[0]
    x = [*pairs["a_to_b"], *pairs["b_to_a"]]
    y = [*pairs["b_to_a"], *pairs["a_to_b"]]
    assert row["n_pairs"] == 12
    assert_allclose(row["icc_double_entry"], np.corrcoef(x, y)[0, 1], rtol=1e-10)
    level = pairs.groupby("partnership")["mean"].transform("mean").to_numpy()
    x, y = np.array(x) - np.tile(level, 2), np.array(y) - np.tile(level, 2)
    assert_allclose(row["icc_within_partnerships"], np.corrcoef(x, y)[0, 1], rtol=1e-10)


def test_dyad_correlation_is_the_mutual_one_of_a_round_robin() -> None:
    result = found(cohort(schools=6, partnerships=1))
    components = result.round_robin().to_frame()
    row = result.reciprocity.iloc[0]
    assert_allclose(row["dyad_correlation"], components["mutual_cor"].iloc[0], rtol=1e-9)


def test_dyad_correlation_does_not_see_the_levels_of_schools() -> None:
    generator = np.random.default_rng(2)
    a, b = np.triu_indices(6, 1)
    keep = np.arange(15) != 4  # not complete
    a, b = a[keep], b[keep]
    forth, back = generator.standard_normal((2, 14))
    before = dyad_correlation(forth, back, a, b, conf_level=0.9)
    actor, partner = generator.normal(0, 50, (2, 6))
    shifted = (forth + actor[a] + partner[b], back + actor[b] + partner[a])
    after = dyad_correlation(*shifted, a, b, conf_level=0.9)
    assert_allclose(after.estimate, before.estimate, rtol=1e-9)
    assert (before.df_sums, before.df_differences) == (14 - 6, 14 - 5)
    ratio = before.sums / before.differences
    low, high = (ratio / stats.f.ppf(p, 8, 9) for p in (0.95, 0.05))
    assert_allclose(before.low, (low - 1) / (low + 1), rtol=1e-10)
    assert_allclose(before.high, (high - 1) / (high + 1), rtol=1e-10)


def test_parts_of_a_network_have_no_school_in_common() -> None:
    a, b = np.array([0, 5, 1, 6, 3]), np.array([1, 6, 2, 7, 4])
    parts = connected(a, b)
    assert parts[0] == parts[2]
    assert parts[1] == parts[3]
    assert len(set(parts.tolist())) == 3
    chain = np.arange(200)
    assert len(np.unique(connected(chain[::-1], chain[::-1] + 1))) == 1


def test_parts_add_up() -> None:
    generator = np.random.default_rng(8)
    a, b = np.triu_indices(5, 1)
    forth, back = generator.standard_normal((2, 20))
    whole = dyad_correlation(forth, back, np.r_[a, a + 5], np.r_[b, b + 5], conf_level=0.95)
    one, two = (
        dyad_correlation(forth[part], back[part], a, b, conf_level=0.95)
        for part in (slice(10), slice(10, 20))
    )
    assert_allclose(whole.sums, (one.sums + two.sums) / 2)
    assert whole.df_sums == one.df_sums + two.df_sums


def test_the_interval_of_the_dyad_correlation_covers() -> None:
    generator = np.random.default_rng(7)
    a, b = np.triu_indices(7, 1)
    inside = 0
    for _ in range(400):
        common = generator.standard_normal(21)
        forth, back = 0.6**0.5 * common + 0.4**0.5 * generator.standard_normal((2, 21))
        result = dyad_correlation(forth, back, a, b, conf_level=0.9)
        inside += result.low < 0.6 < result.high
    assert abs(inside / 400 - 0.9) < 0.05  # three standard errors


def test_few_pairs_are_said_to_be_few() -> None:
    assert "Reciprocity needs 3 two-sided pairs; there are 1." in found(small()).notes
    assert any("rests on 12 pairs and is very rough" in note for note in found(cohort()).notes)
    ring = cohort(schools=3, partnerships=1)
    result = found(ring)
    assert np.isnan(result.reciprocity["dyad_correlation"].iloc[0])
    assert any("needs more pairs than schools" in note for note in result.notes)


def test_equal_means_have_no_reciprocity() -> None:
    result = found(cohort().assign(trust=3.3))
    assert np.isnan(result.reciprocity["icc_double_entry"].iloc[0])
    assert "All means are the same, so reciprocity is not defined." in result.notes
    assert (result.directed["sd"] == 0).all()
    # Nobody differs from anybody, so that nothing is known of how people differ.
    assert result.directed[["se", "df", "ci_low", "ci_high"]].isna().all(axis=None)
    assert result.pairs[["ci_low", "ci_high"]].isna().all(axis=None)
    said = "raters all say the same: 24. Raters differ nowhere, so there is no spread"
    assert any(said in note for note in result.notes)


def test_raters_who_all_say_the_same_borrow_the_spread_of_others() -> None:
    """B about A: 2, 2, 2. A about B 4, 6; A about C 7, 7, 10: pooled (2 + 6) / (1 + 2 + 2)."""
    rows = [("A", "B", 4.0), ("A", "B", 6.0), ("A", "C", 7.0), ("A", "C", 7.0), ("A", "C", 10.0)]
    rows += [("B", "A", 2.0)] * 3
    frame = pd.DataFrame(rows, columns=["school", "partner", "trust"]).assign(id=range(8))
    result = found(frame)
    directed = result.directed.set_index(["source", "target"])
    same = directed.loc[("B", "A")]
    assert (same["sd"], same["df"]) == (0, 5)
    se = (8 / 5 / 3) ** 0.5
    reach = stats.t.ppf(0.975, 5) * se
    assert_allclose([same["se"], same["ci_low"], same["ci_high"]], [se, 2 - reach, 2 + reach])
    own = directed.loc[("A", "B")]  # keeps its own spread
    assert_allclose([own["se"], own["df"]], [1, 1])
    pair = result.pairs.iloc[0]
    # Welch: variances of the means 1 (df 1) and 8 / 15 (df 5).
    df = (1 + 8 / 15) ** 2 / (1 + (8 / 15) ** 2 / 5)
    assert_allclose([pair["se"], pair["df"]], [(23 / 15) ** 0.5, df])
    assert any("say the same: 1. That does not show" in note for note in result.notes)
    # Equal scores that differ by rounding are the same too.
    close = frame.assign(trust=frame["trust"] + np.arange(8) * 1e-14)
    assert_allclose(found(close).directed["se"], result.directed["se"], rtol=1e-9)


def test_intervals_of_two_raters_cover() -> None:
    """Five answers, two raters: a quarter of the pairs agree, and zero width would cover 73 %."""
    generator = np.random.default_rng(2)
    p = np.array([0.05, 0.25, 0.4, 0.25, 0.05])  # mean 2
    inside = 0
    for _ in range(200):
        x = generator.choice(5, 48, p=p).astype(float)
        cells = cell_moments(x, np.repeat(np.arange(24), 2), 24)
        low, high = t_limits(cells.mean, cells.se, cells.df, 0.95)
        inside += int(((low <= 2) & (high >= 2)).sum())
    assert 0.95 <= inside / 4800 <= 0.995


# Meta-accuracy.


def test_meta_accuracy_by_hand(engine: Engine) -> None:
    result = found(engine(small()), meta="meta")
    assert result.meta is not None
    frame = result.meta.set_index(["source", "target"])
    # A expects 3.5 of B and gets 3; B expects 6.5 of A and gets 5.
    assert_allclose(frame["expected"], [3.5, np.nan, 6.5])
    assert_allclose(frame["actual"], [3, np.nan, 5])
    assert_allclose(frame["bias"], [0.5, np.nan, 1.5])
    assert frame["n_meta"].tolist() == [2, 0, 2]
    assert result.meta_accuracy is not None
    row = result.meta_accuracy.iloc[0]
    assert (row["n_directed"], row["mean_bias"]) == (2, 1.0)
    assert np.isnan(row["correlation"])
    assert any("Meta-accuracy as a correlation needs 3" in note for note in result.notes)


def test_perfect_meta_accuracy() -> None:
    frame = cohort()
    mean = frame.groupby(["school", "partner"])["trust"].mean()
    frame["meta"] = [
        mean[other, own] - 5 for own, other in zip(frame["school"], frame["partner"], strict=True)
    ]
    result = found(frame, meta="meta")
    assert result.meta_accuracy is not None
    row = result.meta_accuracy.iloc[0]
    assert_allclose([row["correlation"], row["mean_bias"]], [1, -5])
    assert row["n_directed"] == 24


# Properties.


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), shuffle=st.integers(0, 10_000))
def test_order_of_rows_changes_no_digit(seed: int, shuffle: int) -> None:
    frame = cohort(seed, schools=3)
    other = frame.sample(frac=1, random_state=shuffle)
    first, second = (found(data, partnership="group") for data in (frame, other))
    pd.testing.assert_frame_equal(first.directed, second.directed, check_exact=True)
    pd.testing.assert_frame_equal(first.pairs, second.pairs, check_exact=True)
    assert first.notes == second.notes


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_asymmetry_changes_its_sign_when_schools_change_their_names(seed: int) -> None:
    frame = cohort(seed, schools=2, partnerships=1)
    names = {"P0S0": "P0S1", "P0S1": "P0S0"}
    swapped = frame.replace({"school": names, "partner": names})
    one, other = (found(data).pairs.iloc[0] for data in (frame, swapped))
    assert_allclose(one["asymmetry"], -other["asymmetry"])
    assert_allclose(one["ci_low"], -other["ci_high"])
    assert_allclose(one["mean"], other["mean"])


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), shift=st.floats(-1e3, 1e3), unit=st.floats(0.1, 100))
def test_reciprocity_does_not_depend_on_the_unit(seed: int, shift: float, unit: float) -> None:
    frame = cohort(seed, schools=5, partnerships=1)
    before = found(frame).reciprocity
    after = found(frame.assign(trust=frame["trust"] * unit + shift)).reciprocity
    assert_allclose(after, before, rtol=1e-6)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.floats(-1e6, 1e6) | st.just(np.nan)),
        min_size=1,
        max_size=40,
    )
)
def test_cell_moments_are_those_of_each_cell(rows: list[tuple[int, float]]) -> None:
    cell = np.array([c for c, _ in rows])
    values = np.array([x for _, x in rows])
    cells = cell_moments(values, cell, 4)
    for c in range(4):
        x = values[(cell == c) & ~np.isnan(values)]
        assert cells.n[c] == len(x)
        assert np.isnan(cells.mean[c]) if not len(x) else np.isclose(cells.mean[c], x.mean())
        if len(x) > 1:
            assert_allclose(cells.sd[c], x.std(ddof=1), rtol=1e-7, atol=1e-9)


# Scores and roles.


def answers() -> Any:
    frame = cohort().assign(y1=lambda f: f["trust"], y2=lambda f: f["trust"] + 1)
    roles = {
        "respondent": "id",
        "cluster": "school",
        "partner": "partner",
        "partnership": "group",
        "wave": "wave",
    }
    return from_frame(frame.drop(columns="trust"), scales={"trust": ["y1", "y2"]}, roles=roles)


def test_scores_bring_their_roles() -> None:
    result = dyads(score(answers()))
    assert result.value == "trust"
    assert result.keys == ("partnership", "wave")
    by_hand = dyads(cohort(), "school", "partner", "trust", "id", "group", "wave")
    assert_allclose(result.directed["mean"], by_hand.directed["mean"] + 0.5)
    assert_allclose(result.pairs["asymmetry"], by_hand.pairs["asymmetry"], atol=1e-12)
    assert result.n_raters == by_hand.n_raters == 24
    from_answers = dyads(answers(), value="trust")
    pd.testing.assert_frame_equal(from_answers.directed, result.directed)
    item = dyads(answers(), value="y1")
    assert_allclose(item.directed["mean"], by_hand.directed["mean"])


def test_weights_are_refused_by_name() -> None:
    weighted = answers()
    weighted = weighted.replace(roles={**weighted.roles, "weight": "y1"})
    with pytest.raises(WeightsNotAppliedError, match=r"partnership\.dyads"):
        dyads(weighted, value="y2")


def test_results_can_be_shown() -> None:
    result = found(cohort(waves=2), partnership="group", wave="wave", meta="trust")
    assert "what each school says" in result.summary()
    assert "both directions" in result.pairs_table().to_text()
    assert "asymmetry" in result.chart().title
    one = found(cohort(), partnership="group")
    assert "rows answer about columns" in one.chart().title
    assert "<svg" in one.chart().to_svg()
    assert "<svg" in result.chart().to_svg()
    assert "<svg" in found(small().iloc[[0]]).chart().to_svg()


def test_a_picture_is_chosen_by_name() -> None:
    result = found(cohort(), partnership="group")
    assert "rows answer about" in result.plot(of="means").get_title("left")
    assert "asymmetry" in result.plot(of="asymmetry").get_title("left")
    with pytest.raises(OptionError, match=r"ax='asymmetry'.*plot\(of='asymmetry'\)"):
        result.plot("asymmetry")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="of='pairs'"):
        result.plot(of="pairs")  # type: ignore[arg-type]
    waves = found(cohort(waves=2), partnership="group", wave="wave")
    with pytest.raises(DataError, match="several partnerships and waves"):
        waves.plot(of="means")
    lines = result.asymmetry_chart().plot().get_xlabel().split("\n")
    assert max(map(len, lines)) < 75
    plt.close("all")


def test_means_that_cannot_be_negative_have_one_colour() -> None:
    frame = pd.concat([cohort(), cohort().query("school == 'P0S1'").assign(id=list("abcdefghi"))])
    chart = found(frame, partnership="group").chart()
    assert "(framed: fewer than 5 raters)" in chart.title.replace("\n", " ")
    svg = found(cohort(), partnership="group").chart().to_svg()
    assert "−" not in svg
    below = cohort().assign(trust=lambda f: f["trust"] - 50)
    assert "−" in found(below, partnership="group").chart().to_svg()


def test_reciprocity_and_meta_accuracy_are_in_the_summary() -> None:
    result = found(cohort(), partnership="group", meta="trust")
    row = result.reciprocity.iloc[0]
    said = (
        "Reciprocity (.reciprocity): over 12 pairs "
        f"icc_double_entry {row['icc_double_entry']:.2f}, "
        f"icc_within_partnerships {row['icc_within_partnerships']:.2f}, dyad_correlation, levels "
        f"of schools taken out, {row['dyad_correlation']:.2f} (95% interval "
    ).replace("-", "−")
    assert said in result.summary()
    assert result.meta_accuracy is not None
    r = result.meta_accuracy["correlation"].iloc[0]
    said = f"expected and actual means correlate {r:.2f}; expected less actual is 0.00 on average"
    assert said.replace("-", "−") in result.summary().replace("−0.00", "0.00")
    few = found(small()).summary()
    assert "icc_double_entry" not in few


def test_the_number_of_people_the_questionnaire_asks_for_is_said() -> None:
    """Trust is shown from 10 people on; 12 directed pairs have 7 raters and are not marked."""
    frame = cohort(schools=4, partnerships=1)
    frame = pd.concat(
        [frame, frame.assign(id=frame["id"] + "b"), frame.assign(id=frame["id"] + "c")]
    )
    frame = frame[~frame["id"].isin([f"P0S{s}R0{x}" for s in range(4) for x in ("", "b")])]
    trust = load_instrument("trust")
    for item in trust.item_ids:
        frame[item] = np.round(frame["trust"]) if item.startswith("tru.expect") else np.nan
    roles = {"respondent": "id", "cluster": "school", "partner": "partner"}
    data = Responses(frame.drop(columns="trust").reset_index(drop=True), trust, roles)
    result = dyads(data, value="tru.expect")
    assert not result.directed["below_min"].any()
    said = "asks for 10 people before a mean is shown; directed pairs with 5 to 9 raters, which"
    assert any(said in note and "12. min_raters=10" in note for note in result.notes)
    assert not any("asks for" in n for n in dyads(data, value="tru.expect", min_raters=10).notes)


def test_limits_end_where_answers_do() -> None:
    frame = pd.DataFrame(
        {"id": list("abcd"), "school": list("AABB"), "about": list("BBAA")}
    ).assign(x=[5.0, 4.0, 1.0, 2.0])
    trust = load_instrument("trust")
    scale = trust.scale("tru.invest")
    for item in trust.item_ids:
        turned = trust.item(item).keyed == -1
        frame[item] = np.nan
        if item in scale.items:
            frame[item] = 6 - frame["x"] if turned else frame["x"]
    roles = {"respondent": "id", "cluster": "school", "partner": "about"}
    result = dyads(Responses(frame.drop(columns="x"), trust, roles), value="tru.invest")
    # Mean 4.5, standard error .5, t of 1 is 12.7: −1.9 to 10.9, of answers from 1 to 5.
    assert result.directed[["ci_low", "ci_high"]].to_numpy().tolist() == [[1, 5], [1, 5]]
    pair = result.pairs.iloc[0]
    reach = stats.t.ppf(0.975, 2) * 0.5**0.5  # 3 ± 3.04
    assert_allclose([pair["ci_low"], pair["ci_high"]], [3 - reach, 4])
    assert "Limits end where answers do (1 to 5; differences ±4)." in result.notes


# Bad input.


def refused(frame: pd.DataFrame, match: str, **options: Any) -> None:
    with pytest.raises(DataError, match=match):
        found(frame, **options)


def test_an_answer_without_a_partner(engine: Engine) -> None:
    frame = small()
    frame.loc[0, "partner"] = None
    refused(engine(frame), "1 row has an answer and no name in 'partner', so the partner's school")
    frame.loc[0, "partner"] = "  "
    refused(engine(frame), "no name in 'partner'")


def test_a_blank_slot_is_only_counted() -> None:
    frame = small()
    frame.loc[6, "partner"] = None
    result = found(frame)
    assert "Rows without an answer and without a partner, left out: 1." in result.notes


def test_an_answer_without_a_school() -> None:
    frame = small()
    frame.loc[0, "school"] = None
    refused(frame, "no name in 'school', so the rater's school is not known")


def test_a_school_does_not_rate_itself() -> None:
    frame = small()
    frame.loc[0, "partner"] = "A"
    refused(frame, r"the same school in 1 of the rows with an answer \(A\)")


def test_the_same_rater_twice() -> None:
    frame = pd.concat([small(), small().iloc[[0]]])
    refused(frame, r"twice about the same partner: a1 \(A\) about B; name the column of waves")
    waves = frame.assign(wave=1)
    refused(
        waves, r"about the same partner in one wave: a1 \(A\) about B; keep one row", wave="wave"
    )
    result = found(frame.assign(wave=[1] * 7 + [2]), wave="wave")
    assert result.n_rows == 7


def test_names_spelt_in_two_ways() -> None:
    frame = small()
    frame.loc[0, "partner"] = "b "
    refused(frame, "Schools are spelt in more than one way in 'school' and 'partner': 'B' and 'b '")


def test_a_school_under_two_partnerships() -> None:
    """E is in East in its own rows, F and G are in West, and so are their answers about E."""
    rows = [("E", "F", "East"), ("E", "G", "East"), ("F", "E", "West"), ("F", "G", "West")]
    rows += [("G", "E", "West"), ("G", "F", "West")]
    frame = pd.DataFrame(rows, columns=["school", "partner", "group"])
    frame = frame.assign(trust=np.arange(6.0), id=list("abcdef"))
    refused(
        frame,
        "different names in 'group'.*E about F under 'East', F about E under 'West', E about G "
        "under 'East', G about E under 'West'. Write the name",
        partnership="group",
    )
    renamed = frame.assign(wave=[1, 1, 2, 1, 2, 1])  # nothing was answered both ways in a wave
    assert found(renamed, partnership="group", wave="wave").pairs["one_sided"].sum() == 4
    both = pd.concat([frame, frame.assign(group="East", id=list("ghijkl"))])
    found(both.drop_duplicates(["school", "partner", "group"]), partnership="group")


def test_text_is_no_number() -> None:
    frame = small().astype({"trust": object})
    frame.loc[0, "trust"] = "high"
    refused(frame, r"Column 'trust' holds text \('2.0', '4.0'|Column 'trust' holds text")
    frame = small()
    frame.loc[0, "trust"] = np.inf
    refused(frame, "infinite")


def test_all_faults_are_in_one_message() -> None:
    frame = small()
    frame.loc[0, "partner"] = None
    frame.loc[2, "partner"] = "B"
    refused(frame, r"no name in 'partner'.*is not its own partner")


def test_what_is_not_there() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'partner'"):
        dyads(small(), "school", "partners", "trust")
    with pytest.raises(DataError, match="needs target=, the column with the school the answers"):
        dyads(small(), "school", value="trust")
    with pytest.raises(DataError, match="needs value=, the column to average: trust, meta"):
        dyads(small(), "school", "partner")
    with pytest.raises(DataError, match="are both 'school'"):
        dyads(small(), "school", "school", "trust")
    with pytest.raises(NotEnoughDataError, match="rows with a number in 'trust'"):
        found(small().assign(trust=np.nan))
    with pytest.raises(NotEnoughDataError, match="rows with a number"):
        found(small().iloc[:0])
    with pytest.raises(OptionError, match="min_raters"):
        found(small(), min_raters=0)
    with pytest.raises(OptionError, match="conf_level"):
        found(small(), conf_level=95)


def test_rows_without_a_wave_are_counted() -> None:
    frame = small().assign(wave=[1, 1, 1, 1, 1, 1, np.nan])
    assert "Rows without wave, left out: 1." in found(frame, wave="wave").notes


def test_the_full_colour_is_a_short_number() -> None:
    found_limits = [rounded_up(x) for x in (0.0, 1.6565, 57.6, 2.0, 0.0041)]
    assert_allclose(found_limits, [1, 1.7, 58, 2, 0.0041])
    lows = [rounded_down(*x) for x in ((39.15, 86.0), (0.3, 15.0), (2.25, 4.9), (5.0, 5.0))]
    assert_allclose(lows, [39, 0, 2.2, 0])
