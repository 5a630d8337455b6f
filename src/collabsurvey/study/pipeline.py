"""From data to record: scores, reliability, school means, models, in the order of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from collabsurvey import multilevel, reliability
from collabsurvey.errors import DataError, StudyError
from collabsurvey.instruments.model import Instrument
from collabsurvey.moments import AnswerTables, answer_tables
from collabsurvey.multilevel import AggregateResult
from collabsurvey.progress import track
from collabsurvey.reporting.record import JoinCount, ModelRecord, RunRecord
from collabsurvey.responses import Responses
from collabsurvey.scoring import ScoreResult, score
from collabsurvey.study.config import ModelPlan, StudyFile, Unit
from collabsurvey.study.fitting import check_model, fit_model
from collabsurvey.study.joining import (
    ROLE_NAMES,
    Joined,
    formula_name,
    join_outcome,
    respondent_table,
    school_table,
)
from collabsurvey.study.limits import limits_of
from collabsurvey.study.reading import Faults, StudyData

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
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


def joined_tables(
    study: StudyFile, data: StudyData, survey: Scored, faults: Faults
) -> dict[tuple[str | None, Unit], Joined]:
    """Every table a model of this study may be written for, by (outcome id, unit)."""
    calendar = {str(entry.wave): str(entry.cohort) for entry in study.calendar}
    by_school = faults.attempt(lambda: _by_school(survey))
    by_respondent = respondent_table(survey.frame, survey.scales)
    tables: dict[tuple[str | None, Unit], Joined] = {}
    if survey.unit == "respondent":
        tables[None, "respondent"] = Joined(by_respondent, "respondent", (), None, {})
    if by_school is not None:
        tables[None, "school"] = Joined(by_school[0], "school", by_school[1], None, {})
    for outcome in study.outcomes:
        table = data.outcomes.get(outcome.id)
        if table is None:
            continue
        if outcome.unit == "respondent":
            base: tuple[pd.DataFrame, tuple[str, ...]] | None = (by_respondent, ())
        else:
            base = by_school
        if base is None:
            continue
        left, conditions = base
        joined = faults.attempt(
            lambda left=left, conditions=conditions, outcome=outcome, table=table: join_outcome(  # type: ignore[misc]
                left, outcome, table, conditions=conditions, calendar=calendar
            )
        )
        if joined is not None:
            tables[outcome.id, outcome.unit] = joined
    return tables


def _by_school(survey: Scored) -> tuple[pd.DataFrame, tuple[str, ...]]:
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


def model_table(plan: ModelPlan, tables: Mapping[tuple[str | None, Unit], Joined]) -> Joined | None:
    """Return the table of one model; None where its files could not be read."""
    if plan.outcome is None:
        return tables.get((None, plan.unit))
    for (outcome, _), joined in tables.items():
        if outcome == plan.outcome:
            return joined
    return None


def check_models(
    study: StudyFile, tables: Mapping[tuple[str | None, Unit], Joined], faults: Faults
) -> None:
    """Collect the faults of every model without fitting any."""
    for plan in study.analysis.models:
        joined = model_table(plan, tables)
        if joined is None:
            if plan.outcome is None:
                faults.sentences.append(
                    f"model {plan.name!r}: there is no table of {plan.unit}s. "
                    "Set the roles it needs."
                )
            continue
        if plan.outcome is not None and joined.unit != plan.unit:
            faults.sentences.append(
                f"model {plan.name!r} has the unit {plan.unit}, and its outcome {plan.outcome!r} "
                f"has the unit {joined.unit}. Make them the same."
            )
            continue
        faults.attempt(lambda plan=plan, joined=joined: check_model(plan, joined))  # type: ignore[misc]


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


class Notes(list[str]):
    """Sentences on what could not be calculated, said in the report instead of a number."""

    def attempt(self, what: str, step: Callable[[], T]) -> T | None:
        """Run a step; a lack of data becomes a note, anything else is raised."""
        try:
            return step()
        except DataError as error:
            self.append(f"{what}: {error}")
            return None


def run_study(
    study: StudyFile,
    data: StudyData,
    survey: Scored,
    tables: Mapping[tuple[str | None, Unit], Joined],
    options: Mapping[str, Any],
    *,
    progress: bool,
) -> RunRecord:
    """Calculate everything a study asks for; what the data cannot bear becomes a note."""
    notes = Notes()
    steps: dict[str, Callable[[], Any]] = {}
    responses = data.responses
    if responses is not None:
        steps["overview"] = lambda: notes.attempt(
            "Reliability", lambda: reliability.overview(responses)
        )
        by = study.analysis.reliability.by
        if by is not None:
            steps["overview_by"] = lambda: notes.attempt(
                f"Reliability by {by}", lambda: reliability.overview(responses, by=by)
            )
        steps["items"] = lambda: _item_analyses(responses, notes)
        steps["answers"] = lambda: notes.attempt("Distributions", lambda: _answers(responses))
    if "school" in survey.frame.columns and survey.unit == "respondent":
        steps["icc"] = lambda: notes.attempt(
            "Differences between schools",
            lambda: multilevel.icc(survey.frame, list(survey.scales), "school"),
        )
        for level in study.analysis.levels.aggregate:
            if level in survey.frame.columns:
                steps[f"means of {level}"] = lambda level=level: notes.attempt(
                    f"Means by {level}",
                    lambda: school_means(survey, level, data.eligible),
                )
            else:
                notes.append(f"Means by {level}: the role is not set in these data.")
    for plan in study.analysis.models:
        joined = model_table(plan, tables)
        if joined is not None:
            steps[f"model {plan.name}"] = lambda plan=plan, joined=joined: fit_model(plan, joined)
    found = {
        name: steps[name]()
        for name in track(list(steps), "Analysing", total=len(steps), show=progress)
    }
    models: list[ModelRecord] = [v for k, v in found.items() if k.startswith("model ")]
    joins: list[JoinCount] = [j.count for j in tables.values() if j.count is not None]
    return RunRecord(
        study_id=study.study.id,
        title=study.study.title,
        seed=study.study.seed,
        min_group=study.privacy.min_group,
        synthetic=study.study.synthetic,
        conf_level=CONF_LEVEL,
        ledger=data.ledger,
        sources=data.sources,
        options=options,
        responses=responses,
        scores=survey.frame,
        score_result=survey.result,
        scale_titles=data.scale_titles,
        response_by_school=_response_by_school(survey, data.eligible),
        overview=found.get("overview"),
        overview_by=found.get("overview_by"),
        item_analyses=found.get("items") or {},
        answers=found.get("answers"),
        icc=found.get("icc"),
        aggregates={
            name.removeprefix("means of "): value
            for name, value in found.items()
            if name.startswith("means of ") and value is not None
        },
        joins=tuple(joins),
        models=tuple(models),
        design=study.design.kind,
        prereg=_prereg(study),
        limits=limits_of(study, data, models, joins),
        school_word=study.study.school_word,
        notes=tuple(notes),
    )


def _prereg(study: StudyFile) -> str:
    plan = study.design.prereg
    return "" if plan is None else f"{plan.url} (registered {plan.registered})"


def _item_analyses(responses: Responses, notes: Notes) -> dict[str, Any]:
    found = {}
    for scale in responses.instrument.scoring:
        if scale.rule in ("mean", "sum") and len(scale.items) > 1:
            result = notes.attempt(
                f"Items of {scale.title}",
                lambda scale=scale: reliability.item_analysis(responses, scale.id),  # type: ignore[misc]
            )
            if result is not None:
                found[scale.id] = result
    return found


def _answers(responses: Responses) -> AnswerTables:
    """Distributions of the items that have a countable set of answers."""
    return answer_tables(responses, _countable(responses.instrument))


def _countable(instrument: Instrument) -> tuple[str, ...]:
    return tuple(item.id for item in instrument.items)


def _response_by_school(survey: Scored, eligible: pd.DataFrame | None) -> pd.DataFrame | None:
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
