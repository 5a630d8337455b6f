"""Coverage of the 95 % intervals of two-level alpha and omega.

    python benchmarks/coverage/levels.py           # writes levels.csv, some minutes

Five items, one factor at each level; 10, 20 or 50 schools with 4 to 60 staff; ICC of the factor .15
or .30; answers normal, or cut into five skewed options (true values from 20 000 schools). Intervals
by the jackknife and the sandwich over schools, t on schools - 1. `coverage` has a standard error of
.01.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from collabsurvey.moments.clustered import within_group_sscp
from collabsurvey.multilevel.level_ratios import (
    alpha_ratios,
    omega_influence,
    omega_left_out,
    omega_parts,
    omega_ratios,
)
from collabsurvey.multilevel.levels import logged_interval
from collabsurvey.multilevel.reliability_levels import jackknife_errors
from collabsurvey.numerics.two_level_cov import TwoLevelMoments
from collabsurvey.numerics.two_level_errors import influences, left_out
from collabsurvey.numerics.two_level_fit import fit_one_factor, fit_saturated, saturated

N_ITEMS = 5
SCHOOLS = (10, 20, 50)
ICCS = (0.15, 0.30)
STAFF = (4, 6, 8, 10, 14, 16, 20, 24, 38, 60)
ANSWERS = ("normal", "five options")
CUTS = np.array([-1.6, -0.9, -0.2, 0.7])
REPLICATIONS, SEED = 400, 1


def draw(
    sizes: np.ndarray, icc: float, answers: str, generator: np.random.Generator
) -> TwoLevelMoments:
    """Per-school moments of one sample."""
    g = len(sizes)
    school = np.repeat(np.arange(g), sizes.astype(int))
    draws = generator.standard_normal
    factor = np.sqrt(icc) * draws(g)[school] + np.sqrt(1 - icc) * draws(len(school))
    own = np.sqrt(0.1 * icc) * draws((g, N_ITEMS))[school]
    x = 0.7 * factor[:, None] + own + 0.7 * draws((len(school), N_ITEMS))
    if answers != "normal":
        x = 1.0 + np.searchsorted(CUTS, x)
    pieces = within_group_sscp(x, school, g, np.ones(len(school)))
    return TwoLevelMoments(pieces.n, pieces.mean, pieces.sscp, np.ones(g))


def estimates(moments: TwoLevelMoments) -> dict[tuple[str, str], tuple[float, float]]:
    """Coefficients with their standard errors, by coefficient and method."""
    g = len(moments.n)
    size = float(g / np.sum(1 / moments.n))
    whole = fit_saturated(moments)
    factors = fit_one_factor(moments, whole)
    found = {}
    alphas, omegas = alpha_ratios(N_ITEMS, size), omega_ratios(size)
    parts = omega_parts(factors, whole, "model")
    for ratios, x, influence, without in (
        (
            alphas,
            whole.parameters,
            influences(moments, whole, saturated),
            left_out(moments, whole, saturated),
        ),
        (
            omegas,
            parts,
            omega_influence(moments, factors, whole, "model"),
            omega_left_out(moments, factors, whole, "model"),
        ),
    ):
        values = ratios.at(x)
        shifts = ratios.shifts(x, influence)
        errors = {
            "sandwich": np.sqrt((shifts**2).sum(axis=0) * g / (g - 1)),
            "jackknife": jackknife_errors(ratios.at(without), values),
        }
        for method, error in errors.items():
            for name, pair in zip(ratios.names, zip(values, error, strict=True), strict=True):
                found[name, method] = pair
    return found


def main() -> None:
    """Write the table."""
    generator = np.random.default_rng(SEED)
    rows = []
    for answers in ANSWERS:
        for icc in ICCS:
            large = draw(np.full(20_000, 20.0), icc, answers, generator)
            for schools in SCHOOLS:
                n = np.resize(np.array(STAFF, dtype=float), schools)
                # What depends on the number of staff is known for its harmonic mean.
                truth = true_values(large, float(schools / np.sum(1 / n)))
                samples = [estimates(draw(n, icc, answers, generator)) for _ in range(REPLICATIONS)]
                condition = {"answers": answers, "icc": icc, "schools": schools}
                rows += [condition | row for row in coverage(samples, truth, schools)]
                print(answers, icc, schools, flush=True)
    table = pd.DataFrame(rows).round(3)
    table.to_csv(Path(__file__).with_suffix(".csv"), index=False)


def coverage(
    samples: list[dict[tuple[str, str], tuple[float, float]]], truth: dict[str, float], schools: int
) -> list[dict[str, object]]:
    """One row a coefficient and method."""
    rows: list[dict[str, object]] = []
    for name, method in samples[0]:
        value = truth[name]
        limits = np.array(
            [
                logged_interval(*sample[name, method], n_clusters=schools, conf_level=0.95)
                for sample in samples
            ]
        )
        inside = (limits[:, 0] <= value) & (value <= limits[:, 1])
        rows.append(
            {
                "coefficient": name,
                "method": method,
                "truth": value,
                "coverage": inside.mean(),
                "width": np.median(limits[:, 1] - limits[:, 0]),
            }
        )
    return rows


def true_values(large: TwoLevelMoments, size: float) -> dict[str, float]:
    """Coefficients of a very large sample, for schools of `size`."""
    whole = fit_saturated(large)
    factors = fit_one_factor(large, whole)
    found = {}
    for ratios, x in (
        (alpha_ratios(N_ITEMS, size), whole.parameters),
        (omega_ratios(size), omega_parts(factors, whole, "model")),
    ):
        found |= dict(zip(ratios.names, ratios.at(x).tolist(), strict=True))
    return found


if __name__ == "__main__":
    main()
