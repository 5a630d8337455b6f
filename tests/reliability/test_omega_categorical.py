"""Categorical omega against semTools, closed forms, and what must hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import special

from collabsurvey.dimensionality.one_factor import OneFactor
from collabsurvey.errors import DataError
from collabsurvey.moments import item_moments
from collabsurvey.moments.resampled import resampler
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.omega import omega
from collabsurvey.reliability.omega_categorical import (
    CATEGORICAL,
    answer_covariances,
    answer_variances,
    categorical_coefficients,
    padded_cuts,
)
from collabsurvey.reliability.omega_solutions import categorical_solution
from collabsurvey.reliability.overview import overview
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset, gold

GOLD = gold("02_reliability")
# lavaan's WLSMV estimates stop at about 1e-7; omegas hardly depend on their last digits.
LAVAAN = 2e-6


def bfi(frame: pd.DataFrame | None = None, **roles: str) -> Responses:
    return from_frame(
        dataset("bfi") if frame is None else frame,
        scales=BFI_SCALES,
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
        roles=roles,
    )


def likert(n: int = 400, cuts: tuple[float, ...] = (-1, 0, 1), seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = 0.7 * rng.standard_normal((n, 1)) + 0.7 * rng.standard_normal((n, 5))
    return pd.DataFrame(np.digitize(x, cuts) + 1, columns=list("abcde"))


def values(result: Any) -> pd.Series:
    return result.to_frame().set_index("coefficient")["estimate"]


@pytest.mark.parametrize("scale", list(BFI_SCALES))
def test_every_coefficient_matches_semtools(scale: str) -> None:
    expected = GOLD[f"ordinal_alpha_bfi_{scale}"]["values"]
    result = omega(bfi(), scale, kind="categorical", ci="none")
    ours = values(result)
    table = expected["semTools_reliability_wlsmv"]
    theirs = dict(zip(table["rows"], [row[0] for row in table["data"]], strict=True))
    assert_allclose(result.estimate, expected["compRelSEM_ordscale_TRUE"]["f"], atol=LAVAAN)
    assert_allclose(ours["omega_categorical"], theirs["omega3"], atol=LAVAAN)
    assert_allclose(ours["omega_categorical_model"], theirs["omega"], atol=LAVAAN)
    assert_allclose(ours["omega_latent"], expected["compRelSEM_ordscale_FALSE"]["f"], atol=LAVAAN)
    assert_allclose(ours["ordinal_alpha"], expected["ordinal_alpha_lavCor"], atol=LAVAAN)
    assert_allclose(ours["ordinal_alpha"], theirs["alpha.ord"], atol=LAVAAN)
    # psych rounds its correlations on the way, to about 2e-5.
    psych = expected["ordinal_alpha_psych"][0]["std.alpha"]
    assert_allclose(ours["ordinal_alpha"], psych, atol=2e-5)
    assert_allclose(ours["ave_latent"], theirs["avevar"], atol=LAVAAN)


def test_the_latent_omega_is_never_the_estimate() -> None:
    result = omega(bfi(), "neuro", kind="categorical", ci="none")
    assert result.coefficient == "omega_categorical"
    model = omega(bfi(), "neuro", kind="categorical", denominator="model", ci="none")
    assert model.coefficient == "omega_categorical_model"
    assert model.denominator == "model"
    assert "not of the scale score" in result.summary()


def solution(lam: FloatArray, cuts: list[FloatArray]) -> dict[str, float]:
    cor = np.outer(lam, lam)
    np.fill_diagonal(cor, 1.0)
    k = len(lam)
    fit = OneFactor(
        lam[None], 1 - lam[None] ** 2, np.zeros(1), np.ones(1, bool), np.zeros((1, k), bool)
    )
    padded = padded_cuts(cuts, [np.arange(len(own) + 1.0) for own in cuts])
    found = categorical_coefficients(padded, cor[None], fit)[0]
    return dict(zip(CATEGORICAL, found, strict=True))


def test_halves_of_yes_and_no_have_a_closed_form() -> None:
    """Cut at zero, P(both below) is 1/4 + arcsin(r) / 2π (Sheppard, 1899)."""
    lam = np.array([0.5, 0.7, 0.8])
    ours = solution(lam, [np.zeros(1)] * 3)
    shared = np.arcsin(np.outer(lam, lam)) / (2 * np.pi)
    whole = shared.sum() - np.trace(shared) + 3 / 4
    assert_allclose(ours["omega_categorical"], shared.sum() / whole, rtol=1e-10)
    assert_allclose(ours["omega_categorical_model"], ours["omega_categorical"], rtol=1e-10)


@given(lam=st.lists(st.floats(0.3, 0.9), min_size=3, max_size=6))
@settings(max_examples=15, deadline=None)
def test_many_answers_give_the_omega_of_the_latent_responses(lam: list[float]) -> None:
    loadings = np.array(lam)
    cuts = [np.linspace(-3.5, 3.5, 60)] * len(lam)  # equal steps: the sum is nearly the latent one
    ours = solution(loadings, cuts)
    assert_allclose(ours["omega_categorical"], ours["omega_latent"], atol=5e-3)


@given(
    rho=st.floats(-0.95, 0.95),
    a=st.lists(st.floats(-2, 2), min_size=1, max_size=4, unique=True),
    b=st.lists(st.floats(-2, 2), min_size=1, max_size=4, unique=True),
)
@settings(max_examples=40, deadline=None)
def test_covariances_are_those_of_the_cut_normal(
    rho: float, a: list[float], b: list[float]
) -> None:
    """Against Gauss-Hermite quadrature of the mean of one answer given the other's latent value."""
    cuts = [np.sort(a), np.sort(b)]
    codes = [np.cumsum(np.arange(1.0, len(own) + 2)) for own in cuts]  # unequal steps
    latent = np.array([[[0.5, rho], [rho, 0.5]]])
    found = answer_covariances(padded_cuts(cuts, codes), latent)[0]
    edges = np.concatenate([[-9], cuts[0], [9]])
    nodes, weights = np.polynomial.legendre.leggauss(60)
    mean_1 = mean_2 = product = 0.0
    for low, high, code in zip(edges[:-1], edges[1:], codes[0], strict=True):
        x = (high - low) / 2 * nodes + (high + low) / 2
        w = weights * (high - low) / 2 * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        above = special.ndtr((rho * x[:, None] - cuts[1]) / np.sqrt(1 - rho**2))
        given_x = codes[1][0] + above @ np.diff(codes[1])
        mean_1 += code * w.sum()
        mean_2 += (w * given_x).sum()
        product += code * (w * given_x).sum()
    assert_allclose(found[0, 1], product - mean_1 * mean_2, atol=2e-6)


def test_variances_are_those_of_the_answers() -> None:
    cuts = [np.array([-0.3, 0.4]), np.array([0.1])]
    codes = [np.array([1.0, 2.0, 5.0]), np.array([0.0, 2.0])]
    p = np.diff(special.ndtr(np.array([-np.inf, -0.3, 0.4, np.inf])))
    mean = p @ codes[0]
    expected = [p @ (codes[0] - mean) ** 2, 4 * special.ndtr(0.1) * special.ndtr(-0.1)]
    assert_allclose(answer_variances(padded_cuts(cuts, codes))[0], expected, rtol=1e-12)


def test_a_reversed_item_changes_nothing() -> None:
    frame = dataset("bfi")
    plain = omega(bfi(frame), "neuro", kind="categorical", n_boot=100)
    frame["N2"] = 7 - frame["N2"]
    turned = from_frame(
        frame, scales=BFI_SCALES, reverse_keyed=[*BFI_REVERSED, "N2"], response_range=(1, 6)
    )
    result = omega(turned, "neuro", kind="categorical", n_boot=100)
    assert_allclose(values(result), values(plain), rtol=1e-7)
    assert_allclose([result.ci_low, result.ci_high], [plain.ci_low, plain.ci_high], rtol=1e-7)


def test_unused_answers_leave_a_step() -> None:
    """Nobody chose 4: passing from 3 to 5 adds two, so the score's omega differs from 1 … 4."""
    gap = likert(cuts=(-1, 0, 0.8)).replace({4: 5})
    result = omega(from_frame(gap, scales={"s": list("abcde")}), "s", kind="categorical", ci="none")
    close = likert(cuts=(-1, 0, 0.8))
    other = omega(
        from_frame(close, scales={"s": list("abcde")}), "s", kind="categorical", ci="none"
    )
    assert abs(result.estimate - other.estimate) > 1e-4
    assert_allclose(values(result)["omega_latent"], values(other)["omega_latent"], rtol=1e-10)


@pytest.mark.parametrize("kind", ["four answers", "two answers", "two and four"])
def test_the_sample_as_a_resample_is_the_sample(kind: str) -> None:
    two, four = likert(cuts=(0.2,)), likert()
    frame = {"four answers": four, "two answers": two, "two and four": two.assign(b=four["b"])}[
        kind
    ]
    responses = from_frame(frame, scales={"s": list("abcde")})
    moments = item_moments(responses, "s")
    found = categorical_solution("s", responses, moments.items, moments)
    source = resampler(responses, list("abcde"), cluster=None, keyed=False)
    again = found.statistic(source, False)(np.ones((1, len(frame))))
    assert again.std_errors is None
    assert_allclose(again.values[0], found.estimates, rtol=1e-6)


def test_interval_over_respondents_and_schools() -> None:
    frame = likert(600).assign(school=np.arange(600) % 15)
    apart = omega(from_frame(frame, scales={"s": list("abcde")}), "s", kind="categorical")
    assert apart.ci_method == "percentile"
    assert apart.ci_low < apart.estimate < apart.ci_high
    schools = from_frame(frame, scales={"s": list("abcde")}, roles={"cluster": "school"})
    over = omega(schools, "s", kind="categorical")
    assert (over.ci_method, over.n_clusters) == ("jackknife", 15)
    assert over.ci_low < over.estimate < over.ci_high
    assert over.summary().startswith(f"Categorical omega of s: {over.estimate:.2f} (95% CI 0.")


def test_weights_are_applied() -> None:
    frame = likert().assign(w=1.0)
    frame.loc[::3, "w"] = 2.0
    twice = pd.concat([frame, frame[frame["w"] == 2]])
    weighted = from_frame(frame, scales={"s": list("abcde")}, roles={"weight": "w"})
    doubled = from_frame(twice, scales={"s": list("abcde")})
    ours, theirs = (
        values(omega(one, "s", kind="categorical", ci="none")) for one in (weighted, doubled)
    )
    assert_allclose(ours, theirs, rtol=1e-6)


def test_copies_are_refused_by_name() -> None:
    frame = likert().assign(b=lambda f: f["a"])
    responses = from_frame(frame, scales={"s": list("abcde")})
    with pytest.raises(DataError, match="a with b are perfectly associated"):
        omega(responses, "s", kind="categorical")


def test_resamples_without_a_rare_answer_still_count() -> None:
    frame = likert(150)
    frame.loc[0, "a"] = 5  # one respondent: absent from a third of the resamples
    responses = from_frame(frame, scales={"s": list("abcde")})
    result = omega(responses, "s", kind="categorical", n_boot=200)
    assert result.n_failed == 0
    assert result.ci_low < result.estimate < result.ci_high


def test_too_many_answers_are_refused() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).standard_normal((60, 4)), columns=list("abcd"))
    with pytest.raises(DataError, match="different answers"):
        omega(from_frame(frame, scales={"s": list("abcd")}), "s", kind="categorical")


def two_parts(n: int = 800) -> pd.DataFrame:
    """Ordinal items of two nearly unrelated parts, the second smaller."""
    rng = np.random.default_rng(8)
    parts = rng.standard_normal((n, 2))
    x = parts[:, [0, 0, 0, 0, 1, 1, 1, 1]] * 1.6 + rng.standard_normal((n, 8))
    x += 0.8 * rng.standard_normal((n, 1))
    codes = np.digitize(x, [-1.5, 0, 1.5]) + 1
    return pd.DataFrame(codes, columns=list("abcdefgh"))


def test_a_misfit_of_one_factor_is_said() -> None:
    responses = from_frame(two_parts(), scales={"s": list("abcdefgh")}, response_range=(1, 4))
    result = omega(responses, "s", kind="categorical", ci="none")
    values = result.to_frame().set_index("coefficient")["estimate"]
    assert abs(values["omega_categorical"] - values["omega_categorical_model"]) > 0.02
    text = " ".join(result.notes)
    assert "One factor does not hold these items together" in text
    assert f"root mean square residual {result.fit['srmr']:.3f}" in text
    row = overview(responses)
    assert row.to_frame()["omega_categorical"].isna().all()
    assert row.to_frame()["omega_total"].notna().all()
    assert any(note.startswith("No categorical omega for s: one factor") for note in row.notes)


def test_a_fitting_factor_has_no_caution() -> None:
    responses = from_frame(likert(), scales={"s": list("abcde")})
    result = omega(responses, "s", kind="categorical", ci="none")
    assert any("root mean square residual" in note for note in result.notes)
    assert not any("does not hold" in note for note in result.notes)
