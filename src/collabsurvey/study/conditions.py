"""Scores of people, and of their schools: what was found out about the conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collabsurvey import multilevel
from collabsurvey.errors import StudyError
from collabsurvey.multilevel import AggregateResult
from collabsurvey.scoring import ScoreResult, score
from collabsurvey.study.config import StudyFile
from collabsurvey.study.joining import ROLE_NAMES, formula_name, school_table, typed_times
from collabsurvey.study.plans import Unit
from collabsurvey.study.reading import StudyData
from collabsurvey.study.tables import as_text

if TYPE_CHECKING:
    import pandas as pd

CONF_LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores by role name, one row per respondent (and wave); means of schools."""

    frame: pd.DataFrame  # role names, then scales under their formula names
    scales: tuple[str, ...]  # formula names
    result: ScoreResult | None
    unit: Unit  # what a row is


def scored(data: StudyData) -> Scored:
    """Score the answers; several partners of one respondent are averaged first."""
    if data.responses is None:
        if data.scores is None:
            raise StudyError("The study", ["there is nothing to score."])
        return Scored(data.scores, tuple(data.scale_titles), None, "school")
    result = score(data.responses)
    roles = data.responses.roles
    names = {column: ROLE_NAMES.get(role, role) for role, column in roles.items()}
    scales = tuple(formula_name(scale) for scale in result.scales)
    _refuse_names(result.scales, scales, names.values())
    frame = result.to_frame(keep=list(roles))
    frame.columns = [*names.values(), *scales]
    ids = {name: as_text(frame[name]) for name in names.values() if name not in ("cohort", "wave")}
    frame = typed_times(frame.assign(**ids))
    if "partner" in frame.columns:
        frame = _averaged_over_partners(frame, scales)
    return Scored(frame, scales, result, "respondent")


def _refuse_names(ids: Sequence[str], scales: Sequence[str], roles: Iterable[str]) -> None:
    """Scales whose columns in the joined tables would be called like others."""
    made = [
        *roles,
        "n_respondents",
        *(f"{s}_{end}" for s in scales for end in ("within", "between")),
    ]
    faults = [
        f"the scale {scale!r} would be the column {name!r} in formulas, which is the name of "
        "another. Give the scale another id."
        for i, (scale, name) in enumerate(zip(ids, scales, strict=True))
        if name in made or name in scales[:i]
    ]
    if faults:
        raise StudyError("The study", faults)


def _averaged_over_partners(frame: pd.DataFrame, scales: Sequence[str]) -> pd.DataFrame:
    """One row per respondent and wave: a respondent with three partners counts once."""
    if "respondent" not in frame.columns or frame["respondent"].isna().any():
        raise StudyError(
            "The study",
            [
                "people answered about several partners, and some rows do not say who answered, so "
                "a person's answers cannot be put together. Set the role 'respondent', and give "
                "every row an id."
            ],
        )
    keys = [
        name
        for name in ("respondent", "wave", "cohort", "school", "partnership")
        if name in frame.columns
    ]
    others = [c for c in frame.columns if c not in (*keys, *scales, "partner")]
    how = {**dict.fromkeys(scales, "mean"), **dict.fromkeys(others, "first")}
    groups = frame.groupby(keys, dropna=False, observed=True, sort=False)
    averaged: pd.DataFrame = groups.agg(how).reset_index()
    return averaged[[c for c in frame.columns if c != "partner"]]


def school_means(data: Scored, level: str, eligible: pd.DataFrame | None) -> AggregateResult:
    """Means of each school (or partnership) and wave."""
    by = [level, *(["wave"] if "wave" in data.frame.columns else [])]
    through = "school" if level == "partnership" and "school" in data.frame.columns else None
    keep = [*by, *([through] if through else []), *data.scales]
    return multilevel.aggregate(
        data.frame[keep],
        by=by,
        through=through,
        scales=list(data.scales),
        eligible=eligible if level == "school" else None,
        conf_level=CONF_LEVEL,
    )


def by_school(survey: Scored) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One row per school (and wave), with shrunken means and reliabilities behind `|`."""
    frame = survey.frame
    if "school" not in frame.columns:
        raise StudyError("The study", ["no school column: set the role 'cluster'."])
    if survey.unit == "school":
        _refuse_repeated_schools(frame)
        table = frame.copy()
        for scale in survey.scales:
            table[f"{scale}_between"] = table[scale]
        return table, tuple(f"{scale}_between" for scale in survey.scales)
    long = school_means(survey, "school", None).to_frame()
    table, between = school_table(long, survey.scales)
    keys = [name for name in ("school", "wave") if name in table.columns]
    for column, mark in (("shrunken_mean", "shrunken"), ("reliability", "reliability")):
        wide = long.pivot_table(index=keys, columns="scale", values=column).reset_index()
        names = {scale: f"{scale}_between|{mark}" for scale in survey.scales}
        table = table.merge(wide.rename(columns=names), on=keys, how="left")
    if "partnership" in frame.columns:
        table = table.merge(_partnership_of(frame), on="school", how="left")
    return table, between


def _refuse_repeated_schools(frame: pd.DataFrame) -> None:
    keys = [name for name in ("school", "wave", "cohort") if name in frame.columns]
    known = frame[keys].dropna()
    repeated = known[known.duplicated()].drop_duplicates()
    if len(repeated):
        example = ", ".join(map(str, repeated.iloc[0]))
        raise StudyError(
            "The scores",
            [
                f"there are several rows for one {' × '.join(keys)}, such as {example}. Scores "
                "have one row for each; choose rows with where: {column: value}, or set the role "
                "'wave'."
            ],
        )


def _partnership_of(frame: pd.DataFrame) -> pd.DataFrame:
    pairs = frame[["school", "partnership"]].dropna().drop_duplicates()
    several = pairs.loc[pairs.duplicated("school"), "school"]
    if len(several):
        raise StudyError(
            "The study",
            [
                f"school {several.iloc[0]!r} is in more than one partnership. Give each row of the "
                "answers the partnership its school belongs to in this study."
            ],
        )
    return pairs


def check_group_size(study: StudyFile, survey: Scored) -> None:
    """Refuse a study in which nothing could be shown."""
    n = len(survey.frame)
    if survey.unit == "respondent" and n < study.privacy.min_group:
        raise StudyError(
            "The study",
            [
                f"there are answers of {n} {'person' if n == 1 else 'people'}, and groups under "
                f"{study.privacy.min_group} are not reported. Collect more answers first."
            ],
        )
