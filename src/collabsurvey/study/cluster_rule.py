"""The cluster rule: a predictor that is constant within a unit needs that unit in the model.

With 12 schools × 3 cohorts and a condition that varies by cohort, `(1 | school)` alone gives
36 % false positives where 5 % are promised; with `(1 | school:cohort)` 6 % (DESIGN section 7).
Rows that share a value of the condition also share everything else about their unit, so they
are not separate evidence about the condition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from collabsurvey.regression import Formula

if TYPE_CHECKING:
    import pandas as pd

# From fine to coarse: a person's answers in several waves, rows of a school × cohort, and so on.
UNITS: tuple[tuple[str, ...], ...] = (
    ("respondent",),
    ("school", "cohort"),
    ("school", "wave"),
    ("school",),
    ("partnership",),
)


def missing_units(
    frame: pd.DataFrame, formula: Formula, *, cluster: str | None
) -> list[tuple[str, str]]:
    """Return (predictor, term to add) for each predictor whose unit the model leaves out.

    Parameters
    ----------
    frame : DataFrame
        The joined table.
    formula : Formula
        Its random terms and predictors.
    cluster : str or None
        The column whose clusters the standard errors respect; errors that respect a unit
        also respect every unit inside it.
    """
    rows = frame.dropna(subset=[c for c in formula.columns if c in frame.columns])
    faults: list[tuple[str, str]] = []
    for predictor in dict.fromkeys(formula.predictor_columns):
        if predictor not in rows.columns or rows[predictor].nunique() < 2:
            continue
        unit = coarsest_unit(rows, predictor)
        if unit is None or _covered(rows, unit, formula, cluster):
            continue
        faults.append((predictor, ":".join(unit)))
    return faults


def coarsest_unit(rows: pd.DataFrame, predictor: str) -> tuple[str, ...] | None:
    """The largest unit within which a predictor has one value, if that unit has several rows.

    The columns that make the unit are themselves no conditions: a cohort's dummy is constant
    within school × cohort by construction, and is estimated from the cohorts of all schools.
    """
    found = None
    for unit in UNITS:
        if not set(unit) <= set(rows.columns) or predictor in unit:
            continue
        groups = rows.groupby(list(unit), observed=True)
        several = len(rows) > groups.ngroups > 1
        if (
            several
            and int(groups[predictor].nunique().max()) == 1
            and not _is_time(rows, predictor)
        ):
            found = unit
    return found


def _is_time(rows: pd.DataFrame, predictor: str) -> bool:
    """Whether a column says no more than which cohort or wave a row is of."""
    return any(
        time in rows.columns
        and int(rows.groupby(time, observed=True)[predictor].nunique().max()) == 1
        for time in ("cohort", "wave")
    )


def _covered(
    rows: pd.DataFrame, unit: Sequence[str], formula: Formula, cluster: str | None
) -> bool:
    """Whether the model has the unit as a random term, or errors clustered on it or above it."""
    for term in formula.random:
        if _same_partition(rows, term.group, unit):
            return True
    return cluster is not None and _nested(rows, unit, (cluster,))


def _same_partition(rows: pd.DataFrame, a: Sequence[str], b: Sequence[str]) -> bool:
    return _nested(rows, a, b) and _nested(rows, b, a)


def _nested(rows: pd.DataFrame, inner: Sequence[str], outer: Sequence[str]) -> bool:
    """Whether every group of `inner` lies within one group of `outer`."""
    if not (set(inner) <= set(rows.columns) and set(outer) <= set(rows.columns)):
        return False
    pairs = rows[list(dict.fromkeys((*inner, *outer)))].drop_duplicates()
    return not pairs.duplicated(list(inner)).any()
