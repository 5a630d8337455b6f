"""KR-20 and KR-21 against psych and Kuder and Richardson's formulas; ordinal alpha; bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    KeyingWarning,
    NotEnoughItemsError,
    NoVarianceError,
)
from collabsurvey.reliability.alpha import alpha
from collabsurvey.reliability.kr20 import kr20
from collabsurvey.responses import Responses, from_frame
from support import REFERENCE, dataset

Engine = Callable[[pd.DataFrame], Any]
STORED = json.loads((REFERENCE / "reliability.json").read_text(encoding="utf-8"))
ITEMS = ["E1r", "E2r", "E3", "E4", "E5"]


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def extra(engine: Engine = as_is, **options: Any) -> Responses:
    return from_frame(engine(dataset("bfi_extra_binary")), scales={"e": ITEMS}, **options)


def test_kr20_matches_psych(engine: Engine) -> None:
    expected = STORED["kr20_extra_binary"]
    found = kr20(extra(engine), "e")
    assert_allclose(found.kr20, expected["kr20"], rtol=1e-10)
    assert_allclose([found.ci_low, found.ci_high], expected["feldt"], rtol=1e-10)
    assert found.estimate == found.kr20


def test_both_are_their_formulas() -> None:
    frame = dataset("bfi_extra_binary")[ITEMS].dropna()
    k, total = 5, frame.sum(axis=1)
    p = frame.mean()
    variance = total.var(ddof=0)
    found = kr20(extra(), "e")
    assert_allclose(found.kr20, k / (k - 1) * (1 - (p * (1 - p)).sum() / variance), rtol=1e-10)
    m = total.mean()
    assert_allclose(found.kr21, k / (k - 1) * (1 - m * (k - m) / (k * variance)), rtol=1e-10)
    assert found.kr21 <= found.kr20
    assert_allclose(found.difficulty, p, rtol=1e-10)


def test_equal_difficulty_makes_them_equal() -> None:
    rows = [[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 1, 1]]
    frame = pd.DataFrame(rows, columns=list("abcd"))
    found = kr20(from_frame(frame, scales={"s": list("abcd")}), "s")
    assert_allclose(found.kr20, found.kr21, rtol=1e-12)


def test_other_codes_and_reversed_items_change_nothing() -> None:
    frame = dataset("bfi_extra_binary")
    plain = kr20(extra(), "e")
    moved = frame.assign(**{item: frame[item] + 1 for item in ITEMS[1:]}, E1r=2 - frame["E1r"])
    responses = from_frame(moved, scales={"e": ITEMS}, reverse_keyed=["E1r"], response_range=(1, 2))
    found = kr20(responses, "e")
    assert_allclose([found.kr20, found.kr21], [plain.kr20, plain.kr21], rtol=1e-10)
    assert_allclose(found.difficulty, plain.difficulty, rtol=1e-10)
    assert found.codes.tolist() == [[1, 2]] * 5
    assert any("the lower counts as 0" in note for note in found.notes)


def test_clusters_and_weights_are_those_of_alpha() -> None:
    frame = dataset("bfi_extra_binary").assign(
        school=lambda x: x.index % 30, w=lambda x: 1.0 + x.index % 2
    )
    responses = from_frame(frame, scales={"e": ITEMS}, roles={"cluster": "school", "weight": "w"})
    found, same = kr20(responses, "e", n_boot=300), alpha(responses, "e", n_boot=300)
    assert found.n_clusters == 30
    assert_allclose(
        [found.kr20, found.ci_low, found.ci_high],
        [same.estimate, same.ci_low, same.ci_high],
        rtol=1e-10,
    )
    few = from_frame(
        frame.assign(school=frame.index % 4), scales={"e": ITEMS}, roles={"cluster": "school"}
    )
    with pytest.warns(FewClustersWarning):
        kr20(few, "e")


def test_bad_input() -> None:
    frame = pd.DataFrame({"a": [0, 1, 2, 1], "b": [0, 1, 1, 0], "c": [0, 5, 5, 0]})
    with pytest.raises(DataError, match=r"more in a \(3\). Use alpha\(\)"):
        kr20(from_frame(frame, scales={"s": ["a", "b"]}), "s")
    with pytest.raises(DataError, match="further apart than of others"):
        kr20(from_frame(frame, scales={"s": ["b", "c"]}), "s")
    with pytest.raises(NotEnoughItemsError, match="KR-20 needs at least 2 items"):
        kr20(extra(), ["E3"])
    with pytest.raises(NoVarianceError, match="item 'E3'"):
        kr20(from_frame(dataset("bfi_extra_binary").assign(E3=1), scales={"e": ITEMS}), "e")
    turned = dataset("bfi_extra_binary").assign(E3=lambda x: 1 - x["E3"])
    with pytest.warns(KeyingWarning, match="E3"):
        kr20(from_frame(turned, scales={"e": ITEMS}), "e")


def test_summary() -> None:
    found = kr20(extra(), "e")
    assert found.summary().startswith("KR-20 of e: 0.66 (95% CI 0.64 to 0.68); KR-21: 0.64\n")
    assert found.to_frame()["coefficient"].tolist() == ["kr20", "kr21"]
    assert "E3" in found.chart().to_svg()
