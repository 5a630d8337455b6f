"""How precise one person's score is: standard error of measurement, smallest real change."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import DataError, FewClustersWarning, OptionError, check_level
from collabsurvey.instruments.scales import scale_name
from collabsurvey.moments.resampled import resampler
from collabsurvey.moments.respondents import cluster_column, data_notes
from collabsurvey.numerics import itemstats
from collabsurvey.numerics.intervals import normal_quantile
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.alpha import rows_note
from collabsurvey.reliability.bounds_interval import bound_limits
from collabsurvey.reliability.error_by_score import by_score
from collabsurvey.reliability.inputs import scale_moments
from collabsurvey.reliability.person_scores import frame_like, same_order, score_numbers
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

Score = Literal["auto", "mean", "sum"]


@runtime_checkable
class HasEstimate(Protocol):
    """A result with a reliability, such as those of `alpha`, `omega`, `glb`."""

    @property
    def estimate(self) -> float:
        """The reliability."""


@dataclass(frozen=True, eq=False)
class PrecisionResult(Result):
    """Precision of a person's score, in units of the score.

    Attributes
    ----------
    sem, sem_low, sem_high : float
        Standard error of measurement, sd √(1 - reliability), and its interval.
    sdc, sdc_low, sdc_high : float
        Smallest detectable change: z √2 sem, with z of `conf_level` (1.96 for .95). Two scores
        of one person that differ by less may differ by error alone.
    score_mean, score_sd : float
        Of the score ("mean" or "sum" of the items).
    levels : pandas.DataFrame
        One row a score: score, n, sem (root mean of the persons' error variances there),
        sem_smooth, ci_low, ci_high (a quadratic in the score, and its interval),
        sem_multinomial (items drawn anew for each person; Lord's binomial for 0 and 1),
        sem_keats (the same, multiplied so that its mean agrees with the sem; Keats, 1957).
    """

    scale: str
    score: str
    reliability: float
    reliability_source: str
    sem: float
    sem_low: float
    sem_high: float
    sdc: float
    sdc_low: float
    sdc_high: float
    conf_level: float
    score_mean: float
    score_sd: float
    lowest: float | None
    highest: float | None
    levels: pd.DataFrame
    items: tuple[str, ...]
    n_respondents: int
    n_rows: int
    n_clusters: int | None
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Two rows, sem and sdc: estimate, ci_low, ci_high, formula."""
        import pandas as pd

        z = normal_quantile((1 + self.conf_level) / 2)
        return pd.DataFrame(
            {
                "quantity": ["sem", "sdc"],
                "estimate": [self.sem, self.sdc],
                "ci_low": [self.sem_low, self.sdc_low],
                "ci_high": [self.sem_high, self.sdc_high],
                "formula": [
                    f"sd √(1 − reliability), reliability {self.reliability_source}",
                    f"{z:.2f} √2 sem",
                ],
            }
        )

    def table(self) -> Table:
        """The standard error by score, under the two numbers for all scores together."""
        frame = self.levels
        names = ["score", "n", "sem", "sem_smooth", "ci_low", "ci_high", "sem_keats"]
        two = dict.fromkeys(("sem", "sem_smooth", "ci_low", "ci_high", "sem_keats"), ".2f")
        return Table(
            title=f"Precision of a person's {self.score} of {self.scale}: standard error "
            f"{self.sem:.2f}, smallest detectable change {self.sdc:.2f}",
            columns={name: frame[name].tolist() for name in names},
            notes=self.notes,
            formats={"score": ".4g", **two},
            labels={"sem": "standard error", "sem_smooth": "smoothed", "sem_keats": "Keats"},
        )

    def chart(self) -> Chart:
        """Smoothed standard error at each score."""
        frame = self.levels
        return interval_chart(
            labels=[f"{score:.4g}" for score in frame["score"]],
            estimate=frame["sem_smooth"].tolist(),
            low=frame["ci_low"].tolist(),
            high=frame["ci_high"].tolist(),
            title=f"Standard error of measurement of {self.scale} by score",
            axis=f"standard error of a {self.score}, with its {self.conf_level:.0%} interval",
            reference=self.sem,
        )

    def person_interval(self, scores: Any) -> Any:
        """Interval of each score: score, ci_low, ci_high, true_score, true_low, true_high.

        The first is score ± z sem; the second the score expected on another occasion
        (Kelley, 1947): reliability × score + (1 - reliability) × mean, ± z sd
        √(reliability (1 - reliability)). Scores and frame as in `reliable_change`.
        """
        x = score_numbers(scores)
        z = normal_quantile((1 + self.conf_level) / 2)
        shrunk = self.score_mean + self.reliability * (x - self.score_mean)
        reach = z * self.score_sd * np.sqrt(max(self.reliability * (1 - self.reliability), 0.0))
        return frame_like(
            scores,
            {
                "score": x,
                "ci_low": x - z * self.sem,
                "ci_high": x + z * self.sem,
                "true_score": shrunk,
                "true_low": shrunk - reach,
                "true_high": shrunk + reach,
            },
        )

    def reliable_change(self, first: Any, second: Any) -> Any:
        """Reliable change of persons between two scores: see `reliable_change`."""
        return reliable_change(first, second, sem=self.sem, conf_level=self.conf_level)


def reliable_change(first: Any, second: Any, *, sem: float, conf_level: float = 0.95) -> Any:
    """Reliable change index of each person: first, second, change, rci, verdict.

    rci = change / (√2 sem); beyond ±z (1.96 for .95) the change is more than error would
    bring about: "higher" or "lower", else "no reliable change"; missing scores have none.
    Source: Jacobson & Truax (1991) doi:10.1037/0022-006X.59.1.12.

    Parameters
    ----------
    first, second : Series of pandas or polars, NumPy array or list of numbers
        Scores of the same persons in the same order.
    sem : float
        Standard error of measurement, such as `precision(...).sem`.

    Returns
    -------
    polars.DataFrame where `first` is a polars Series, else pandas.DataFrame, with the index of
    a pandas Series `first`.

    Raises
    ------
    DataError
        Not as many second as first scores, or the same pandas index in another order.
    """
    before, after = score_numbers(first), score_numbers(second)
    if before.shape != after.shape:
        raise DataError(
            f"There are {before.size} first and {after.size} second scores. Give both of each "
            "person, in the same order."
        )
    if not sem > 0:
        raise OptionError("sem", sem, allowed=("a number above 0",))
    check_level(conf_level)
    same_order(first, second)
    rci = (after - before) / (np.sqrt(2) * sem)
    z = normal_quantile((1 + conf_level) / 2)
    verdict = np.select(
        [np.isnan(rci), rci > z, rci < -z], ["", "higher", "lower"], "no reliable change"
    )
    return frame_like(
        first,
        {"first": before, "second": after, "change": after - before, "rci": rci}
        | {"verdict": verdict},
    )


def precision(
    responses: Responses,
    items: str | Sequence[str],
    *,
    reliability: float | Literal["alpha"] | HasEstimate = "alpha",
    score: Score = "auto",
    cluster: str | None = "auto",
    conf_level: float = 0.95,
) -> PrecisionResult:
    """Standard error of measurement of a score, smallest detectable change, error by score.

    Parameters
    ----------
    responses : Responses
        Reverse-keyed items are turned round; the weight role is applied. Rows with all items.
    items : str or sequence of str
        A scale id, or item ids.
    reliability : "alpha", a number, or a result with `estimate`
        A number or a result (of `omega`, say, or of `retest`) is taken as known: its own
        uncertainty is not in the interval, and the result says so. A result of several
        coefficients has no `estimate`: pick a number, such as `guttman(...).lambda2`.
    score : "auto", "mean" or "sum"
        "auto" is the rule of the scale, the mean where there is none.
    cluster : "auto", None, a role or a column
        Whose rows belong together, for the intervals.
    conf_level : float
        Of intervals and of the smallest detectable change.

    Raises
    ------
    NotEnoughItemsError, NotEnoughDataError, NoVarianceError, UnknownNameError
        As `alpha`.
    OptionError
        A reliability above 1.
    DataError
        A reliability that is neither a number nor a result with one `estimate`.

    Warns
    -----
    FewClustersWarning
        Fewer than 10 clusters.

    Notes
    -----
    Intervals of sem and sdc by the jackknife over rows or clusters, on the logarithm. The error
    by score is that of alpha (Feldt, Steffen & Gupta, 1985,
    doi:10.1177/014662168500900402): its mean over persons is sem²; with another reliability it
    is multiplied so that it is. Negative alpha gives an sem larger than the sd of the score.
    """
    names = responses.instrument.items_of(items) if isinstance(responses, Responses) else ()
    moments = scale_moments(responses, items, missing="listwise", method="Precision")
    kind = score_rule(responses, items, score)
    k = len(moments.items)
    unit = 1 / k if kind == "mean" else 1.0
    value, source = known_reliability(reliability, itemstats.coefficient_alpha(moments.cov))

    def statistic(covs: FloatArray) -> FloatArray:
        rel = itemstats.alphas(covs) if reliability == "alpha" else np.full(len(covs), value)
        variance = covs.sum(axis=(-2, -1)) * np.maximum(1 - rel, 0.0)
        return np.asarray(unit * np.sqrt(variance))[:, None]

    sem = statistic(moments.cov[None])[0]
    column = cluster_column(responses, cluster)
    limits = bound_limits(
        responses,
        names,
        statistic,
        sem,
        ci="jackknife" if sem[0] > 0 else "none",
        cluster=cluster,
        missing="listwise",
        conf_level=conf_level,
        bootstrap="bca",
        n_boot=100,
        seed=0,
        method="Precision",
        scale=(np.log, np.exp),
    )
    if limits.few_clusters:
        warnings.warn(limits.few_clusters, FewClustersWarning, stacklevel=2)
    rows = resampler(responses, names, cluster=column)
    levels, level_notes = by_score(rows, responses, kind, float(sem[0]), conf_level)
    notes = [rows_note(moments), *data_notes(responses, weighted=moments.weighted)]
    if reliability != "alpha":
        notes.append(f"Reliability {value:.3f} is taken as known; the interval is for the sd only.")
    if value < 0:
        notes.append("The reliability is below zero, so the score says nothing about a person.")
    notes += [*limits.notes, *level_notes]
    change = normal_quantile((1 + conf_level) / 2) * np.sqrt(2)
    low, high = float(limits.ci_low[0]), float(limits.ci_high[0])
    ends = possible_scores(responses, names, kind)
    return PrecisionResult(
        scale=scale_name(items),
        score=kind,
        reliability=value,
        reliability_source=source,
        sem=float(sem[0]),
        sem_low=low,
        sem_high=high,
        sdc=float(sem[0] * change),
        sdc_low=float(low * change),
        sdc_high=float(high * change),
        conf_level=conf_level,
        score_mean=float(moments.mean.sum() * unit),
        score_sd=float(np.sqrt(moments.cov.sum()) * unit),
        lowest=ends[0],
        highest=ends[1],
        levels=levels,
        items=moments.items,
        n_respondents=moments.n_respondents,
        n_rows=moments.n_rows,
        n_clusters=limits.n_clusters,
        notes=tuple(notes),
    )


def score_rule(responses: Responses, items: str | Sequence[str], score: Score) -> str:
    """Return "mean" or "sum"."""
    if score not in get_args(Score):
        raise OptionError("score", score, allowed=get_args(Score))
    if score != "auto":
        return score
    if isinstance(items, str) and items in responses.instrument.scale_ids:
        rule = responses.instrument.scale(items).rule
        return "sum" if rule == "sum" else "mean"
    return "mean"


def known_reliability(
    reliability: float | Literal["alpha"] | HasEstimate, alpha: float
) -> tuple[float, str]:
    """Return the reliability, and where it is from."""
    if isinstance(reliability, str):
        if reliability != "alpha":
            raise OptionError("reliability", reliability, allowed=("alpha", "a number", "a result"))
        return alpha, f"alpha {alpha:.3f}"
    if isinstance(reliability, HasEstimate):
        value, source = float(reliability.estimate), type(reliability).__name__
    elif isinstance(reliability, Real):
        value, source = float(reliability), "given"
    else:
        raise DataError(
            "reliability must be 'alpha', a number, or a result with one `estimate` (of alpha, "
            f"omega, glb, retest, ...), not a {type(reliability).__name__}, which has none. "
            "Of a result with several coefficients pick one, such as guttman(...).lambda2."
        )
    if not value <= 1:
        raise OptionError("reliability", value, allowed=("a number up to 1",))
    return value, f"{source} {value:.3f}"


def possible_scores(
    responses: Responses, items: Sequence[str], kind: str
) -> tuple[float | None, float | None]:
    """Lowest and highest score there can be; None where the range of answers is not known."""
    low = high = 0.0
    for item in items:
        answers = responses.instrument.response_set(item)
        if answers is None:
            return None, None
        low += answers.low
        high += answers.high
    unit = 1 / len(items) if kind == "mean" else 1.0
    return low * unit, high * unit
