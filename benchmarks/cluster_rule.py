"""How often a condition without effect looks significant when the model leaves its unit out.

Pupils in 12 schools and 3 cohorts; the condition varies from cohort to cohort of a school and
has no effect. Writes cluster_rule.csv: share of p < .05 for each model.

    python benchmarks/cluster_rule.py
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import collabsurvey as cs

N_SCHOOLS, N_COHORTS, N_PUPILS = 12, 3, 30
SD_SCHOOL, SD_COHORT = 0.35, 0.35  # of schools, and of a school's cohorts; pupils have 1
REPETITIONS = 1000
SEED = 20260901
MODELS = {
    "y ~ x + (1 | school)": None,
    "y ~ x + (1 | school:cohort)": None,
    "y ~ x": "school",
}


def draw(rng: np.random.Generator) -> pd.DataFrame:
    """One data set: y of pupils, x of a school's cohort, unrelated."""
    school, cohort, _ = (a.ravel() for a in np.indices((N_SCHOOLS, N_COHORTS, N_PUPILS)))
    unit = school * N_COHORTS + cohort
    y = (
        rng.normal(0, SD_SCHOOL, N_SCHOOLS)[school]
        + rng.normal(0, SD_COHORT, N_SCHOOLS * N_COHORTS)[unit]
        + rng.normal(size=len(unit))
    )
    x = rng.normal(size=N_SCHOOLS * N_COHORTS)[unit]
    return pd.DataFrame({"school": school, "cohort": cohort, "x": x, "y": y})


def main() -> None:
    """Count false positives and write the table."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(SEED)
    false = dict.fromkeys(MODELS, 0)
    for _ in range(REPETITIONS):
        data = draw(rng)
        for formula, cluster in MODELS.items():
            fit = (
                cs.regression.mixed(formula, data)
                if cluster is None
                else cs.regression.ols(formula, data, cluster=cluster)
            )
            p = fit.estimates.set_index("term").loc["x", "p_value"]
            false[formula] += int(p < 0.05)
    rows = [
        {
            "model": formula if cluster is None else f"{formula}, CR2 by {cluster}",
            "false_positives": false[formula] / REPETITIONS,
            "repetitions": REPETITIONS,
            "seed": SEED,
        }
        for formula, cluster in MODELS.items()
    ]
    table = pd.DataFrame(rows)
    table.to_csv(Path(__file__).with_suffix(".csv"), index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
