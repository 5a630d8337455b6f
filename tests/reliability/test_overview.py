"""Every scale in one table: coefficients, reasons, waves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import UnknownNameError
from collabsurvey.instruments.making import instrument_from_scales
from collabsurvey.instruments.model import Construct
from collabsurvey.reliability import alpha, overview
from collabsurvey.responses import Responses, from_frame

Engine = Callable[[pd.DataFrame], Any]


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def answers(engine: Engine = as_is) -> Responses:
    """Twelve schools, two waves; a scale, a single item, a formative construct, an empty wave."""
    generator = np.random.default_rng(5)
    school = np.repeat(np.arange(12), 20)
    factor = generator.standard_normal(12)[school] * 0.5 + generator.standard_normal(240)
    frame = pd.DataFrame(
        {name: factor + generator.standard_normal(240) for name in ["a", "b", "c", "d", "e", "f"]}
    )
    frame["wave"] = np.tile([1, 2], 120)
    frame["school"] = [f"school {g}" for g in school]
    frame.loc[frame["wave"] == 2, "f"] = 3.0
    instrument = instrument_from_scales(
        {"s": ["a", "b", "c"], "one": ["d"], "parts": ["d", "e"], "flat": ["e", "f"]}
    )
    formative = Construct(
        id="load", definition="", level=("staff",), direction="none", measurement_model="formative"
    )
    items = tuple(
        item.model_copy(update={"construct_id": "load"}) if item.id == "d" else item
        for item in instrument.items
    )
    return from_frame(
        engine(frame),
        instrument=instrument.model_copy(update={"items": items, "constructs": (formative,)}),
        roles={"cluster": "school", "wave": "wave"},
    )


def test_each_scale_has_a_coefficient_or_a_reason(engine: Engine) -> None:
    result = overview(answers(engine), n_boot=200)
    frame = result.to_frame().set_index("scale")
    alone = alpha(answers(engine), "s", n_boot=200)
    assert frame.index.tolist() == ["s", "one", "parts", "flat"]
    assert_allclose(
        frame.loc["s", ["alpha", "ci_low"]].astype(float), [alone.estimate, alone.ci_low]
    )
    assert frame.loc["s", "n_clusters"] == 12
    assert frame.loc["s", "item_rest_min"] == alone.item_rest.min()
    assert frame.loc["one", "reason"] == "a single item has no internal consistency"
    assert frame.loc["parts", "reason"].startswith("the construct 'load' is formative")
    assert frame.loc[["one", "parts"], "alpha"].isna().all()
    assert [one.scale for one in result.results] == ["s", "flat"]


def test_one_row_for_each_wave(engine: Engine) -> None:
    result = overview(answers(engine), ["s", "flat"], by="wave", n_boot=200)
    frame = result.to_frame()
    assert frame[["wave", "scale"]].to_numpy().tolist() == [
        [1, "s"],
        [1, "flat"],
        [2, "s"],
        [2, "flat"],
    ]
    assert frame["n_respondents"].tolist()[:3] == [120, 120, 120]
    assert "item 'f' has the same value" in frame.loc[3, "reason"]
    assert any("No alpha for flat in wave 2" in note for note in result.notes)


def test_a_formative_scale_keeps_its_note_in_alpha() -> None:
    result = alpha(answers(), "parts", n_boot=200)
    assert any("Read with care: the construct 'load' is formative" in n for n in result.notes)


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="has no column 'term'"):
        overview(answers(), by="term")


def test_summary_and_chart() -> None:
    result = overview(answers(), n_boot=200)
    text = result.summary()
    assert text.startswith("Reliability of 4 scales (95% intervals)\n\nscale  items  respondents")
    assert "one        1            –         –      –" in text
    assert "Note. No alpha for one: a single item has no internal consistency." in text
    svg = result.chart().to_svg()
    assert "flat" in svg
    assert "parts" not in svg
