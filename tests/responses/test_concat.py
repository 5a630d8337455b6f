"""Parts of a survey put together, and made wide, on every engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from collabsurvey.errors import AnswersError, DataError, OptionError
from collabsurvey.instruments import load_instrument
from collabsurvey.responses import Responses, concat, from_frame


def part(
    engine: Any, who: list[Any], q1: list[float], wave: int | None = 1, **options: Any
) -> Responses:
    df = pd.DataFrame({"who": who, "school": ["A"] * len(who), "q1": q1, "q2": [2] * len(who)})
    made = from_frame(
        engine(df.rename(columns=options.pop("rename", {}))),
        **{
            "scales": {"s": ["q1", "q2"]},
            "response_range": (1, 5),
            "roles": {"respondent": "who", "cluster": "school"},
            **options,
        },
    )
    return made if wave is None else made.with_constant("wave", wave)


def cells(engine: Any, frame: Any, columns: list[str]) -> list[tuple[Any, ...]]:
    rows = engine.pandas(frame)[columns].astype(object)
    rows = rows.where(rows.notna(), None)
    return sorted(rows.itertuples(index=False, name=None), key=str)


def test_waves_are_put_one_above_the_other(engine: Any) -> None:
    both = concat([part(engine, ["a", "b"], [1, 2]), part(engine, ["b", "c"], [4, 5], wave=2)])
    assert cells(engine, both.frame, ["who", "wave", "q1"]) == [
        ("a", 1, 1.0),
        ("b", 1, 2.0),
        ("b", 2, 4.0),
        ("c", 2, 5.0),
    ]
    assert (both.n_rows, both.n_respondents) == (4, 3)
    assert [line.n for line in both.ledger if line.step == "read"] == [2, 2]


def test_wide_has_a_row_for_each_respondent(engine: Any) -> None:
    both = concat([part(engine, ["a", "b"], [1, 2]), part(engine, ["b", "c"], [4, 5], wave=2)])
    assert cells(engine, both.wide(), ["who", "q1_1", "q1_2", "school_2"]) == [
        ("a", 1.0, None, None),
        ("b", 2.0, 4.0, "A"),
        ("c", None, 5.0, "A"),
    ]


def test_wide_keeps_partners_apart(engine: Any) -> None:
    df = pd.DataFrame(
        {
            "who": ["a"] * 5,
            "when": [1, 1, 1, 2, 2],
            "about": ["North", "South", None, "North", None],
            "q1": [1, 2, 3, 4, 5],
        }
    )
    roles = {"respondent": "who", "wave": "when", "partner": "about"}
    responses = from_frame(engine(df), scales={"s": ["q1"]}, roles=roles)
    assert cells(engine, responses.wide(), ["about", "q1_1", "q1_2"]) == [
        ("North", 1.0, 4.0),
        ("South", 2.0, None),
        (None, 3.0, 5.0),
    ]


def test_wide_needs_levels_and_roles(engine: Any) -> None:
    with pytest.raises(DataError, match="Wide data needs the role 'wave'"):
        part(engine, ["a"], [1], wave=None).wide()
    df = pd.DataFrame({"who": ["a"], "when": [np.nan], "q1": [1]})
    roles = {"respondent": "who", "wave": "when"}
    with pytest.raises(DataError, match="the column 'when' is empty"):
        from_frame(engine(df), scales={"s": ["q1"]}, roles=roles).wide()
    with pytest.raises(OptionError, match="by='respondent'"):
        part(engine, ["a"], [1]).wide(by="respondent")


def test_same_key_in_two_parts_is_refused(engine: Any) -> None:
    with pytest.raises(AnswersError, match=r"1 key \(respondent × wave\) occurs more than once"):
        concat([part(engine, ["a", "b"], [1, 2]), part(engine, ["b"], [3])])


def test_ids_of_two_types_are_refused(engine: Any) -> None:
    with pytest.raises(DataError, match="'who' holds text in one part and numbers in another"):
        concat([part(engine, ["07"], [1]), part(engine, [7], [1], wave=2)])


def test_ids_that_look_alike_across_parts_are_refused(engine: Any) -> None:
    with pytest.raises(AnswersError, match="'07' and '7'"):
        concat([part(engine, ["07"], [1]), part(engine, ["7"], [1], wave=2)])


def test_role_columns_take_the_first_name_and_types_are_joined(engine: Any) -> None:
    first = part(engine, [1, 2], [1, 2])
    second = part(
        engine,
        [3.0, np.nan],
        [3, 4],
        wave=2,
        rename={"who": "id"},
        roles={"respondent": "id", "cluster": "school"},
    )
    both = concat([first, second])
    assert cells(engine, both.frame, ["who", "q1"]) == [
        (1.0, 1.0),
        (2.0, 2.0),
        (3.0, 3.0),
        (None, 4.0),
    ]


def test_columns_of_one_part_only_are_kept(engine: Any) -> None:
    second = part(engine, ["c"], [3], wave=2)
    extra = engine.pandas(second.frame).assign(remark="late")
    both = concat([part(engine, ["a"], [1]), second.replace(frame=engine(extra))])
    assert cells(engine, both.frame, ["who", "remark"]) == [("a", None), ("c", "late")]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scales": {"s": ["q1"]}}, "q2, s differ"),
        ({"response_range": (0, 6)}, "in different ways"),
        ({"reverse_keyed": ["q2"]}, "in different ways"),
        ({"roles": {"respondent": "who"}}, "same roles: cluster is set in one"),
        ({"key": ["cluster"]}, "different row keys"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    engine: Any, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        concat([part(engine, ["a"], [1]), part(engine, ["b"], [1], **options)])


def test_parts_of_two_engines_are_refused() -> None:
    pl = pytest.importorskip("polars")
    with pytest.raises(DataError, match="frames of different kinds"):
        concat([part(lambda df: df, ["a"], [1]), part(pl.from_pandas, ["b"], [1])])
    with pytest.raises(OptionError, match="a list of Responses"):
        concat([])


def test_synthetic_parts_make_a_synthetic_whole() -> None:
    parts = [part(lambda df: df, ["a"], [1]), part(lambda df: df, ["b"], [1], synthetic=True)]
    assert concat(parts).synthetic
    assert "synthetic" in repr(concat(parts))


def test_constant_of_a_role_that_is_set_is_refused(engine: Any) -> None:
    with pytest.raises(OptionError, match="wave already is"):
        part(engine, ["a"], [1]).with_constant("wave", 2)


def test_waves_may_differ_in_partner_and_in_what_was_asked() -> None:
    trust = load_instrument("trust")
    names = [*trust.scale("tru.expect").items, *trust.scale("tru.invest.risk").items]
    answers = pd.DataFrame({key: [3.0, 4.0] for key in names}, index=[0, 1])
    answers[list(trust.scale("tru.expect").items)] = 50.0
    first = from_frame(
        answers.assign(who=["a", "b"], wave=1),
        instrument=trust.filled({"partner": "Hill School"}),
        items="present",
        roles={"respondent": "who", "wave": "wave"},
    )
    second = from_frame(
        answers.drop(columns="tru.invest.risk.03").assign(who=["a", "b"], wave=2),
        instrument=trust.filled({"partner": "Dale School"}),
        items="present",
        roles={"respondent": "who", "wave": "wave"},
    )
    both = concat([first, second])
    assert both.instrument.scale_ids == ("tru.expect",)
    assert both.n_rows == 4
    said = [line.what for line in both.ledger if "left out" in line.what]
    assert "items that not every part asked, left out: tru.invest.risk.03" in said
    assert "scales that need them, left out: tru.invest.risk" in said
