"""Model texts with lavaan's tables of them, from sem_tables.R."""

from __future__ import annotations

import json
import math
from typing import Any

from support import REFERENCE

ENTRIES: list[dict[str, Any]] = json.loads(
    (REFERENCE / "sem_tables.json").read_text(encoding="utf-8")
)["entries"]


NAMES = [one["id"] for one in ENTRIES]


def numbers(values: list[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]


def options_of(stored: dict[str, Any]) -> dict[str, Any]:
    options = {k: v for k, v in stored.items() if k not in ("id", "text", "n_groups")}
    for name in ("equal", "partial"):
        if isinstance(options.get(name), str):
            options[name] = [options[name]]
    options["groups"] = tuple(f"g{i}" for i in range(stored.get("n_groups", 1)))
    return options
