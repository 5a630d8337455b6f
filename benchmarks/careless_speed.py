"""Time of the indices of careless answers beside the R package careless, and of a large screening.

    python benchmarks/careless_speed.py        # about a minute, writes careless_speed.csv

careless 1.2.2 was timed by the script that made tests/reference/gold/12 (one run each, R 4.2.2);
its times are read from there. Ours are medians of several runs on one thread; processor seconds
are what they would take on an idle machine. `memory_of_data` is what the process held at most
beyond what it held before, as a multiple of the answers (8 bytes each), which it already held.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import collabsurvey as cs
from collabsurvey.numerics import careless
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.quality import screen
from collabsurvey.quality.distance import row_distances

HERE = Path(__file__).resolve().parent
REFERENCE = HERE.parent / "tests" / "reference"
ITEMS = [f"{scale}{i}" for scale in "ACENO" for i in range(1, 6)]
BLOCKS = [list(range(start, start + 5)) for start in range(0, 25, 5)]
ROWS, SCALES = 100_000, 12


def timed(work: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median seconds and median processor seconds of some runs, after one to warm up."""
    work()
    clock, processor = [], []
    for _ in range(runs):
        start = time.perf_counter(), time.process_time()
        work()
        clock.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return median(clock), median(processor)


def beside_careless() -> list[dict[str, object]]:
    """Each index on the 2436 complete rows of 25 items of bfi."""
    text = (REFERENCE / "gold" / "12_careless_responding.json").read_text(encoding="utf-8")
    theirs = {entry["id"]: entry["r_elapsed_s"] for entry in json.loads(text)["entries"]}
    frame = pd.read_csv(REFERENCE / "data" / "bfi.csv")[ITEMS].dropna()
    answers: FloatArray = np.ascontiguousarray(frame.to_numpy(float).T)
    mean = careless.row_moments(answers)[0]

    def pairs(cut: float) -> object:
        found = careless.item_pairs(careless.item_correlations(answers), cut)
        return careless.pair_correlations(answers, mean, found)

    ours: dict[str, Callable[[], object]] = {
        "longstring_bfi25": lambda: careless.longest_runs(answers),
        "irv_bfi25": lambda: careless.row_moments(answers),
        "mahad_bfi25": lambda: row_distances(answers, ITEMS, robust=False, seed=1),
        "evenodd_bfi25": lambda: careless.even_odd(answers, BLOCKS, np.ones(25), np.zeros(25)),
        "psychsyn_bfi25": lambda: pairs(0.55),
        "psychant_bfi25": lambda: pairs(-0.35),
    }
    rows = []
    for name, work in ours.items():
        rows.append(row(name, 2436, 25, timed(work, 15), theirs[name]))
    return rows


def row(
    case: str,
    n: int,
    k: int,
    seconds: tuple[float, float],
    theirs: float | None,
    memory: float | None = None,
) -> dict[str, object]:
    """One line of the table; "" for what was not measured."""
    return {
        "case": case,
        "rows": n,
        "items": k,
        "seconds": f"{seconds[0]:.4f}",
        "processor_seconds": f"{seconds[1]:.4f}",
        "careless_seconds": "" if theirs is None else theirs,
        "times_ours": "" if theirs is None else f"{theirs / seconds[0]:.0f}",
        "memory_of_data": "" if memory is None else f"{memory:.1f}",
    }


def large(share_missing: float) -> dict[str, object]:
    """The whole screening of 100 000 rows of 60 items."""
    rng = np.random.default_rng(1)
    k = 5 * SCALES
    x = np.repeat(rng.normal(size=(ROWS, SCALES)), 5, axis=1)
    x += rng.normal(size=x.shape)
    x += np.tile(rng.normal(scale=0.5, size=k), 1)
    np.clip(np.round(x + 3, out=x), 1, 5, out=x)
    x[rng.random(x.shape) < share_missing] = np.nan
    columns = [f"i{j:02d}" for j in range(k)]
    data = pd.DataFrame(x, columns=columns)
    scales = {f"s{j}": columns[5 * j : 5 * j + 5] for j in range(SCALES)}
    responses = cs.from_frame(data, scales=scales, response_range=(1, 5))
    size = x.nbytes
    screen(bfi()).to_frame()  # loads what it needs
    del data, x
    before = held("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the highest so far
    seconds = timed(lambda: screen(responses).to_frame(), 3)
    memory = (held("VmHWM") - before) / size
    name = f"screen, {share_missing:.0%} of the answers missing"
    return row(name, ROWS, k, seconds, None, memory)


def bfi() -> cs.Responses:
    """All items of bfi as one scale."""
    frame = pd.read_csv(REFERENCE / "data" / "bfi.csv")
    return cs.from_frame(frame, scales={"all": ITEMS}, response_range=(1, 6))


def held(what: str) -> int:
    """Bytes this process holds (VmRSS) or held at most (VmHWM); Linux."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise RuntimeError(what)


def main() -> None:
    """Time everything and write the table."""
    rows = [*beside_careless(), large(0.0), large(0.05)]
    with (HERE / "careless_speed.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(platform.python_version(), np.__version__)
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
