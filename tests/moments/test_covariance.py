"""Means and covariances: digits far from zero, blocks, weights, pairs, on every engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from collabsurvey.errors import DataError, NotEnoughDataError, OptionError
from collabsurvey.moments import covariance, item_moments, weighted_answers
from collabsurvey.responses import Responses, from_frame

RTOL = 1e-12  # closed forms of the same sums: only rounding may differ
ITEMS = ["a", "b", "c"]


def answers(seed: int = 1, n: int = 60, missing: float = 0.2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 6, (n, 1)) + rng.integers(0, 3, (n, 3)).astype(float)
    x[rng.random(x.shape) < missing] = np.nan
    return pd.DataFrame(x, columns=ITEMS)


def read(df: Any, **options: Any) -> Responses:
    return from_frame(df, **{"scales": {"s": ITEMS}, **options})


def test_listwise_is_the_covariance_of_complete_rows(engine: Any) -> None:
    df = answers()
    moments = item_moments(read(engine(df)), "s")
    complete = df.dropna()
    assert_allclose(moments.cov, complete.cov(), rtol=RTOL)
    assert_allclose(moments.mean, complete.mean(), rtol=RTOL)
    assert (moments.n_respondents, moments.n_rows) == (len(complete), len(df))
    assert not moments.weighted


def test_pairwise_is_each_pair_on_its_own(engine: Any) -> None:
    df = answers()
    moments = item_moments(read(engine(df)), "s", missing="pairwise")
    answered = df.notna().to_numpy().astype(int)
    assert_allclose(moments.cov, df.cov(), rtol=RTOL)
    assert_allclose(moments.mean, df.mean(), rtol=RTOL)
    assert_array_equal(moments.n_pairs, answered.T @ answered)
    assert moments.n_respondents == len(df)


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_blocks_are_merged(monkeypatch: pytest.MonkeyPatch, missing: Any, rows: int) -> None:
    df = answers()
    df.loc[:9, "b"] = np.nan  # nothing to centre by in the first blocks
    responses = read(df)
    whole = item_moments(responses, "s", missing=missing)
    monkeypatch.setattr(covariance, "BLOCK_ROWS", rows)
    parts = item_moments(responses, "s", missing=missing)
    assert_allclose(parts.cov, whole.cov, rtol=RTOL)
    assert_allclose(parts.mean, whole.mean, rtol=RTOL)
    assert_array_equal(parts.n_pairs, whole.n_pairs)


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
@pytest.mark.parametrize("rows", [7, 1000])
def test_digits_are_kept_far_from_zero(
    engine: Any, monkeypatch: pytest.MonkeyPatch, missing: Any, rows: int
) -> None:
    df = answers()
    df.loc[:9, "b"] = np.nan
    monkeypatch.setattr(covariance, "BLOCK_ROWS", rows)
    near = item_moments(read(engine(df)), "s", missing=missing)
    far = item_moments(read(engine(df + 1e9)), "s", missing=missing)
    assert_allclose(far.cov, near.cov, rtol=RTOL)
    assert_allclose(far.mean - 1e9, near.mean, rtol=1e-6)  # 1e9 leaves 7 digits after the point


def test_items_are_turned_round(engine: Any) -> None:
    df = answers(missing=0)
    responses = read(engine(df), reverse_keyed=["b"], response_range=(1, 7))
    turned = df.assign(b=8 - df["b"])
    assert_allclose(item_moments(responses, "s").cov, turned.cov(), rtol=RTOL)
    assert_allclose(item_moments(responses, "s").mean, turned.mean(), rtol=RTOL)
    assert_allclose(item_moments(responses, "s", keyed=False).cov, df.cov(), rtol=RTOL)
    given, weights = weighted_answers(responses, "s")
    assert_allclose(given, df, rtol=RTOL)
    assert (weights == 1).all()


def test_items_of_no_known_range_have_covariances_but_are_not_turned() -> None:
    df = answers(missing=0)
    responses = read(df, reverse_keyed=["b"])
    moments = item_moments(responses, "s")
    assert_allclose(moments.cov, df.assign(b=-df["b"]).cov(), rtol=RTOL)
    assert np.isnan(moments.mean).tolist() == [False, True, False]


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
def test_whole_weights_are_like_rows_repeated(engine: Any, missing: Any) -> None:
    df = answers().assign(w=np.tile([1.0, 2.0, 3.0, 0.0], 15))
    responses = read(engine(df), roles={"weight": "w"})
    weighted = item_moments(responses, "s", missing=missing)
    repeated = item_moments(
        read(df.loc[df.index.repeat(df["w"].astype(int))]), "s", missing=missing
    )
    # The divisor is that of the rows there are, not of the rows they stand for.
    total, n = repeated.n_pairs, weighted.n_pairs
    expected = repeated.cov * (total - 1) / total * n / (n - 1)
    assert_allclose(weighted.cov, expected, rtol=RTOL)
    assert_allclose(weighted.mean, repeated.mean, rtol=RTOL)
    assert weighted.weighted


def test_weights_count_by_their_ratio_and_missing_ones_as_zero(engine: Any) -> None:
    df = answers().assign(w=np.tile([1.0, 2.0, 3.0, np.nan], 15))
    one = item_moments(read(engine(df), roles={"weight": "w"}), "s")
    other = item_moments(read(engine(df.assign(w=df["w"] / 700)), roles={"weight": "w"}), "s")
    assert_allclose(one.cov, other.cov, rtol=RTOL)
    assert one.n_respondents == df.dropna().shape[0]


def test_items_never_asked_together_are_named(engine: Any) -> None:
    df = answers(missing=0)
    df.loc[:29, "a"] = np.nan
    df.loc[30:, "c"] = np.nan
    responses = read(engine(df))
    with pytest.raises(DataError, match=r"both items: a with c\. Leave out items that were not"):
        item_moments(responses, "s", missing="pairwise")
    with pytest.raises(NotEnoughDataError, match="answered all items in a, b, c; there are 0"):
        item_moments(responses, "s")


def test_items_nobody_answered_are_named(engine: Any) -> None:
    with pytest.raises(DataError, match="Fewer than two respondents answered b, so there is no"):
        item_moments(read(engine(answers().assign(b=np.nan))), "s", missing="pairwise")


def test_one_respondent_has_no_covariance(engine: Any) -> None:
    with pytest.raises(NotEnoughDataError, match="at least 2 respondents .*; there are 1"):
        item_moments(read(engine(answers(missing=0).iloc[:1])), "s")


def test_options_are_checked() -> None:
    responses = read(answers())
    with pytest.raises(OptionError, match="Choose one of: 'listwise', 'pairwise'"):
        item_moments(responses, "s", missing="complete")  # type: ignore[arg-type]
    with pytest.raises(NotEnoughDataError, match="at least 1 items; there are 0"):
        item_moments(responses, [])
    with pytest.raises(OptionError, match="every item once"):
        item_moments(responses, ["a", "b", "a"])


@given(order=st.permutations(range(20)), missing=st.sampled_from(["listwise", "pairwise"]))
def test_order_of_rows_does_not_matter(order: list[int], missing: Any) -> None:
    df = answers(n=20)
    whole = item_moments(read(df), "s", missing=missing)
    shuffled = item_moments(read(df.iloc[order]), "s", missing=missing)
    assert_allclose(shuffled.cov, whole.cov, rtol=RTOL)
    assert shuffled.n_respondents == whole.n_respondents
