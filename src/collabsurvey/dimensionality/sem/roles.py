"""What part each variable plays, and in which order variables stand: as in lavaan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Relation(Protocol):
    """A statement or a parameter."""

    @property
    def lhs(self) -> str:
        """Variable on the left."""

    @property
    def op(self) -> str:
        """Operator."""

    @property
    def rhs(self) -> str:
        """Variable on the right."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Variables of one block by their part in it; each tuple in order of appearance."""

    latent: tuple[str, ...]
    observed: tuple[str, ...]  # indicators, outcomes, predictors, then the rest
    exogenous: tuple[str, ...]  # observed, only predict, and no moment of theirs is written
    free_latent: tuple[str, ...]  # latent, neither an indicator nor an outcome
    final: tuple[str, ...]  # outcomes that predict and measure nothing; latent ones first
    ordered: tuple[str, ...]  # have thresholds in the text


def roles(relations: Iterable[Relation]) -> Roles:
    """Sort the variables of the relations written for one block."""
    by_op: dict[str, list[Relation]] = {}
    located: list[str] = []  # with an intercept or thresholds
    for one in relations:
        by_op.setdefault(one.op, []).append(one)
        if one.op in ("~1", "|"):
            located.append(one.lhs)
    measured, regressed, shared = (by_op.get(op, []) for op in ("=~", "~", "~~"))

    latent = dict.fromkeys(one.lhs for one in measured)
    indicators = dict.fromkeys(one.rhs for one in measured)
    outcomes = dict.fromkeys(one.lhs for one in regressed)
    predictors = dict.fromkeys(one.rhs for one in regressed)
    observed = {name: None for name in indicators if name not in latent}
    observed |= {name: None for name in outcomes if name not in latent}
    only_predict = [name for name in predictors if name not in latent and name not in observed]
    observed |= dict.fromkeys(only_predict)
    mentioned = [one.lhs for one in shared] + [one.rhs for one in shared]
    observed |= {name: None for name in mentioned + located if name not in latent}
    mentioned += [one.lhs for one in by_op.get("~1", [])]

    final = [name for name in outcomes if name not in indicators and name not in predictors]
    thresholds = {one.lhs for one in by_op.get("|", [])}
    return Roles(
        latent=tuple(latent),
        observed=tuple(observed),
        exogenous=tuple(name for name in only_predict if name not in mentioned),
        free_latent=tuple(n for n in latent if n not in indicators and n not in outcomes),
        final=tuple(n for n in latent if n in final) + tuple(n for n in observed if n in final),
        ordered=tuple(name for name in observed if name in thresholds),
    )
