"""Lines in people's own words: kept as written, counted, never quoted and never computed with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest

import collabsurvey as cs
from collabsurvey.errors import NotAmountsError, OptionError
from collabsurvey.instruments.making import instrument_from_scales
from collabsurvey.instruments.model import Instrument, Item, ResponseSet, Scale
from collabsurvey.responses import Responses, from_frame, write_dta, write_sav
from conftest import Engine

SAID = [" We share, 5 of us ", "3", "Agree", "   ", None, "=1+1", "-8", "N/A"]
KEPT = [" We share, 5 of us ", "3", "Agree", None, None, "=1+1", None, None]
ROLES = {"respondent": "who", "wave": "wave"}


def lines() -> Instrument:
    """Two items of a scale, and one answered in free text."""
    plain = instrument_from_scales({"s": ["q1", "q2"]}, response_range=(1, 5))
    agree = ResponseSet(type="ordinal", values=(1, 2, 3, 4, 5), missing={-8: "cannot_say"})
    line = ResponseSet(type="text", missing={-8: "cannot_say"})
    return plain.model_copy(
        update={
            "response_sets": {"answers": agree, "line": line},
            "items": (*plain.items, Item(id="line", response="line", unscored=True)),
        }
    )


def staff(said: Any = SAID, *, wave: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "who": [f"r{i}" for i in range(len(said))],
            "wave": wave,
            "q1": np.resize([1.0, 5.0, 2.0, 4.0], len(said)),
            "q2": np.resize([2.0, 4.0, 1.0, 5.0], len(said)),
            "line": said,
        }
    )


def read(df: Any, **options: Any) -> Responses:
    return from_frame(df, instrument=lines(), roles=ROLES, missing_codes=("n/a",), **options)


def said_in(frame: pd.DataFrame, column: str = "line") -> list[str | None]:
    return [None if pd.isna(cell) else str(cell) for cell in frame[column]]


def test_text_stays_as_it_was_written(engine: Engine) -> None:
    found = engine.pandas(read(engine(staff())).frame).sort_values("who")
    assert said_in(found) == KEPT


def test_the_ledger_counts_and_quotes_nothing(engine: Engine) -> None:
    ledger = read(engine(staff())).ledger
    found = {line.what: line.n for line in ledger if line.column == "line"}
    assert found == {
        "blank text set to missing": 1,
        "text that stands for no answer set to missing": 2,
    }
    assert not any("share" in line.what for line in ledger)


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        ([12.0, np.nan, 3.0], ["12", None, "3"]),
        ([7, 8, 9], ["7", "8", "9"]),
        ([None] * 3, [None] * 3),
    ],
)
def test_numbers_in_a_column_of_text_become_text(
    cells: list[Any], kept: list[str | None], eager_engine: Engine
) -> None:
    found = eager_engine.pandas(read(eager_engine(staff(cells))).frame)
    assert said_in(found) == kept


def test_waves_are_put_together_and_side_by_side() -> None:
    both = cs.concat([read(staff()), read(staff(wave=2))])
    assert said_in(both.frame) == KEPT * 2
    assert said_in(both.wide(), "line_2") == KEPT


def test_columns_may_be_called_otherwise_and_stand_once_for_each_partner() -> None:
    frame = staff().rename(columns={"line": "own words"})
    assert said_in(read(frame, columns={"line": "own words"}).frame) == KEPT
    frame["more"] = ["Hill helps", *[None] * 7]
    by_partner = {"Hill": "more", "Dale": "own words"}
    long = read(frame, columns={"line": by_partner}).frame
    hill = long[long["partner"] == "Hill"]
    assert said_in(hill) == ["Hill helps"]


def test_impossible_answers_are_never_looked_for_in_text() -> None:
    frame = staff().assign(q1=[9.0, *[1.0] * 7])
    found = read(frame, repair={"out_of_range": "missing"})
    assert said_in(found.frame) == KEPT
    assert found.frame["q1"].isna().sum() == 1


@pytest.mark.parametrize(
    "step",
    [
        cs.screen,
        cs.quality.missingness,
        cs.reliability.distributions,
        cs.reliability.describe_items,
        cs.reliability.overview,
        cs.score,
    ],
)
@pytest.mark.filterwarnings("ignore::collabsurvey.errors.CollabSurveyWarning")
def test_analyses_pass_text_over(step: Any) -> None:
    answers = from_frame(staff(SAID * 4).assign(who=range(32)), instrument=lines(), roles=ROLES)
    result = step(answers)
    assert "share, 5" not in result.summary()
    assert "line" not in result.to_frame().to_string().replace("outline", "").split()


@pytest.mark.parametrize(
    "step", [cs.screen, cs.reliability.distributions, cs.reliability.describe_items]
)
def test_text_that_is_asked_for_by_name_is_refused(step: Any) -> None:
    with pytest.raises(NotAmountsError, match="line is refused: the.* free text"):
        step(read(staff()), items=["q1", "line"])


@pytest.mark.parametrize(("write", "ending"), [(write_sav, "sav"), (write_dta, "dta")])
def test_files_for_other_programs_hold_text_on_request_only(
    write: Any, ending: str, tmp_path: Path
) -> None:
    answers, path = read(staff()), tmp_path / f"answers.{ending}"
    assert "line" not in write(answers, path)
    assert b"share, 5" not in path.read_bytes()
    assert "line" in write(answers, path, free_text="kept")
    assert b"share, 5" in path.read_bytes()
    reader = pyreadstat.read_sav if ending == "sav" else pyreadstat.read_dta
    frame, _ = reader(path)
    assert frame["line"][1] == "3"
    back = cs.read_responses(path, instrument=lines(), roles={"respondent": "who"})
    assert [one and one.strip() for one in said_in(back.frame)] == [
        one and one.strip() for one in KEPT
    ]
    with pytest.raises(OptionError, match="left_out"):
        write(answers, path, free_text="some")


def test_marks_of_a_platform_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(
        '"id","submitdate","lastpage","startlanguage","q[1]","q[2]","line[1]"\n'
        '"1","2026-09-01 10:00:00","1","en","4","5","We share, N/A or not"\n'
        '"2","2026-09-01 10:00:00","1","en","4","2","N/A"\n',
        encoding="utf-8",
    )
    scale = Scale(id="s", title="S", items=("q.1", "q.2"))
    plain = lines()
    items = tuple(
        Item(id=name, response=one.response, unscored=one.unscored)
        for name, one in zip(("q.1", "q.2", "line.1"), plain.items, strict=True)
    )
    instrument = plain.model_copy(update={"items": items, "scoring": (scale,)})
    found = cs.read_responses(path, instrument=instrument, roles={"respondent": "id"})
    assert said_in(found.frame, "line.1") == ["We share, N/A or not", None]
