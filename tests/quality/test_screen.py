"""cs.screen: one row for each row of answers, flags with reasons, and odd input said aloud."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import collabsurvey as cs
from collabsurvey.errors import DataError, OptionError, UnknownNameError
from collabsurvey.quality import ScreenResult, screen
from conftest import Engine
from support import BFI_REVERSED, BFI_SCALES, dataset, gold

COLUMNS = [
    "missing_share",
    "longstring",
    "avg_longstring",
    "irv",
    "even_odd",
    "mahalanobis",
    "mahalanobis_p",
    "person_total",
    "synonyms",
    "antonyms",
    "straight_reversed",
    "duplicate",
    "flags",
    "reasons",
]


def bfi(engine: Any = None, *, rows: int = 400, **options: Any) -> cs.Responses:
    data = dataset("bfi").head(rows)
    options.setdefault("roles", {"respondent": "id"})
    return cs.from_frame(
        data if engine is None else engine(data),
        scales=BFI_SCALES,
        reverse_keyed=BFI_REVERSED,
        response_range=(1, 6),
        **options,
    )


def made(x: Any, scales: int = 1, **options: Any) -> cs.Responses:
    data = pd.DataFrame(np.asarray(x, dtype=float))
    data.columns = [f"i{j:02d}" for j in range(data.shape[1])]
    parts = np.array_split(np.array(data.columns), scales)
    named = {f"s{j}": part.tolist() for j, part in enumerate(parts)}
    return cs.from_frame(data, scales=named, **{"response_range": (1, 5), **options})


@pytest.fixture(scope="module")
def plain() -> pd.DataFrame:
    return screen(bfi(), duration="age").to_frame(keep=["respondent"])


def test_every_engine_gives_the_same_rows(engine: Engine, plain: pd.DataFrame) -> None:
    frame = screen(bfi(engine), duration="age").to_frame(keep=["respondent"])
    assert type(frame) is type(engine(dataset("bfi").head(2)))
    found = engine.pandas(frame)
    if engine.lazy:  # no order
        found = found.set_index("id").loc[plain["id"]].reset_index()
    assert list(found) == ["id", *COLUMNS[:-2], "seconds_per_item", "flags", "reasons"]
    assert_array_equal(found["reasons"], plain["reasons"])
    for column in COLUMNS[:-1]:
        assert_allclose(
            found[column].astype(float), plain[column].astype(float), rtol=1e-9, err_msg=column
        )


def test_polars_has_gaps_and_no_nan() -> None:
    pl = pytest.importorskip("polars")
    frame = screen(bfi(pl.from_pandas)).to_frame()
    assert frame["synonyms"].null_count() == 400
    assert frame["even_odd"].is_nan().sum() == 0


def test_rows_keep_their_index_and_order_and_may_be_changed() -> None:
    data = dataset("bfi").head(50).sample(frac=1, random_state=1)
    result = screen(cs.from_frame(data, scales=BFI_SCALES, response_range=(1, 6)))
    frame = result.to_frame()
    assert list(frame) == COLUMNS
    assert_array_equal(frame.index, data.index)
    frame.loc[frame.index[0], "flags"] = 9
    assert result.flags[0] != 9


def test_unreversed_even_odd_is_careless() -> None:
    data = dataset("bfi").dropna(subset=[i for items in BFI_SCALES.values() for i in items])
    responses = cs.from_frame(
        data, scales=BFI_SCALES, reverse_keyed=BFI_REVERSED, response_range=(1, 6)
    )
    stored = gold("12_careless_responding")["evenodd_bfi25"]["values"]
    found = screen(responses, keyed_even_odd=False).to_frame()["even_odd"]
    assert_allclose(found.head(30), stored["first30"], rtol=1e-8, atol=1e-12)
    assert_allclose(found.mean(), stored["mean"], rtol=1e-8)
    keyed = screen(responses).to_frame()["even_odd"]
    assert keyed.mean() < found.mean() - 0.2  # halves of one direction agree much better


def test_flags_are_the_reasons_counted(plain: pd.DataFrame) -> None:
    counted = plain["reasons"].map(lambda text: len(text.split("; ")) if text else 0)
    assert_array_equal(plain["flags"], counted)


def planted() -> tuple[cs.Responses, dict[str, int]]:
    """Honest rows on 12 scales of 5 items with two reversed, and one careless row of each kind."""
    rng = np.random.default_rng(7)
    n, scales = 400, 12
    trait = rng.normal(size=(n, scales, 1)) * 0.9
    level = rng.normal(scale=0.5, size=(1, scales, 5))
    sign = np.array([1, 1, 1, -1, -1])
    x = 3 + sign * trait + level + rng.normal(scale=0.5, size=(n, scales, 5))
    x = np.clip(np.round(x), 1, 5).reshape(n, 60)
    x[0] = 5
    x[1, :40] = np.nan
    x[8:38] = rng.integers(1, 6, size=(30, 60))
    x[4] = x[3]
    mean = x[40:].mean(axis=0)
    x[5] = np.clip(np.round(6 - mean + rng.normal(scale=0.4, size=60)), 1, 5)
    data = pd.DataFrame(x, columns=[f"i{j:02d}" for j in range(60)])
    data["took"] = 400.0
    data.loc[6, "took"] = 90.0
    data.loc[7, "took"] = -1.0
    names = np.array(data.columns[:60]).reshape(12, 5)
    responses = cs.from_frame(
        data,
        scales={f"s{j}": list(row) for j, row in enumerate(names)},
        reverse_keyed=names[:, 3:].ravel(),
        response_range=(1, 5),
    )
    kinds = ("straight", "left", "honest", "copied", "copy", "against", "fast")
    return responses, {kind: place for place, kind in enumerate(kinds)}


def test_planted_rows_are_found_and_honest_ones_left_alone() -> None:
    responses, at = planted()
    result = screen(responses, duration="took", synonym_r=0.4, antonym_r=-0.4)
    frame = result.to_frame()
    reasons = frame["reasons"]
    assert "same answer 30 times in a row" in reasons[at["straight"]]
    assert "items of a scale keyed both ways" in reasons[at["straight"]]
    assert "more than 50% of the items left out" in reasons[at["left"]]
    for sign in (
        "halves of the scales disagree (even-odd above −0.30)",
        "items that go together were answered apart",
        "items that exclude each other were answered alike",
        "answers run against those of all others",
        "unusual combination",
    ):  # a row answered at random is caught by each index every second or third time
        caught = reasons.str.contains(sign, regex=False)
        assert caught[8:38].mean() > 0.2, sign
        assert caught[38:].mean() < 0.03, sign
    assert (frame["flags"][8:38] > 1).mean() > 0.8
    assert (
        reasons[at["copied"]] == reasons[at["copy"]] == "all answers equal to those of another row"
    )
    assert "answers run against those of all others" in reasons[at["against"]]
    assert "less than 2 seconds an item" in reasons[at["fast"]]
    assert frame["seconds_per_item"][6] == 1.5
    assert (frame["flags"][38:] > 0).mean() < 0.06
    assert (frame["flags"][38:] > 1).mean() < 0.01
    assert len(result.synonym_pairs) >= 10 <= len(result.antonym_pairs)
    assert result.n_flagged["duplicate"] == 2
    assert "1 rows have no time above zero in 'took'." in result.notes


def test_a_robust_covariance_shows_what_hides_in_numbers() -> None:
    rng = np.random.default_rng(5)
    x = np.clip(rng.normal(size=(300, 1)) + rng.normal(size=(300, 5)) * 0.5 + 3, 1, 5)
    x[:45] = np.clip([4.6, 1.4, 4.6, 1.4, 4.6] + rng.normal(size=(45, 5)) * 0.1, 1, 5)
    hidden = screen(made(x)).to_frame()["mahalanobis_p"]
    shown = screen(made(x), robust=True)
    assert (hidden[:45] < 0.001).mean() < 0.1
    assert (shown.to_frame()["mahalanobis_p"][:45] < 0.001).all()
    assert any("minimum covariance determinant" in note for note in shown.notes)
    again = screen(made(x), robust=True).to_frame()
    pd.testing.assert_frame_equal(again, shown.to_frame())


def test_even_odd_is_not_used_with_few_scales() -> None:
    result = screen(bfi())
    assert result.unused["even_odd"] == "scales of two items or more: 5"
    assert result.unused["irv"] == "no agreed cut-off"
    assert "even_odd" not in result.used


def test_wrong_keys_do_not_flag_everybody() -> None:
    responses, _ = planted()
    data = responses.frame
    scales = {scale.id: list(scale.items) for scale in responses.instrument.scoring}
    wrong = [items[0] for items in scales.values()]
    result = screen(cs.from_frame(data, scales=scales, reverse_keyed=wrong, response_range=(1, 5)))
    assert "the bulk of the rows" in result.unused["even_odd"]
    assert any("Not used to flag: even-odd inconsistency" in note for note in result.notes)


def test_every_row_flagged_is_said() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame(rng.integers(1, 6, size=(40, 12)), columns=[f"i{j}" for j in range(12)])
    data["t"] = 3.0
    result = screen(
        cs.from_frame(data, scales={"s": list(data)[:12]}, response_range=(1, 5)), duration="t"
    )
    assert (result.flags > 0).all()
    assert any(note.startswith("Every row is flagged") for note in result.notes)


def test_odd_input_is_said() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(1, 6, size=(60, 8)).astype(float)
    x[:, 1] = 3
    x[:, 2] = x[:, 0]
    x[9] = np.nan
    result = screen(made(x, scales=8))
    notes = " ".join(result.notes)
    assert "Everyone who answered gave one answer, not in Mahalanobis: i01." in notes
    assert "singular: these items follow from others" in notes
    assert "i02" in notes
    assert "1 rows have no answer at all" in notes
    assert "Scales with one item here, not in even-odd" in notes
    assert "no scale of three items or more is keyed both ways" in notes
    frame = result.to_frame()
    assert frame["missing_share"][9] == 1
    assert frame.loc[9, COLUMNS[2:10]].isna().all()
    # The rest of the rows: the distance of a pseudo-inverse.
    rows = np.delete(x, 9, axis=0)
    centred = rows - rows.mean(axis=0)
    inverse = np.linalg.pinv(np.cov(rows, rowvar=False), hermitian=True)
    expected = np.einsum("ij,jk,ik->i", centred, inverse, centred)
    assert_allclose(frame["mahalanobis"].drop(index=9), expected, rtol=1e-8)


def test_fewer_rows_than_items_have_no_distance() -> None:
    result = screen(made(np.random.default_rng(3).integers(1, 6, size=(5, 9))))
    assert result.unused["mahalanobis_p"] == "5 rows for 9 items that vary"
    assert result.to_frame()["mahalanobis"].isna().all()


def test_items_with_other_ranges_are_brought_to_one() -> None:
    rng = np.random.default_rng(4)
    x = rng.integers(1, 6, size=(50, 6)).astype(float)
    wide = x.copy()
    wide[:, 3:] = (x[:, 3:] - 1) * 25
    items = [f"i{j:02d}" for j in range(6)]
    base = screen(made(x, scales=3)).to_frame()
    instrument = made(x, scales=3).instrument
    sets = dict(instrument.response_sets)
    sets["slider"] = sets["answers"].model_copy(update={"values": (0.0, 100.0)})
    mixed = instrument.model_copy(
        update={
            "response_sets": sets,
            "items": tuple(
                item.model_copy(update={"response": "slider"}) if item.id in items[3:] else item
                for item in instrument.items
            ),
        }
    )
    result = screen(cs.from_frame(pd.DataFrame(wide, columns=items), instrument=mixed))
    found = result.to_frame()
    assert any(note.startswith("Items have different ranges") for note in result.notes)
    for column in ("even_odd", "person_total", "mahalanobis"):
        assert_allclose(found[column], base[column], atol=1e-9, err_msg=column)
    assert_allclose(found["irv"] * 4, base["irv"], atol=1e-9)


def test_reversed_items_without_a_range_are_turned_within_what_was_found() -> None:
    data = dataset("bfi").head(300)
    stated = screen(bfi(rows=300)).to_frame()["even_odd"]
    result = screen(cs.from_frame(data, scales=BFI_SCALES, reverse_keyed=BFI_REVERSED))
    assert any("No range is stated" in note for note in result.notes)
    assert_allclose(result.to_frame()["even_odd"], stated, atol=1e-9)


def test_names_the_options_that_cannot_be() -> None:
    with pytest.raises(OptionError, match="longstring=12"):
        screen(bfi(), longstring=12)
    with pytest.raises(OptionError, match="mahalanobis=5"):
        screen(bfi(), mahalanobis=5)
    with pytest.raises(OptionError, match="duration_unit='hours'"):
        screen(bfi(), duration="age", duration_unit="hours")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"synonym_r=-0.6"):
        screen(bfi(), synonym_r=-0.6)
    with pytest.raises(OptionError, match=r"antonym_r=0.6"):
        screen(bfi(), antonym_r=0.6)
    with pytest.raises(UnknownNameError, match="no column 'agee'"):
        screen(bfi(), duration="agee")
    with pytest.raises(DataError, match="takes Responses"):
        screen(dataset("bfi"))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="role 'wave', which is not set"):
        screen(bfi()).to_frame(keep=["wave"])
    data = dataset("bfi").head(20).assign(flags="x")
    clash = screen(cs.from_frame(data, scales=BFI_SCALES, response_range=(1, 6)))
    with pytest.raises(DataError, match="named as those of a screening: flags"):
        clash.to_frame(keep=["flags"])
    with pytest.raises(DataError, match="holds text"):
        screen(cs.from_frame(data, scales=BFI_SCALES), duration="flags")


def test_what_a_reader_is_shown() -> None:
    result = screen(bfi(), "agree", irv=0.5)
    text = result.summary()
    assert "answers spread less than 0.5" in text
    assert "flagged by 2 or more" in text
    assert "Nothing was removed" in text
    assert "– (fewer than 20 items)" in text
    assert isinstance(result, ScreenResult)
    assert "Rows flagged" in result.chart().description
    assert "<table" in result._repr_html_()


def test_weights_play_no_part_and_that_is_said() -> None:
    data = dataset("bfi").head(60).assign(w=2.0)
    options = {"scales": BFI_SCALES, "response_range": (1, 6)}
    with_role = screen(cs.from_frame(data, roles={"weight": "w"}, **options))
    without = screen(cs.from_frame(data, **options))
    pd.testing.assert_frame_equal(with_role.to_frame(), without.to_frame())
    assert "Without weights: every row counts once." in with_role.notes


@st.composite
def odd_responses(draw: st.DrawFn) -> cs.Responses:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, k = draw(st.integers(1, 40)), draw(st.integers(1, 14))
    x = rng.integers(1, draw(st.sampled_from([2, 3, 6])), size=(n, k)).astype(float)
    if draw(st.booleans()):
        x[:, rng.integers(k)] = x[:, 0]
    if draw(st.booleans()):
        x[rng.random((n, k)) < draw(st.sampled_from([0.05, 0.5]))] = np.nan
    x[0, 0] = 1
    columns = [f"i{j:02d}" for j in range(k)]
    return made(
        x,
        scales=draw(st.integers(1, k)),
        reverse_keyed=[name for name in columns if draw(st.booleans())],
        response_range=draw(st.sampled_from([(1, 5), None])),
    )


@given(responses=odd_responses(), robust=st.booleans())
@settings(max_examples=60)
def test_odd_frames_give_numbers_in_their_bounds(responses: cs.Responses, robust: bool) -> None:
    result = screen(responses, robust=robust)
    frame = result.to_frame()
    assert len(frame) == responses.n_rows
    numbers = frame.drop(columns="reasons").astype(float)
    assert not np.isinf(numbers).any(axis=None)
    for column in ("even_odd", "person_total", "synonyms", "antonyms"):
        assert (numbers[column].abs().dropna() <= 1).all()
    assert (numbers["mahalanobis"].dropna() >= -1e-8).all()
    assert numbers["mahalanobis_p"].dropna().between(0, 1).all()
    assert result.summary()


@given(seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 6, size=(30, 10)).astype(float)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[0, 0] = 1
    order = rng.permutation(30)
    plain = screen(made(x, scales=3)).to_frame()
    moved = screen(made(x[order], scales=3)).to_frame()
    for column in COLUMNS[:-1]:
        assert_allclose(
            moved[column].astype(float), plain[column].to_numpy(float)[order], atol=1e-6
        )
