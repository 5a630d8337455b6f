"""Headline numbers with and without flagged rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import collabsurvey as cs
from collabsurvey.errors import DataError, NotSupportedError, OptionError
from collabsurvey.quality import without_flagged
from collabsurvey.responses import Responses, from_frame
from collabsurvey.validation import impact

Engine = Callable[[pd.DataFrame], Any]


def staff(n: int = 300, careless: int = 30) -> pd.DataFrame:
    """Eight items of one factor, half of them reversed; the first rows answer 5 throughout."""
    rng = np.random.default_rng(7)
    factor = rng.normal(size=n)
    names = [f"q{i}" for i in range(8)]
    frame = pd.DataFrame(
        {name: np.clip(np.round(3 + factor + 0.7 * rng.normal(size=n)), 1, 5) for name in names}
    )
    frame[names[::2]] = 6 - frame[names[::2]]
    frame.loc[: careless - 1, names] = 5.0
    return frame.assign(school=rng.integers(0, 12, n))


def answers(frame: Any) -> Responses:
    names = [f"q{i}" for i in range(8)]
    return from_frame(
        frame,
        scales={"s": names},
        reverse_keyed=names[::2],
        response_range=(1, 5),
        roles={"cluster": "school"},
    )


def test_numbers_are_those_of_the_rows_left(eager_engine: Any) -> None:
    resp = answers(eager_engine(staff()))
    screened = cs.screen(resp)
    found = impact(resp, screened)
    assert found.n_flagged == int((screened.flags >= 1).sum()) > 20
    kept = without_flagged(screened)
    assert kept.n_rows == 300 - found.n_flagged
    assert kept.ledger.n_dropped() == found.n_flagged
    numbers = found.numbers.set_index("quantity")
    whole, rest = (
        cs.reliability.alpha(one, "s", ci="feldt", cluster=None).estimate for one in (resp, kept)
    )
    assert_allclose(numbers["all_rows"]["alpha"], whole)
    assert_allclose(numbers["without_flagged"]["alpha"], rest)
    assert rest > whole  # straight answers against reversed items hide the factor
    scores = cs.score(kept)
    assert_allclose(numbers["without_flagged"]["mean"], scores.mean[0])
    icc = cs.multilevel.icc(scores, ["s"], "cluster").to_frame()["icc1"][0]
    assert_allclose(numbers["without_flagged"]["icc1"], icc)
    assert resp.n_rows == 300


def test_lazy_frames_are_collected(lazy_engine: Any) -> None:
    frame = staff()
    lazy = impact(answers(lazy_engine(frame)))
    assert_allclose(
        lazy.numbers["without_flagged"], impact(answers(frame)).numbers["without_flagged"]
    )
    with pytest.raises(NotSupportedError, match="Collect the frame"):
        without_flagged(cs.screen(answers(lazy_engine(frame))))


def test_words_table_and_picture() -> None:
    found = impact(answers(staff()))
    text = found.summary()
    assert "rows that look careless" in text
    assert "The alpha that moves most is s's" in text
    assert found.chart().to_svg().startswith("<svg")
    assert set(found.to_frame()["quantity"]) == {"mean", "sd", "alpha", "icc1"}


def test_nothing_flagged_and_everything_flagged() -> None:
    resp = answers(staff(careless=0))
    none = impact(resp, at_least=9)
    assert none.n_flagged == 0
    assert_allclose(none.numbers["difference"], 0)
    assert any("nothing changes" in note for note in none.notes)
    screened = cs.screen(resp)
    flags = np.ones(screened.n_rows, dtype=np.int64)
    everybody = replace(screened, columns={**screened.columns, "flags": flags})
    with pytest.raises(DataError, match="Every row is flagged"):
        impact(resp, everybody)


def test_a_screening_of_other_answers_is_refused() -> None:
    with pytest.raises(OptionError, match="screened"):
        impact(answers(staff()), cs.screen(answers(staff(100))))
    with pytest.raises(OptionError, match="at_least"):
        impact(answers(staff()), at_least=0)
