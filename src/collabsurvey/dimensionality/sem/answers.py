"""From any frame to the samples a model is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from collabsurvey.dimensionality.inputs import ItemSet, item_set
from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    WeightsNotAppliedError,
    listed,
)
from collabsurvey.moments.respondents import cluster_column, data_notes
from collabsurvey.moments.split import role_or_column
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.responses.engine import Column, as_narwhals, group_codes, read_columns
from collabsurvey.responses.responses import Responses

Missing = Literal["listwise", "pairwise", "fiml"]
MOST_GROUPS = 100


@dataclass(frozen=True, eq=False)
class Answers:
    """Rows of all groups, as they were given: reversed items are not turned round."""

    names: tuple[str, ...]  # (p,)
    x: FloatArray  # (n, p) NaN for missing
    weights: FloatArray | None  # (n,)
    clusters: IntArray | None  # (n,)
    groups: IntArray  # (n,) codes of the groups; zeros for one sample
    labels: tuple[str, ...]  # of the groups; ("",) for one sample
    group: str  # what the grouping column is called; "" for one sample
    n_rows: int  # rows in the data, before those without group, cluster or weight were left out
    notes: tuple[str, ...]

    def of(self, group: int) -> BoolArray:
        """Which rows (n,) belong to a group."""
        return np.asarray(self.groups == group)


def read_answers(
    data: Any,
    names: Sequence[str],
    *,
    group: str | None,
    cluster: str | None,
    weights: str | None,
    method: str,
    keep_all: bool = False,
) -> Answers:
    """Read the columns of a model, once. Groups come in the order in which they first appear.

    `cluster` is "auto", None, a role or a column; `weights` a column, or None for the weight
    role where there is one. `keep_all` is for scoring: rows keep their places, weights and a
    single group are of no concern.
    """
    chosen = _chosen(data, names, method=method)
    responses = chosen.responses
    clustered = cluster_column(responses, cluster)
    grouped = role_or_column(responses, group) if group is not None else None
    weighted = None if keep_all else responses.roles.get("weight")
    if weights is not None:
        weighted = role_or_column(responses, weights)
    extra = [one for one in (clustered, grouped, weighted) if one is not None]
    if twice := [one for one in extra if one in names]:
        raise OptionError(
            "group, cluster or weights", twice[0], allowed=("a column not in the model",)
        )
    x, columns = _read(responses.frame, chosen.items, extra)
    notes = list(chosen.notes)
    w = _weights(columns[weighted], weighted) if weighted is not None else None
    codes = _codes(columns[clustered])[0] if clustered is not None else None
    groups: IntArray = np.zeros(len(x), dtype=np.int64)
    labels: tuple[str, ...] = ("",)
    if grouped is not None:
        groups, labels = _codes(columns[grouped])
        if _is_boolean(responses.frame, grouped):
            labels = tuple("True" if label == "1" else "False" for label in labels)
        if not keep_all:
            _require_groups(grouped, labels, method=method)
    answers = Answers(chosen.items, x, w, codes, groups, labels, grouped or "", len(x), ())
    if not keep_all:
        answers, left_out = _usable(answers, clustered, grouped)
        notes += left_out
    _require_finite(answers, method=method)
    notes += data_notes(responses, weighted=w is not None)
    return replace(answers, notes=tuple(notes))


def _chosen(data: Any, names: Sequence[str], *, method: str) -> ItemSet:
    """Items, and other columns of numbers that stand beside the items of `Responses`."""
    if not isinstance(data, Responses):
        return item_set(data, list(names), method=method, fewest=1)
    items = [name for name in names if name in data.instrument.item_ids]
    beside = [name for name in names if name not in items]
    if beside:
        for name, column in read_columns(data.frame, beside).items():
            if column.categories is not None:
                raise DataError(f"{method}: the column {name!r} is text. It must hold numbers.")
    if items:
        item_set(data, items, method=method, fewest=1)
    return ItemSet(data, tuple(names), "")


def _read(
    frame: Any, items: Sequence[str], extra: Sequence[str]
) -> tuple[FloatArray, dict[str, Column]]:
    """Answers (n, p) and the other columns; one pass, and one conversion for a pandas frame."""
    import pandas as pd

    if isinstance(frame, pd.DataFrame):
        chosen = frame[list(items)]
        if all(isinstance(kind, np.dtype) and kind.kind in "fiu" for kind in chosen.dtypes):
            others = read_columns(frame, extra) if extra else {}
            return chosen.to_numpy(dtype=np.float64), others
    columns = read_columns(frame, [*items, *extra])
    return np.column_stack([columns[name].values for name in items]), columns


def group_labels(data: Any, group: str) -> tuple[str, ...]:
    """Labels of the groups, in the order in which they first appear."""
    responses = data if isinstance(data, Responses) else None
    column = role_or_column(responses, group) if responses is not None else group
    frame = responses.frame if responses is not None else data
    return _codes(read_columns(frame, [column])[column])[1]


def _is_boolean(frame: Any, column: str) -> bool:
    schema = as_narwhals(frame).collect_schema()
    return str(schema[column]) == "Boolean"


def _weights(column: Column, name: str) -> FloatArray:
    """Weights (n,), 0 for missing ones; negative ones are refused."""
    if column.categories is not None:
        raise DataError(f"The weights in {name!r} are text. Weights are numbers above 0.")
    w = np.nan_to_num(np.asarray(column.values, dtype=np.float64), nan=0.0)
    if not (w != 0).any():
        raise DataError(f"The weights in {name!r} are 0 or missing in every row.")
    if (w < 0).any():
        raise DataError(f"{name!r} has negative weights.")
    return np.asarray(w, dtype=np.float64)


def _require_groups(column: str, labels: Sequence[str], *, method: str) -> None:
    if len(labels) < 2:
        raise DataError(
            f"{method} by {column!r} needs two groups or more; every row has the same value."
        )
    if len(labels) > MOST_GROUPS:
        raise DataError(
            f"{column!r} has {len(labels)} values, which is more than groups can be compared one "
            "by one. Use a column with fewer, or cluster= for schools."
        )


def _usable(
    answers: Answers, clustered: str | None, grouped: str | None
) -> tuple[Answers, list[str]]:
    """Rows with a weight, a cluster and a group, where these are used; and what was left out."""
    keep, notes = np.ones(len(answers.x), dtype=bool), []
    known = {
        "a weight": None if answers.weights is None else answers.weights > 0,
        f"a {clustered!r}": None if answers.clusters is None else answers.clusters >= 0,
        f"a {grouped!r}": None if grouped is None else answers.groups >= 0,
    }
    for what, there in known.items():
        if there is not None and not there.all():
            keep &= there
            notes.append(f"{int((~there).sum())} rows without {what} were left out.")
    if not keep.any():
        raise NotEnoughDataError("A model", what="rows", found=0, needed=10)
    return (answers if keep.all() else rows_of(answers, keep)), notes


def _require_finite(answers: Answers, *, method: str) -> None:
    if np.isinf(answers.x).any():
        columns = zip(answers.names, answers.x.T, strict=True)
        bad = [name for name, one in columns if np.isinf(one).any()]
        raise DataError(f"{method}: {listed(bad)} has infinite values. Set them to missing.")


def _codes(column: Column) -> tuple[IntArray, tuple[str, ...]]:
    """Codes (n,) in the order of first appearance, -1 for missing, and the labels."""
    codes, labels = group_codes(column)
    known = codes >= 0
    found, first = np.unique(codes[known], return_index=True)
    order = found[np.argsort(first, kind="stable")]
    place = np.full(len(labels) + 1, -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[codes], tuple(labels[i] for i in order)


def complete(answers: Answers) -> Answers:
    """Rows with every answer only."""
    keep = np.asarray(~np.isnan(answers.x).any(axis=1))
    return answers if keep.all() else rows_of(answers, keep)


def answered(answers: Answers) -> Answers:
    """Rows with at least one answer."""
    keep = np.asarray(~np.isnan(answers.x).all(axis=1))
    return answers if keep.all() else rows_of(answers, keep)


def rows_of(answers: Answers, keep: BoolArray) -> Answers:
    """Some of the rows."""
    return Answers(
        answers.names,
        answers.x[keep],
        answers.weights[keep] if answers.weights is not None else None,
        answers.clusters[keep] if answers.clusters is not None else None,
        answers.groups[keep],
        answers.labels,
        answers.group,
        answers.n_rows,
        answers.notes,
    )


def require_answers(answers: Answers, *, method: str) -> None:
    """Refuse items that nobody answered, by name, before rows are left out."""
    silent = np.flatnonzero(np.isnan(answers.x).all(axis=0)) if len(answers.x) else ()
    if len(silent):
        names = [answers.names[i] for i in silent]
        raise DataError(f"{method}: nobody answered {listed(names)}. Leave it out.")


def require_rows(answers: Answers, *, method: str, needed: int) -> None:
    """Refuse groups with too few rows, and items that do not vary in a group."""
    for g, label in enumerate(answers.labels):
        where = f"group {label!r}" if label else "the data"
        x = answers.x if len(answers.labels) == 1 else answers.x[answers.of(g)]
        if len(x) < needed:
            raise NotEnoughDataError(
                method, what="respondents", found=len(x), needed=needed, where=where
            )
        low, high = np.fmin.reduce(x, axis=0), np.fmax.reduce(x, axis=0)
        names = np.array(answers.names)
        if (silent := names[~np.isfinite(low)]).size:
            raise DataError(f"{method}: nobody in {where} answered {listed(list(silent))}.")
        if (constant := names[low == high]).size:
            raise NoVarianceError(f"{listed(list(constant))} (in {where})", method=method)


def refuse_weights(answers: Answers, *, method: str) -> None:
    """Refuse weights by name where a method does not apply them."""
    if answers.weights is not None:
        raise WeightsNotAppliedError(method)
