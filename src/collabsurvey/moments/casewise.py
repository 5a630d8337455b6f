"""Every row in memory: for the few methods that cannot work from aggregates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collabsurvey.moments.covariance import answer_blocks, item_names
from collabsurvey.numerics.typing import FloatArray
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
