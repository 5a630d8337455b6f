"""Model texts written for instruments."""

from __future__ import annotations

import pytest

from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.from_instrument import model_of
from collabsurvey.dimensionality.sem.syntax import parse
from collabsurvey.errors import NotSupportedError, UnknownNameError
from collabsurvey.instruments import instrument_from_scales, list_instruments, load_instrument

SCALES = {"climate": ["c1", "c2", "c3"], "trust": ["t1", "t2", "t3"]}
SHIPPED = list(list_instruments()["id"])


def test_every_scale_is_a_factor() -> None:
    instrument = instrument_from_scales(SCALES)
    assert model_of(instrument) == "climate =~ c1 + c2 + c3\ntrust =~ t1 + t2 + t3"
    assert model_of(instrument, ["trust"]) == "trust =~ t1 + t2 + t3"


def test_totals_are_left_out() -> None:
    total = {"all": [item for items in SCALES.values() for item in items]}
    assert model_of(instrument_from_scales({**total, **SCALES})) == model_of(
        instrument_from_scales(SCALES)
    )
    assert model_of(instrument_from_scales(total)).startswith("all =~ c1 + c2")


def test_factor_names_are_made_valid() -> None:
    scales = {"2nd part": ["a1", "a2", "a3"], "b1": ["b1", "b2", "b3"]}
    text = model_of(instrument_from_scales(scales))
    assert text == "f_2nd_part =~ a1 + a2 + a3\nb1_f =~ b1 + b2 + b3"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_instruments_have_a_model(name: str) -> None:
    instrument = load_instrument(name)
    try:
        text = model_of(instrument)
    except NotSupportedError as error:
        assert "no reflective scale" in str(error)
        return
    assert {one.rhs for one in parse(text).statements} <= set(instrument.item_ids)
    build(text, columns=instrument.item_ids)


def test_scales_that_are_no_factors_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="trus"):
        model_of(instrument_from_scales(SCALES), ["trus"])
