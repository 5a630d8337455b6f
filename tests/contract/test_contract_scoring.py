"""Scores by the formula of the guide to them, on every engine, in the caller's order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.errors import CollabSurveyError, KeyingWarning, UnknownNameError
from conftest import Engine
from support import BFI_REVERSED, BFI_SCALES, dataset

AGREE = BFI_SCALES["agree"]


def fielded(frame: object, **changes: object) -> cs.Responses:
    options: dict[str, object] = {
        "scales": {"agree": AGREE},
        "reverse_keyed": ["A1"],
        "response_range": (1, 6),
        "roles": {"respondent": "id", "cluster": "gender"},
    }
    return cs.from_frame(frame, **{**options, **changes})  # type: ignore[arg-type]


def by_hand(df: pd.DataFrame, needed: int) -> pd.Series:
    keyed = df[AGREE].assign(A1=7 - df["A1"])
    return keyed.mean(axis=1).where(keyed.notna().sum(axis=1) >= needed)


@pytest.fixture
def df() -> pd.DataFrame:
    return dataset("bfi").sample(300, random_state=4)


def test_mean_of_answered_items(engine: Engine, df: pd.DataFrame) -> None:
    scores = engine.pandas(cs.score(fielded(engine(df))).to_frame(keep=["respondent"]))
    found = scores.set_index("id")["agree"].reindex(df["id"]).to_numpy()
    np.testing.assert_allclose(found, by_hand(df, 4), rtol=1e-12)


@pytest.mark.parametrize(
    ("rule", "needed"),
    [("2/3", 4), ("1/2", 3), ("0.8", 4), (5, 5), (1, 1), (0, 1), (None, 3)],
)
def test_min_valid(df: pd.DataFrame, rule: str | int | None, needed: int) -> None:
    holes = df.copy()
    rng = np.random.default_rng(5)
    for item in AGREE:
        holes.loc[rng.random(len(df)) < 0.4, item] = np.nan
    result = cs.score(fielded(holes, min_valid="1/2"), min_valid=rule)
    expected = by_hand(holes, needed)
    np.testing.assert_allclose(result.to_frame()["agree"], expected, rtol=1e-12)
    assert result.n_scored == (int(expected.notna().sum()),)
    assert sum(result.n_scored) + sum(result.n_unscored) == len(df)


def test_methods_are_rescalings_of_the_mean(df: pd.DataFrame) -> None:
    answers = fielded(df)
    mean = by_hand(df, 4)
    z = (mean - mean.mean()) / mean.std()
    expected = {"sum": 5 * mean, "pomp": 20 * (mean - 1), "z": z, "t": 50 + 10 * z}
    for method, values in expected.items():
        found = cs.score(answers, method=method).to_frame()["agree"]
        np.testing.assert_allclose(found, values, rtol=1e-10, atol=1e-12, err_msg=method)


def test_rows_keep_order_and_index(df: pd.DataFrame) -> None:
    df.index = pd.Index(np.arange(len(df)) % 7, name="row")
    scores = cs.score(fielded(df)).to_frame(keep=["cluster"])
    pd.testing.assert_index_equal(scores.index, df.index)
    assert list(scores.columns) == ["gender", "agree"]
    np.testing.assert_allclose(scores["agree"], by_hand(df, 4), rtol=1e-12)


def test_polars_rows_keep_order(df: pd.DataFrame) -> None:
    pl = pytest.importorskip("polars")
    scores = cs.score(fielded(pl.from_pandas(df))).to_frame()
    assert isinstance(scores, pl.DataFrame)
    np.testing.assert_allclose(scores["agree"].to_numpy(), by_hand(df, 4), rtol=1e-12)


def test_caller_data_stay_as_they_were(df: pd.DataFrame) -> None:
    before = df.copy(deep=True)
    cs.score(fielded(df, missing_codes=(-9,)))
    pd.testing.assert_frame_equal(df, before)


def test_raw_answers_are_kept(df: pd.DataFrame) -> None:
    answers = fielded(df)
    cs.score(answers)
    np.testing.assert_array_equal(answers.frame["A1"], df["A1"])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32", "Int64", "object", "category"])
def test_odd_types_of_answers(dtype: str) -> None:
    df = pd.DataFrame({"a": [100, 90, 0], "b": [0, 10, 100], "c": [100, 100, 0]})
    answers = cs.from_frame(
        df.astype(dtype),
        scales={"s": ["a", "b", "c"]},
        reverse_keyed=["b"],
        response_range=(0, 100),
    )
    assert cs.score(answers, method="sum").to_frame()["s"].tolist() == [300, 280, 0]


def test_booleans_are_nought_and_one() -> None:
    df = pd.DataFrame({"a": [True, False, True], "b": [True, True, True]})
    answers = cs.from_frame(df, scales={"s": ["a", "b"]}, response_range=(0, 1))
    assert cs.score(answers, method="sum").to_frame()["s"].tolist() == [2, 1, 2]


def test_scale_may_have_the_name_of_an_item_or_unicode(df: pd.DataFrame) -> None:
    for name in ("A2", "Überzeugung 信 1"):
        answers = fielded(df, scales={name: ["A2", "A3"]}, reverse_keyed=[])
        found = cs.score(answers).to_frame()[name]
        expected = df[["A2", "A3"]].mean(axis=1).where(df[["A2", "A3"]].notna().all(axis=1))
        np.testing.assert_allclose(found, expected)


def test_item_against_its_key_is_named(df: pd.DataFrame) -> None:
    with pytest.warns(KeyingWarning, match=r"A1") as caught:
        cs.score(fielded(df, reverse_keyed=[]))
    assert "A3" not in str(caught[0].message)


def test_item_nobody_answered_leaves_the_others(df: pd.DataFrame) -> None:
    scores = cs.score(fielded(df.assign(A5=np.nan))).to_frame()["agree"]
    np.testing.assert_allclose(scores, by_hand(df.assign(A5=np.nan), 4))


def test_weighted_standard_scores(df: pd.DataFrame) -> None:
    weighted = df.assign(w=np.linspace(0.2, 3, len(df)))
    roles = {"respondent": "id", "weight": "w"}
    z = cs.score(fielded(weighted, roles=roles), method="z").to_frame()["agree"]
    known = z.notna().to_numpy()
    assert np.average(z[known], weights=weighted["w"][known]) == pytest.approx(0, abs=1e-12)


def test_refusals(df: pd.DataFrame) -> None:
    answers = fielded(df)
    with pytest.raises(UnknownNameError, match="no scale 'agre'"):
        cs.score(answers, "agre")
    for options in ({"method": "median"}, {"min_valid": 6}, {"min_valid": -1}, {"min_valid": "x"}):
        with pytest.raises(CollabSurveyError, match=r"method|min_valid"):
            cs.score(answers, **options)  # type: ignore[arg-type]
    with pytest.raises(CollabSurveyError, match="A1"):
        cs.score(fielded(df, response_range=None))
    with pytest.raises(UnknownNameError, match="nope"):
        cs.score(answers).to_frame(keep=["nope"])


def test_all_scales_by_default() -> None:
    answers = cs.from_frame(
        dataset("bfi"), scales=BFI_SCALES, reverse_keyed=BFI_REVERSED, response_range=(1, 6)
    )
    assert list(cs.score(answers).to_frame().columns) == list(BFI_SCALES)
