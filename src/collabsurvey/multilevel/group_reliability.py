"""Reliability of each group's mean by its size, from variance components by REML.

Source: Bliese (2000) in Klein & Kozlowski, Multilevel Theory, 349-381; Raudenbush & Bryk (2002)
Hierarchical Linear Models, eq. 3.42.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import OptionError, UnknownNameError
from collabsurvey.multilevel.groups import groups_of
from collabsurvey.multilevel.icc import Method, require_groups, require_within
from collabsurvey.multilevel.inputs import chosen_scales, score_table
from collabsurvey.numerics.oneway import group_reliability as reliability_of_means
from collabsurvey.numerics.oneway import one_way
from collabsurvey.numerics.variance_components import one_way_reml
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

# LeBreton & Senter (2008, doi:10.1177/1094428106296642): .70 is the customary least for means.
GOOD_RELIABILITY = 0.70


@dataclass(frozen=True, eq=False)
class GroupReliabilityResult(Result):
    """Reliability of the mean of each group.

    Attributes
    ----------
    groups_frame : pandas.DataFrame
        `variable`, the cluster column, `n mean reliability`.
    variables_frame : pandas.DataFrame
        `variable icc1 tau2 sigma2 n_clusters mean_reliability median_reliability
        smallest largest share_reliable`, the share of groups at .70 or more.
    """

    groups_frame: pd.DataFrame
    variables_frame: pd.DataFrame
    cluster: str
    method: Method
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a variable and group; see the class."""
        return self.groups_frame.copy()

    def table(self) -> Table:
        """One row a variable, over its groups."""
        frame = self.variables_frame
        return Table(
            title=f"Reliability of the means of {self.cluster}",
            columns={name: frame[name].tolist() for name in frame.columns},
            notes=self.notes,
            formats={
                **dict.fromkeys(("mean_reliability", "median_reliability"), ".2f"),
                **dict.fromkeys(("smallest", "largest"), ".2f"),
                "share_reliable": ".0%",
            },
            labels={"n_clusters": "clusters", "share_reliable": "share of .70 or more"},
        )

    def chart(self, variable: str | None = None) -> Chart:
        """Reliability of each group's mean of one variable (the first), from low to high."""
        known = self.variables_frame["variable"].tolist()
        chosen = known[0] if variable is None else variable
        if chosen not in known:
            raise UnknownNameError("variable", chosen, available=known, where="The result")
        frame = self.groups_frame
        frame = frame[frame["variable"] == chosen].sort_values("reliability", kind="stable")
        return dot_chart(
            labels=[str(label) for label in frame[self.cluster]],
            values=frame["reliability"].tolist(),
            title=f"Reliability of the means of {chosen} by {self.cluster}",
            axis="reliability of the mean",
            reference=GOOD_RELIABILITY,
        )


def group_reliability(
    data: Any,
    variables: str | Sequence[str] | None = None,
    cluster: str = "cluster",
    *,
    method: Method = "reml",
) -> GroupReliabilityResult:
    """Reliability of the mean of each group: tau2 / (tau2 + sigma2 / n).

    Parameters
    ----------
    data, variables, cluster
        As in `icc`.
    method : "reml" or "anova"
        Where the variance components come from. REML, the default, weighs groups by what they
        tell and is what the R package multilevel uses (`gmeanrel`).

    Raises
    ------
    NotEnoughDataError
        Fewer than two clusters, or no cluster with two members.
    NoVarianceError
        A variable has one value only, or one in each cluster.
    WeightsNotAppliedError
        The responses have a weight role.

    Notes
    -----
    ICC(2) is this reliability for a group of mean size. Variance between groups that is
    estimated at zero makes every mean worthless for comparing groups: reliability 0, and said.
    """
    import pandas as pd

    if method not in ("anova", "reml"):
        raise OptionError("method", method, allowed=("reml", "anova"))
    table = score_table(data, method="multilevel.group_reliability")
    column = table.column(cluster)
    names = chosen_scales(table, variables, keys=[column])
    groups = groups_of(table, names, [column], None)
    parts, rows, notes = [], [], []
    for name in names:
        _, n, mean, ss = groups.column(name)
        anova = one_way(n, mean, ss)
        require_groups(anova, name, column)
        require_within(anova, name, column)
        tau2, sigma2 = anova.tau2, anova.ms_within
        if method == "reml":
            found = one_way_reml(n, mean, ss)
            tau2, sigma2 = found.tau2, found.sigma2
        reliability = reliability_of_means(n, tau2=tau2, sigma2=sigma2)
        frame = groups.key_frame().assign(n=n.astype(int), mean=mean, reliability=reliability)
        frame.insert(0, "variable", name)
        parts.append(frame[frame["n"] > 0])
        rows.append(variable_row(name, tau2, sigma2, reliability[n > 0]))
        if tau2 == 0:
            notes.append(
                f"{name}: groups differ no more than chance would have it, so reliability is 0."
            )
    return GroupReliabilityResult(
        groups_frame=pd.concat(parts, ignore_index=True),
        variables_frame=pd.DataFrame(rows),
        cluster=column,
        method=method,
        notes=(
            f"Variance components by {'REML' if method == 'reml' else 'analysis of variance'}.",
            "Customary least for comparing means: .70 (LeBreton & Senter, 2008).",
            *notes,
            *groups.notes,
            *(("Synthetic data.",) if table.synthetic else ()),
        ),
    )


def variable_row(
    name: str, tau2: float, sigma2: float, reliability: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> dict[str, object]:
    """One row of the summary."""
    return {
        "variable": name,
        "icc1": tau2 / (tau2 + sigma2),
        "tau2": tau2,
        "sigma2": sigma2,
        "n_clusters": len(reliability),
        "mean_reliability": float(reliability.mean()),
        "median_reliability": float(np.median(reliability)),
        "smallest": float(reliability.min()),
        "largest": float(reliability.max()),
        "share_reliable": float((reliability >= GOOD_RELIABILITY).mean()),
    }
