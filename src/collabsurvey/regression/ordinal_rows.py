"""From a formula and a table to what an ordinal model is fitted from, with every check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collabsurvey.errors import (
    DataError,
    FormulaError,
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    check_level,
    listed,
)
from collabsurvey.moments.design import (
    ModelRows,
    RowBlock,
    RowBlocks,
    least_squares_basis,
    model_rows,
)
from collabsurvey.moments.ordered import declared_order
from collabsurvey.numerics.cumulative import CumulativeFit, fit_cumulative, sorted_rows
from collabsurvey.numerics.cumulative_link import LATENT_VARIANCE, Link
from collabsurvey.numerics.separation import separating
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.regression.expressions import Call, ColumnRef
from collabsurvey.regression.formula import Formula
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
    evaluate,
    expand,
    learn,
    variable_values,
)
from collabsurvey.responses.engine import Column

MOST_NAMED = 6


@dataclass(frozen=True, eq=False)
class OrdinalRows:
    """A model's rows in the order of the frame, and its columns in two forms.

    X are the columns as named, Q the same space centred and orthonormal but for a factor of root n,
    in which all fitting is done: (thresholds, slopes of X) = transform @ those of Q.
    """

    link: Link
    formula: Formula
    encoding: Encoding
    plan: DesignPlan  # without an intercept: the thresholds are the intercepts
    columns: Mapping[str, Column]
    categories: tuple[str, ...]  # (J,) those that somebody chose, lowest first
    numeric: bool  # whether the outcome is a number
    codes: IntArray  # (n,) 0 to J - 1
    x: FloatArray  # (n, p)
    q: FloatArray  # (n, p)
    transform: FloatArray  # (J - 1 + p, J - 1 + p)
    offset: FloatArray  # (n,)
    weight: FloatArray  # (n,)
    n_dropped: int
    notes: tuple[str, ...]

    @property
    def n_obs(self) -> int:
        """Rows used."""
        return len(self.codes)

    @property
    def total_weight(self) -> float:
        """How many answers the rows stand for."""
        return float(self.weight.sum())

    @property
    def thresholds(self) -> tuple[str, ...]:
        """Names of the cut points between categories, as `ordinal::clm` writes them: "1|2"."""
        return tuple(
            f"{low}|{high}"
            for low, high in zip(self.categories[:-1], self.categories[1:], strict=True)
        )


def check_link(link: str) -> None:
    """Refuse a link that is not part of the language."""
    if link not in LATENT_VARIANCE:
        raise OptionError("link", link, allowed=tuple(LATENT_VARIANCE))


def prepare_ordinal(
    method: str,
    formula: Formula,
    data: Any,
    *,
    link: Link,
    conf_level: float,
    extra: Sequence[str] = (),
    weights: str | None = None,
) -> OrdinalRows:
    """Read the rows, build the columns, and refuse what cannot be fitted.

    `extra` names columns beyond the formula's, such as the cluster; `method` names the analysis
    in messages.
    """
    check_level(conf_level)
    check_link(link)
    _check_formula(method, formula)
    names = [*formula.columns, *extra, *([weights] if weights else [])]
    rows = model_rows(data, list(dict.fromkeys(names)), weights=weights)
    if rows.n_weightless:
        raise DataError(
            f"{rows.n_weightless} weights in {weights!r} are 0. A weight says how many answers a "
            "row stands for; leave rows that stand for none out of the table."
        )
    if rows.n_rows == 0:
        raise DataError(no_rows(method, rows, weights))
    codes, categories, numeric, notes = _read_outcome(method, formula, data, rows)
    columns = dict(rows.columns)
    if isinstance(formula.response, ColumnRef):
        columns[formula.response.name] = Column(codes.astype(np.float64))
    encoding = learn(formula, columns)
    whole = design_plan(formula.terms, intercept=True, encoding=encoding)
    for variable, levels in encoding.levels.items():
        if any(variable in term for term in formula.terms) and len(levels) < 2:
            raise NoVarianceError(f"{variable.label!r} (only {levels[0]!r})", method=method)
    n, n_parameters = rows.n_rows, len(whole.columns) - 1 + len(categories) - 1
    refuse_levels(method, formula, encoding, data, n, n_parameters)
    if n <= n_parameters:
        raise NotEnoughDataError(
            method,
            what=f"complete rows for {len(categories)} categories of {formula.response.label!r}",
            found=n,
            needed=n_parameters + 1,
        )
    weight = rows.columns[weights].values if weights else np.ones(n)
    if weight.sum() <= n_parameters:
        raise DataError(
            f"The weights in {weights!r} add up to {weight.sum():.3g}. {method} takes a weight as "
            "the number of answers a row stands for; divide them by their mean."
        )
    values = variable_values(formula.terms, columns, encoding, n)
    with_ones = expand(whole, values, slice(0, n))
    blocks = RowBlocks(
        lambda part: RowBlock(
            with_ones[part],
            np.empty((part.stop - part.start, 0)),
            codes[part].astype(np.float64),
            weight[part],
        ),
        n,
    )
    basis = least_squares_basis(blocks, constant_of(whole, encoding), centre_z=False)
    if basis.aliased:
        raise DataError(aliased_message(method, whole, basis, blocks, encoding))
    scale = np.sqrt(weight.sum())
    offset = offsets(formula, columns, encoding)
    return OrdinalRows(
        link=link,
        formula=formula,
        encoding=encoding,
        plan=DesignPlan(whole.columns[1:], whole.term_labels[1:]),
        columns=columns,
        categories=categories,
        numeric=numeric,
        codes=codes,
        x=with_ones[:, 1:],
        q=basis.orthonormal(with_ones)[:, 1:] * scale,
        transform=_transform(basis.transform * scale, len(categories) - 1),
        offset=np.zeros(n) if offset is None else np.array(np.broadcast_to(offset, n)),
        weight=np.asarray(weight, dtype=np.float64),
        n_dropped=rows.n_dropped,
        notes=(*dropped_notes(rows, weights), *notes),
    )


def fit_rows(method: str, model: OrdinalRows) -> CumulativeFit:
    """Fit without random effects; where it runs away, say what separates the categories."""
    rows, _ = sorted_rows(
        model.codes, model.q, link=model.link, offset=model.offset, weight=model.weight
    )
    found = fit_cumulative(rows)
    if not found.converged or found.flat:
        refuse_separation(method, model)
    return found


def refuse_separation(method: str, model: OrdinalRows) -> None:
    """Raise if some coefficient has no finite estimate, and name what separates.

    There is none where the thresholds and slopes can be moved so that every row's upper threshold
    rises or stays and its lower one falls or stays: the likelihood then grows without end
    (Albert & Anderson, 1984, doi:10.1093/biomet/71.1.1, for ordered categories).
    """
    k = len(model.thresholds)
    centred = model.x - model.x.mean(axis=0)  # the thresholds take up the difference
    ends, ways = [], []
    for c in range(k + 1):
        x = np.unique(centred[model.codes == c], axis=0)
        for threshold, way in ((c, 1), (c - 1, -1)):
            if 0 <= threshold < k:
                ends.append(np.column_stack((np.tile(np.eye(k)[threshold], (len(x), 1)), -x)))
                ways.append(np.full(len(x), way))
    combination = separating(np.vstack(ends), np.concatenate(ways))
    if combination is None:
        return
    moved = np.abs(combination[k:]) * np.abs(centred).max(axis=0, initial=0.0)
    names = [name for name, size in zip(model.plan.names, moved, strict=True) if size > 1e-6]
    culprits = _of_levels(model)
    what = (
        "; ".join(culprits[:MOST_NAMED])
        if culprits
        else (
            f"{listed(names, most=MOST_NAMED)} {'tells' if len(names) == 1 else 'together tell'} "
            "categories apart exactly"
        )
    )
    raise DataError(
        f"{method} finds perfect separation: {what}. The estimate would run to infinity. Leave "
        "the term out, merge the level with another, or join neighbouring categories of "
        f"{model.formula.response.label!r}."
    )


def _of_levels(model: OrdinalRows) -> list[str]:
    """Levels of factors whose rows all chose the lowest, or all the highest category."""
    found = []
    for variable, levels in model.encoding.levels.items():
        own = {
            column.parts[0][1]: model.x[:, j] == 1
            for j, column in enumerate(model.plan.columns)
            if len(column.parts) == 1 and column.parts[0][0] == variable
        }
        if not own:
            continue
        own.setdefault(0, ~np.logical_or.reduce(list(own.values())))
        for level, rows in sorted(own.items()):
            chosen = np.unique(model.codes[rows])
            if len(chosen) == 1 and chosen[0] in {0, len(model.categories) - 1}:
                found.append(
                    f"every row with {variable.label} {levels[level]!r} has the category "
                    f"{model.categories[chosen[0]]!r}"
                )
    return found


def _check_formula(method: str, formula: Formula) -> None:
    if isinstance(formula.response, Call) and formula.response.function == "cbind":
        raise FormulaError(
            formula.text, f"cbind() is for counts of successes; {method} needs one category a row"
        )
    if not formula.intercept:
        raise FormulaError(
            formula.text,
            f"{method} has no intercept to leave out: the thresholds stand in its place. Drop the "
            "0 or -1",
        )
    refuse_outcome_again(formula)


def _read_outcome(
    method: str, formula: Formula, data: Any, rows: ModelRows
) -> tuple[IntArray, tuple[str, ...], bool, list[str]]:
    """Codes (n,), categories, whether they are numbers, and what was left out of them."""
    response = formula.response
    order = None
    if isinstance(response, ColumnRef):
        column = rows.columns[response.name]
        order = declared_order(data, response.name)
        if column.categories is not None and order is None:
            raise DataError(_about_text(method, response.name, column.categories))
        if column.categories is not None and order is not None:
            place = {category: i for i, category in enumerate(order)}
            known = np.array([place[category] for category in column.categories], dtype=np.int64)
            codes = known[column.values.astype(np.int64)]
            found = _used(method, response.label, codes, order)
            return found[0], found[1], False, found[2]
    values = np.broadcast_to(
        evaluate(response, rows.columns, Encoding(formula, {}, {}, {})), rows.n_rows
    )
    broken = int((values != np.round(values)).sum())
    if broken:
        raise DataError(
            f"The outcome {response.label!r} is not a whole number in {broken} "
            f"row{'s' if broken > 1 else ''}; {method} needs categories such as 1 to "
            "5. For a mean or a measurement use ols() or mixed()."
        )
    low, high = int(values.min()), int(values.max())
    chosen = np.unique(values).astype(np.int64)
    if high - low < 2 * len(chosen):  # what lies between may be categories of the question
        every = tuple(str(value) for value in range(low, high + 1))
        found = _used(method, response.label, (values - low).astype(np.int64), every)
    else:
        codes = np.searchsorted(chosen, values).astype(np.int64)
        found = _used(method, response.label, codes, tuple(str(value) for value in chosen))
    return found[0], found[1], True, found[2]


def _used(
    method: str, label: str, codes: IntArray, categories: tuple[str, ...]
) -> tuple[IntArray, tuple[str, ...], list[str]]:
    """Leave out categories that nobody chose: their thresholds cannot be estimated."""
    chosen, inverse = np.unique(codes, return_inverse=True)
    used = tuple(categories[i] for i in chosen.tolist())
    if len(used) < 2:
        raise NoVarianceError(f"the outcome {label!r} (only {used[0]!r})", method=method)
    unused = [category for category in categories if category not in set(used)]
    notes = []
    if unused:
        which = "The category" if len(unused) == 1 else "The categories"
        notes.append(
            f"{which} {listed([repr(u) for u in unused], most=MOST_NAMED)} of {label!r} "
            f"{'was' if len(unused) == 1 else 'were'} chosen in no row used and left out; "
            "predictions give no probability there."
        )
    return inverse.astype(np.int64), used, notes


def _about_text(method: str, name: str, categories: tuple[str, ...]) -> str:
    shown = ", ".join(repr(category) for category in categories[:5])
    return (
        f"The outcome {name!r} is text without an order ({listed(categories, most=6)}); {method} "
        f"does not guess one. Say it, lowest first: df[{name!r}] = pd.Categorical(df[{name!r}], "
        f"categories=[{shown}{', ...' if len(categories) > 5 else ''}], ordered=True) with the "
        "categories in your order, or pl.Enum([...]) in polars."
    )


def _transform(of_basis: FloatArray, n_thresholds: int) -> FloatArray:
    """(thresholds, slopes) of X from those of the centred Q: the centre goes to the thresholds."""
    k, p = n_thresholds, len(of_basis) - 1
    out = np.eye(k + p)
    out[:k, k:] = -of_basis[0, 1:]
    out[k:, k:] = of_basis[1:, 1:]
    return out


def with_terms_apart(
    model: OrdinalRows, own: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Centred columns (n, k) of `own` over their spread, the spreads (k,), and the rest as Q.

    For effects that differ by threshold: the columns leave X, and each threshold gets its own.
    """
    share = model.weight / model.weight.sum()
    centred = model.x - share @ model.x
    apart = centred[:, own]
    spread = np.sqrt(share @ apart**2)
    rest = np.delete(centred, own, axis=1)
    left = np.linalg.qr(rest * np.sqrt(share)[:, None]).Q / np.sqrt(share)[:, None]
    return apart / spread, spread, left
