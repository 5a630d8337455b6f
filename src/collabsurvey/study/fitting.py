"""Fitting the models of a study: the formula, the cluster rule, the sensitivity figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from collabsurvey import regression
from collabsurvey.errors import StudyError, UnknownNameError
from collabsurvey.regression import Formula, LinearResult, MixedResult, parse_formula
from collabsurvey.reporting.record import Calibrated, ModelRecord
from collabsurvey.study.cluster_rule import missing_units
from collabsurvey.study.config import ModelPlan
from collabsurvey.study.joining import Joined, with_reasons

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
            f"rows would count as separate evidence. Add (1 | {unit}) to the formula"
            + (f", or cluster: {unit}." if ":" not in unit else ".")
            for predictor, unit in missing_units(joined.frame, formula, cluster=plan.cluster)
        ]
    if faults:
        raise StudyError(where, faults)
    return formula


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
    if plan.cluster is None:
        return regression.ols(plan.formula, frame)
    return regression.ols(plan.formula, frame, cluster=plan.cluster, cov=plan.cov)


def _calibrated(
    plan: ModelPlan, formula: Formula, joined: Joined, result: LinearResult | MixedResult
) -> tuple[Calibrated, ...]:
    """The same model with each school mean shrunken by its reliability.

    Regression calibration: Carroll, Ruppert, Stefanski & Crainiceanu (2006), Measurement
    Error in Nonlinear Models, ch. 4. The means of few teachers vary by chance, which pulls a
    slope towards zero; the figure shows how far.
    """
    used = [
        name for name in formula.predictor_columns if f"{name}|shrunken" in joined.frame.columns
    ]
    if not used:
        return ()
    frame = joined.frame.assign(**{name: joined.frame[f"{name}|shrunken"] for name in used})
    if frame[used].isna().all(axis=None) or any(frame[name].nunique() < 2 for name in used):
        return ()
    adjusted = _fit(plan, formula, frame)
    naive = dict(zip(result.estimates["term"], result.estimates["estimate"], strict=True))
    again = dict(zip(adjusted.estimates["term"], adjusted.estimates["estimate"], strict=True))
    return tuple(
        Calibrated(
            term=name,
            estimate=float(naive[name]),
            adjusted=float(again[name]),
            reliability=float(joined.frame[f"{name}|reliability"].mean()),
        )
        for name in used
        if name in naive and name in again
    )


def columns_shown(frame: pd.DataFrame) -> Sequence[str]:
    """Names a formula may use; the helper columns of the sensitivity figure are not among them."""
    return [str(name) for name in frame.columns if "|" not in str(name)]
