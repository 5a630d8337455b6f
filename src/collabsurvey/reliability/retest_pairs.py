"""The same people on two occasions: matched by id, and the kappa of each item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from collabsurvey.errors import DataError, WeightsNotAppliedError, listed
from collabsurvey.moments.respondents import cluster_column
from collabsurvey.numerics.category_agreement import agreement_weights, cohen_kappa, two_way_table
from collabsurvey.numerics.intervals import normal_quantile, t_quantile
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.responses.engine import group_codes, read_columns
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.scoring import score

if TYPE_CHECKING:
    import pandas as pd

Labels = NDArray[np.str_]
BETWEEN = "\x1f"  # joins a person's id and the partner answered about
MOST_CATEGORIES = 101


@dataclass(frozen=True, eq=False)
class Matched:
    """People with both scores, sorted by id, and the answers of everybody matched.

    Attributes
    ----------
    x, y : (n,) scores on the first and second occasion
    codes : (n,) cluster on the first occasion, -1 for none; None where people are independent
    a, b : (m, k) raw answers of all m matched people; `item_codes` (m,) their clusters
    """

    x: FloatArray
    y: FloatArray
    codes: IntArray | None
    items: tuple[str, ...]
    a: FloatArray
    b: FloatArray
    item_codes: IntArray | None
    cluster: str | None
    one_cluster: bool
    n_only_first: int
    n_only_second: int
    n_unscored: int
    n_without_id: int
    n_without_cluster: int


@dataclass(frozen=True, eq=False)
class Rows:
    """Columns of one occasion in the order of their ids, each id once."""

    ids: Labels
    values: FloatArray  # (n, k)
    clusters: Labels | None  # "" for none
    n_without_id: int


def match(
    first: Responses,
    second: Responses,
    scale: str,
    *,
    cluster: str | None,
    min_valid: str | int | None,
) -> Matched:
    """Match two occasions by respondent (and partner); see `retest` for what is refused."""
    for responses in (first, second):
        require_responses(responses, method="A retest")
        responses.role("respondent", purpose="A retest")
        if "weight" in responses.roles:
            raise WeightsNotAppliedError("reliability.retest")
    items = first.instrument.items_of(scale)
    if items != second.instrument.items_of(scale):
        raise DataError(
            f"Scale {scale!r} has other items on the second occasion, so a difference of scores "
            "would not be a difference between people. Use the items that both have."
        )
    column = cluster_column(first, cluster)
    keys = [role for role in ("respondent", "partner") if role in first.roles.keys() & second.roles]
    scored = []
    for responses, group, when in ((first, column, "first"), (second, None, "second")):
        scores = score(responses, scale, min_valid=min_valid).to_frame(
            keep=[*responses.roles] if group is None else [*responses.roles, group]
        )
        scored.append(read_rows(scores, responses, keys, [scale], group, when))
    answers = [
        read_rows(responses.frame, responses, keys, items, None, when)
        for responses, when in ((first, "first"), (second, "second"))
    ]
    ids, i, j = np.intersect1d(
        scored[0].ids, scored[1].ids, assume_unique=True, return_indices=True
    )
    if not len(ids):
        shown = [[str(x).split(BETWEEN)[0] for x in rows.ids[:3]] for rows in scored]
        raise DataError(
            "No respondent id occurs on both occasions: the first has "
            f"{listed(shown[0])} …, the second {listed(shown[1])} …. Check how ids are written."
        )
    x, y = scored[0].values[i, 0], scored[1].values[j, 0]
    both = ~np.isnan(x) & ~np.isnan(y)
    codes, one = cluster_codes(scored[0].clusters, i, named=cluster not in (None, "auto"))
    return Matched(
        x=x[both],
        y=y[both],
        codes=None if codes is None else recoded(codes[both]),
        items=tuple(items),
        a=answers[0].values[i],
        b=answers[1].values[j],
        item_codes=codes,
        cluster=column,
        one_cluster=one,
        n_only_first=len(scored[0].ids) - len(ids),
        n_only_second=len(scored[1].ids) - len(ids),
        n_unscored=int((~both).sum()),
        n_without_id=scored[0].n_without_id + scored[1].n_without_id,
        n_without_cluster=0 if codes is None else int((codes[both] < 0).sum()),
    )


def read_rows(
    frame: Any,
    responses: Responses,
    keys: Sequence[str],
    columns: Sequence[str],
    cluster: str | None,
    when: str,
) -> Rows:
    """Read numbers with their ids in one pass, sorted by id; refuse an id that occurs twice."""
    names = [responses.roles[role] for role in keys]
    extra = [] if cluster is None else [cluster]
    found = read_columns(frame, [*names, *columns, *extra])
    ids = labels(*group_codes(found[names[0]]))
    known = ids != ""
    for name in names[1:]:
        ids = np.char.add(np.char.add(ids, BETWEEN), labels(*group_codes(found[name])))
    values = np.column_stack([found[name].values for name in columns]).astype(float)
    groups = None if cluster is None else labels(*group_codes(found[cluster]))[known]
    ids, values = ids[known], values[known]
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    twice = np.unique(ids[1:][ids[1:] == ids[:-1]])
    if len(twice):
        shown = listed([str(x).replace(BETWEEN, " about ") for x in twice], most=5)
        raise DataError(
            f"On the {when} occasion {len(twice)} respondent ids occur more than once: {shown}. "
            "Hand in one occasion at a time, each person once."
        )
    return Rows(
        ids=ids,
        values=values[order],
        clusters=None if groups is None else groups[order],
        n_without_id=int((~known).sum()),
    )


def labels(codes: IntArray, names: Sequence[str]) -> Labels:
    """Write each code (n,) as its name, "" for -1."""
    return np.array([*names, ""], dtype=str)[codes]


def cluster_codes(
    clusters: Labels | None, rows: IntArray, *, named: bool
) -> tuple[IntArray | None, bool]:
    """Codes (m,) of the clusters of matched people, -1 for none; whether there is only one."""
    if clusters is None:
        return None, False
    own = clusters[rows]
    levels, codes = np.unique(own, return_inverse=True)
    codes = codes.astype(np.int64)
    if "" in levels:  # sorts first
        codes -= 1
    if codes.max(initial=-1) >= 1:
        return codes, False
    if named:
        raise DataError(
            "There is only one cluster among the people matched, so none can be left out. Use "
            "cluster=None."
        )
    return None, True


def recoded(codes: IntArray) -> IntArray:
    """Codes without gaps, -1 kept."""
    known = codes >= 0
    out = np.full(len(codes), -1, dtype=np.int64)
    out[known] = np.unique(codes[known], return_inverse=True)[1]
    return out


def item_kappas(pairs: Matched, conf_level: float) -> tuple[pd.DataFrame, list[str]]:
    """Quadratic weighted kappa of each item over people who answered it twice.

    Columns: item n kappa std_error ci_low ci_high equal (share with the same answer). With
    clusters the influences of the people of a cluster are added up first.
    """
    import pandas as pd

    rows = []
    left: list[str] = []
    for k, item in enumerate(pairs.items):
        a, b = pairs.a[:, k], pairs.b[:, k]
        both = ~np.isnan(a) & ~np.isnan(b)
        n = int(both.sum())
        row: dict[str, object] = {"item": item, "n": n}
        values, code = np.unique(np.concatenate([a[both], b[both]]), return_inverse=True)
        row["equal"] = float((a[both] == b[both]).mean()) if n else float("nan")
        if n >= 2 and 2 <= len(values) <= MOST_CATEGORIES:
            first, second = code[:n], code[n:]
            codes = None if pairs.item_codes is None else pairs.item_codes[both]
            row |= one_kappa(first, second, values, codes, conf_level)
        else:
            left.append(item)
        rows.append(row)
    names = ["item", "n", "kappa", "std_error", "ci_low", "ci_high", "equal"]
    notes = []
    if left:
        notes.append(
            f"No kappa (everybody gave the same answer, fewer than two people, or more than "
            f"{MOST_CATEGORIES} different answers): {listed(left)}."
        )
    return pd.DataFrame(rows).reindex(columns=names), notes


def one_kappa(
    first: IntArray,
    second: IntArray,
    values: FloatArray,
    codes: IntArray | None,
    conf_level: float,
) -> dict[str, object]:
    """Kappa of one item, its error over people or clusters, its interval."""
    n, q = len(first), len(values)
    result = cohen_kappa(two_way_table(first, second, q), agreement_weights(values, "quadratic"))
    error, quantile = result.std_error, normal_quantile((1 + conf_level) / 2)
    if codes is not None:
        # People without a cluster stand for themselves here: their influence is not lost.
        alone = codes < 0
        group = np.where(alone, codes.max() + 1 + np.cumsum(alone), codes)
        sums = np.bincount(group, weights=result.influence[first, second])
        g = len(np.unique(group))
        if g > 1:
            error = float(np.sqrt(g / (g - 1) * (sums**2).sum())) / n
            quantile = t_quantile((1 + conf_level) / 2, g - 1)
    return {
        "kappa": result.estimate,
        "std_error": error,
        "ci_low": max(result.estimate - quantile * error, -1.0),
        "ci_high": min(result.estimate + quantile * error, 1.0),
    }
