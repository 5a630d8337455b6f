"""Answers drawn by a computer stay marked, also when they come back from a file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.errors import CollabSurveyError
from conftest import Engine


def test_the_files_of_a_cohort_say_it_of_themselves(tmp_path: Path) -> None:
    cohort = cs.simulate_cohort(["cynicism"], n_partnerships=2, n_schools=4, n_staff=10, seed=3)
    files = cohort.write(tmp_path)
    instrument = cs.load_instrument("cynicism")
    roles = {"respondent": "respondent", "cluster": "school"}
    back = cs.read_responses(files.staff[0], instrument=instrument, roles=roles)
    assert back.synthetic
    with pytest.raises(CollabSurveyError, match="synthetic"):
        cs.validation.evidence(
            cs.reliability.alpha(back, "cyn.change", ci="feldt", cluster=None),
            responses=back,
            study="A draw",
            use="research",
            population="nobody",
        )


@pytest.mark.parametrize(
    ("cells", "marked"),
    [
        ([True, True], True),
        (["true", "TRUE"], True),
        ([0, 1], True),
        ([None, 1.0], True),
        (["no", "false"], False),
    ],
)
def test_what_counts_as_a_mark(engine: Engine, cells: list[object], marked: bool) -> None:
    frame = engine(pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0], "synthetic": cells}))
    assert cs.from_frame(frame, scales={"s": ["a", "b"]}).synthetic is marked


def test_an_item_of_that_name_is_an_item() -> None:
    frame = pd.DataFrame({"synthetic": [1.0, 2.0], "b": [2.0, 1.0]})
    assert not cs.from_frame(frame, scales={"s": ["synthetic", "b"]}).synthetic
