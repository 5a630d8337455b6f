"""Polychoric and tetrachoric correlations: what Likert items would correlate if unrounded.

Sources: Pearson (1900) doi:10.1098/rsta.1900.0022; Olsson (1979) doi:10.1007/BF02296207;
Muthén (1984) doi:10.1007/BF02294210.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from collabsurvey.dimensionality.inputs import (
    Items,
    ItemSet,
    item_set,
    require_categories,
    scale_groups,
)
from collabsurvey.dimensionality.pair_correlations import (
    CutsFrom,
    EmptyCells,
    Method,
    Pairs,
    StdErrors,
    correlate_pairs,
)
from collabsurvey.dimensionality.pair_errors import RobustErrors, robust_errors
from collabsurvey.dimensionality.polychoric_result import (
    PolychoricResult,
    fisher_interval,
    upper_chi2,
)
from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    OptionError,
    check_level,
    listed,
)
from collabsurvey.moments import AnswerTables, answer_tables
from collabsurvey.moments.covariance import Missing
from collabsurvey.moments.respondents import cluster_column, data_notes
from collabsurvey.numerics.linalg import read_only, smoothed_correlations
from collabsurvey.numerics.typing import FloatArray

FEW_CLUSTERS = 10

RULES = {
    "lavaan": "lavaan's rule: half an answer for the empty cell of a 2 × 2 table, margins kept; "
    "larger tables stay as they are",
    "psych": "the rule of psych 2.2.9's defaults: half an answer in empty cells of 2 × 2 tables; "
    "larger tables stay as they are",
    "add_half": "half an answer in every empty cell, thresholds from the table so filled",
    "none": "tables stay as they are",
}


def polychoric(
    data: Any,
    items: Items = None,
    *,
    empty_cells: EmptyCells = "lavaan",
    missing: Missing = "listwise",
    method: Method = "two_step",
    thresholds_from: CutsFrom = "items",
    std_errors: StdErrors = "auto",
    cluster: str | None = "auto",
    smooth: bool = True,
    acov: bool = False,
    conf_level: float = 0.95,
) -> PolychoricResult:
    """Polychoric correlations of ordinal items, with thresholds, errors and intervals.

    Parameters
    ----------
    data : Responses or any frame
        Answers as they were given: reversed items are not turned round, so that they
        correlate negatively. The weight role is applied.
    items : str, sequence of str, or None
        A scale id, scale or item ids, or every item; of a frame, columns.
    empty_cells : "lavaan", "psych", "add_half" or "none"
        What is done about combinations of answers that nobody gave. "lavaan", the default,
        fills the empty cell of a 2 × 2 table with half an answer and keeps its margins, and
        leaves larger tables alone; "psych" gives what psych 2.2.9 computes by default (half
        an answer in 2 × 2 tables; its manual promises the same for larger tables, but with
        `global=TRUE` it leaves them alone); "add_half" is what psych with `global=FALSE` is
        meant to do (it then takes thresholds from shares that add up to more than 1). With
        weights half an answer is half the mean weight. Adding halves to sparse tables of many
        cells pulls correlations towards zero (Savalei, 2011,
        doi:10.1080/10705511.2011.557339).
    missing : "listwise" or "pairwise"
        Rows with every item (lavaan's default), or each table from the rows that have both
        items (psych's default).
    method : "two_step" or "ml"
        Thresholds from the margins, then each correlation; or both together for each pair,
        which is hardly more precise and gives an item other thresholds in each pair
        (`.thresholds` are those of the margins in both cases).
    thresholds_from : "items" or "pairs"
        With pairwise missing answers: from all answers to an item, or from the pair's own
        table (psych with `global=FALSE`).
    std_errors : "auto", "conditional" or "none"
        "auto" counts the sampling error of the thresholds (lavaan's), over clusters where
        there are any; "conditional" takes them as known (polycor's two-step errors, too
        small). With method "ml" errors come from the observed information.
    cluster : "auto", None, a role or a column
        Whose answers belong together; "auto" takes the cluster role, or the respondent
        where people answered more than once.
    smooth : bool
        Make a matrix that is not positive definite so, as psych does, and say it; False
        leaves it.
    acov : bool
        Also return the asymptotic covariance matrix of thresholds and correlations, for
        weighted least squares.

    Raises
    ------
    NoVarianceError
        Items of which a single category was chosen, named.
    DataError
        Items that nobody answered, that were not answered together, or that have more than
        20 different answers.
    NotEnoughDataError
        No respondent answered every item.

    Warns
    -----
    FewClustersWarning
        Fewer than 10 clusters: errors over them are rough.

    Notes
    -----
    From two-way tables: after one pass over the rows the work does not depend on their
    number. Errors over clusters, with weights or with `acov` read every row once more.

    Standard errors agree with lavaan::lavCor; estimates with lavaan and polycor, to the
    precision of their optimisers (psych's stops at about 2e-5). Full maximum likelihood
    reaches higher likelihoods than polycor, whose Nelder-Mead search stops early (by up to
    .4 in the log-likelihood and .004 in the correlation on the stored reference data).
    """
    _check_options(empty_cells, missing, method, thresholds_from, std_errors)
    check_level(conf_level)
    if acov and method == "ml":
        raise OptionError("acov", acov, allowed=("False with method='ml'",))
    chosen = item_set(data, items, method="A polychoric correlation")
    raw = answer_tables(chosen.responses, chosen.items, missing=missing)
    tables = raw.observed()
    require_categories(tables, method="A polychoric correlation")
    _require_pairs(tables)
    column = cluster_column(chosen.responses, cluster) if std_errors != "none" or acov else None
    by_row = (std_errors == "auto" and method == "two_step") and (
        column is not None or tables.weighted
    )
    pairs = correlate_pairs(
        tables,
        empty_cells=empty_cells,
        cuts_from=thresholds_from,
        method=method,
        std_errors=std_errors,
        with_influence=by_row or acov,
        mean_weight=_mean_weight(tables, missing),
    )
    robust = None
    if by_row or acov:
        robust = robust_errors(
            chosen.responses,
            chosen.items,
            tables.categories,
            pairs,
            cluster=column,
            missing=missing,
            full=acov,
        )
        if std_errors == "auto" and method == "two_step":
            pairs = replace(pairs, std_error=robust.std_error)
    if robust is not None and robust.n_clusters is not None and robust.n_clusters < FEW_CLUSTERS:
        warnings.warn(_few(robust.n_clusters), FewClustersWarning, stacklevel=2)
    facts = _Facts(chosen, raw, tables, pairs, robust, empty_cells, missing, method, std_errors)
    return _result(facts, smooth=smooth, conf_level=conf_level)


def tetrachoric(
    data: Any,
    items: Items = None,
    *,
    empty_cells: EmptyCells = "lavaan",
    missing: Missing = "listwise",
    std_errors: StdErrors = "auto",
    cluster: str | None = "auto",
    smooth: bool = True,
    conf_level: float = 0.95,
) -> PolychoricResult:
    """Correlate items of two answers each by tetrachoric correlations.

    The same as `polychoric`, whose options it takes, but it refuses items of which more than
    two categories were chosen.
    """
    chosen = item_set(data, items, method="A tetrachoric correlation")
    tables = answer_tables(chosen.responses, chosen.items, missing=missing).observed()
    sizes = zip(tables.items, tables.categories, strict=True)
    if more := [f"{item} ({len(codes)})" for item, codes in sizes if len(codes) > 2]:
        raise DataError(
            f"A tetrachoric correlation needs items of two answers; more were chosen of "
            f"{listed(more)}. Use polychoric()."
        )
    result = polychoric(
        chosen.responses,
        chosen.items,
        empty_cells=empty_cells,
        missing=missing,
        std_errors=std_errors,
        cluster=cluster,
        smooth=smooth,
        conf_level=conf_level,
    )
    return replace(result, name=chosen.name)


def _check_options(
    empty_cells: str, missing: str, method: str, thresholds_from: str, std_errors: str
) -> None:
    given: tuple[tuple[str, str, Any], ...] = (
        ("empty_cells", empty_cells, EmptyCells),
        ("missing", missing, Missing),
        ("method", method, Method),
        ("thresholds_from", thresholds_from, CutsFrom),
        ("std_errors", std_errors, StdErrors),
    )
    for name, value, allowed in given:
        if value not in get_args(allowed):
            raise OptionError(name, value, allowed=get_args(allowed))


def _mean_weight(tables: AnswerTables, missing: Missing) -> float:
    """Mean weight of the rows used, 1 without a weight role."""
    if not tables.weighted:
        return 1.0
    left_out = float(tables.n_missing[0]) if missing == "pairwise" else 0.0
    return float(tables.one_way(tables.items[0]).sum() + left_out) / tables.n_used


def _require_pairs(tables: AnswerTables) -> None:
    """Refuse pairs that nobody, or only one answer of an item, was given together."""
    sizes = np.array([len(codes) for codes in tables.categories])
    starts = np.cumsum(sizes) - sizes
    with_item = np.add.reduceat(tables.counts, starts, axis=1)  # (sum c, k)
    chosen = np.add.reduceat((with_item > 0).astype(int), starts, axis=0)  # (k, k) categories
    few = np.triu((chosen < 2) | (chosen.T < 2), 1)
    apart = [f"{tables.items[i]} with {tables.items[j]}" for i, j in np.argwhere(few)]
    if apart:
        raise DataError(
            "A polychoric correlation is not defined where those who answered both items all gave "
            f"the same answer to one, or nobody answered both: {listed(apart, most=6)}. Leave out "
            "items that were not asked together."
        )


@dataclass(frozen=True, eq=False)
class _Facts:
    """Everything a result is written from."""

    chosen: ItemSet
    raw: AnswerTables
    tables: AnswerTables
    pairs: Pairs
    robust: RobustErrors | None
    empty_cells: EmptyCells
    missing: Missing
    method: Method
    std_errors: StdErrors


def _result(facts: _Facts, *, smooth: bool, conf_level: float) -> PolychoricResult:
    import pandas as pd

    items, pairs, tables = facts.tables.items, facts.pairs, facts.tables

    def square(values: FloatArray, diagonal: float) -> pd.DataFrame:
        return pd.DataFrame(pairs.matrix(values, diagonal), index=items, columns=items)

    raw = pairs.matrix(pairs.rho, 1.0)
    smallest = float(np.linalg.eigvalsh(raw)[0])
    smoothed = smooth and smallest <= 0
    cor = smoothed_correlations(raw) if smoothed else raw
    limits = tuple(
        (items[i], items[j])
        for i, j, limit in zip(pairs.first, pairs.second, pairs.at_limit, strict=True)
        if limit
    )
    n_pairs = square(pairs.n, np.nan)
    for item in items:
        n_pairs.loc[item, item] = tables.one_way(item).sum()
    return PolychoricResult(
        name=facts.chosen.name,
        items=items,
        correlations=pd.DataFrame(cor, index=items, columns=items),
        thresholds={item: read_only(cuts) for item, cuts in zip(items, pairs.cuts, strict=True)},
        categories={
            item: read_only(codes) for item, codes in zip(items, tables.categories, strict=True)
        },
        std_errors=square(pairs.std_error, np.nan),
        n=tables.n_used,
        n_rows=tables.n_rows,
        n_pairs=n_pairs,
        n_clusters=None if facts.robust is None else facts.robust.n_clusters,
        pairs=_pair_frame(items, pairs, conf_level),
        method=facts.method,
        empty_cells=facts.empty_cells,
        missing=facts.missing,
        smallest_eigenvalue=smallest,
        smoothed=smoothed,
        at_limit=limits,
        acov=_labelled(items, facts),
        groups=tuple(scale_groups(facts.chosen.responses.instrument, items)),
        conf_level=conf_level,
        weighted=tables.weighted,
        notes=tuple(_notes(facts, limits, smallest, np.abs(cor - raw).max() if smoothed else None)),
    )


def _pair_frame(items: Sequence[str], pairs: Pairs, conf_level: float) -> Any:
    import pandas as pd

    low, high = fisher_interval(pairs.rho, pairs.std_error, conf_level=conf_level)
    return pd.DataFrame(
        {
            "item_1": [items[i] for i in pairs.first],
            "item_2": [items[j] for j in pairs.second],
            "estimate": pairs.rho,
            "std_error": pairs.std_error,
            "ci_low": low,
            "ci_high": high,
            "n": pairs.n,
            "n_empty": pairs.n_empty,
            "n_adjusted": pairs.n_adjusted,
            "chi2": pairs.deviance,
            "df": pairs.df,
            "p_value": upper_chi2(pairs.deviance, pairs.df),
        }
    )


def _labelled(items: Sequence[str], facts: _Facts) -> Any:
    import pandas as pd

    if facts.robust is None or facts.robust.acov is None:
        return None
    pairs = facts.pairs
    names = [
        f"{item}|t{m + 1}"
        for item, cuts in zip(items, pairs.cuts, strict=True)
        for m in range(len(cuts))
    ]
    names += [f"{items[i]}~~{items[j]}" for i, j in zip(pairs.first, pairs.second, strict=True)]
    return pd.DataFrame(facts.robust.acov, index=names, columns=names)


def _few(n_clusters: int) -> str:
    return (
        f"Only {n_clusters} clusters: standard errors of the correlations rest on {n_clusters} "
        "numbers and are rough."
    )


def _notes(
    facts: _Facts,
    limits: Sequence[tuple[str, str]],
    smallest: float,
    moved: float | None,
) -> list[str]:
    """Sentences a reader needs: estimator, rows, empty cells, what was smoothed."""
    tables, pairs = facts.tables, facts.pairs
    notes = [
        "Two-step maximum likelihood (Olsson, 1979)."
        if facts.method == "two_step"
        else "Maximum likelihood of correlation and thresholds together, pair by pair.",
        _rows_note(facts),
        *facts.chosen.notes,
        _errors_note(facts),
        _normality_note(facts),
        *data_notes(facts.chosen.responses, weighted=tables.weighted),
    ]
    if unused := _unused(facts):
        notes.append(f"Answers that nobody chose, left out: {listed(unused, most=6)}.")
    if n_empty := int((pairs.n_empty > 0).sum()):
        n_done = int((pairs.n_adjusted > 0).sum())
        notes.append(
            f"{n_empty} of {len(pairs.rho)} pairs have empty cells, {n_done} of them were filled "
            f"({RULES[facts.empty_cells]})."
        )
    if limits:
        shown = listed([f"{a} with {b}" for a, b in limits], most=6)
        notes.append(
            f"Perfectly associated, as far as these answers show: {shown}. The estimate is set to "
            "±.999; one of the items can be left out."
        )
    if not pairs.converged.all():
        notes.append(f"{int((~pairs.converged).sum())} pairs did not converge; do not use them.")
    if smallest <= 0:
        found = f"{smallest:.3g}".replace("-", "−")
        done = (
            f"It was smoothed by its eigenvalues; correlations moved by up to {moved:.3f}."
            if moved is not None
            else "It was left so; factor analysis needs a smoothed one."
        )
        notes.append(f"The matrix is not positive definite (smallest eigenvalue {found}). {done}")
    return [note for note in notes if note]


def _normality_note(facts: _Facts) -> str:
    """How many pairs depart from a bivariate normal, by Bonferroni's rule."""
    pairs = facts.pairs
    p = upper_chi2(pairs.deviance, pairs.df)
    tested = int((pairs.df > 0).sum())
    misfit = int((p < 0.05 / max(tested, 1)).sum())
    if not misfit:
        return ""
    return (
        f"{misfit} of {tested} pairs depart from an underlying normal (p < .05 / {tested}); with "
        "many respondents small departures show too. See chi2 in to_frame()."
    )


def _rows_note(facts: _Facts) -> str:
    tables = facts.tables
    if facts.missing == "pairwise":
        return f"Each pair from the rows with both items ({facts.pairs.n.min():.0f} or more)."
    if tables.n_used == tables.n_rows:
        return f"All {tables.n_used} rows, every item answered."
    return f"{tables.n_used} of {tables.n_rows} rows, those with every item answered."


def _errors_note(facts: _Facts) -> str:
    if facts.std_errors == "none":
        return ""
    if facts.method == "ml":
        return "Standard errors take respondents as independent."
    if facts.std_errors == "conditional":
        return "Standard errors take the thresholds as known and are too small."
    if facts.robust is None or facts.robust.n_clusters is None:
        return "Standard errors take respondents as independent."
    left = facts.robust.n_without_cluster
    also = f"; {left} rows without a cluster are left out of them" if left else ""
    few = f" {_few(facts.robust.n_clusters)}" if facts.robust.n_clusters < FEW_CLUSTERS else ""
    return f"Standard errors over {facts.robust.n_clusters} clusters{also}.{few}"


def _unused(facts: _Facts) -> list[str]:
    """Stated categories without an answer, as "A1: 6"."""
    found = []
    for item, stated, seen in zip(
        facts.raw.items, facts.raw.categories, facts.tables.categories, strict=True
    ):
        gone = [f"{code:g}" for code in stated if code not in seen]
        if gone:
            found.append(f"{item}: {', '.join(gone)}")
    return found
