"""What confirmatory models recover when they are true: estimates, errors, intervals, tests.

    python benchmarks/sem_recovery.py           # writes sem_recovery.csv; about twelve minutes
    python benchmarks/sem_recovery.py 20        # 20 samples a condition, prints, writes nothing

Two factors that correlate .4, five items each (loadings .8, .7, .7, .6, .5, unit variances). One
row a condition and estimator, two with two levels; the estimators of a condition meet the same
samples. Over all samples that converged: bias of loadings and of the correlation of the factors,
mean standard error over the spread of the estimates (`_se_ratio`), coverage of 95 % intervals, and
how often a test at .05 rejects the true model: `rejected` by the plain chi-square (with WLSMV no
chi-square at all), `rejected_scaled` by the corrected one, `rejected_difference` equal against
free loadings. `loading_*` are raw loadings with unit factors (in two groups: the first fixed at
1), `std_loading_*` standardised ones with delta-method errors; where categories are taken as
numbers raw loadings have no true value. Answers are synthetic.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import optimize

from collabsurvey.dimensionality import SemResult, cfa
from collabsurvey.dimensionality.sem.difference import step_test
from collabsurvey.errors import CollabSurveyError

HERE = Path(__file__).resolve().parent
SEED = 20260901
SIZES = (100, 300, 1000)
CATEGORIES = (3, 4, 5, 6)
SAMPLES, FEWER, FEWEST = 400, 300, 100  # fewer where a sample takes longer

WEIGHTS = np.array([0.8, 0.7, 0.7, 0.6, 0.5])
LOADINGS = np.kron(np.eye(2), WEIGHTS[:, None])  # (10, 2)
RHO = 0.4
PHI = np.array([[1.0, RHO], [RHO, 1.0]])
OWN = np.sqrt(1 - (LOADINGS**2).sum(axis=1))
SIGMA = LOADINGS @ PHI @ LOADINGS.T + np.diag(OWN**2)
ITEMS = [f"x{j}" for j in range(1, 11)]
MODEL = "f =~ x1 + x2 + x3 + x4 + x5\ng =~ x6 + x7 + x8 + x9 + x10"
TWO_LEVELS = f"level: 1\n{MODEL}\nlevel: 2\n{MODEL}"
SKEWNESS, EXCESS = 2.0, 7.0  # "moderately nonnormal" of Curran, West & Finch (1996)
SPREAD = np.array([1.0, 1.2])  # of the factors in two groups
SHARED = 0.2  # share of a factor's variance that lies between schools
SHARED_OWN = 0.1  # share of an item's own variance that does


@dataclass(frozen=True)
class Condition:
    """A way of drawing samples, the fits to compare on the same samples, and what is true."""

    answers: str
    n: int
    draw: Callable[[np.random.Generator, int], list[pd.DataFrame]]
    fits: dict[str, Callable[[pd.DataFrame], tuple[SemResult, float]]]
    truth: Callable[[SemResult], dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]
    samples: int = SAMPLES


# ---- samples -----------------------------------------------------------------------------


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal answers (..., 10) with the model's covariances."""
    factors = rng.standard_normal((*shape, 2)) @ np.linalg.cholesky(PHI).T
    return np.asarray(factors @ LOADINGS.T + rng.standard_normal((*shape, 10)) * OWN)


def cubic() -> np.ndarray:
    """Coefficients b, c, d of a cubic of a normal variable (Fleishman, 1978)."""

    def misses(w: np.ndarray) -> list[float]:
        b, c, d = w
        skewness = 2 * c * (b**2 + 24 * b * d + 105 * d**2 + 2)
        inner = b * d + c**2 * (1 + b**2 + 28 * b * d)
        excess = 24 * (inner + d**2 * (12 + 48 * b * d + 141 * c**2 + 225 * d**2))
        return [
            b**2 + 6 * b * d + 2 * c**2 + 15 * d**2 - 1,
            skewness - SKEWNESS,
            excess - EXCESS,
        ]

    return np.asarray(optimize.root(misses, [0.8, 0.3, 0.05], tol=1e-12).x)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Skewed answers with the model's covariances (Vale & Maurelli, 1983)."""
    b, c, d = cubic()
    r = SIGMA.copy()
    for _ in range(50):  # Newton: the normal correlations that become SIGMA
        value = r * (b**2 + 6 * b * d + 9 * d**2) + 2 * c**2 * r**2 + 6 * d**2 * r**3
        slope = (b**2 + 6 * b * d + 9 * d**2) + 4 * c**2 * r + 18 * d**2 * r**2
        r = r - (value - SIGMA) / slope
    np.fill_diagonal(r, 1.0)
    z = rng.standard_normal((*shape, 10)) @ np.linalg.cholesky(r).T
    return np.asarray(-c + b * z + c * z**2 + d * z**3)


def frames(x: np.ndarray, **columns: np.ndarray) -> list[pd.DataFrame]:
    """A frame for each sample of x (samples, n, 10)."""
    return [pd.DataFrame(one, columns=ITEMS).assign(**columns) for one in x]


def cuts(categories: int, shape: str) -> np.ndarray:
    """Thresholds: equal steps from -1.5 to 1.5, or all above the lower third of the scale."""
    inner = np.linspace(-1.5, 1.5, categories + 1)[1:-1]
    return inner if shape == "symmetric" else 0.6 * inner + 0.9


def left(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the people stop after item 3 to 9, the likelier the lower their first three.

    A fifth of the answers is missing, at random given those that are there.
    """
    early = x[..., :3].mean(axis=-1)
    early = early / early.std()
    gone = rng.random(early.shape) < 1 / (1 + np.exp(1.5 * early))
    last = np.where(gone, rng.integers(3, 10, early.shape), 10)
    return np.where(np.arange(10) < last[..., None], x, np.nan)


def schools(
    rng: np.random.Generator, samples: int, n: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Answers (samples, n, 10) of people in schools of equal size, and their schools (n,)."""
    where = np.arange(n) % count
    own = rng.standard_normal((samples, count, 10)) * OWN * np.sqrt(SHARED_OWN)
    factors = rng.standard_normal((samples, count, 2)) @ np.linalg.cholesky(PHI).T
    between = factors @ LOADINGS.T * np.sqrt(SHARED) + own
    factors = rng.standard_normal((samples, n, 2)) @ np.linalg.cholesky(PHI).T
    own = rng.standard_normal((samples, n, 10)) * OWN * np.sqrt(1 - SHARED_OWN)
    within = factors @ LOADINGS.T * np.sqrt(1 - SHARED) + own
    return between[:, where] + within, where


# ---- what is true ------------------------------------------------------------------------


def one_group(result: SemResult) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Raw loadings, standardised loadings, correlation."""
    weights = np.tile(WEIGHTS, 2)
    return {"all": (weights, weights, np.array([RHO]))}


def two_groups(result: SemResult) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The first loading is 1; factors of the second group are more spread, unless ordered."""
    spread = SPREAD if result.estimator != "WLSMV" else np.ones(2)
    scaled = [WEIGHTS * s / np.sqrt(WEIGHTS**2 * s**2 + 1 - WEIGHTS**2) for s in spread]
    standard = np.concatenate([np.tile(one, 2) for one in scaled])
    return {"all": (np.tile(WEIGHTS / WEIGHTS[0], 4), standard, np.full(2, RHO))}


def two_levels(result: SemResult) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Within and between schools, factors with unit variances at both."""
    out = {}
    for level, factor, own in (
        ("within", 1 - SHARED, 1 - SHARED_OWN),
        ("between", SHARED, SHARED_OWN),
    ):
        raw = WEIGHTS * np.sqrt(factor)
        standard = raw / np.sqrt(raw**2 + own * (1 - WEIGHTS**2))
        out[level] = (np.tile(raw, 2), np.tile(standard, 2), np.array([RHO]))
    return out


# ---- fits --------------------------------------------------------------------------------


def single(estimator: str, **options: object) -> Callable[[pd.DataFrame], tuple[SemResult, float]]:
    """One model."""
    return lambda frame: (cfa(frame, MODEL, estimator, std_lv=True, **options), np.nan)


def levels(estimator: str) -> Callable[[pd.DataFrame], tuple[SemResult, float]]:
    """The model within and between schools."""
    return lambda frame: (
        cfa(frame, TWO_LEVELS, estimator, cluster="school", std_lv=True),
        np.nan,
    )


def grouped(estimator: str) -> Callable[[pd.DataFrame], tuple[SemResult, float]]:
    """Equal loadings, tested against free ones."""

    def run(frame: pd.DataFrame) -> tuple[SemResult, float]:
        free = cfa(frame, MODEL, estimator, group="role")
        same = cfa(frame, MODEL, estimator, group="role", equal=("loadings",))
        return same, step_test(same.analysis, free.analysis).p_value

    return run


def conditions() -> list[Condition]:
    """Every condition, in the order of the table."""
    out = []
    complete = {name: single(name) for name in ("ML", "MLR", "MLM")}
    for n in SIZES:
        out.append(
            Condition("normal", n, lambda g, s, n=n: frames(normal(g, (s, n))), complete, one_group)
        )
    for n in SIZES:
        out.append(
            Condition("skewed", n, lambda g, s, n=n: frames(skewed(g, (s, n))), complete, one_group)
        )
    ordinal = {"WLSMV": single("WLSMV", ordered=True), "MLR as numbers": single("MLR")}
    for shape, categories in (("symmetric", CATEGORIES), ("skewed", (3, 5))):
        for k in categories:
            for n in SIZES:
                out.append(
                    Condition(
                        f"{k} categories, {shape}",
                        n,
                        lambda g, s, n=n, k=k, shape=shape: frames(
                            np.searchsorted(cuts(k, shape), normal(g, (s, n))) + 1.0
                        ),
                        ordinal,
                        one_group,
                        samples=FEWER,
                    )
                )
    gaps = {
        "ML listwise": single("ML"),
        "ML fiml": single("ML", missing="fiml"),
        "MLR fiml": single("MLR", missing="fiml"),
    }
    for n in SIZES:
        out.append(
            Condition(
                "a fifth missing",
                n,
                lambda g, s, n=n: frames(left(normal(g, (s, n)), g)),
                gaps,
                one_group,
                samples=FEWER,
            )
        )
    over = {"MLR": single("MLR"), "MLR over schools": single("MLR", cluster="school")}
    for n, count in ((100, 30), (300, 30), (1000, 30), (1000, 100)):
        out.append(Condition(f"{count} schools", n, _in_schools(n, count), over, one_group))
    for n in SIZES:
        out.append(
            Condition(
                "two groups, normal",
                n,
                _in_groups(n),
                {"ML": grouped("ML"), "MLR": grouped("MLR")},
                two_groups,
                samples=FEWER,
            )
        )
    for n in SIZES:
        out.append(
            Condition(
                "two groups, 4 categories",
                n,
                lambda g, s, n=n: frames(
                    np.searchsorted(cuts(4, "symmetric"), normal(g, (s, n))) + 1.0,
                    role=np.arange(n) % 2,
                ),
                {"WLSMV": grouped("WLSMV")},
                two_groups,
                samples=FEWER,
            )
        )
    both = {"ML": levels("ML"), "MLR": levels("MLR")}
    for n, count in ((300, 30), (1000, 50), (1000, 100)):
        out.append(
            Condition(
                f"two levels, {count} schools of {n // count}",
                n,
                _in_schools(n, count),
                both,
                two_levels,
                samples=FEWEST if n == 300 else FEWER,  # many steps where schools are few
            )
        )
    return out


def _in_schools(n: int, count: int) -> Callable[[np.random.Generator, int], list[pd.DataFrame]]:
    def draw(rng: np.random.Generator, samples: int) -> list[pd.DataFrame]:
        x, where = schools(rng, samples, n, count)
        return frames(x, school=where)

    return draw


def _in_groups(n: int) -> Callable[[np.random.Generator, int], list[pd.DataFrame]]:
    """Two groups of n / 2; the second has higher and more spread factors."""

    def draw(rng: np.random.Generator, samples: int) -> list[pd.DataFrame]:
        role = np.arange(n) % 2
        factors = rng.standard_normal((samples, n, 2)) @ np.linalg.cholesky(PHI).T
        factors = factors * SPREAD[role, None] + 0.3 * role[:, None]
        x = factors @ LOADINGS.T + rng.standard_normal((samples, n, 10)) * OWN
        return frames(x, role=role)

    return draw


# ---- the table ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Quantity:
    """Estimates, errors and limits (samples, k) of one kind of parameter."""

    true: np.ndarray  # (k,)
    found: np.ndarray  # (samples, 4, k): estimate, std_error, ci_low, ci_high

    def columns(self, name: str, *, known: bool = True) -> dict[str, float]:
        """Bias, errors over spread, coverage, over the samples with errors."""
        usable = np.isfinite(self.found).all(axis=(1, 2))
        estimate, error, low, high = np.moveaxis(self.found[usable], 1, 0)
        spread = estimate.std(axis=0, ddof=1)
        covered = (low <= self.true) & (self.true <= high)
        return {
            f"{name}_bias": (estimate - self.true).mean() if known else np.nan,
            f"{name}_se_ratio": (error.mean(axis=0) / spread).mean(),
            f"{name}_coverage": covered.mean() if known else np.nan,
        }


def picked(frame: pd.DataFrame, op: str, part: str) -> np.ndarray:
    """Estimates, errors and limits (4, k) of loadings or of correlations of factors."""
    rows = frame["op"] == op
    if op == "~~":
        rows &= (frame["lhs"] == "f") & (frame["rhs"] == "g")
    if part != "all":
        rows &= frame["level"] == (1 if part == "within" else 2)
    return frame.loc[rows, ["estimate", "std_error", "ci_low", "ci_high"]].to_numpy().T


def rows_of(condition: Condition, samples: int, seed: int) -> list[dict[str, object]]:
    """The rows of one condition: one an estimator, two with two levels."""
    drawn = condition.draw(np.random.default_rng(seed), samples)
    out = []
    for name, run in condition.fits.items():
        start = time.perf_counter()
        found: list[tuple[SemResult, float]] = []
        refused = not_converged = 0
        for frame in drawn:
            try:
                result, p = run(frame)
            except CollabSurveyError as error:
                print(f"refused: {error}", file=sys.stderr)
                refused += 1
                continue
            if result.converged:
                found.append((result, p))
            else:
                not_converged += 1
        seconds = (time.perf_counter() - start) / samples
        if not found:
            continue
        fits = [one for one, _ in found]
        differences = np.array([p for _, p in found])
        head = {
            "answers": condition.answers,
            "n": condition.n,
            "estimator": name,
            "part": "all",
            "samples": samples,
            "refused": refused / samples,
            "not_converged": not_converged / samples,
            "improper": np.mean([bool(one.improper) for one in fits]),
            "no_errors": np.mean([bool(np.isnan(one.vcov).any()) for one in fits]),
        }
        tests = {
            "rejected": rejected([one.fit["p_value"] for one in fits]),
            "rejected_scaled": rejected([one.fit.get("p_value_scaled", np.nan) for one in fits]),
            "rejected_difference": rejected(differences),
            "no_difference": np.isnan(differences).mean() if "group" in condition.answers else 0.0,
        }
        standard = [one.standardised() for one in fits]
        for part, (raw, std, rho) in condition.truth(fits[0]).items():
            out.append(
                head
                | {"part": part}
                | quantity(raw, [one.estimates for one in fits], "=~", part).columns(
                    "loading", known="numbers" not in name
                )
                | quantity(std, standard, "=~", part).columns("std_loading")
                | quantity(rho, standard, "~~", part).columns("correlation")
                | tests
                | {"ms": 1000 * seconds}
            )
    return out


def quantity(true: np.ndarray, tables: list[pd.DataFrame], op: str, part: str) -> Quantity:
    """Stack one kind of parameter over samples, without the fixed ones."""
    found = np.stack([picked(one, op, part) for one in tables])
    free = (found[:, 1] != 0).any(axis=0)
    return Quantity(true[free], found[:, :, free])


def rejected(p: list[float] | np.ndarray) -> float:
    """Share of tests that reject at .05; NaN where there are none."""
    known = np.asarray(p, dtype=float)
    known = known[np.isfinite(known)]
    return float((known < 0.05).mean()) if len(known) else np.nan


def main(samples: int | None) -> None:
    """Every condition; written unless a number of samples was given."""
    warnings.simplefilter("ignore")
    rows = []
    for k, condition in enumerate(conditions()):
        count = samples or condition.samples
        for row in rows_of(condition, count, SEED + k):
            print({key: _short(value) for key, value in row.items()}, file=sys.stderr, flush=True)
            row.pop("ms")  # depends on the machine
            rows.append({key: _short(value) for key, value in row.items()})
    if samples is None:
        table = pd.DataFrame(rows).assign(synthetic=True)
        table.to_csv(HERE / "sem_recovery.csv", index=False)


def _short(value: object) -> object:
    return round(float(value), 4) if isinstance(value, float | np.floating) else value


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
