"""How often each answer was given, and every two-way table of a set of items, at once.

Answers become columns of zeros and ones, so that all two-way tables are one matrix
product, block by block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from collabsurvey.errors import DataError
from collabsurvey.moments.covariance import item_names
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import as_narwhals, number_blocks
from collabsurvey.responses.responses import Responses

HOT_CELLS = 2**24  # zeros and ones held at a time: 128 MB
MOST_CATEGORIES = 101  # 0 to 100; more is a measurement, not a set of answers


@dataclass(frozen=True, eq=False)
class AnswerTables:
    """Counts (weights, where there is a weight role) of answers and pairs of answers."""

    items: tuple[str, ...]
    categories: tuple[FloatArray, ...]  # one (c_i,) for each item: codes, ascending
    counts: FloatArray  # (sum c_i, sum c_i) over rows that answered both
    n_missing: FloatArray  # (k,)

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


def answer_tables(responses: Responses, items: str | Sequence[str]) -> AnswerTables:
    """Tables of the raw answers; reversed items are not turned round here.

    Categories are the codes the response set lists, or those that occur where it gives
    only a range.
    """
    names = item_names(responses, items)
    frame = as_narwhals(responses.frame)
    weight = responses.roles.get("weight")
    columns = [*names, weight] if weight else list(names)
    blocks = list(number_blocks(frame, columns))
    categories = tuple(
        _categories(responses, name, [block[:, i] for block in blocks])
        for i, name in enumerate(names)
    )
    total = sum(len(codes) for codes in categories)
    counts = np.zeros((total, total))
    missing = np.zeros(len(names))
    for block in _parts(blocks, most_rows=max(HOT_CELLS // max(total, 1), 1)):
        w = block[:, -1] if weight else np.ones(len(block))
        w = np.where(np.isnan(w), 0.0, w)
        x = block[:, : len(names)]
        hot = np.hstack([x[:, [i]] == codes[None, :] for i, codes in enumerate(categories)]).astype(
            float
        )
        counts += (hot * w[:, None]).T @ hot
        missing += w @ np.isnan(x)
    return AnswerTables(names, categories, counts, missing)


def _parts(blocks: Sequence[FloatArray], *, most_rows: int) -> Iterator[FloatArray]:
    """Blocks cut so that no part has more rows than that."""
    for block in blocks:
        for start in range(0, len(block), most_rows):
            yield block[start : start + most_rows]


def _categories(responses: Responses, item: str, parts: Sequence[FloatArray]) -> FloatArray:
    answers = responses.instrument.response_set(item)
    if answers is not None and answers.type != "bounded":
        return np.array(sorted(answers.values))
    found = np.unique(np.concatenate(parts))
    found = found[~np.isnan(found)]
    if len(found) > MOST_CATEGORIES:
        raise DataError(
            f"Item {item!r} has {len(found)} different answers, which is a measurement and not a "
            "set of categories. Leave it out of tables of answers."
        )
    return found
