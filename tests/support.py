"""Stored reference values and data sets, and the engines each test runs on."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

REFERENCE = Path(__file__).parent / "reference"


@cache
def gold(topic: str) -> dict[str, dict[str, Any]]:
    """Entries of one gold file, such as "09_cluster_robust", by id."""
    text = (REFERENCE / "gold" / f"{topic}.json").read_text(encoding="utf-8")
    return {entry["id"]: entry for entry in json.loads(text)["entries"]}


def dataset(name: str) -> pd.DataFrame:
    """A fresh copy of a reference data set, such as "bfi"."""
    return _read(name).copy()


@cache
def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "data" / f"{name}.csv")


def matrix(stored: dict[str, Any]) -> pd.DataFrame:
    """A matrix of a gold entry as a frame."""
    return pd.DataFrame(
        [[np.nan if x is None else x for x in row] for row in stored["data"]],
        index=stored["rows"],
        columns=stored["cols"],
    )


BFI_KEYS = {
    "agree": ["-A1", "A2", "A3", "A4", "A5"],
    "consc": ["C1", "C2", "C3", "-C4", "-C5"],
    "extra": ["-E1", "-E2", "E3", "E4", "E5"],
    "neuro": ["N1", "N2", "N3", "N4", "N5"],
    "open": ["O1", "-O2", "O3", "O4", "-O5"],
}
BFI_SCALES = {name: [item.lstrip("-") for item in items] for name, items in BFI_KEYS.items()}
BFI_REVERSED = [
    item.lstrip("-") for items in BFI_KEYS.values() for item in items if item.startswith("-")
]
