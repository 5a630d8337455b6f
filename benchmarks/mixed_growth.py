"""How the time of a mixed model grows: with rows in the pass over them, with schools after it.

    python benchmarks/mixed_growth.py    # writes mixed_growth.csv, about half a minute

A random slope is fitted to simulated pupils in schools. `seconds` is the whole call, from a table
in memory to the finished result; `after_pass` repeats what follows the pass over the rows, from
the per-school products that the result keeps. The median of three runs.
"""

from __future__ import annotations

import csv
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from collabsurvey.numerics.mixed import GroupProducts, fit_mixed
from collabsurvey.regression import mixed

HERE = Path(__file__).resolve().parent
DESIGNS = [
    (10_000, 1_000), (100_000, 1_000), (1_000_000, 1_000),
    (1_000_000, 100), (1_000_000, 10_000), (1_000_000, 50_000),
]  # fmt: skip


def simulated(rows: int, schools: int, seed: int) -> pd.DataFrame:
    """Pupils in schools of about equal size, with intercepts and slopes that differ."""
    rng = np.random.default_rng(seed)
    school = rng.integers(0, schools, rows)
    x = rng.standard_normal(rows)
    intercept, slope = 0.4 * rng.standard_normal(schools), 0.2 * rng.standard_normal(schools)
    y = intercept[school] + (0.5 + slope[school]) * x + rng.standard_normal(rows)
    return pd.DataFrame({"y": y, "x": x, "school": school})


def main() -> None:
    """Time every design and write the table."""
    warnings.simplefilter("ignore")
    mixed("y ~ x + (1 + x | school)", simulated(1_000, 50, 0))
    lines = []
    for rows, schools in DESIGNS:
        frame = simulated(rows, schools, rows + schools)
        whole, after = [], []
        for _ in range(3):
            start = time.perf_counter()
            result = mixed("y ~ x + (1 + x | school)", frame)
            whole.append(time.perf_counter() - start)
            products = result.products
            if not isinstance(products, GroupProducts):
                raise TypeError(type(products))
            start = time.perf_counter()
            fit_mixed(products, correlated=True)
            after.append(time.perf_counter() - start)
        lines.append((rows, schools, f"{median(whole):.3g}", f"{median(after):.3g}"))
        print(*lines[-1])
    with (HERE / "mixed_growth.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["rows", "schools", "seconds", "after_pass"])
        writer.writerows(lines)


if __name__ == "__main__":
    main()
