"""Scores against psych::scoreItems and base R, and the rules that must hold."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import DataError, KeyingWarning, OptionError, UnknownNameError
from collabsurvey.responses import Responses, from_frame
from collabsurvey.scoring import score
from support import BFI_REVERSED, BFI_SCALES, dataset, gold

RTOL = 1e-8  # closed forms; the stored values have 15 digits
GOLD = gold("01_scoring")

ENGINES = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "polars lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "duckdb": lambda frame: duckdb.from_df(frame),
}


def bfi(engine: str = "pandas", **roles: str) -> Responses:
    frame = dataset("bfi")
    frame["person"] = np.arange(len(frame))
    return from_frame(
        ENGINES[engine](frame),
        scales=BFI_SCALES,
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
        min_valid=0,
        roles={"respondent": "person", **roles},
    )


def as_pandas(frame: object) -> pd.DataFrame:
    """Scores of any engine in the order of the respondents."""
    if isinstance(frame, pd.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    native = frame.to_pandas() if isinstance(frame, pl.DataFrame) else frame.df()
    return native.sort_values("person").reset_index(drop=True)


def assert_summary(values: pd.Series, stored: dict[str, object]) -> None:
    known = values.dropna()
    assert len(known) == stored["n"]
    # A mean that is zero but for rounding has no relative error.
    assert_allclose(known.mean(), stored["mean"], rtol=RTOL, atol=1e-12)
    assert_allclose(known.std(), stored["sd"], rtol=RTOL)
    assert_allclose((known**2).sum(), stored["sumsq"], rtol=RTOL)
    first = [np.nan if x is None else x for x in stored["first30"]]
    source = values if len(values) == stored["n"] else known
    assert_allclose(source.to_numpy()[:30], first, rtol=RTOL)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("entry", "options"),
    [
        ("score_mean_none_bfi", {"method": "mean", "min_valid": 0}),
        ("score_mean_median_bfi", {"impute": "item_median"}),
        ("score_mean_mean_bfi", {"impute": "item_mean"}),
        ("score_sum_none_bfi", {"method": "sum", "min_valid": 0, "prorate": False}),
        ("score_complete_only_bfi", {"rows": "complete"}),
        ("score_min_valid_80pct_bfi", {"min_valid": "4/5"}),
        ("score_prorated_sum_80pct_bfi", {"method": "sum", "min_valid": "0.8"}),
        ("score_pomp_bfi", {"method": "pomp", "min_valid": 0}),
    ],
)
def test_scores_match_r(entry: str, options: dict[str, object], engine: str) -> None:
    stored = GOLD[entry]["values"]
    stored = stored.get("scores", stored)
    scores = as_pandas(score(bfi(engine), **options).to_frame(keep=["respondent"]))
    for scale in BFI_SCALES:
        assert_summary(scores[scale], stored[scale])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("method", "key"), [("z", "z"), ("t", "T")])
def test_standard_scores_match_r(method: str, key: str, engine: str) -> None:
    result = score(bfi(engine), method=method, min_valid=0)
    scores = as_pandas(result.to_frame(keep="respondent"))
    for scale, stored in GOLD["score_z_T_bfi"]["values"].items():
        assert_summary(scores[scale], stored[key])


def test_missing_items_are_counted_as_r_counts_them() -> None:
    missing = GOLD["score_mean_none_bfi"]["values"]["missing_items_total"]
    frame = dataset("bfi")
    for scale, items in BFI_SCALES.items():
        assert int(frame[items].isna().sum().sum()) == missing[scale]


SMALL = pd.DataFrame(
    {
        "who": ["c", "a", "b", "d"],
        "q1": [1, 5, np.nan, np.nan],
        "q2": [2, 4, 3, np.nan],
        "q3": [4, 1, 3, np.nan],
    },
    index=[10, 3, 7, 3],
)


def small(**options: object) -> Responses:
    return from_frame(
        SMALL,
        scales={"s": ["q1", "q2", "q3"]},
        reverse_keyed=["q3"],
        response_range=(1, 5),
        roles={"respondent": "who"},
        **options,
    )


def test_rows_stay_aligned_with_the_input() -> None:
    scores = score(small()).to_frame(keep=["respondent"])
    assert scores.index.tolist() == [10, 3, 7, 3]
    assert scores["who"].tolist() == ["c", "a", "b", "d"]
    assert_allclose(scores["s"], [(1 + 2 + 2) / 3, (5 + 4 + 5) / 3, 3.0, np.nan])


def test_raw_answers_are_not_changed() -> None:
    before = SMALL.copy()
    responses = small()
    score(responses)
    pd.testing.assert_frame_equal(SMALL, before)
    assert responses.frame["q3"].tolist()[:3] == [4, 1, 3]


@pytest.mark.parametrize(
    ("min_valid", "n_scored"), [(None, 3), ("2/3", 3), (3, 2), ("1/1", 2), (0, 3), (1, 3)]
)
def test_min_valid_counts_answered_items(min_valid: str | int | None, n_scored: int) -> None:
    result = score(small(), min_valid=min_valid)
    assert result.n_scored == (n_scored,)
    assert result.n_unscored == (4 - n_scored,)


@pytest.mark.parametrize("min_valid", ["3/2", "two", -1, 4, "-1/2", "1/0"])
def test_impossible_min_valid_is_refused(min_valid: str | int) -> None:
    with pytest.raises(OptionError, match="min_valid="):
        score(small(), min_valid=min_valid)


@given(seed=st.integers(0, 2**32 - 1))
def test_an_item_reversed_twice_is_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    answers = pd.DataFrame(rng.integers(1, 6, (12, 3)).astype(float), columns=["a", "b", "c"])
    answers = answers.mask(rng.random(answers.shape) < 0.2)
    turned = answers.assign(b=6 - answers["b"])
    options = {"scales": {"s": ["a", "b", "c"]}, "response_range": (1, 5), "min_valid": 1}
    if answers.isna().all(axis=None):
        return
    plain = _quietly(from_frame(answers, **options))
    back = _quietly(from_frame(turned, reverse_keyed=["b"], **options))
    assert_allclose(plain["s"], back["s"], rtol=1e-12)


def _quietly(responses: Responses) -> pd.DataFrame:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KeyingWarning)
        return score(responses).to_frame()


def test_a_contradicted_key_is_named() -> None:
    wrong = from_frame(dataset("bfi"), scales={"agree": BFI_SCALES["agree"]}, response_range=(1, 6))
    with pytest.warns(KeyingWarning, match=r"Scale 'agree': A1 \(−0\.\d\d\) correlates negat"):
        result = score(wrong)
    assert any("A1 (−" in note for note in result.notes)


def test_an_unknown_scale_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="no scale 'agre'. Did you mean 'agree'"):
        score(bfi(), "agre")


def test_reversal_without_a_range_is_refused() -> None:
    unknown = from_frame(SMALL, scales={"s": ["q1", "q3"]}, reverse_keyed=["q3"])
    with pytest.raises(DataError, match=r"lowest and highest possible answer of item 'q3'"):
        score(unknown)


def test_a_scale_without_spread_has_no_z_score() -> None:
    constant = from_frame(pd.DataFrame({"a": [2, 2, 2], "b": [3, 3, 3]}), scales={"s": ["a", "b"]})
    with pytest.raises(DataError, match="its scores do not vary"):
        score(constant, method="z")


def test_weights_enter_standard_scores() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 5.0], "w": [1.0, 1.0, 2.0]})
    weighted = score(from_frame(frame, scales={"s": ["a"]}, roles={"weight": "w"}), method="z")
    mean = (1 + 2 + 5 + 5) / 4
    variance = ((1 - mean) ** 2 + (2 - mean) ** 2 + 2 * (5 - mean) ** 2) / 4 * 3 / 2
    assert_allclose(weighted.to_frame()["s"], (frame["a"] - mean) / np.sqrt(variance))


def test_keep_refuses_what_is_not_there() -> None:
    scores = score(small())
    with pytest.raises(DataError, match="role 'cluster', which is not set"):
        scores.to_frame(keep=["cluster"])
    with pytest.raises(UnknownNameError, match="no column or role 'wh'. Did you mean 'who'"):
        scores.to_frame(keep=["wh"])


def test_summary_reads_like_a_table() -> None:
    text = score(small()).summary()
    assert text.splitlines()[0] == "Scale scores: mean of the answered items"
    assert "too few answers" in text
    assert "scale  items  needed  scored  too few answers  mean" in text


def test_lazy_frames_carry_their_keys() -> None:
    lazy = score(bfi("polars lazy", cluster="education"), "agree").to_frame()
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect_schema().names() == ["person", "education", "agree"]
