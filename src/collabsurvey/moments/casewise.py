"""Every row in memory: for the few methods that cannot work from aggregates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collabsurvey.moments.covariance import key_signs, turn_offsets
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import as_narwhals, number_blocks
from collabsurvey.responses.responses import Responses


def answer_matrix(
    responses: Responses, items: str | Sequence[str], *, keyed: bool = True
) -> FloatArray:
    """Answers (n, k) in the order of the frame, NaN for missing; reversed items turned round."""
    names = responses.instrument.items_of(items)
    x = np.vstack(list(number_blocks(as_narwhals(responses.frame), names)))
    if keyed:
        x = x * key_signs(responses, names) + turn_offsets(responses, names)
    return x
