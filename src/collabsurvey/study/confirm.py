"""Whether the questions of a study measure what they were written for: one confirmatory model each.

The scales are those of the exploratory part, and so is the rule of one answer of each person.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from collabsurvey.dimensionality import ValidityResult, cfa, validity
from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.identification import check_identified
from collabsurvey.dimensionality.sem.syntax import parse
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.errors import (
    CollabSurveyWarning,
    DataError,
    FaultsError,
    StudyError,
    UnknownNameError,
)
from collabsurvey.instruments.model import Instrument
from collabsurvey.reporting.record import ConfirmatoryRecord
from collabsurvey.responses import Responses
from collabsurvey.study.config import located
from collabsurvey.study.measuring import (
    factor_text,
    measurement_faults,
    model_frame,
    safe_names,
    way_of,
)
from collabsurvey.study.plans import StructurePlan
from collabsurvey.study.structure import WHERE, enough_people, one_row_each, sets_of


@dataclass(frozen=True)
class Measured:
    """One model of what questions measure."""

    title: str  # of the questionnaire; empty where the study file names the items itself
    text: str
    factors: Mapping[str, str]  # name in the text → id of its scale, or that name again
    items: Mapping[str, str]  # item id → name in the text
    left_out: Mapping[str, str]  # title of a scale → why it takes no part
    own: bool  # whether the study file holds the model


def models_of(
    plan: StructurePlan,
    instrument: Instrument,
    parts: Mapping[str, Sequence[str]],
    folder: Path,
) -> tuple[Measured, ...]:
    """The model of each questionnaire, or the one of the study file.

    Raises
    ------
    StudyError
        Scales, items or a model that cannot be used so: all faults together.
    """
    if plan.model is not None:
        return (_own_model(plan.model, instrument, parts, folder),)
    names = plan.exploratory.scales if plan.exploratory is not None else ()
    sets, faults = sets_of(names, instrument, parts, leave_out="structure")
    if faults:
        raise StudyError(WHERE, list(dict.fromkeys(faults)))
    found = []
    for chosen in sets:
        items = safe_names(chosen.items)
        factors = safe_names([scale.id for scale in chosen.scales], taken=list(items.values()))
        text = factor_text(chosen.scales, factors, items)
        by_name = {name: scale for scale, name in factors.items()}
        found.append(Measured(chosen.title, text, by_name, items, chosen.left_out, own=False))
    return tuple(found)


def _own_model(
    model: str, instrument: Instrument, parts: Mapping[str, Sequence[str]], folder: Path
) -> Measured:
    """A model text, or the file that holds it; its items are those of the questionnaire."""
    text = model if "=~" in model else _read(model, folder)
    try:
        syntax = parse(text)
    except FaultsError as error:
        raise StudyError(f"{WHERE}.model", list(error.faults)) from None
    measures = [one for one in syntax.statements if one.op == "=~"]
    latent = dict.fromkeys(one.lhs for one in measures)
    used = dict.fromkeys(name for one in syntax.statements for name in (one.lhs, one.rhs) if name)
    items, known = [name for name in used if name not in latent], instrument.item_ids
    faults = [
        str(UnknownNameError("item", name, available=known, where="The questionnaire"))
        for name in items
        if name not in known
    ]
    if any(one.op == "~" for one in syntax.statements) or syntax.levels == 2:
        faults.append(
            "the model says what questions measure (=~, ~~); regressions belong under "
            "analysis.models, and levels are not part of studies."
        )
    if not measures:
        faults.append("the model has no line 'factor =~ item + item'.")
    if not faults:
        try:
            check_identified(build(text))
        except FaultsError as error:
            faults += error.faults
    if faults:
        raise StudyError(f"{WHERE}.model", list(dict.fromkeys(faults)))
    scales = {name: scale for scale, name in safe_names(instrument.scale_ids, items).items()}
    held = {item: title for title, ids in parts.items() for scale in ids
            for item in instrument.scale(scale).items}  # fmt: skip
    titles = dict.fromkeys(held.get(item, "") for item in items)
    return Measured(
        title="; ".join(title for title in titles if title),
        text=text,
        factors={name: scales.get(name, name) for name in latent},
        items={item: item for item in items},
        left_out={},
        own=True,
    )


def _read(name: str, folder: Path) -> str:
    path = located(name, folder)
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise StudyError(
            f"{WHERE}.model",
            [f"{name!r} is neither a model ('factor =~ item + item') nor a file."],
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{WHERE}.model", [f"{name} cannot be read: {error}."]) from None


def check_confirmatory(
    plan: StructurePlan, responses: Responses, parts: Mapping[str, Sequence[str]], folder: Path
) -> None:
    """Find what is wrong with the plan, given the questionnaire and the answers; run nothing."""
    models_of(plan, responses.instrument, parts, folder)
    if faults := measurement_faults(plan, responses, "confirmatory"):
        raise StudyError(WHERE, faults)


def confirm(
    plan: StructurePlan, model: Measured, responses: Responses, *, seed: int
) -> ConfirmatoryRecord:
    """Fit one model to one answer of each person, with the validity of its factors.

    Raises
    ------
    DataError
        The answers cannot bear it: too few people, an item everybody answered alike.
    """
    items = list(model.items)
    people = one_row_each(responses, items, seed=seed)
    way = way_of(plan, people.responses, items)
    fewest = enough_people(people.responses, items, way.missing)
    frame, names = model_frame(people.responses, model.items, [way.cluster])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollabSurveyWarning)  # the result's notes say it
        fit = cfa(
            frame,
            model.text,
            way.estimator,
            way.missing,
            [model.items[item] for item in way.ordered],
            cluster=None if way.cluster is None else names[way.cluster],
        )
        valid = _validity(fit)
    return ConfirmatoryRecord(
        title=model.title,
        factors=model.factors,
        items={name: item for item, name in model.items.items()},
        left_out=model.left_out,
        own_model=model.own,
        fit=fit,
        validity=valid,
        why=way.why,
        n_clusters=None if way.cluster is None else int(frame[names[way.cluster]].nunique()),
        wave=people.wave,
        n_people=fit.n_obs,
        n_repeated=people.n_repeated,
        fewest=fewest,
    )


def _validity(fit: SemResult) -> ValidityResult | None:
    """Whether factors can be told apart; None where no such number is defined."""
    if not fit.converged:
        return None
    try:
        return validity(fit, n_boot=0)
    except DataError:
        return None
