"""Cronbach's alpha of one scale, with an interval that respects schools.

Sources: Cronbach (1951) doi:10.1007/BF02310555; Feldt, Woodruff & Salih (1987)
doi:10.1177/014662168701100107; Bonett & Wright (2015) doi:10.1002/job.1960; van Zyl,
Neudecker & Nel (2000) doi:10.1007/BF02296146.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import FewClustersWarning, KeyingWarning, OptionError, check_level
from collabsurvey.instruments.scales import not_reflective, scale_name
from collabsurvey.moments import Moments
from collabsurvey.moments.respondents import data_notes
from collabsurvey.numerics import itemstats
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.alpha_interval import SEED, Interval, alpha_interval
from collabsurvey.reliability.cluster_alpha import Bootstrap
from collabsurvey.reliability.fiml_alpha import fiml_interval, fiml_moments
from collabsurvey.reliability.inputs import scale_moments
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

AlphaMissing = Literal["listwise", "pairwise", "fiml"]


@dataclass(frozen=True, eq=False)
class AlphaResult(Result):
    """Alpha of one scale, with its interval and item–rest correlations.

    Attributes
    ----------
    estimate, std_alpha : float
        Alpha of the items as answered, and of standardised items; may be negative.
    std_error : float
        Over clusters by the jackknife; without clusters of independent normal
        respondents (van Zyl et al., 2000; psych's `ase`).
    lambda6 : float
        Guttman's lambda 6 of standardised items (psych's `G6(smc)`).
    average_r, median_r, signal_to_noise : float
        Correlations between items; `average_r` as k r / (1 - r) in the last.
    score_mean, score_sd, sem : float
        Of the mean of the items, in units of the answers, from `mean` and `cov`;
        `sem` is its standard error of measurement, score_sd √(1 - alpha).
    item_rest : (k,) correlation of each keyed item with the sum of the others
    mean, cov : (k,) and (k, k) of the keyed items
    n_respondents : int
        Rows used: with all items answered (listwise), all rows (pairwise), or all with at
        least one answer (fiml).
    n_clusters : int or None
        Clusters behind the interval; None where respondents count as independent.
    """

    scale: str
    estimate: float
    std_error: float
    ci_low: float
    ci_high: float
    conf_level: float
    ci_method: str
    std_alpha: float
    lambda6: float
    average_r: float
    median_r: float
    signal_to_noise: float
    score_mean: float
    score_sd: float
    sem: float
    items: tuple[str, ...]
    item_rest: FloatArray
    mean: FloatArray
    cov: FloatArray
    n_respondents: int
    n_rows: int
    n_clusters: int | None
    missing: AlphaMissing
    weighted: bool
    notes: tuple[str, ...]

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.items)

    def to_frame(self) -> pd.DataFrame:
        """One row: the coefficient, its interval, and what they rest on."""
        import pandas as pd

        row = {
            "scale": self.scale,
            "n_items": self.n_items,
            "n_respondents": self.n_respondents,
            "n_clusters": self.n_clusters,
            "estimate": self.estimate,
            "std_error": self.std_error,
            "ci_low": self.ci_low,
            "ci_high": self.ci_high,
            "conf_level": self.conf_level,
            "ci_method": self.ci_method,
            "std_alpha": self.std_alpha,
            "lambda6": self.lambda6,
            "average_r": self.average_r,
            "median_r": self.median_r,
            "signal_to_noise": self.signal_to_noise,
            "score_mean": self.score_mean,
            "score_sd": self.score_sd,
            "sem": self.sem,
        }
        return pd.DataFrame([row])

    def if_dropped(self) -> pd.DataFrame:
        """One row an item: the coefficients of the scale without it.

        Columns: item, alpha, std_alpha, lambda6, average_r, signal_to_noise, std_error
        (independent normal respondents), r_variance, median_r.
        """
        import pandas as pd

        rows = []
        for j, item in enumerate(self.items):
            row: dict[str, object] = {"item": item}
            if self.n_items > 2:
                row |= coefficients(itemstats.without_item(self.cov, j), self.n_respondents)
            rows.append(row)
        return pd.DataFrame(rows, columns=["item", *coefficients(np.eye(3), 3)])

    def table(self) -> Table:
        """One row an item: item–rest correlation, and alpha without it."""
        return Table(
            title=f"Cronbach's alpha of {self.scale}: {self.estimate:.2f} "
            f"({self._interval_words()})".replace("-", "−"),
            columns={
                "item": self.items,
                "item_rest": self.item_rest.tolist(),
                "alpha_if_dropped": itemstats.alpha_if_dropped(self.cov).tolist(),
            },
            notes=self.notes,
            formats={"item_rest": ".2f", "alpha_if_dropped": ".2f"},
            labels={"item_rest": "item–rest r"},
        )

    def _interval_words(self) -> str:
        if not np.isfinite(self.ci_low):
            return "no interval"
        return f"{self.conf_level:.0%} CI {self.ci_low:.2f} to {self.ci_high:.2f}"

    def chart(self) -> Chart:
        """Item–rest correlation of each item, under alpha with its interval."""
        interval = (
            f", {self.conf_level:.0%} CI {self.ci_low:.2f} to {self.ci_high:.2f}"
            if np.isfinite(self.ci_low)
            else ""
        )
        return dot_chart(
            labels=self.items,
            values=self.item_rest.tolist(),
            title=f"Item–rest correlations of {self.scale} "
            f"(alpha {self.estimate:.2f}{interval})".replace("-", "−"),
            axis="correlation with the sum of the other items",
            reference=0.0,
        )


def coefficients(cov: FloatArray, n: int) -> dict[str, float]:
    """Coefficients of a scale with the covariance matrix `cov` (k, k), from n respondents."""
    cor = itemstats.correlations(cov)
    std_alpha = itemstats.coefficient_alpha(cor)
    return {
        "alpha": itemstats.coefficient_alpha(cov),
        "std_alpha": std_alpha,
        "lambda6": itemstats.lambda6(cor),
        "average_r": itemstats.average_correlation(cor),
        "signal_to_noise": std_alpha / (1 - std_alpha) if std_alpha < 1 else float("inf"),
        "std_error": itemstats.alpha_std_error(cov, n),
        "r_variance": itemstats.correlation_variance(cor) if len(cor) > 2 else float("nan"),
        "median_r": itemstats.median_correlation(cor),
    }


def alpha(
    responses: Responses,
    items: str | Sequence[str],
    *,
    ci: Interval = "auto",
    cluster: str | None = "auto",
    missing: AlphaMissing = "listwise",
    conf_level: float = 0.95,
    bootstrap: Bootstrap = "studentised",
    n_boot: int = 2000,
    seed: int = SEED,
) -> AlphaResult:
    """Cronbach's alpha of one scale.

    Parameters
    ----------
    responses : Responses
        Reverse-keyed items are turned round here; the weight role is applied.
    items : str or sequence of str
        A scale id, or item ids.
    ci : "auto", "feldt", "bonett", "bootstrap" or "jackknife"
        "auto" is Feldt's interval where respondents are independent, and a bootstrap of
        whole clusters where they are not (the jackknife with fewer than 5 clusters).
        Feldt's and Bonett's intervals cover 94, 86 and 78 % instead of 95 % with 10
        schools of 30 staff and intraclass correlations of .09, .17 and .26.
    cluster : "auto", None, a role or a column
        "auto" takes the cluster role; without one, the respondent where people answered
        more than once. None treats rows as independent.
    missing : "listwise", "pairwise" or "fiml"
        Rows with all items, each covariance from the rows that have both (psych's default;
        the interval then counts all rows), or maximum likelihood covariances from every
        answer, with a sandwich interval over rows or clusters (`ci` must be "auto"). The
        last is right where answers are missing at random, the others where completely so.
    bootstrap : "studentised", "percentile" or "bca"
        "studentised" works on log(1 - alpha). It is the default because of its coverage: with
        10 schools of 30 staff 95, 92 and 93 % at intraclass correlations of .09, .17 and
        .26, against 90, 86 and 83 % for "percentile" and 90, 86 and 86 % for "bca"
        (benchmarks/coverage_alpha.csv).
    n_boot, seed
        Resamples, and the seed that makes them repeatable.

    Raises
    ------
    UnknownNameError
        No such scale, item, role or column.
    NotEnoughItemsError, NotEnoughDataError
        Fewer than two items, or fewer than three respondents who answered them.
    NoVarianceError
        An item has the same answer in every row; the message says which.
    DataError
        `cluster` was named and there is only one cluster.

    Warns
    -----
    KeyingWarning
        An item correlates negatively with the rest after keying.
    FewClustersWarning
        Fewer than 10 clusters.

    Notes
    -----
    alpha = k / (k - 1) (1 - tr(C) / sum(C)) for the (k, k) covariance matrix C of the
    keyed items. psych reports `G6(smc)` and item statistics from the correlation matrix;
    so does `lambda6` here.
    """
    check_level(conf_level)
    if missing not in get_args(AlphaMissing):
        raise OptionError("missing", missing, allowed=get_args(AlphaMissing))
    moments = scale_moments(
        responses, items, missing="pairwise" if missing == "fiml" else missing, method="Alpha"
    )
    name = scale_name(items)
    rows = [rows_note(moments)]
    if missing == "fiml":
        moments, rows = fiml_moments(responses, moments)
    total = coefficients(moments.cov, moments.n_respondents)
    if missing == "fiml":
        interval = fiml_interval(
            responses, moments, total["alpha"], ci=ci, cluster=cluster, conf_level=conf_level
        )
    else:
        interval = alpha_interval(
            responses,
            moments,
            total["alpha"],
            ci=ci,
            cluster=cluster,
            conf_level=conf_level,
            bootstrap=bootstrap,
            n_boot=n_boot,
            seed=seed,
        )
    notes = [
        reading(total["alpha"], len(moments.items)),
        *rows,
        *data_notes(responses, weighted=moments.weighted),
        *interval.notes,
    ]
    if reason := not_reflective(responses.instrument, moments.items):
        notes.append(f"Read with care: {reason}.")
    elif sentence := itemstats.contradiction(name, moments.items, moments.cov, moments.n_pairs):
        notes.append(sentence)
        warnings.warn(sentence, KeyingWarning, stacklevel=2)
    if interval.few_clusters:
        warnings.warn(interval.few_clusters, FewClustersWarning, stacklevel=2)
    k = len(moments.items)
    score_sd = float(np.sqrt(moments.cov.sum())) / k
    return AlphaResult(
        scale=name,
        estimate=total["alpha"],
        std_error=interval.std_error,
        ci_low=interval.ci_low,
        ci_high=interval.ci_high,
        conf_level=conf_level,
        ci_method=interval.method,
        std_alpha=total["std_alpha"],
        lambda6=total["lambda6"],
        average_r=total["average_r"],
        median_r=total["median_r"],
        signal_to_noise=total["signal_to_noise"],
        score_mean=float(moments.mean.mean()),
        score_sd=score_sd,
        sem=score_sd * float(np.sqrt(max(1 - total["alpha"], 0.0))),
        items=moments.items,
        item_rest=read_only(itemstats.item_rest_correlations(moments.cov)),
        mean=read_only(moments.mean),
        cov=read_only(moments.cov),
        n_respondents=moments.n_respondents,
        n_rows=moments.n_rows,
        n_clusters=interval.n_clusters,
        missing=missing,
        weighted=moments.weighted,
        notes=tuple(notes),
    )


def reading(estimate: float, k: int) -> str:
    """What alpha means, in plain words (Cronbach, 1951, sec. 3)."""
    if estimate < 0:
        return "Alpha below zero: the items do not go together, so their score means little."
    return (
        f"Scores from another {k} items of this kind would correlate about {estimate:.2f} with "
        "these (Cronbach, 1951)."
    )


def rows_note(moments: Moments) -> str:
    """Say which rows the covariances come from."""
    n, rows = moments.n_respondents, moments.n_rows
    if moments.missing == "pairwise":
        return f"Each covariance from the rows with both items ({moments.n_pairs.min()} to {rows})."
    if n == rows:
        return f"All {n} rows, every item answered."
    return f"{n} of {rows} rows, those with every item answered."
