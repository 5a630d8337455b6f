"""Retest against base R and psych, clusters, matching by id, bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    NotEnoughDataError,
    NoVarianceError,
    UnknownNameError,
    WeightsNotAppliedError,
)
from collabsurvey.numerics.retest import NAMES, statistics, totals
from collabsurvey.reliability.raters import icc, kappa
from collabsurvey.reliability.retest import retest
from collabsurvey.responses import Responses, from_frame
from reliability.raters.rater_data import RATERS, RTOL

Engine = Callable[[pd.DataFrame], Any]
ITEMS = ["q0", "q1", "q2", "q3"]


def survey(frame: Any, **options: Any) -> Responses:
    roles = {"respondent": "id", **options.pop("roles", {})}
    settings = {"scales": {"s": ITEMS}, "response_range": (1, 5), "min_valid": "1/2"}
    return from_frame(frame, roles=roles, **{**settings, **options})


def people(seed: int, *, n: int = 120, shift: float = 0.0) -> pd.DataFrame:
    """Answers of the same people under every seed, with their school."""
    rng = np.random.default_rng(0)
    true = rng.normal(size=n)
    school = np.arange(n) % 12
    rng = np.random.default_rng(seed)
    true = true + rng.normal(0, 0.2, 12)[school]
    frame = pd.DataFrame(
        {
            item: np.clip(np.round(3 + 0.9 * true + shift + rng.normal(0, 0.8, n)), 1, 5)
            for item in ITEMS
        }
    )
    return frame.assign(id=[f"p{i:03d}" for i in range(n)], school=[f"s{k}" for k in school])


def stored_pair() -> tuple[Responses, Responses, dict[str, Any]]:
    entry = RATERS["retest"]
    both = [
        from_frame(
            pd.DataFrame({"score": entry["data"][when], "id": range(60)}),
            scales={"s": ["score"]},
            roles={"respondent": "id"},
        )
        for when in ("x", "y")
    ]
    return both[0], both[1], entry["values"]


def test_matches_r() -> None:
    first, second, expected = stored_pair()
    result = retest(first, second, "s")
    rows = result.to_frame().set_index("measure")

    def limits(name: str) -> list[float]:
        return [rows.loc[name, "ci_low"], rows.loc[name, "ci_high"]]

    assert_allclose(result.bias, expected["bias"], rtol=RTOL)
    assert_allclose(limits("bias"), expected["bias_ci"], rtol=RTOL)
    assert_allclose(result.sd_difference, expected["sd"], rtol=RTOL)
    assert_allclose(limits("sd_difference"), expected["sd_ci"], rtol=RTOL)
    assert_allclose([result.limit_low, result.limit_high], expected["limits"], rtol=RTOL)
    assert_allclose(rows.loc["limit_low", "std_error"], expected["limits_se"], rtol=RTOL)
    assert_allclose(result.pearson, expected["cor"], rtol=RTOL)
    assert_allclose(limits("pearson"), expected["cor_ci"], rtol=RTOL)
    assert_allclose(result.proportional_bias, expected["slope"], rtol=RTOL)
    assert_allclose(limits("proportional_bias"), expected["slope_ci"], rtol=RTOL)
    assert_allclose(result.proportional_p, expected["slope_p"], rtol=RTOL)
    assert_allclose(
        [result.estimate, result.ci_low, result.ci_high], expected["icc_2_1"], rtol=RTOL
    )
    assert_allclose([result.icc_3_1, *limits("icc_3_1")], expected["icc_3_1"], rtol=RTOL)


def test_sem_is_what_the_icc_says() -> None:
    first, second, _ = stored_pair()
    result = retest(first, second, "s")
    pair = pd.DataFrame({"a": first.frame["score"], "b": second.frame["score"]})
    raters = icc(pair)
    assert_allclose(result.sem**2, raters.var_rater + raters.var_residual, rtol=1e-10)
    assert_allclose(result.sem_consistency**2, raters.var_residual, rtol=1e-10)
    share = raters.var_target / (raters.var_target + result.sem**2)
    assert_allclose(result.estimate, share, rtol=1e-10)
    assert_allclose(result.sdc, 1.96 * np.sqrt(2) * result.sem, rtol=1e-4)


def test_engines_and_order_of_rows_do_not_matter(engine: Engine) -> None:
    a, b = people(1), people(2)
    roles = {"cluster": "school"}
    expected = retest(survey(a, roles=roles), survey(b, roles=roles), "s")
    found = retest(
        survey(engine(a.sample(frac=1, random_state=1)), roles=roles),
        survey(engine(b.sample(frac=1, random_state=2)), roles=roles),
        "s",
    )
    pd.testing.assert_frame_equal(found.measures, expected.measures)
    pd.testing.assert_frame_equal(found.items, expected.items)
    assert_allclose(found.difference, expected.difference)


def test_people_are_matched_by_id_and_counted() -> None:
    a, b = people(1).iloc[10:], people(2).iloc[:-25].copy()
    b.loc[b.index[20:23], ITEMS[:3]] = np.nan  # one answer of four is too few
    a = pd.concat([a, a.iloc[:1].assign(id=None)])
    result = retest(survey(a), survey(b), "s")
    assert (result.n_only_first, result.n_only_second, result.n_unscored) == (25, 10, 3)
    assert result.n == 120 - 25 - 10 - 3
    assert any("1 rows without an id" in note for note in result.notes)
    joined = people(1).merge(b, on="id", suffixes=("_1", "_2")).iloc[10:]
    first = joined[[f"{i}_1" for i in ITEMS]].mean(axis=1)
    second = joined[[f"{i}_2" for i in ITEMS]].mean(axis=1)
    enough = joined[[f"{i}_2" for i in ITEMS]].notna().sum(axis=1) >= 2
    assert_allclose(result.bias, (second - first)[enough].mean(), rtol=1e-12)


def test_items_have_their_kappa() -> None:
    a, b = people(1), people(2)
    result = retest(survey(a), survey(b), "s")
    for row in result.items.itertuples():
        expected = kappa(a[row.item], b[row.item], weights="quadratic")
        assert_allclose([row.kappa, row.std_error], [expected.estimate, expected.std_error])
        assert_allclose([row.n, row.equal], [expected.n, expected.percent_agreement])


def test_schools_are_left_out_one_at_a_time() -> None:
    a, b = people(1), people(2, shift=0.3)
    roles = {"cluster": "school"}
    result = retest(survey(a, roles=roles), survey(b, roles=roles), "s")
    alone = retest(survey(a, roles=roles), survey(b, roles=roles), "s", cluster=None)
    assert result.n_clusters == 12
    assert alone.n_clusters is None
    rows, plain = (r.to_frame().set_index("measure") for r in (result, alone))
    assert_allclose(rows["estimate"], plain["estimate"], rtol=1e-12)
    assert (rows["df"] == 11).all()
    without = []
    for school in sorted(set(a["school"])):
        keep = a["school"] != school
        part = retest(survey(a[keep]), survey(b[keep]), "s").to_frame().set_index("measure")
        without.append(part["estimate"])
    spread = pd.concat(without, axis=1)
    error = np.sqrt(11 / 12 * ((spread.T - spread.mean(axis=1)) ** 2).sum())
    assert_allclose(rows["std_error"], error[rows.index], rtol=1e-8)
    # Everybody of a school changed together, so the bias is less sure than it looks.
    assert rows.loc["bias", "std_error"] > plain.loc["bias", "std_error"]
    assert any("12 values of 'school'" in note for note in result.notes)


def test_few_and_single_clusters() -> None:
    a, b = people(1), people(2)
    few = [x.assign(school=x["school"].isin(["s1", "s2", "s3", "s4"])) for x in (a, b)]
    few = [x.assign(school=np.where(x["school"], "north", "south")) for x in few]
    roles = {"cluster": "school"}
    with pytest.warns(FewClustersWarning, match="2 clusters are few"):
        retest(survey(few[0], roles=roles), survey(few[1], roles=roles), "s")
    one = [x.assign(school="north") for x in (a, b)]
    result = retest(survey(one[0], roles=roles), survey(one[1], roles=roles), "s")
    assert result.n_clusters is None
    assert any("only one value of 'school'" in note for note in result.notes)
    with pytest.raises(DataError, match="only one cluster"):
        retest(survey(one[0], roles=roles), survey(one[1], roles=roles), "s", cluster="school")


def test_partners_belong_to_the_key() -> None:
    a, b = people(1), people(2)
    twice = [
        pd.concat([x.assign(partner="A"), x.assign(partner="B")], ignore_index=True) for x in (a, b)
    ]
    roles = {"partner": "partner"}
    result = retest(survey(twice[0], roles=roles), survey(twice[1], roles=roles), "s")
    assert result.n == 240
    assert result.n_clusters == 120  # rows of one person go together
    assert_allclose(result.bias, retest(survey(a), survey(b), "s").bias, rtol=1e-12)


@given(
    x=arrays(float, 12, elements=st.integers(0, 20).map(float)),
    y=arrays(float, 12, elements=st.integers(0, 20).map(float)),
    shift=st.floats(-1e4, 1e4),
)
def test_statistics_do_not_depend_on_the_level(x: Any, y: Any, shift: float) -> None:
    assume(np.ptp(x) > 0 and np.ptp(y) > 0 and np.ptp(x + y) > 0)
    first = statistics(totals(x, y))[0]
    centre = (x.mean() + y.mean()) / 2
    moved = statistics(totals(x - centre, y - centre))[0]
    assert_allclose(moved, first, rtol=1e-6, atol=1e-7)
    names = dict(zip(NAMES, moved, strict=True))
    raters = icc(np.column_stack([x, y]) + shift).to_frame().set_index("icc")["estimate"]
    assert_allclose(names["icc_2_1"], raters["icc_2_1"], rtol=1e-6, atol=1e-7)
    assert_allclose(names["icc_3_1"], raters["icc_3_1"], rtol=1e-6, atol=1e-7)


def test_the_same_answers_twice() -> None:
    a = people(1)
    result = retest(survey(a), survey(a), "s")
    assert_allclose([result.estimate, result.ci_low, result.pearson], 1)
    assert_allclose([result.sdc, result.bias, result.sd_difference], 0, atol=1e-7)
    assert (result.items["kappa"] == 1).all()
    assert any("Every difference is the same" in note for note in result.notes)


def test_an_item_without_variance_is_said() -> None:
    a, b = people(1).assign(q0=3.0), people(2).assign(q0=3.0)
    result = retest(survey(a), survey(b), "s")
    assert np.isnan(result.items.set_index("item").loc["q0", "kappa"])
    assert any("No kappa" in note and "q0" in note for note in result.notes)


def test_bad_input_is_refused() -> None:
    a, b = people(1), people(2)
    with pytest.raises(DataError, match="needs the role 'respondent'"):
        retest(from_frame(a, scales={"s": ITEMS}, response_range=(1, 5)), survey(b), "s")
    with pytest.raises(DataError, match="No respondent id occurs on both occasions"):
        retest(survey(a), survey(b.assign(id=[f"x{i}" for i in range(120)])), "s")
    with pytest.raises(NotEnoughDataError, match="at least 3 people with both scores"):
        retest(survey(a.iloc[:62]), survey(b.iloc[60:]), "s")
    with pytest.raises(NoVarianceError, match="on the second occasion"):
        retest(survey(a), survey(b.assign(**dict.fromkeys(ITEMS, 3.0))), "s")
    with pytest.raises(UnknownNameError, match="no scale 't'"):
        retest(survey(a), survey(b), "t")
    with pytest.raises(WeightsNotAppliedError, match="reliability.retest"):
        retest(survey(a.assign(w=1.5), roles={"weight": "w"}), survey(b), "s")
    with pytest.raises(DataError, match="has other items on the second occasion"):
        retest(survey(a), survey(b, scales={"s": ITEMS[:3]}), "s")
    waves = pd.concat([a.assign(wave=1), b.assign(wave=2)], ignore_index=True)
    with pytest.raises(DataError, match="first occasion 120 respondent ids occur more than once"):
        retest(survey(waves, roles={"wave": "wave"}), survey(b), "s")


def test_it_can_be_read() -> None:
    result = retest(survey(people(1)), survey(people(2)), "s")
    assert "smallest detectable change" in result.summary()
    assert "lower limit of agreement" in result.chart().to_svg()
    assert "Bland–Altman" in result.chart().description
    assert result._repr_html_()


def test_synthetic_data_are_called_so() -> None:
    made = retest(survey(people(1)), survey(people(2), synthetic=True), "s")
    assert "Synthetic data." in made.notes
    assert "Synthetic data." not in retest(survey(people(1)), survey(people(2)), "s").notes
