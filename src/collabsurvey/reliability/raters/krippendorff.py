"""Krippendorff's alpha: any number of raters, any level of measurement, ratings missing.

Sources: Krippendorff (2004) Content Analysis, ch. 11; Hayes & Krippendorff (2007)
doi:10.1080/19312450709336664; Zapf, Castell, Morawietz & Karch (2016)
doi:10.1186/s12874-016-0200-9 for the interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from collabsurvey.errors import DataError, NoVarianceError, OptionError, check_level
from collabsurvey.numerics.coincidence import Level, Units, alphas, resampled_alphas, units
from collabsurvey.numerics.resampling import percentile_interval
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.reliability.raters.inputs import Ratings, categorise, read_ratings
from collabsurvey.reliability.raters.result import AgreementResult

SEED = 20260727
MOST_RATIO = 3000  # different values at the ratio level, whose square is held in memory


@dataclass(frozen=True, eq=False)
class KrippendorffResult(AgreementResult):
    """Krippendorff's alpha.

    Attributes
    ----------
    level : str
        nominal, ordinal, interval or ratio.
    n_boot, n_degenerate : int
        Resamples behind the interval; those left out because all their ratings were equal.
    irr_estimate : float
        What irr's `kripp.alpha` (0.84.1) prints: it differs for complete data of three raters
        or more, where irr counts each rating as often as it has partners.
    """

    level: Level
    n_boot: int
    n_degenerate: int
    irr_estimate: float


def krippendorff(
    data: Any,
    *,
    level: Level = "nominal",
    targets: str | None = None,
    raters: str | None = None,
    ratings: str | None = None,
    categories: Sequence[object] | None = None,
    conf_level: float = 0.95,
    n_boot: int = 2000,
    seed: int = SEED,
) -> KrippendorffResult:
    """Krippendorff's alpha: 1 less disagreement observed over disagreement expected by chance.

    Parameters
    ----------
    data : frame or two-dimensional array
        Wide, a row a target and a column a rater; or long, with the three columns named.
        Ratings may be missing; a target with a single rating is left out.
    level : "nominal", "ordinal", "interval" or "ratio"
        What differences between ratings mean. "ordinal" depends on how often the categories
        between two ratings were used; "interval" on their squared difference; "ratio" on
        that over their sum, for values with a true zero.
    categories : sequence, optional
        Order of text ratings, for "ordinal".
    n_boot, seed
        Resamples of targets, and the seed that makes them repeatable.

    Raises
    ------
    DataError
        Text at the interval or ratio level, negative numbers at the ratio level.
    NoVarianceError
        Every rating is the same.

    Notes
    -----
    The interval resamples targets and takes percentiles: of the intervals compared by Zapf et
    al. (2016) the one that held its level. Hayes & Krippendorff (2007) draw pairs of
    ratings as if pairs of one target were independent, which is not offered. `std_error` is
    the standard deviation of the resampled values.

    irr's `kripp.alpha` gives another value for complete data of three raters or more (see
    `irr_estimate`); with ratings missing, and for two raters, the two agree.
    """
    import pandas as pd

    check_level(conf_level)
    method = "Krippendorff's alpha"
    if level not in get_args(Level):
        raise OptionError("level", level, allowed=get_args(Level))
    found = read_ratings(data, targets=targets, raters=raters, ratings=ratings, method=method)
    used = found.of_targets(found.per_target >= 2)
    code, values, labels = coded(used, level, categories, method)
    cases = units(used.target, code, values)
    estimate = float(alphas(cases, level, cases.times[None, :])[0])
    if np.isnan(estimate):
        raise NoVarianceError("every rating", method=method)
    draws = np.concatenate(list(resampled_alphas(cases, level, n_draws=n_boot, seed=seed)))
    kept = draws[~np.isnan(draws)]
    low, high = percentile_interval(kept, conf_level=conf_level)
    return KrippendorffResult(
        coefficient=f"{method} ({level})",
        estimate=estimate,
        std_error=float(kept.std(ddof=1)),
        ci_low=low,
        ci_high=high,
        conf_level=conf_level,
        statistic=None,
        p_value=None,
        observed=float("nan"),
        expected=float("nan"),
        n_targets=len(used.targets),
        n_raters=len(used.raters),
        n_ratings=len(used.value),
        n_missing=found.n_missing,
        categories=labels,
        details=pd.DataFrame(columns=["part", "estimate", "std_error", "ci_low", "ci_high"]),
        notes=tuple(alpha_notes(found, used, level, n_boot, n_boot - len(kept))),
        level=level,
        n_boot=n_boot,
        n_degenerate=n_boot - len(kept),
        irr_estimate=as_irr(estimate, cases, complete=used.complete and not found.n_missing),
    )


def coded(
    used: Ratings, level: Level, categories: Sequence[object] | None, method: str
) -> tuple[IntArray, FloatArray, tuple[str, ...]]:
    """Codes (N,), the values they stand for (q,), and the names of the categories."""
    if level == "ordinal" or used.words is not None:
        if level in ("interval", "ratio"):
            used.require_numbers(f"{method} at level={level!r}")
        if used.words is not None:
            needs_order = level == "ordinal"
            groups = categorise(used, categories, needs_order=needs_order, method=method)
            return groups.code, groups.positions, groups.labels
    values, code = np.unique(used.value, return_inverse=True)
    if len(values) < 2:
        raise NoVarianceError("every rating", method=method)
    if level == "ratio" and values[0] < 0:
        raise DataError(f"{method} at level='ratio' needs values of zero or more.")
    if level == "ratio" and len(values) > MOST_RATIO:
        raise DataError(
            f"{method} at level='ratio' handles {MOST_RATIO} different values; there are "
            f"{len(values)}. Round them, or use level='interval'."
        )
    labels = tuple(f"{value:g}" for value in values) if level in ("nominal", "ordinal") else ()
    return code.astype(np.int64), values, labels


def as_irr(estimate: float, cases: Units, *, complete: bool) -> float:
    """Return irr 0.84.1's value: it does not divide by m - 1 where nothing is missing."""
    m = cases.size.max()
    if not complete or m < 3:
        return estimate
    n = float(cases.size @ cases.times)
    return float(1 - (1 - estimate) * (n - 1 / (m - 1)) / (n - 1))


def alpha_notes(
    found: Ratings, used: Ratings, level: Level, n_boot: int, degenerate: int
) -> list[str]:
    """How to read alpha, and what was left out."""
    notes = [
        f"1 is perfect agreement, 0 what chance gives; differences are {level}. Raters are "
        "interchangeable, and one who is stricter throughout lowers it.",
        f"Percentile interval of {n_boot} resamples of targets.",
    ]
    if found.n_missing:
        notes.append(f"{found.n_missing} missing ratings left out; the others count.")
    if once := len(found.targets) - len(used.targets):
        notes.append(f"{once} targets with a single rating left out.")
    if degenerate:
        notes.append(f"{degenerate} resamples with equal ratings throughout left out.")
    if len(used.targets) < 20:
        notes.append(f"{len(used.targets)} targets are few: the interval is too short.")
    return notes
