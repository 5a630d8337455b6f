"""The resource grid by hand; two accounts of one need; the shipped instrument; bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from collabsurvey.errors import DataError, OptionError, UnknownNameError
from collabsurvey.instruments import load_instrument
from collabsurvey.partnership import DependenceResult, dependence
from collabsurvey.responses import Responses
from collabsurvey.scoring import score

Engine = Callable[[pd.DataFrame], Any]
OURS = {"money": "om", "authority": "oa"}
THEIRS = {"money": "tm", "authority": "ta"}


def small() -> pd.DataFrame:
    """Two schools; a2 does not say how much authority B needs."""
    rows = [
        ("a1", "A", "B", 1.0, 3.0, 2.0, 2.0),
        ("a2", "A", "B", 0.0, 4.0, 4.0, np.nan),
        ("b1", "B", "A", 3.0, 1.0, 1.0, 2.0),
        ("b2", "B", "A", 1.0, 2.0, 0.0, 4.0),
    ]
    return pd.DataFrame(rows, columns=["id", "school", "partner", "om", "tm", "oa", "ta"])


def found(data: Any, **options: Any) -> DependenceResult:
    return dependence(data, OURS, THEIRS, source="school", target="partner", rater="id", **options)


def test_the_grid_by_hand(engine: Engine) -> None:
    result = found(engine(small()))
    assert result.resources == ("money", "authority", "all resources")
    grid = result.to_frame().set_index(["source", "resource"])
    money = grid.loc[("A", "money")]
    # Each person's asymmetry first: 3 - 1 and 4 - 0.
    assert (money["we_need_them"], money["they_need_us"], money["asymmetry"]) == (0.5, 3.5, 3.0)
    assert (money["joint"], money["n_raters"]) == (2.0, 2)
    assert_allclose(money["sd"], 2**0.5)
    reach = stats.t.ppf(0.975, 1)
    assert_allclose([money["ci_low"], money["ci_high"]], [3 - reach, 3 + reach], rtol=1e-10)
    authority = grid.loc[("A", "authority")]
    # a1 alone answered both: 2 - 2; a2 counts in the one mean that can be had.
    assert (authority["we_need_them"], authority["they_need_us"]) == (3.0, 2.0)
    assert (authority["asymmetry"], authority["n_raters"], authority["n_ours"]) == (0.0, 1, 2)
    both = grid.loc[("B", "all resources")]
    # b1: (1 + 2) / 2 - (3 + 1) / 2; b2: (2 + 4) / 2 - (1 + 0) / 2.
    assert (both["we_need_them"], both["they_need_us"], both["asymmetry"]) == (1.25, 2.25, 1.0)
    assert grid.loc[("A", "all resources"), "n_raters"] == 1
    assert any("in 2 rows the asymmetry is not" in note for note in result.notes)
    assert result.notes[0].startswith("4 answers, each about one partner.")


def test_joint_as_a_sum() -> None:
    mean, total = found(small()), found(small(), joint="sum")
    assert_allclose(total.grid["joint"], 2 * mean.grid["joint"])


def test_two_accounts_of_one_need(engine: Engine) -> None:
    accounts = found(engine(small())).accounts.set_index(["source", "resource"])
    row = accounts.loc[("A", "money")]
    # A says B needs A's money: 3 and 4. B says it needs A's money: 3 and 1.
    assert (row["source_says"], row["target_says"], row["difference"]) == (3.5, 2.0, 1.5)
    assert (row["n_source"], row["n_target"], row["one_sided"]) == (2, 2, False)
    interval = stats.ttest_ind([3, 4], [3, 1], equal_var=False).confidence_interval(0.95)
    assert_allclose([row["ci_low"], row["ci_high"]], interval, rtol=1e-9)


def test_agreement_of_the_accounts() -> None:
    result = found(small())
    agreement = result.agreement.set_index("resource")
    # Differences of the accounts of money: 3.5 - 2 (A's) and 1.5 - 0.5 (B's).
    assert agreement.loc["money", "n_directed"] == 2
    assert_allclose(agreement.loc["money", "mean_difference"], 1.25)
    assert np.isnan(agreement.loc["money", "correlation"])


def test_one_account_only() -> None:
    result = found(small().iloc[:2])
    assert result.accounts["one_sided"].all()
    assert "Needs of which one side only gives an account: 3." in result.notes
    assert any("No answers from B" in note for note in result.notes)


def test_matrix_of_one_resource() -> None:
    result = found(small())
    matrix = result.matrix(resource="money")
    assert matrix.loc["A", "B"] == 3
    assert_allclose(result.matrix("we_need_them").loc["B", "A"], 1.25)
    with pytest.raises(UnknownNameError, match="no resource 'knowledge'"):
        result.matrix(resource="knowledge")
    with pytest.raises(OptionError, match="quantity"):
        result.matrix("mean")


def grid_answers() -> Responses:
    """Three schools about each other on the shipped grid, with some answers left out."""
    instrument = load_instrument("resource_dependence")
    generator = np.random.default_rng(5)
    schools = ["A", "B", "C"]
    rows = [(s, f"{s}{i}", t) for s in schools for i in range(6) for t in schools if s != t]
    frame = pd.DataFrame(rows, columns=["school", "id", "about"])
    for item in instrument.item_ids:
        frame[item] = generator.integers(0, 5, len(frame)).astype(float)
    frame.iloc[0, 3] = np.nan
    roles = {"respondent": "id", "cluster": "school", "partner": "about"}
    return Responses(frame, instrument, roles)


def test_the_shipped_grid_names_its_resources() -> None:
    answers = grid_answers()
    result = dependence(answers)
    assert result.resources == ("knowledge", "money", "authority", "all resources")
    # The scores of the instrument are those of all resources.
    scores = score(answers, ["rat.need.ours", "rat.need.theirs"])
    frame = scores.to_frame(keep=["cluster", "partner"])
    frame["gap"] = frame["rat.need.theirs"] - frame["rat.need.ours"]
    means = frame.groupby(["school", "about"])
    rows = result.grid.query("resource == 'all resources'")
    assert_allclose(rows["we_need_them"], means["rat.need.ours"].mean())
    assert_allclose(rows["asymmetry"], means["gap"].mean(), atol=1e-12)
    assert rows["n_raters"].tolist() == [5, 6, 6, 6, 6, 6]
    pd.testing.assert_frame_equal(dependence(scores).grid, result.grid)


def two_heads(**columns: list[float]) -> Responses:
    """Two heads each of A, B and C about one other school on the shipped grid; 2 if not said."""
    instrument = load_instrument("resource_dependence")
    frame = pd.DataFrame({"id": list("abcdef"), "school": list("AABBCC"), "about": list("BBAABB")})
    for item in instrument.item_ids:
        frame[item] = columns.get(item.removeprefix("rat.need.").replace(".", "_"), [2.0] * 6)
    roles = {"respondent": "id", "cluster": "school", "partner": "about"}
    return Responses(frame, instrument, roles)


def test_limits_are_honest_and_end_where_answers_do() -> None:
    # Asymmetry of knowledge: A -3, -3; B 1, 3; C 0, 0. Pooled variance 2 / 3 with 3 df.
    resources = list(load_instrument("resource_dependence").scale("rat.need.ours").parts)
    first = resources.index("knowledge") + 1
    data = two_heads(
        **{f"ours_0{first}": [3.0, 4, 1, 0, 2, 2], f"theirs_0{first}": [0.0, 1, 2, 3, 2, 2]}
    )
    result = dependence(data)
    rows = result.grid.query("resource == 'knowledge'").set_index("source")
    assert_allclose(rows["asymmetry"], [-3, 2, 0])
    reach = stats.t.ppf(0.975, 3) * (2 / 3 / 2) ** 0.5
    assert_allclose(rows.loc["C", ["ci_low", "ci_high"]].astype(float), [-reach, reach])
    low, high = rows.loc["A", ["ci_low", "ci_high"]]
    assert_allclose([low, high], [-4, -3 + reach])  # -3 - 1.84 is no possible difference
    assert rows.loc["B", ["ci_low", "ci_high"]].tolist() == [-4, 4]  # 2 ± 12.7
    assert (rows["sd"] == [0, 2**0.5, 0]).all()
    text = " ".join(result.notes)
    # Knowledge of A and C, and all resources of the two; two resources without any difference.
    assert "Rows in which all have the same asymmetry: 4." in text
    assert "Rows without an interval, as nobody differs from anybody of their school: 6." in text
    assert "Limits end where answers do (0 to 4; differences ±4)." in text
    assert "Rows with fewer than 5 people who answered both, not to be published: 12." in text


def test_a_side_left_blank() -> None:
    data = two_heads()
    theirs = [name for name in data.instrument.item_ids if ".theirs." in name]
    result = dependence(data.replace(frame=data.frame.assign(**dict.fromkeys(theirs, np.nan))))
    text = " ".join(result.notes)
    assert "there is no asymmetry: nobody answered they_need_us." in text
    # 3 pairs × 4 resources show a mean of two heads.
    assert "not to be published: 12." in text
    assert "is not the difference" not in text


def test_the_summary_has_a_row_a_pair_and_says_what_its_means_rest_on() -> None:
    result = dependence(grid_answers())
    table = result.table()
    assert table.n_rows == 6 and len(result.to_frame()) == 24
    assert table.notes[0].startswith("One resource: resource_table() of 'knowledge', 'money'")
    first = dict(zip(table.headings(), table.cells()[0], strict=True))
    assert (first["n (ours)"], first["n (theirs)"], first["n both"]) == ("5", "6", "5")
    money = result.resource_table("money")
    rows = result.grid.query("resource == 'money'")
    assert money.columns["asymmetry"] == rows["asymmetry"].tolist()
    with pytest.raises(UnknownNameError, match="no resource 'trust'"):
        result.resource_table("trust")
    one = dependence(small(), "om", "tm", source="school", target="partner")
    assert not any("resource_table" in note for note in one.table().notes)


def test_what_the_questionnaire_asks_for_is_said() -> None:
    notes = dependence(grid_answers()).notes
    said = "asks for 10 people before a mean is shown; rows with 5 to 9 raters, which are not"
    assert any(said in note and "24. min_raters=10" in note for note in notes)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_asymmetry_is_antisymmetric_in_the_two_questions(seed: int) -> None:
    generator = np.random.default_rng(seed)
    frame = small().sample(frac=1, random_state=seed)
    frame[["om", "oa", "tm", "ta"]] = generator.integers(0, 5, (4, 4)).astype(float)
    one = found(frame)
    other = dependence(frame, THEIRS, OURS, source="school", target="partner", rater="id")
    assert_allclose(one.grid["asymmetry"], -other.grid["asymmetry"])
    assert_allclose(one.grid["ci_low"], -other.grid["ci_high"], atol=1e-12)
    assert_allclose(one.grid["joint"], other.grid["joint"])
    # A's account of B's need becomes B's account of A's: the difference turns round.
    order = ["resource", "source"]
    mine = one.accounts.sort_values(order)["difference"]
    turned = other.accounts.sort_values(["resource", "target"])["difference"]
    assert_allclose(mine, -turned.to_numpy(), atol=1e-12)


def test_order_of_rows_changes_nothing() -> None:
    answers = grid_answers()
    other = answers.replace(frame=answers.frame.sample(frac=1, random_state=3))
    first, second = dependence(answers), dependence(other)
    pd.testing.assert_frame_equal(first.grid, second.grid, check_exact=True)
    pd.testing.assert_frame_equal(first.accounts, second.accounts, check_exact=True)


def test_one_column_each() -> None:
    result = dependence(small(), "om", "tm", source="school", target="partner")
    assert result.resources == ("need",)
    assert result.matrix().loc["A", "B"] == 3


def test_a_resource_of_several_items() -> None:
    result = dependence(
        small(), {"both": ["om", "oa"]}, {"both": ["tm", "ta"]}, source="school", target="partner"
    )
    assert result.grid["we_need_them"].tolist() == [1.75, 1.25]


def test_results_can_be_shown() -> None:
    result = found(small())
    assert "Who needs whom" in result.summary()
    assert "as each of them says" in result.accounts_table().to_text()
    assert "<svg" in result.chart().to_svg()
    waves = pd.concat([small().assign(wave=1), small().assign(wave=2)])
    both = found(waves, wave="wave")
    assert both.agreement["wave"].tolist() == [1, 1, 1, 2, 2, 2]
    with pytest.raises(DataError, match="several waves"):
        both.matrix()
    assert both.matrix(wave=1).shape == (2, 2)


def test_bad_input() -> None:
    frame = small()
    with pytest.raises(DataError, match="For a frame name the columns of each resource: ours="):
        dependence(frame, source="school", target="partner")
    with pytest.raises(DataError, match="must name the same resources: ours has money, authority"):
        dependence(frame, OURS, {"money": "tm"}, source="school", target="partner")
    with pytest.raises(DataError, match="Columns named twice in ours and theirs: 'om', 'oa'"):
        dependence(frame, OURS, OURS, source="school", target="partner")
    with pytest.raises(OptionError, match="all resources"):
        dependence(
            frame,
            {"all resources": "om"},
            {"all resources": "tm"},
            source="school",
            target="partner",
        )
    with pytest.raises(DataError, match="names no resource"):
        dependence(frame, {}, {}, source="school", target="partner")
    with pytest.raises(OptionError, match="joint"):
        found(frame, joint="product")
    with pytest.raises(DataError, match="is not its own partner"):
        found(frame.assign(partner="A"))
    with pytest.raises(UnknownNameError, match="no scale"):
        dependence(grid_answers(), "rat.need.our", "rat.need.theirs")


def test_a_scale_without_parts_and_other_answers() -> None:
    trust = load_instrument("trust")
    frame = pd.DataFrame({"id": [1], "school": ["A"], "about": ["B"]})
    for item in trust.item_ids:
        frame[item] = 3.0
    roles = {"respondent": "id", "cluster": "school", "partner": "about"}
    answers = Responses(frame, trust, roles)
    with pytest.raises(DataError, match="has no parts, so its resources are not known"):
        dependence(answers, "tru.expect", "tru.invest")
    agree = next(i.id for i in trust.items if i.response == "agree5")
    with pytest.raises(
        DataError, match=r"answered on one scale to be compared, not 0–100: .*; 1–5"
    ):
        dependence(answers, {"need": "tru.expect.01"}, {"need": agree})


def test_reversed_items_are_turned() -> None:
    trust = load_instrument("trust")
    turned = next(i.id for i in trust.items if i.keyed == -1 and i.response == "agree5")
    plain = next(i.id for i in trust.items if i.keyed == 1 and i.response == "agree5")
    frame = pd.DataFrame({"id": [1, 2], "school": ["A", "A"], "about": ["B", "B"]})
    frame[list(trust.item_ids)] = 2.0
    roles = {"respondent": "id", "cluster": "school", "partner": "about"}
    result = dependence(Responses(frame, trust, roles), {"need": turned}, {"need": plain})
    assert result.grid["we_need_them"].tolist() == [4.0]
    assert result.grid["asymmetry"].tolist() == [-2.0]
