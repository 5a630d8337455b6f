"""Standard errors of a person's score at each score, as `precision` reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.moments.covariance import key_signs, turn_offsets
from collabsurvey.moments.resampled import Resampler
from collabsurvey.numerics.intervals import normal_quantile, t_quantile
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.reliability.conditional_sem import level_means, person_errors, smoothed
from collabsurvey.responses.responses import Responses

if TYPE_CHECKING:
    import pandas as pd

MOST_LEVELS = 60  # different scores; more are put together in classes
CLASSES = 20


def by_score(
    rows: Resampler,
    responses: Responses,
    kind: str,
    sem: float,
    conf_level: float,
) -> tuple[pd.DataFrame, list[str]]:
    """Standard errors by score, and notes; scores are put in classes where they are many."""
    import pandas as pd

    k = len(rows.items)
    offsets = turn_offsets(responses, rows.items)
    unknown = bool(np.isnan(offsets).any())
    x = rows.x + np.where((key_signs(responses, rows.items) < 0) & ~unknown, offsets, 0.0)
    unit = 1 / k if kind == "mean" else 1.0
    score = x.sum(axis=1) * unit
    fixed, drawn = (part * unit**2 for part in person_errors(x, rows.weight))
    average = float(rows.weight @ fixed / rows.weight.sum())
    notes = ["Error by score as in alpha (Feldt, Steffen & Gupta, 1985), smoothed by a quadratic."]
    if average > 0 and abs(sem**2 / average - 1) > 1e-6:
        fixed = fixed * (sem**2 / average)
        notes.append("Errors by score are multiplied so that their mean agrees with the sem.")
    average = float(rows.weight @ drawn / rows.weight.sum())
    keats = drawn * (sem**2 / average) if average > 0 else drawn
    at, levels, note = score_levels(score, rows.weight)
    fit, error, g = smoothed(score, fixed, rows.weight, rows.codes, at)
    q = (1 + conf_level) / 2
    z = normal_quantile(q) if rows.codes is None else t_quantile(q, g - 1)
    below = fit <= 0
    fit = np.where(below, np.nan, fit)
    reach = np.exp(z * error / (2 * fit))
    if below.any():
        notes.append("The smoothed error falls below zero at some scores, where none is given.")
    if unknown:
        notes.append(
            "The range of answers was not stated (response_range), so reversed items count as "
            "their negative and the mean of the score is not known."
        )
    frame = pd.DataFrame(
        {
            "score": at,
            "n": np.bincount(levels, minlength=len(at)),
            "sem": np.sqrt(level_means(levels, len(at), fixed, rows.weight)),
            "sem_smooth": np.sqrt(fit),
            "ci_low": np.sqrt(fit) / reach,
            "ci_high": np.sqrt(fit) * reach,
            "sem_multinomial": np.sqrt(level_means(levels, len(at), drawn, rows.weight)),
            "sem_keats": np.sqrt(level_means(levels, len(at), keats, rows.weight)),
        }
    )
    return frame, [*notes, *note]


def score_levels(score: FloatArray, weight: FloatArray) -> tuple[FloatArray, IntArray, list[str]]:
    """Scores (L,) at which errors are given, and the level (n,) of each person."""
    at, levels = np.unique(np.round(score, 9), return_inverse=True)
    if len(at) <= MOST_LEVELS:
        return at, levels.astype(np.int64), []
    ends = np.linspace(at[0], at[-1], CLASSES + 1)
    classes = np.clip(np.searchsorted(ends, score, side="right") - 1, 0, CLASSES - 1)
    _, levels = np.unique(classes, return_inverse=True)
    levels = levels.astype(np.int64)
    centre = level_means(levels, int(levels.max()) + 1, score, weight)
    return (
        centre,
        levels,
        [f"{len(at)} different scores are put together in {len(centre)} classes."],
    )
