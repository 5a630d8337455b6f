"""Which rows each index flags, why others do not flag, and the reasons in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from collabsurvey.numerics.careless import bulk_below
from collabsurvey.numerics.typing import AnyArray, BoolArray
from collabsurvey.quality.cutoffs import (
    FEWEST_ITEMS,
    FEWEST_NUMBERS,
    MOST_OF_BULK,
    RULES,
    Rule,
)
from collabsurvey.quality.indices import Indices


def flagged_rows(
    found: Indices, cuts: Mapping[str, float | None], *, n_items: int
) -> tuple[dict[str, str], dict[str, str], dict[str, BoolArray]]:
    """Reasons of the indices that flag, why others do not, and the rows flagged by each."""
    used: dict[str, str] = {}
    unused: dict[str, str] = {}
    flagged: dict[str, BoolArray] = {}
    for rule in RULES:
        if rule.column not in found.columns:
            continue
        cut = cuts[rule.column]
        if cut is None:
            unused[rule.column] = "no cut-off" if rule.source else "no agreed cut-off"
        elif reason := found.unfit.get(rule.column) or unreliable(found, rule.column, cut):
            unused[rule.column] = found.unfit[rule.column] = reason
        else:
            if rule.column == "longstring":
                cut = float(np.ceil(cut * n_items - 1e-9))
            used[rule.column] = rule.in_words(cut)
            flagged[rule.column] = _beyond(found, rule, cut)
    return used, unused, flagged


def unreliable(found: Indices, column: str, cut: float) -> str:
    """Why a correlation within rows cannot tell careless rows from others; "" where it can.

    The bulk of the rows must not reach the cut-off (`MOST_OF_BULK`). It does where scales are
    few or short, where the means of items hardly differ, so that there is no profile to
    agree with, where people differ much, and where keys are wrong.
    """
    if column not in ("even_odd", "person_total", "synonyms", "antonyms"):
        return ""
    values = np.asarray(found.columns[column], dtype=float)
    if np.isnan(values).all():
        return "no row has a value"
    shown = f"{np.nanmedian(values):.2f}".replace("-", "−")
    if column in ("even_odd", "antonyms"):
        values, cut = -values, -cut
    if column == "even_odd":  # back from the stepped-up to the plain correlation
        values, cut = values / (2 - values), cut / (2 - cut)
    reached = bulk_below(values, cut)
    if reached <= MOST_OF_BULK:
        return ""
    return f"the bulk of the rows, median {shown}, reaches the cut-off: {reached:.0%} of it"


def _beyond(found: Indices, rule: Rule, cut: float) -> BoolArray:
    """Rows (n,) beyond the cut-off that have enough numbers behind them."""
    values = np.asarray(found.columns[rule.column], dtype=float)
    with np.errstate(invalid="ignore"):
        if rule.beyond == "above":
            rows = values > cut
        elif rule.beyond == "at least":
            rows = values >= cut
        else:
            rows = values < cut
    least = FEWEST_ITEMS if rule.column in ("longstring", "duplicate") else FEWEST_NUMBERS
    if rule.column in found.behind:
        rows = rows & (found.behind[rule.column] >= least)
    return np.asarray(rows, dtype=bool)


def reasons_of(flagged: Mapping[str, BoolArray], used: Mapping[str, str], n: int) -> AnyArray:
    """Reasons (n,) in words, "" for rows that are not flagged: each combination written once."""
    code = np.zeros(n, dtype=np.int64)
    for bit, rows in enumerate(flagged.values()):
        code |= rows.astype(np.int64) << bit
    combinations, which = np.unique(code, return_inverse=True)
    texts = [
        "; ".join(used[name] for bit, name in enumerate(flagged) if combination >> bit & 1)
        for combination in combinations.tolist()
    ]
    return np.array(texts, dtype=object)[which]
