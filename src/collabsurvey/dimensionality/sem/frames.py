"""Tables of a fitted model: estimates with their errors, standardised ones, defined parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from collabsurvey.dimensionality.sem.constraints import defined
from collabsurvey.dimensionality.sem.expression import evaluate
from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.standardise import (
    Kind,
    sizes,
    standardised_by,
    standardised_jacobian,
    standards,
    values,
)
from collabsurvey.numerics.intervals import normal_quantile
from collabsurvey.numerics.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd


KINDS: dict[str, Kind] = {"std_all": "all", "std_lv": "latent", "std_nox": "not_covariates"}


def estimates_frame(found: Analysis, *, conf_level: float) -> pd.DataFrame:
    """One row a parameter, in the order of lavaan's table; defined parameters last."""
    model, fit = found.model, found.fit
    rows = model.parameters
    estimate = values(model, fit.theta)
    error = np.zeros(len(rows))
    free = model.place >= 0
    variance = np.diag(found.assessed.vcov)
    error[free] = _root(variance)[model.place[free]]
    size = sizes(model, fit.theta)
    standard = {
        name: standardised_by(model, estimate, size, standards(model, kind))
        for name, kind in KINDS.items()
    }
    new, change = defined(model, fit.theta)
    if len(new):
        estimate = np.concatenate([estimate, new])
        spread = np.einsum("ij,jk,ik->i", change, found.assessed.vcov, change)
        error = np.concatenate([error, _root(spread)])
        standard = {
            name: np.concatenate([one, _defined_from(found, one)]) for name, one in standard.items()
        }
    levels = model.levels
    group = [row.block // levels + 1 for row in rows] + [0] * len(new)
    out: dict[str, object] = {
        "lhs": [row.lhs for row in rows] + [one.name for one in model.definitions],
        "op": [row.op for row in rows] + [":="] * len(new),
        "rhs": [row.rhs for row in rows] + [one.expression for one in model.definitions],
        "group": group,
    }
    if levels == 2:
        out["level"] = [row.block % 2 + 1 for row in rows] + [0] * len(new)
    out["label"] = [row.label for row in rows] + [one.name for one in model.definitions]
    out |= _tested(estimate, error, conf_level) | standard
    if len(model.groups) > 1:
        out["group_label"] = [model.groups[g - 1] if g else "" for g in group]
    return _frame(out)


def standardised_frame(found: Analysis, kind: Kind, *, conf_level: float) -> pd.DataFrame:
    """Standardised estimates with delta-method errors, as lavaan's standardizedSolution()."""
    model, fit = found.model, found.fit
    rules = standards(model, kind)
    estimate = standardised_by(model, values(model, fit.theta), sizes(model, fit.theta), rules)
    change = standardised_jacobian(model, fit.x, rules)
    covariance = _in_x(found)
    error = _root(np.einsum("ij,jk,ik->i", change, covariance, change))
    error[error < 1e-9] = 0.0
    levels = model.levels
    out: dict[str, object] = {
        "lhs": [row.lhs for row in model.parameters],
        "op": [row.op for row in model.parameters],
        "rhs": [row.rhs for row in model.parameters],
        "group": [row.block // levels + 1 for row in model.parameters],
    }
    if levels == 2:
        out["level"] = [row.block % 2 + 1 for row in model.parameters]
    return _frame(out | _tested(estimate, error, conf_level))


def _in_x(found: Analysis) -> FloatArray:
    """Covariance of the estimated parameters (n_unique, n_unique) from that of all free ones."""
    back = np.linalg.pinv(found.model.reduce)
    return np.asarray(back @ found.assessed.vcov @ back.T)


def _defined_from(found: Analysis, standard: FloatArray) -> FloatArray:
    """Definitions computed from standardised parameters, as in lavaan."""
    known: dict[str, float | complex] = {}
    for row, value in zip(found.model.parameters, standard, strict=True):
        if row.label:
            known.setdefault(row.label, float(value))
    out = []
    for one in found.model.definitions:
        known[one.name] = evaluate(one.expression, known)
        out.append(float(known[one.name].real))
    return np.array(out)


def _tested(estimate: FloatArray, error: FloatArray, conf_level: float) -> dict[str, object]:
    """Standard error, z, p and limits; a fixed value has the error 0 and is not tested."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, estimate / error, np.nan)
    reach = normal_quantile(0.5 + conf_level / 2) * error
    return {
        "estimate": estimate,
        "std_error": error,
        "statistic": z,
        "p_value": 2 * special.ndtr(-np.abs(z)),
        "ci_low": estimate - reach,
        "ci_high": estimate + reach,
    }


def _root(variance: FloatArray) -> FloatArray:
    """Standard errors; NaN where a variance is not positive."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(variance))


def _frame(columns: dict[str, object]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)
