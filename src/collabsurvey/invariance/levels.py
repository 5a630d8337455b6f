"""Levels of invariance: what each makes equal, and what it allows a reader to compare.

Continuous items: Meredith (1993, doi:10.1007/BF02294825), Vandenberg & Lance (2000,
doi:10.1177/109442810031002), with the equalities of lavaan's `group.equal`. Ordered items: Wu &
Estabrook (2016, doi:10.1007/s11336-016-9506-0), see `ordinal_levels`. A last level, "means", is no
condition of measurement but a hypothesis: the groups do not differ in what is measured.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from collabsurvey.dimensionality.sem.equality import name_of
from collabsurvey.dimensionality.sem.model import Parameter
from collabsurvey.dimensionality.sem.syntax import Syntax
from collabsurvey.errors import DataError, OptionError, UnknownNameError, listed


@dataclass(frozen=True)
class Level:
    """One step of the ladder."""

    name: str
    equal: tuple[str, ...]  # across groups, in lavaan's words
    adds: str  # what it makes equal beyond the level before
    allows: str  # what may be compared if it holds
    measurement: bool = True  # False for "means"


_MEANS = "The latent means are the same"
CONTINUOUS = (
    Level(
        "configural",
        (),
        "the same items measure the same factors",
        "Nothing but the pattern may be compared: the factors have the same items in every group",
    ),
    Level(
        "metric",
        ("loadings",),
        "equal loadings",
        "Correlations and slopes of the factors may be compared between groups, means may not",
    ),
    Level(
        "scalar",
        ("loadings", "intercepts"),
        "equal intercepts",
        "Latent means may be compared between groups, and so may correlations and slopes",
    ),
    Level(
        "strict",
        ("loadings", "intercepts", "residuals"),
        "equal residual variances",
        "Scale scores made of the items may be compared between groups: their means, variances "
        "and correlations",
    ),
    Level("means", ("loadings", "intercepts", "residuals", "means"), "equal latent means", _MEANS,
          measurement=False),
)  # fmt: skip
ORDINAL = (
    CONTINUOUS[0],
    Level(
        "thresholds",
        ("thresholds",),
        "equal thresholds",
        "The answer options mean the same in every group; factors may not be compared yet",
    ),
    Level(
        "loadings",
        ("thresholds", "loadings"),
        "equal loadings",
        "Correlations and slopes of the factors may be compared between groups, means may not",
    ),
    Level(
        "intercepts",
        ("thresholds", "loadings", "intercepts"),
        "equal intercepts",
        "Latent means may be compared between groups, and so may correlations and slopes",
    ),
    Level(
        "residuals",
        ("thresholds", "loadings", "intercepts", "residuals"),
        "equal residual variances",
        "Scale scores made of the items may be compared between groups: their means, variances "
        "and correlations",
    ),
    Level("means", ("thresholds", "loadings", "intercepts", "residuals", "means"),
          "equal latent means", _MEANS, measurement=False),
)  # fmt: skip
EFFECT = {"=~": "loadings", "|": "thresholds"}


def chosen_levels(levels: Sequence[str] | None, *, ordinal: bool) -> tuple[Level, ...]:
    """Levels by name, from the weakest to the strongest; None for all but "means"."""
    known = ORDINAL if ordinal else CONTINUOUS
    names = tuple(one.name for one in known)
    if levels is None:
        return known[:-1]
    wanted = (levels,) if isinstance(levels, str) else tuple(levels)
    if not wanted:
        raise OptionError("levels", levels, allowed=names)
    if unknown := [one for one in wanted if one not in names]:
        raise OptionError("levels", unknown[0], allowed=names)
    return tuple(one for one in known if one.name in wanted)


def released(
    partial: str | Sequence[str] | None, rows: Sequence[Parameter], *, levels: int = 1
) -> frozenset[str]:
    """Names of the parameters in `partial`, as the table of the first group writes them.

    Raises
    ------
    UnknownNameError
        The model has no such parameter.
    """
    texts = (partial,) if isinstance(partial, str) else tuple(partial or ())
    first = {
        name_of(row.lhs, row.op, row.rhs, 0, row.block % levels + 1): row
        for row in rows
        if row.block < levels
    }
    found = set()
    for text in texts:
        name = text.replace(" ", "")
        lhs, op, rhs = name.partition("~~")
        if name not in first and op and f"{rhs}~~{lhs}" in first:
            name = f"{rhs}~~{lhs}"
        if name not in first:
            raise UnknownNameError("parameter", text, available=first, where="The model")
        found.add(name)
    return frozenset(found)


def require_factor(syntax: Syntax) -> None:
    """Refuse a model that measures nothing: nothing in it could be measured alike."""
    if not any(one.op == "=~" for one in syntax.statements):
        raise DataError(
            "This model has no factor, so there is no measurement that could be the same in all "
            "groups. Write `factor =~ items`; for regressions alone see sem()."
        )


def effect_of(row: Parameter, latent: Collection[str]) -> str:
    """Which of lavaan's words makes this parameter equal across groups."""
    if row.op == "~1":
        return "means" if row.lhs in latent else "intercepts"
    if row.op == "~~":
        kind = "lv.variances" if row.lhs in latent else "residuals"
        other = "lv.covariances" if row.lhs in latent else "residual.covariances"
        return kind if row.lhs == row.rhs else other
    return EFFECT.get(row.op, "regressions")


def effects(names: Collection[str], rows: Sequence[Parameter]) -> dict[str, str]:
    """Which of lavaan's words each of the released parameters falls under."""
    latent = {row.lhs for row in rows if row.op == "=~"}
    first = [row for row in rows if row.block == 0]
    known = {name_of(row.lhs, row.op, row.rhs): effect_of(row, latent) for row in first}
    return {name: known[name] for name in names}


def refuse_markers(names: Collection[str], rows: Sequence[Parameter]) -> None:
    """Refuse to release a loading that is fixed in every group: it sets the factor's unit."""
    fixed = [
        name_of(row.lhs, row.op, row.rhs)
        for row in rows
        if row.block == 0 and row.op == "=~" and not row.free
    ]
    if found := [name for name in fixed if name in names]:
        raise OptionError(
            "partial",
            listed(found),
            allowed=(
                "a loading that is free: this one is fixed and sets the unit of its factor in "
                "every group. Write another item first in the model",
            ),
        )
