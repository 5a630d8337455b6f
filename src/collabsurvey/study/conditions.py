"""Scores of people, and of their schools: what was found out about the conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collabsurvey import multilevel
from collabsurvey.errors import StudyError
from collabsurvey.multilevel import AggregateResult
from collabsurvey.scoring import ScoreResult, score
from collabsurvey.study.config import StudyFile, Unit
from collabsurvey.study.joining import ROLE_NAMES, formula_name, school_table
from collabsurvey.study.reading import StudyData

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
    frame = result.to_frame(keep=list(roles))
    names = {column: ROLE_NAMES.get(role, role) for role, column in roles.items()}
    frame = frame.rename(columns={**names, **{s: formula_name(s) for s in result.scales}})
    for name in (*names.values(),):
        if name != "weight" and frame[name].dtype.kind not in "iuf":
            frame[name] = frame[name].astype("str").where(frame[name].notna(), None)
    scales = tuple(formula_name(scale) for scale in result.scales)
    if "partner" in frame.columns and "respondent" in frame.columns:
        frame = _averaged_over_partners(frame, scales)
    return Scored(frame, scales, result, "respondent")


def _averaged_over_partners(frame: pd.DataFrame, scales: Sequence[str]) -> pd.DataFrame:
    """One row per respondent and wave: a respondent with three partners counts once."""
    others = [c for c in frame.columns if c not in (*scales, "partner")]
    means = frame.groupby(others, dropna=False, observed=True)[list(scales)].mean()
    averaged: pd.DataFrame = means.reset_index()
    return averaged


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


def response_by_school(survey: Scored, eligible: pd.DataFrame | None) -> pd.DataFrame | None:
    """Respondents with at least one score by school and wave, against the eligible numbers."""
    if survey.unit != "respondent" or "school" not in survey.frame.columns:
        return None
    by = ["school", *(["wave"] if "wave" in survey.frame.columns else [])]
    answered = survey.frame[survey.frame[list(survey.scales)].notna().any(axis=1)]
    counts = answered.groupby(by, observed=True).size().rename("n").reset_index()
    if eligible is None:
        return counts.assign(n_eligible=float("nan"), rate=float("nan"))
    keys = [name for name in by if name in eligible.columns]
    left = counts.assign(**{f"{k}|key": counts[k].astype("str") for k in keys})
    right = eligible.assign(**{f"{k}|key": eligible[k].astype("str") for k in keys})
    right = right.drop(columns=keys)
    merged = left.merge(right, on=[f"{k}|key" for k in keys], how="left")
    merged = merged.drop(columns=[f"{k}|key" for k in keys])
    return merged.assign(rate=merged["n"] / merged["n_eligible"])
