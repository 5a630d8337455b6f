"""How to read consensus, who is not in it, and where a coefficient is not defined."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.errors import listed
from collabsurvey.multilevel.wording import counted, several
from collabsurvey.numerics.typing import IntArray
from collabsurvey.partnership.consensus_groups import FEWEST_SCHOOLS
from collabsurvey.partnership.consensus_questions import Answers, Questions
from collabsurvey.partnership.consensus_result import RESPONDENTS

if TYPE_CHECKING:
    import pandas as pd


def all_notes(
    frame: pd.DataFrame,
    questions: Questions,
    answers: Answers,
    codes: IntArray,
    *,
    by: str,
    felt: str | None,
    cluster: str | None,
    ci: str,
    n_boot: int,
    min_n: int,
) -> list[str]:
    """Every sentence a reader needs."""
    notes = ranking_notes() if questions.ranking else pick_notes(frame, questions)
    notes += interval_notes(frame, by=by, cluster=cluster, ci=ci, n_boot=n_boot)
    if felt is not None:
        notes += felt_notes(frame, questions, felt)
    notes += degenerate_notes(frame, questions, by)
    notes += item_notes(frame, questions, answers, codes, by)
    return notes + count_notes(frame, questions, answers, codes, by=by, min_n=min_n)


def pick_notes(frame: pd.DataFrame, questions: Questions) -> list[str]:
    """What the coefficients of picks mean."""
    most = frame.iloc[int(frame["n_items"].to_numpy().argmax())]
    n = int(most["n_items"])
    notes = [
        f"Agreement: share of pairs of people with the same answer, mean of {counted(n, 'item')}; "
        f"{most['chance']:.0%} by chance alone if all answers were equally likely. Entropy, mean "
        "of the items: 0 where all pick the same, 1 where all options are picked equally often."
    ]
    if questions.common:
        return [
            *notes,
            "Options mean the same in every item, so chance is taken from all items together. "
            "Kappa and alpha ask whether people tell the items apart, and are low or not defined "
            "where one answer prevails throughout; AC1 is not.",
        ]
    return [
        *notes,
        "Options belong to their item. AC1 takes chance from the shares of each item; alpha and "
        "kappa take every option as a yes or no (kappa is then Brennan & Prediger's).",
    ]


def ranking_notes() -> list[str]:
    """What the coefficients of rankings mean."""
    return [
        "Agreement: share of pairs of things that two people rank in the same order; 50% by chance "
        "alone. tau is twice that less one; spearman is the mean correlation of two people's "
        "ranks; W is 1 where all rank alike."
    ]


def interval_notes(
    frame: pd.DataFrame, *, by: str, cluster: str | None, ci: str, n_boot: int
) -> list[str]:
    """What the intervals are about."""
    how = f"from {n_boot} resamples" if ci == "bootstrap" else "by the jackknife, with t"
    clustered = ~frame["interval"].str.endswith(RESPONDENTS)
    schools = several(str(cluster))
    unit = schools if clustered.any() else RESPONDENTS
    mixed = cluster is not None and clustered.any() and not clustered.all()
    but = f" ({RESPONDENTS} where there are fewer than {FEWEST_SCHOOLS} {schools})" if mixed else ""
    notes = [
        f"Intervals {how}, over {unit}{but}: how far the numbers would move with others of the "
        "same kind answering the same items."
    ]
    if mixed:
        notes.append(
            f"Fewer than {FEWEST_SCHOOLS} {schools}, so the interval is over the people of these "
            f"{schools}, says nothing about others, and cannot be compared in width with those "
            f"over {schools}: {listed(frame.loc[~clustered, by])}."
        )
    if cluster is not None and not clustered.any():
        notes.append(
            f"No {by} has people of {FEWEST_SCHOOLS} {schools}, so intervals are over the people "
            f"of these {schools} and say nothing about others."
        )
    few = clustered & (frame["n_units"] < 5)
    if few.any():
        notes.append(
            f"Fewer than 5 {schools}, so an interval whose width is itself uncertain: "
            f"{listed(frame.loc[few, by])}."
        )
    if ci == "bootstrap" and (swapped := frame["interval"].str.startswith("jackknife")).any():
        notes.append(
            "Too few schools to be drawn, so the jackknife was taken: "
            f"{listed(frame.loc[swapped, by])}."
        )
    return notes


def felt_notes(frame: pd.DataFrame, questions: Questions, felt: str) -> list[str]:
    """What may and may not be said of felt and actual agreement."""
    chance = f"{100 * questions.chance:.0f} of 100"
    notes = [
        f"Felt ({felt}, 0 to 100) and actual agreement are on different footings: {chance} is what "
        "chance alone gives, while felt agreement has no such floor. The gap by itself does not "
        "show that people feel too much or too little agreement; compare groups or waves. In "
        "models use both terms, not the gap."
    ]
    known = frame["felt"].notna() & frame["actual"].notna()
    if known.sum() < 5:
        notes.append(
            f"gap_z compares felt and actual agreement over 5 groups or more; {int(known.sum())} "
            "have both."
        )
    elif frame["gap_z"].isna().all():
        notes.append("gap_z is missing, since felt or actual agreement is the same in all groups.")
    else:
        r = np.corrcoef(frame.loc[known, "felt"], frame.loc[known, "actual"])[0, 1]
        notes.append(
            f"Felt and actual agreement correlate {r:.2f} over {int(known.sum())} groups.".replace(
                "-", "−"
            )
        )
    if silent := frame["felt"].isna().sum():
        notes.append(f"Groups where nobody said how far they agree: {silent}.")
    return notes


def degenerate_notes(frame: pd.DataFrame, questions: Questions, by: str) -> list[str]:
    """Groups whose numbers are missing or have no width, and why."""
    notes = []
    if len(alone := frame.loc[frame["agreement"].isna(), by]):
        notes.append(f"Without two people to compare, so without agreement: {listed(alone)}.")
    if not questions.ranking:
        undefined = frame["kappa"].isna() & frame["agreement"].notna()
        single = undefined & (frame["n_items"] < 2) & questions.common
        if single.any():
            notes.append(
                "Answers to one item only, so there are no items to tell apart, and kappa and "
                f"alpha are not defined: {listed(frame.loc[single, by])}."
            )
        all_one = undefined & ~single
        if all_one.any():
            notes.append(
                "Everybody gave one answer throughout, so kappa and alpha, which divide by the "
                f"disagreement of chance, are not defined: {listed(frame.loc[all_one, by])}."
            )
    same = (frame["agreement"] >= 1 - 1e-12) & (frame["agreement_low"] >= 1 - 1e-12)
    if same.any():
        notes.append(
            "All agree, so an interval without width, which says nothing about others: "
            f"{listed(frame.loc[same, by])}."
        )
    short = frame["agreement"].notna() & frame["agreement_low"].isna()
    if short.any():
        notes.append(f"Too few people for an interval: {listed(frame.loc[short, by])}.")
    return notes


def item_notes(
    frame: pd.DataFrame, questions: Questions, answers: Answers, codes: IntArray, by: str
) -> list[str]:
    """Items that nobody answered, and groups whose agreement rests on fewer than the others'."""
    if questions.ranking:
        return []
    given = np.asarray((answers.values[answers.used & (codes >= 0)] >= 0).any(axis=0))
    notes = []
    if not given.all():
        blank = [item for item, there in zip(questions.items, given, strict=True) if not there]
        notes.append(f"Nobody answered {listed(blank)}, so agreement rests on the other items.")
    fewer = (frame["n_items"] < frame["n_items"].max()) & frame["agreement"].notna()
    if fewer.any():
        short = frame.loc[fewer]
        names = [f"{name} ({n})" for name, n in zip(short[by], short["n_items"], strict=True)]
        notes.append(
            "Agreement on fewer items, as the others do not have two answers there: "
            f"{listed(names)}."
        )
    return notes


def count_notes(
    frame: pd.DataFrame,
    questions: Questions,
    answers: Answers,
    codes: IntArray,
    *,
    by: str,
    min_n: int,
) -> list[str]:
    """Who is not in the numbers."""
    notes = []
    inside = codes >= 0
    if outside := int((~inside & answers.answered).sum()):
        notes.append(f"Rows with answers and without {by}, left out: {outside}.")
    if blanks := int((answers.blanks & inside).sum()):
        what = (
            "An incomplete ranking"
            if questions.ranking
            else f"Fewer than {questions.n_required} of {len(questions.items)} items answered"
        )
        notes.append(f"{what}, left out: {blanks}.")
    if ties := int((answers.ties & inside).sum()):
        notes.append(f"Not each rank from 1 to {len(questions.items)} once, left out: {ties}.")
    small = frame.loc[frame["below_min_n"] & (frame["n"] > 0), by]
    if len(small):
        notes.append(f"Fewer than {min_n} people, not to be published: {listed(small)}.")
    if len(empty := frame.loc[frame["n"] == 0, by]):
        notes.append(f"Nobody with enough answers: {listed(empty)}.")
    return notes
