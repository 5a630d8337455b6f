"""Kuder and Richardson's formulas 20 and 21 for items that are right or wrong, yes or no."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import DataError, FewClustersWarning, KeyingWarning, check_level, listed
from collabsurvey.instruments.scales import not_reflective, scale_name
from collabsurvey.moments import Moments, weighted_answers
from collabsurvey.moments.covariance import key_signs
from collabsurvey.moments.respondents import data_notes
from collabsurvey.numerics import itemstats
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.lower_bounds import kuder_richardson_21
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.alpha_interval import SEED, Interval, alpha_interval
from collabsurvey.reliability.cluster_alpha import Bootstrap
from collabsurvey.reliability.inputs import scale_moments
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Kr20Result(Result):
    """KR-20 and KR-21 of one scale of items with two answers.

    Attributes
    ----------
    kr20, kr21 : float
        KR-20 is alpha of items with two answers; KR-21 takes them as equally difficult and is
        never above it.
    difficulty : (k,) share of the higher answer to each keyed item
    codes : (k, 2) the two answers of each item, lower first
    """

    scale: str
    kr20: float
    ci_low: float
    ci_high: float
    std_error: float
    conf_level: float
    ci_method: str
    kr21: float
    difficulty: FloatArray
    codes: FloatArray
    item_rest: FloatArray
    items: tuple[str, ...]
    n_respondents: int
    n_rows: int
    n_clusters: int | None
    notes: tuple[str, ...]

    @property
    def estimate(self) -> float:
        """KR-20, under the name that every coefficient has."""
        return self.kr20

    def to_frame(self) -> pd.DataFrame:
        """Two rows, kr20 and kr21: estimate, std_error, ci_low, ci_high, formula."""
        import pandas as pd

        blank = float("nan")
        return pd.DataFrame(
            {
                "coefficient": ["kr20", "kr21"],
                "estimate": [self.kr20, self.kr21],
                "std_error": [self.std_error, blank],
                "ci_low": [self.ci_low, blank],
                "ci_high": [self.ci_high, blank],
                "formula": [
                    "k/(k−1) (1 − Σ p q / var(X)) (Kuder & Richardson, 1937, formula 20)",
                    "k/(k−1) (1 − M (k − M) / (k var(X))) (Kuder & Richardson, 1937, formula 21)",
                ],
            }
        )

    def table(self) -> Table:
        """One row an item: difficulty and item–rest correlation."""
        return Table(
            title=f"KR-20 of {self.scale}: {self.kr20:.2f} ({self.conf_level:.0%} CI "
            f"{self.ci_low:.2f} to {self.ci_high:.2f}); KR-21: {self.kr21:.2f}".replace("-0", "−0"),
            columns={
                "item": self.items,
                "difficulty": self.difficulty.tolist(),
                "item_rest": self.item_rest.tolist(),
            },
            notes=self.notes,
            formats={"difficulty": ".2f", "item_rest": ".2f"},
            labels={"difficulty": "share of higher answer", "item_rest": "item–rest r"},
        )

    def chart(self) -> Chart:
        """Share of the higher answer to each item."""
        return dot_chart(
            labels=self.items,
            values=self.difficulty.tolist(),
            title=f"Items of {self.scale}",
            axis="share of the higher answer",
        )


def kr20(
    responses: Responses,
    items: str | Sequence[str],
    *,
    ci: Interval = "auto",
    cluster: str | None = "auto",
    conf_level: float = 0.95,
    bootstrap: Bootstrap = "studentised",
    n_boot: int = 2000,
    seed: int = SEED,
) -> Kr20Result:
    """KR-20 and KR-21 of a scale whose items have two answers.

    Two answers other than 0 and 1 count as 0 and 1, the higher as 1; reverse-keyed items are
    turned round. The interval is that of `alpha`, for KR-20.

    Raises
    ------
    DataError
        An item has more than two answers.
    NotEnoughItemsError, NotEnoughDataError, NoVarianceError
        As `alpha`.

    Notes
    -----
    Both formulas with variances of divisor n (Kuder & Richardson, 1937,
    doi:10.1007/BF02288391); KR-20 is then the same as alpha. KR-21 has no interval here.
    """
    check_level(conf_level)
    moments = scale_moments(responses, items, missing="listwise", method="KR-20")
    codes = two_codes(responses, moments.items)
    width = codes[:, 1] - codes[:, 0]
    signs = key_signs(responses, moments.items)
    cov = moments.cov / np.outer(width, width)
    raw_mean = moments.mean if (signs == 1).all() else raw_means(responses, moments)
    share = (raw_mean - codes[:, 0]) / width
    difficulty = np.where(signs == 1, share, 1 - share)
    k, n = len(moments.items), moments.n_respondents
    estimate = itemstats.coefficient_alpha(cov)
    scaled = Moments(
        items=moments.items,
        mean=difficulty,
        cov=cov,
        n_respondents=n,
        n_pairs=moments.n_pairs,
        n_rows=moments.n_rows,
        missing="listwise",
        weighted=moments.weighted,
    )
    notes = [f"{n} of {moments.n_rows} rows, those with every item answered."]
    notes += data_notes(responses, weighted=moments.weighted)
    if not (codes == np.array([0.0, 1.0])).all():
        notes.append("Of the two answers to an item the lower counts as 0, the higher as 1.")
    if (width != width[0]).any():
        raise DataError(
            "The two answers of some items lie further apart than of others. Recode them to 0 and "
            "1 first."
        )
    interval = alpha_interval(
        responses,
        scaled,
        estimate,
        ci=ci,
        cluster=cluster,
        conf_level=conf_level,
        bootstrap=bootstrap,
        n_boot=n_boot,
        seed=seed,
    )
    notes += interval.notes
    if interval.few_clusters:
        warnings.warn(interval.few_clusters, FewClustersWarning, stacklevel=2)
    if reason := not_reflective(responses.instrument, moments.items):
        notes.append(f"Read with care: {reason}.")
    elif sentence := itemstats.contradiction(scale_name(items), moments.items, cov, n):
        notes.append(sentence)
        warnings.warn(sentence, KeyingWarning, stacklevel=2)
    return Kr20Result(
        scale=scale_name(items),
        kr20=estimate,
        ci_low=interval.ci_low,
        ci_high=interval.ci_high,
        std_error=interval.std_error,
        conf_level=conf_level,
        ci_method=interval.method,
        kr21=kuder_richardson_21(float(difficulty.sum()), float(cov.sum()) * (n - 1) / n, k),
        difficulty=read_only(difficulty),
        codes=read_only(codes),
        item_rest=read_only(itemstats.item_rest_correlations(cov)),
        items=moments.items,
        n_respondents=n,
        n_rows=moments.n_rows,
        n_clusters=interval.n_clusters,
        notes=tuple(notes),
    )


def two_codes(responses: Responses, items: Sequence[str]) -> FloatArray:
    """The two answers (k, 2) of each item, as stated or as found; raise where there are more."""
    x, _ = weighted_answers(responses, items)
    codes = np.empty((len(items), 2))
    many = []
    for j, item in enumerate(items):
        seen = np.unique(x[~np.isnan(x[:, j]), j])
        if len(seen) > 2:
            many.append(f"{item} ({len(seen)})")
            continue
        codes[j] = seen[0], seen[-1]
    if many:
        raise DataError(
            f"KR-20 is for items with two answers; there are more in {listed(many, most=6)}. Use "
            "alpha()."
        )
    return codes


def raw_means(responses: Responses, moments: Moments) -> FloatArray:
    """Means (k,) of the answers as given, over complete rows."""
    x, weight = weighted_answers(responses, moments.items)
    used = ~np.isnan(x).any(axis=1) & (weight > 0)
    return np.asarray(weight[used] @ x[used] / weight[used].sum())
