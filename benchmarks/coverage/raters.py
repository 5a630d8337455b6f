"""Coverage of 95 % intervals of rater coefficients and of a retest, by simulation.

    python benchmarks/coverage/raters.py           # writes raters.csv beside it, some minutes

Columns:
case, condition, coefficient, method, replications, coverage, below (share of intervals that
lie wholly above the truth), width.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from collabsurvey.numerics.category_agreement import (
    agreement_weights,
    category_counts,
    chance_corrected,
    cohen_kappa,
    two_way_table,
)
from collabsurvey.numerics.coincidence import alphas, resampled_alphas, units
from collabsurvey.numerics.crossed import Crossed, mean_squares, reml, reml_oneway
from collabsurvey.numerics.intervals import normal_quantile, t_quantile
from collabsurvey.numerics.rater_icc import complete_family, incomplete_family
from collabsurvey.numerics.resampling import percentile_interval
from collabsurvey.numerics.retest import NAMES, jackknife_limits, statistics, totals
from collabsurvey.reliability.raters.result import fisher_limits, symmetric_limits

LEVEL = 0.95
Row = tuple[str, str, float, float, float]  # coefficient, method, truth, low, high


def incomplete_icc(
    rng: np.random.Generator, n: int, r: int, k: tuple[int, int], target: float, rater: float
) -> Iterator[Row]:
    """Each of n targets rated by k[0] to k[1] of r raters; variances add up to 1."""
    who = [rng.choice(r, rng.integers(k[0], k[1] + 1), replace=False) for _ in range(n)]
    t = np.repeat(np.arange(n), [len(x) for x in who])
    j = np.unique(np.concatenate(who), return_inverse=True)[1]
    y = rng.normal(0, target**0.5, n)[t] + rng.normal(0, rater**0.5, r)[j]
    y += rng.normal(0, (1 - target - rater) ** 0.5, len(t))
    data = Crossed(y, t, j)
    complete = data.balanced
    if complete:
        table = np.empty((n, r))
        table[t, j] = y
        family = complete_family(*mean_squares(table), n=n, k=r, conf_level=LEVEL, program="psych")
    else:
        family = incomplete_family(
            data, reml_oneway(data), reml(data), conf_level=LEVEL, program="psych"
        )
    truth = {"icc_2_1": target, "icc_3_1": target / (1 - rater)}
    methods = {"icc_2_1": "F, harmonic means", "icc_3_1": "Wald"}
    for name, value in truth.items():
        found = family[name]
        yield name, "F" if complete else methods[name], value, found.low, found.high


def oneway_icc(
    rng: np.random.Generator, n: int, k: tuple[int, int], target: float
) -> Iterator[Row]:
    """Each of n targets rated by k[0] to k[1] other people."""
    size = rng.integers(k[0], k[1] + 1, n)
    t = np.repeat(np.arange(n), size)
    y = rng.normal(0, target**0.5, n)[t] + rng.normal(0, (1 - target) ** 0.5, len(t))
    data = Crossed(y, t, np.arange(len(t)))
    family = incomplete_family(data, reml_oneway(data), None, conf_level=LEVEL, program="psych")
    yield "icc_1_1", "Wald", target, family["icc_1_1"].low, family["icc_1_1"].high


def retest(
    rng: np.random.Generator, schools: int, staff: int, school: float, change: float
) -> Iterator[Row]:
    """Scores twice; `school` and `change` are variances between schools of level and change."""
    codes = np.repeat(np.arange(schools), staff)
    n = schools * staff
    person, error = 0.7 - school, 0.3
    true = rng.normal(0, person**0.5, n) + rng.normal(0, school**0.5, schools)[codes]
    x = true + rng.normal(0, error**0.5, n)
    y = true + rng.normal(0, error**0.5, n) + rng.normal(0, change**0.5, schools)[codes]
    shared, both = 0.7, 2.0 + change
    truth = {"icc_2_1": 2 * shared / both, "bias": 0.0, "sd_difference": (0.6 + change) ** 0.5}
    truth["limit_high"] = normal_quantile(0.975) * truth["sd_difference"]
    estimate = statistics(totals(x, y))[0]
    _, low, high = jackknife_limits(
        totals(x, y, codes), estimate, t_quantile((1 + LEVEL) / 2, schools - 1)
    )
    for name, value in truth.items():
        j = NAMES.index(name)
        yield name, "jackknife over schools", value, low[j], high[j]
    family = complete_family(
        *mean_squares(np.column_stack([x, y])), n=n, k=2, conf_level=LEVEL, program="psych"
    )["icc_2_1"]
    yield "icc_2_1", "F, people independent", truth["icc_2_1"], family.low, family.high
    sd = estimate[NAMES.index("sd_difference")]
    reach = t_quantile((1 + LEVEL) / 2, n - 1) * sd / n**0.5
    bias = estimate[NAMES.index("bias")]
    yield "bias", "t, people independent", 0.0, bias - reach, bias + reach


def categories(
    rng: np.random.Generator, n: int, r: int, loading: float, cuts: tuple[float, ...]
) -> np.ndarray:
    """Categories of n targets by r raters who see the same thing with error (n, r)."""
    latent = loading**0.5 * rng.normal(size=(n, 1)) + (1 - loading) ** 0.5 * rng.normal(size=(n, r))
    return np.searchsorted(np.array(cuts), latent).astype(np.int64)


def coefficients_of_categories(codes: np.ndarray, q: int, boot: int, seed: int) -> Iterator[Row]:
    """Each coefficient with its interval; the truth is put in later."""
    n, r = codes.shape
    if r == 2:
        for kind in (None, "quadratic"):
            table = two_way_table(codes[:, 0], codes[:, 1], q)
            found = cohen_kappa(table, agreement_weights(np.arange(float(q)), kind))
            name, k, error = f"kappa, {kind or 'unweighted'}", found.estimate, found.std_error
            for ci, (low, high) in {
                "Fleiss, Cohen & Everitt": symmetric_limits(k, error, LEVEL),
                "the same on Fisher's z": fisher_limits(k, error, n, LEVEL),
            }.items():
                yield name, ci, k, low - k, high - k
    target = np.repeat(np.arange(n), r)
    counts = category_counts(target, codes.ravel(), n, q)
    for rule in ("fleiss", "gwet"):
        found = chance_corrected(counts, np.eye(q), rule)
        reach = t_quantile((1 + LEVEL) / 2, n - 1) * found.std_error
        yield rule, "linearised, t", found.estimate, -reach, reach
    cases = units(target, codes.ravel(), np.arange(float(q)))
    estimate = float(alphas(cases, "ordinal", cases.times[None, :])[0])
    if boot:
        draws = np.concatenate(list(resampled_alphas(cases, "ordinal", n_draws=boot, seed=seed)))
        low, high = percentile_interval(draws[~np.isnan(draws)], conf_level=LEVEL)
    else:
        low = high = estimate
    yield "krippendorff, ordinal", "percentile", estimate, low - estimate, high - estimate


def category_rows(
    rng: np.random.Generator, n: int, r: int, loading: float, cuts: tuple[float, ...]
) -> Iterator[Row]:
    """Intervals of one sample against the values of a sample of 400 000 targets."""
    q = len(cuts) + 1
    key = (r, loading, cuts)
    if key not in TRUTH:
        large = categories(np.random.default_rng(99), 400_000, r, loading, cuts)
        TRUTH[key] = {row[0]: row[2] for row in coefficients_of_categories(large, q, 0, 0)}
    codes = categories(rng, n, r, loading, cuts)
    if len(np.unique(codes)) < q:
        return
    for name, method, estimate, low, high in coefficients_of_categories(
        codes, q, 500, int(rng.integers(2**31))
    ):
        yield name, method, TRUTH[key][name], estimate + low, estimate + high


TRUTH: dict[tuple[object, ...], dict[str, float]] = {}
EVEN, SKEW = (-0.8, 0.0, 0.8), (0.6, 1.2, 1.8)
CASES = [
    *(
        (
            "raters",
            f"{n} targets, {k[0]}–{k[1]} of {r} raters, ICC {a}, rater {b}",
            incomplete_icc,
            (n, r, k, a, b),
        )
        for n, r, k, a, b in (
            (30, 4, (4, 4), 0.5, 0.15),
            (30, 4, (2, 2), 0.5, 0.15),
            (30, 6, (3, 3), 0.5, 0.15),
            (60, 10, (2, 2), 0.5, 0.15),
            (60, 10, (1, 4), 0.5, 0.15),
            (60, 10, (2, 2), 0.7, 0.0),
            (60, 30, (2, 2), 0.5, 0.15),
            (100, 20, (3, 3), 0.3, 0.2),
            (20, 5, (2, 5), 0.5, 0.3),
        )
    ),
    *(
        ("one-way", f"{n} targets, {k[0]}–{k[1]} raters each, ICC {a}", oneway_icc, (n, k, a))
        for n, k, a in ((20, (1, 5), 0.3), (60, (1, 4), 0.5), (60, (2, 10), 0.1))
    ),
    *(
        ("retest", f"{g} schools of {m}, school {s}, change {c}", retest, (g, m, s, c))
        for g, m, s, c in (
            (5, 30, 0.1, 0.05),
            (10, 30, 0.1, 0.0),
            (10, 30, 0.1, 0.05),
            (20, 30, 0.2, 0.05),
            (40, 30, 0.1, 0.05),
        )
    ),
    *(
        (
            "categories",
            f"{n} targets, {r} raters, correlation {a}, {word}",
            category_rows,
            (n, r, a, cuts),
        )
        for n, r, a in ((30, 2, 0.6), (100, 2, 0.6), (30, 4, 0.6), (100, 4, 0.8))
        for word, cuts in (("even", EVEN), ("skewed", SKEW))
    ),
]


def main(replications: int) -> None:
    """Run every case and write the table."""
    out = Path(__file__).with_suffix(".csv")
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        head = "case condition coefficient method replications coverage below width"
        writer.writerow(head.split())
        for case, condition, draw, options in CASES:
            rng = np.random.default_rng(20260727)
            found: dict[tuple[str, str], list[tuple[bool, bool, float]]] = defaultdict(list)
            for _ in range(replications):
                for name, method, truth, low, high in draw(rng, *options):
                    found[name, method].append((low <= truth <= high, truth < low, high - low))
            for (name, method), rows in found.items():
                cover, below, width = np.mean(rows, axis=0)
                numbers = [round(cover, 3), round(below, 3), round(width, 3)]
                writer.writerow([case, condition, name, method, len(rows), *numbers])
            file.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
