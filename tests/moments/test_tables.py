"""How often each answer was given, alone and in pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from collabsurvey.errors import DataError
from collabsurvey.moments import answer_tables, tables
from collabsurvey.responses import from_frame


def answers(n: int = 50) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    x = rng.integers(1, 5, (n, 2)).astype(float)
    x[rng.random(x.shape) < 0.1] = np.nan
    return pd.DataFrame(x, columns=["a", "b"]).assign(w=rng.uniform(0, 2, n))


def test_tables_are_those_of_pandas(engine: Any) -> None:
    df = answers()
    found = answer_tables(from_frame(engine(df), scales={"s": ["a", "b"]}), "s")
    assert_array_equal(found.one_way("a"), df["a"].value_counts().sort_index())
    assert_array_equal(found.two_way("a", "b"), pd.crosstab(df["a"], df["b"]))
    assert_array_equal(found.two_way("b", "a"), found.two_way("a", "b").T)
    assert_array_equal(found.n_missing, df[["a", "b"]].isna().sum())
    assert_array_equal(found.categories[0], [1, 2, 3, 4])


def test_parts_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    responses = from_frame(answers(), scales={"s": ["a", "b"]})
    whole = answer_tables(responses, "s")
    monkeypatch.setattr(tables, "HOT_CELLS", 24)  # three rows at a time
    assert_array_equal(answer_tables(responses, "s").counts, whole.counts)


def test_weights_are_counted(engine: Any) -> None:
    df = answers()
    responses = from_frame(engine(df), scales={"s": ["a", "b"]}, roles={"weight": "w"})
    expected = pd.crosstab(df["a"], df["b"], values=df["w"], aggfunc="sum")
    assert_allclose(answer_tables(responses, "s").two_way("a", "b"), expected, rtol=1e-12)


def test_answers_nobody_gave_are_counted_as_zero() -> None:
    responses = from_frame(answers(), scales={"s": ["a", "b"]}, response_range=(1, 5))
    ordinal = responses.instrument.response_sets["answers"].model_copy(
        update={"type": "ordinal", "values": (1.0, 2.0, 3.0, 4.0, 5.0)}
    )
    instrument = responses.instrument.model_copy(update={"response_sets": {"answers": ordinal}})
    found = answer_tables(responses.replace(instrument=instrument), ["b"])
    assert found.one_way("b")[4] == 0
    assert found.one_way("b").sum() == answers()["b"].notna().sum()


def test_measurements_are_no_categories() -> None:
    df = pd.DataFrame({"a": np.arange(200.0)})
    with pytest.raises(DataError, match="'a' has 200 different answers, which is a measurement"):
        answer_tables(from_frame(df, scales={"s": ["a"]}), "s")
