"""Where people also answered about partners, questions about the whole keep to their own rows."""

from __future__ import annotations

from typing import Any

import pytest

import collabsurvey as cs
from collabsurvey.errors import DataError


@pytest.fixture(scope="module")
def staff() -> Any:
    """Each person has one row about the partnership and two about a partner."""
    cohort = cs.simulate_cohort(
        ["shared_meaning", "relational_leadership", "trust"],
        n_partnerships=2,
        n_schools=8,
        n_staff=20,
        waves=1,
        partners=2,
        seed=4,
    )
    return cohort.responses


def alone(responses: Any) -> Any:
    """The rows about the partnership, as somebody would have who asked nothing about partners."""
    frame = responses.frame[responses.frame["partner"].isna()].drop(columns="partner")
    roles = {role: column for role, column in responses.roles.items() if role != "partner"}
    return responses.replace(frame=frame, roles=roles)


def test_answered_keeps_the_rows_with_an_answer(staff: Any) -> None:
    cards = staff.instrument.items_of("mng.cards")
    rows = staff.answered(cards)
    assert rows.frame["partner"].isna().all()
    assert rows.n_rows == rows.n_respondents < staff.n_rows
    assert rows.instrument is staff.instrument


def test_consensus_is_that_of_the_rows_about_the_partnership(staff: Any) -> None:
    both, one = (cs.partnership.consensus(each, "mng.cards") for each in (staff, alone(staff)))
    columns = ["n", "agreement", "ac1", "felt", "gap"]
    assert both.to_frame()[columns].equals(one.to_frame()[columns])


def test_two_views_are_those_of_the_rows_about_the_school(staff: Any) -> None:
    both, one = (
        cs.multilevel.perception_gap(
            each,
            "ldr.attends.self",
            "ldr.attends",
            role="staff_role",
            groups=("decision_maker", "front_line"),
        )
        for each in (staff, alone(staff))
    )
    assert both.to_frame()["gap"].equals(one.to_frame()["gap"])


def test_agreement_within_schools_too(staff: Any) -> None:
    both, one = (cs.multilevel.agreement(x, "mng.felt", "cluster") for x in (staff, alone(staff)))
    assert both.to_frame().equals(one.to_frame())


def test_answers_about_several_partners_are_still_not_agreement(staff: Any) -> None:
    with pytest.raises(DataError, match="partner"):
        cs.multilevel.agreement(staff, "tru.invest.promises", "cluster")
