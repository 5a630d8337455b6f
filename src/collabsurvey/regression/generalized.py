"""From a formula and a table to what a logistic or count model is fitted from, with every check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotSupportedError,
    NoVarianceError,
    check_level,
)
from collabsurvey.moments.design import (
    ModelRows,
    RowBlock,
    RowBlocks,
    least_squares_basis,
    model_rows,
)
from collabsurvey.numerics.glm import GlmFit, fit_glm
from collabsurvey.numerics.glm_outcome import Family, Outcome
from collabsurvey.numerics.separation import suspect
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.formula import Formula, RandomTerm
from collabsurvey.regression.generalized_outcome import (
    read_outcome,
    refuse_separation,
    require_variation,
)
from collabsurvey.regression.prepare import (
    aliased_message,
    dropped_notes,
    no_rows,
    offsets,
    refuse_levels,
    refuse_outcome_again,
)
from collabsurvey.regression.terms import (
    DesignPlan,
    Encoding,
    constant_of,
    design_plan,
    expand,
    learn,
    variable_values,
)
from collabsurvey.responses.engine import Column


@dataclass(frozen=True, eq=False)
class GeneralizedRows:
    """A model's rows in the order of the frame, and its columns in two forms.

    X are the columns as named, Q the same space orthonormal but for a factor of root n, in which
    all fitting is done: coefficients of X = transform @ coefficients of Q.
    """

    formula: Formula
    encoding: Encoding
    plan: DesignPlan
    random_plan: DesignPlan | None
    columns: dict[str, Column]
    outcome: Outcome
    x: FloatArray  # (n, p)
    q: FloatArray  # (n, p)
    transform: FloatArray  # (p, p)
    z: FloatArray  # (q, n) in units of their root mean square, slopes centred
    z_transform: FloatArray  # (q, q): effects of Z as named = z_transform @ those of z
    offset: FloatArray  # (n,)
    n_dropped: int
    notes: tuple[str, ...]

    @property
    def n_obs(self) -> int:
        """Rows used."""
        return len(self.offset)


def prepare_generalized(
    method: str,
    family: Family,
    formula: Formula,
    data: Any,
    *,
    conf_level: float,
    random: RandomTerm | None = None,
    extra: Sequence[str] = (),
    weights: str | None = None,
) -> GeneralizedRows:
    """Read the rows, build the columns, and refuse what cannot be fitted.

    `extra` names columns beyond the formula's, such as the cluster; `method` names the analysis
    in messages.
    """
    check_level(conf_level)
    refuse_outcome_again(formula)
    names = [*formula.columns, *extra, *([weights] if weights else [])]
    rows = model_rows(data, list(dict.fromkeys(names)), weights=weights)
    if rows.n_rows == 0:
        raise DataError(no_rows(method, rows, weights))
    notes = dropped_notes(rows, weights)
    encoding = learn(formula, rows.columns)
    weight = rows.columns[weights].values if weights else np.ones(rows.n_rows)
    outcome = read_outcome(method, family, formula, rows.columns, encoding, weight)
    if (outcome.trials == 0).any():
        rows, outcome = _tried(rows, outcome)
        encoding = learn(formula, rows.columns)
        notes = (*notes, _without_trial(len(weight) - rows.n_rows))
    label = formula.response.label
    plan = design_plan(formula.terms, intercept=formula.intercept, encoding=encoding)
    for variable, levels in encoding.levels.items():
        if any(variable in term for term in formula.terms) and len(levels) < 2:
            raise NoVarianceError(f"{variable.label!r} (only {levels[0]!r})", method=method)
    p, n = len(plan.columns), rows.n_rows
    refuse_levels(method, formula, encoding, data, n, p)
    if n <= p:
        raise NotEnoughDataError(
            method, what="complete rows", found=n, needed=p + 1, where="the table"
        )
    require_variation(method, label, outcome)
    random_plan = _random_plan(random, encoding) if random else None
    terms = [*formula.terms, *(random.terms if random else ())]
    values = variable_values(terms, rows.columns, encoding, n)
    x = expand(plan, values, slice(0, n))
    z = expand(random_plan, values, slice(0, n)) if random_plan else np.empty((n, 0))
    blocks = RowBlocks(
        lambda part: RowBlock(x[part], z[part], outcome.count[part], outcome.weight[part]), n
    )
    basis = least_squares_basis(
        blocks,
        constant_of(plan, encoding),
        centre_z=bool(random and random.intercept and random.correlated),
    )
    if basis.aliased:
        raise DataError(aliased_message(method, plan, basis, blocks, encoding))
    offset = offsets(formula, rows.columns, encoding)
    root_n = np.sqrt(n)
    return GeneralizedRows(
        formula=formula,
        encoding=encoding,
        plan=plan,
        random_plan=random_plan,
        columns=dict(rows.columns),
        outcome=outcome,
        x=x,
        q=basis.orthonormal(x) * root_n,
        transform=basis.transform * root_n,
        z=np.ascontiguousarray(basis.random(z).T),
        z_transform=basis.z_shift / basis.z_scale,
        offset=np.zeros(n) if offset is None else np.array(np.broadcast_to(offset, n)),
        n_dropped=rows.n_dropped,
        notes=notes,
    )


def start_fit(method: str, model: GeneralizedRows) -> GlmFit:
    """Fit without random effects; where it runs away, say what separates the outcomes."""
    found = fit_glm(model.q, model.offset, model.outcome)
    if not found.converged or suspect(model.outcome, found.eta):
        refuse_separation(method, model.plan, model.encoding, model.x, model.outcome)
    return found


def _without_trial(n: int) -> str:
    return f"{n} row{'s' if n > 1 else ''} without a trial {'were' if n > 1 else 'was'} left out."


def _tried(rows: ModelRows, outcome: Outcome) -> tuple[ModelRows, Outcome]:
    """Leave out rows of `cbind()` without trials: they say nothing."""
    kept = outcome.trials > 0
    columns = {
        name: Column(column.values[kept], column.categories)
        for name, column in rows.columns.items()
    }
    n_rows = int(kept.sum())
    n_dropped = rows.n_dropped + rows.n_rows - n_rows
    left = Outcome(outcome.family, outcome.count[kept], outcome.trials[kept], outcome.weight[kept])
    return replace(rows, columns=columns, n_rows=n_rows, n_dropped=n_dropped), left


def _random_plan(random: RandomTerm, encoding: Encoding) -> DesignPlan:
    factors = [v.label for term in random.terms for v in term if v in encoding.levels]
    if factors and not random.correlated:
        raise NotSupportedError(
            f"|| with the factor {factors[0]!r}", instead="Use |, or a numeric column per level."
        )
    return design_plan(random.terms, intercept=random.intercept, encoding=encoding)
