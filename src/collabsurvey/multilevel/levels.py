"""What two-level alpha and omega have in common: the moments, the result, the sentences.

Sources: Geldhof, Preacher & Zyphur (2014) doi:10.1037/a0032138 for reliability at each level;
Lai (2021) doi:10.1037/met0000287 for whole scores and observed means of clusters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NotEnoughItemsError,
    NoVarianceError,
    WeightsNotAppliedError,
    listed,
)
from collabsurvey.instruments.scales import refuse_not_amounts, scale_name
from collabsurvey.moments import ClusterMoments, cluster_moments
from collabsurvey.moments.covariance import item_names, key_signs
from collabsurvey.moments.respondents import cluster_column, repeated_rows_note
from collabsurvey.numerics.intervals import t_quantile
from collabsurvey.numerics.linalg import aliased_columns
from collabsurvey.numerics.two_level_cov import TwoLevelMoments
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

FEW_CLUSTERS = 20  # below, what holds between clusters is known roughly
NOTHING_LEFT = 1e-8  # error share, or standard error, that only a bound produces
LEAST_LIMIT = -1.0  # a reliability has no use below 0; lower limits than this come from a bound

MEANINGS = {
    "within": "differences between members of one cluster",
    "between": "true means of clusters, free of who answered (latent)",
    "2level": "scores of members, differences of both kinds together",
    "cluster_mean": "observed means of clusters, of the members who answered",
    "single_level": "scores of members, clusters ignored",
    "of_means": "consistency of the items' observed means over clusters",
    "irr": "means of clusters over members, items taken as they are",
}


@dataclass(frozen=True, eq=False)
class LevelsResult(Result):
    """Reliability of one scale at each level.

    Attributes
    ----------
    coefficients_frame : pandas.DataFrame
        `coefficient estimate std_error ci_low ci_high meaning`.
    cov_within, cov_between : (k, k)
        Maximum likelihood covariances of the items within and between clusters, saturated.
    loadings : pandas.DataFrame or None
        For omega: `item loading_within unique_within loading_between unique_between`.
    icc_items : (k,)
        Share of each item's variance between clusters.
    loglik, loglik_saturated : float
        Of the model behind the coefficients, and of the saturated one.
    boundary : bool
        An estimate lies on the edge of what is possible; the notes say which.
    """

    name: str
    scale: str
    items: tuple[str, ...]
    cluster: str
    coefficients_frame: pd.DataFrame
    cov_within: FloatArray
    cov_between: FloatArray
    mean: FloatArray
    icc_items: FloatArray
    loadings: pd.DataFrame | None
    loglik: float
    loglik_saturated: float
    boundary: bool
    converged: bool
    n_respondents: int
    n_clusters: int
    mean_size: float
    harmonic_size: float
    ci_method: str
    conf_level: float
    notes: tuple[str, ...]

    def estimate(self, coefficient: str) -> float:
        """Return one coefficient by its name, such as "alpha_within"."""
        found = self.coefficients_frame.set_index("coefficient")["estimate"]
        return float(found[coefficient])

    def to_frame(self) -> pd.DataFrame:
        """One row a coefficient; see the class."""
        return self.coefficients_frame.copy()

    def table(self) -> Table:
        """Coefficients with their intervals."""
        frame = self.coefficients_frame
        return Table(
            title=f"{self.name} of {self.scale} within and between groups of {self.cluster} "
            f"({self.conf_level:.0%} intervals)",
            columns={name: frame[name].tolist() for name in frame.columns},
            notes=self.notes,
            formats=dict.fromkeys(("estimate", "ci_low", "ci_high"), ".2f"),
            labels={"meaning": "reliability of"},
        )

    def chart(self) -> Chart:
        """Each coefficient with its interval."""
        frame = self.coefficients_frame
        return interval_chart(
            labels=frame["coefficient"].tolist(),
            estimate=frame["estimate"].tolist(),
            low=frame["ci_low"].tolist(),
            high=frame["ci_high"].tolist(),
            title=f"{self.name} of {self.scale} at each level",
            axis=f"reliability, with its {self.conf_level:.0%} interval",
        )


def level_moments(
    responses: Responses,
    items: str | Sequence[str],
    cluster: str,
    *,
    method: str,
    fewest: int = 2,
) -> tuple[ClusterMoments, str]:
    """Moments of each cluster, checked, and the column of the clusters."""
    require_responses(responses, method=method)
    if "weight" in responses.roles:
        raise WeightsNotAppliedError(method)
    column = cluster_column(responses, cluster)
    if column is None:
        column = responses.role("cluster", purpose=method)
    names = item_names(responses, items)
    refuse_not_amounts(responses.instrument, names, method=method, asked=items)
    if len(names) < fewest:
        raise NotEnoughItemsError(
            scale_name(items), n_items=len(names), needed=fewest, method=method
        )
    pieces = keyed(cluster_moments(responses, names, cluster=column, keyed=False), responses)
    n_clusters, n, k = len(pieces.clusters), int(pieces.n.sum()), len(names)
    if n_clusters < 3:
        raise NotEnoughDataError(
            method,
            what=f"different values of {column!r} with complete answers",
            found=n_clusters,
            needed=3,
        )
    if n - n_clusters <= k:
        raise NotEnoughDataError(
            method,
            what=f"complete rows beyond the first of each {column!r} ({k} items)",
            found=n - n_clusters,
            needed=k + 1,
        )
    require_variance(pieces, column, method=method)
    return pieces, column


def keyed(pieces: ClusterMoments, responses: Responses) -> ClusterMoments:
    """Turn the reversed items by their sign, for which no range of answers is needed."""
    signs = key_signs(responses, pieces.items)
    return replace(pieces, mean=pieces.mean * signs, sscp=pieces.sscp * np.outer(signs, signs))


def require_variance(pieces: ClusterMoments, column: str, *, method: str) -> None:
    """Refuse items that do not vary within clusters, or that others determine."""
    within = pieces.sscp.sum(axis=0)
    total = (
        np.diag(within) + pieces.n @ (pieces.mean - pieces.n @ pieces.mean / pieces.n.sum()) ** 2
    )
    size = np.maximum(np.abs(pieces.mean).max(axis=0), 1.0)
    same = np.diag(within) <= (1e-10 * size) ** 2 * pieces.n.sum()
    fixed = [item for item, flat in zip(pieces.items, same, strict=True) if flat]
    if fixed:
        constant = total[same] <= (1e-10 * size[same]) ** 2 * pieces.n.sum()
        where = "" if constant.all() else f" within each {column!r}"
        raise NoVarianceError(f"{listed(map(repr, fixed))}{where}", method=method)
    sd = np.sqrt(np.diag(within))
    copies = aliased_columns(within / np.outer(sd, sd), tolerance=1e-9)
    if copies:
        names = listed(repr(pieces.items[j]) for j in copies)
        raise DataError(
            f"{method}: within {column!r}, the items before {names} determine it, so the "
            "covariance within clusters cannot be inverted. Leave the copy out."
        )


def two_level_moments(pieces: ClusterMoments) -> TwoLevelMoments:
    """Return the same for the kernels."""
    return TwoLevelMoments(pieces.n, pieces.mean, pieces.sscp, np.ones(len(pieces.n)))


def logged_interval(
    estimate: float, std_error: float, *, n_clusters: int, conf_level: float
) -> tuple[float, float]:
    """Limits on the scale of log(1 - reliability), with t on clusters - 1."""
    rest = 1 - estimate
    if not rest > 1e-12 or not np.isfinite(std_error):
        return estimate, estimate
    reach = t_quantile((1 + conf_level) / 2, n_clusters - 1) * std_error / rest
    with np.errstate(over="ignore"):
        return float(1 - rest * np.exp(reach)), float(1 - rest * np.exp(-reach))


def row_of(
    name: str, estimate: float, std_error: float, limits: tuple[float, float]
) -> dict[str, object]:
    """One row of the result."""
    return {
        "coefficient": name,
        "estimate": estimate,
        "std_error": std_error,
        "ci_low": limits[0],
        "ci_high": limits[1],
        "meaning": MEANINGS[name.removeprefix("alpha_").removeprefix("omega_")],
    }


def believable(
    rows: list[dict[str, object]], *, beyond: Collection[str]
) -> tuple[list[dict[str, object]], list[str]]:
    """Rows without the errors and limits that mean nothing, and sentences that say why.

    `beyond`: coefficients that reach 1 when some cluster is left out.
    """
    reasons: dict[str, list[str]] = {}
    kept = []
    for row in rows:
        name = str(row["coefficient"])
        if reason := no_interval(row, beyond=name in beyond):
            reasons.setdefault(reason, []).append(name)
            kept.append({**row, **dict.fromkeys(("std_error", "ci_low", "ci_high"), np.nan)})
        else:
            kept.append(row)
    return kept, [
        f"No standard error and no interval for {listed(names)}: {reason}."
        for reason, names in reasons.items()
    ]


def no_interval(row: Mapping[str, object], *, beyond: bool) -> str:
    """Why the error and the limits of a coefficient mean nothing; "" where they do."""
    value, error, low = (float(str(row[name])) for name in ("estimate", "std_error", "ci_low"))
    if not np.isfinite(value):
        return "the variance it is a share of is estimated at 0"
    if 1 - value <= NOTHING_LEFT:
        return "estimated at its bound of 1, where the data do not tell how far off it may be"
    if beyond:
        return "it reaches its bound of 1 when some group is left out, so its spread is unknown"
    if not error > NOTHING_LEFT:
        return "estimated at a bound from which leaving out groups does not move it"
    if not np.isfinite(low) or low < LEAST_LIMIT:
        return "the lower limit would be below −1, so the data hardly bear on it"
    return ""


def pooled_note(responses: Responses, column: str) -> list[str]:
    """Say that rows of one person count separately, unless persons are the clusters."""
    note = "" if responses.roles.get("respondent") == column else repeated_rows_note(responses)
    return [note] if note else []


def common_notes(
    responses: Responses, pieces: ClusterMoments, column: str, *, conf_level: float, ci: str
) -> list[str]:
    """Rows, clusters, the interval, what few clusters cost."""
    g = len(pieces.clusters)
    n = int(pieces.n.sum())
    notes = [
        f"{n} complete rows in {g} groups of {column} ({n / g:.1f} on average); covariances by "
        "maximum likelihood.",
    ]
    if ci == "bootstrap":
        notes.append(f"{conf_level:.0%} intervals from resampled groups of {column} (percentiles).")
    else:
        notes.append(
            f"{conf_level:.0%} intervals by the {ci} over groups of {column} on log(1 − "
            f"reliability), t on {g - 1} df."
        )
    notes += pooled_note(responses, column)
    lost = responses.n_rows - n - pieces.n_without_cluster
    if lost:
        notes.append(f"Rows without an answer to every item, left out: {lost}.")
    if pieces.n_without_cluster:
        notes.append(f"Rows without {column}, left out: {pieces.n_without_cluster}.")
    if g < FEW_CLUSTERS:
        notes.append(
            f"Only {g} groups of {column}: with 10 schools, intervals meant to cover 95 % covered "
            "92 to 96 % within, but 87 to 94 % for cluster_mean and irr (benchmarks/coverage/"
            "levels.csv)."
        )
    return notes
