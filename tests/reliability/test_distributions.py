"""How often each answer was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import collabsurvey as cs
from collabsurvey.errors import NotEnoughDataError, UnknownNameError
from collabsurvey.reliability import distributions
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset

Engine = Callable[[pd.DataFrame], Any]


def bfi(make: Engine = lambda frame: frame, **roles: str) -> Responses:
    return from_frame(
        make(dataset("bfi")),
        scales=BFI_SCALES,
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
        roles=roles,
    )


def test_counts_are_those_of_the_column(engine: Engine) -> None:
    frame = distributions(bfi(engine), "agree").to_frame()
    for item in BFI_SCALES["agree"]:
        column = dataset("bfi")[item]
        rows = frame[frame["item"] == item]
        counts = column.value_counts().sort_index()
        assert_allclose(rows["count"], counts)
        assert_allclose(rows["code"], counts.index)
        assert_allclose(rows["share"].sum(), 1)
        assert (rows["n_missing"] == column.isna().sum()).all()


def test_wordings_labels_and_the_neutral_answer_of_an_instrument() -> None:
    cohort = cs.simulate_cohort(["trust"], n_partnerships=2, n_schools=6, n_staff=20, seed=1)
    found = distributions(cohort.responses, "tru.expect")
    assert found.answers[0].wording != found.answers[0].item
    svg = found.chart().to_svg()
    assert svg.startswith("<svg")
    assert any("Synthetic" in note for note in found.notes)
    whole = distributions(cohort.responses)
    assert len(whole.charts()) == len(whole.formats())
    assert len(whole.answers) == len(cohort.responses.instrument.item_ids)
    assert whole._repr_html_()


def test_many_answers_are_put_into_bands() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.integers(0, 101, 300), "y": rng.integers(0, 101, 300)})
    found = distributions(from_frame(frame, scales={"s": ["x", "y"]}, response_range=(0, 100)))
    assert found.answers[0].labels[0] == "0 to under 20"
    assert_allclose(sum(found.answers[0].counts), 300)


def test_weights_and_what_is_refused() -> None:
    frame = dataset("bfi").assign(w=2.0)
    weighted = from_frame(frame, scales=BFI_SCALES, response_range=(1, 6), roles={"weight": "w"})
    counts = distributions(weighted, ["A1"]).to_frame()["count"].sum()
    assert_allclose(counts, 2 * frame["A1"].notna().sum())
    with pytest.raises(UnknownNameError, match="agre"):
        distributions(bfi(), "agre")
    some = from_frame(frame.assign(A1=np.nan), scales=BFI_SCALES, response_range=(1, 6))
    with pytest.raises(NotEnoughDataError, match="answers"):
        distributions(some, ["A1"])
    assert "Nobody answered A1." in distributions(some, "agree").notes
