"""Time and memory of reliability analyses beside psych in R.

    python benchmarks/reliability_speed.py             # every case, writes reliability_speed.csv
    python benchmarks/reliability_speed.py overview    # these cases only, writes nothing

Every run is a process of its own that reads its data, computes once to warm up, and takes the
median of several repeats. In each round ours and R run one after the other, so that what else
the machine does meets both; ratios are medians over rounds of the ratio within a round. R is left
out where `Rscript` with psych is missing.
"""

from __future__ import annotations

import csv
import gc
import json
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "tests" / "reference" / "data"
BFI = {name: [f"{name}{i}" for i in range(1, 6)] for name in "ACENO"}
REVERSED = ["A1", "C4", "C5", "E1", "E2", "O2", "O5"]
ROUNDS = 3
SCALES, ITEMS, ROWS, SCHOOLS = 16, 6, 100_000, 2_000


@dataclass(frozen=True)
class Case:
    """What is computed, and psych's way to the same numbers; "" where it has none."""

    what: str
    r: str
    repeats: int = 5
    rounds: int = ROUNDS


CASES = {
    "alpha": Case("alpha with item statistics, 5 items", "alpha(x)"),
    "alpha_bootstrap": Case(
        "alpha with 1000 bootstrap resamples of rows, percentile limits",
        "alpha(x, n.iter = 1000)",
        repeats=3,
    ),
    "alpha_studentised": Case(
        "the same with a standard error in every resample (ours: studentised)",
        "alpha(x, n.iter = 1000)",
        repeats=3,
    ),
    "split_half": Case("all split halves, 5 items", "splitHalf(x)"),
    "guttman": Case("lower bounds, 5 items", "suppressWarnings(guttman(x))"),
    "split_half_15": Case("all 6435 split halves, 15 items", "splitHalf(y, brute = TRUE)"),
    "item_analysis": Case("item statistics (psych: alpha and describe)", "{alpha(x); describe(x)}"),
    "overview": Case(
        f"alpha of {SCALES} scales of {ITEMS} items, {ROWS} respondents, with intervals",
        "lapply(scales, function(items) alpha(big[items]))",
        repeats=3,
    ),
    "overview_schools": Case(
        f"the same, intervals by 2000 resamples of {SCHOOLS} schools", "", repeats=3
    ),
}

R = """
suppressMessages(library(psych))
bfi <- read.csv("%(bfi)s")
reversed <- c("A1", "C4", "C5", "E1", "E2", "O2", "O5")
for (item in reversed) bfi[[item]] <- 7 - bfi[[item]]
x <- na.omit(bfi[paste0("A", 1:5)])
y <- na.omit(bfi[c(paste0("A", 1:5), paste0("C", 1:5), paste0("N", 1:5))])
if ("%(big)s" != "") {
  big <- read.csv("%(big)s")
  scales <- split(names(big)[1:%(width)d], rep(1:%(scales)d, each = %(items)d))
}
run <- function() invisible(suppressMessages(suppressWarnings(%(call)s)))
run()
seconds <- replicate(%(repeats)d, system.time(run())[["elapsed"]])
peak <- as.numeric(gsub("[^0-9]", "", grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)))
cat(median(seconds), peak / 1024)
"""


def computation(case: str, big: str) -> Callable[[], object]:
    """Return the computation of a case; data are read before it is timed."""
    from collabsurvey.reliability.alpha import alpha
    from collabsurvey.reliability.guttman import guttman
    from collabsurvey.reliability.item_analysis import item_analysis
    from collabsurvey.reliability.overview import overview
    from collabsurvey.reliability.split_half import split_half
    from collabsurvey.responses import from_frame

    if case.startswith("overview"):
        frame = pd.read_csv(big)
        names = list(frame.columns[: SCALES * ITEMS])
        scales = {f"s{s}": names[s * ITEMS : (s + 1) * ITEMS] for s in range(SCALES)}
        roles = {"cluster": "school"} if case == "overview_schools" else {}
        large = from_frame(frame, scales=scales, response_range=(1, 5), roles=roles)
        return lambda: overview(large)
    bfi = pd.read_csv(DATA / "bfi.csv")
    responses = from_frame(
        bfi,
        scales={**BFI, "wide": BFI["A"] + BFI["C"] + BFI["N"]},
        reverse_keyed=REVERSED,
        response_range=(1, 6),
    )
    work: dict[str, Callable[[], object]] = {
        "alpha": lambda: alpha(responses, "A"),
        "alpha_bootstrap": lambda: alpha(
            responses, "A", ci="bootstrap", bootstrap="percentile", n_boot=1000
        ),
        "alpha_studentised": lambda: alpha(responses, "A", ci="bootstrap", n_boot=1000),
        "split_half": lambda: split_half(responses, "A"),
        "guttman": lambda: guttman(responses, "A"),
        "split_half_15": lambda: split_half(responses, "wide"),
        "item_analysis": lambda: item_analysis(responses, "A"),
    }
    return work[case]


def measure(case: str, big: str, repeats: int) -> None:
    """Time one case in this process and print seconds, peak memory and memory before."""
    warnings.simplefilter("ignore")
    compute = computation(case, big)
    gc.collect()
    clear = Path("/proc/self/clear_refs")
    if clear.exists():  # forget the peak of reading the file
        clear.write_text("5", encoding="ascii")
    before = held("VmRSS")
    compute()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        compute()
        seconds.append(time.perf_counter() - start)
    peak = held("VmHWM")
    print(json.dumps({"seconds": median(seconds), "peak_mb": peak, "before_mb": before}))


def held(what: str) -> float:
    """MB of this process: VmRSS now, VmHWM at most (Linux; elsewhere unknown)."""
    status = Path("/proc/self/status")
    for line in status.read_text(encoding="ascii").splitlines() if status.exists() else ():
        if line.startswith(what):
            return float(line.split()[1]) / 1024
    return float("nan")


def in_r(case: str, big: str) -> tuple[float, float]:
    """Seconds and peak MB of psych's way."""
    one = CASES[case]
    script = R % {
        "bfi": DATA / "bfi.csv",
        "big": big if case == "overview" else "",
        "width": SCALES * ITEMS,
        "scales": SCALES,
        "items": ITEMS,
        "call": one.r,
        "repeats": one.repeats,
    }
    found = subprocess.run(
        ["Rscript", "-e", script], capture_output=True, text=True, check=True
    ).stdout.split()
    return float(found[0]), float(found[1])


def simulated(path: Path) -> None:
    """Write answers of 1 to 5 to 16 scales of six items, with schools."""
    generator = np.random.default_rng(20260901)
    columns = {}
    for s in range(SCALES):
        factor = generator.standard_normal(ROWS)
        for i in range(ITEMS):
            latent = factor + generator.standard_normal(ROWS)
            columns[f"s{s}_{i}"] = np.digitize(latent, [-1.5, -0.5, 0.5, 1.5]) + 1
    columns["school"] = generator.integers(0, SCHOOLS, ROWS)
    pd.DataFrame(columns).to_csv(path, index=False)


def main(chosen: list[str]) -> None:
    """Run the cases in rounds and write the table."""
    with_r = shutil.which("Rscript") is not None
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        big = Path(folder) / "big.csv"
        if any(name.startswith("overview") for name in chosen):
            simulated(big)
        for name in chosen:
            one = CASES[name]
            ours, theirs, ratios, peaks, grown = [], [], [], [], []
            r_peaks = []
            for _ in range(one.rounds):
                run = subprocess.run(
                    [sys.executable, __file__, "--measure", name, str(big), str(one.repeats)],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                found = json.loads(run.stdout)
                ours.append(found["seconds"])
                peaks.append(found["peak_mb"])
                grown.append(found["peak_mb"] - found["before_mb"])
                if with_r and one.r:
                    seconds, peak = in_r(name, str(big))
                    theirs.append(seconds)
                    r_peaks.append(peak)
                    ratios.append(seconds / found["seconds"])
            rows.append(
                {
                    "case": name,
                    "what": one.what,
                    "rounds": one.rounds,
                    "seconds": f"{median(ours):.3g}",
                    "fastest": f"{min(ours):.3g}",
                    "psych_seconds": f"{median(theirs):.3g}" if theirs else "",
                    "times_ours": f"{median(ratios):.3g}" if ratios else "",
                    "peak_mb": f"{median(peaks):.0f}",
                    "mb_beyond_data": f"{median(grown):.0f}",
                    "psych_peak_mb": f"{median(r_peaks):.0f}" if r_peaks else "",
                }
            )
            print(rows[-1], flush=True)
    if set(chosen) == set(CASES):
        with (HERE / "reliability_speed.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main(sys.argv[1:] or list(CASES))
