"""The row key: rows that are the same, and rows of which it is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from collabsurvey.errors import AnswersError
from collabsurvey.responses import from_frame

Engine = Callable[[pd.DataFrame], Any]
ROLES = {"respondent": "id", "cluster": "school", "partner": "about"}


def read(frame: Any) -> Any:
    return from_frame(frame, scales={"trust": ["y1", "y2"]}, roles=ROLES)


def rows() -> pd.DataFrame:
    """a answers about three partners, b about two."""
    return pd.DataFrame(
        {
            "id": list("aaabb"),
            "school": list("AAABB"),
            "about": ["B", "C", "D", "A", "C"],
            "y1": [1.0, 2, 3, 4, 5],
            "y2": [1.0, 2, 3, 4, 5],
        }
    )


def test_partners_without_a_name_are_no_duplicates(engine: Engine) -> None:
    frame = rows()
    frame.loc[[0, 2, 3, 4], "about"] = None
    with pytest.raises(AnswersError) as caught:
        read(engine(frame))
    said = str(caught.value)
    assert "4 rows of 2 respondents have no partner in 'about' and cannot be told apart" in said
    assert "for example id a. They are not known to be duplicates: fill in the partner" in said
    assert "repair" not in said and "nan" not in said and "1 fault:" in said


def test_both_faults_are_named(engine: Engine) -> None:
    frame = pd.concat([rows().assign(about=["B", None, None, "A", "C"]), rows().iloc[[4]]])
    with pytest.raises(AnswersError) as caught:
        read(engine(frame.reset_index(drop=True)))
    said = str(caught.value)
    assert "2 rows of 1 respondent have no partner" in said
    assert "1 key (respondent × partner) occurs more than once, 1 row too many" in said
    assert "for example id b, about C" in said


def test_a_single_blank_partner_is_told_apart() -> None:
    frame = rows()
    frame.loc[0, "about"] = np.nan
    assert read(frame).n_rows == 5
