"""The model of one wave, repeated over waves: what every level makes equal, and as a model text.

The waves are first treated as groups would be, so that the same rules say what a level makes equal
and what it frees (`levels`, `ordinal_levels`). The blocks then become one model of a row a person,
in which the waves go together: residuals of the same item and factors covary over waves (Widaman,
Ferrer & Conger, 2010, doi:10.1111/j.1750-8606.2009.00110.x; ordered items: Liu et al., 2017,
doi:10.1037/met0000075).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from math import isnan, nan

from collabsurvey.dimensionality.sem.model import Op, Parameter
from collabsurvey.dimensionality.sem.syntax import Syntax, parse
from collabsurvey.dimensionality.sem.table import parameter_table
from collabsurvey.errors import FaultsError, NotSupportedError
from collabsurvey.invariance.levels import Level
from collabsurvey.invariance.ordinal_levels import at_level

ORDER: tuple[Op, ...] = ("=~", "|", "~~", "~*~", "~1")
LETTERS = {"loading": "l", "threshold": "cut", "intercept": "i", "mean": "m", "covariance": "e"}


def wave_syntax(text: str) -> Syntax:
    """Read the model of one wave; refuse what a ladder over waves has no place for."""
    syntax = parse(text)
    if syntax.levels == 2:
        raise NotSupportedError(
            "Longitudinal invariance of a model with two levels",
            instead="Leave out `level:` and give cluster= for robust errors.",
        )
    if lines := [one.line for one in syntax.statements if one.op == "~"]:
        raise NotSupportedError(
            f"A regression (line {lines[0]} of the model) in a ladder over waves",
            instead="Test the measurement model here, and fit the regression with sem() after it.",
        )
    if not any(one.op == "=~" for one in syntax.statements):
        raise FaultsError(
            "The model", ["it measures no factor: write for instance 'climate =~ item1 + item2'"]
        )
    lower = _first_order(syntax)
    if lower:
        # Their means are what the second-order factor explains.
        syntax = parse("\n".join((text, *(f"{name} ~ 0*1" for name in lower))))
    return syntax


def wave_table(
    syntax: Syntax,
    level: Level,
    n_waves: int,
    partial: Collection[str],
    categories: Mapping[str, int],
) -> tuple[Parameter, ...]:
    """Parameters of every wave (a block each), with the equalities of the level."""
    if not categories:
        return parameter_table(
            syntax, n_groups=n_waves, means=True, equal=level.equal, partial=partial
        )
    rows = parameter_table(
        syntax,
        n_groups=n_waves,
        ordered=categories,
        means=True,
        std_lv=True,
        parameterization="theta",
    )
    return at_level(rows, level.equal, partial)


def joined(rows: Sequence[Parameter], endings: Sequence[str]) -> tuple[Parameter, ...]:
    """One block from the blocks of the waves: names with endings, covariances over waves added."""
    latent = _latent(rows)
    labels = _labels(rows, latent)
    found = [
        replace(
            row,
            lhs=row.lhs + endings[row.block],
            rhs=_ended(row, endings[row.block]),
            block=0,
            label=labels.get(row.label, row.label),
        )
        for row in rows
    ]
    found += _over_waves(rows, latent, endings)
    place = {op: i for i, op in enumerate(ORDER)}
    return tuple(sorted(found, key=lambda row: place[row.op]))


def text_of(rows: Sequence[Parameter]) -> str:
    """The table as a model text that says everything, in lavaan's language."""
    lines: dict[tuple[str, Op], list[str]] = {}
    ordered = {row.lhs for row in rows if row.op == "|"}
    for row in rows:
        if row.op == "~*~":
            continue
        terms = lines.setdefault((row.lhs, row.op), [])
        first_loading = row.op == "=~" and not terms
        of_item = row.lhs in ordered
        unit = (of_item and row.op == "~1") or (bool(ordered) and row.lhs == row.rhs)
        terms.append(_term(row, by_rule_fixed=first_loading or unit))
    return "\n".join(
        f"{lhs} {op.removesuffix('1')} {' + '.join(terms)}" for (lhs, op), terms in lines.items()
    )


def _term(row: Parameter, *, by_rule_fixed: bool) -> str:
    """Variable with what stands before it; NA frees what the language would fix.

    A variable is named twice where it has two modifiers: lavaan does not read `NA*l1*x`.
    """
    variable = row.rhs or "1"
    if not row.free:
        return f"{row.value:.12g}*{variable}"
    marks = ["NA"] if by_rule_fixed else []
    marks += [row.label] if row.label else []
    return " + ".join(f"{mark}*{variable}" for mark in marks) or variable


def _latent(rows: Sequence[Parameter]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.lhs for row in rows if row.op == "=~"))


def _ended(row: Parameter, ending: str) -> str:
    return row.rhs if row.op in ("~1", "|") else row.rhs + ending


def _labels(rows: Sequence[Parameter], latent: Collection[str]) -> dict[str, str]:
    """Short names for the labels that equality made: l2, i1, e3, cut4."""
    taken = {row.label for row in rows}
    counts: dict[str, int] = {}
    found: dict[str, str] = {}
    for row in rows:
        if row.block > 0 or not row.free:
            continue
        letter = LETTERS[_kind(row, latent)]
        counts[letter] = counts.get(letter, 0) + 1
        if row.label.startswith(".p") and row.label not in found:
            name = f"{letter}{counts[letter]}"
            while name in taken:
                name += "_"
            found[row.label] = name
    return found


def _kind(row: Parameter, latent: Collection[str]) -> str:
    if row.op == "~1":
        return "mean" if row.lhs in latent else "intercept"
    return {"=~": "loading", "|": "threshold"}.get(row.op, "covariance")


def _over_waves(
    rows: Sequence[Parameter], latent: Sequence[str], endings: Sequence[str]
) -> Iterator[Parameter]:
    """Covariances between waves: residuals of the same item, and the factors."""
    first = [row for row in rows if row.block == 0]
    variances = {(row.lhs, row.block): row for row in rows if row.op == "~~" and row.lhs == row.rhs}
    pairs = list(combinations(range(len(endings)), 2))
    items = dict.fromkeys(row.rhs for row in first if row.op == "=~" and row.rhs not in latent)
    for item in items:
        for a, b in pairs:
            if not any(_is_zero(variances[item, wave]) for wave in (a, b)):
                yield _free(item + endings[a], item + endings[b])
    lower = {row.rhs for row in first if row.op == "=~" and row.rhs in latent}
    for name in lower:
        for a, b in pairs:
            yield _free(name + endings[a], name + endings[b])
    upper = [name for name in latent if name not in lower]
    fixed = {
        frozenset((row.lhs, row.rhs))
        for row in first
        if row.op == "~~" and row.lhs != row.rhs and not row.free
    }
    for a, b in pairs:
        for one, other in product(upper, upper):
            found = _free(one + endings[a], other + endings[b])
            # Factors that are uncorrelated within a wave, as in bifactor models, stay so.
            apart = frozenset((one, other)) in fixed
            yield replace(found, free=False, value=0.0) if apart else found


def _is_zero(row: Parameter) -> bool:
    return not row.free and row.value == 0 and not isnan(row.value)


def _free(one: str, other: str) -> Parameter:
    return Parameter(one, "~~", other, 0, True, nan, written=False)


def _first_order(syntax: Syntax) -> list[str]:
    """Latent variables that another one is measured by, and whose intercept is not written."""
    measured = [one for one in syntax.statements if one.op == "=~"]
    latent = {one.lhs for one in measured}
    written = {one.lhs for one in syntax.statements if one.op == "~1"}
    found = dict.fromkeys(one.rhs for one in measured if one.rhs in latent)
    return [name for name in found if name not in written]
