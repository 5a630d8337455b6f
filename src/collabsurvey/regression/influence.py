"""Which single schools a finding rests on: every coefficient without each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import DataError, NotSupportedError, OptionError, listed
from collabsurvey.moments.design import design_products
from collabsurvey.numerics.leave_one_out import least_squares_changes, mixed_without_groups
from collabsurvey.numerics.mixed import GroupProducts, evaluate
from collabsurvey.numerics.typing import BoolArray, FloatArray
from collabsurvey.regression.call_checks import require_kind
from collabsurvey.regression.linear import LinearResult
from collabsurvey.regression.mixed_fits import group_products
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.prepare import groups_of, prepare
from collabsurvey.regression.results import RegressionResult
from collabsurvey.results import Result, table_from_frame

MOST_SHOWN = 10
MOST_DRAWN = 30
SAME_FIT = 1e-5  # of a standard error: the data handed in are those of the fit


@dataclass(frozen=True, eq=False)
class InfluenceResult(Result):
    """What becomes of a model without each cluster.

    Attributes
    ----------
    coefficients : DataFrame
        Coefficients without each cluster (index): the fit to the others.
    dfbetas : DataFrame
        Their change, without less with, in standard errors of the fit to all.
    cooks_distance : (G,) array
        change' V^-1 change / p, V the covariance of the fit to all.
    variances : DataFrame or None
        Of a mixed model: the variances without each cluster.
    cut_dfbetas, cut_cook : float
        2 / sqrt(G) and 4 / G, beyond which a cluster is looked at (Belsley, Kuh & Welsch, 1980, p.
        28; Nieuwenhuis, te Grotenhuis & Pelzer, 2012).
    """

    group: str
    outcome: str
    coefficients: pd.DataFrame
    dfbetas: pd.DataFrame
    cooks_distance: FloatArray
    variances: pd.DataFrame | None
    cut_dfbetas: float
    cut_cook: float
    full: pd.Series = field(repr=False)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.cooks_distance.setflags(write=False)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each cluster: cooks_distance, largest_dfbetas, its term, marked."""
        values = self.dfbetas.to_numpy()
        sizes = np.where(np.isnan(values), np.inf, np.abs(values))  # not determined: most of all
        place = sizes.argmax(axis=1)
        largest = values[np.arange(len(values)), place]
        marked = (self.cooks_distance > self.cut_cook) | (sizes.max(axis=1) > self.cut_dfbetas)
        return pd.DataFrame(
            {
                self.group: self.dfbetas.index,
                "cooks_distance": self.cooks_distance,
                "largest_dfbetas": largest,
                "term": self.dfbetas.columns.to_numpy()[place],
                "marked": marked,
            }
        )

    def table(self) -> Table:
        """Return the clusters that move the coefficients most."""
        frame = self.to_frame().sort_values("cooks_distance", ascending=False, kind="stable")
        shown = frame.head(MOST_SHOWN).drop(columns="marked")
        names, levels = shown["term"].tolist(), shown[self.group].tolist()
        shown["estimate"] = self.full[names].to_numpy()
        shown["without"] = [
            self.coefficients.loc[level, name] for level, name in zip(levels, names, strict=True)
        ]
        return table_from_frame(
            shown,
            f"Single clusters of {self.group} and {self.outcome}",
            labels={"cooks_distance": "Cook's distance", "largest_dfbetas": "largest DFBETAS"},
            notes=self.notes,
        )

    def chart(self) -> Chart:
        """Return Cook's distances, largest first; those above 4 / G are marked."""
        order = np.argsort(-self.cooks_distance, kind="stable")[:MOST_DRAWN]
        values = self.cooks_distance[order].tolist()
        return dot_chart(
            [str(self.dfbetas.index[i]) for i in order],
            values,
            title=f"How far the coefficients move without one {self.group}",
            axis="Cook's distance",
            reference=self.cut_cook,
            highlight=[value > self.cut_cook for value in values],
        )


def influence(
    result: LinearResult | MixedResult,
    data: Any = None,
    *,
    weights: str | None = None,
    variances: Literal["refit", "kept"] = "refit",
) -> InfluenceResult:
    """The model without each cluster in turn.

    Parameters
    ----------
    result : LinearResult or MixedResult
        Of `ols(..., cluster=...)` with one way of clustering, or of `mixed` with one random term.
    data, weights : frame, str; for a mixed model
        The rows and weights of the fit. They are read once, into products of each group; the fits
        without a group use those alone.
    variances : str
        Of a mixed model: "refit" estimates them again without each group, "kept" leaves them
        as they are, which is faster and close where no group moves the variances.

    Returns
    -------
    InfluenceResult
        `.coefficients`, `.dfbetas`, `.cooks_distance`, `.variances`.

    Raises
    ------
    NotSupportedError
        No clusters, two ways of clustering, several random terms.
    DataError
        The data are not those of the fit, or the result is of another function.

    Notes
    -----
    Exact: the same numbers as a fit to the rows of the other clusters (`within()`, `between()` and
    `center()` keep the means that all rows taught). A marked cluster is one to look at, not to
    leave out. lme4 scales DFBETAS by the error without the group, and Cook's distance by
    (G - p) / G as well. Sources: Belsley, Kuh & Welsch (1980), Regression diagnostics;
    Nieuwenhuis, te Grotenhuis & Pelzer (2012), doi:10.32614/RJ-2012-011.
    """
    if not isinstance(result, RegressionResult):
        require_kind("influence", result, LinearResult, MixedResult, of="ols() or mixed()")
    if variances not in {"refit", "kept"}:
        raise OptionError("variances", variances, allowed=("refit", "kept"))
    notes: list[str] = []
    moved_variances = None
    if isinstance(result, MixedResult):
        names, changes, lost, moved_variances, notes = _mixed_changes(
            result, data, weights, refit=variances == "refit"
        )
        group = result.parts[0].group
    else:
        names, changes, lost = _linear_changes(result)
        group = str(result.cluster)
    terms = list(result.terms)
    n_clusters = len(changes)
    cook = _cooks_distance(result, changes)
    index = pd.Index(names, name=group)
    dfbetas = pd.DataFrame(changes / result.std_errors, index=index, columns=terms)
    found = InfluenceResult(
        group=group,
        outcome=result.outcome,
        coefficients=pd.DataFrame(result.coefficients + changes, index=index, columns=terms),
        dfbetas=dfbetas,
        cooks_distance=cook,
        variances=moved_variances,
        cut_dfbetas=2 / float(np.sqrt(n_clusters)),
        cut_cook=4 / n_clusters,
        full=pd.Series(result.coefficients, index=terms),
    )
    notes = [
        f"{result.formula}; {n_clusters} clusters, each left out in turn; changes in standard "
        f"errors. Marked from DFBETAS {found.cut_dfbetas:.2f} or Cook's distance "
        f"{found.cut_cook:.2f} on: {int(found.to_frame()['marked'].sum())}.",
        *notes,
        *_told(result, names, changes, lost),
    ]
    object.__setattr__(found, "notes", tuple(notes))
    return found


def _linear_changes(result: LinearResult) -> tuple[tuple[str, ...], FloatArray, BoolArray]:
    if not isinstance(result, LinearResult) or result.by_cluster is None:
        raise NotSupportedError(
            "The influence of clusters on a model without one way of clustering",
            instead="Fit ols() with cluster= and one column, or mixed() with one random term.",
        )
    gram, scores = result.by_cluster[:, :-1, :-1], result.by_cluster[:, :-1, -1]
    changes, lost = least_squares_changes(gram, scores, result.basis)
    return result.cluster_names, changes, lost


def _mixed_changes(
    result: MixedResult, data: Any, weights: str | None, *, refit: bool
) -> tuple[tuple[str, ...], FloatArray, BoolArray, pd.DataFrame, list[str]]:
    result.require_plain_residuals("The influence of groups")
    part = result.parts[0]
    if len(result.parts) > 1 or not isinstance(result.products, GroupProducts):
        raise NotSupportedError(
            "The influence of groups on a model with several random terms",
            instead="Fit with one of them, or fit again without the rows of a group.",
        )
    if data is None:
        raise OptionError("data", None, allowed=("the rows of the fit, read once",))
    model = prepare(
        "influence", result.encoding.formula, data, conf_level=result.conf_level, weights=weights
    )
    groups = groups_of(part.term.group, model.rows.columns)
    made = design_products(model.blocks, model.basis, groups.codes, len(groups.names))
    lower = result.optimiser.lower  # type: ignore[union-attr]
    products = group_products(made, n_rows=model.n_obs, reml=result.reml)
    at = evaluate(products, lower)
    again = made.start + made.transform @ at.beta * made.e_scale
    same = model.n_obs == result.fit["n_obs"] and model.plan.names == result.terms
    if not same or (np.abs(again - result.coefficients) > SAME_FIT * result.std_errors).any():
        raise DataError(
            "The data do not give the model that was handed in. Use the rows and weights of the "
            "fit."
        )
    p, n_groups = len(result.terms), len(groups.names)
    changes, spread = np.full((n_groups, p), np.nan), np.full((n_groups, len(lower) + 1), np.nan)
    rough = []
    fits = mixed_without_groups(
        made.by_cluster,
        np.bincount(groups.codes),
        lower,
        reml=result.reml,
        correlated=part.term.correlated,
        refit=refit,
    )
    for g, fit in enumerate(fits):
        if fit is None:
            continue
        changes[g] = made.transform @ (fit.beta - at.beta) * made.e_scale
        root = part.scale @ fit.lower
        sigma2 = fit.sigma2 * made.e_scale**2
        spread[g] = [*(sigma2 * (root**2).sum(axis=1)), sigma2]
        if not fit.converged:
            rough.append(groups.names[g])
    notes = [f"Without {listed(rough, most=6)} the fit did not converge."] if rough else []
    if not refit:
        notes.append("The variances of all groups are kept.")
    columns = [*part.terms, "Residual"]
    variances = pd.DataFrame(spread, index=pd.Index(groups.names, name=part.group), columns=columns)
    return groups.names, changes, np.isnan(changes), variances, notes


def _cooks_distance(result: RegressionResult, changes: FloatArray) -> FloatArray:
    """Change' V^-1 change / p; infinite where a coefficient is not determined."""
    size = result.std_errors
    inner = np.linalg.pinv(result.covariance / np.outer(size, size), hermitian=True)
    scaled = np.nan_to_num(changes / size)
    cook = np.einsum("gp,pr,gr->g", scaled, inner, scaled) / len(size)
    return np.where(np.isnan(changes).any(axis=1), np.inf, cook)


def _told(
    result: RegressionResult, names: tuple[str, ...], changes: FloatArray, lost: BoolArray
) -> list[str]:
    """Sentences on coefficients that rest on one cluster, or change their sign without it."""
    sentences = []
    turned = (np.sign(result.coefficients + changes) != np.sign(result.coefficients)) & ~lost
    for j, term in enumerate(result.terms):
        if lost[:, j].any():
            alone = [names[g] for g in np.flatnonzero(lost[:, j])]
            sentences.append(f"{term} cannot be estimated without {listed(alone, most=6)}.")
        if term != "(Intercept)" and turned[:, j].any():
            which = [names[g] for g in np.flatnonzero(turned[:, j])]
            sentences.append(f"{term} changes its sign without {listed(which, most=6)}.")
    return sentences
