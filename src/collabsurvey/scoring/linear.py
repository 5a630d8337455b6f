"""Weighted sums of standardised items, row by row in the caller's engine: factor scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from collabsurvey.errors import DataError
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import (
    as_narwhals,
    as_number,
    is_lazy,
    require_columns,
    to_native,
)
from collabsurvey.responses.responses import Responses


def linear_scores(
    data: Any,
    items: Sequence[str],
    names: Sequence[str],
    *,
    weights: FloatArray,
    mean: FloatArray,
    sd: FloatArray,
) -> Any:
    """Columns `names` (m): ((x - mean) / sd) @ weights, for weights (k, m) of k items.

    Rows, order and index are those of the data; a row without an answer to every item has no
    score. Lazy frames of `Responses` keep the columns of their roles, since they have no order.
    """
    frame = as_narwhals(data.frame if isinstance(data, Responses) else data)
    require_columns(frame, items, where="The data")
    schema = frame.collect_schema()
    slopes = weights / sd[:, None]
    scores = []
    for factor, name in enumerate(names):
        total: Any = nw.lit(-float(mean @ slopes[:, factor]))
        for item, slope in zip(items, slopes[:, factor], strict=True):
            total = total + as_number(item, schema[item]) * float(slope)
        scores.append(total.alias(name))
    kept: list[str] = []
    if isinstance(data, Responses) and is_lazy(frame):
        kept = list(dict.fromkeys(data.roles.values()))
        if taken := sorted(set(kept) & set(names)):
            raise DataError(
                f"The scores would be called {', '.join(taken)}, as a column of the data is. "
                "Rename that column."
            )
    return to_native(frame.select(*kept, *scores))
