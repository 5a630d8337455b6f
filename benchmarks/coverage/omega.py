"""Coverage of 95 % intervals of omega, with respondents on their own and in schools.

    python benchmarks/coverage/omega.py           # writes omega.csv beside it, half an hour
    python benchmarks/coverage/omega.py 200 hierarchical    # one kind again

total: five items of one factor, loadings .5 to .8. categorical: the same, cut into four
answers. hierarchical: twelve items of a general factor (.55) and three group factors (.5 on
four items each), Schmid-Leiman of three oblimin factors. The schools' share of the (general)
factor is `icc`. `coverage` is the share of replications whose interval holds the true value
(its own standard error is .013 at 300 replications and .015 at 200), `width` the median
width, `bias` the mean estimate less the true value.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from collabsurvey.dimensionality.one_factor import OneFactor
from collabsurvey.moments.resampled import Resampler
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.omega_categorical import categorical_coefficients, padded_cuts
from collabsurvey.reliability.omega_interval import (
    Plan,
    Sampled,
    Statistic,
    Weights,
    intervals,
)
from collabsurvey.reliability.omega_statistics import (
    categorical_statistic,
    hierarchical_statistic,
    one_factor_statistic,
)
from collabsurvey.reliability.schmid_leiman import group_factors, home_factor

LOADINGS = np.array([0.5, 0.6, 0.7, 0.7, 0.8])
CUTS = np.array([-0.5, 0.5, 1.2])
GENERAL, GROUP = np.full(12, 0.55), np.full(12, 0.5)
DESIGNS = ((100, 1, 0.0), (300, 1, 0.0), (10, 30, 0.1), (20, 30, 0.1), (40, 30, 0.1))
METHODS = {
    "jackknife": ("jackknife", "percentile"),
    "bootstrap, percentile": ("bootstrap", "percentile"),
    "bootstrap, bca": ("bootstrap", "bca"),
    "bootstrap, studentised": ("bootstrap", "studentised"),
}
KINDS = ("total", "categorical", "hierarchical")
REPLICATIONS, N_BOOT, SEED = 300, 500, 1


def draw(kind: str, n: int, school: FloatArray, icc: float, rng: np.random.Generator) -> FloatArray:
    """Answers (n, k) of one sample."""
    own = rng.standard_normal(n)
    factor = np.sqrt(icc) * rng.standard_normal(n)[school] + np.sqrt(1 - icc) * own
    if kind == "hierarchical":
        special = rng.standard_normal((n, 3))[:, np.repeat([0, 1, 2], 4)]
        noise = np.sqrt(1 - GENERAL**2 - GROUP**2) * rng.standard_normal((n, 12))
        return np.asarray(GENERAL * factor[:, None] + GROUP * special + noise)
    noise = np.sqrt(1 - LOADINGS**2) * rng.standard_normal((n, 5))
    answers = LOADINGS * factor[:, None] + noise
    return np.digitize(answers, CUTS).astype(float) if kind == "categorical" else answers


def truth(kind: str) -> float:
    """Omega of the population."""
    if kind == "total":
        return float(LOADINGS.sum() ** 2 / (LOADINGS.sum() ** 2 + (1 - LOADINGS**2).sum()))
    if kind == "hierarchical":
        unique = (1 - GENERAL**2 - GROUP**2).sum()
        general = GENERAL.sum() ** 2
        return float(general / (general + 3 * (4 * 0.5) ** 2 + unique))
    cors = np.outer(LOADINGS, LOADINGS)
    np.fill_diagonal(cors, 1.0)
    fit = OneFactor(
        LOADINGS[None],
        1 - LOADINGS[None] ** 2,
        np.zeros(1),
        np.ones(1, bool),
        np.zeros((1, 5), bool),
    )
    cuts = padded_cuts([CUTS] * 5, [np.arange(4.0)] * 5)
    return float(categorical_coefficients(cuts, cors[None], fit)[0, 0])


def statistic_of(kind: str, source: Resampler, *, with_errors: bool) -> Statistic:
    """Return the statistic, its first coefficient only."""
    if kind == "total":
        every = one_factor_statistic(source, "ml", with_errors=with_errors)
    elif kind == "categorical":
        every = categorical_statistic(source, np.ones(5))
    else:
        found = group_factors(
            np.corrcoef(source.x.T), 3, structure="schmid_leiman", extraction="minres",
            rotation="oblimin", seed=1,
        )  # fmt: skip
        every = hierarchical_statistic(
            source, found, home_factor(found.groups[0]), structure="schmid_leiman",
            extraction="minres", rotation="oblimin", observed=True,
        )  # fmt: skip

    seen: dict[bytes, Sampled] = {}

    def first(weights: Weights) -> Sampled:
        """The same resamples serve several methods, so they are remembered."""
        key = weights.tobytes()
        if key not in seen:
            values, errors, bound = every(weights)
            some = None if errors is None else errors[:, :1]
            seen[key] = Sampled(values[:, :1], some, bound)
        return seen[key]

    return first


def condition(
    kind: str, design: tuple[int, int, float], replications: int
) -> list[dict[str, object]]:
    """Rows of the table for one design."""
    groups, staff, icc = design
    rng = np.random.default_rng(SEED)
    school = np.repeat(np.arange(groups), staff)
    n = len(school)
    true = truth(kind)
    methods = {m: how for m, how in METHODS.items() if kind == "total" or how[1] != "studentised"}
    limits: dict[str, list[tuple[float, float]]] = {method: [] for method in methods}
    estimates = []
    for seed in range(replications):
        x = draw(kind, n, school, icc, rng)
        codes = None if staff == 1 else school
        unit = "respondents" if codes is None else "clusters"
        source = Resampler(
            tuple(map(str, range(x.shape[1]))), x, np.ones(n), codes, unit, "school", 0
        )  # fmt: skip
        plain = statistic_of(kind, source, with_errors=False)
        estimate = plain(np.ones((1, n)))[0][0]
        estimates.append(float(estimate[0]))
        for method, (ci, bootstrap) in methods.items():
            own = plain
            if bootstrap == "studentised":
                own = statistic_of(kind, source, with_errors=True)
            plan = Plan(ci, bootstrap, 0.95, N_BOOT, seed)  # type: ignore[arg-type]
            found = intervals(source, estimate, own, plan, label="", show_progress=False)
            limits[method].append((float(found.low[0]), float(found.high[0])))
    rows: list[dict[str, object]] = []
    for method, pairs in limits.items():
        ends = np.array(pairs)
        there = np.isfinite(ends).all(axis=1)
        holds = (ends[:, 0] <= true) & (true <= ends[:, 1])
        rows.append(
            {
                "kind": kind,
                "schools": groups if staff > 1 else None,
                "respondents": n,
                "icc": icc,
                "method": method,
                "coverage": holds[there].mean(),
                "width": np.median(ends[there, 1] - ends[there, 0]),
                "bias": np.mean(estimates) - true,
                "no_interval": (~there).mean(),
                "replications": replications,
            }
        )
    return rows


def main() -> None:
    """Write the table; arguments: replications, then the kinds to be done again (all)."""
    replications = int(sys.argv[1]) if len(sys.argv) > 1 else REPLICATIONS
    kinds = sys.argv[2:] or list(KINDS)
    path = Path(__file__).with_suffix(".csv")
    rows: list[dict[str, object]] = []
    if path.exists():
        kept = pd.read_csv(path)
        rows = kept[~kept["kind"].isin(kinds)].to_dict("records")
    for kind in kinds:
        for design in DESIGNS:
            rows += condition(kind, design, replications)
            table = pd.DataFrame(rows).round(3).astype({"schools": "Int64"})
            table.to_csv(path, index=False)
            print(kind, design, flush=True)


if __name__ == "__main__":
    main()
