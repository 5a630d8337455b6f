"""Moments within clusters, and the covariances of resampled clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import NotEnoughDataError
from collabsurvey.moments import cluster_moments, item_moments
from collabsurvey.responses import Responses, from_frame

RTOL = 1e-11  # the same sums in another order
ITEMS = ["a", "b", "c"]


def staff(n: int = 90, offset: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    school = rng.integers(0, 8, n)
    x = rng.normal(size=(n, 3)) + rng.normal(size=(8, 1))[school] + offset
    x[rng.random(x.shape) < 0.1] = np.nan
    df = pd.DataFrame(x, columns=ITEMS)
    df["school"] = [f"S{s}" if s < 7 else None for s in school]
    df["w"] = rng.uniform(0.01, 0.1, n)
    return df


def read(df: Any, **options: Any) -> Responses:
    return from_frame(df, scales={"s": ITEMS}, **options)


def complete(df: pd.DataFrame) -> pd.DataFrame:
    return df.dropna(subset=[*ITEMS, "school"])


def test_each_cluster_has_its_own_moments(engine: Any) -> None:
    df = staff()
    pieces = cluster_moments(read(engine(df)), "s", cluster="school")
    by_school = complete(df).groupby("school")[ITEMS]
    assert pieces.clusters == tuple(by_school.groups)
    assert_allclose(pieces.n, by_school.size(), rtol=0)
    assert_allclose(pieces.mean, by_school.mean(), rtol=RTOL)
    for g, (_, rows) in enumerate(by_school):
        d = (rows - rows.mean()).to_numpy()
        assert_allclose(pieces.sscp[g], d.T @ d, rtol=RTOL, atol=1e-12)
    without = df[df["school"].isna()][ITEMS].dropna()
    assert (pieces.n_complete, pieces.n_without_cluster) == (len(complete(df)), len(without))


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_pooled_clusters_are_all_rows(engine: Any, offset: float) -> None:
    df = staff(offset=offset)
    mean, cov = cluster_moments(read(engine(df)), "s", cluster="school").pooled()
    # Answers near 1e6 are themselves rounded to 1e-10.
    assert_allclose(cov, complete(df)[ITEMS].cov(), rtol=RTOL if not offset else 1e-9)
    assert_allclose(mean, complete(df)[ITEMS].mean(), rtol=RTOL)


def test_weighted_clusters_pool_to_the_weighted_moments(engine: Any) -> None:
    df = staff()
    pieces = cluster_moments(read(engine(df), roles={"weight": "w"}), "s", cluster="school")
    expected = item_moments(read(df.dropna(subset="school"), roles={"weight": "w"}), "s")
    mean, cov = pieces.pooled()
    assert_allclose(cov, expected.cov, rtol=RTOL)
    assert_allclose(mean, expected.mean, rtol=RTOL)


def test_resampled_covariances_are_those_of_the_resampled_rows() -> None:
    df = staff()
    pieces = cluster_moments(read(df), "s", cluster="school")
    rng = np.random.default_rng(3)
    drawn = rng.integers(0, len(pieces.clusters), (5, len(pieces.clusters)))
    times = np.array([np.bincount(row, minlength=len(pieces.clusters)) for row in drawn])
    found = pieces.resampled_covariances(times.astype(float))
    schools = dict(iter(complete(df).groupby("school")))
    for b, row in enumerate(drawn):
        sample = pd.concat([schools[pieces.clusters[g]] for g in row])
        assert_allclose(found[b], sample[ITEMS].cov(), rtol=RTOL)


def test_reversed_items_are_turned_round() -> None:
    df = staff()
    responses = read(df, reverse_keyed=["b"], response_range=(-10, 10))
    _, cov = cluster_moments(responses, "s", cluster="school").pooled()
    assert_allclose(cov, complete(df).assign(b=-df["b"])[ITEMS].cov(), rtol=RTOL)


def test_clusters_of_one_row_have_no_scatter() -> None:
    df = pd.DataFrame({"a": [1.0, 2, 4], "b": [2.0, 1, 3], "c": [0.0, 1, 1], "school": [1, 2, 3]})
    pieces = cluster_moments(read(df), "s", cluster="school")
    assert pieces.clusters == ("1", "2", "3")
    assert not pieces.sscp.any()
    assert_allclose(pieces.pooled()[1], df[ITEMS].cov(), rtol=RTOL)


def test_too_few_rows_with_a_cluster(engine: Any) -> None:
    df = staff(n=5).assign(school=["A", None, None, None, None])
    with pytest.raises(NotEnoughDataError, match="2 complete rows with a cluster; there are 1"):
        cluster_moments(read(engine(df.fillna(dict.fromkeys(ITEMS, 1.0)))), "s", cluster="school")
