"""Who gave which rating to what: long or wide tables, checked, as codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    listed,
)
from collabsurvey.numerics.category_agreement import Weighting, agreement_weights
from collabsurvey.numerics.typing import AnyArray, FloatArray, IntArray
from collabsurvey.responses.engine import (
    Column,
    as_narwhals,
    column_names,
    group_codes,
    read_columns,
)

Weights = Weighting | FloatArray | Sequence[Sequence[float]] | None
MOST_CATEGORIES = 500  # of tables of categories; more is a measurement


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings in long form, each pair of target and rater at most once.

    Attributes
    ----------
    target, rater : (N,) codes into `targets` and `raters`
    value : (N,) numbers, or codes into `words` where ratings are text
    words : the texts, sorted or in the order of a categorical column; None for numbers
    ordered : whether the order of `words` means something
    n_missing : rows or cells without a rating, a target or a rater
    """

    target: IntArray
    rater: IntArray
    value: FloatArray
    targets: tuple[str, ...]
    raters: tuple[str, ...]
    words: tuple[str, ...] | None
    ordered: bool
    n_missing: int

    @property
    def per_target(self) -> IntArray:
        """Number of ratings of each target (n,)."""
        return np.bincount(self.target, minlength=len(self.targets))

    @property
    def complete(self) -> bool:
        """Whether every rater rated every target."""
        return len(self.value) == len(self.targets) * len(self.raters)

    def of_targets(self, keep: AnyArray) -> Ratings:
        """Return the ratings of the targets marked in `keep` (n,)."""
        rows = keep[self.target]
        return renumbered(
            self.target[rows],
            self.rater[rows],
            self.value[rows],
            self,
        )

    def wide(self) -> FloatArray:
        """Targets by raters (n, r), NaN where there is no rating."""
        table = np.full((len(self.targets), len(self.raters)), np.nan)
        table[self.target, self.rater] = self.value
        return table

    def require_numbers(self, method: str) -> None:
        """Refuse text where distances between ratings are needed."""
        if self.words is not None:
            raise DataError(
                f"{method} needs numbers; the ratings are text "
                f"({listed(map(repr, self.words), most=4)}). Code them as numbers first."
            )


def renumbered(target: IntArray, rater: IntArray, value: FloatArray, like: Ratings) -> Ratings:
    """Return these ratings with codes of the targets and raters that occur."""
    t, target = np.unique(target, return_inverse=True)
    r, rater = np.unique(rater, return_inverse=True)
    return Ratings(
        target=target.astype(np.int64),
        rater=rater.astype(np.int64),
        value=value,
        targets=tuple(like.targets[i] for i in t),
        raters=tuple(like.raters[i] for i in r),
        words=like.words,
        ordered=like.ordered,
        n_missing=like.n_missing,
    )


def read_ratings(
    data: Any,
    *,
    targets: str | None,
    raters: str | None,
    ratings: str | None,
    method: str,
) -> Ratings:
    """Read a long table (three columns named) or a wide one (a row a target, a column a rater)."""
    named = [name is not None for name in (targets, raters, ratings)]
    if any(named) and not all(named):
        raise DataError(
            "Name all three columns of a long table: targets=, raters= and ratings=. Name none for "
            "a table with one row for each target and one column for each rater."
        )
    if targets is not None and raters is not None and ratings is not None:
        found = _long(data, targets, raters, ratings)
    else:
        found = _wide(data)
    if not np.isfinite(found.value).all():
        raise DataError(f"{method}: some ratings are infinite. Set them to missing first.")
    if not len(found.value):
        raise NotEnoughDataError(method, what="ratings", found=0, needed=2)
    _require_pairs(found, method)
    return found


def _long(data: Any, targets: str, raters: str, ratings: str) -> Ratings:
    columns = read_columns(data, [targets, raters, ratings])
    target, target_names = group_codes(columns[targets])
    rater, rater_names = group_codes(columns[raters])
    known = (target >= 0) & (rater >= 0) & ~columns[ratings].missing
    pair = target[known] * max(len(rater_names), 1) + rater[known]
    different, times = np.unique(pair, return_counts=True)
    if (times > 1).any():
        where = different[times > 1]
        shown = [
            f"{target_names[code // len(rater_names)]} by {rater_names[code % len(rater_names)]}"
            for code in where[:5].tolist()
        ]
        raise DataError(
            f"{len(where)} pairs of target and rater have more than one rating: "
            f"{listed(shown, most=5)}. Keep one of them, or average them first."
        )
    words, ordered = _words(data, [ratings], columns)
    like = Ratings(
        target=target,
        rater=rater,
        value=columns[ratings].values,
        targets=target_names,
        raters=rater_names,
        words=words,
        ordered=ordered,
        n_missing=int((~known).sum()),
    )
    value = _recoded(columns[ratings], words)
    return renumbered(target[known], rater[known], value[known], like)


def _wide(data: Any) -> Ratings:
    frame = _as_frame(data)
    names = column_names(as_narwhals(frame))
    columns = read_columns(frame, names)
    text = [name for name in names if columns[name].categories is not None]
    empty = [name for name in names if columns[name].missing.all()]
    numbers = [name for name in names if name not in text and name not in empty]
    if text and numbers:
        raise DataError(
            f"Columns {listed(map(repr, text), most=4)} hold text and "
            f"{listed(map(repr, numbers), most=4)} numbers. Every column must be one rater's "
            "ratings: leave out names and ids."
        )
    words, ordered = _words(frame, text, columns)
    values = [_recoded(columns[name], words) for name in names]
    table = np.column_stack(values) if values else np.empty((0, 0))
    target, rater = np.nonzero(~np.isnan(table))
    like = Ratings(
        target=target,
        rater=rater,
        value=table,
        targets=tuple(map(str, range(1, len(table) + 1))),
        raters=names,
        words=words,
        ordered=ordered,
        n_missing=int(np.isnan(table).sum()),
    )
    return renumbered(target, rater, table[target, rater], like)


def _as_frame(data: Any) -> Any:
    """Return a frame as it is; a two-dimensional array or list as one with numbered raters."""
    if not isinstance(data, np.ndarray | list | tuple):
        return data
    import pandas as pd

    frame = pd.DataFrame(np.asarray(data) if isinstance(data, np.ndarray) else list(data))
    return frame.rename(columns=lambda column: f"rater {int(column) + 1}")


def _words(
    data: Any, names: Sequence[str], columns: dict[str, Column]
) -> tuple[tuple[str, ...] | None, bool]:
    """Texts of all columns in one order, and whether an ordered categorical gives that order."""
    found = [columns[name].categories for name in names]
    every = {word for words in found for word in words or ()}
    if not every and all(words is None for words in found):
        return None, False
    dtypes = [getattr(data[name], "dtype", None) for name in names] if _is_pandas(data) else []
    if dtypes and all(getattr(dtype, "ordered", False) for dtype in dtypes):
        orders = {tuple(map(str, getattr(dtype, "categories", ()))) for dtype in dtypes}
        if len(orders) == 1:
            return tuple(word for word in orders.pop() if word in every), True
    return tuple(sorted(every)), False


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.startswith("pandas")


def _recoded(column: Column, words: tuple[str, ...] | None) -> FloatArray:
    """Numbers as they are, texts as codes into `words`; NaN for missing."""
    if column.categories is None:
        return np.asarray(column.values, dtype=np.float64)
    place = np.array([(words or ()).index(word) for word in column.categories], dtype=float)
    values = np.full(len(column.values), np.nan)
    values[~column.missing] = place[column.values[~column.missing]]
    return values


def _require_pairs(found: Ratings, method: str) -> None:
    if len(found.raters) < 2:
        raise NotEnoughDataError(method, what="raters", found=len(found.raters), needed=2)
    if len(found.targets) < 2:
        raise NotEnoughDataError(method, what="targets", found=len(found.targets), needed=2)
    if (found.per_target < 2).all():
        raise DataError(
            f"{method} compares ratings of the same target, and no target was rated by two raters. "
            "Check which columns are targets= and raters=."
        )


@dataclass(frozen=True, eq=False)
class Categorised:
    """Ratings as codes of categories.

    `positions` (q,) are the numbers themselves, or 0, 1, … for texts.
    """

    code: IntArray
    labels: tuple[str, ...]
    positions: FloatArray
    notes: tuple[str, ...]


def categorise(
    ratings: Ratings, categories: Sequence[object] | None, *, needs_order: bool, method: str
) -> Categorised:
    """Codes of the categories: those stated, or the values that occur, sorted.

    Numbers keep their distances, so that 2 and 4 are two steps apart even if nobody chose 3.
    """
    value = ratings.value
    if ratings.words is None:
        stated = None if categories is None else _stated_numbers(categories)
        positions = np.unique(value) if stated is None else stated
        place = np.clip(np.searchsorted(positions, value), 0, len(positions) - 1)
        strange = np.unique(value[positions[place] != value])
        code = place
        labels = tuple(f"{position:g}" for position in positions)
        strangers = [f"{x:g}" for x in strange]
    else:
        order = [str(c) for c in categories] if categories is not None else list(ratings.words)
        if needs_order and categories is None and not ratings.ordered:
            raise DataError(
                f"{method} needs ordered categories, and the ratings are text "
                f"({listed(map(repr, ratings.words), most=4)}). State the order: "
                "categories=['low', 'middle', 'high'], or hand in numbers."
            )
        known = {word: i for i, word in enumerate(order)}
        strangers = [word for word in ratings.words if word not in known]
        codes = np.array([known.get(word, 0) for word in ratings.words])
        code = codes[value.astype(np.int64)]
        positions = np.arange(len(order), dtype=float)
        labels = tuple(order)
    if strangers:
        raise DataError(
            f"Ratings {listed(strangers, most=5)} are not among the categories "
            f"{listed(labels, most=8)}. Add them, or set them to missing."
        )
    if len(labels) > MOST_CATEGORIES:
        raise DataError(
            f"{method} works on categories, and there are {len(labels)} different ratings, which "
            "is a measurement. Use icc(), or krippendorff(level='interval')."
        )
    if len(np.unique(code)) < 2:
        raise NoVarianceError("every rating", method=method)
    notes = () if not needs_order else _spacing_note(positions)
    return Categorised(code.astype(np.int64), labels, positions, notes)


def _stated_numbers(categories: Sequence[object]) -> FloatArray:
    try:
        return np.unique(np.array(list(categories), dtype=float))
    except (TypeError, ValueError):
        raise DataError(
            "The ratings are numbers, so categories= must list numbers: categories=[1, 2, 3]."
        ) from None


def _spacing_note(positions: FloatArray) -> tuple[str, ...]:
    steps = np.diff(positions)
    if not len(steps) or np.allclose(steps, steps[0]):
        return ()
    return (
        "Categories are not equally spaced; distances between the numbers count. psych and irr "
        "count places in the list of categories that occur instead.",
    )


def weight_matrix(weights: Weights, positions: FloatArray) -> tuple[FloatArray, str]:
    """Agreement weights (q, q), checked, and their name."""
    if weights is None:
        return agreement_weights(positions, None), "unweighted"
    if isinstance(weights, str):
        if weights not in get_args(Weighting):
            allowed = (None, *get_args(Weighting), "a matrix")
            raise OptionError("weights", weights, allowed=allowed)
        return agreement_weights(positions, weights), weights
    matrix = np.asarray(weights, dtype=float)
    q = len(positions)
    if matrix.shape != (q, q):
        raise DataError(f"weights must be a {q} × {q} matrix, one row for each category.")
    if not (
        np.isfinite(matrix).all()
        and np.allclose(matrix, matrix.T)
        and np.allclose(np.diag(matrix), 1)
        and (matrix <= 1).all()
    ):
        raise DataError(
            "weights must be weights of agreement: 1 on the diagonal, at most 1 elsewhere, and "
            "symmetric. A matrix of disagreement d becomes 1 - d / d.max()."
        )
    return matrix, "own weights"
