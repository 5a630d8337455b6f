"""Two-level alpha and omega against lavaan and semTools, and what must hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotEnoughItemsError,
    NoVarianceError,
    OptionError,
    WeightsNotAppliedError,
)
from collabsurvey.moments.clustered import within_group_sscp
from collabsurvey.multilevel.level_ratios import Denominator
from collabsurvey.multilevel.levels import no_interval
from collabsurvey.multilevel.reliability_levels import (
    Interval,
    two_level_alpha,
    two_level_omega,
)
from collabsurvey.numerics.itemstats import coefficient_alpha
from collabsurvey.numerics.two_level_cov import (
    TwoLevelMoments,
    cluster_slopes,
    evaluate,
    information,
    packed,
)
from collabsurvey.numerics.two_level_errors import influences, left_out
from collabsurvey.numerics.two_level_fit import (
    bounded_factor,
    bounded_saturated,
    factor_start,
    fit_one_factor,
    fit_saturated,
    one_factor,
    saturated,
)
from collabsurvey.responses import Responses, from_frame
from collabsurvey.simulation import simulate_cohort
from support import dataset, gold, matrix

GOLD = gold("07_multilevel_aggregation")
ITEMS = ["AF06", "AF07", "AP12", "AS14", "AS16", "AS28"]
OPTIMUM = 1e-4  # lavaan's optimum; it stops where its own gradient is small


def bhr2000() -> Responses:
    return from_frame(
        dataset("bhr2000"), scales={"s": ITEMS}, response_range=(1, 5), roles={"cluster": "GRP"}
    )


def test_alpha_at_both_levels_matches_lavaan() -> None:
    stored = GOLD["twolevel_alpha_bhr2000"]["values"]
    result = two_level_alpha(bhr2000(), "s")
    assert result.converged
    assert not result.boundary
    assert (result.n_respondents, result.n_clusters) == (stored["n"], stored["clusters"])
    assert_allclose(result.estimate("alpha_within"), stored["alpha_within"], rtol=OPTIMUM)
    assert_allclose(result.estimate("alpha_between"), stored["alpha_between"], rtol=OPTIMUM)
    assert_allclose(result.cov_within, matrix(stored["cov_within"]), rtol=OPTIMUM)
    assert_allclose(result.cov_between, matrix(stored["cov_between"]), rtol=OPTIMUM)
    assert_allclose(result.mean, list(stored["means"].values()), rtol=OPTIMUM)
    within, between = (np.diag(matrix(stored[name])) for name in ("cov_within", "cov_between"))
    assert_allclose(result.icc_items, between / (within + between), rtol=OPTIMUM)
    # lavInspect("icc") rests on lavaan's EM for the unrestricted model, which stops early.
    stopped = GOLD["twolevel_cfa_bhr2000"]["values"]["fit"]["unrestricted.logl"]
    assert stopped < stored["logl"] - 1e-3
    assert_allclose(result.icc_items, list(stored["icc_items"].values()), rtol=5e-4)
    assert_allclose(result.loglik, stored["logl"], rtol=1e-9)
    assert result.loglik >= stored["logl"] - 1e-6
    closed = {
        "alpha_single_level": "alpha_single_level",
        "alpha_of_means": "spearman_brown_alpha_of_group_means",
    }
    for ours, theirs in closed.items():
        assert_allclose(result.estimate(ours), stored[theirs], rtol=1e-8)


def test_one_factor_at_both_levels_matches_lavaan() -> None:
    stored = GOLD["twolevel_cfa_bhr2000"]["values"]
    result = two_level_omega(bhr2000(), "s")
    assert result.converged
    assert_allclose(result.loglik, stored["fit"]["logl"], rtol=1e-9)
    estimates = pd.DataFrame(stored["estimates"])
    assert result.loadings is not None
    theirs = []
    for level, name in ((1, "within"), (2, "between")):
        own = estimates[estimates["level"] == level]
        loadings = own.loc[own["op"] == "=~", "std.lv"]
        unique = own[(own["op"] == "~~") & (own["lhs"] != "f")]["est"]
        theirs += [loadings, unique]
        # Between, lavaan's loadings are good to 2e-4 and its unique variances to 1e-5: see below.
        rtol = OPTIMUM if level == 1 else 2e-4
        assert_allclose(result.loadings[f"loading_{name}"], loadings, rtol=rtol)
        assert_allclose(result.loadings[f"unique_{name}"], unique, rtol=OPTIMUM, atol=1e-5)
    moments = moments_of(dataset("bhr2000").rename(columns={"GRP": "school"}), ITEMS)
    at = evaluate(moments, *one_factor(np.concatenate(theirs))[:2])
    assert at is not None
    assert (
        -at.value / 2 < result.loglik - 1e-7
    )  # the same model at lavaan's estimates is less likely


def test_omega_over_the_saturated_variance_is_semtools() -> None:
    stored = GOLD["twolevel_cfa_bhr2000"]["values"]["compRelSEM"]["config"]["f"]
    result = two_level_omega(bhr2000(), "s", denominator="observed")
    assert_allclose(result.estimate("omega_within"), stored["omega_W"], rtol=OPTIMUM)
    assert_allclose(result.estimate("omega_2level"), stored["omega_2L"], rtol=OPTIMUM)


@pytest.mark.slow
def test_sandwich_and_bootstrap_of_clusters_agree() -> None:
    result = two_level_alpha(bhr2000(), "s").to_frame().set_index("coefficient")
    drawn = two_level_alpha(bhr2000(), "s", ci="bootstrap", n_boot=100).to_frame()
    drawn = drawn.set_index("coefficient")
    for name in ("alpha_within", "alpha_between", "alpha_2level", "irr"):
        # A standard deviation of 100 draws is known to 7 % (one standard error).
        assert_allclose(drawn.loc[name, "std_error"], result.loc[name, "std_error"], rtol=0.25)


def test_errors_of_loadings_are_lavaans_mlr() -> None:
    """Within, loadings relative to the first, as lavaan identifies them, by the delta method.

    Ours leave out the slopes of the means, which expectation makes irrelevant: 0.2 % apart.
    """
    stored = pd.DataFrame(GOLD["twolevel_cfa_mlr_bhr2000"]["values"]["estimates"])
    stored = stored[(stored["op"] == "=~") & (stored["level"] == 1)]
    moments = moments_of(dataset("bhr2000").rename(columns={"GRP": "school"}), ITEMS)
    fit = fit_one_factor(moments, fit_saturated(moments))
    shifts = influences(moments, fit, one_factor)[:, :6]
    loadings = fit.parameters[:6]
    relative = (shifts - shifts[:, :1] * loadings / loadings[0]) / loadings[0]
    errors = np.sqrt((relative**2).sum(axis=0))
    assert_allclose(errors[1:], stored["se"].iloc[1:], rtol=2e-3)


def sample(
    seed: int, sizes: list[int], *, k: int = 4, icc: float = 0.3
) -> tuple[pd.DataFrame, list[str]]:
    generator = np.random.default_rng(seed)
    school = np.repeat(np.arange(len(sizes)), sizes)
    factor = np.sqrt(icc) * generator.standard_normal(len(sizes))[school]
    factor = factor + np.sqrt(1 - icc) * generator.standard_normal(len(school))
    loadings = np.linspace(0.5, 0.9, k)
    own = 0.25 * generator.standard_normal((len(sizes), k))[school]
    answers = factor[:, None] * loadings + own + generator.standard_normal((len(school), k)) * 0.6
    items = [f"i{j}" for j in range(k)]
    return pd.DataFrame(answers, columns=items).assign(school=school), items


def moments_of(frame: pd.DataFrame, items: list[str]) -> TwoLevelMoments:
    codes = np.unique(frame["school"], return_inverse=True)[1]
    groups = int(codes.max()) + 1
    pieces = within_group_sscp(frame[items].to_numpy(float), codes, groups, np.ones(len(frame)))
    return TwoLevelMoments(pieces.n, pieces.mean, pieces.sscp, np.ones(groups))


def made(frame: pd.DataFrame, items: list[str], **roles: str) -> Responses:
    return from_frame(frame, scales={"s": items}, roles={"cluster": "school", **roles})


def test_likelihood_is_that_of_the_rows() -> None:
    frame, items = sample(1, [3, 5, 2, 7])
    generator = np.random.default_rng(2)
    root, other = generator.standard_normal((2, 4, 4))
    within, between = root @ root.T + np.eye(4), other @ other.T
    at = evaluate(moments_of(frame, items), within, between)
    assert at is not None
    total = 0.0
    for _, rows in frame.groupby("school"):
        n = len(rows)
        cov = np.kron(np.eye(n), within) + np.kron(np.ones((n, n)), between)
        y = (rows[items].to_numpy() - at.mean).ravel()
        total += np.linalg.slogdet(2 * np.pi * cov)[1] + y @ np.linalg.solve(cov, y)
    assert_allclose(at.value, total, rtol=1e-10)


def test_slopes_are_the_derivatives() -> None:
    frame, items = sample(3, [3, 5, 2, 7, 4], k=3)
    moments = moments_of(frame, items)
    within, between = np.cov(frame[items].T), 0.3 * np.eye(3)
    at = evaluate(moments, within, between)
    assert at is not None
    slope = np.concatenate([packed(at.slope_within), packed(at.slope_between)])
    numeric = []
    for level in range(2):
        for i, j in zip(*np.triu_indices(3), strict=True):
            step = np.zeros((3, 3))
            step[i, j] = step[j, i] = 1e-5
            pair = [
                evaluate(
                    moments, within + sign * step * (level == 0), between + sign * step * level
                )
                for sign in (1, -1)
            ]
            assert pair[0] is not None
            assert pair[1] is not None
            numeric.append((pair[0].value - pair[1].value) / 2e-5)
    assert_allclose(slope, numeric, rtol=1e-6, atol=1e-5)
    assert_allclose(cluster_slopes(moments, at).sum(axis=0), slope, rtol=1e-9, atol=1e-9)
    assert (np.linalg.eigvalsh(information(moments, at)) > 0).all()


@settings(max_examples=15)
@given(seed=st.integers(0, 200), n=st.integers(3, 10))
def test_equal_sizes_have_a_closed_form(seed: int, n: int) -> None:
    """W and B are the analysis of variance with G clusters in place of G - 1, B cut off at 0."""
    frame, items = sample(seed, [n] * 15)
    moments = moments_of(frame, items)
    fit = fit_saturated(moments)
    within = moments.within / (15 * (n - 1))
    d = moments.mean - moments.mean.mean(axis=0)
    between = (d.T @ d / 15) - within / n
    if np.linalg.eigvalsh(between).min() > 1e-6:
        assert not fit.boundary
        assert_allclose(fit.within, within, rtol=1e-5, atol=1e-7)
        assert_allclose(fit.between, between, rtol=1e-4, atol=1e-5)
    else:
        assert np.linalg.eigvalsh(fit.between).min() > -1e-8
    assert fit.converged
    again = bounded_saturated(moments)
    assert_allclose(again.loglik, fit.loglik, rtol=1e-7)


@settings(max_examples=10)
@given(seed=st.integers(0, 200))
def test_both_ways_to_one_factor_agree(seed: int) -> None:
    frame, items = sample(seed, [6, 9, 12, 8, 5] * 6, k=4)
    moments = moments_of(frame, items)
    whole = fit_saturated(moments)
    fit = fit_one_factor(moments, whole)
    again = bounded_factor(moments, factor_start(whole))
    assert fit.loglik <= whole.loglik + 1e-6
    assert_allclose(again.loglik, fit.loglik, rtol=1e-7)
    within, between, _ = one_factor(fit.parameters)
    assert_allclose(within, fit.within)
    assert_allclose(between, fit.between)


def test_every_engine_gives_the_same(engine: Callable[[pd.DataFrame], Any]) -> None:
    frame, items = sample(2, [4, 6, 8, 5, 7] * 4)
    expected = two_level_alpha(made(frame, items), "s").to_frame()
    found = two_level_alpha(made(engine(frame), items), "s").to_frame()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-7)


def test_one_newton_step_is_nearly_the_fit_without_a_cluster() -> None:
    frame, items = sample(11, [12, 9, 15, 8, 20, 14] * 6)
    moments = moments_of(frame, items)
    for structure, fit in (
        (saturated, fit_saturated(moments)),
        (one_factor, fit_one_factor(moments, fit_saturated(moments))),
    ):
        quick = left_out(moments, fit, structure)
        for g in (0, 7, 29):
            times = np.ones(36)
            times[g] = 0
            rest = moments.taken(times)
            refitted = fit_saturated(rest)
            if structure is one_factor:
                refitted = fit_one_factor(rest, refitted)
            moved = refitted.parameters - fit.parameters
            # What the single step misses is of second order.
            missed = refitted.parameters - quick[g]
            assert np.linalg.norm(missed) < 0.15 * np.linalg.norm(moved)


def test_intervals_by_each_method_are_alike_with_many_clusters() -> None:
    frame, items = sample(12, [12, 9, 15, 8, 20, 14] * 12)
    responses = made(frame, items)
    for denominator in get_args(Denominator):
        jackknife, sandwich = (
            two_level_omega(responses, "s", ci=ci, denominator=denominator).to_frame()
            for ci in get_args(Interval)[:2]
        )
        assert_allclose(jackknife["std_error"], sandwich["std_error"], rtol=0.1)
    jackknife, sandwich = (
        two_level_alpha(responses, "s", ci=ci).to_frame() for ci in get_args(Interval)[:2]
    )
    assert_allclose(jackknife["std_error"], sandwich["std_error"], rtol=0.1)


def test_few_clusters_are_bounded_and_said() -> None:
    frame, items = sample(4, [12, 9, 15, 8], k=5)
    result = two_level_alpha(made(frame, items), "s")
    assert result.boundary
    assert result.converged
    assert any(note.startswith("Boundary: between clusters") for note in result.notes)
    assert any("Only 4 groups of school" in note for note in result.notes)
    assert (np.linalg.eigvalsh(result.cov_between) > -1e-8).all()


def test_a_unique_variance_at_its_bound_is_named() -> None:
    frame, items = sample(5, [10] * 30)
    generator = np.random.default_rng(5)
    frame["i3"] = 0.9 * frame.groupby("school")["i0"].transform("mean") + generator.standard_normal(
        len(frame)
    )
    result = two_level_omega(made(frame, items), "s")
    assert result.boundary
    assert any("(between): estimated at its bound of 0" in note for note in result.notes)
    assert result.loadings is not None
    assert (result.loadings["unique_between"] >= 0).all()


def test_order_of_rows_and_items_and_reversal_do_not_matter() -> None:
    frame, items = sample(6, [4, 6, 8, 5, 7] * 4)
    first = two_level_alpha(made(frame, items), "s").to_frame()
    turned = frame.assign(i1=-frame["i1"]).sample(frac=1, random_state=1)
    responses = from_frame(
        turned, scales={"s": items[::-1]}, reverse_keyed=["i1"], roles={"cluster": "school"}
    )
    again = two_level_alpha(responses, "s").to_frame()
    numbers = ["estimate", "std_error", "ci_low", "ci_high"]
    assert_allclose(again[numbers], first[numbers], rtol=1e-5)


def test_everything_is_single_level_without_clusters_to_speak_of() -> None:
    """Clusters drawn by lot: W is the covariance of all, and B nearly nothing."""
    frame, items = sample(7, [400], icc=0.0)
    frame["school"] = np.random.default_rng(7).permutation(np.repeat(np.arange(40), 10))
    result = two_level_alpha(made(frame, items), "s")
    pooled = coefficient_alpha(np.cov(frame[items].T))
    assert_allclose(result.estimate("alpha_single_level"), pooled, rtol=1e-10)
    assert_allclose(result.estimate("alpha_within"), pooled, atol=0.03)
    assert result.estimate("irr") < 0.5


def test_people_with_several_rows_are_their_own_clusters() -> None:
    frame, items = sample(8, [5] * 20)
    frame["day"] = np.tile(np.arange(5), 20)
    roles = {"respondent": "school", "wave": "day"}
    responses = from_frame(frame, scales={"s": items}, roles=roles)
    assert two_level_alpha(responses, "s").cluster == "school"


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"school": 1}, NotEnoughDataError, "at least 3 different values of 'school'"),
        ({"school": range(60)}, NotEnoughDataError, "complete rows beyond the first"),
        ({"i0": 2.0}, NoVarianceError, "'i0' has the same value in every row"),
        ({"i0": "school"}, NoVarianceError, "'i0' within each 'school'"),
        ({"i0": "i1"}, DataError, "determine it"),
    ],
)
def test_bad_data_are_refused(
    change: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    frame, items = sample(9, [10] * 6)
    values = {k: frame[v] * 1.0 if isinstance(v, str) else v for k, v in change.items()}
    with pytest.raises(error, match=sentence):
        two_level_alpha(made(frame.assign(**values), items), "s")


def test_bad_options_are_refused() -> None:
    frame, items = sample(9, [10] * 6)
    responses = made(frame.assign(w=1.0), items)
    with pytest.raises(OptionError, match="ci='feldt'"):
        two_level_alpha(responses, "s", ci="feldt")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="denominator='x'"):
        two_level_omega(responses, "s", denominator="x")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="n_boot=10"):
        two_level_alpha(responses, "s", n_boot=10)
    with pytest.raises(NotEnoughItemsError, match="at least 3 items"):
        two_level_omega(responses, items[:2])
    with pytest.raises(DataError, match="needs the role 'cluster'"):
        two_level_alpha(from_frame(frame, scales={"s": items}), "s")
    with pytest.raises(WeightsNotAppliedError, match="Two-level alpha"):
        two_level_alpha(made(frame.assign(w=1.0), items, weight="w"), "s")


def test_lost_rows_are_counted_and_shown() -> None:
    frame, items = sample(10, [10] * 8)
    frame.loc[3, "i0"] = np.nan
    frame["school"] = frame["school"].where(frame.index != 20).astype("Int64")
    result = two_level_alpha(made(frame, items), "s")
    assert result.n_respondents == 78
    text = result.summary()
    assert "Rows without an answer to every item, left out: 1." in text
    assert "Rows without school, left out: 1." in text
    assert "alpha_between" in result.chart().to_svg()


@pytest.fixture(scope="module")
def cohort() -> Responses:
    return simulate_cohort(
        ["trust", "culture"], n_partnerships=4, n_schools=24, n_staff=25, waves=2, seed=3
    ).responses


NUMBERS = ["std_error", "ci_low", "ci_high"]


@pytest.mark.parametrize(
    ("scale", "ci", "reason"),
    [
        ("tru.expect", "jackknife", "estimated at its bound of 1"),
        ("tru.expect", "sandwich", "estimated at its bound of 1"),
        ("tru.expect", "bootstrap", "estimated at its bound of 1"),
        ("cul.help", "jackknife", "it reaches its bound of 1 when some group is left out"),
        ("cul.help", "sandwich", "the lower limit would be below −1"),
        ("tru.invest", "jackknife", "the lower limit would be below −1"),
    ],
)
def test_no_interval_where_it_would_only_look_exact(
    cohort: Responses, scale: str, ci: Interval, reason: str
) -> None:
    result = two_level_omega(cohort, scale, ci=ci, n_boot=100)
    frame = result.to_frame().set_index("coefficient")
    assert frame.loc["omega_between", NUMBERS].isna().all()
    assert np.isfinite(frame.loc["omega_between", "estimate"])
    rest = frame.drop(index="omega_between")
    assert rest[NUMBERS].notna().all(axis=None)
    assert (rest["ci_low"] > -1).all()
    said = [note for note in result.notes if note.startswith("No standard error and no interval")]
    assert len(said) == 1
    assert "for omega_between: " in said[0]
    assert reason in said[0]
    assert "omega_between" in result.chart().to_svg()
    assert "omega_between" in result.summary()


def test_waves_of_one_person_are_said_to_be_pooled(cohort: Responses) -> None:
    sentence = f"{cohort.n_rows} rows of {cohort.n_respondents} people"
    for method in (two_level_alpha, two_level_omega):
        assert any(sentence in note for note in method(cohort, "cul.help").notes)
    persons = two_level_alpha(cohort, "cul.help", "respondent")
    assert not any("are pooled here" in note for note in persons.notes)


def test_each_reason_for_no_interval() -> None:
    row = {"coefficient": "irr", "estimate": 0.5, "std_error": 0.1, "ci_low": 0.2}
    assert no_interval(row, beyond=False) == ""
    assert "estimated at 0" in no_interval({**row, "estimate": np.nan}, beyond=False)
    assert "does not move" in no_interval({**row, "std_error": 0.0}, beyond=False)
    assert "does not move" in no_interval({**row, "std_error": np.nan}, beyond=False)
    assert "some group is left out" in no_interval(row, beyond=True)
    assert "below −1" in no_interval({**row, "ci_low": -np.inf}, beyond=False)
