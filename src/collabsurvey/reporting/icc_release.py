"""Intraclass correlations as they may be written: coarse where groups are hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.reporting.groups import label_of, name_order

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.multilevel import IccResult
    from collabsurvey.numerics.typing import FloatArray
    from collabsurvey.reporting.disclosure import Hidden
    from collabsurvey.reporting.groups import Cell
    from collabsurvey.reporting.record import RunRecord

DIGITS = 2
P_DIGITS = 3  # rounded up, so that no p is 0: 0.001 is "at most 0.001"
SOLVABLE = ("f_statistic", "mean_size", "n0", "design_effect", "ms_between", "ms_within")
ROUNDED = "rounded"  # column that says that numbers were made coarse
FIRST = ("variable", "wave")


def icc_results(record: RunRecord) -> dict[str, IccResult]:
    """Results by wave, in order; one without waves is under ""."""
    if record.icc_by_wave:
        found: Mapping[str, IccResult] = record.icc_by_wave
    elif isinstance(record.icc, Mapping):
        found = record.icc
    else:
        return {} if record.icc is None else {"": record.icc}
    named = {label_of(wave): result for wave, result in found.items()}
    return {wave: named[wave] for wave in sorted(named, key=name_order)}


def released_icc(record: RunRecord, cells: Mapping[Cell, Hidden]) -> pd.DataFrame | None:
    """One row a scale (and wave); rounded where groups are hidden.

    With the exact variance between schools, the grand total and every other school's mean,
    the means of two hidden schools are the roots of a quadratic.
    """
    import pandas as pd

    parts = []
    for wave, result in icc_results(record).items():
        part = result.to_frame()
        parts.append(part.assign(wave=wave) if wave else part)
    if not parts:
        return None
    table = pd.concat(parts, ignore_index=True)
    table = table[[*(c for c in FIRST if c in table), *(c for c in table if c not in FIRST)]]
    order = {name: i for i, name in enumerate(dict.fromkeys(table["variable"]))}
    table = table.sort_values("variable", key=lambda names: names.map(order), kind="stable")
    if "n" in table.columns:
        table = table[table["n"] >= record.min_group]
    table = table.reset_index(drop=True)
    if any(hidden.groups for hidden in cells.values()):
        return _coarse(table)
    return table


def _coarse(table: pd.DataFrame) -> pd.DataFrame:
    table = table.drop(columns=[name for name in SOLVABLE if name in table.columns])
    p = _rounded_up(table["p_value"].to_numpy(dtype=float))
    decimals = [name for name in table.columns if table[name].dtype.kind == "f"]
    table[decimals] = table[decimals].round(DIGITS) + 0.0  # no −0.0
    return table.assign(p_value=p, **{ROUNDED: True})


def _rounded_up(p: FloatArray) -> FloatArray:
    unit = 10.0**P_DIGITS
    steps: FloatArray = np.maximum(np.ceil(np.round(p * unit, 6)), 1)
    return steps / unit
