"""Picks, ranks and points among the answers: what screening makes of them."""

from __future__ import annotations

import numpy as np
import pytest

import collabsurvey as cs
from collabsurvey.errors import NotAmountsError
from collabsurvey.quality import little_mcar, missingness, screen


@pytest.fixture(scope="module")
def answers() -> cs.Responses:
    names = ["relational_context", "shared_meaning", "rationale"]
    cohort = cs.simulate_cohort(names, n_partnerships=2, n_schools=8, n_staff=30, waves=1, seed=3)
    return cohort.responses


def test_ranks_and_points_count_for_gaps_and_equal_rows_only(answers: cs.Responses) -> None:
    found = screen(answers)
    notes = " ".join(found.notes)
    assert (
        "names and not amounts count for missing answers and equal rows only: ctx.now.01" in notes
    )
    assert "Ranks, and points that add up to a total, count for missing answers" in notes
    frame = found.to_frame()
    assert np.isfinite(frame["mahalanobis"]).any()  # their covariance would be singular


def test_gaps_are_counted_of_all_but_text(answers: cs.Responses) -> None:
    items = missingness(answers).to_frame()["item"].tolist()
    assert "mng.card.01" in items
    assert "mng.rank.01" in items
    assert "mng.line.01" not in items


def test_littles_test_takes_amounts_only(answers: cs.Responses) -> None:
    found = little_mcar(answers)
    assert all(item.startswith(("ctx.like", "mng.felt", "rat.")) for item in found.items)
    with pytest.raises(NotAmountsError, match=r"Little's test of ctx.points.now.01.*share out"):
        little_mcar(answers, "ctx.points.now")
