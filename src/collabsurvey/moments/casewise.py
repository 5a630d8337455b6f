"""Every row in memory: for the few methods that cannot work from aggregates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collabsurvey.errors import DataError, listed
from collabsurvey.moments.covariance import item_names, key_signs, turn_offsets
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import as_narwhals, number_blocks
from collabsurvey.responses.responses import Responses


def answer_matrix(
    responses: Responses, items: str | Sequence[str], *, keyed: bool = True
) -> FloatArray:
    """Answers (n, k) in the order of the frame, NaN for missing; reversed items turned round.

    Raises
    ------
    DataError
        An item is to be turned round and its lowest and highest answer are not known.
    """
    names = item_names(responses, items)
    x = np.vstack(list(number_blocks(as_narwhals(responses.frame), names)))
    if keyed:
        offsets = turn_offsets(responses, names)
        unknown = [name for name, offset in zip(names, offsets, strict=True) if np.isnan(offset)]
        if unknown:
            raise DataError(
                f"{listed(unknown, most=6)} cannot be turned round, because the range of answers "
                "is not known. Say response_range=(lowest, highest)."
            )
        x = x * key_signs(responses, names) + offsets
    return x
