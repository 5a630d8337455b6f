"""Data of the tests of raters: gold tables, and Krippendorff's example with ratings missing."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from support import REFERENCE, dataset

RTOL = 1e-8  # closed forms; the stored values have 15 digits
RATERS = {
    entry["id"]: entry
    for entry in json.loads((REFERENCE / "raters.json").read_text(encoding="utf-8"))["entries"]
}

# Krippendorff (2004), ch. 11: four observers of twelve units, also in Gwet's irrCAC.
NA = np.nan
OBSERVERS = np.array(
    [
        [1, 1, NA, 1],
        [2, 2, 3, 2],
        [3, 3, 3, 3],
        [3, 3, 3, 3],
        [2, 2, 2, 2],
        [1, 2, 3, 4],
        [4, 4, 4, 4],
        [1, 1, 2, 1],
        [2, 2, 2, 2],
        [NA, 5, 5, 5],
        [NA, NA, 1, 1],
        [NA, NA, 3, NA],
    ]
)


def table(name: str) -> pd.DataFrame:
    """Targets by raters of a gold data set, without the ids."""
    names = {"shrout_fleiss": "shrout_fleiss", "wine": "wine_wide", "bfi_N123": "bfi_kappa"}
    frame = dataset(names[name])
    return frame.drop(columns=[c for c in ("subject", "bottle") if c in frame])


def long(wide: pd.DataFrame) -> pd.DataFrame:
    """One row a rating."""
    frame = wide.rename_axis("target").reset_index()
    return frame.melt("target", var_name="rater", value_name="rating")


LONG: dict[str, Any] = {"targets": "target", "raters": "rater", "ratings": "rating"}
