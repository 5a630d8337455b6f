"""Reliability of change against psych (lme4 and aov), and the REML of crossed effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
    WeightsNotAppliedError,
)
from collabsurvey.multilevel.change import change_reliability
from collabsurvey.numerics.variance_components import (
    criterion,
    crossed_reml,
    patterns_of,
    shared_effects,
)
from collabsurvey.responses import from_frame
from support import dataset, gold

STORED = gold("07_multilevel_aggregation")["mlr_univbct"]["values"]
ITEMS = ["JSAT", "COMMIT", "READY"]
OPTIMUM = 1e-3  # lme4 with its default tolerances, as psych calls it
RTOL = 1e-8
SOURCES = {
    "person": "ID",
    "time": "Time",
    "item": "Items",
    "person × time": "ID x time",
    "person × item": "ID x items",
    "time × item": "time x items",
    "residual": "Residual",
}


def complete() -> pd.DataFrame:
    return dataset("univbct_long").dropna(subset=ITEMS)


def test_components_are_lme4s() -> None:
    result = change_reliability(complete(), ITEMS, "SUBNUM", "TIME")
    assert result.converged
    assert result.n_answers == STORED["n_rows"] * 3
    stored = {row["_row"]: row["variance"] for row in STORED["lmer_components"]}
    frame = result.components_frame.set_index(["design", "source"])["variance"]
    for ours, theirs in SOURCES.items():
        # lme4 leaves 1e-8 of the variance of time; ours is at its bound.
        assert_allclose(frame["crossed", ours], stored[theirs], rtol=OPTIMUM, atol=1e-7)
    nested = {"person": "id", "person × time": "id(time)", "residual": "residual"}
    for ours, theirs in nested.items():
        assert_allclose(frame["nested", ours], stored[theirs], rtol=OPTIMUM)


@pytest.mark.parametrize("name", ["RkF", "R1R", "RkR", "Rc", "RkRn", "Rcn"])
def test_coefficients_are_psychs(name: str) -> None:
    result = change_reliability(complete(), ITEMS, "SUBNUM", "TIME")
    assert_allclose(result.estimate(name), STORED[name], rtol=OPTIMUM)
    row = result.to_frame().set_index("coefficient").loc[name]
    assert row["ci_low"] < row["estimate"] < row["ci_high"]


def test_analysis_of_variance_is_aovs() -> None:
    """Sequential sums of squares of unbalanced rows, in aov's order."""
    frame = change_reliability(complete(), ITEMS, "SUBNUM", "TIME").anova
    assert frame is not None
    for ours, theirs in zip(frame.itertuples(), STORED["ANOVA"], strict=True):
        assert ours.df == theirs["Df"]
        assert_allclose(ours.ss, theirs["Sum Sq"], rtol=RTOL)
        assert_allclose(ours.ms, theirs["Mean Sq"], rtol=RTOL)


def kernels(t: int, m: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    def ones(n: int) -> np.ndarray:
        return np.ones((n, n))

    within = {
        "p": np.ones((t * m, t * m)),
        "pt": np.kron(np.eye(t), ones(m)),
        "pi": np.kron(ones(t), np.eye(m)),
        "e": np.eye(t * m),
    }
    across = {"t": within["pt"], "i": within["pi"], "ti": within["e"]}
    return within, across


def answers(seed: int, *, holes: bool) -> np.ndarray:
    generator = np.random.default_rng(seed)
    y = generator.standard_normal((12, 1, 1)) + 0.7 * generator.standard_normal((12, 2, 1))
    y = y + 0.5 * generator.standard_normal((12, 1, 3)) + 0.6 * generator.standard_normal((1, 1, 3))
    y = (y + generator.standard_normal((12, 2, 3))).reshape(12, 6)
    if holes:
        y[generator.random(y.shape) < 0.2] = np.nan
        y[0] = np.nan
    return y


@pytest.mark.parametrize("holes", [False, True])
def test_criterion_is_the_restricted_likelihood_of_the_rows(holes: bool) -> None:
    y = answers(1, holes=holes)
    within, across = kernels(2, 3)
    generator = np.random.default_rng(2)
    variances = generator.uniform(0.2, 1, 7)
    w = sum(v * k for v, k in zip(variances[:4], within.values(), strict=True))
    c = sum(v * k for v, k in zip(variances[4:], across.values(), strict=True))
    value, slope_w, slope_c = criterion(patterns_of(y), w, c)
    p, cell = np.nonzero(~np.isnan(y))
    cov = c[np.ix_(cell, cell)] + (p[:, None] == p) * w[np.ix_(cell, cell)]
    one = np.ones(len(p))
    inverse = np.linalg.inv(cov)
    rest = y[p, cell] - (one @ inverse @ y[p, cell]) / (one @ inverse @ one)
    direct = np.linalg.slogdet(cov)[1] + np.log(one @ inverse @ one) + rest @ inverse @ rest
    assert_allclose(value, direct, rtol=1e-10)
    effects, mean, _ = shared_effects(patterns_of(y), w, c)
    blup = c[:, cell] @ inverse @ rest
    assert_allclose(effects, blup, rtol=1e-8, atol=1e-10)
    assert_allclose(mean, (one @ inverse @ y[p, cell]) / (one @ inverse @ one))
    slopes = [(slope_w * k).sum() for k in within.values()]
    slopes += [(slope_c * k).sum() for k in across.values()]
    for j, step in enumerate(1e-5 * np.eye(7)):
        pair = []
        for moved in (variances + step, variances - step):
            moved_w = sum(v * k for v, k in zip(moved[:4], within.values(), strict=True))
            moved_c = sum(v * k for v, k in zip(moved[4:], across.values(), strict=True))
            pair.append(criterion(patterns_of(y), moved_w, moved_c)[0])
        assert_allclose(slopes[j], (pair[0] - pair[1]) / 2e-5, rtol=1e-5, atol=1e-5)


@settings(max_examples=10)
@given(seed=st.integers(0, 100), holes=st.booleans())
def test_the_optimum_is_one(seed: int, holes: bool) -> None:
    """Slopes vanish for components above zero, and rise at zero."""
    patterns = patterns_of(answers(seed, holes=holes))
    within, across = kernels(2, 3)
    found = crossed_reml(patterns, within, across)
    assert found.converged
    variances = dict(zip(found.names, found.variances, strict=True))
    w = sum(variances[name] * kernel for name, kernel in within.items())
    c = sum(variances[name] * kernel for name, kernel in across.items())
    _, slope_w, slope_c = criterion(patterns, w, c)
    for name, kernel in (within | across).items():
        slope = ((slope_w if name in within else slope_c) * kernel).sum()
        if variances[name] > 0:
            assert abs(slope) * variances[name] < 1e-3
        else:
            assert slope > -1e-3


def test_every_answer_counts_and_rows_do_not_need_order() -> None:
    frame = dataset("univbct_long")
    result = change_reliability(frame, ITEMS, "SUBNUM", "TIME")
    assert result.n_answers == int(frame[ITEMS].notna().sum().sum())
    assert result.anova is None
    assert any("Rows without a person, an occasion or any answer" in n for n in result.notes)
    again = change_reliability(frame.sample(frac=1, random_state=1), ITEMS[::-1], "SUBNUM", "TIME")
    assert_allclose(again.to_frame()["estimate"], result.to_frame()["estimate"], rtol=1e-5)
    assert "No variance is left for time (crossed design)" in result.summary()
    assert "RkRn" in result.chart().to_svg()


def diary(seed: int = 1) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    person, day = np.divmod(np.arange(40 * 5), 5)
    mood = generator.standard_normal(40)[person] + 0.8 * generator.standard_normal(200)
    frame = pd.DataFrame({"who": person, "day": day})
    for item in ("a", "b", "c"):
        answer = 4 + mood + 0.7 * generator.standard_normal(200)
        frame[item] = np.clip(np.round(answer), 1, 7)
    return frame


def made(frame: pd.DataFrame, **options: Any) -> Any:
    options = {"roles": {"respondent": "who", "wave": "day"}} | options
    return from_frame(frame, scales={"s": ["a", "b", "c"]}, **options)


def test_responses_bring_roles_and_keys() -> None:
    frame = diary()
    plain = change_reliability(frame, ["a", "b", "c"], "who", "day")
    turned = frame.assign(b=8 - frame["b"])
    responses = made(turned, reverse_keyed=["b"], response_range=(1, 7))
    keyed = change_reliability(responses, "s")
    assert_allclose(keyed.to_frame()["estimate"], plain.to_frame()["estimate"], rtol=1e-5)
    with pytest.raises(DataError, match="range of answers to a reversed item"):
        change_reliability(made(turned, reverse_keyed=["b"]), "s")


@pytest.mark.slow
def test_intervals_cover_the_truth() -> None:
    """Change of 0.64 against errors of 0.49 / 3, without rounding to whole answers."""
    truth = 0.64 / (0.64 + 0.49 / 3)
    hits = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        mood = generator.standard_normal((40, 1, 1)) + 0.8 * generator.standard_normal((40, 5, 1))
        y = (mood + 0.7 * generator.standard_normal((40, 5, 3))).reshape(200, 3)
        frame = pd.DataFrame(y, columns=["a", "b", "c"])
        frame["who"], frame["day"] = np.divmod(np.arange(200), 5)
        row = change_reliability(frame, ["a", "b", "c"], "who", "day").to_frame()
        row = row.set_index("coefficient").loc["Rc"]
        hits += row["ci_low"] <= truth <= row["ci_high"]
    assert 88 <= hits <= 100  # 95 % of 100, within three binomial standard errors


def test_bad_input_is_refused() -> None:
    frame = diary()
    items = ["a", "b", "c"]
    with pytest.raises(DataError, match="have several rows for one time × item"):
        change_reliability(pd.concat([frame, frame.head(1)]), items, "who", "day")
    with pytest.raises(NotEnoughDataError, match="different values of 'time'"):
        change_reliability(frame[frame["day"] == 0], items, "who", "day")
    with pytest.raises(NotEnoughDataError, match="different values of 'item'"):
        change_reliability(frame, "a", "who", "day")
    with pytest.raises(NoVarianceError, match="every answer"):
        change_reliability(frame.assign(a=1, b=1, c=1), items, "who", "day")
    with pytest.raises(OptionError, match="person=None"):
        change_reliability(frame, items)
    with pytest.raises(UnknownNameError, match="has no column 'when'"):
        change_reliability(frame, items, "who", "when")
    with pytest.raises(DataError, match="needs the role 'wave'"):
        change_reliability(made(frame[frame["day"] == 0], roles={"respondent": "who"}), "s")
    with pytest.raises(WeightsNotAppliedError, match="change_reliability"):
        roles = {"respondent": "who", "wave": "day", "weight": "w"}
        change_reliability(made(frame.assign(w=1.0), roles=roles), "s")
    many = pd.DataFrame({"who": np.repeat([1, 2], 300), "day": np.tile(np.arange(300), 2)})
    many[["a", "b"]] = np.random.default_rng(1).standard_normal((600, 2))
    with pytest.raises(OptionError, match="at most 400 cells"):
        change_reliability(many, ["a", "b"], "who", "day")
