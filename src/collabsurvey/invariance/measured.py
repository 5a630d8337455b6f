"""A measurement model in several groups whose equalities can be loosened one by one.

Factors have unit variance in the first group instead of a first loading of 1, so that every
loading can be tested and released; the fit is the same.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from collabsurvey.dimensionality.sem.answers import Missing
from collabsurvey.dimensionality.sem.equality import name_of
from collabsurvey.dimensionality.sem.estimators import ORDINAL, Estimator
from collabsurvey.dimensionality.sem.fitted import Analysis, analyse
from collabsurvey.dimensionality.sem.from_instrument import model_of
from collabsurvey.dimensionality.sem.model import Model, Parameter
from collabsurvey.dimensionality.sem.prepare import Options, Ordered, Prepared, prepare
from collabsurvey.dimensionality.sem.syntax import Syntax, parse
from collabsurvey.errors import (
    DataError,
    NotEnoughItemsError,
    NotSupportedError,
    OptionError,
    listed,
)
from collabsurvey.instruments.model import Instrument
from collabsurvey.invariance.levels import CONTINUOUS, Level, effect_of, require_factor
from collabsurvey.invariance.levels import ORDINAL as ORDINAL_LEVELS
from collabsurvey.invariance.ordinal_levels import ordinal_model, ordinal_table
from collabsurvey.invariance.whose_rows import with_people
from collabsurvey.moments.respondents import cluster_column
from collabsurvey.moments.split import role_or_column
from collabsurvey.responses.responses import Responses

FEWEST = 2  # items of a factor that must stay the same, or the groups have no common unit


@dataclass(frozen=True, eq=False)
class Measured:
    """Data of several groups, and the model that is fitted to them."""

    prepared: Prepared
    text: str
    name: str
    syntax: Syntax
    rows: tuple[Parameter, ...]  # of the configural model

    @property
    def ordinal(self) -> bool:
        """Whether the items are ordered categories."""
        return bool(self.prepared.categories)

    @property
    def levels(self) -> tuple[Level, ...]:
        """Levels of measurement invariance, the weakest first."""
        known = ORDINAL_LEVELS if self.ordinal else CONTINUOUS
        return tuple(level for level in known if level.measurement)

    @property
    def groups(self) -> tuple[str, ...]:
        """Labels; the first is the reference."""
        return self.prepared.answers.labels

    @property
    def factors(self) -> dict[str, tuple[str, ...]]:
        """Items of each factor."""
        out: dict[str, tuple[str, ...]] = {}
        for row in self.rows:
            if row.op == "=~" and row.block == 0:
                out[row.lhs] = (*out.get(row.lhs, ()), row.rhs)
        return out

    def model(self, level: Level, released: Collection[str]) -> Model:
        """Compile the model of a level without the equalities of the `released` parameters."""
        if self.ordinal:
            return ordinal_model(self.prepared, self.syntax, self.rows, level, released)
        return self.prepared.build(self.text, equal=level.equal, partial=sorted(released))

    def fit(self, level: Level, released: Collection[str]) -> Analysis:
        """Fit it; what does not converge is refused."""
        found = analyse(self.model(level, released), self.prepared.material)
        if not found.fit.converged:
            without = f" without the equalities of {listed(sorted(released))}" if released else ""
            raise DataError(
                f"The model at level {level.name!r}{without} did not converge. Check that every "
                "factor has items that correlate in every group, or release less."
            )
        return found

    def kinds(self) -> dict[str, str]:
        """What every parameter of the first group is called in lavaan's `group.equal`."""
        latent = set(self.factors)
        return {
            name_of(row.lhs, row.op, row.rhs): effect_of(row, latent)
            for row in self.rows
            if row.block == 0
        }


def measured(
    data: Any,
    model: str | Instrument,
    by: str,
    *,
    estimator: Estimator,
    missing: Missing,
    ordered: Ordered,
    cluster: str | None,
    extra: str = "",
    method: str,
) -> Measured:
    """Read the data once; `extra` are lines added to the model text."""
    if not isinstance(by, str):
        raise OptionError("by", by, allowed=("the name of a role or column",))
    text = model_of(model) if isinstance(model, Instrument) else model
    if not isinstance(text, str) or not text.strip():
        raise OptionError("model", model, allowed=("a model text, or an Instrument",))
    syntax = parse(text)
    require_factor(syntax)
    if syntax.levels == 2:
        raise NotSupportedError(
            f"{method} with two levels",
            instead="Leave out `level:` and give cluster= for robust errors.",
        )
    weights, given = None, data
    if extra:
        text = f"{text}\n{extra}"
        syntax = parse(text)
        if isinstance(data, Responses):
            # An outcome is a column, not an item: its roles are looked up and the frame is read.
            by, cluster = role_or_column(data, by), cluster_column(data, cluster)
            weights, data = data.roles.get("weight"), data.frame
    ordinal = estimator in ORDINAL or (ordered if isinstance(ordered, bool) else bool(ordered))
    options = Options(
        estimator,
        missing,
        ordered,
        by,
        cluster,
        weights,
        "theta" if ordinal else "delta",
        True,
        False,
        True,
        True,
        None,
        "normal",
    )
    prepared = with_people(prepare(data, text, options), given)
    if prepared.categories:
        rows = ordinal_table(prepared, syntax)
    else:
        rows = prepared.build(text).parameters
        if _has_own_unit(rows):
            # A loading or variance fixed in the text: the model has its own unit already.
            prepared = replace(prepared, options=replace(prepared.options, std_lv=False))
            rows = prepared.build(text).parameters
    name = model.title if isinstance(model, Instrument) else "Model"
    out = Measured(prepared, text, name, syntax, rows)
    _check(out, method)
    return out


def _has_own_unit(rows: Collection[Parameter]) -> bool:
    return any(row.op == "=~" and not row.free for row in rows)


def _check(found: Measured, method: str) -> None:
    factors = found.factors
    if second := [name for name, items in factors.items() if set(items) & set(factors)]:
        raise NotSupportedError(
            f"{method} with second-order factors ({listed(second)})",
            instead="Use the first-order factors alone.",
        )
    for name, items in factors.items():
        if len(items) < FEWEST:
            raise NotEnoughItemsError(name, n_items=len(items), needed=FEWEST, method=method)
