"""Every row in memory: for the few methods that cannot work from aggregates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collabsurvey.moments.covariance import answer_blocks, item_names, weight_column
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.responses.engine import group_codes, read_columns
from collabsurvey.responses.responses import Responses


def weighted_answers(
    responses: Responses, items: str | Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """Answers as given (n, k), NaN for missing, and weights (n,): 1 without a weight role.

    One pass: a lazy frame need not give its rows in the same order twice. A row without a
    weight has weight 0.
    """
    blocks = list(answer_blocks(responses, item_names(responses, items)))
    return np.vstack([x for x, _ in blocks]), np.concatenate([w for _, w in blocks])


def clustered_answers(
    responses: Responses, items: str | Sequence[str], cluster: str
) -> tuple[FloatArray, FloatArray, IntArray, tuple[str, ...]]:
    """Answers (n, k), weights (n,), cluster codes (n,) with -1 for none, labels of the clusters.

    `cluster` is a column. One pass, as `weighted_answers`.
    """
    names = item_names(responses, items)
    columns = read_columns(responses.frame, [*names, cluster, *weight_column(responses)])
    codes, labels = group_codes(columns[cluster])
    x = np.column_stack([columns[name].values for name in names])
    w = np.ones(len(x))
    for name in weight_column(responses):
        w = np.nan_to_num(columns[name].values, nan=0.0)
    return x, w, codes, labels
