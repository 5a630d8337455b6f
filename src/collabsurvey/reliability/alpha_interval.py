"""Which interval an alpha gets, and the sentences that say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from collabsurvey.errors import DataError, NotSupportedError, OptionError
from collabsurvey.moments import ClusterMoments, Moments, cluster_moments, weighted_answers
from collabsurvey.moments.covariance import key_signs
from collabsurvey.moments.respondents import cluster_column
from collabsurvey.numerics.alpha_bootstrap import resampled_log_error, unit_draws, unit_products
from collabsurvey.numerics.intervals import bonett_interval, feldt_interval
from collabsurvey.numerics.itemstats import alpha_std_error
from collabsurvey.numerics.resampling import (
    bca_interval,
    jackknife_std_error,
    percentile_interval,
    studentised_interval,
)
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.cluster_alpha import (
    Bootstrap,
    ClusterInterval,
    bootstrap_interval,
    jackknife_interval,
    left_out,
)
from collabsurvey.reliability.inputs import effective_respondents
from collabsurvey.responses.responses import Responses

Interval = Literal["auto", "feldt", "bonett", "bootstrap", "jackknife"]
SEED = 20260901
# Both from benchmarks/coverage_alpha.csv: with 3 schools the bootstrap covers 70 to 79 % and the
# jackknife 93 to 96 %; with 5 to 8 schools both cover 91 to 95 %, and intervals are wide.
FEWEST_BOOTSTRAP = 5
FEW_CLUSTERS = 10
MOST_ROWS = 200_000  # beyond, resampling single rows takes long and adds nothing to Feldt
MANY_UNITS = 500  # from here on draws are counted, which is quicker than multinomial draws


@dataclass(frozen=True)
class AlphaInterval:
    """Limits, standard error, and how they came about."""

    ci_low: float
    ci_high: float
    std_error: float
    method: str
    n_clusters: int | None
    notes: tuple[str, ...]
    few_clusters: str = ""  # the sentence of a FewClustersWarning


def alpha_interval(
    responses: Responses,
    moments: Moments,
    estimate: float,
    *,
    ci: Interval,
    cluster: str | None,
    conf_level: float,
    bootstrap: Bootstrap,
    n_boot: int,
    seed: int,
) -> AlphaInterval:
    """Choose and compute the interval of `estimate`, the alpha of `moments`."""
    if ci not in get_args(Interval):
        raise OptionError("ci", ci, allowed=get_args(Interval))
    if bootstrap not in get_args(Bootstrap):
        raise OptionError("bootstrap", bootstrap, allowed=get_args(Bootstrap))
    if n_boot < 100:
        raise OptionError("n_boot", n_boot, allowed=("100 or more",))
    if 1 - estimate < 1e-12:
        note = "The items are copies of each other, so alpha is 1 and has no interval."
        return AlphaInterval(estimate, estimate, 0.0, "none", None, (note,))
    column = cluster_column(responses, cluster)
    if ci in ("feldt", "bonett") or (ci == "auto" and column is None):
        if cluster not in (None, "auto"):
            raise OptionError("ci", ci, allowed=("auto", "bootstrap", "jackknife"))
        method: Literal["feldt", "bonett"] = "bonett" if ci == "bonett" else "feldt"
        return independent_interval(
            responses, moments, estimate, method=method, conf_level=conf_level, ignored=column
        )
    pieces = row_pieces(responses, moments) if column is None else None
    if pieces is None:
        require_listwise(moments)
        pieces = cluster_moments(responses, moments.items, cluster=str(column))
    g = len(pieces.clusters)
    if g < 2:
        sentence = (
            f"There is only one {column!r} with complete answers, so clusters cannot be "
            "resampled: how alpha varies between them is unknown."
        )
        if cluster != "auto" or ci != "auto":
            raise DataError(f"{sentence} Use ci='feldt' with cluster=None.")
        alone = independent_interval(
            responses, moments, estimate, method="feldt", conf_level=conf_level, ignored=None
        )
        return AlphaInterval(
            alone.ci_low,
            alone.ci_high,
            alone.std_error,
            alone.method,
            1,
            (f"{sentence} The Feldt interval below holds for this cluster only.", *alone.notes),
            few_clusters=sentence,
        )
    return resampled_interval(
        pieces,
        estimate,
        unit="rows" if column is None else column,
        ci=ci,
        conf_level=conf_level,
        bootstrap=bootstrap,
        n_boot=n_boot,
        seed=seed,
    )


def require_listwise(moments: Moments) -> None:
    """Refuse pairwise covariances where whole clusters are resampled."""
    if moments.missing == "pairwise":
        raise NotSupportedError(
            "A cluster interval of alpha from pairwise covariances",
            instead="Use missing='listwise', or cluster=None for Feldt's interval.",
        )


def row_pieces(responses: Responses, moments: Moments) -> ClusterMoments:
    """Each complete row as a cluster of its own."""
    require_listwise(moments)
    signs = key_signs(responses, moments.items)
    x, weight = weighted_answers(responses, moments.items)
    x = x * signs
    used = ~np.isnan(x).any(axis=1) & (weight > 0)
    n, k = int(used.sum()), x.shape[1]
    if n > MOST_ROWS:
        raise DataError(
            f"Resampling {n} single rows takes too long. Name a cluster, or use ci='feldt'."
        )
    return ClusterMoments(
        items=moments.items,
        clusters=tuple(map(str, range(n))),
        n=weight[used],
        mean=x[used],
        sscp=np.broadcast_to(np.zeros((1, k, k)), (n, k, k)),
        n_complete=n,
        n_without_cluster=0,
    )


def independent_interval(
    responses: Responses,
    moments: Moments,
    estimate: float,
    *,
    method: Literal["feldt", "bonett"],
    conf_level: float,
    ignored: str | None,
) -> AlphaInterval:
    """Feldt's or Bonett's interval; `ignored` is the column of clusters it takes no notice of."""
    n = moments.n_respondents
    notes = [f"{conf_level:.0%} interval by {method.title()}, respondents as independent."]
    effective = effective_respondents(responses, moments.items, missing=moments.missing)
    if effective is not None:
        n = max(effective, 3)
        notes.append(f"It counts {n} effective respondents, since they are weighted (Kish).")
    if ignored is not None:
        notes.append(
            f"It takes no notice of {ignored!r}; with respondents alike within clusters it is "
            "too short."
        )
    limits = feldt_interval if method == "feldt" else bonett_interval
    low, high = limits(estimate, k=len(moments.items), n=n, conf_level=conf_level)
    std_error = alpha_std_error(moments.cov, n)
    return AlphaInterval(low, high, std_error, method, None, tuple(notes))


def resampled_interval(
    pieces: ClusterMoments,
    estimate: float,
    *,
    unit: str,
    ci: Interval,
    conf_level: float,
    bootstrap: Bootstrap,
    n_boot: int,
    seed: int,
) -> AlphaInterval:
    """Bootstrap or jackknife over the clusters of `unit`, with its notes."""
    g = len(pieces.clusters)
    if ci == "bootstrap" and g < FEWEST_BOOTSTRAP:
        raise DataError(
            f"A bootstrap needs at least {FEWEST_BOOTSTRAP} clusters of {unit!r}; there are {g}. "
            "Use ci='jackknife'."
        )
    level = f"{conf_level:.0%}"
    if ci == "jackknife" or g < FEWEST_BOOTSTRAP:
        method = "jackknife"
        found = jackknife_interval(pieces, estimate=estimate, conf_level=conf_level)
        how = f"{level} interval by the jackknife over {g} clusters ({unit}), t on {g - 1} df."
    else:
        method = "bootstrap"
        draw = many_units_interval if unit == "rows" or g >= MANY_UNITS else bootstrap_interval
        found = draw(
            pieces,
            estimate=estimate,
            kind=bootstrap,
            conf_level=conf_level,
            n_boot=n_boot,
            seed=seed,
        )
        how = (
            f"{level} interval by a {bootstrap} bootstrap of {g} clusters ({unit}), {n_boot} "
            f"resamples, seed {seed}."
        )
    if unit == "rows":
        how = how.replace("clusters (rows)", "single rows")
    notes = [how]
    if not (np.isfinite(found.ci_low) and np.isfinite(found.ci_high)):
        blank = float("nan")
        found = replace(found, ci_low=blank, ci_high=blank)
        notes = [
            "There is no interval: alpha does not vary between resamples, or varies without bound, "
            "which happens with few rows and with items that copy each other."
        ]
    if found.n_degenerate:
        notes.append(f"{found.n_degenerate} resamples of a single cluster were left out.")
    if pieces.n_without_cluster:
        notes.append(
            f"Rows without {unit!r}, which count in alpha but not in its interval: "
            f"{pieces.n_without_cluster}."
        )
    few = few_clusters_sentence(g) if g < FEW_CLUSTERS else ""
    if few:
        notes.append(few)
    return AlphaInterval(
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        std_error=found.std_error,
        method=method,
        n_clusters=None if unit == "rows" else g,
        notes=tuple(notes),
        few_clusters=few,
    )


def many_units_interval(
    moments: ClusterMoments,
    *,
    estimate: float,
    kind: Bootstrap,
    conf_level: float,
    n_boot: int,
    seed: int,
) -> ClusterInterval:
    """Bootstrap over single rows or many clusters: the same interval, from sums of products."""
    g, k = moments.mean.shape
    weight = moments.n
    trace = np.trace(moments.sscp, axis1=1, axis2=2)
    products = unit_products(
        weight,
        moments.mean - weight @ moments.mean / weight.sum(),
        trace,
        moments.sscp.sum(axis=(1, 2)),
        squares=kind == "studentised",
    )
    sums = np.vstack([times @ products for times in unit_draws(g, n_boot, seed=seed)])
    values, errors = resampled_log_error(sums, k, g)
    whole, error = resampled_log_error(products.sum(axis=0, keepdims=True), k, g)
    without = left_out(moments)
    low, high = _limits(kind, values, errors, without, estimate, conf_level, (whole, error))
    return ClusterInterval(low, high, jackknife_std_error(1 - np.exp(without)), n_degenerate=0)


def _limits(
    kind: Bootstrap,
    values: FloatArray,
    errors: FloatArray | None,
    without: FloatArray,
    estimate: float,
    conf_level: float,
    whole: tuple[FloatArray, FloatArray | None],
) -> tuple[float, float]:
    """Limits of alpha from log(1 - alpha) of the resamples (B,), and without each unit (G,)."""
    if kind == "percentile":
        return percentile_interval(1 - np.exp(values), conf_level=conf_level)
    if kind == "bca" or errors is None or whole[1] is None:
        return bca_interval(
            1 - np.exp(values),
            estimate=estimate,
            jackknife=1 - np.exp(without),
            conf_level=conf_level,
        )
    low, high = studentised_interval(
        (values - whole[0]) / errors,
        estimate=float(np.log(1 - estimate)),
        std_error=float(whole[1][0]),
        conf_level=conf_level,
    )
    return float(1 - np.exp(high)), float(1 - np.exp(low))


def few_clusters_sentence(g: int) -> str:
    """What few clusters cost."""
    return (
        f"Only {g} clusters: the interval is rough. Intervals meant to cover 95 % covered 91 to "
        "96 % with 3 to 8 schools (benchmarks/coverage_alpha.csv)."
    )
