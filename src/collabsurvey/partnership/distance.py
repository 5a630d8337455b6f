"""How far apart schools are in culture: distances between their mean profiles.

Two random halves of one staff room differ too. The plain distance of means is therefore
always above zero, and more so in small schools; it is shown beside the distance from which
that sampling error has been taken.

Sources: Mahalanobis (1936), Proceedings of the National Institute of Sciences of India
2:49-55; Aitchison (1986) The Statistical Analysis of Compositional Data. The correction is the
expectation of a squared difference: that of the true means plus the variances of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from collabsurvey.errors import DataError, NotEnoughDataError, OptionError, check_level, listed
from collabsurvey.multilevel.aggregate import synthetic_note
from collabsurvey.numerics.compositions import clr_inverse
from collabsurvey.numerics.linalg import aliased_columns
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.partnership.distance_inputs import METHOD, Profiles, profiles
from collabsurvey.partnership.distance_kernels import (
    distance_limits,
    group_means,
    mean_variances,
    metrics,
    pooled_variances,
    resampled_errors,
    share_smaller,
    squared_distances,
    within_scatter,
    yardsticks,
)
from collabsurvey.partnership.distance_result import (
    CultureDistanceResult,
    Metric,
    Standardise,
)
from collabsurvey.partnership.distance_words import (
    first_notes,
    interval_notes,
    single_notes,
    yardstick_notes,
)

Interval = Literal["bootstrap", "none"]

SEED = 20260901  # any number would do; the same in every call
LEAST_BOOT = 100
FEWEST_OWN = 10  # staff of whom a school's own spread is taken for its interval
LEAST_DF = 6  # respondents beyond one a school without whom there is no interval


def culture_distance(
    scores: Any,
    by: str | Sequence[str],
    *,
    scales: Sequence[str] | None = None,
    metric: Metric = "euclidean",
    standardise: Standardise = "auto",
    ci: Interval = "bootstrap",
    n_boot: int = 1000,
    seed: int = SEED,
    conf_level: float = 0.95,
    min_n: int = 10,
) -> CultureDistanceResult:
    """Distances between the mean profiles of schools, with the sampling error taken out.

    Parameters
    ----------
    scores : result of `cs.score` or `cs.scoring.composition`, Responses, or a frame
        One row a respondent. Where the roles show that people answered several times, each
        counts once, with the mean of their rows. The scales of Responses are scored first;
        items are compared only where `scales` names items.
    by : str or sequence of str
        Role or column of the schools, such as "cluster"; several make combinations.
    scales : sequence of str, optional
        The scales of the profile; all of them, or numeric columns without a role.
    metric : "euclidean", "mahalanobis" or "aitchison"
        "euclidean" counts every scale alike. "mahalanobis" counts what correlated scales have
        in common once, by the pooled covariance within schools. "aitchison" is for shares of
        a whole: it compares their ratios. Default: "euclidean", because a reader can add it
        up by hand and it needs no covariance from few people.
    standardise : "auto", "within" or "none"
        "within" divides each scale by its pooled standard deviation within schools, so that
        scales of 1-5 and 0-100 count alike and a distance of 1 on one scale is as far as
        colleagues of one school typically differ from their mean. It does not depend on
        which schools happen to be in the data, as dividing by the spread between schools
        would. "none" keeps the units. "auto" is "within" for "euclidean"; the other two have
        a yardstick of their own.
    ci : "bootstrap" or "none"
        Limits of the true distance from `n_boot` resamples of staff within schools. None with
        fewer than 6 respondents beyond one a school (for "mahalanobis" twice the scales).
    n_boot, seed
        Resamples, and the seed that makes them repeatable. 1000 fix a limit to about 2 % of
        the width of the interval.
    min_n : int
        Schools with fewer people get `below_min_n`; they are kept. 10, as elsewhere.

    Raises
    ------
    NotEnoughDataError
        Fewer than two schools with a complete respondent; for "mahalanobis" and "within",
        too few people to know the spread within schools.
    DataError
        A zero or negative share; a scale without spread within schools; a scale that follows
        from the others ("mahalanobis").
    UnknownNameError
        No such role, column or scale.
    WeightsNotAppliedError
        The responses have a weight role.

    Notes
    -----
    Respondents need all scales of the profile; the others are left out and counted.

    The squared distance of two means is too large by the variances of the means, in the
    metric: sum over scales of s_a² / n_a + s_b² / n_b. It is subtracted and the root of what
    is left taken, 0 where nothing is. The yardstick (sd, covariance) is taken as given in the
    distances; squared ones would otherwise shrink by (df - 2) / df, and Mahalanobis' by
    (df - k - 1) / df, with df respondents less schools and k scales.

    The limits take in what is not known of the yardstick, drawn from the Wishart distribution
    the covariance within schools has for normal answers. Few people say little of their own
    spread: schools with fewer than 10 take the deviations of all schools, which supposes that
    staff differ about as much everywhere. In trials with 2 to 8 schools of 2 to 12 people, 1 to
    6 scales and true distances of 0, 1.5 and 6, such 95 % intervals covered 90 to 99 %; with
    each school's own resamples and the yardstick as given it had been 16 to 99 %. Where the
    spread of schools of 5 differed by 2 to 1 they covered 91 to 99 %.

    A Euclidean distance grows with the number of scales; divided by √k it is the root mean
    square of the differences. Schools with one respondent take their error from the others
    and have no interval.
    """
    check_level(conf_level)
    chosen = _checked_options(metric, standardise, ci, n_boot, min_n)
    found = profiles(scores, by, scales, metric)
    n, raw_means = group_means(found.x, found.codes, len(found.schools))
    df = len(found.x) - len(n)
    scatter = within_scatter(found.x, found.codes, raw_means)
    z = _in_metric(found, scatter, df, metric=metric, standardise=chosen)
    _, means = group_means(z, found.codes, len(n))
    variances = mean_variances(z, found.codes, n, means)
    squared = squared_distances(means)
    a, b = np.triu_indices(len(n), 1)
    corrected = np.sqrt(np.maximum(squared - variances[a] - variances[b], 0.0))
    low = high = np.full(len(squared), np.nan)
    least = max(LEAST_DF, 2 * len(found.scales) if metric == "mahalanobis" else 0)
    if ci == "bootstrap" and df >= least:
        few = n < FEWEST_OWN
        pooled = pooled_variances(z, found.codes, n, means)
        low, high = distance_limits(
            means,
            np.where(few, pooled, variances),
            resampled_errors(z, found.codes, n, means, n_boot, seed, borrow=few),
            conf_level=conf_level,
            yardstick=_yardstick(scatter, df, n_boot, seed, metric=metric, standardise=chosen),
        )
        # The distance itself takes each school's own variance.
        low, high = np.minimum(low, corrected), np.maximum(high, corrected)
        single = (n[a] < 2) | (n[b] < 2)
        low[single] = high[single] = np.nan
    distances = (np.sqrt(squared), corrected, low, high)
    return _wrap(
        found,
        n,
        raw_means,
        distances,
        df=df,
        least=least,
        metric=metric,
        standardise=chosen,
        ci=ci,
        n_boot=n_boot,
        seed=seed,
        conf_level=conf_level,
        min_n=min_n,
        synthetic=bool(getattr(getattr(scores, "responses", scores), "synthetic", False)),
    )


def _checked_options(
    metric: Metric, standardise: Standardise, ci: Interval, n_boot: int, min_n: int
) -> Standardise:
    """Refuse what cannot be; the standardisation meant by "auto"."""
    for option, value, kinds in (
        ("metric", metric, Metric),
        ("standardise", standardise, Standardise),
        ("ci", ci, Interval),
    ):
        if value not in get_args(kinds):
            raise OptionError(option, value, allowed=get_args(kinds))
    if isinstance(n_boot, bool) or not isinstance(n_boot, int) or n_boot < LEAST_BOOT:
        raise OptionError("n_boot", n_boot, allowed=(f"a count of {LEAST_BOOT} or more",))
    if isinstance(min_n, bool) or not isinstance(min_n, int) or min_n < 1:
        raise OptionError("min_n", min_n, allowed=("a count of 1 or more",))
    if metric == "euclidean":
        return "within" if standardise == "auto" else standardise
    if standardise == "within":
        raise OptionError(
            "standardise", standardise, allowed=("auto", f"none: {metric!r} has its own yardstick")
        )
    return "none"


def _in_metric(
    found: Profiles,
    scatter: FloatArray,
    df: int,
    *,
    metric: Metric,
    standardise: Standardise,
) -> FloatArray:
    """Rows (n, k) in coordinates whose Euclidean distance is the one asked for."""
    if metric == "aitchison" or (metric == "euclidean" and standardise == "none"):
        return found.x
    k = len(found.scales)
    needed = k if metric == "mahalanobis" else 1
    if df < needed:
        raise NotEnoughDataError(
            f"{METHOD} by the spread within schools",
            what="respondents beyond one a school",
            found=df,
            needed=needed,
        )
    squares = np.diag(scatter)
    size = (found.x**2).sum(axis=0)
    flat = [s for s, q, all_ in zip(found.scales, squares, size, strict=True) if q <= 1e-20 * all_]
    if flat:
        raise DataError(
            f"Everybody in a school has the same value of {listed(map(repr, flat))}, so there is "
            "no spread to measure distances by. Leave it out, or use standardise='none' with "
            "metric='euclidean'."
        )
    if metric == "euclidean":
        return np.asarray(found.x / np.sqrt(squares / df))
    root = np.sqrt(squares)
    if follow := aliased_columns(scatter / np.outer(root, root)):
        raise DataError(
            "metric='mahalanobis' needs scales that do not follow from each other; "
            f"{listed(repr(found.scales[j]) for j in follow)} follow from those before. Leave "
            "them out."
        )
    lower = np.linalg.cholesky(scatter / df)
    centred = found.x - found.x.mean(axis=0)
    return np.asarray(np.linalg.solve(lower, centred.T).T)


def _yardstick(
    scatter: FloatArray,
    df: int,
    n_boot: int,
    seed: int,
    *,
    metric: Metric,
    standardise: Standardise,
) -> FloatArray | None:
    """What is not known of the standard deviations, or of the covariance, as resamples."""
    if metric == "mahalanobis":
        return metrics(len(scatter), df, n_boot, seed)
    if standardise == "none":
        return None
    root = np.sqrt(np.diag(scatter))
    return yardsticks(scatter / np.outer(root, root), df, n_boot, seed)


def _wrap(
    found: Profiles,
    n: IntArray,
    raw_means: FloatArray,
    distances: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    *,
    df: int,
    least: int,
    metric: Metric,
    standardise: Standardise,
    ci: Interval,
    n_boot: int,
    seed: int,
    conf_level: float,
    min_n: int,
    synthetic: bool,
) -> CultureDistanceResult:
    import pandas as pd

    a, b = np.triu_indices(len(n), 1)
    plain, corrected, low, high = distances
    schools = found.schools
    pairs = pd.DataFrame(
        {
            "school_a": [schools[i] for i in a],
            "school_b": [schools[i] for i in b],
            "n_a": n[a],
            "n_b": n[b],
            "distance": plain,
            "distance_corrected": corrected,
            "ci_low": low,
            "ci_high": high,
            "share_closer": share_smaller(corrected),
            "one_respondent": (n[a] < 2) | (n[b] < 2),
            "below_min_n": np.minimum(n[a], n[b]) < min_n,
        }
    )
    means = clr_inverse(raw_means) if metric == "aitchison" else raw_means
    frame = pd.DataFrame(means, columns=list(found.scales))
    frame.insert(0, "n", n)
    frame.insert(0, "school", list(schools))
    single = tuple(school for school, size in zip(schools, n, strict=True) if size < 2)
    known = ~np.isnan(low)
    apart = float((low[known] > 0).mean()) if known.any() else float("nan")
    notes = [
        *first_notes(found, n, corrected, apart, min_n=min_n),
        *single_notes(single, corrected),
        *interval_notes(n, df, least, ci, n_boot, seed, fewest=FEWEST_OWN),
        *yardstick_notes(len(found.scales), df, metric, standardise),
        *found.notes,
        *synthetic_note(synthetic),
    ]
    return CultureDistanceResult(
        pairs=pairs,
        profiles=frame,
        schools=schools,
        scales=found.scales,
        metric=metric,
        standardise=standardise,
        share_apart=apart,
        one_respondent=single,
        n_respondents=int(n.sum()),
        n_incomplete=found.n_incomplete,
        n_boot=n_boot if ci == "bootstrap" else 0,
        min_n=min_n,
        seed=seed,
        conf_level=conf_level,
        notes=tuple(notes),
    )
