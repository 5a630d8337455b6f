"""Time and memory of structural equation models beside lavaan in R.

    python benchmarks/sem_speed.py             # every case, writes sem_speed.csv
    python benchmarks/sem_speed.py mlr ladder  # these cases only, writes nothing
    python benchmarks/sem_speed.py --quick     # every case, one round, writes nothing

Every run is a process of its own that reads its data, computes once to warm up, and takes the
median of several repeats. In each round ours and R run one after the other, so that what else
the machine does meets both; ratios are medians over rounds of the ratio within a round. R is
timed twice: `lavaan_seconds` is the fit alone, `lavaan_output_seconds` also asks for what our
call returns with it (standardised estimates, every fit index). The cases of a million rows stand
beside one pass over the same table, np.cov. R is left out where `Rscript` with lavaan is missing.
"""

from __future__ import annotations

import csv
import gc
import json
import shutil
import subprocess
import sys
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
ROUNDS = 3
ROWS, FACTORS, ITEMS = 1_000_000, 4, 6
THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
FIVE = "\n".join(f"{f} =~ " + " + ".join(f"{f}{i}" for i in range(1, 6)) for f in "ACENO")
CLIMATE = "f =~ AF06 + AF07 + AP12 + AS14 + AS16 + AS28"
BOTH = f"level: 1\n{CLIMATE}\nlevel: 2\n{CLIMATE}"
LARGE = "\n".join(
    f"f{f} =~ " + " + ".join(f"y{ITEMS * f + i}" for i in range(ITEMS)) for f in range(FACTORS)
)


@dataclass(frozen=True)
class Case:
    """What is computed, and lavaan's way to the same numbers; "" where it is not timed."""

    what: str
    r: str
    output: str = "{parameterEstimates(fit, standardized = TRUE); fitMeasures(fit)}"
    repeats: int = 9
    rounds: int = ROUNDS


LADDER = """{
  one <- function(...) cfa(three, hs, group = "school", meanstructure = TRUE, ...)
  levels <- list(one(), one(group.equal = "loadings"),
    one(group.equal = c("loadings", "intercepts")),
    one(group.equal = c("loadings", "intercepts", "residuals")))
  do.call(lavTestLRT, levels)
  levels
}"""
CASES = {
    "ml": Case("ML, 9 items, 3 factors (HolzingerSwineford1939)", "cfa(three, hs)"),
    "mlr": Case("MLR, 25 items, 5 factors (bfi)", 'cfa(five, bfi, estimator = "MLR")'),
    "fiml": Case("ML with FIML, the same", 'cfa(five, bfi, missing = "fiml")', repeats=1),
    "fiml_mlr": Case(
        "MLR with FIML, the same",
        'cfa(five, bfi, estimator = "MLR", missing = "fiml")',
        repeats=1,
        rounds=1,
    ),
    "wlsmv": Case("WLSMV, the same items as ordered", "cfa(five, bfi, ordered = TRUE)", repeats=5),
    "ladder": Case(
        "invariance ladder of four levels by school (HolzingerSwineford1939)",
        LADDER,
        output="lapply(fit, fitMeasures)",
        repeats=5,
    ),
    "two_level": Case(
        "one factor of 6 items within and between 99 companies (bhr2000)",
        'cfa(both, bhr, cluster = "GRP")',
        repeats=1,
    ),
    "million_ml": Case(
        f"ML, {FACTORS * ITEMS} items, {FACTORS} factors, {ROWS} rows of five categories",
        "",
        repeats=3,
        rounds=3,
    ),
    "million_wlsmv": Case("WLSMV, the same as ordered", "", repeats=1, rounds=3),
}
MODELS = {"three": THREE, "five": FIVE, "both": BOTH}
R = """
suppressMessages(library(lavaan))
hs <- read.csv("%(data)s/hs1939.csv")
bfi <- read.csv("%(data)s/bfi.csv")
bhr <- read.csv("%(data)s/bhr2000.csv")
%(models)s
quiet <- function(x) invisible(suppressMessages(suppressWarnings(x)))
run <- function() quiet(%(call)s)
whole <- function() quiet({fit <- %(call)s; %(output)s})
whole()
alone <- replicate(%(repeats)d, system.time(run())[["elapsed"]])
output <- replicate(%(repeats)d, system.time(whole())[["elapsed"]])
peak <- as.numeric(gsub("[^0-9]", "", grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)))
cat(median(alone), median(output), peak / 1024)
"""


def computation(case: str) -> tuple[Callable[[], object], Callable[[], object] | None]:
    """Return the computation of a case, and one pass over its data where that is the yardstick."""
    from collabsurvey.dimensionality import cfa

    if case.startswith("million"):
        frame = simulated()
        items = list(frame.columns)
        work: dict[str, Callable[[], object]] = {
            "million_ml": lambda: cfa(frame, LARGE),
            "million_wlsmv": lambda: cfa(frame, LARGE, "WLSMV", ordered=items),
        }
        return work[case], lambda: np.cov(frame.to_numpy(dtype=float), rowvar=False)
    if case == "ladder":
        from collabsurvey.invariance import ladder

        hs = pd.read_csv(DATA / "hs1939.csv")
        return lambda: ladder(hs, THREE, by="school"), None
    if case == "two_level":
        bhr = pd.read_csv(DATA / "bhr2000.csv")
        return lambda: cfa(bhr, BOTH, cluster="GRP"), None
    if case == "ml":
        hs = pd.read_csv(DATA / "hs1939.csv")
        return lambda: cfa(hs, THREE), None
    bfi = pd.read_csv(DATA / "bfi.csv")
    work = {
        "mlr": lambda: cfa(bfi, FIVE, "MLR"),
        "fiml": lambda: cfa(bfi, FIVE, missing="fiml"),
        "fiml_mlr": lambda: cfa(bfi, FIVE, "MLR", missing="fiml"),
        "wlsmv": lambda: cfa(bfi, FIVE, "WLSMV", ordered=True),
    }
    return work[case], None


def simulated() -> pd.DataFrame:
    """Answers of 1 to 5 to six items of each of four factors that correlate."""
    rng = np.random.default_rng(20260901)
    common = rng.standard_normal(ROWS)
    columns = {}
    for f in range(FACTORS):
        factor = 0.6 * common + 0.8 * rng.standard_normal(ROWS)
        for i in range(ITEMS):
            latent = 0.7 * factor + 0.71 * rng.standard_normal(ROWS)
            columns[f"y{ITEMS * f + i}"] = np.digitize(latent, [-1.5, -0.5, 0.5, 1.5]) + 1
    return pd.DataFrame(columns)


def measure(case: str, repeats: int) -> None:
    """Time one case in this process and print seconds, peak memory and memory before."""
    warnings.simplefilter("ignore")
    compute, one_pass = computation(case)
    gc.collect()
    pass_seconds = float("nan")
    if one_pass is not None:
        pass_seconds = timed(one_pass, 3)
    gc.collect()
    clear = Path("/proc/self/clear_refs")
    if clear.exists():  # forget the peak of making the data
        clear.write_text("5", encoding="ascii")
    before = held("VmRSS")
    compute()
    seconds = timed(compute, repeats)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "pass": pass_seconds,
                "peak_mb": held("VmHWM"),
                "before_mb": before,
            }
        )
    )


def timed(compute: Callable[[], object], repeats: int) -> float:
    """Median seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        compute()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def held(what: str) -> float:
    """MB of this process: VmRSS now, VmHWM at most (Linux; elsewhere unknown)."""
    status = Path("/proc/self/status")
    for line in status.read_text(encoding="ascii").splitlines() if status.exists() else ():
        if line.startswith(what):
            return float(line.split()[1]) / 1024
    return float("nan")


def in_r(one: Case) -> list[float]:
    """Seconds of lavaan's fit, of fit and output, and its peak MB."""
    script = R % {
        "data": DATA,
        "models": "\n".join(f'{name} <- "{text}"' for name, text in MODELS.items()),
        "call": one.r,
        "output": one.output,
        "repeats": one.repeats,
    }
    run = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=True)
    return [float(value) for value in run.stdout.split()]


def rounds_of(name: str, rounds: int, *, with_r: bool) -> dict[str, object]:
    """Run one case, ours and R's in turn, and return its row."""
    one = CASES[name]
    found: list[dict[str, float]] = []
    for _ in range(rounds):
        command = [sys.executable, __file__, "--measure", name, str(one.repeats)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        ours = json.loads(run.stdout)
        if with_r and one.r:
            ours["alone"], ours["output"], ours["r_peak"] = in_r(one)
        found.append(ours)

    def middle(value: Callable[[dict[str, float]], float], digits: str = ".3g") -> str:
        values = [value(each) for each in found]
        return "" if np.isnan(values).any() else format(median(values), digits)

    unknown = float("nan")
    return {
        "case": name,
        "what": one.what,
        "rounds": rounds,
        "seconds": middle(lambda d: d["seconds"]),
        "fastest": f"{min(d['seconds'] for d in found):.3g}",
        "lavaan_seconds": middle(lambda d: d.get("alone", unknown)),
        "times_ours": middle(lambda d: d.get("alone", unknown) / d["seconds"]),
        "lavaan_output_seconds": middle(lambda d: d.get("output", unknown)),
        "times_ours_output": middle(lambda d: d.get("output", unknown) / d["seconds"]),
        "pass_seconds": middle(lambda d: d["pass"]),
        "times_pass": middle(lambda d: d["seconds"] / d["pass"]),
        "peak_mb": middle(lambda d: d["peak_mb"], ".0f"),
        "mb_beyond_data": middle(lambda d: d["peak_mb"] - d["before_mb"], ".0f"),
        "lavaan_peak_mb": middle(lambda d: d.get("r_peak", unknown), ".0f"),
    }


def main(chosen: list[str], *, quick: bool) -> None:
    """Run the cases and write the table."""
    with_r = shutil.which("Rscript") is not None
    rows = []
    for name in chosen:
        rows.append(rounds_of(name, 1 if quick else CASES[name].rounds, with_r=with_r))
        print(rows[-1], flush=True)
    if set(chosen) == set(CASES) and not quick:
        with (HERE / "sem_speed.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], int(sys.argv[3]))
    else:
        words = [word for word in sys.argv[1:] if word != "--quick"]
        main(words or list(CASES), quick="--quick" in sys.argv)
