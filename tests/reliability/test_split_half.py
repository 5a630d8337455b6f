"""Split halves against psych, formulas and a search by hand; what must hold; bad input."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import NotEnoughItemsError, OptionError
from collabsurvey.numerics.itemstats import coefficient_alpha
from collabsurvey.numerics.split_halves import (
    every_half,
    exchanged,
    extremes,
    psych_halves,
    sampled_halves,
    split_coefficients,
)
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.split_half import split_half
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset, gold

Engine = Callable[[pd.DataFrame], Any]
RTOL = 1e-8  # closed forms; the stored values have 15 digits
GOLD = gold("02_reliability")


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def bfi(engine: Engine = as_is) -> Responses:
    return from_frame(
        engine(dataset("bfi")),
        scales={**BFI_SCALES, "two": ["A2", "A3", "N1", "N2"]},
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
    )


def random_covariances(k: int, seed: int) -> FloatArray:
    root = np.random.default_rng(seed).standard_normal((k, 3 * k))
    return np.asarray(root @ root.T + 2 * np.ones((k, k)))


@pytest.mark.parametrize("scale", BFI_SCALES)
def test_splits_of_psych_and_odd_even_halves(engine: Engine, scale: str) -> None:
    expected = GOLD[f"splithalf_bfi_{scale}"]["values"]
    found = split_half(bfi(engine), scale, standardised=True, splits="psych")
    assert_allclose(found.best, expected["max"], rtol=RTOL)
    assert_allclose(found.worst, expected["min"], rtol=RTOL)
    assert_allclose(found.mean, expected["mean"], rtol=RTOL)
    assert_allclose(found.alpha, expected["alpha"], rtol=RTOL)
    for name in ("odd_even_r", "spearman_brown", "guttman_flanagan"):
        assert_allclose(getattr(found, name), expected[name], rtol=RTOL)
    assert any("The 5 splits that psych tries, of 10" in note for note in found.notes)


def test_all_splits_by_hand() -> None:
    answers = dataset("bfi")[BFI_SCALES["agree"]].dropna().assign(A1=lambda x: 7 - x["A1"])
    values, halves = [], []
    for first in combinations(answers.columns, 2):
        a = answers[list(first)].sum(axis=1)
        b = answers.drop(columns=list(first)).sum(axis=1)
        values.append(1 - (a - b).var() / (a + b).var())  # Rulon
        halves.append(set(first))
    found = split_half(bfi(), "agree")
    assert_allclose([found.best, found.worst], [max(values), min(values)], rtol=1e-10)
    assert_allclose(found.mean, np.mean(values), rtol=1e-10)
    assert_allclose(found.quantiles[0.25], np.quantile(values, 0.25), rtol=1e-10)
    assert set(found.best_halves[0]) == halves[int(np.argmax(values))]
    assert set(found.worst_halves[0]) == halves[int(np.argmin(values))]
    assert found.rulon == found.guttman_flanagan


@pytest.mark.parametrize("k", range(2, 9))
def test_each_split_comes_once(k: int) -> None:
    halves = every_half(k)
    assert (halves.sum(axis=1) == k // 2).all()
    splits = {frozenset((tuple(h), tuple(1 - h))) for h in halves}
    assert len(splits) == len(halves) == comb(k, k // 2) // (1 if k % 2 else 2)
    assert len(psych_halves(k)) == max(comb(k, k // 2) // 2, 1)


@given(seed=st.integers(0, 10_000), k=st.integers(2, 9))
def test_the_mean_of_all_splits_is_alpha(seed: int, k: int) -> None:
    cov = random_covariances(k, seed)
    mean = split_coefficients(cov[None], every_half(k)).mean()
    shrunk = 1.0 if k % 2 == 0 else 1 - 1 / k**2  # Cronbach (1951); Raju (1970)
    assert_allclose(mean, coefficient_alpha(cov) * shrunk, rtol=1e-9)


@given(seed=st.integers(0, 10_000))
def test_the_search_finds_the_best_split_of_ten_items(seed: int) -> None:
    covs = np.stack([random_covariances(10, seed + b) for b in range(3)])
    best, worst, _, _, _ = extremes(covs, every_half(10), search=False)
    found = extremes(covs, sampled_halves(10, 60, seed=1), search=True)
    # A local maximum of exchanges; never above the best, and hardly ever below it.
    assert (found[0] <= best + 1e-12).all()
    assert (found[1] >= worst - 1e-12).all()
    assert_allclose(found[0], best, atol=0.02)
    assert_allclose(found[1], worst, atol=0.02)


def test_exchanges_reach_two_clear_halves() -> None:
    cov = np.eye(20) + 0.2
    cov[:10, :10] += 0.5
    cov[10:, 10:] += 0.5
    start = sampled_halves(20, 5, seed=2)
    apart = exchanged(-np.broadcast_to(cov, (5, 20, 20)), start)  # the worst split parts them
    assert (np.abs(apart[:, :10].sum(axis=1) - 5) == 5).all()


def test_a_scale_of_two_parts_has_a_low_worst_split() -> None:
    found = split_half(bfi(), "two")
    assert found.worst < 0.3 < found.alpha
    assert {frozenset(half) for half in found.worst_halves} == {
        frozenset({"A2", "A3"}),
        frozenset({"N1", "N2"}),
    }


def test_many_items_are_sampled_with_a_seed() -> None:
    frame = pd.DataFrame(np.random.default_rng(1).standard_normal((200, 20)))
    frame = (frame + np.random.default_rng(2).standard_normal((200, 1))).rename(
        columns="i{}".format
    )
    responses = from_frame(frame, scales={"s": list(frame)})
    first = split_half(responses, "s", n_splits=500)
    again = split_half(responses, "s", n_splits=500)
    assert (first.mean, first.best) == (again.mean, again.best)
    assert not first.all_splits
    assert any("500 splits of 20 items drawn at random" in note for note in first.notes)
    assert first.best >= first.values.max() - 1e-12
    # 20 items: the mean of all splits is alpha, the mean of 500 nearly so.
    assert_allclose(first.mean, first.alpha, atol=0.002)
    interval = split_half(responses, "s", n_splits=200, ci="bootstrap", n_boot=100).to_frame()
    assert (interval["ci_low"] < interval["ci_high"]).all()


def test_intervals() -> None:
    found = split_half(bfi(), "agree", ci="jackknife").to_frame().set_index("coefficient")
    assert (found["ci_low"] < found["estimate"]).all()
    assert found.loc["spearman_brown", "ci_high"] < 0.75


def test_two_items_have_one_split() -> None:
    found = split_half(bfi(), ["A2", "A3"])
    assert found.best == found.worst == found.mean
    assert_allclose(found.best, found.alpha, rtol=1e-12)


def test_bad_input() -> None:
    with pytest.raises(NotEnoughItemsError, match="Split-half needs at least 2 items"):
        split_half(bfi(), ["A1"])
    with pytest.raises(OptionError, match="splits='some' is not possible"):
        split_half(bfi(), "agree", splits="some")
    with pytest.raises(OptionError, match="n_splits=5 is not possible"):
        split_half(bfi(), "agree", n_splits=5)


def test_summary_and_chart() -> None:
    found = split_half(bfi(), "agree")
    text = found.summary()
    assert text.startswith("Split-half reliability of agree\n")
    assert "Guttman–Flanagan of odd and even items      0.69" in text
    assert set(found.to_frame()["scale"]) == {"agree"}
    assert set(found.to_frame()["n_respondents"]) == {found.n_respondents}
    assert "ci low" in split_half(bfi(), "agree", ci="jackknife").summary()
    assert "10 splits from 0.60 to 0.74" in found.chart().description
    assert "coefficient of the split" in found.chart().to_svg()
