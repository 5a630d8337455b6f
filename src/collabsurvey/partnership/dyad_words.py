"""What has to be said of directed pairs: who counts, what rests on few, what pairs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.multilevel.inputs import ScoreTable
from collabsurvey.multilevel.wording import counted
from collabsurvey.partnership.dyad_cells import Cells
from collabsurvey.partnership.dyad_inputs import Ties

if TYPE_CHECKING:
    import pandas as pd

LEAST_PAIRS = 3  # two pairs always lie on a line
FEW_PAIRS = 16  # with fewer, a correlation of zero has an interval wider than ±.5 (2 / √n)


def answers_of(ties: Ties) -> str:
    """How many answers there are, and of how many people."""
    people = "1 person" if ties.n_raters == 1 else f"{ties.n_raters} people"
    of = f" of {people}" if ties.n_raters != ties.n_rows else ""
    return f"{counted(ties.n_rows, 'answer')}{of}, each about one partner."


def first_notes(ties: Ties) -> list[str]:
    """What the numbers are about."""
    return [f"{answers_of(ties)} Means and t intervals are over the raters of each directed pair."]


def cell_notes(directed: pd.DataFrame, cells: Cells, min_raters: int) -> list[str]:
    """Directed pairs without a value, without an interval, or not to be published."""
    notes = []
    n = directed["n_raters"]
    if count := int((n == 0).sum()):
        notes.append(f"Directed pairs that were asked about and have no value: {count}.")
    if count := int((n == 1).sum()):
        notes.append(f"Directed pairs with one rater, so without a standard error: {count}.")
    notes += same_notes(cells, "Directed pairs")
    if count := int(((n > 0) & directed["below_min"]).sum()):
        notes.append(
            f"Directed pairs with fewer than {min_raters} raters, not to be published: {count}."
        )
    return notes


def same_notes(cells: Cells, what: str) -> list[str]:
    """Cells whose raters all say the same, and where their intervals come from."""
    same = cells.borrowed
    if not len(same):
        return []
    start = f"{what} whose raters all say the same: {len(same)}."
    if np.isnan(cells.spread[same]).any():
        return [f"{start} Raters differ nowhere, so there is no spread to make an interval of."]
    return [
        f"{start} That does not show that everybody would, so their intervals take the spread "
        "within all others, pooled."
    ]


def asked_notes(
    table: ScoreTable, scales: Sequence[str], frame: pd.DataFrame, min_raters: int, what: str
) -> list[str]:
    """Where the instrument asks for more people than `min_raters` before a mean is shown."""
    if table.responses is None:
        return []
    known = table.responses.instrument
    found = [known.scale(name).aggregate for name in scales if name in known.scale_ids]
    asked = max((one.min_n for one in found if one is not None), default=0)
    n = frame["n_raters"]
    between = int(((n >= min_raters) & (n < asked)).sum())
    if not between:
        return []
    least = f"{min_raters}" if min_raters == asked - 1 else f"{min_raters} to {asked - 1}"
    return [
        f"The questionnaire asks for {asked} people before a mean is shown; {what} with {least} "
        f"raters, which are not marked here: {between}. min_raters={asked} marks them."
    ]


def cut_notes(cut: bool, span: tuple[float, float] | None) -> list[str]:
    """Limits that answers could not reach."""
    if not cut or span is None:
        return []
    low, high = (f"{x:g}".replace("-", "−") for x in span)
    return [f"Limits end where answers do ({low} to {high}; differences ±{span[1] - span[0]:g})."]


def pair_notes(
    pairs: pd.DataFrame, reciprocity: pd.DataFrame, keys: tuple[str, ...], conf_level: float
) -> list[str]:
    """Pairs of one direction, and whether what is said is answered."""
    notes = []
    if count := int(pairs["one_sided"].sum()):
        notes.append(
            f"Pairs of which one direction only was answered, so without an asymmetry: {count}."
        )
    for row in reciprocity.to_dict("records"):
        when = f"Wave {row['wave']}: " if "wave" in keys else ""
        n = row["n_pairs"]
        if n < LEAST_PAIRS:
            notes.append(f"{when}Reciprocity needs {LEAST_PAIRS} two-sided pairs; there are {n}.")
            continue
        if np.isnan(row["icc_double_entry"]):
            notes.append(f"{when}All means are the same, so reciprocity is not defined.")
            continue
        rough = f" It rests on {n} pairs and is very rough." if n < FEW_PAIRS else ""
        notes.append(f"{when}Reciprocity (.reciprocity): {_reciprocity(row, conf_level)}.{rough}")
        if np.isnan(row["dyad_correlation"]):
            notes.append(
                f"{when}The levels of the schools leave nothing of these pairs, so there is no "
                "dyad_correlation: it needs more pairs than schools."
            )
    if "icc_within_partnerships" in reciprocity and reciprocity["icc_double_entry"].notna().any():
        notes.append(
            "icc_double_entry counts differences between partnerships as reciprocity; "
            "icc_within_partnerships does not."
        )
    return notes


def _reciprocity(row: Mapping[Any, Any], conf_level: float) -> str:
    """Correlations of one wave that are known, in words."""
    parts = [
        f"{name} {row[name]:.2f}"
        for name in ("icc_double_entry", "icc_within_partnerships")
        if name in row and not np.isnan(row[name])
    ]
    if not np.isnan(row["dyad_correlation"]):
        interval = ""
        if not np.isnan(row["dyad_ci_low"]):
            low, high = row["dyad_ci_low"], row["dyad_ci_high"]
            interval = f" ({conf_level:.0%} interval {low:.2f} to {high:.2f})"
        mutual = f"{row['dyad_correlation']:.2f}{interval}"
        parts.append(f"dyad_correlation, levels of schools taken out, {mutual}")
    return f"over {counted(row['n_pairs'], 'pair')} {', '.join(parts)}".replace("-", "−")


def meta_notes(accuracies: pd.DataFrame | None, keys: tuple[str, ...]) -> list[str]:
    """How far people know what the partner thinks of them."""
    if accuracies is None:
        return []
    notes = []
    for row in accuracies.to_dict("records"):
        when = f"Wave {row['wave']}: " if "wave" in keys else ""
        n, r, bias = row["n_directed"], row["correlation"], row["mean_bias"]
        if not np.isnan(bias):
            related = "" if np.isnan(r) else f"expected and actual means correlate {r:.2f}; "
            notes.append(
                f"{when}Meta-accuracy over {counted(n, 'directed pair')} (.meta, .meta_accuracy): "
                + f"{related}expected less actual is {bias:.2f} on average.".replace("-", "−")
            )
        if np.isnan(r):
            notes.append(
                f"{when}Meta-accuracy as a correlation needs {LEAST_PAIRS} directed pairs whose "
                f"expected and actual means differ; there are {n} directed pairs."
            )
        elif n < FEW_PAIRS:
            notes.append(f"{when}Meta-accuracy rests on {n} directed pairs and is very rough.")
    return notes
