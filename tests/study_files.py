"""A small study on disk, to be spoilt in one way or another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ITEMS = ["q1", "q2", "q3", "q4"]


def answers(n_schools: int = 6, n_staff: int = 12, seed: int = 3) -> pd.DataFrame:
    """Answers 1 to 5 with a person and a school effect; `q4` is reversed."""
    rng = np.random.default_rng(seed)
    n = n_schools * n_staff
    school = np.repeat(np.arange(n_schools), n_staff)
    trait = rng.normal(0, 0.5, n_schools)[school] + rng.normal(0, 0.8, n)
    frame = pd.DataFrame(
        {"person": [f"p{i:03d}" for i in range(n)], "school": [f"S{s + 1:02d}" for s in school]}
    )
    for item in ITEMS:
        sign = -1 if item == "q4" else 1
        frame[item] = np.clip(np.round(3 + sign * trait + rng.normal(0, 0.7, n)), 1, 5).astype(int)
    return frame


def outcomes(
    n_schools: int = 6, years: tuple[int, ...] = (2024, 2025), seed: int = 4
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [(f"S{s + 1:02d}", year) for s in range(n_schools) for year in years]
    frame = pd.DataFrame(rows, columns=["urn", "year"])
    frame["attendance"] = np.round(94 + rng.normal(0, 1, len(frame)), 3)
    return frame


def plan(**changes: Any) -> dict[str, Any]:
    """A study file as plain data; `changes` replace top-level keys."""
    base: dict[str, Any] = {
        "study": {"id": "small", "title": "A small study", "seed": 1},
        "responses": [
            {
                "path": "answers.csv",
                "scales": {"climate": ITEMS},
                "reverse_keyed": ["q4"],
                "response_range": [1, 5],
                "roles": {"respondent": "person", "cluster": "school"},
            }
        ],
        "outcomes": [
            {
                "id": "attendance",
                "path": "outcomes.csv",
                "key": {"school": "urn", "cohort": "year"},
                "unit": "school",
            }
        ],
        "analysis": {
            "models": [
                {
                    "name": "attendance",
                    "outcome": "attendance",
                    "formula": "attendance ~ climate_between + C(year) + (1 | school)",
                }
            ]
        },
    }
    return {**base, **changes}


def write_study(
    folder: Path,
    study: dict[str, Any] | None = None,
    staff: pd.DataFrame | None = None,
    results: pd.DataFrame | None = None,
) -> Path:
    """Write study file, answers and outcomes; return the study file."""
    folder.mkdir(parents=True, exist_ok=True)
    (answers() if staff is None else staff).to_csv(folder / "answers.csv", index=False)
    (outcomes() if results is None else results).to_csv(folder / "outcomes.csv", index=False)
    path = folder / "study.yaml"
    text = json.dumps(study or plan())  # JSON is YAML, and has no anchors
    path.write_text(text, encoding="utf-8")
    return path
