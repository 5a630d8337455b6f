"""The rule itself: small groups, and those that would give them away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabsurvey.errors import OptionError
from collabsurvey.reporting.disclosure import (
    checked_min_group,
    groups_to_hide,
    is_safe,
    nested_to_hide,
)

SIZES = st.dictionaries(
    st.sampled_from([f"S{i:02d}" for i in range(14)]), st.integers(0, 40), min_size=1
)


@pytest.mark.parametrize("wrong", [4, 0, -1, True, 9.5])
def test_min_group_is_never_below_five(wrong: object) -> None:
    with pytest.raises(OptionError, match="min_group=.*a whole number from 5 up"):
        checked_min_group(wrong)  # type: ignore[arg-type]
    assert checked_min_group(5) == 5


def test_nothing_is_hidden_where_all_are_large() -> None:
    assert groups_to_hide({"a": 10, "b": 30}, 10) == set()


def test_one_small_group_takes_the_next_smallest_with_it() -> None:
    assert groups_to_hide({"a": 9, "b": 30, "c": 12}, 10) == {"a", "c"}


def test_small_groups_that_hold_too_few_together_take_one_more() -> None:
    assert groups_to_hide({"a": 3, "b": 4, "c": 12, "d": 30}, 10) == {"a", "b", "c"}
    assert groups_to_hide({"a": 6, "b": 4, "c": 12, "d": 30}, 10) == {"a", "b"}


def test_a_group_that_nobody_answered_in_protects_no_other() -> None:
    assert groups_to_hide({"a": 0, "b": 8, "c": 12, "d": 30}, 10) == {"a", "b", "c"}
    assert groups_to_hide({"a": 0, "c": 12}, 10) == {"a"}


@given(SIZES, st.integers(5, 15))
def test_hidden_groups_never_follow_from_the_total(sizes: dict[str, int], least: int) -> None:
    hidden = groups_to_hide(sizes, least)
    assert {name for name, n in sizes.items() if n < least} <= hidden
    assert is_safe([sizes[name] for name in hidden], least) or hidden >= {
        name for name, n in sizes.items() if n > 0
    }


@given(SIZES, st.integers(5, 15), st.integers(1, 4))
def test_nested_tables_do_not_give_a_hidden_school_away(
    sizes: dict[str, int], least: int, n_parents: int
) -> None:
    """No hidden school is determined by the grand total and what is shown: linear algebra."""
    parents = {name: {f"P{int(name[1:]) % n_parents}"} for name in sizes}
    totals: dict[str, int] = {}
    for name, (parent,) in parents.items():
        totals[parent] = totals.get(parent, 0) + sizes[name]
    hidden = nested_to_hide(sizes, parents, totals, least)
    unknown = sorted(name for name in hidden.groups if sizes[name] > 0)
    if set(unknown) == {name for name in sizes if sizes[name] > 0}:
        return  # everything is hidden; the total is another matter
    shown_totals = [p for p in totals if p not in hidden.parents]
    equations = [[1.0] * len(unknown)] + [
        [1.0 if p in parents[name] else 0.0 for name in unknown] for p in shown_totals
    ]
    known = np.array(equations)
    rank = np.linalg.matrix_rank(known) if unknown else 0
    for i in range(len(unknown)):
        alone = np.zeros(len(unknown))
        alone[i] = 1
        assert np.linalg.matrix_rank(np.vstack([known, alone])) == rank + 1


def test_a_partnership_is_a_total_of_its_own() -> None:
    sizes = {"a": 8, "b": 20, "c": 30, "d": 11, "e": 40}
    parents = {"a": {"N"}, "b": {"N"}, "c": {"N"}, "d": {"S"}, "e": {"S"}}
    hidden = nested_to_hide(sizes, parents, {"N": 58, "S": 51}, 10)
    assert hidden.groups == {"a", "b"}  # not d, which is smaller but in another partnership
    assert hidden.parents == set()


def test_a_partnership_of_one_small_school_is_hidden_with_another() -> None:
    sizes = {"a": 8, "b": 20, "c": 30}
    parents = {"a": {"N"}, "b": {"S"}, "c": {"S"}}
    hidden = nested_to_hide(sizes, parents, {"N": 8, "S": 50}, 10)
    assert hidden.parents == {"N", "S"}
    assert hidden.groups == {"a", "b"}


def test_partnerships_that_share_a_hidden_school_are_hidden() -> None:
    sizes = {"a": 8, "b": 20, "c": 30, "d": 25}
    parents = {"a": {"N", "S"}, "b": {"N"}, "c": {"S"}, "d": {"T"}}
    hidden = nested_to_hide(sizes, parents, {"N": 28, "S": 38, "T": 25}, 10)
    assert {"N", "S"} <= hidden.parents


def test_a_school_without_answers_does_not_keep_a_partnership_from_being_hidden() -> None:
    sizes = {"a": 8, "b": 20, "c": 30, "d": 0}
    parents = {"a": {"N"}, "b": {"S"}, "c": {"S"}, "d": {"S"}}
    hidden = nested_to_hide(sizes, parents, {"N": 8, "S": 50}, 10)
    assert hidden.parents == {"N", "S"}
    assert hidden.groups == {"a", "b", "d"}
