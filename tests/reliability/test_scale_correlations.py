"""Correlations between scales and with items against psych::scoreItems."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import NotEnoughItemsError, UnknownNameError
from collabsurvey.reliability import alpha, scale_correlations
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset, gold, matrix

RTOL = 1e-8  # closed forms; the stored values have 15 digits
STORED = gold("01_scoring")["scale_stats_bfi"]["values"]


def bfi(*, lazy: bool = False) -> Responses:
    frame = dataset("bfi")
    return from_frame(
        pl.from_pandas(frame).lazy() if lazy else frame,
        scales=BFI_SCALES,
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
    )


@pytest.mark.parametrize("lazy", [False, True])
def test_scale_statistics_match_psych(lazy: bool) -> None:
    result = scale_correlations(bfi(lazy=lazy), keyed=False)
    for ours, theirs in {"alpha": "alpha", "average_r": "average_r", "lambda6": "G6"}.items():
        assert_allclose(result.reliability[ours], STORED[theirs]["data"][0], rtol=RTOL)
    assert_allclose(result.correlations, matrix(STORED["scale_cor"]), rtol=RTOL)
    psych = np.tril(result.correlations, -1) + np.triu(result.corrected)
    assert_allclose(psych, matrix(STORED["corrected_alpha_diag"]), rtol=RTOL)
    # Correlations near zero lose digits to cancellation in both programs.
    item_scale, corrected = matrix(STORED["item_cor"]), matrix(STORED["item_corrected"])
    assert_allclose(result.item_scale, item_scale, rtol=RTOL, atol=1e-12)
    assert_allclose(result.item_scale_corrected, corrected, rtol=RTOL, atol=1e-12)
    assert list(result.item_scale.index) == list(item_scale.index)


def test_items_are_turned_in_the_direction_of_their_scale() -> None:
    result = scale_correlations(bfi())
    for scale, items in BFI_SCALES.items():
        assert (result.item_scale.loc[items, scale] > 0).all()


def test_listwise_alpha_is_that_of_all_items() -> None:
    complete = from_frame(
        dataset("bfi").dropna(subset=[i for items in BFI_SCALES.values() for i in items]),
        scales=BFI_SCALES,
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
    )
    result = scale_correlations(bfi(), missing="listwise")
    assert_allclose(result.reliability["alpha"][0], alpha(complete, "agree").estimate, rtol=1e-12)


def test_pairs_table_and_chart() -> None:
    result = scale_correlations(bfi(), ["agree", "consc", "extra"])
    frame = result.to_frame()
    assert frame[["scale_1", "scale_2"]].to_numpy().tolist() == [
        ["agree", "consc"],
        ["agree", "extra"],
        ["consc", "extra"],
    ]
    assert_allclose(frame["correlation"][0], STORED["scale_cor"]["data"][1][0], rtol=RTOL)
    assert "agree   0.70   0.36   0.63" in result.summary()
    assert "agree – consc" in result.chart().to_svg()


def test_single_items_are_left_out_or_refused() -> None:
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(20, 3)), columns=list("abc"))
    responses = from_frame(frame, scales={"s": ["a", "b"], "one": ["c"], "t": ["b", "c"]})
    result = scale_correlations(responses)
    assert result.reliability["scale"].tolist() == ["s", "t"]
    assert any("single item are left out: one" in note for note in result.notes)
    with pytest.raises(NotEnoughItemsError, match="'one'"):
        scale_correlations(responses, ["s", "one"])
    with pytest.raises(UnknownNameError, match="has no scale 'x'"):
        scale_correlations(responses, ["x"])
