"""What a reader must be told about a study, from its plan, its data and its models."""

from __future__ import annotations

from collections.abc import Sequence

from collabsurvey.reporting.record import JoinCount, ModelRecord
from collabsurvey.study.config import StudyFile
from collabsurvey.study.reading import StudyData


def limits_of(
    study: StudyFile, data: StudyData, models: Sequence[ModelRecord], joins: Sequence[JoinCount]
) -> tuple[str, ...]:
    """Sentences for the limits section that need the study file to be known."""
    word = study.study.school_word
    limits: list[str] = []
    if study.design.kind == "observational" and models:
        limits.append(
            f"Nobody assigned the conditions: {word}s that differ in what was asked may differ in "
            "much else. A coefficient here is an association, not the effect of a change."
        )
    confirmatory = [model for model in models if model.role == "confirmatory"]
    if confirmatory and study.design.prereg is None:
        limits.append(
            "Models are called confirmatory, but no registered plan is named, so a reader cannot "
            "see that they were chosen before the data were known."
        )
    limits += [
        f"Of {join.n_survey_units} units in the survey, {join.n_matched} have the outcome "
        f"{join.outcome!r}; the others are not in its models."
        for join in joins
        if join.n_matched < join.n_survey_units
    ]
    if data.responses is None:
        limits.append(
            "The study starts at scores, so neither the reliability of the answers nor who gave "
            "them could be looked at."
        )
    if data.screened is not None:
        limits.append(
            "Answers that look careless were left out. Careful people with unusual views are among "
            "them, so what is left may be more alike than the people who were asked."
        )
    if study.eligible is None and data.responses is not None:
        limits.append(
            "The number of people who could have answered is not known, so no response rate can "
            "be given."
        )
    return tuple(limits)
