"""Rows taken for resampling: which, in what direction, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from collabsurvey.errors import DataError, NotEnoughDataError
from collabsurvey.moments import item_moments
from collabsurvey.moments.resampled import resampler
from collabsurvey.responses import Responses, from_frame

ITEMS = ["a", "b", "c"]


def answers(n: int = 40, *, missing: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.integers(1, 6, (n, 3)).astype(float), columns=ITEMS)
    if missing:
        frame.loc[[1, 5], "a"] = np.nan
        frame.loc[7, "c"] = np.nan
    frame["school"] = [f"s{i % 5}" for i in range(n)]
    frame["w"] = rng.uniform(0.5, 2, n)
    return frame


def responses(frame: Any, **roles: str) -> Responses:
    return from_frame(
        frame, scales={"s": ITEMS}, reverse_keyed=["b"], response_range=(1, 5), roles=roles
    )


def test_complete_rows_are_kept_on_every_engine(engine: Callable[[pd.DataFrame], Any]) -> None:
    frame = answers()
    found = resampler(responses(engine(frame)), ITEMS, cluster=None, keyed=False)
    kept = frame[ITEMS].dropna().to_numpy()
    # Lazy engines have no order.
    assert_array_equal(np.sort(found.x, axis=0), np.sort(kept, axis=0))
    assert found.n_units == len(kept) == 37
    assert found.unit == "respondents"
    assert found.codes is None
    assert (found.weight == 1).all()


def test_keyed_items_are_turned() -> None:
    frame = answers()
    plain = resampler(responses(frame), ITEMS, cluster=None, keyed=False)
    keyed = resampler(responses(frame), ITEMS, cluster=None)
    assert_array_equal(keyed.x, plain.x * [1, -1, 1])


def test_covariances_scatter_around_those_of_the_sample() -> None:
    data = responses(answers(400, missing=False))
    found = resampler(data, ITEMS, cluster=None)
    drawn = np.concatenate(list(found.covariances(2000, seed=1)))
    sample = item_moments(data, ITEMS).cov
    assert_allclose(drawn.mean(axis=0), sample, atol=0.02)
    again = np.concatenate(list(found.covariances(2000, seed=1)))
    assert_array_equal(drawn, again)


def test_left_out_rows_give_the_jackknife() -> None:
    frame = answers(30, missing=False)
    found = resampler(responses(frame), ITEMS, cluster=None, keyed=False).left_out()
    assert found.shape == (30, 3, 3)
    for row in (0, 17):
        expected = np.cov(frame[ITEMS].drop(index=row).to_numpy(), rowvar=False)
        assert_allclose(found[row], expected, rtol=1e-10, atol=1e-12)


def test_left_out_clusters_give_the_jackknife() -> None:
    frame = answers(30, missing=False)
    found = resampler(responses(frame, cluster="school"), ITEMS, cluster="school", keyed=False)
    assert found.n_units == 5
    covariances = found.left_out()
    expected = [
        np.cov(frame.loc[frame["school"] != school, ITEMS].to_numpy(), rowvar=False)
        for school in sorted(frame["school"].unique())
    ]
    assert_allclose(covariances, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("two_stage", [False, True])
def test_clusters(two_stage: bool) -> None:
    data = responses(answers(), cluster="school")
    found = resampler(data, ITEMS, cluster="school", two_stage=two_stage)
    assert found.n_units == 5
    assert found.unit == ("clusters_then_respondents" if two_stage else "clusters")
    assert found.cluster == "school"
    weights = np.vstack(list(found.weights(50, seed=3)))
    assert found.codes is not None
    whole = all(
        (weights[:, found.codes == c] == weights[:, found.codes == c][:, :1]).all()
        for c in range(5)
    )
    assert whole == (not two_stage)


def test_two_stages_scatter_more() -> None:
    data = responses(answers(100, missing=False), cluster="school")

    def spread(two_stage: bool) -> float:
        rows = resampler(data, ITEMS, cluster="school", two_stage=two_stage)
        drawn = np.concatenate(list(rows.covariances(500, seed=3)))
        return float(drawn.std(axis=0).mean())

    assert spread(two_stage=True) > spread(two_stage=False)


def test_rows_without_a_cluster_are_counted_and_left_out() -> None:
    frame = answers()
    frame.loc[[0, 1, 2], "school"] = None  # row 1 lacks an answer, too
    found = resampler(responses(frame, cluster="school"), ITEMS, cluster="school")
    assert found.n_without_cluster == 2
    assert len(found.x) == 35


def test_weights_of_respondents_are_applied() -> None:
    frame = answers()
    frame.loc[3, "w"] = 0.0
    data = responses(frame, weight="w")
    found = resampler(data, ITEMS, cluster=None, keyed=False)
    assert len(found.x) == 36  # a weight of zero is no respondent
    assert_allclose(
        np.sort(found.weight), np.sort(frame["w"][frame[ITEMS].notna().all(axis=1)])[1:]
    )
    drawn = np.concatenate(list(found.covariances(3000, seed=3)))
    sample = item_moments(data, ITEMS, keyed=False).cov
    assert_allclose(drawn.mean(axis=0), sample, rtol=0.1, atol=0.1)


def test_what_it_refuses() -> None:
    frame = answers()
    with pytest.raises(DataError, match="only one 'school' with complete answers.*cluster=None"):
        resampler(responses(frame.assign(school="s")), ITEMS, cluster="school")
    with pytest.raises(NotEnoughDataError, match="at least 2 complete rows; there are 1"):
        resampler(responses(frame.head(1)), ITEMS, cluster=None)
    with pytest.raises(NotEnoughDataError, match="complete rows; there are 0"):
        resampler(responses(frame.assign(a=np.nan)), ITEMS, cluster=None)
    with pytest.raises(NotEnoughDataError, match="complete rows; there are 0"):
        resampler(responses(frame.assign(school=None)), ITEMS, cluster="school")
