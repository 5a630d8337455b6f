"""What every result promises: frozen, unrounded, shown in one way, read with its notes."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from support import BFI_REVERSED, BFI_SCALES, dataset

mpl.use("Agg")


@pytest.fixture(scope="module")
def answers() -> cs.Responses:
    df = dataset("bfi").head(400)
    df["school"] = [f"S{row % 20}" for row in range(len(df))]
    return cs.from_frame(
        df,
        scales=BFI_SCALES,
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
        roles={"respondent": "id", "cluster": "school"},
    )


RESULTS: dict[str, Callable[[cs.Responses], Any]] = {
    "alpha": lambda r: cs.reliability.alpha(r, "agree", n_boot=100),
    "item_analysis": lambda r: cs.reliability.item_analysis(r, "agree"),
    "overview": lambda r: cs.reliability.overview(r, ci="feldt"),
    "score": cs.score,
    "icc": lambda r: cs.multilevel.icc(cs.score(r), cluster="cluster"),
    "aggregate": lambda r: cs.multilevel.aggregate(cs.score(r), "cluster"),
    "ols": lambda r: cs.regression.ols("age ~ A2 + gender", r.frame, cluster="school"),
    "mixed": lambda r: cs.regression.mixed("A3 ~ A2 + (1 | gender_age)", _grouped(r.frame)),
    "compare": lambda r: cs.regression.compare(
        [cs.regression.ols(f, r.frame, cluster="school") for f in ("age ~ A2", "age ~ A2 + A3")]
    ),
}


def _grouped(df: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    group = np.arange(len(df)) % 25
    return df.assign(gender_age=group, A3=df["A3"] + rng.normal(size=25)[group])


@pytest.fixture(scope="module", params=RESULTS)
def result(request: pytest.FixtureRequest, answers: cs.Responses) -> Any:
    return RESULTS[request.param](answers)


def test_text_notes_html_and_great_tables(result: Any) -> None:
    assert isinstance(result.summary(), str)
    assert len(result.summary()) > 40
    assert all(isinstance(note, str) and note for note in result.notes)
    assert all(note in result.summary() for note in result.notes)
    assert "<table" in result._repr_html_()
    assert "<table" in result.to_table().as_raw_html()


def test_notes_cannot_be_replaced(result: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.notes = ()


def test_summary_prints_nothing(result: Any, capsys: pytest.CaptureFixture[str]) -> None:
    result.summary()
    assert capsys.readouterr().out == ""


def test_frame_is_fresh_each_time(result: Any) -> None:
    first = result.to_frame()
    expected = first.copy()
    first[first.columns[-1]] = None
    pd.testing.assert_frame_equal(result.to_frame(), expected)


def test_plot_draws_on_the_axes_given_or_on_new_ones(result: Any) -> None:
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert result.plot(ax=ax) is ax
    assert ax.has_data()
    fresh = result.plot()
    assert fresh is not ax
    plt.close("all")


def test_arrays_are_read_only(result: Any) -> None:
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if isinstance(value, np.ndarray) and value.size and field.name != "basis":
            with pytest.raises(ValueError, match="read-only"):
                value[...] = 0


@pytest.mark.parametrize("name", ["ols", "alpha", "icc"])
def test_results_can_be_pickled(name: str, answers: cs.Responses) -> None:
    result = RESULTS[name](answers)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(result)).to_frame(), result.to_frame())
