"""Coverage of 95 % intervals of alpha when staff sit in schools.

    python benchmarks/coverage_alpha.py           # writes coverage_alpha.csv, about ten minutes

Five items with a common factor, part of which is shared by a school, so that the scale
score has the stated intraclass correlation; true alpha .80; 30 staff in each school.
`coverage` is the share of replications whose interval holds the true alpha (its own
standard error is .007), `width` the median width.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from collabsurvey.moments import ClusterMoments
from collabsurvey.moments.covariance import within_group_sscp
from collabsurvey.numerics.intervals import feldt_interval
from collabsurvey.numerics.itemstats import coefficient_alpha
from collabsurvey.reliability.cluster_alpha import bootstrap_interval, jackknife_interval

N_ITEMS, STAFF, LOADING = 5, 30, 0.67
ALPHA = N_ITEMS * LOADING**2 / (1 + (N_ITEMS - 1) * LOADING**2)
SCHOOLS = (3, 5, 8, 10, 20, 40)
ICCS = (0.09, 0.17, 0.26)  # of the scale score
REPLICATIONS, N_BOOT, SEED = 1000, 1000, 1


def draw(n_schools: int, icc: float, generator: np.random.Generator) -> ClusterMoments:
    """Per-school moments of one sample."""
    school = np.repeat(np.arange(n_schools), STAFF)
    shared = icc / ALPHA  # of the factor, so that the score has `icc`
    factor = np.sqrt(shared) * generator.standard_normal(n_schools)[school]
    factor += np.sqrt(1 - shared) * generator.standard_normal(len(school))
    error = generator.standard_normal((len(school), N_ITEMS))
    answers = LOADING * factor[:, None] + np.sqrt(1 - LOADING**2) * error
    pieces = within_group_sscp(answers, school, n_schools, np.ones(len(school)))
    return ClusterMoments(
        items=tuple("abcde"),
        clusters=tuple(map(str, range(n_schools))),
        n=pieces.n,
        mean=pieces.mean,
        sscp=pieces.sscp,
        n_complete=len(school),
        n_without_cluster=0,
    )


def intervals(moments: ClusterMoments, seed: int) -> dict[str, tuple[float, float]]:
    """Limits by every method."""
    estimate = coefficient_alpha(moments.pooled()[1])
    n = int(moments.n.sum())
    found = {"feldt": feldt_interval(estimate, k=N_ITEMS, n=n, conf_level=0.95)}
    jackknife = jackknife_interval(moments, estimate=estimate, conf_level=0.95)
    found["jackknife"] = (jackknife.ci_low, jackknife.ci_high)
    for kind in ("studentised", "percentile", "bca"):
        limits = bootstrap_interval(
            moments, estimate=estimate, kind=kind, conf_level=0.95, n_boot=N_BOOT, seed=seed
        )
        found[f"bootstrap, {kind}"] = (limits.ci_low, limits.ci_high)
    return found


def main() -> None:
    """Write the table."""
    generator = np.random.default_rng(SEED)
    rows = []
    for n_schools in SCHOOLS:
        for icc in ICCS:
            samples = [
                intervals(draw(n_schools, icc, generator), seed) for seed in range(REPLICATIONS)
            ]
            for method in samples[0]:
                limits = np.array([sample[method] for sample in samples])
                rows.append(
                    {
                        "schools": n_schools,
                        "staff": STAFF,
                        "icc": icc,
                        "method": method,
                        "coverage": np.mean((limits[:, 0] <= ALPHA) & (limits[:, 1] >= ALPHA)),
                        "width": np.median(limits[:, 1] - limits[:, 0]),
                    }
                )
            print(n_schools, icc, flush=True)
    table = pd.DataFrame(rows).round(3)
    table.to_csv(Path(__file__).with_suffix(".csv"), index=False)


if __name__ == "__main__":
    main()
