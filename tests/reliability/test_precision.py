"""Precision of a person's score: formulas, the error by score, reliable change, bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, FewClustersWarning, NotEnoughItemsError, OptionError
from collabsurvey.reliability.alpha import alpha
from collabsurvey.reliability.glb import glb
from collabsurvey.reliability.guttman import guttman
from collabsurvey.reliability.precision import precision, reliable_change
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset, gold

Engine = Callable[[pd.DataFrame], Any]
GOLD = gold("02_reliability")
BINARY = ["E1r", "E2r", "E3", "E4", "E5"]


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def bfi(engine: Engine = as_is, **options: object) -> Responses:
    return from_frame(
        engine(dataset("bfi")),
        scales=BFI_SCALES,
        **{"reverse_keyed": BFI_REVERSED, "response_range": (1, 6), **options},
    )


@pytest.mark.parametrize("scale", BFI_SCALES)
def test_sem_matches_psychometric_and_alpha(engine: Engine, scale: str) -> None:
    expected = GOLD[f"alpha_listwise_bfi_{scale}"]["values"]
    found = precision(bfi(engine), scale, score="sum")
    assert_allclose(found.sem, expected["sem_raw"], rtol=1e-8)
    mean = precision(bfi(), scale)
    assert_allclose(mean.sem, alpha(bfi(), scale).sem, rtol=1e-10)
    assert_allclose(mean.sem * 5, found.sem, rtol=1e-12)
    assert_allclose(found.sdc, 1.959963984540054 * np.sqrt(2) * found.sem, rtol=1e-10)
    assert found.sem_low < found.sem < found.sem_high
    assert_allclose(found.score_sd / 5, expected["total"][0]["sd"], rtol=1e-8)
    assert (found.lowest, found.highest) == (5, 30)


@pytest.mark.parametrize("score", ["mean", "sum"])
def test_errors_by_score_average_to_the_sem(score: str) -> None:
    for reliability in ("alpha", 0.8):
        found = precision(bfi(), "consc", score=score, reliability=reliability)
        levels = found.levels
        assert levels["n"].sum() == found.n_respondents
        average = (levels["n"] * levels["sem"] ** 2).sum() / levels["n"].sum()
        assert_allclose(average, found.sem**2, rtol=1e-10)
        keats = (levels["n"] * levels["sem_keats"] ** 2).sum() / levels["n"].sum()
        assert_allclose(keats, found.sem**2, rtol=1e-10)


def test_two_answers_give_lords_binomial_error() -> None:
    responses = from_frame(dataset("bfi_extra_binary"), scales={"e": BINARY})
    found = precision(responses, "e", score="sum")
    x = found.levels["score"].to_numpy()
    assert x.tolist() == [0, 1, 2, 3, 4, 5]
    assert_allclose(found.levels["sem_multinomial"], np.sqrt(x * (5 - x) / 4), atol=1e-12)


def test_the_interval_is_that_of_the_error_variance() -> None:
    # Independent normal errors of equal variance: (n - 1)(k - 1) MS / sigma² is chi squared.
    inside = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        x = generator.standard_normal((120, 1)) + generator.standard_normal((120, 4))
        frame = pd.DataFrame(x, columns=list("abcd"))
        found = precision(from_frame(frame, scales={"s": list("abcd")}), "s", score="sum")
        inside += found.sem_low < 2 < found.sem_high
    assert 88 <= inside <= 99  # 95 of 100, within three standard errors


def test_a_reliability_can_be_given() -> None:
    given = precision(bfi(), "agree", reliability=0.9)
    assert_allclose(given.sem, given.score_sd * np.sqrt(0.1), rtol=1e-12)
    assert any("is taken as known" in note for note in given.notes)
    bound = glb(bfi(), "agree")
    found = precision(bfi(), "agree", reliability=bound)
    assert found.reliability == bound.estimate
    assert "GlbResult 0.742" in found.to_frame().loc[0, "formula"]
    assert found.sem < precision(bfi(), "agree").sem


def test_clusters_and_weights() -> None:
    frame = dataset("bfi").assign(school=lambda x: x.index % 40, w=lambda x: 1.0 + x.index % 2)
    weighted = precision(
        from_frame(
            frame,
            scales=BFI_SCALES,
            reverse_keyed=BFI_REVERSED,
            response_range=(1, 6),
            roles={"cluster": "school", "weight": "w"},
        ),
        "agree",
    )
    assert weighted.n_clusters == 40
    assert any("jackknife over 40 clusters (school)" in note for note in weighted.notes)
    few = from_frame(
        frame.assign(school=frame.index % 4),
        scales={"s": ["A2", "A3"]},
        roles={"cluster": "school"},
    )
    with pytest.warns(FewClustersWarning, match="Only 4 clusters"):
        precision(few, "s")


def test_reliable_change_is_jacobson_and_truax() -> None:
    # Jacobson & Truax (1991), p. 14: 32.5 after 47.5, sd 10, reliability .80: index -2.37 by
    # their rounding of S_diff = sqrt(2 (10 sqrt(.20))²) = 6.32.
    found = reliable_change([47.5, 47.5, np.nan], [32.5, 45.0, 40.0], sem=10 * np.sqrt(0.2))
    assert_allclose(found["rci"][0], -15 / 6.324555320336759, rtol=1e-12)
    assert round(found["rci"][0], 2) == -2.37
    assert found["verdict"].tolist() == ["lower", "no reliable change", ""]
    result = precision(bfi(), "agree")
    own = result.reliable_change([4.0], [4.0 + 1.001 * result.sdc])
    assert own["verdict"].tolist() == ["higher"]


def test_intervals_of_persons() -> None:
    result = precision(bfi(), "agree")
    found = result.person_interval([result.score_mean, 6.0])
    assert_allclose(found["true_score"][0], result.score_mean)
    assert_allclose(found["ci_high"] - found["score"], 1.959963984540054 * result.sem)
    assert found["true_score"][1] < 6
    assert (found["true_high"] - found["true_score"] < found["ci_high"] - found["score"]).all()


def test_many_different_scores_are_put_in_classes() -> None:
    generator = np.random.default_rng(1)
    x = generator.standard_normal((300, 1)) + generator.standard_normal((300, 3))
    found = precision(
        from_frame(pd.DataFrame(x, columns=list("abc")), scales={"s": list("abc")}), "s"
    )
    assert len(found.levels) <= 20
    assert any("300 different scores are put together" in note for note in found.notes)


def test_negative_alpha_makes_the_error_larger_than_the_spread() -> None:
    generator = np.random.default_rng(3)
    a = generator.standard_normal(100)
    frame = pd.DataFrame({"a": a, "b": 0.3 * generator.standard_normal(100) - 0.5 * a})
    found = precision(from_frame(frame, scales={"s": ["a", "b"]}), "s")
    assert found.sem > found.score_sd
    assert any("reliability is below zero" in note for note in found.notes)


def test_copies_have_no_error() -> None:
    frame = pd.DataFrame({"a": [1.0, 2, 3, 5], "b": [1.0, 2, 3, 5]})
    found = precision(from_frame(frame, scales={"s": ["a", "b"]}), "s")
    assert_allclose(found.sem, 0, atol=1e-8)


def test_an_unknown_range_is_said() -> None:
    found = precision(bfi(response_range=None), "agree")
    assert (found.lowest, found.highest) == (None, None)
    assert any("range of answers was not stated" in note for note in found.notes)


def test_bad_input() -> None:
    with pytest.raises(OptionError, match="a number up to 1"):
        precision(bfi(), "agree", reliability=1.2)
    with pytest.raises(OptionError, match="reliability='omega' is not possible"):
        precision(bfi(), "agree", reliability="omega")
    with pytest.raises(OptionError, match="score='z' is not possible"):
        precision(bfi(), "agree", score="z")
    with pytest.raises(NotEnoughItemsError, match="Precision needs at least 2 items"):
        precision(bfi(), ["A1"])
    with pytest.raises(DataError, match="2 first and 1 second scores"):
        reliable_change([1, 2], [1], sem=1)
    with pytest.raises(OptionError, match="sem=0 is not possible"):
        reliable_change([1], [1], sem=0)


def test_summary_and_chart() -> None:
    found = precision(bfi(), "agree", score="sum")
    assert found.summary().startswith(
        "Precision of a person's sum of agree: standard error 2.45, smallest detectable change "
        "6.79\n"
    )
    assert found.to_frame()["quantity"].tolist() == ["sem", "sdc"]
    assert "standard error of a sum" in found.chart().to_svg()


def test_results_of_several_coefficients_are_refused_in_words() -> None:
    responses = bfi()
    with pytest.raises(DataError, match=r"not a GuttmanResult.*guttman\(\.\.\.\)\.lambda2"):
        precision(responses, "agree", reliability=guttman(responses, "agree"))


def test_reliable_change_comes_back_in_the_callers_engine() -> None:
    expected = reliable_change([1.0, None, 3.0], np.array([5, 2, 3]), sem=1)
    assert isinstance(expected, pd.DataFrame)
    assert expected["verdict"].tolist() == ["higher", "", "no reliable change"]
    first = pd.Series([1, None, 3], index=["p", "q", "r"], dtype="Float64")
    kept = reliable_change(first, [5, 2, 3], sem=1)
    assert kept.index.tolist() == ["p", "q", "r"]
    pd.testing.assert_frame_equal(kept.reset_index(drop=True), expected)
    found = reliable_change(pl.Series([1, None, 3]), pl.Series([5, 2, 3]), sem=1)
    assert isinstance(found, pl.DataFrame)
    assert found["rci"].null_count() == 1
    assert found["verdict"].to_list() == expected["verdict"].tolist()
    own = precision(bfi(), "agree").person_interval(pl.Series([2.0, 4.0]))
    assert isinstance(own, pl.DataFrame)


def test_persons_are_not_mixed_up() -> None:
    first = pd.Series([1.0, 2.0], index=["p", "q"])
    with pytest.raises(DataError, match="same index in a different order"):
        reliable_change(first, first[::-1], sem=1)
    with pytest.raises(DataError, match="Scores must be numbers"):
        reliable_change(["a"], ["b"], sem=1)
    with pytest.raises(DataError, match="one column"):
        reliable_change([[1.0]], [[1.0]], sem=1)
