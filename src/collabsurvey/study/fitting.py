"""Fitting the models of a study: the formula, the cluster rule, the sensitivity figure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from collabsurvey import regression
from collabsurvey.errors import StudyError, UnknownNameError
from collabsurvey.regression import Formula, LinearResult, MixedResult, parse_formula
from collabsurvey.regression.prepare import prepare
from collabsurvey.reporting.record import Calibrated, ModelRecord
from collabsurvey.study.cluster_rule import missing_units
from collabsurvey.study.conditions import CONF_LEVEL
from collabsurvey.study.joining import Joined, with_reasons
from collabsurvey.study.plans import ModelPlan

if TYPE_CHECKING:
    import pandas as pd


def check_model(plan: ModelPlan, joined: Joined) -> Formula:
    """Check a model against its table before anything is fitted.

    Raises
    ------
    FormulaError
        The formula is not part of the language.
    StudyError
        Unknown columns, columns that are not numbers, or a unit that the model leaves out:
        all of them together.
    DataError
        Rows that no regression can be fitted to: a constant, text as outcome, too few of them.
    """
    formula = parse_formula(plan.formula)
    where = f"model {plan.name!r}"
    names = [*formula.columns, *([plan.cluster] if plan.cluster else [])]
    faults = [
        str(UnknownNameError("column", name, available=joined.frame.columns, where="the table"))
        for name in dict.fromkeys(names)
        if name not in joined.frame.columns
    ]
    faults += with_reasons(joined, formula.columns)
    if plan.cluster and formula.random:
        faults.append(
            "a model has either random terms or cluster-robust errors. Remove 'cluster', or the "
            "term in brackets."
        )
    if not faults:
        faults += [
            f"{predictor!r} has one value in every {unit}, and the model leaves {unit} out, so its "
            f"rows would count as separate evidence. {_remedy(formula, unit)}"
            for predictor, unit in missing_units(joined.frame, formula, cluster=plan.cluster)
        ]
    if faults:
        raise StudyError(where, faults)
    cluster = cluster_of(plan, formula, joined.frame)
    extra = [cluster] if cluster else []
    prepare("a regression", formula, joined.frame, conf_level=CONF_LEVEL, extra=extra)
    return formula


def _remedy(formula: Formula, unit: str) -> str:
    cluster = unit.partition(":")[0]
    if not formula.random:
        return f"Add (1 | {unit}) to the formula, or cluster: {cluster}."
    return (
        f"Add (1 | {unit}) to the formula, or leave the terms in brackets out and say "
        f"cluster: {cluster}."
    )


def cluster_of(plan: ModelPlan, formula: Formula, frame: pd.DataFrame) -> str | None:
    """Whose rows are not independent: the plan's cluster; else schools, else people, with several.

    Staff of one school are never treated as independent because nobody said `cluster`
    (people sit in schools); the title of the result says whose errors they are.
    """
    if plan.cluster or formula.random:
        return plan.cluster
    units = [name for name in ("school", "respondent") if name in frame.columns]
    return next((name for name in units if frame[name].dropna().duplicated().any()), None)


def fit_model(plan: ModelPlan, joined: Joined) -> ModelRecord:
    """Fit one model; mixed if the formula has random terms, else least squares."""
    formula = check_model(plan, joined)
    result = _fit(plan, formula, joined.frame)
    return ModelRecord(
        name=plan.name,
        formula=plan.formula,
        unit=joined.unit,
        role=plan.role,
        result=result,
        rows_used=int(result.fit["n_obs"]),
        rows_joined=len(joined.frame),
        hypothesis=plan.hypothesis,
        family=plan.family,
        calibrated=_calibrated(plan, formula, joined, result),
    )


def _fit(plan: ModelPlan, formula: Formula, frame: pd.DataFrame) -> LinearResult | MixedResult:
    if formula.random:
        return regression.mixed(plan.formula, frame)
    cluster = cluster_of(plan, formula, frame)
    return regression.ols(plan.formula, frame, cluster=cluster, cov=plan.cov if cluster else "auto")


def _calibrated(
    plan: ModelPlan, formula: Formula, joined: Joined, result: LinearResult | MixedResult
) -> tuple[Calibrated, ...]:
    """The same model with each school mean shrunken by its reliability.

    Regression calibration: Carroll, Ruppert, Stefanski & Crainiceanu (2006), Measurement
    Error in Nonlinear Models, ch. 4. The means of few teachers vary by chance, which pulls a
    slope towards zero; the figure shows how far.
    """
    columns = set(joined.frame.columns)
    source = {  # a scale's plain name is the school's mean as well, in a table of schools
        name: mean
        for name in formula.predictor_columns
        for mean in (name, f"{name}_between")
        if f"{mean}|shrunken" in columns
    }
    frame = joined.frame.assign(**{n: joined.frame[f"{m}|shrunken"] for n, m in source.items()})
    rows = frame.dropna(subset=list(formula.needed_columns))
    if not source or any(rows[name].nunique() < 2 for name in source):
        return ()
    adjusted = _fit(plan, formula, frame)
    naive = dict(zip(result.estimates["term"], result.estimates["estimate"], strict=True))
    again = dict(zip(adjusted.estimates["term"], adjusted.estimates["estimate"], strict=True))
    return tuple(
        Calibrated(
            term=term,
            estimate=float(naive[term]),
            adjusted=float(again[term]),
            reliability=float(rows[f"{mean}|reliability"].mean()),
        )
        for name, mean in source.items()
        for term in naive
        if term in again and re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", term)
    )


def columns_shown(frame: pd.DataFrame) -> Sequence[str]:
    """Names a formula may use; the helper columns of the sensitivity figure are not among them."""
    return [str(name) for name in frame.columns if "|" not in str(name)]
