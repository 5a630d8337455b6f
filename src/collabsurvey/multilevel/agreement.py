"""Agreement within each cluster on a scale: rwg, rwg(j), average deviations, awg.

Agreement says whether the members of one school give the same answers; ICC(1) and ICC(2) whether
schools can be told apart. A mean of members who do not agree describes nobody (James, Demaree &
Wolf, 1984, doi:10.1037/0021-9010.69.1.85; LeBreton & Senter, 2008, doi:10.1177/1094428106296642).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    OptionError,
    WeightsNotAppliedError,
    listed,
)
from collabsurvey.instruments.scales import refuse_not_amounts, scale_name
from collabsurvey.moments import clustered_answers
from collabsurvey.moments.columns import group_values, numeric_columns
from collabsurvey.moments.covariance import item_names
from collabsurvey.moments.respondents import repeated_rows_note
from collabsurvey.moments.split import role_or_column
from collabsurvey.multilevel.agreement_chart import agreement_spread
from collabsurvey.multilevel.agreement_nulls import Options, answer_options, null_variances
from collabsurvey.numerics import agreement as kernel
from collabsurvey.numerics.agreement import Null
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.engine import as_narwhals, column_names
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

GOOD_AGREEMENT = 0.70  # the customary cut-off of rwg; LeBreton & Senter (2008, Table 3): strong
MOST_DOTS = 40  # more groups are counted, not named
OWN_COLUMNS = ("n", "rwg", "rwg_j", "rwg_star", "ad", "ad_median", "awg", "below_min_n")


@dataclass(frozen=True, eq=False)
class AgreementResult(Result):
    """One row a cluster; no cluster is removed, whatever its size.

    Attributes
    ----------
    clusters_frame : pandas.DataFrame
        The cluster column, then `n rwg rwg_j rwg_star ad ad_median awg below_min_n` for the
        first null distribution, and `rwg_<null> rwg_j_<null> rwg_star_<null>` for the others.
        `n` respondents who answered every item; all measures are missing for a single one.
        `rwg` is the mean of the items' rwg, the same as `rwg_j` for one item; `rwg_star` is
        Lindell's r*wg(j); `ad` and `ad_median` are mean deviations from the mean and the
        median of the cluster, in units of the answers, averaged over items.
    null_variances : mapping of null distribution to its variance
    n_undefined : int
        Clusters of one respondent, without a measure of agreement.
    """

    clusters_frame: pd.DataFrame
    scale: str
    items: tuple[str, ...]
    cluster: str
    null_variances: Mapping[str, float]
    ad_limit: float
    n_undefined: int
    min_n: int
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a cluster; see the class."""
        return self.clusters_frame.copy()

    def over_clusters(self) -> pd.DataFrame:
        """One row a measure: median, mean, sd, smallest, largest, and the share that agrees.

        Agreement is rwg, r*wg and awg of .70 or more, and an average deviation of a sixth of
        the number of options or less (Burke & Dunlap, 2002).
        """
        import pandas as pd

        rows = []
        for name in self._measures():
            values = self.clusters_frame[name].dropna()
            agrees = values <= self.ad_limit if name.startswith("ad") else values >= GOOD_AGREEMENT
            rows.append(
                {
                    "measure": name,
                    "n_clusters": len(values),
                    "median": values.median(),
                    "mean": values.mean(),
                    "sd": values.std(),
                    "minimum": values.min(),
                    "maximum": values.max(),
                    "share_agreeing": agrees.mean() if len(values) else float("nan"),
                }
            )
        return pd.DataFrame(rows)

    def _measures(self) -> list[str]:
        return [
            name
            for name in self.clusters_frame.columns
            if name not in (self.cluster, "n", "below_min_n")
        ]

    def table(self) -> Table:
        """Over all clusters: median, spread and share that agrees of each measure."""
        frame = self.over_clusters()
        return Table(
            title=f"Agreement on {self.scale} within {len(self.clusters_frame)} groups of "
            f"{self.cluster}",
            columns={name: frame[name].tolist() for name in frame.columns},
            notes=self.notes,
            formats={
                **dict.fromkeys(("median", "mean", "sd", "minimum", "maximum"), ".2f"),
                "share_agreeing": ".0%",
            },
            labels={"n_clusters": "clusters", "share_agreeing": "share that agrees"},
        )

    def chart(self) -> Chart:
        """rwg(j) of each cluster, from low to high; of more than 40, how many have which.

        Hollow, or light: fewer than `min_n` respondents.
        """
        frame = self.clusters_frame
        frame = frame[frame["rwg_j"].notna()].sort_values("rwg_j", kind="stable")
        title = f"Agreement on {self.scale} by {self.cluster}"
        axis = f"rwg(j), {next(iter(self.null_variances)).replace('_', ' ')} null"
        if len(frame) > MOST_DOTS:
            return agreement_spread(
                frame["rwg_j"].to_numpy(),
                frame["below_min_n"].to_numpy(),
                title=title,
                axis=axis,
                reference=GOOD_AGREEMENT,
                min_n=self.min_n,
            )
        return dot_chart(
            labels=[str(label) for label in frame[self.cluster]],
            values=frame["rwg_j"].tolist(),
            title=title,
            axis=f"{axis} (hollow: fewer than {self.min_n} respondents)",
            reference=GOOD_AGREEMENT,
            highlight=frame["below_min_n"].tolist(),
        )


def agreement(
    responses: Responses,
    scale: str | Sequence[str],
    cluster: str = "cluster",
    *,
    null: Null | Sequence[Null] | Mapping[str, float] = ("uniform", "slight_skew"),
    response_range: tuple[float, float] | None = None,
    n_options: int | None = None,
    min_n: int = 10,
) -> AgreementResult:
    """Agreement of the members of each cluster on the items of a scale.

    Parameters
    ----------
    responses : Responses
        One wave. Reversing items changes no measure, so answers are taken as given.
    scale : str or sequence of str
        A scale id, or item ids; all with the same range of answers.
    cluster : str
        A role or a column.
    null : names, or mapping of name to variance
        What answers without any agreement would look like. "uniform" assumes that nobody leans
        to any side and flatters; with the usual leniency "slight_skew" is nearer the truth, so
        that both are shown (LeBreton & Senter, 2008, p. 830). Also "moderate_skew",
        "heavy_skew", "triangular", "normal" (published for 5 to 11 options) and "maximum"
        dissensus; or variances of your own.
    response_range, n_options : optional
        Lowest and highest answer, and the number of options, where the instrument does not
        say; whole steps where only the range is known.
    min_n : int
        Clusters with fewer respondents get `below_min_n`; they are kept.

    Raises
    ------
    DataError
        The range of the answers is not known or differs between items; people answered
        several times.
    NotEnoughDataError
        No cluster with two respondents who answered every item.
    WeightsNotAppliedError
        The responses have a weight role.

    Notes
    -----
    Respondents who answered every item; variances with divisor n - 1. rwg(j) = J (1 - s²/null)
    / (J (1 - s²/null) + s²/null) with the mean item variance s² cut off at the null's before
    stepping up, so that disagreement is 0 (James et al., 1984); the R package multilevel does
    the same. `rwg_star` is not cut off. `awg` is missing where a mean is too near an end of
    the scale to allow dissent (Brown & Hauenstein, 2005, doi:10.1177/1094428105276375).
    """
    require_responses(responses, method="multilevel.agreement")
    if "weight" in responses.roles:
        raise WeightsNotAppliedError("multilevel.agreement")
    if min_n < 1:
        raise OptionError("min_n", min_n, allowed=("a count of 1 or more",))
    names = item_names(responses, scale)
    refuse_not_amounts(responses.instrument, names, method="multilevel.agreement", asked=scale)
    if cluster == "cluster" and cluster not in column_names(as_narwhals(responses.frame)):
        responses.role("cluster", purpose="Agreement")
    column = role_or_column(responses, cluster)
    if column in OWN_COLUMNS:
        raise OptionError("cluster", column, allowed=(f"a column that is not called {column!r}",))
    if "partner" in responses.roles:  # rows about a partner are blank in other questions
        responses = responses.answered(names)
    refuse_repeated(responses)
    options = answer_options(responses, names, response_range, n_options)
    nulls, left_out = null_variances(null, options)
    x, _, codes, labels = clustered_answers(responses, names, column)
    complete = ~np.isnan(x).any(axis=1)
    used = complete & (codes >= 0)
    if (x[used] < options.low).any() or (x[used] > options.high).any():
        raise DataError(
            f"Some answers to {scale_name(scale)!r} lie outside {options.low:g} to "
            f"{options.high:g}. Give response_range=(lowest, highest)."
        )
    present, codes_used = np.unique(codes[used], return_inverse=True)
    measures = group_measures(x[used], codes_used, len(present), options, nulls)
    if not (measures["n"] > 1).any():
        raise NotEnoughDataError(
            "Agreement",
            what="respondents who answered every item",
            found=int(measures["n"].max(initial=0)),
            needed=2,
            where=f"some {column!r}",
        )
    frame = clusters_frame(responses, column, [labels[i] for i in present], measures, min_n)
    alone = int((measures["n"] == 1).sum())
    extreme = int((np.isnan(measures["awg"]) & (measures["n"] > 1)).sum())
    return AgreementResult(
        clusters_frame=frame,
        scale=scale_name(scale),
        items=names,
        cluster=column,
        null_variances=nulls,
        ad_limit=options.count * options.step / 6,
        n_undefined=alone,
        min_n=min_n,
        notes=(
            *reading_notes(options, nulls, left_out, n_items=len(names)),
            *count_notes(
                column,
                incomplete=int((~complete & (codes >= 0)).sum()),
                outside=int((codes < 0).sum()),
                alone=alone,
                extreme=extreme,
                small=[str(label) for label in frame.loc[frame["below_min_n"], column]],
                min_n=min_n,
            ),
            *(("Synthetic data.",) if responses.synthetic else ()),
        ),
    )


def refuse_repeated(responses: Responses) -> None:
    """Refuse rows of one person at several waves: a person agrees with themselves."""
    if note := repeated_rows_note(responses):
        raise DataError(
            f"Agreement counts each person once. {note.replace(' are pooled here', '')} "
            "Take one wave (or partner) at a time: "
            'responses.replace(frame=frame[frame["wave"] == 1]).'
        )


def group_measures(
    x: FloatArray,
    codes: np.ndarray[tuple[int], np.dtype[np.int64]],
    n_groups: int,
    options: Options,
    nulls: Mapping[str, float],
) -> dict[str, FloatArray]:
    """Every measure (G,) of complete answers x (n, k)."""
    k = x.shape[1]
    n, mean, variance = kernel.group_moments(x, codes, n_groups)
    average = variance.mean(axis=1)
    found: dict[str, FloatArray] = {"n": n}
    for i, (name, value) in enumerate(nulls.items()):
        end = f"_{name}" if i else ""
        found[f"rwg{end}"] = kernel.rwg(variance, value).mean(axis=1)
        found[f"rwg_j{end}"] = kernel.rwg_j(average, value, k)
        found[f"rwg_star{end}"] = kernel.rwg_star(average, value)
    medians = kernel.group_medians(x, codes, n_groups)
    found["ad"] = kernel.average_deviation(x, codes, n_groups, mean).mean(axis=1)
    found["ad_median"] = kernel.average_deviation(x, codes, n_groups, medians).mean(axis=1)
    single = kernel.awg(variance, mean, n, low=options.low, high=options.high)
    found["awg"] = single.mean(axis=1)
    return found


def clusters_frame(
    responses: Responses,
    column: str,
    labels: Sequence[str],
    measures: Mapping[str, FloatArray],
    min_n: int,
) -> pd.DataFrame:
    """One row a cluster, in the order of numbers or letters."""
    import pandas as pd

    numeric = column in numeric_columns(responses.frame)
    ordered = ["n", "rwg", "rwg_j", "rwg_star", "ad", "ad_median", "awg"]
    ordered += [name for name in measures if name not in ordered]
    frame = pd.DataFrame({name: measures[name] for name in ordered})
    frame["n"] = frame["n"].astype(int)
    frame.insert(0, column, group_values(tuple(labels), numeric=numeric))
    frame.insert(8, "below_min_n", frame["n"] < min_n)
    return frame


def reading_notes(
    options: Options, nulls: Mapping[str, float], left_out: Sequence[str], *, n_items: int
) -> list[str]:
    """How to read the measures."""
    known = ", ".join(
        f"{name.replace('_', ' ')} {value:.2f}".replace("-", "−") for name, value in nulls.items()
    )
    notes = [
        f"Variance of answers without agreement: {known} ({options.count} options from "
        f"{options.low:g} to {options.high:g}, {options.source}).",
        "Agreeing: .70 or more of rwg, r*wg and awg (LeBreton & Senter, 2008), an average "
        f"deviation of {options.count * options.step / 6:.2f} or less (Burke & Dunlap, 2002).",
    ]
    if n_items > 1:
        notes.append(
            f"rwg_j grows with the number of items ({n_items} here); rwg and rwg_star do not."
        )
    if left_out:
        notes.append(
            f"Left out, since no variance is published for {options.count} options: "
            f"{', '.join(left_out)}."
        )
    return notes


def count_notes(
    cluster: str,
    *,
    incomplete: int,
    outside: int,
    alone: int,
    extreme: int,
    small: Sequence[str],
    min_n: int,
) -> list[str]:
    """Who is not in the measures, and which of them rest on few."""
    notes = []
    if incomplete:
        notes.append(f"Rows without an answer to every item, left out: {incomplete}.")
    if outside:
        notes.append(f"Rows without {cluster}, left out: {outside}.")
    if alone:
        notes.append(f"Groups of {cluster} with one respondent, so without agreement: {alone}.")
    if extreme:
        notes.append(
            "awg is missing where the mean of an item is so near an end of the scale that nobody "
            f"could dissent: {extreme} groups."
        )
    if small:
        notes.append(
            f"Fewer than {min_n} respondents, not to be published: the {cluster} {listed(small)}."
        )
    return notes
