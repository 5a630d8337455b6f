"""Invariance of ordered items after Wu & Estabrook (2016, doi:10.1007/s11336-016-9506-0).

Items have latent responses y* = nu + lambda eta + epsilon that thresholds cut into categories.
Theta parameterisation, unit factor variances in the first group. Which parameters are free in the
other groups follows from how many thresholds of an item are equal:

| level | equal | free in the later groups, besides what was free before |
|---|---|---|
| configural | | nothing: nu = 0, residual variance 1, factor means 0 and variances 1 |
| thresholds | thresholds | nu (one equal threshold or more), residual variance (two or more) |
| loadings | + loadings | factor variances |
| intercepts | + nu = 0 | factor means |
| residuals | + residual variances 1 | |

An item of four categories or more can show that thresholds differ. Of three categories the two
thresholds only say where and how wide the response is, so that equal thresholds restrict nothing:
the model is the configural one in other coordinates. A binary item has one threshold: neither
equal thresholds nor equal loadings restrict anything, its residual variance is free from the level
"loadings" on (until then, nothing tells it from the loading), and thresholds, loadings and
intercepts are tested together at the level "intercepts". A factor that has only binary items
gets its variance free there too. semTools' measEq.syntax (0.5-6) keeps the residual variance of a
binary item at 1 at the level of loadings, which tests loadings and residual variances at once and
is not nested in its next level; for items of three categories and more the two agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import nan

from collabsurvey.dimensionality.sem.compile import compile_model
from collabsurvey.dimensionality.sem.equality import name_of
from collabsurvey.dimensionality.sem.model import Model, Parameter
from collabsurvey.dimensionality.sem.prepare import Prepared
from collabsurvey.dimensionality.sem.syntax import Syntax
from collabsurvey.dimensionality.sem.table import parameter_table
from collabsurvey.errors import listed
from collabsurvey.invariance.levels import Level, effect_of


@dataclass(frozen=True)
class Freed:
    """What the equalities of a level leave to be estimated in the groups after the first."""

    intercepts: frozenset[str]  # items
    residuals: frozenset[str]  # items
    variances: frozenset[str]  # factors
    means: frozenset[str]  # factors


def ordinal_table(prepared: Prepared, syntax: Syntax) -> tuple[Parameter, ...]:
    """Parameters of the configural model of all groups."""
    return parameter_table(
        syntax,
        n_groups=len(prepared.answers.labels),
        ordered={name: one.n for name, one in prepared.categories.items()},
        means=True,
        std_lv=True,
        orthogonal=prepared.options.orthogonal,
        parameterization="theta",
    )


def ordinal_model(
    prepared: Prepared,
    syntax: Syntax,
    rows: Sequence[Parameter],
    level: Level,
    partial: Collection[str],
) -> Model:
    """Compile the model of one level from the table of the configural one."""
    return compile_model(
        at_level(rows, level.equal, partial),
        groups=prepared.answers.labels,
        definitions=syntax.definitions,
        constraints=syntax.constraints,
        parameterization="theta",
        observed=prepared.names,
    )


def at_level(
    rows: Sequence[Parameter], equal: Collection[str], partial: Collection[str]
) -> tuple[Parameter, ...]:
    """Tie what the level makes equal, and free what it identifies."""
    latent = {row.lhs for row in rows if row.op == "=~"}
    tied = {
        _key(row): i
        for i, row in enumerate(rows)
        if row.block == 0
        and effect_of(row, latent) in equal
        and name_of(row.lhs, row.op, row.rhs) not in partial
    }
    freed = _freed(rows, set(tied), latent)
    shared = {key: rows[i].label or f".p{i + 1}." for key, i in tied.items() if rows[i].free}
    return tuple(_row(row, freed, shared) for row in rows)


def _row(row: Parameter, freed: Freed, shared: dict[tuple[str, str, str], str]) -> Parameter:
    if row.free:
        label = shared.get(_key(row), row.label)
        return row if label == row.label else replace(row, label=label)
    if row.block > 0 and _is_freed(row, freed):
        return replace(row, free=True, value=nan)
    return row


def _is_freed(row: Parameter, freed: Freed) -> bool:
    if row.op == "~1":
        return row.lhs in freed.intercepts or row.lhs in freed.means
    if row.op == "~~" and row.lhs == row.rhs:
        return row.lhs in freed.residuals or row.lhs in freed.variances
    return False


def _freed(
    rows: Sequence[Parameter], tied: Collection[tuple[str, str, str]], latent: Collection[str]
) -> Freed:
    """Apply the rules of the module's docstring."""
    first = [row for row in rows if row.block == 0]
    loadings = [row for row in first if row.op == "=~"]
    cuts = Counter(row.lhs for row in first if row.op == "|" and _key(row) in tied)
    items = list(dict.fromkeys(row.lhs for row in first if row.op == "|"))
    own = {item: [row for row in loadings if row.rhs == item and row.free] for item in items}
    same_loadings = {
        item for item in items if own[item] and all(_key(row) in tied for row in own[item])
    }
    same_intercept = {item for item in items if (item, "~1", "") in tied}
    same_residual = {item for item in items if (item, "~~", item) in tied}
    located = {item for item in same_intercept if cuts[item] >= 1}
    scaled = {item for item in items if cuts[item] >= 2} | located | same_residual
    residuals = {
        item
        for item in items
        if item not in same_residual
        and (cuts[item] >= 2 or item in located or item in same_loadings)
    }
    intercepts = {item for item in items if cuts[item] >= 1 and item not in same_intercept}
    variances = _reached(loadings, tied, scaled, latent)
    dependent = {row.rhs for row in loadings if row.rhs in latent}
    means = _reached(loadings, tied, located, latent) - dependent
    means = {name for name in means if (name, "~1", "") not in tied}
    return Freed(
        frozenset(intercepts), frozenset(residuals), frozenset(variances), frozenset(means)
    )


def _reached(
    loadings: Sequence[Parameter],
    tied: Collection[tuple[str, str, str]],
    known: Collection[str],
    latent: Collection[str],
) -> set[str]:
    """Factors with an equal loading on something `known`, and factors of such factors."""
    found, before = set(known), -1
    while len(found) != before:
        before = len(found)
        found |= {row.lhs for row in loadings if row.rhs in found and _key(row) in tied}
    return found & set(latent)


def _key(row: Parameter) -> tuple[str, str, str]:
    return row.lhs, row.op, row.rhs


def category_notes(prepared: Prepared) -> tuple[str, ...]:
    """Say what few categories do to the levels."""
    three = [name for name, one in prepared.categories.items() if one.n == 3]
    two = [name for name, one in prepared.categories.items() if one.n == 2]
    notes = []
    if three:
        notes.append(
            f"Of {_shown(three)} with three categories, equal thresholds restrict nothing and "
            "cannot be tested alone (Wu & Estabrook, 2016)."
        )
    if two:
        notes.append(
            f"Of {_shown(two)} with two categories, equal thresholds and loadings restrict nothing "
            "alone: they are tested together with the intercepts (Wu & Estabrook, 2016)."
        )
    return tuple(notes)


def _shown(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} items ({listed(names, most=6)})"
