"""Alpha against psych, psychometric and multilevel; intervals; what must hold; what is refused."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pingouin
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    KeyingWarning,
    NotEnoughDataError,
    NotEnoughItemsError,
    NotSupportedError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
    WeightsNotAppliedError,
)
from collabsurvey.moments import ClusterMoments, cluster_moments
from collabsurvey.numerics.alpha_bootstrap import resampled_log_error, unit_draws, unit_products
from collabsurvey.reliability import AlphaResult, alpha
from collabsurvey.reliability.cluster_alpha import left_out, log_error
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, REFERENCE, dataset, gold

Engine = Callable[[pd.DataFrame], Any]


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


RTOL = 1e-8  # closed forms; the stored values have 15 digits
GOLD = gold("02_reliability")
STORED = json.loads((REFERENCE / "reliability.json").read_text(encoding="utf-8"))
TOTAL = {
    "estimate": "raw_alpha",
    "std_alpha": "std.alpha",
    "lambda6": "G6(smc)",
    "average_r": "average_r",
    "signal_to_noise": "S/N",
    "std_error": "ase",
    "median_r": "median_r",
}
DROPPED = {
    "alpha": "raw_alpha",
    "std_alpha": "std.alpha",
    "lambda6": "G6(smc)",
    "average_r": "average_r",
    "signal_to_noise": "S/N",
    "std_error": "alpha se",
    "r_variance": "var.r",
    "median_r": "med.r",
}


def bfi(engine: Engine = as_is, frame: pd.DataFrame | None = None, **roles: str) -> Responses:
    frame = dataset("bfi") if frame is None else frame
    return from_frame(
        engine(frame),
        scales=BFI_SCALES,
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
        roles=roles,
    )


def schools(n_schools: int = 20, staff: int = 30, icc: float = 0.2, seed: int = 1) -> pd.DataFrame:
    """Five items with a common factor that schools share in part."""
    generator = np.random.default_rng(seed)
    school = np.repeat(np.arange(n_schools), staff)
    factor = np.sqrt(icc) * generator.standard_normal(n_schools)[school]
    factor += np.sqrt(1 - icc) * generator.standard_normal(len(school))
    noise = generator.standard_normal((len(school), 5))
    frame = pd.DataFrame(0.7 * factor[:, None] + 0.7 * noise, columns=list("abcde"))
    return frame.assign(school=school)


def in_schools(frame: pd.DataFrame, **roles: str) -> Responses:
    return from_frame(frame, scales={"s": list("abcde")}, roles={"cluster": "school", **roles})


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
@pytest.mark.parametrize("scale", BFI_SCALES)
def test_alpha_matches_psych(engine: Engine, missing: str, scale: str) -> None:
    expected = GOLD[f"alpha_{missing}_bfi_{scale}"]["values"]
    result = alpha(bfi(engine), scale, missing=missing)
    for ours, theirs in TOTAL.items():
        assert_allclose(getattr(result, ours), expected["total"][0][theirs], rtol=RTOL)
    assert result.n_respondents == expected["n_rows"]
    assert result.n_items == expected["k"]
    low, high = (expected["feldt_psych"][name] for name in ("lower.ci", "upper.ci"))
    assert_allclose([result.ci_low, result.ci_high], [low, high], rtol=RTOL)
    dropped, stored = result.if_dropped(), pd.DataFrame(expected["alpha_drop"])
    assert dropped["item"].tolist() == stored["_row"].tolist()
    for ours, theirs in DROPPED.items():
        assert_allclose(dropped[ours], stored[theirs], rtol=RTOL)
    assert_allclose(result.item_rest, pd.DataFrame(expected["item_stats"])["r.drop"], rtol=RTOL)


@pytest.mark.parametrize("scale", BFI_SCALES)
def test_listwise_numbers_match_multilevel_and_psychometric(scale: str) -> None:
    expected = GOLD[f"alpha_listwise_bfi_{scale}"]["values"]
    result = alpha(bfi(), scale, conf_level=0.90)
    ninety = expected["feldt_psychometric_default_90"][0]
    assert_allclose([result.ci_low, result.ci_high], [ninety["LCL"], ninety["UCL"]], rtol=RTOL)
    assert_allclose(result.estimate, expected["cronbach_multilevel"]["Alpha"], rtol=RTOL)
    assert_allclose(result.sem * result.n_items, expected["sem_raw"], rtol=RTOL)
    assert_allclose(result.score_mean, expected["total"][0]["mean"], rtol=RTOL)
    assert_allclose(result.score_sd, expected["total"][0]["sd"], rtol=RTOL)


def test_alpha_and_feldt_agree_with_pingouin() -> None:
    frame = schools().drop(columns="school")
    result = alpha(from_frame(frame, scales={"s": list("abcde")}), "s")
    estimate, limits = pingouin.cronbach_alpha(frame)
    assert_allclose(result.estimate, estimate, rtol=1e-10)
    assert_allclose([result.ci_low, result.ci_high], limits, atol=5e-4)  # rounds to 3 digits


def test_bonett_interval_is_its_formula() -> None:
    result = alpha(bfi(), "agree", ci="bonett")
    # Bonett & Wright (2015), eq. 3 and 4, by hand; 1.959963984540054 is the normal quantile.
    n, k = 2709, 5
    reach = 1.959963984540054 * np.sqrt(2 * k / ((k - 1) * (n - 2)))
    centre = np.log(1 - result.estimate) - np.log(n / (n - 1))
    assert_allclose(
        [result.ci_low, result.ci_high], 1 - np.exp([centre + reach, centre - reach]), rtol=RTOL
    )


def test_reversing_twice_and_order_change_nothing() -> None:
    frame = dataset("bfi")
    expected = alpha(bfi(frame=frame), "agree")
    turned = frame.assign(A2=7 - frame["A2"])[frame.columns[::-1]].sample(frac=1, random_state=1)
    responses = from_frame(
        turned,
        scales={"agree": ["A5", "A4", "A3", "A2", "A1"]},
        reverse_keyed=["A1", "A2"],
        response_range=(1, 6),
    )
    result = alpha(responses, "agree")
    assert_allclose(
        [result.estimate, result.ci_low], [expected.estimate, expected.ci_low], rtol=1e-10
    )
    assert_allclose(result.item_rest[::-1], expected.item_rest, rtol=1e-10)


def test_a_reversed_item_needs_no_range() -> None:
    responses = from_frame(dataset("bfi"), scales=BFI_SCALES, reverse_keyed=BFI_REVERSED)
    assert_allclose(alpha(responses, "agree").estimate, alpha(bfi(), "agree").estimate, rtol=1e-12)


def test_items_may_be_named_instead_of_a_scale() -> None:
    named = alpha(bfi(), ["A1", "A2", "A3", "A4", "A5"])
    assert named.estimate == alpha(bfi(), "agree").estimate
    assert named.scale == "A1 … A5"


# Clusters


def test_schools_are_resampled_where_they_are_known(engine: Engine) -> None:
    few = schools(staff=3)
    frame = few.loc[few.index.repeat(10)]  # ten colleagues who think exactly alike
    responses = from_frame(engine(frame), scales={"s": list("abcde")}, roles={"cluster": "school"})
    result = alpha(responses, "s", n_boot=500)
    independent = alpha(responses, "s", cluster=None)
    assert (result.ci_method, result.n_clusters) == ("bootstrap", 20)
    assert (independent.ci_method, independent.n_clusters) == ("feldt", None)
    assert result.estimate == independent.estimate
    # The errors of ten copies are √10 times too small.
    assert result.ci_high - result.ci_low > 2 * (independent.ci_high - independent.ci_low)
    assert any("studentised bootstrap of 20 clusters (school)" in note for note in result.notes)


def test_the_same_seed_gives_the_same_interval() -> None:
    responses = in_schools(schools())
    first, again = alpha(responses, "s"), alpha(responses, "s")
    assert (first.ci_low, first.ci_high) == (again.ci_low, again.ci_high)
    other = alpha(responses, "s", seed=2)
    assert other.ci_low != first.ci_low
    assert_allclose(other.ci_low, first.ci_low, atol=0.02)
    assert any("seed 20260901" in note for note in first.notes)


@pytest.mark.parametrize("kind", ["studentised", "percentile", "bca"])
def test_bootstrap_intervals_hold_the_estimate_and_agree_with_many_schools(kind: str) -> None:
    result = alpha(in_schools(schools(n_schools=200, icc=0.05)), "s", bootstrap=kind)
    jackknife = alpha(in_schools(schools(n_schools=200, icc=0.05)), "s", ci="jackknife")
    assert result.ci_low < result.estimate < result.ci_high
    assert_allclose(
        [result.ci_low, result.ci_high], [jackknife.ci_low, jackknife.ci_high], atol=0.004
    )


def test_single_rows_are_resampled_on_request() -> None:
    frame = schools(icc=0.0)
    responses = from_frame(frame, scales={"s": list("abcde")})
    result, feldt = alpha(responses, "s", ci="bootstrap"), alpha(responses, "s")
    assert result.n_clusters is None
    # Normal and independent: both intervals are right, up to the noise of 2000 resamples.
    assert_allclose([result.ci_low, result.ci_high], [feldt.ci_low, feldt.ci_high], atol=0.006)


def test_people_who_answered_twice_are_the_clusters() -> None:
    frame = schools(n_schools=30, staff=2).rename(columns={"school": "person"})
    frame["wave"] = np.tile([1, 2], 30)
    responses = from_frame(
        frame, scales={"s": list("abcde")}, roles={"respondent": "person", "wave": "wave"}
    )
    result = alpha(responses, "s", n_boot=200)
    assert (result.ci_method, result.n_clusters) == ("bootstrap", 30)
    assert any("60 rows of 30 people" in note for note in result.notes)


def test_few_schools_are_warned_about() -> None:
    with pytest.warns(FewClustersWarning, match="Only 4 clusters: the interval is rough"):
        result = alpha(in_schools(schools(n_schools=4)), "s")
    assert result.ci_method == "jackknife"
    assert any(note.startswith("Only 4 clusters") for note in result.notes)


def test_one_school_gets_feldt_and_is_told() -> None:
    frame = schools(n_schools=1)
    with pytest.warns(FewClustersWarning, match="only one 'school'"):
        result = alpha(in_schools(frame), "s")
    assert (result.ci_method, result.n_clusters) == ("feldt", 1)
    assert any("cannot be resampled" in note for note in result.notes)
    with pytest.raises(DataError, match="only one 'school'"):
        alpha(in_schools(frame), "s", cluster="school")


def test_rows_without_a_school_count_in_alpha_only() -> None:
    frame = schools()
    frame["school"] = frame["school"].where(frame.index >= 15).astype("Int64")
    result = alpha(in_schools(frame), "s", n_boot=200)
    assert result.n_respondents == 600
    assert any(
        "Rows without 'school', which count in alpha" in note and "15" in note
        for note in result.notes
    )


# Many units


@pytest.mark.parametrize("k", [2, 5, 8])
def test_sums_of_products_give_the_same_resamples_as_units(k: int) -> None:
    generator = np.random.default_rng(k)
    n, g = generator.integers(1, 30, 40).astype(float), 40
    mean = generator.standard_normal((g, k)) + generator.standard_normal((g, 1)) + 3
    root = generator.standard_normal((g, k, k))
    pieces = ClusterMoments(
        tuple("abcdefgh"[:k]), tuple(map(str, range(g))), n, mean, root @ root.swapaxes(1, 2), g, 0
    )
    times = np.vstack(list(unit_draws(g, 50, seed=3)))
    assert times.sum(axis=1).tolist() == [g] * 50
    values, errors = log_error(pieces, times)
    products = unit_products(
        n,
        mean - n @ mean / n.sum(),
        np.trace(pieces.sscp, axis1=1, axis2=2),
        pieces.sscp.sum(axis=(1, 2)),
        squares=True,
    )
    found, found_errors = resampled_log_error(times @ products, k, g)
    assert_allclose(found, values, rtol=1e-10)
    assert_allclose(found_errors, errors, rtol=1e-9)
    first = unit_products(
        n, mean - n @ mean / n.sum(), products[:, 1] * 0, products[:, 1] * 0, squares=False
    )
    assert resampled_log_error(times @ first, k, g)[1] is None


def test_many_schools_are_drawn_as_few_are() -> None:
    frame = schools(n_schools=600, staff=3)
    many = alpha(in_schools(frame), "s")
    assert (many.ci_method, many.n_clusters) == ("bootstrap", 600)
    jackknife = alpha(in_schools(frame), "s", ci="jackknife")
    assert_allclose([many.ci_low, many.ci_high], [jackknife.ci_low, jackknife.ci_high], atol=0.004)


@pytest.mark.parametrize("kind", ["percentile", "bca"])
def test_rows_are_drawn_in_every_kind_of_bootstrap(kind: str) -> None:
    result = alpha(bfi(), "agree", ci="bootstrap", bootstrap=kind, n_boot=1000)
    # psych::alpha(n.iter = 1000) has no seed to share; answers are not normal, so that the
    # bootstrap is wider than Feldt. The jackknife of rows has the same standard error.
    jackknife = alpha(bfi(), "agree", ci="jackknife")
    assert_allclose(
        [result.ci_low, result.ci_high], [jackknife.ci_low, jackknife.ci_high], atol=0.003
    )


# Maximum likelihood covariances


@pytest.mark.parametrize("scale", ["agree", "open"])
def test_fiml_alpha_matches_lavaan(engine: Engine, scale: str) -> None:
    expected = STORED[f"fiml_alpha_{scale}"]
    result = alpha(bfi(engine), scale, missing="fiml")
    assert_allclose(result.estimate, expected["alpha"], rtol=1e-7)  # lavaan's optimum
    n = expected["n"]
    assert result.n_respondents == n
    # lavaan's sandwich is without n / (n - 1).
    assert_allclose(result.std_error * np.sqrt((n - 1) / n), expected["se"], rtol=1e-5)
    reach = np.log((1 - result.ci_low) / (1 - result.estimate)) / 1.959963984540054
    assert_allclose(reach * np.sqrt((n - 1) / n), expected["log_se"], rtol=1e-5)


def test_fiml_without_gaps_is_listwise_and_ignores_empty_rows() -> None:
    frame = schools()
    complete = alpha(in_schools(frame), "s", cluster=None)
    empty = pd.concat([frame, pd.DataFrame({"school": [1, 2]})], ignore_index=True)
    found = alpha(in_schools(empty), "s", missing="fiml", cluster=None)
    assert_allclose(found.estimate, complete.estimate, rtol=1e-9)
    assert_allclose(found.cov, complete.cov, rtol=1e-8)
    assert_allclose(found.std_error, complete.std_error, rtol=0.1)


def test_fiml_alpha_over_schools() -> None:
    frame = schools(n_schools=40, icc=0.4)
    gaps = np.random.default_rng(4).random((len(frame), 5)) < 0.1
    frame[list("abcde")] = frame[list("abcde")].mask(gaps)
    result = alpha(in_schools(frame), "s", missing="fiml")
    assert (result.ci_method, result.n_clusters) == ("sandwich", 40)
    assert any("sandwich over 40 clusters (school)" in note for note in result.notes)
    complete = alpha(in_schools(frame.dropna()), "s", ci="jackknife")
    assert_allclose(result.std_error, complete.std_error, rtol=0.4)
    with pytest.raises(WeightsNotAppliedError, match="missing='fiml'"):
        alpha(in_schools(frame.assign(w=np.tile([1.0, 2.0], 600)), weight="w"), "s", missing="fiml")


def test_fiml_recovers_what_missing_at_random_hides() -> None:
    frame = schools(n_schools=1, staff=6000).drop(columns="school")
    truth = alpha(from_frame(frame, scales={"s": list("abcde")}), "s").estimate
    hidden = frame.copy()
    hidden.loc[hidden["a"] > 0, ["b", "c"]] = np.nan  # whether they answer depends on a
    responses = from_frame(hidden, scales={"s": list("abcde")})
    fiml, listwise = (alpha(responses, "s", missing=m).estimate for m in ("fiml", "listwise"))
    assert abs(fiml - truth) < 0.01
    assert abs(listwise - truth) > 0.03


# Weights


def test_weights_of_one_change_nothing_and_whole_weights_repeat_rows() -> None:
    frame = schools()
    plain = alpha(in_schools(frame), "s", ci="jackknife")
    same = alpha(in_schools(frame.assign(w=2.0), weight="w"), "s", ci="jackknife")
    assert_allclose(
        [same.estimate, same.ci_low, same.ci_high],
        [plain.estimate, plain.ci_low, plain.ci_high],
        rtol=1e-10,
    )
    times = np.random.default_rng(1).integers(0, 3, len(frame))
    weighted = alpha(in_schools(frame.assign(w=times), weight="w"), "s", ci="jackknife")
    repeated = alpha(in_schools(frame.loc[frame.index.repeat(times)]), "s", ci="jackknife")
    assert_allclose(
        [weighted.estimate, weighted.ci_low], [repeated.estimate, repeated.ci_low], rtol=1e-10
    )


def test_feldt_counts_effective_respondents() -> None:
    frame = schools().assign(w=np.tile([1.0, 3.0], 300))
    result = alpha(in_schools(frame, weight="w"), "s", cluster=None)
    # Kish: (300 + 900)² / (300 + 2700) = 480 of 600 rows.
    assert any("480 effective respondents" in note for note in result.notes)
    fewer = alpha(in_schools(frame.head(480)), "s", cluster=None)
    assert_allclose(
        (1 - result.ci_low) / (1 - result.estimate), (1 - fewer.ci_low) / (1 - fewer.estimate)
    )


# Contradicted keys and bad input


def test_an_item_keyed_wrongly_is_named() -> None:
    responses = from_frame(dataset("bfi"), scales={"agree": BFI_SCALES["agree"]})
    with pytest.warns(KeyingWarning, match=r"'agree': A1 \(−0.31\) correlates negatively"):
        result = alpha(responses, "agree")
    assert any("A1 (−0.31) correlates negatively" in note for note in result.notes)


def test_an_unknown_scale_is_named() -> None:
    with pytest.raises(UnknownNameError, match="has no scale 'agre'. Did you mean 'agree'?"):
        alpha(bfi(), "agre")


def test_one_item_has_no_alpha() -> None:
    with pytest.raises(NotEnoughItemsError, match="Alpha needs at least 2 items in scale 'A1'"):
        alpha(bfi(), ["A1"])


def test_nobody_answered_everything() -> None:
    frame = schools().drop(columns="school")
    frame.loc[::2, "a"] = np.nan
    frame.loc[1::2, "b"] = np.nan
    responses = from_frame(frame, scales={"s": list("abcde")})
    with pytest.raises(
        NotEnoughDataError,
        match="Alpha needs at least 3 respondents who answered every item in scale 's'; "
        "there are 0",
    ):
        alpha(responses, "s")


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_respondents_are_counted(n: int) -> None:
    responses = from_frame(schools().head(n), scales={"s": list("abcde")})
    with pytest.raises(NotEnoughDataError, match=f"there are {n}"):
        alpha(responses, "s")


def test_a_constant_item_is_named() -> None:
    responses = from_frame(schools().assign(c=0.1), scales={"s": list("abcde")})
    with pytest.raises(NoVarianceError, match="item 'c' has the same value in every row"):
        alpha(responses, "s")


def test_items_that_cancel_out_are_refused() -> None:
    frame = schools().assign(b=lambda x: -x["a"])
    with pytest.raises(DataError, match="the items cancel out"):
        alpha(from_frame(frame, scales={"s": ["a", "b"]}), "s")


def test_copies_of_an_item_have_no_interval() -> None:
    frame = schools().assign(b=lambda x: x["a"], c=lambda x: x["a"])
    result = alpha(from_frame(frame, scales={"s": ["a", "b", "c"]}), "s")
    assert_allclose(result.estimate, 1, rtol=1e-12)
    assert any("copies of each other" in note for note in result.notes)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"ci": "normal"}, "ci='normal' is not possible"),
        ({"missing": "mean"}, "missing='mean' is not possible"),
        ({"missing": "fiml", "ci": "feldt"}, "ci='feldt' is not possible"),
        ({"conf_level": 95}, "conf_level=95 is not possible"),
        ({"bootstrap": "basic"}, "bootstrap='basic' is not possible"),
        ({"n_boot": 10}, "n_boot=10 is not possible"),
        ({"ci": "feldt", "cluster": "school"}, "ci='feldt' is not possible"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        alpha(in_schools(schools()), "s", **options)


def test_a_bootstrap_of_four_schools_is_refused() -> None:
    with pytest.raises(DataError, match="at least 5 clusters of 'school'; there are 4"):
        alpha(in_schools(schools(n_schools=4)), "s", ci="bootstrap")


def test_pairwise_covariances_have_no_cluster_interval() -> None:
    with pytest.raises(NotSupportedError, match="cluster=None for Feldt"):
        alpha(in_schools(schools()), "s", missing="pairwise")


def test_two_items() -> None:
    frame = schools().drop(columns="school")
    result = alpha(from_frame(frame, scales={"s": ["a", "b"]}), "s")
    cov = frame[["a", "b"]].cov().to_numpy()
    assert_allclose(result.estimate, 4 * cov[0, 1] / cov.sum(), rtol=1e-12)
    assert result.if_dropped()["alpha"].isna().all()


# What a reader sees


@pytest.fixture
def agree() -> AlphaResult:
    return alpha(bfi(), "agree")


def test_summary(agree: AlphaResult) -> None:
    assert agree.summary() == (
        "Cronbach's alpha of agree: 0.70 (95% CI 0.69 to 0.72)\n"
        "\n"
        "item  item–rest r  alpha if dropped\n"
        "----  -----------  ----------------\n"
        "A1           0.31              0.72\n"
        "A2           0.56              0.62\n"
        "A3           0.59              0.60\n"
        "A4           0.39              0.69\n"
        "A5           0.49              0.64\n"
        "\n"
        "Note. Scores from another 5 items of this kind would correlate about 0.70 with these "
        "(Cronbach, 1951).\n"
        "Note. 2709 of 2800 rows, those with every item answered.\n"
        "Note. 95% interval by Feldt, respondents as independent."
    )


def test_result_is_one_row_frozen_and_drawn(agree: AlphaResult) -> None:
    frame = agree.to_frame()
    assert len(frame) == 1
    assert frame.loc[0, "estimate"] == agree.estimate
    with pytest.raises(ValueError, match="read-only"):
        agree.item_rest[0] = 0.0
    assert "A1" in agree.chart().to_svg()
    assert "0.31" in agree.chart().description


@pytest.mark.slow
def test_the_cluster_interval_covers_and_feldt_does_not() -> None:
    """A short run of benchmarks/coverage_alpha.py: 20 schools of 30 staff, ICC of about .2."""
    truth = 5 * 0.5 / (1 + 4 * 0.5)
    hits = {"bootstrap": 0, "feldt": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(200):
            responses = in_schools(schools(icc=0.3, seed=seed))
            for ci in hits:
                found = alpha(responses, "s", ci=ci, n_boot=400)
                hits[ci] += found.ci_low <= truth <= found.ci_high
    # 95 % of 200, less two binomial standard errors of 3.1; Feldt is nearer 75 %.
    assert hits["bootstrap"] >= 182
    assert hits["feldt"] < 178


def test_estimates_without_each_cluster_are_those_of_the_other_clusters() -> None:
    pieces = cluster_moments(in_schools(schools(8, 6).iloc[3:-2]), "s", cluster="school")
    each = 1 - np.eye(len(pieces.n))
    assert_allclose(left_out(pieces), log_error(pieces, each)[0], rtol=1e-12)


def test_answers_and_weights_are_read_in_one_pass() -> None:
    # A lazy frame may give its rows in another order each time it is computed.
    duckdb = pytest.importorskip("duckdb")
    frame = schools(4, 10).assign(w=np.arange(40) % 3 + 1.0)
    expected = alpha(in_schools(frame, weight="w"), "s", ci="bootstrap", cluster=None)
    source = duckdb.from_df(frame).order("random()")
    shuffled = alpha(in_schools(source, weight="w"), "s", ci="bootstrap", cluster=None)
    assert_allclose(shuffled.std_error, expected.std_error, rtol=1e-9)


def test_chart_tells_alpha_and_its_interval() -> None:
    result = alpha(bfi(), "agree")
    expected = f"alpha {result.estimate:.2f}, 95% CI {result.ci_low:.2f} to {result.ci_high:.2f}"
    assert expected in result.chart().title
