"""What is known of a cohort is right: against closed forms, integrals, and large draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import collabsurvey.simulation as sim
from collabsurvey.instruments.making import instrument_from_scales
from collabsurvey.instruments.model import Instrument
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.simulation.draw import draw_conditions, layout
from collabsurvey.simulation.implied import series_covariance, step_moments, step_series
from collabsurvey.simulation.items import item_model

SE = 4  # sampling errors allowed; the seed is fixed
CLEAN = {"missing_share": 0.0, "cannot_say_share": 0.0, "careless_share": 0.0, "response_rate": 1.0}
ITEMS = [f"q{i}" for i in range(1, 7)]
OTHERS = [f"r{i}" for i in range(1, 5)]


def instrument(span: tuple[float, float]) -> Instrument:
    return instrument_from_scales(
        {"trust": ITEMS, "help": OTHERS}, reverse_keyed=["q2", "q5"], response_range=span
    )


def keyed(cohort: sim.Cohort, items: list[str], span: tuple[float, float]) -> FloatArray:
    """Complete answers (n, k), reversed items turned."""
    values = cohort.answers[items].to_numpy(dtype=float)
    turned = [item in ("q2", "q5") for item in items]
    return np.where(turned, sum(span) - values, values)


def anova_icc(values: FloatArray, size: int) -> float:
    """ICC(1) of groups of equal size that stand one after the other (Bliese, 2000)."""
    groups = values.reshape(-1, size)
    between = size * groups.mean(axis=1).var(ddof=1)
    within = groups.var(axis=1, ddof=1).mean()
    return float((between - within) / (between + (size - 1) * within))


def draw(span: tuple[float, float] = (0, 100), **options: Any) -> sim.Cohort:
    truth = CLEAN | options.pop("truth", {})
    return sim.simulate_cohort(instrument(span), truth=sim.Truth(**truth), **options)


@pytest.mark.parametrize("loading", [0.4, 0.7, 0.9])
def test_latent_alpha_is_spearman_brown(loading: float) -> None:
    cohort = draw(n_schools=4, n_staff=5, waves=1, truth={"loadings": loading})
    implied = cohort.truth.scales.set_index("scale").loc["trust", "alpha_latent"]
    r = loading**2
    assert_allclose(implied, 6 * r / (1 + 5 * r), rtol=1e-10)  # closed form


def test_latent_icc_is_the_share_of_schools_times_the_reliability() -> None:
    truth = {"loadings": 0.6, "icc_school": 0.12, "icc_partnership": 0.08}
    scales = draw(n_schools=4, n_staff=5, waves=1, truth=truth).truth.scales.set_index("scale")
    row = scales.loc["trust"]
    assert_allclose(row["icc_latent"], 0.20 * row["alpha_latent"], rtol=1e-10)  # closed form


@pytest.mark.parametrize("r", [-0.5, 0.05, 0.49, 0.9])
def test_covariance_of_steps_agrees_with_the_bivariate_normal(r: float) -> None:
    cuts, values = np.array([-1.2, -0.3, 0.5, 1.4]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    other_cuts, other_values = np.array([-0.4, 0.9]), np.array([0.0, 4.0, 10.0])
    terms = 600
    series = np.array(
        [step_series(cuts, values, terms), step_series(other_cuts, other_values, terms)]
    )
    found = series_covariance(series, np.array([[0.0, r], [r, 0.0]]))[0, 1]
    # Covariance of two steps: P(both above) - P(above) P(above), summed over the jumps.
    both = stats.multivariate_normal(cov=[[1, r], [r, 1]])
    expected = sum(
        a * b * (both.cdf([-s, -t]) - stats.norm.sf(s) * stats.norm.sf(t))
        for s, a in zip(cuts, np.diff(values), strict=True)
        for t, b in zip(other_cuts, np.diff(other_values), strict=True)
    )
    assert_allclose(found, expected, rtol=1e-6)  # scipy integrates to about 1e-8


def test_moments_of_steps_agree_with_integration() -> None:
    cuts, values = np.array([-1.0, 0.2, 1.5]), np.array([1.0, 3.0, 4.0, 9.0])
    mean, variance = step_moments(cuts, values)
    share = np.diff([0.0, *stats.norm.cdf(cuts), 1.0])
    assert_allclose(mean, np.average(values, weights=share), rtol=1e-10)
    assert_allclose(variance, np.average((values - mean) ** 2, weights=share), rtol=1e-10)


@pytest.mark.parametrize(("span", "steps"), [((0, 100), 100), ((1, 5), 20), ((1, 2), 20)])
def test_alpha_of_answers_is_recovered(span: tuple[float, float], steps: int) -> None:
    truth = {"icc_school": 0.0, "icc_partnership": 0.0, "bounded_steps": steps}
    cohort = draw(span, n_partnerships=1, n_schools=10, n_staff=2000, waves=1, truth=truth, seed=11)
    cov = np.cov(keyed(cohort, ITEMS, span), rowvar=False)
    found = 6 / 5 * (1 - np.trace(cov) / cov.sum())
    row = cohort.truth.scales.set_index("scale").loc["trust"]
    # Feldt (1965): (1 - alpha) / (1 - estimate) is F with n - 1 and (n - 1)(k - 1) df.
    error = (1 - row["alpha"]) * np.sqrt(2 * 6 / (5 * 20_000))
    assert_allclose(found, row["alpha"], atol=SE * error)
    assert row["alpha"] < row["alpha_latent"] or steps == 100


@pytest.mark.parametrize("span", [(0, 100), (1, 4)])
def test_mean_and_sd_of_scores_are_recovered_at_each_wave(span: tuple[float, float]) -> None:
    truth = {
        "icc_school": 0.0,
        "icc_partnership": 0.0,
        "change_per_wave": {"trust": 0.5, "help": -0.5},
        "loadings": {"trust": 0.8, "q3": 0.3},
    }
    cohort = draw(span, n_partnerships=1, n_schools=10, n_staff=1000, waves=2, truth=truth, seed=4)
    for row in cohort.truth.scales.itertuples():
        items = ITEMS if row.scale == "trust" else OTHERS
        scores = keyed(cohort, items, span)[cohort.answers["wave"] == row.wave].mean(axis=1)
        n = len(scores)
        assert_allclose(scores.mean(), row.mean, atol=SE * row.sd / np.sqrt(n))
        assert_allclose(scores.std(ddof=1), row.sd, atol=SE * row.sd / np.sqrt(2 * n))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("span", "scale"), [((0, 100), "trust"), ((1, 5), "trust"), ((1, 5), "help")]
)
def test_icc_by_school_is_recovered(span: tuple[float, float], scale: str) -> None:
    # One partnership for each school, so that schools are independent of each other.
    schools, size = 2000, 30
    cohort = draw(
        span,
        n_partnerships=schools,
        n_schools=schools,
        n_staff=size,
        waves=1,
        truth={"icc_school": 0.15, "icc_partnership": 0.10},
        seed=8,
    )
    scores = keyed(cohort, ITEMS if scale == "trust" else OTHERS, span).mean(axis=1)
    icc = cohort.truth.scales.set_index("scale").loc[scale, "icc"]
    # Fisher's large-sample error of an ANOVA ICC.
    error = (1 - icc) * (1 + (size - 1) * icc) * np.sqrt(2 / (size * (size - 1) * (schools - 1)))
    assert_allclose(anova_icc(scores, size), icc, atol=SE * error)


def test_conditions_have_the_variances_and_correlations_asked_for() -> None:
    truth = sim.Truth(
        icc_school={"trust": 0.2, "help": 0.1},
        icc_partnership=0.3,
        factor_correlations={("help", "trust"): 0.6},
    )
    model = item_model(instrument((1, 5)), truth)
    rng = np.random.default_rng(1)
    where = layout(20_000, 40_000, (1, 1), rng)
    first, second = draw_conditions(model, where, 2, 0.75, rng)
    pairs = first.reshape(-1, 2, 2)  # partnership, school, factor
    within = (pairs[:, 0] - pairs[:, 1]).var(axis=0, ddof=1) / 2
    assert model.factors == ("trust", "help")
    assert_allclose(within, [0.2, 0.1], rtol=SE * np.sqrt(2 / 20_000))
    error = SE * np.sqrt(2 / 20_000)  # schools of one partnership are not independent
    assert_allclose(first.var(axis=0, ddof=1), [0.5, 0.4], rtol=error)
    level = pairs.mean(axis=1)
    shared = 0.3 * 0.6 + np.sqrt(0.2 * 0.1) * 0.6 / 2
    expected = shared / np.sqrt((0.3 + 0.1) * (0.3 + 0.05))
    assert_allclose(np.corrcoef(level.T)[0, 1], expected, atol=SE / np.sqrt(20_000))
    for before, after in zip(first.T, second.T, strict=True):
        assert_allclose(np.corrcoef(before, after)[0, 1], 0.75, atol=SE / np.sqrt(20_000))


def test_a_person_resembles_himself_from_wave_to_wave() -> None:
    truth = {
        "icc_school": 0.0,
        "icc_partnership": 0.0,
        "turnover": 0.0,
        "stability": 0.6,
        "bounded_steps": 100,
    }
    cohort = draw(n_partnerships=1, n_schools=10, n_staff=1000, waves=3, truth=truth, seed=6)
    scores = keyed(cohort, ITEMS, (0, 100)).mean(axis=1)
    waves = [
        dict(zip(cohort.answers["respondent"][rows], scores[rows], strict=True))
        for rows in (cohort.answers["wave"] == wave for wave in (1, 2, 3))
    ]
    people = sorted(waves[0])
    table = np.array([[wave[person] for person in people] for wave in waves])
    alpha = cohort.truth.scales["alpha_latent"].iloc[0]
    # Rounding and the ends of the scale take a little away: half a hundredth.
    expected = np.array([0.6, 0.36]) * alpha
    found = np.corrcoef(table)[0, 1:]
    assert_allclose(found, expected, atol=SE / np.sqrt(10_000) + 0.005)


@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["attainment", "attendance"])
def test_effects_of_true_conditions_are_recovered(outcome: str) -> None:
    truth = {"effects": {"trust": 0.3, "help": -0.2}, "residual_sd": 0.5, "intake_effect": 0.4}
    cohort = draw(n_partnerships=500, n_schools=6000, n_staff=1, waves=1, truth=truth, seed=21)
    assert cohort.outcomes["school"].tolist() == cohort.truth.school_conditions["school"].tolist()
    conditions = cohort.truth.school_conditions[["trust", "help"]].to_numpy()
    X = np.column_stack([np.ones(6000), conditions, cohort.outcomes["intake"]])
    y = cohort.outcomes[outcome].to_numpy()
    below = y < 100  # the few values cut at the highest attendance pull slopes to zero
    coefficients, residual, *_ = np.linalg.lstsq(X, y, rcond=None)
    errors = np.sqrt(residual[0] / (6000 - 4) * np.diag(np.linalg.inv(X.T @ X)))
    effects = cohort.truth.effects.query("outcome == @outcome").set_index("term")["coefficient"]
    expected = effects.loc[["trust", "help", "intake"]].to_numpy()
    pull = (1 - below.mean()) * np.abs(expected)
    assert (np.abs(coefficients[1:] - expected) < SE * errors[1:] + pull).all()


def test_what_a_school_keeps_from_cohort_to_cohort_is_recovered() -> None:
    truth = {"outcome_icc": 0.55, "intake_effect": 0.0}
    cohort = draw(n_partnerships=1, n_schools=4000, n_staff=1, waves=2, truth=truth, seed=2)
    wide = cohort.outcomes.pivot_table(index="school", columns="cohort", values="attainment")
    assert_allclose(wide.corr().iloc[0, 1], 0.55, atol=SE * (1 - 0.55**2) / np.sqrt(4000))
    assert_allclose(wide.std(), 0.8 * 10, rtol=SE / np.sqrt(2 * 4000))


def test_attendance_is_never_above_a_hundred_and_says_how_often_it_was_cut() -> None:
    cohort = draw(n_partnerships=1, n_schools=2000, n_staff=1, waves=1, truth={"residual_sd": 2.0})
    at_top = int((cohort.outcomes["attendance"] == 100).sum())
    assert cohort.outcomes["attendance"].max() == 100
    assert any(note.endswith(f"are cut: {at_top}.") for note in cohort.truth.notes)


def test_without_effects_no_condition_is_named() -> None:
    assert set(draw(n_schools=4, waves=1).truth.effects["term"]) == {"intake"}
