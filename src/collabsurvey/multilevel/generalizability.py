"""Generalizability: how much of a score is the object, how much the facets it was seen through.

Sources: Cronbach, Gleser, Nanda & Rajaratnam (1972) The Dependability of Behavioral Measurements;
Brennan (2001) Generalizability Theory, ch. 3-5; for respondents in schools, O'Brien (1990)
doi:10.1177/0049124190018004004.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import DataError, NoVarianceError, OptionError, UnknownNameError
from collabsurvey.instruments.scales import scale_name
from collabsurvey.moments import ClusterMoments
from collabsurvey.multilevel.crossed import (
    Grid,
    Method,
    anova_components,
    anova_rows,
    crossed_names,
    grid_of,
    reml_components,
)
from collabsurvey.multilevel.inputs import score_table
from collabsurvey.multilevel.levels import level_moments, pooled_note
from collabsurvey.multilevel.wording import counted
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.numerics.variance_components import OneWayReml, one_way_reml, wald_ratio_interval
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Source:
    """A source of variance: the facets it is averaged over, and whether objects differ in it."""

    name: str
    variance: float  # not below 0
    facets: tuple[str, ...]
    of_object: bool  # differs between objects; else it only matters for absolute decisions


@dataclass(frozen=True, eq=False)
class GeneralizabilityResult(Result):
    """Variance components of a measurement, and how well it tells its objects apart.

    Attributes
    ----------
    components_frame : pandas.DataFrame
        `source variance share estimate df ms`; `estimate` is before a negative one was set to
        0; `df` and `ms` of the analysis of variance, missing with REML.
    sizes : mapping of facet to the number of its levels (mean number, where it is nested)
    generalizability : float
        For comparing objects with each other (relative decisions).
    dependability : float
        For where an object stands on the scale (absolute decisions): facets that are harder or
        easier count as error too.
    fixed : facets whose levels are the only ones of interest
    score_icc : (estimate, low, high) of the mean over the facets but the first, or None
        Where respondents are nested in the objects: ICC(1) of their scores.
    """

    components_frame: pd.DataFrame
    sources: tuple[Source, ...]
    objects: str
    sizes: Mapping[str, float]
    fixed: tuple[str, ...]
    n_objects: int
    n_answers: int
    method: str
    converged: bool
    conf_level: float
    score_icc: tuple[float, float, float] | None
    notes: tuple[str, ...]

    @property
    def generalizability(self) -> float:
        """Coefficient for relative decisions, at the sizes observed."""
        return self.coefficient(self.sizes)

    @property
    def dependability(self) -> float:
        """Coefficient for absolute decisions, at the sizes observed."""
        return self.coefficient(self.sizes, absolute=True)

    def coefficient(self, sizes: Mapping[str, float], *, absolute: bool = False) -> float:
        """Coefficient of a measurement with so many levels of each facet."""
        true, error = self.signal_and_error(sizes, absolute=absolute)
        return true / (true + error) if true > 0 else 0.0

    def signal_and_error(
        self, sizes: Mapping[str, float], *, absolute: bool = False
    ) -> tuple[float, float]:
        """Variance of what is measured, and of its error, at these sizes."""
        true = error = 0.0
        for source in self.sources:
            part = source.variance / float(np.prod([sizes[facet] for facet in source.facets]))
            random = [facet for facet in source.facets if facet not in self.fixed]
            if source.of_object and not random:
                true += part
            elif source.of_object or (absolute and random):
                error += part
        return true, error

    def to_frame(self) -> pd.DataFrame:
        """One row a source of variance; see the class."""
        return self.components_frame.copy()

    def table(self) -> Table:
        """Variance components with their shares, and both coefficients."""
        frame = self.components_frame[["source", "variance", "share"]]
        sizes = ", ".join(counted(count, facet) for facet, count in self.sizes.items())
        return Table(
            title=f"Generalizability of {self.objects}: {self.generalizability:.2f} relative, "
            f"{self.dependability:.2f} absolute ({sizes})",
            columns={name: frame[name].tolist() for name in frame.columns},
            notes=self.notes,
            formats={"share": ".1%"},
        )

    def chart(self) -> Chart:
        """Share of each source."""
        return dot_chart(
            labels=self.components_frame["source"].tolist(),
            values=self.components_frame["share"].tolist(),
            title=f"Where the variance of {self.objects} lies",
            axis="share of variance",
            reference=0.0,
        )


def generalizability(
    data: Any,
    outcome: str,
    objects: str,
    facets: str | Sequence[str],
    *,
    fixed: Sequence[str] = (),
    method: Method = "auto",
) -> GeneralizabilityResult:
    """Variance components of objects seen through one or two crossed facets.

    Parameters
    ----------
    data : frame of any engine, or the result of `cs.score`
        One row for each object and combination of facet levels, such as teacher × lesson ×
        rater.
    outcome : str
        Numeric column.
    objects : str
        Column (or role) of what is measured.
    facets : str or two str
        Columns (or roles) of the conditions it was measured under.
    fixed : sequence of str
        Facets whose levels will always be these, such as the items of a questionnaire: what
        they share with the object is then no error.
    method : "auto", "anova" or "reml"
        "auto" is the analysis of variance where every object has every cell (where both agree
        unless a component would be negative), REML otherwise, which needs no balance.

    Raises
    ------
    NotEnoughDataError
        Fewer than two objects or two levels of a facet.
    DataError
        Two rows of an object in one cell.
    NoVarianceError
        Every value is the same.

    Notes
    -----
    A negative estimate of a variance is set to 0, and said (Cronbach et al., 1972). The
    interaction of all facets cannot be told from error: "residual".
    """
    table = score_table(data, method="multilevel.generalizability")
    who = table.column(objects)
    names = tuple(table.column(name) for name in ([facets] if isinstance(facets, str) else facets))
    if not 1 <= len(names) <= 2:
        raise OptionError("facets", names, allowed=("one or two columns",))
    if len({who, outcome, *names}) < len(names) + 2:
        raise OptionError("facets", names, allowed=("columns that differ from each other",))
    fixed_names = tuple(table.column(name) for name in fixed)
    if unknown := [name for name in fixed_names if name not in names]:
        raise UnknownNameError("facet", unknown[0], available=names, where="This design")
    if set(fixed_names) == set(names):
        raise OptionError("fixed", fixed, allowed=("fewer than all facets",))
    if method not in get_args(Method):
        raise OptionError("method", method, allowed=get_args(Method))
    grid = grid_of(table.frame, table.column(outcome), who, names)
    seen = grid.answers[~np.isnan(grid.answers)]
    if np.ptp(seen) == 0:
        raise NoVarianceError(f"column {outcome!r}", method="Generalizability")
    if method == "anova" and not grid.complete:
        raise DataError("The analysis of variance needs a value in every cell. Use method='reml'.")
    return crossed_result(
        grid,
        who,
        fixed_names,
        use_anova=method != "reml" and grid.complete,
        synthetic=table.synthetic,
    )


def crossed_result(
    grid: Grid, objects: str, fixed: tuple[str, ...], *, use_anova: bool, synthetic: bool
) -> GeneralizabilityResult:
    """Components of a crossed design with their notes."""
    named = crossed_names(objects, grid.facets)
    df: dict[str, float] = {}
    ms: dict[str, float] = {}
    converged = True
    if use_anova:
        raw = anova_components(grid, objects)
        for row in anova_rows(grid, objects):
            df[row.source], ms[row.source] = row.df, row.ms
    else:
        found = reml_components(grid, objects)
        raw = dict(zip(found.names, found.variances.tolist(), strict=True))
        converged = found.converged
    sources = tuple(
        Source(name, max(raw[name], 0.0), one, own) for name, (own, one) in named.items()
    )
    reml = "REML, as asked." if grid.complete else "REML, since some cells are empty."
    notes = [
        f"Variance components by {'analysis of variance.' if use_anova else reml}",
        "The residual holds the highest interaction and error of measurement.",
    ]
    if negative := [name for name in named if raw[name] < 0]:
        notes.append(f"Negative, set to 0: {', '.join(negative)}.")
    if not converged:
        notes.append("The iteration did not reach its optimum; do not use these numbers.")
    if grid.n_left_out:
        notes.append(f"Rows without a value, an object or a facet, left out: {grid.n_left_out}.")
    if fixed:
        notes.append(f"Fixed: {', '.join(fixed)}.")
    if synthetic:
        notes.append("Synthetic data.")
    return GeneralizabilityResult(
        components_frame=frame_of(sources, raw, df, ms),
        sources=sources,
        objects=objects,
        sizes=dict(zip(grid.facets, map(float, grid.levels), strict=True)),
        fixed=fixed,
        n_objects=len(grid.answers),
        n_answers=int((~np.isnan(grid.answers)).sum()),
        method="anova" if use_anova else "reml",
        converged=converged,
        conf_level=0.95,
        score_icc=None,
        notes=tuple(notes),
    )


def frame_of(
    sources: Sequence[Source],
    raw: Mapping[str, float],
    df: Mapping[str, float],
    ms: Mapping[str, float],
) -> pd.DataFrame:
    """One row a source."""
    import pandas as pd

    total = sum(source.variance for source in sources)
    missing = float("nan")
    return pd.DataFrame(
        [
            {
                "source": source.name,
                "variance": source.variance,
                "share": source.variance / total,
                "estimate": raw[source.name],
                "df": df.get(source.name, missing),
                "ms": ms.get(source.name, missing),
            }
            for source in sources
        ]
    )


def respondents_in_clusters(
    responses: Responses,
    items: str | Sequence[str],
    cluster: str,
    *,
    fixed_items: bool,
    conf_level: float,
) -> GeneralizabilityResult:
    """Clusters seen through respondents nested in them and items crossed with both.

    With complete rows the mean of a respondent's items and their k - 1 contrasts are
    independent, each a one-way design: that of the mean holds cluster + cluster × item / k
    between and respondent + residual / k within, that of the contrasts cluster × item and
    residual.
    """
    pieces, column = level_moments(responses, items, cluster, method="A decision study", fewest=1)
    k = len(pieces.items)
    mean = pieces.mean.mean(axis=1)
    ss = pieces.sscp.sum(axis=(1, 2)) / k**2
    score = one_way_reml(pieces.n, mean, ss)
    ratios = wald_ratio_interval(pieces.n, mean, ss, conf_level=conf_level)
    low, high = (ratio / (1 + ratio) for ratio in ratios)
    raw = component_estimates(pieces, column, score)
    facets = {
        column: ((), True),
        f"{column} × item": (("item",), True),
        "respondent": (("respondent",), True),
        "item": (("item",), False),
        "residual": (("respondent", "item"), True),
    }
    if k == 1:
        facets = {column: ((), True), "respondent": (("respondent",), True)}
    sources = tuple(
        Source(name, max(raw[name], 0.0), one, own) for name, (one, own) in facets.items()
    )
    notes = [
        f"{int(pieces.n.sum())} of {responses.n_rows} rows (the complete ones) in {len(pieces.n)} "
        f"groups of {column}; variance components by REML of the scores and of the item contrasts.",
        "Items are "
        + ("the same in every use (fixed)." if fixed_items else "a sample of possible ones."),
    ]
    notes += pooled_note(responses, column)
    if negative := [name for name in facets if raw[name] < 0]:
        notes.append(f"Negative, set to 0: {', '.join(negative)}.")
    if pieces.n_without_cluster:
        notes.append(f"Rows without {column}, left out: {pieces.n_without_cluster}.")
    if responses.synthetic:
        notes.append("Synthetic data.")
    sizes = {"respondent": float(pieces.n.mean())} | ({"item": float(k)} if k > 1 else {})
    return GeneralizabilityResult(
        components_frame=frame_of(sources, raw, {}, {}),
        sources=sources,
        objects=f"{column} on {scale_name(items)}",
        sizes=sizes,
        fixed=("item",) if fixed_items and k > 1 else (),
        n_objects=len(pieces.n),
        n_answers=int(pieces.n.sum()) * k,
        method="reml",
        converged=True,
        conf_level=conf_level,
        score_icc=(score.icc1, low, high) if fixed_items or k == 1 else None,
        notes=tuple(notes),
    )


def component_estimates(pieces: ClusterMoments, column: str, score: OneWayReml) -> dict[str, float]:
    """Variance components of clusters, respondents and items; may be negative."""
    k = len(pieces.items)
    if k == 1:
        return {column: score.tau2, "respondent": score.sigma2}
    apart = pieces.mean @ contrasts(k)
    rest = np.trace(pieces.sscp, axis1=1, axis2=2) - pieces.sscp.sum(axis=(1, 2)) / k
    found = one_way_reml(pieces.n, apart, rest, replicates=k - 1)
    weight = pieces.n / (found.sigma2 + pieces.n * found.tau2)
    centre = weight @ apart / weight.sum()
    return {
        column: score.tau2 - found.tau2 / k,
        f"{column} × item": found.tau2,
        "respondent": score.sigma2 - found.sigma2 / k,
        # What the mean contrasts vary more than their error.
        "item": float(centre @ centre) / (k - 1) - 1 / float(weight.sum()),
        "residual": found.sigma2,
    }


def contrasts(k: int) -> FloatArray:
    """Orthonormal contrasts (k, k - 1) of k items."""
    return np.asarray(np.linalg.qr(np.eye(k)[:, 1:] - 1 / k).Q)
