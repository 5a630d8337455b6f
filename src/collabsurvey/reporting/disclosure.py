"""Which groups may be shown: small ones are not, nor those that would give them away.

A group with fewer respondents than `min_group` is hidden (primary suppression). One hidden
group follows from a total by subtraction, so a hidden set must hold at least two groups that
answered and at least `min_group` respondents together; until it does, the next smallest
group is hidden as well (complementary suppression). Where partnerships are shown beside
their schools, each partnership is a total of its own.

Source: Hundepool, Domingo-Ferrer, Franconi, Giessing, Schulte Nordholt, Spicer & de Wolf
(2012), Statistical Disclosure Control, chapter 4. doi:10.1002/9781118348239
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from collabsurvey.errors import OptionError

LEAST_MIN_GROUP = 5  # a rule of the project: never below, whatever a study file says
DEFAULT_MIN_GROUP = 10


def checked_min_group(min_group: int) -> int:
    """`min_group`, or an error where it protects nobody."""
    if isinstance(min_group, bool) or not isinstance(min_group, int) or min_group < LEAST_MIN_GROUP:
        raise OptionError(
            "min_group", min_group, allowed=(f"a whole number from {LEAST_MIN_GROUP} up",)
        )
    return min_group


@dataclass
class Hidden:
    """Groups that are not shown, and the totals over them that are not shown either."""

    groups: set[str] = field(default_factory=set)
    parents: set[str] = field(default_factory=set)


def is_safe(sizes: Iterable[int], min_group: int) -> bool:
    """Whether hidden groups of these sizes, whose sum is known, protect each other."""
    answered = [size for size in sizes if size > 0]
    return not answered or (len(answered) > 1 and sum(answered) >= min_group)


def small_groups(sizes: Mapping[str, int], min_group: int) -> set[str]:
    """Groups with fewer than `min_group` respondents."""
    return {name for name, size in sizes.items() if size < min_group}


def groups_to_hide(
    sizes: Mapping[str, int], min_group: int, *, also: Collection[str] = ()
) -> set[str]:
    """Groups to hide in a table whose total is known; `also` are hidden in any case."""
    hidden = small_groups(sizes, min_group) | (set(also) & set(sizes))
    while not is_safe((sizes[name] for name in hidden), min_group):
        following = _smallest(sizes, exclude=hidden)
        if following is None:
            break  # everything is hidden
        hidden.add(following)
    return hidden


def nested_to_hide(
    sizes: Mapping[str, int],
    parents_of: Mapping[str, Collection[str]],
    parent_sizes: Mapping[str, int],
    min_group: int,
    *,
    also: Hidden | None = None,
) -> Hidden:
    """Schools and partnerships to hide where both are shown, with a total over all.

    Hidden schools of a shown partnership must protect each other, for the partnership's
    figure is their total; so must the hidden schools of all other partnerships taken
    together, for what remains of the grand total is theirs. A partnership that shares a
    hidden school with another is hidden itself.
    """
    hidden = Hidden(small_groups(sizes, min_group), small_groups(parent_sizes, min_group))
    if also is not None:
        hidden.groups |= also.groups & set(sizes)
        hidden.parents |= also.parents & set(parent_sizes)
    children = {
        parent: [name for name in sizes if parent in parents_of.get(name, ())]
        for parent in parent_sizes
    }
    for _ in range(len(sizes) + len(parent_sizes) + 1):  # each round hides one more
        _hide_shared(hidden, parents_of, parent_sizes)
        if not (
            _mend_shown_parent(hidden, sizes, children, min_group)
            or _mend_rest(hidden, sizes, children, min_group)
        ):
            break
    return hidden


def _hide_shared(
    hidden: Hidden, parents_of: Mapping[str, Collection[str]], parent_sizes: Mapping[str, int]
) -> None:
    for name in hidden.groups:
        parents = set(parents_of.get(name, ())) & set(parent_sizes)
        if len(parents) > 1:
            hidden.parents |= parents


def _mend_shown_parent(
    hidden: Hidden, sizes: Mapping[str, int], children: Mapping[str, list[str]], min_group: int
) -> bool:
    """Hide one thing more where the hidden schools of a shown partnership are exposed."""
    for parent, members in children.items():
        if parent in hidden.parents:
            continue
        if is_safe((sizes[name] for name in members if name in hidden.groups), min_group):
            continue
        own = {name: sizes[name] for name in members}
        following = _smallest(own, exclude=hidden.groups)
        if following is None:
            hidden.parents.add(parent)
        else:
            hidden.groups.add(following)
        return True
    return False


def _mend_rest(
    hidden: Hidden, sizes: Mapping[str, int], children: Mapping[str, list[str]], min_group: int
) -> bool:
    """Hide one thing more where the hidden schools outside shown partnerships are exposed."""
    inside = {
        name
        for parent, members in children.items()
        if parent not in hidden.parents
        for name in members
    }
    rest = {name: sizes[name] for name in sizes if name not in inside}
    if is_safe((rest[name] for name in rest if name in hidden.groups), min_group):
        return False
    following = _smallest(rest, exclude=hidden.groups)
    if following is not None:
        hidden.groups.add(following)
        return True
    # Every school of the hidden partnerships is hidden: take in the partnership whose
    # smallest school is smallest, and hide that school.
    shown = {
        parent: min((sizes[name] for name in members if sizes[name] > 0), default=0)
        for parent, members in children.items()
        if parent not in hidden.parents and members
    }
    parent = _smallest(shown, exclude=())
    if parent is None:
        return False  # everything is hidden
    hidden.parents.add(parent)
    own = {name: sizes[name] for name in children[parent]}
    following = _smallest(own, exclude=hidden.groups)
    if following is not None:
        hidden.groups.add(following)
    return True


def _smallest(sizes: Mapping[str, int], *, exclude: Collection[str]) -> str | None:
    """Smallest group not yet taken that answered at all; ties by name, so runs agree."""
    free = [(size, name) for name, size in sizes.items() if name not in exclude and size > 0]
    return min(free)[1] if free else None
