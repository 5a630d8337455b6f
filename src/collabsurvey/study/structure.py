"""How many things each questionnaire of a study measures: which scales, whose answers, the run.

Only scales whose items are meant to go together take part, each item once. One answer of each
person is used, of one wave: answers of one person are alike whatever the questions measure, and
changes between waves are not differences between people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from collabsurvey.dimensionality import RetentionResult, efa, retention
from collabsurvey.dimensionality.factor_fit import most_factors
from collabsurvey.dimensionality.inputs import MOST_CATEGORIES
from collabsurvey.errors import NotEnoughDataError, StudyError, UnknownNameError, listed
from collabsurvey.instruments.model import Instrument, Scale
from collabsurvey.moments import item_moments
from collabsurvey.moments.split import split
from collabsurvey.reporting.groups import label_of
from collabsurvey.reporting.record import StructureRecord
from collabsurvey.responses import Responses
from collabsurvey.study.plans import ExploratoryPlan

if TYPE_CHECKING:
    import pandas as pd

WHERE = "analysis.structure"
FEWEST_ITEMS = 3  # fewer do not determine a factor by themselves
# Gorsuch (1983), Factor Analysis, 2nd edition, p. 332.
FEWEST_PEOPLE = 100
PEOPLE_PER_ITEM = 5
MODELS = {
    "formative": "its items need not go together: each adds something of its own",
    "ipsative": "its answers are shares of a fixed sum",
    "nominal": "its answers are kinds, not amounts",
}


@dataclass(frozen=True)
class ScaleSet:
    """Scales that are looked at together: those of a questionnaire, or those named."""

    title: str  # of the questionnaire; empty where the study file names the items itself
    scales: tuple[Scale, ...]
    left_out: Mapping[str, str]  # title of a scale → why it takes no part

    @property
    def items(self) -> tuple[str, ...]:
        """Items in the order of the scales, each once."""
        return tuple(dict.fromkeys(item for scale in self.scales for item in scale.items))


def scale_sets(
    plan: ExploratoryPlan, instrument: Instrument, parts: Mapping[str, Sequence[str]]
) -> tuple[ScaleSet, ...]:
    """Sets of scales to look at; `parts` maps the title of a questionnaire to its scales.

    Raises
    ------
    StudyError
        Scales that are unknown or cannot take part, or sets that allow no such analysis: all
        of them together.
    """
    sets, faults = sets_of(plan.scales, instrument, parts, leave_out="structure")
    for chosen in sets:
        most = most_factors(len(chosen.items)) if len(chosen.items) >= FEWEST_ITEMS else 0
        if isinstance(plan.n_factors, int) and plan.n_factors > most:
            faults.append(
                f"'n_factors: {plan.n_factors}' is more than {len(chosen.items)} items allow"
                f"{f' ({chosen.title})' if chosen.title else ''}, which is {most}. Ask for fewer, "
                "or say n_factors: scales."
            )
    if faults:
        raise StudyError(WHERE, list(dict.fromkeys(faults)))
    return tuple(sets)


def sets_of(
    names: Sequence[str],
    instrument: Instrument,
    parts: Mapping[str, Sequence[str]],
    *,
    leave_out: str,
) -> tuple[list[ScaleSet], list[str]]:
    """Sets of scales, those named or those of each questionnaire; and what is wrong with them.

    `leave_out` is the key to leave out where no scale can take part.
    """
    faults: list[str] = []
    if names:
        return _named_set(names, instrument, parts, faults), faults
    sets = [_suitable_set(title, scales, instrument) for title, scales in parts.items() if scales]
    sets = [chosen for chosen in sets if chosen.scales]
    if not sets:
        faults.append(
            f"no scale has {FEWEST_ITEMS} or more items that are meant to go together. Leave "
            f"{leave_out!r} out."
        )
    return sets, faults


def _suitable_set(title: str, names: Sequence[str], instrument: Instrument) -> ScaleSet:
    scales = [scale for scale in instrument.scoring if scale.id in names]
    reasons = {scale.id: unsuitable(instrument, scale, scales) for scale in scales}
    return ScaleSet(
        title,
        tuple(scale for scale in scales if not reasons[scale.id]),
        {scale.title: reasons[scale.id] for scale in scales if reasons[scale.id]},
    )


def unsuitable(instrument: Instrument, scale: Scale, others: Sequence[Scale] = ()) -> str:
    """Why a scale takes no part, after its name; empty where it does."""
    parts = [set(other.items) for other in others if set(other.items) < set(scale.items)]
    if scale.rule not in ("mean", "sum"):
        return "its score is not made by adding items up"
    if parts and set().union(*parts) == set(scale.items):
        return "all items are in its parts"
    if len(scale.items) < FEWEST_ITEMS:
        return "fewer than three items"
    models = {construct.id: construct.measurement_model for construct in instrument.constructs}
    if (model := models.get(scale.id, "reflective")) != "reflective":
        return MODELS[model]
    answers = [instrument.response_set(item) for item in scale.items]
    if any(one is not None and one.type == "nominal" for one in answers):
        return MODELS["nominal"]
    return ""


def _named_set(
    names: Sequence[str],
    instrument: Instrument,
    parts: Mapping[str, Sequence[str]],
    faults: list[str],
) -> list[ScaleSet]:
    known = {scale.id: scale for scale in instrument.scoring}
    scales = [known[name] for name in dict.fromkeys(names) if name in known]
    for name in names:
        if name not in known:
            error = UnknownNameError("scale", name, available=known, where="The questionnaire")
            faults.append(str(error))
    for i, scale in enumerate(scales):
        if reason := unsuitable(instrument, scale):
            faults.append(f"the scale {scale.id!r} cannot take part: {reason}. Leave it out.")
        faults += [
            f"the scales {earlier.id!r} and {scale.id!r} share items, and an item belongs to one "
            "scale here. Name one of them."
            for earlier in scales[:i]
            if set(earlier.items) & set(scale.items)
        ]
    titles = [title for title, ids in parts.items() if title and {s.id for s in scales} & set(ids)]
    return [ScaleSet("; ".join(titles), tuple(scales), {})] if scales else []


def check_structure(
    plan: ExploratoryPlan, responses: Responses, parts: Mapping[str, Sequence[str]]
) -> None:
    """Find what is wrong with the plan, given the questionnaire and the answers; run nothing."""
    sets = scale_sets(plan, responses.instrument, parts)
    if plan.correlation != "polychoric":
        return
    items = [item for chosen in sets for item in chosen.items]
    sizes = responses.frame[items].nunique()
    fine = set(sizes.index[sizes > MOST_CATEGORIES])
    odd = [s.id for chosen in sets for s in chosen.scales if fine & set(s.items)]
    if odd:
        raise StudyError(
            WHERE,
            [
                f"polychoric correlations are for items of at most {MOST_CATEGORIES} different "
                f"answers, and {listed(odd)} {'has' if len(odd) == 1 else 'have'} more. Say "
                "correlation: pearson, or name the other scales with scales: [...]."
            ],
        )


@dataclass(frozen=True, eq=False)
class People:
    """One row of answers for each person, of one wave."""

    responses: Responses
    wave: str  # empty where the answers have none
    n_repeated: int  # further rows of the same people, left out


def one_row_each(responses: Responses, items: Sequence[str], *, seed: int) -> People:
    """One row a person: of the wave most people answered (the later of equals), if several.

    People without an answer to these items are left out. Of somebody's several rows in a wave
    (several partners, or courses) the one with most answers is taken, of equals one is drawn.
    """
    names = list(items)
    wave, frame = "", _answered(responses, names)
    if "wave" in responses.roles and len(frame):
        waves = split(responses, "wave")
        sizes = {level: len(_answered(part, names)) for level, part in waves.items()}
        best = max(sizes, key=lambda level: (sizes[level], list(sizes).index(level)))
        wave, frame = label_of(best), _answered(waves[best], names)
    n = len(frame)
    if "respondent" in responses.roles:
        frame = _once(frame, responses, names, np.random.default_rng(seed))
    return People(responses.replace(frame=frame), wave, n - len(frame))


def once_each(responses: Responses, items: Sequence[str], *, seed: int) -> People:
    """One row a person and wave, by the same rule; people without an id are one each."""
    names = list(items)
    frame = _answered(responses, names)
    n = len(frame)
    if {"respondent", "wave"} <= set(responses.roles):
        rng = np.random.default_rng(seed)
        frame = _once(frame, responses, names, rng, also=[responses.roles["wave"]])
    return People(responses.replace(frame=frame), "", n - len(frame))


def _answered(responses: Responses, items: list[str]) -> pd.DataFrame:
    frame: pd.DataFrame = responses.frame
    return frame[frame[items].notna().any(axis=1)]


def _once(
    frame: pd.DataFrame,
    responses: Responses,
    items: list[str],
    rng: np.random.Generator,
    also: Sequence[str] = (),
) -> pd.DataFrame:
    """First row of each person after sorting by key, so that the order of the file is no matter."""
    who = responses.roles["respondent"]
    keys = [responses.roles[role] for role in responses.key_roles]
    frame = frame.reset_index(drop=True)
    ordered = frame.sort_values(keys, key=lambda values: values.astype(str), kind="stable")
    ordered = ordered.iloc[rng.permutation(len(ordered))]
    fullest = (-ordered[items].notna().sum(axis=1)).sort_values(kind="stable").index
    ordered = ordered.loc[fullest]
    again = ordered[who].notna() & ordered.duplicated([who, *also])
    return frame.loc[ordered.index[~again].sort_values()]


def explore(
    plan: ExploratoryPlan, chosen: ScaleSet, responses: Responses, *, seed: int
) -> StructureRecord:
    """Number of factors by all methods, and the factors of the number asked for.

    Raises
    ------
    DataError
        The answers cannot bear it: too few people, an item everybody answered alike.
    """
    items = chosen.items
    people = one_row_each(responses, items, seed=seed)
    n_rows = len(people.responses.frame)
    fewest = enough_people(people.responses, items, plan.missing)
    how_many = retention(
        people.responses,
        list(items),
        correlation=plan.correlation,
        missing=plan.missing,
        n_draws=plan.draws,
        compare=plan.compare,
        seed=seed,
        progress=False,
    )
    n_factors, chosen_by = _number(plan, chosen, how_many)
    factors = None
    if n_factors:
        # Without a bootstrap: there is none of pairwise correlations.
        factors = efa(how_many.correlations, None, n_factors, rotation=plan.rotation, seed=seed)
    return StructureRecord(
        title=chosen.title,
        scales=tuple(scale.id for scale in chosen.scales),
        left_out=chosen.left_out,
        retention=how_many,
        efa=factors,
        chosen_by=chosen_by,
        wave=people.wave,
        n_people=n_rows,
        n_repeated=people.n_repeated,
        fewest=fewest,
    )


def enough_people(responses: Responses, items: Sequence[str], missing: str) -> int:
    """People behind the correlation with the fewest.

    Raises
    ------
    NotEnoughDataError
        Fewer than 100, or than five for each item.
    """
    fewest = _fewest(responses, items, missing)
    needed = max(FEWEST_PEOPLE, PEOPLE_PER_ITEM * len(items))
    if fewest < needed:
        every = "every item" if missing == "listwise" else "any two of the items"
        raise NotEnoughDataError(
            f"Factor analysis of {len(items)} items",
            what=f"people who answered {every} ({FEWEST_PEOPLE}, and {PEOPLE_PER_ITEM} for each "
            "item)",
            found=fewest,
            needed=needed,
        )
    return fewest


def _fewest(responses: Responses, items: Sequence[str], missing: str) -> int:
    """People behind the correlation with the fewest; 0 where nobody answered."""
    if not len(responses.frame):
        return 0
    if missing == "listwise":
        return int(responses.frame[list(items)].notna().all(axis=1).sum())
    return int(item_moments(responses, list(items), missing="pairwise").n_pairs.min())


def _number(
    plan: ExploratoryPlan, chosen: ScaleSet, found: RetentionResult
) -> tuple[int, Literal["scales", "suggested", "named"]]:
    """How many factors, and whose number it is."""
    if plan.n_factors == "scales":
        return len(chosen.scales), "scales"
    if plan.n_factors == "suggested":
        # Of tied numbers the larger: too few factors distort loadings more than too many
        # (Fabrigar, Wegener, MacCallum & Strahan, 1999, doi:10.1037/1082-989X.4.3.272).
        return min(max(found.suggested, default=0), most_factors(len(chosen.items))), "suggested"
    return plan.n_factors, "named"
