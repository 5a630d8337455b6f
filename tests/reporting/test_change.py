"""Change between waves: from the means that are shown, each school once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from collabsurvey.reporting import Release, RunRecord, release
from collabsurvey.reporting.groups import SUPPRESSED
from collabsurvey.reporting.sections import change

KEY = b"0123456789abcdef"
N_SCHOOLS = 12


def means(moves: dict[str, Any], waves: tuple[object, ...] = (1, 2)) -> pd.DataFrame:
    """Means of twelve schools on two waves; `moves` is the change of each on a scale."""
    rng = np.random.default_rng(5)
    rows = []
    for scale, moved in moves.items():
        for i in range(N_SCHOOLS):
            start = rng.normal(3, 0.5)
            later = start + np.broadcast_to(moved, N_SCHOOLS)[i]
            for wave, value in zip(waves, (start, later), strict=True):
                rows.append((f"S{i}", wave, scale, value, False))
    return pd.DataFrame(rows, columns=["school", "wave", "scale", "mean", SUPPRESSED])


@pytest.fixture
def shown(record: RunRecord) -> Callable[[pd.DataFrame], Release]:
    released = release(record, key=KEY)
    return lambda table: replace(released, means={"school": table})


def test_change_is_a_paired_t_interval_on_schools(shown: Callable[..., Release]) -> None:
    moved = np.random.default_rng(8).normal(0.3, 0.2, N_SCHOOLS)
    found = change.changes(shown(means({"openness": moved})))[0]
    interval = stats.ttest_1samp(moved, 0).confidence_interval(0.95)
    assert found.mean == pytest.approx(moved.mean())
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.n_schools == N_SCHOOLS


def test_hidden_schools_have_no_part(shown: Callable[..., Release]) -> None:
    table = means({"openness": 0.2})
    table.loc[(table["school"] == "S3") & (table["wave"] == 1), SUPPRESSED] = True
    assert change.changes(shown(table))[0].n_schools == N_SCHOOLS - 1


def test_the_last_wave_is_set_against_the_first(shown: Callable[..., Release]) -> None:
    table = means({"openness": 0.2}, waves=(2.0, 10.0))
    found = change.changes(shown(table))[0]
    assert (found.first, found.last) == ("2", "10")
    assert found.mean == pytest.approx(0.2)


def test_few_schools_say_nothing(shown: Callable[..., Release]) -> None:
    table = means({"openness": 0.2})
    assert change.changes(shown(table[table["school"].isin(["S1", "S2", "S3", "S4"])])) == ()
    assert change.change_words(shown(table[table["wave"] == 1])) == []


def test_rises_falls_and_no_change_are_said(shown: Callable[..., Release]) -> None:
    noise = np.random.default_rng(2).normal(0, 0.05, N_SCHOOLS)
    table = means({"openness": 0.3 + noise, "help": -0.2 + noise})
    said = change.change_words(shown(table))[0]
    assert said.startswith("From wave 1 to wave 2 the schools’ means rose on “Openness” (by 0.3")
    assert "and fell on “Help-seeking” (by 0." in said
    assert "−" not in said  # a fall is said in words
    assert "12 schools shown in both waves, each counting once" in said
    wide = np.resize([1.0, -1.0], N_SCHOOLS)
    still = change.change_words(shown(means({"openness": wide})))[0]
    assert "no clear change of the schools’ means was seen on the scale" in still
