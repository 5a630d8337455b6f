"""Names what is at the boundary where a fit is singular: a variance of zero, a correlation of ±1.

The optimum is judged in units in which it was sought, the names refer to the effects as written.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from collabsurvey.errors import listed
from collabsurvey.numerics.typing import FloatArray

SINGULAR = 1e-4  # as lme4's isSingular(), but for Z in units of its root mean square
NEAR_ONE = 1e-4


def at_boundary(
    names: Sequence[str], lower: FloatArray, transform: FloatArray, group: str
) -> tuple[str, ...]:
    """Sentences on what is at the boundary; none where nothing is.

    `lower` (q, q) is the root of the relative covariance in units of Z's root mean square, slopes
    centred where they are correlated; effects as written = `transform` @ those of Z.
    """
    if not (np.diag(lower) < SINGULAR).any():
        return ()
    root = transform @ lower / np.diag(transform)[:, None]
    sds = np.linalg.norm(root, axis=1)
    found = [
        f"the variance of {name} between groups of {group} is zero"
        for name, sd in zip(names, sds, strict=True)
        if sd < SINGULAR
    ]
    rest = [i for i, sd in enumerate(sds) if sd >= SINGULAR]
    pairs = {(i, j): float(root[i] @ root[j] / (sds[i] * sds[j])) for i, j in combinations(rest, 2)}
    alone = len(rest) == 2 and not found
    for (i, j), correlation in pairs.items():
        if alone or abs(correlation) > 1 - NEAR_ONE:
            sign = "+1" if correlation > 0 else "−1"
            found.append(
                f"the correlation of {names[i]} and {names[j]} between groups of {group} is {sign}"
            )
    if not found:
        shown = listed([names[i] for i in rest], most=6)
        found.append(f"one of the effects {shown} of groups of {group} follows from the others")
    return tuple(found)
