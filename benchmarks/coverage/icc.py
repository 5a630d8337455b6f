"""Coverage of the 95 % intervals of ICC(1) and ICC(2).

    python benchmarks/coverage/icc.py           # writes icc.csv, a few minutes

10, 20 or 50 schools with 20 staff each, or with 4 to 60 (20 on average); staff always normal, the
differences between schools normal or skewed (exponential). The three intervals of `multilevel.icc`:
"f" of the analysis of variance with n0, "wald" and "jackknife". ICC(2) is the reliability of the
mean of a school of mean size. `coverage` has a standard error of .005.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from collabsurvey.multilevel.icc import jackknife_limits, stepped_up, wald_limits
from collabsurvey.numerics.intervals import anova_icc_interval
from collabsurvey.numerics.oneway import one_way

SCHOOLS = (10, 20, 50)
ICCS = (0.05, 0.15, 0.30)
STAFF = {"equal": (20,), "unequal": (4, 6, 8, 10, 14, 16, 20, 24, 38, 60)}
EFFECTS = ("normal", "skewed")
REPLICATIONS, SEED = 2000, 1


def draw(
    sizes: np.ndarray, icc: float, effects: str, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Means and within sums of squares of one sample of schools."""
    g = len(sizes)
    between = generator.standard_normal(g)
    if effects == "skewed":
        between = generator.standard_exponential(g) - 1
    mean = np.sqrt(icc) * between + np.sqrt((1 - icc) / sizes) * generator.standard_normal(g)
    return mean, (1 - icc) * generator.chisquare(sizes - 1)


def intervals(n: np.ndarray, mean: np.ndarray, ss: np.ndarray) -> dict[tuple[str, str], tuple]:
    """Limits by method and coefficient."""
    found = one_way(n, mean, ss)
    size = found.n0
    limits = anova_icc_interval(
        np.array(found.f_statistic),
        df1=np.array(float(found.df1)),
        df2=np.array(float(found.df2)),
        size=np.array(size),
        conf_level=0.95,
    )
    low, high = (float(limit) for limit in limits)
    wald = wald_limits(n, mean, ss, conf_level=0.95)
    without = jackknife_limits(n, mean, ss, name="y", conf_level=0.95)
    step = found.mean_size
    return {
        ("f", "icc1"): (low, high),
        ("f", "icc2"): (stepped_up(low, size), stepped_up(high, size)),
        ("wald", "icc1"): (wald[0], wald[1]),
        ("wald", "icc2"): (stepped_up(wald[0], step), stepped_up(wald[1], step)),
        ("jackknife", "icc1"): without,
        ("jackknife", "icc2"): (stepped_up(without[0], size), stepped_up(without[1], size)),
    }


def main() -> None:
    """Write the table."""
    generator = np.random.default_rng(SEED)
    rows = []
    for schools in SCHOOLS:
        for staff, pattern in STAFF.items():
            n = np.resize(np.array(pattern, dtype=float), schools)
            for icc in ICCS:
                truth = {"icc1": icc, "icc2": stepped_up(icc, float(n.mean()))}
                for effects in EFFECTS:
                    samples = [
                        intervals(n, *draw(n, icc, effects, generator)) for _ in range(REPLICATIONS)
                    ]
                    for method, coefficient in samples[0]:
                        limits = np.array([sample[method, coefficient] for sample in samples])
                        inside = (limits[:, 0] <= truth[coefficient]) & (
                            truth[coefficient] <= limits[:, 1]
                        )
                        rows.append(
                            {
                                "schools": schools,
                                "staff": staff,
                                "icc": icc,
                                "effects": effects,
                                "method": method,
                                "coefficient": coefficient,
                                "coverage": inside.mean(),
                                "width": np.median(limits[:, 1] - limits[:, 0]),
                            }
                        )
        print(schools, flush=True)
    table = pd.DataFrame(rows).round(3)
    table.to_csv(Path(__file__).with_suffix(".csv"), index=False)


if __name__ == "__main__":
    main()
