"""How the answers of a study enter measurement models: estimator, gaps, clusters, and names.

Why each default is what it is, is said in `plans`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from collabsurvey.dimensionality.inputs import MOST_CATEGORIES
from collabsurvey.errors import UnknownNameError, listed
from collabsurvey.instruments.model import Scale
from collabsurvey.responses import Responses
from collabsurvey.study.plans import MeasurementPlan

if TYPE_CHECKING:
    import pandas as pd

AS_NUMBERS = 5  # possible answers from which numbers serve as well (Rhemtulla and others, 2012)
MOST_ORDERED = 7  # possible answers up to which that study looked at ordered methods
FEWEST_CLUSTERS = 10
NAME = re.compile(r"(?:[^\W\d]|\.(?!\d))[\w.]*")  # what a model text may hold


@dataclass(frozen=True)
class Way:
    """How one set of items is modelled."""

    estimator: Literal["WLSMV", "MLR", "ML"]
    ordered: tuple[str, ...]  # items
    missing: Literal["fiml", "pairwise", "listwise"]
    cluster: str | None  # column whose groups the errors are over
    why: str  # of the estimator, in words


def way_of(plan: MeasurementPlan, responses: Responses, items: Sequence[str]) -> Way:
    """Settle everything the plan leaves open, by the answers to these items."""
    n_answers = possible_answers(responses, items)
    estimator, why = _estimator(plan, n_answers)
    ordered: tuple[str, ...] = ()
    if estimator == "WLSMV":
        ordered = _ordered(plan, n_answers)
        if not ordered:
            estimator = "MLR"
            why = f"no question has {MOST_ORDERED} possible answers or fewer"
    missing = plan.missing
    if missing == "auto" or (missing == "pairwise" and not ordered):
        missing = "pairwise" if ordered else "fiml"
    return Way(estimator, ordered, missing, _cluster(plan, responses, items), why)


def all_or_none(way: Way, items: Sequence[str]) -> Way:
    """The same with items that are all ordered or all numbers, as comparing groups needs it."""
    if len(way.ordered) in (0, len(items)):
        return way
    why = "some of these questions have too many possible answers to be taken as ordered steps"
    missing: Literal["fiml", "listwise"] = "listwise" if way.missing == "listwise" else "fiml"
    return Way("MLR", (), missing, way.cluster, why)


def possible_answers(responses: Responses, items: Sequence[str]) -> dict[str, int]:
    """How many answers each item allows, where that is not said how many were given."""
    given = responses.frame[list(items)].nunique()
    found = {}
    for item in items:
        answers = responses.instrument.response_set(item)
        listed_ones = answers is not None and answers.type in ("ordinal", "bipolar", "nominal")
        found[item] = len(answers.values) if answers and listed_ones else int(given[item])
    return found


def _estimator(
    plan: MeasurementPlan, n_answers: Mapping[str, int]
) -> tuple[Literal["WLSMV", "MLR", "ML"], str]:
    asked = plan.estimator or "auto"
    if asked != "auto":
        return asked, "the study file asks for it"
    if plan.ordered not in ("auto", False) or plan.missing == "pairwise":
        return "WLSMV", "the study file asks for ordered answers"
    if plan.ordered is False or plan.missing == "fiml":
        return "MLR", "the study file asks for answers as numbers"
    if min(n_answers.values()) < AS_NUMBERS:
        return "WLSMV", f"some question has fewer than {AS_NUMBERS} possible answers"
    return "MLR", (
        f"every question has {AS_NUMBERS} possible answers or more, whose numbers then serve as "
        "well as ordered steps (Rhemtulla, Brosseau-Liard & Savalei, 2012)"
    )


def _ordered(plan: MeasurementPlan, n_answers: Mapping[str, int]) -> tuple[str, ...]:
    if plan.ordered is True:
        return tuple(n_answers)
    if isinstance(plan.ordered, tuple):
        return tuple(item for item in n_answers if item in plan.ordered)
    return tuple(item for item, n in n_answers.items() if n <= MOST_ORDERED)


def _cluster(plan: MeasurementPlan, responses: Responses, items: Sequence[str]) -> str | None:
    if plan.cluster is None:
        return None
    if plan.cluster != "auto":
        return responses.roles.get(plan.cluster, plan.cluster)
    column = responses.roles.get("cluster")
    if column is None:
        return None
    answered = responses.frame[list(items)].notna().any(axis=1)
    enough = responses.frame.loc[answered, column].nunique() >= FEWEST_CLUSTERS
    return column if enough else None


def measurement_faults(plan: MeasurementPlan, responses: Responses, where: str) -> list[str]:
    """What is wrong with the keys of a measurement model, given the answers."""
    faults = []
    known = responses.instrument.item_ids
    if isinstance(plan.ordered, tuple):
        faults += [
            f"{where}: {UnknownNameError('item', name, available=known, where='The questionnaire')}"
            for name in plan.ordered
            if name not in known
        ]
    named = (
        known if plan.ordered is True else plan.ordered if isinstance(plan.ordered, tuple) else ()
    )
    there = [item for item in named if item in known]
    sizes = responses.frame[there].nunique()
    if fine := list(sizes.index[sizes > MOST_CATEGORIES]):
        faults.append(
            f"{where}: {listed(fine, most=4)} {'has' if len(fine) == 1 else 'have'} more than "
            f"{MOST_CATEGORIES} different answers, which are no ordered steps. Say ordered: auto."
        )
    if plan.cluster not in ("auto", None):
        available = [*responses.roles, *responses.frame.columns]
        if plan.cluster not in available:
            error = UnknownNameError(
                "column or role", plan.cluster, available=available, where="The answers"
            )
            faults.append(f"{where}: {error}")
    return faults


def safe_names(names: Sequence[str], taken: Sequence[str] = ()) -> dict[str, str]:
    """A name for each that a model text may hold: its own, or one made of its letters."""
    found: dict[str, str] = {}
    used = set(taken)
    for name in names:
        made = re.sub(r"\W", "_", name) if not NAME.fullmatch(name) else name
        made = made if NAME.fullmatch(made) else f"x_{made}"
        while made in used:
            made += "_"
        used.add(made)
        found[name] = made
    return found


def factor_text(
    scales: Sequence[Scale], factors: Mapping[str, str], items: Mapping[str, str]
) -> str:
    """The model in which every scale is one factor of its items, by their safe names."""
    return "\n".join(
        f"{factors[scale.id]} =~ {' + '.join(items[item] for item in scale.items)}"
        for scale in scales
    )


def model_frame(
    responses: Responses, items: Mapping[str, str], extra: Sequence[str | None] = ()
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Answers under safe names, with other columns; and the names these have there."""
    others = [name for name in dict.fromkeys(extra) if name is not None]
    names = safe_names(others, taken=list(items.values()))
    frame: pd.DataFrame = responses.frame[[*items, *others]].rename(columns={**items, **names})
    return frame.reset_index(drop=True), names
