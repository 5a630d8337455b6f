"""How often each answer was given, and every two-way table of a set of items, at once.

Answers become columns of zeros and ones, so that all two-way tables are one matrix
product, block by block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.errors import DataError
from collabsurvey.moments.covariance import Missing, item_names
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import as_narwhals, number_blocks
from collabsurvey.responses.responses import Responses

HOT_CELLS = 2**24  # zeros and ones held at a time: 64 MB, 128 MB with weights
MOST_CATEGORIES = 101  # 0 to 100; more is a measurement, not a set of answers


@dataclass(frozen=True, eq=False)
class AnswerTables:
    """Counts (weights, where there is a weight role) of answers and pairs of answers."""

    items: tuple[str, ...]
    categories: tuple[FloatArray, ...]  # one (c_i,) for each item: codes, ascending
    counts: FloatArray  # (sum c_i, sum c_i) over rows that answered both (listwise: all items)
    n_missing: FloatArray  # (k,)
    n_rows: int  # rows in the data
    n_used: int  # rows counted: pairwise all with a weight, listwise those with every item
    weighted: bool

    def _span(self, item: str) -> slice:
        i = self.items.index(item)
        start = sum(len(codes) for codes in self.categories[:i])
        return slice(start, start + len(self.categories[i]))

    def one_way(self, item: str) -> FloatArray:
        """Count of each answer (c,) of one item."""
        span = self._span(item)
        return np.diag(self.counts[span, span]).copy()

    def two_way(self, row_item: str, column_item: str) -> FloatArray:
        """Counts (c_row, c_column) over rows that answered both."""
        return self.counts[self._span(row_item), self._span(column_item)].copy()

    def observed(self) -> AnswerTables:
        """Return the tables without the categories that nobody chose."""
        seen = np.diag(self.counts) > 0
        ends = np.cumsum([len(codes) for codes in self.categories])
        kept = np.split(seen, ends[:-1])
        return AnswerTables(
            self.items,
            tuple(codes[keep] for codes, keep in zip(self.categories, kept, strict=True)),
            self.counts[np.ix_(seen, seen)],
            self.n_missing,
            self.n_rows,
            self.n_used,
            self.weighted,
        )


def answer_tables(
    responses: Responses, items: str | Sequence[str], *, missing: Missing = "pairwise"
) -> AnswerTables:
    """Tables of the raw answers; reversed items are not turned round here.

    Categories are the codes the response set lists, or those that occur where it gives
    only a range. One pass over the rows, which are held only where categories must be
    found first.
    """
    names = item_names(responses, items)
    frame = as_narwhals(responses.frame)
    weight = responses.roles.get("weight")
    columns = [*names, weight] if weight else list(names)
    blocks: Iterable[FloatArray] = number_blocks(frame, columns)
    stated = [_stated_categories(responses, name) for name in names]
    if any(codes is None for codes in stated):
        blocks = list(blocks)
    categories = tuple(
        _found_categories(name, [block[:, i] for block in blocks]) if codes is None else codes
        for i, (name, codes) in enumerate(zip(names, stated, strict=True))
    )
    return tables_of(blocks, names, categories, weight=weight is not None, missing=missing)


def tables_of(
    blocks: Iterable[FloatArray],
    names: tuple[str, ...],
    categories: tuple[FloatArray, ...],
    *,
    weight: bool,
    missing: Missing,
) -> AnswerTables:
    """Tables of blocks of answers (n, k), with the weights as a last column if there are any."""
    total = sum(len(codes) for codes in categories)
    counts = np.zeros((total, total))
    n_missing = np.zeros(len(names))
    n_rows = n_used = 0
    weighted = False
    for block in _parts(blocks, most_rows=max(HOT_CELLS // max(total, 1), 1)):
        n_rows += len(block)
        x = block[:, : len(names)]
        w = np.nan_to_num(block[:, -1], nan=0.0) if weight else np.ones(len(block))
        empty = np.isnan(x)
        n_missing += w @ empty
        used = w > 0
        if missing == "listwise":
            used &= ~empty.any(axis=1)
        if not used.all():
            x, w = x[used], w[used]
        n_used += len(x)
        if (w != 1).any():
            weighted = True
            hot = _hot(x, categories, np.float64)
            counts += (hot * w) @ hot.T
        else:  # whole numbers below 2^24 are exact in single precision
            hot = _hot(x, categories, np.float32)
            counts += hot @ hot.T
    return AnswerTables(names, categories, counts, n_missing, n_rows, n_used, weighted)


def _hot(
    x: FloatArray, categories: Sequence[FloatArray], dtype: type[np.float32] | type[np.float64]
) -> np.ndarray[tuple[int, int], np.dtype[np.float32 | np.float64]]:
    """Zeros and ones (sum c_i, n); a missing answer has no one."""
    hot = np.empty((sum(map(len, categories)), len(x)), dtype=dtype)
    row = 0
    for i, codes in enumerate(categories):
        answers = np.ascontiguousarray(x[:, i])
        for code in codes:
            hot[row] = answers == code
            row += 1
    return hot


def _parts(blocks: Iterable[FloatArray], *, most_rows: int) -> Iterator[FloatArray]:
    """Blocks cut so that no part has more rows than that."""
    for block in blocks:
        for start in range(0, len(block), most_rows):
            yield block[start : start + most_rows]


def _stated_categories(responses: Responses, item: str) -> FloatArray | None:
    """Codes (c,) of the response set, None where it gives only a range."""
    answers = responses.instrument.response_set(item)
    if answers is None or answers.type == "bounded":
        return None
    codes: FloatArray = np.array(sorted(answers.values), dtype=np.float64)
    return codes


def _found_categories(item: str, parts: Sequence[FloatArray]) -> FloatArray:
    seen = np.unique(np.concatenate([np.unique(part) for part in parts]))
    found: FloatArray = seen[~np.isnan(seen)]
    if len(found) > MOST_CATEGORIES:
        raise DataError(
            f"Item {item!r} has {len(found)} different answers, which is a measurement and not a "
            "set of categories. Leave it out of tables of answers."
        )
    return found
