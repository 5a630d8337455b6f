"""How to read the gap between two views, whom it could expose, and what is not in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.errors import listed
from collabsurvey.multilevel.perception_gap_schools import Band
from collabsurvey.multilevel.wording import counted, several

if TYPE_CHECKING:
    import pandas as pd


def all_notes(
    frame: pd.DataFrame,
    whole: pd.DataFrame,
    *,
    names: tuple[str, str],
    by: str,
    scales: tuple[str, ...],
    worse: bool,
    largest: float,
    band: Band,
    min_n: int,
    n_both: int,
    side_of_both: str,
    outside: int,
) -> list[str]:
    """Every sentence a reader needs."""
    return [
        *overall_notes(whole, names=names, by=by),
        *reading_notes(frame, scales=scales, worse=worse, band=band),
        *error_notes(frame, by=by, largest=largest),
        *privacy_notes(frame, by=by, min_n=min_n),
        *count_notes(
            frame, names=names, by=by, n_both=n_both, side_of_both=side_of_both, outside=outside
        ),
    ]


def overall_notes(whole: pd.DataFrame, *, names: tuple[str, str], by: str) -> list[str]:
    """The mean gap, and whether schools are ordered alike by the two views."""
    row = whole.iloc[0]
    n = int(row["n_schools"])
    if n < 2:
        return [f"One {by} with both views, so no mean gap over {several(by)}."]
    interval = f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
    notes = [
        f"Mean gap over {n} {several(by)}, each counting once: {row['estimate']:.2f} {interval}, t "
        f"on {n - 1}. Above 0: {names[0]} is the higher."
    ]
    if np.isnan(row["correlation"]):
        why = "needs three at least" if n < 3 else "is not defined, since one view does not vary"
        notes.append(f"The correlation of the two views over {several(by)} {why}.")
    else:
        notes.append(
            f"The two views correlate {row['correlation']:.2f} over {several(by)}; means of few "
            "people lower this."
        )
    return [note.replace("-", "−") if "[" in note else note for note in notes]


def reading_notes(
    frame: pd.DataFrame, *, scales: tuple[str, ...], worse: bool, band: Band
) -> list[str]:
    """What category says, and what a gap does not."""
    yardstick = {
        "people": "of people within schools, from no gap",
        "gaps": "of the gaps, from the mean gap (so it compares schools with each other)",
    }[band]
    notes = [
        "over-rates, in agreement, under-rates: the first view half a standard deviation or more "
        f"{'below or above' if worse else 'above or below'} the second, {yardstick}; a description "
        "that takes no notice of error.",
        "A gap does not say who is right. For models use both views, their squares and product "
        "(polynomial regression; Edwards, 2001), not the gap: it forces equal and opposite "
        "effects.",
    ]
    if worse:
        notes.insert(
            0,
            f"High scores of {' and '.join(scales)} are worse, so the lower of two views is the "
            "rosier, and over-rates means lower.",
        )
    if (frame["category"] == "").all():
        notes.append("Nobody differs within a school, or gaps do not differ, so no category.")
    return notes


def error_notes(frame: pd.DataFrame, *, by: str, largest: float) -> list[str]:
    """Where the interval rests on one side only, or is missing."""
    notes = []
    both = frame["gap"].notna()
    if (low := both & frame["sd_borrowed"]).any():
        notes.append(
            "People on a side differ by less than half as much as people in all schools do, as few "
            "people may by chance, so the interval takes the spread in all schools "
            f"(sd_borrowed): {listed(frame.loc[low, by])}."
        )
    one = both & frame["se"].notna() & frame["identifies_one"]
    if one.any():
        notes.append(
            "One person on a side, whose answer is taken as given, so the interval is about the "
            f"other side only: {listed(frame.loc[one, by])}."
        )
    if (wide := (frame["ci_low"] < -largest) | (frame["ci_high"] > largest)).any():
        notes.append(
            f"Limits beyond the largest possible gap of {largest:g}, because there are too few "
            f"people to say more: {listed(frame.loc[wide, by])}."
        )
    if (none := both & frame["se"].isna()).any():
        notes.append(f"One person on each side, so no interval: {listed(frame.loc[none, by])}.")
    if (flat := both & (frame["se"] == 0)).any():
        notes.append(
            "Nobody differs from others on their side, so an interval without width that says "
            f"nothing about others: {listed(frame.loc[flat, by])}."
        )
    return notes


def privacy_notes(frame: pd.DataFrame, *, by: str, min_n: int) -> list[str]:
    """Whose numbers must not be published."""
    notes = []
    if (one := frame["identifies_one"]).any():
        notes.append(
            "A side of one person is that person's own answer and must not be published, nor the "
            f"gap made of it (identifies_one), by {by}: {listed(frame.loc[one, by])}."
        )
    small = frame["below_min_n"] & frame["gap"].notna()
    if small.any():
        notes.append(
            f"Fewer than {min_n} people on a side, not to be published, by {by}: "
            f"{listed(frame.loc[small, by])}."
        )
    return notes


def count_notes(
    frame: pd.DataFrame,
    *,
    names: tuple[str, str],
    by: str,
    n_both: int,
    side_of_both: str,
    outside: int,
) -> list[str]:
    """Schools and people that are not in the gaps."""
    notes = []
    for count, name in (("n_second", names[0]), ("n_first", names[1])):
        alone = frame.loc[frame[count] == 0, by]
        if len(alone):
            notes.append(f"Only {name}, so no gap, by {by}: {listed(alone)}.")
    if n_both:
        notes.append(
            f"{counted(n_both, 'person') if n_both == 1 else f'{n_both} people'} with a score on "
            f"both sides: counted on the {side_of_both}."
        )
    if outside:
        notes.append(f"Rows with a score and without {by}, left out: {outside}.")
    return notes
