"""What has to be said of distances between schools."""

from __future__ import annotations

from typing import Any

import numpy as np

from collabsurvey.errors import listed
from collabsurvey.multilevel.wording import counted
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.partnership.distance_inputs import Profiles
from collabsurvey.partnership.distance_result import Metric, Standardise

EVEN = 0.9  # of (df - k - 1) / df: below, distances are more than 5 % too large


def first_notes(
    found: Profiles, n: IntArray, corrected: FloatArray, apart: float, *, min_n: int
) -> list[str]:
    """What the columns are, which pairs are not apart, who is small or not in it."""
    notes = [
        f"Profiles of {counted(len(found.scales), 'scale')}. Corrected: the variance of the two "
        "means is taken off the squared distance. Closer pairs: the share of all other pairs that "
        "are closer than this one."
    ]
    if zeros := int((corrected == 0).sum()):
        notes.append(
            f"Pairs no further apart than chance alone would put them, set to 0: {zeros} of "
            f"{len(corrected)}."
        )
    if not np.isnan(apart):
        notes.append(f"Pairs whose interval lies above 0: {apart:.0%}.")
    small = [school for school, size in zip(found.schools, n, strict=True) if size < min_n]
    if small:
        notes.append(f"Fewer than {min_n} people, not to be published: {listed(small)}.")
    if found.n_incomplete:
        notes.append(f"Respondents without all scales, left out: {found.n_incomplete}.")
    if found.left_out:
        notes.append(
            "Schools left out, as nobody there has every scale: "
            f"{listed(_why(found.left_out), most=8)}."
        )
    return notes


def _why(left_out: tuple[tuple[str, tuple[str, ...]], ...]) -> list[str]:
    """Each school, with the scales that nobody there has."""
    return [
        f"{school} (nobody has {listed(blank, most=3)})" if blank else school
        for school, blank in left_out
    ]


def single_notes(single: tuple[Any, ...], corrected: FloatArray) -> list[str]:
    """Schools whose profile is one person's."""
    if np.isnan(corrected).any():
        return ["Every school has one respondent: the sampling error is not known."]
    if not single:
        return []
    return [
        f"One respondent only, who stands for the school: {listed(single)}. Their error is "
        "taken from the other schools, and they have no interval."
    ]


def interval_notes(
    n: IntArray, df: int, least: int, ci: str, n_boot: int, seed: int, *, fewest: int
) -> list[str]:
    """Where the intervals come from, or why there are none."""
    if ci != "bootstrap" or not df:
        return []
    if df < least:
        return [
            f"No intervals: they need {least} respondents beyond one a school, and there are {df}."
        ]
    few = int(((n > 1) & (n < fewest)).sum())
    borrowed = (
        f" {counted(few, 'school')} with fewer than {fewest} staff take the spread within all "
        "schools, pooled."
        if few
        else ""
    )
    return [f"Intervals: {n_boot} resamples of staff within schools, seed {seed}.{borrowed}"]


def yardstick_notes(k: int, df: int, metric: Metric, standardise: Standardise) -> list[str]:
    """Distances that are too large, as their yardstick rests on few."""
    if metric == "mahalanobis":
        what, of, lost = "covariance", f" for {counted(k, 'scale')}", k + 1
    elif standardise == "within":
        what, of, lost = "standard deviation", "", 2
    else:
        return []
    if df - lost >= EVEN * df:
        return []
    much = f"about {np.sqrt(df / (df - lost)) - 1:.0%}" if df > lost else "much"
    return [
        f"The {what} within schools rests on {counted(df, 'respondent')} beyond one a school{of}, "
        f"which makes distances {much} too large."
    ]
