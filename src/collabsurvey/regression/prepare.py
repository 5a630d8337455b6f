"""From a formula and a table to what a linear model is fitted from, with every check on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collabsurvey.errors import (
    DataError,
    FormulaError,
    NotEnoughDataError,
    NoVarianceError,
    check_level,
    listed,
)
from collabsurvey.moments.design import (
    Basis,
    ModelRows,
    RowBlock,
    RowBlocks,
    least_squares_basis,
    model_rows,
)
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.regression.expressions import Call, ColumnRef
from collabsurvey.regression.formula import Formula, RandomTerm, Term
from collabsurvey.regression.grammar import parse_formula
from collabsurvey.regression.terms import (
    DesignColumn,
    DesignPlan,
    Encoding,
    constant_of,
    design_plan,
    evaluate,
    expand,
    learn,
    variable_values,
)
from collabsurvey.responses.engine import Column, as_narwhals, group_codes

DATE = re.compile(r"\d{4}-\d{2}-\d{2}\b")
FEW_ROWS = 20  # below, half as many levels as rows are no sign of a mistake


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each row belongs to."""

    label: str
    codes: IntArray  # (n,) 0 … G − 1
    names: tuple[str, ...]  # (G,)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model's rows, columns and least squares basis."""

    formula: Formula
    encoding: Encoding
    plan: DesignPlan  # fixed part
    random: tuple[RandomTerm, ...]  # as written; several of them without `||`
    random_plans: tuple[DesignPlan, ...]  # one for each
    rows: ModelRows
    blocks: RowBlocks
    basis: Basis
    notes: tuple[str, ...]

    @property
    def n_obs(self) -> int:
        """Rows used."""
        return self.rows.n_rows

    @property
    def random_plan(self) -> DesignPlan | None:
        """Columns of the first random term."""
        return self.random_plans[0] if self.random_plans else None


def prepare(
    method: str,
    formula: Formula,
    data: Any,
    *,
    conf_level: float,
    extra: Sequence[str] = (),
    weights: str | None = None,
) -> Prepared:
    """Read the rows, build the columns, and refuse what cannot be fitted.

    `extra` names columns beyond the formula's, such as the cluster. `method` names the
    analysis in messages.
    """
    check_level(conf_level)
    if isinstance(formula.response, Call) and formula.response.function == "cbind":
        raise FormulaError(
            formula.text, f"cbind() is for counts of successes; {method} needs one number a row"
        )
    names = [*formula.columns, *extra, *([weights] if weights else [])]
    rows = model_rows(
        data,
        list(dict.fromkeys(names)),
        weights=weights,
        any_of=formula.alternatives,
        optional=[name for name in formula.optional_columns if name not in {*extra, weights}],
    )
    if rows.n_rows == 0:
        raise DataError(no_rows(method, rows, weights))
    encoding = learn(formula, rows.columns)
    if formula.response in encoding.levels:
        raise DataError(
            f"The outcome {formula.response.label!r} is text. {method} needs a number; recode it."
        )
    plan = design_plan(formula.terms, intercept=formula.intercept, encoding=encoding)
    _check_variation(method, formula.terms, encoding, rows)
    random = formula.random
    if len(random) > 1 or any(term.multiple_membership for term in random):
        random = tuple(single for term in random for single in term.single_terms())
    random_plans = tuple(
        design_plan(term.terms, intercept=term.intercept, encoding=encoding) for term in random
    )
    p = len(plan.columns)
    refuse_levels(method, formula, encoding, data, rows.n_rows, p)
    if rows.n_rows <= p:
        raise NotEnoughDataError(
            method, what="complete rows", found=rows.n_rows, needed=p + 1, where="the table"
        )
    make = block_maker(encoding, plan, random, random_plans, rows, weights=weights)
    blocks = RowBlocks(make, rows.n_rows)
    basis = least_squares_basis(
        blocks,
        constant_of(plan, encoding),
        centre_z=centred_slopes(random, random_plans),
    )
    if basis.y_scale == 0:
        raise NoVarianceError(f"the outcome {formula.response.label!r}", method=method)
    if basis.aliased:
        raise DataError(aliased_message(method, plan, basis, blocks, encoding))
    return Prepared(
        formula=formula,
        encoding=encoding,
        plan=plan,
        random=random,
        random_plans=random_plans,
        rows=rows,
        blocks=blocks,
        basis=basis,
        notes=dropped_notes(rows, weights),
    )


def centred_slopes(
    random: Sequence[RandomTerm], plans: Sequence[DesignPlan]
) -> list[tuple[int, int]]:
    """Columns of ones and slopes that may be centred by them: those of one correlated term."""
    found, start = [], 0
    for term, plan in zip(random, plans, strict=True):
        end = start + len(plan.columns)
        if term.intercept and term.correlated:
            found += [(start, slope) for slope in range(start + 1, end)]
        start = end
    return found


def block_maker(
    encoding: Encoding,
    plan: DesignPlan,
    random: Sequence[RandomTerm],
    random_plans: Sequence[DesignPlan],
    rows: ModelRows,
    *,
    weights: str | None,
) -> Callable[[slice], RowBlock]:
    """Return the function that expands a slice of rows."""
    formula = encoding.formula
    terms: list[Term] = [*formula.terms, *(term for part in random for term in part.terms)]
    values = variable_values(terms, rows.columns, encoding, rows.n_rows)
    y = np.broadcast_to(evaluate(formula.response, rows.columns, encoding), rows.n_rows)
    offset = offsets(formula, rows.columns, encoding)
    y = y - offset if offset is not None else y
    weight = rows.columns[weights].values if weights else None

    def make(part: slice) -> RowBlock:
        x = expand(plan, values, part)
        z = np.empty((len(x), 0))
        if random_plans:
            z = np.column_stack([expand(columns, values, part) for columns in random_plans])
        return RowBlock(x, z, y[part], None if weight is None else weight[part])

    return make


def offsets(formula: Formula, columns: Mapping[str, Any], encoding: Encoding) -> FloatArray | None:
    """Sum of the offsets (n,), or None."""
    if not formula.offsets:
        return None
    total: FloatArray = np.zeros(1)
    for offset in formula.offsets:
        total = total + evaluate(offset, columns, encoding)
    return total


def groups_of(names: Sequence[str], columns: Mapping[str, Column]) -> Groups:
    """Codes and names of the groups that the combinations of some columns make."""
    codes, labels = group_codes(columns[names[0]])
    for name in names[1:]:
        here, more = group_codes(columns[name])
        # Only combinations that occur: all of them may be more than memory holds.
        present, codes = np.unique(codes * len(more) + here, return_inverse=True)
        pairs = [divmod(pair, len(more)) for pair in present.tolist()]
        labels = tuple(f"{labels[a]}:{more[b]}" for a, b in pairs)
    present, inverse = np.unique(codes, return_inverse=True)
    found = tuple(labels[i] for i in present.tolist())
    return Groups(":".join(names), inverse.astype(np.int64), found)


def read_formula(formula: str | Formula) -> Formula:
    """Accept a formula as text or as already read."""
    return formula if isinstance(formula, Formula) else parse_formula(formula)


def dropped_notes(rows: ModelRows, weights: str | None) -> tuple[str, ...]:
    """Say how many rows were left out, and for which columns."""
    if not rows.n_dropped:
        return ()
    reasons = [f"{name} {count}" for name, count in rows.n_missing.items() if count]
    causes = [f"a value is missing ({', '.join(reasons)})"] if reasons else []
    if rows.n_weightless:
        causes.append(f"of a weight of 0 in {weights} ({rows.n_weightless})")
    total = len(rows.kept)
    were = "was" if rows.n_dropped == 1 else "were"
    return (f"{rows.n_dropped} of {total} rows {were} left out because {', or '.join(causes)}.",)


def refuse_outcome_again(formula: Formula) -> None:
    """Refuse an outcome that is a predictor too."""
    again = [name for name in formula.outcome_columns if name in formula.predictor_columns]
    if again:
        raise FormulaError(formula.text, f"{again[0]!r} is the outcome and a predictor too")


def refuse_levels(
    method: str, formula: Formula, encoding: Encoding, data: Any, n_rows: int, n_parameters: int
) -> None:
    """Refuse a column that became a factor with a level for nearly every row, by its type.

    Dates and numbers kept as text always; other text where it leaves too few rows.
    """
    for variable, levels in encoding.levels.items():
        used = any(variable in term for term in formula.terms)
        if not used or not isinstance(variable, ColumnRef) or len(levels) <= n_rows / 2:
            continue
        kind = as_narwhals(data).collect_schema()[variable.name]
        if kind.is_temporal() or all(DATE.match(level) for level in levels):
            what = f"holds dates or times ({kind})"
            instead = "Make it a number, such as days since the first."
        elif all(_is_number(level) for level in levels):
            what = f"holds numbers as text ({kind})"
            instead = "Convert it to numbers."
        else:
            what, instead = f"is text ({kind})", "Leave it out, or join its values to a few."
            if n_rows > n_parameters:
                continue
        if n_rows > n_parameters and n_rows < FEW_ROWS:
            continue
        raise DataError(
            f"{variable.name!r} {what}, and {method} would take its {len(levels)} values in "
            f"{n_rows} rows as {len(levels)} categories. {instead}"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def no_rows(method: str, rows: ModelRows, weights: str | None) -> str:
    """Say why no row is left."""
    if len(rows.kept) == 0:
        return f"{method} is given a table without rows. Check what was read or filtered before."
    worst = max(rows.n_missing, key=rows.n_missing.__getitem__)
    if rows.n_weightless > rows.n_missing[worst]:
        return (
            f"{method} finds no row with a weight above 0: {weights!r} is 0 in "
            f"{rows.n_weightless} of {len(rows.kept)} rows. Check the column of the weights."
        )
    return (
        f"{method} finds no row with an answer in every column it uses; {worst!r} is missing "
        f"in {rows.n_missing[worst]} of {len(rows.kept)} rows. Check the columns it names."
    )


def aliased_message(
    method: str, plan: DesignPlan, basis: Basis, blocks: RowBlocks, encoding: Encoding
) -> str:
    """Name the terms that others determine, and what to do."""
    names = plan.names
    _, block = next(iter(blocks))
    sentences = []
    for j in basis.aliased:
        if flat := _constant_within(plan.columns[j], encoding):
            x, group = flat.arguments
            sentences.append(
                f"{x.label} has one value within each {group.label}, so that {flat.label} is 0 in "
                "every row"
            )
            continue
        constant = bool(np.ptp(block.x[:, j]) == 0) and len(block.x) == blocks.n_rows
        if constant and names[0] == "(Intercept)":
            sentences.append(f"{names[j]!r} has the same value in every row")
        else:
            sentences.append(f"{names[j]!r} follows exactly from the terms before it")
    return (
        f"{method} cannot tell all terms apart: {'; '.join(sentences[:6])}. Drop "
        f"{'it' if len(basis.aliased) == 1 else 'them'} from the formula, or drop what "
        f"determines {'it' if len(basis.aliased) == 1 else 'them'} "
        f"(terms: {listed(names)})."
    )


def _constant_within(column: DesignColumn, encoding: Encoding) -> Call | None:
    """The within() of a column, if what it is of does not vary within the groups."""
    calls = [v for v, _ in column.parts if isinstance(v, Call) and v.function == "within"]
    return next((call for call in calls if call in encoding.constant_within), None)


def _check_variation(
    method: str, terms: Sequence[Term], encoding: Encoding, rows: ModelRows
) -> None:
    for variable, levels in encoding.levels.items():
        if any(variable in term for term in terms) and len(levels) < 2:
            raise NoVarianceError(f"{variable.label!r} (only {levels[0]!r})", method=method)
