"""What `alignment` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.display.heat import heat_chart
from collabsurvey.errors import UnknownNameError
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["loading", "intercept", "threshold"]


@dataclass(frozen=True, eq=False)
class AlignmentResult(Result):
    """Group means on a common scale although not every item works alike in every group.

    Attributes
    ----------
    means : pandas.DataFrame
        One row a factor and group: `factor, group, n_respondents, mean, std_error, ci_low,
        ci_high, variance, variance_error, difference, difference_error, p_value`. The difference
        is that from the reference group, in standard deviations of that group.
    parameters : pandas.DataFrame
        One row a parameter and group: `factor, item, parameter, kind, group, configural,
        estimate, std_error, p_value, invariant`; the p-value is of the difference from the
        average of the groups in which the parameter is the same.
    items : pandas.DataFrame
        One row a parameter: `factor, item, parameter, kind, average, n_invariant, n_groups, r2,
        differs_in`; `r2` is the share of its variation between groups (before alignment) that the
        groups' factor means and variances explain.
    share : float
        Of all parameters times groups, those that are not the same as in the other groups.
    criterion : mapping of factor to number
        Value of the simplicity function, pairs of groups weighted with the root of the product
        of their sizes; lower is simpler.
    """

    by: str
    method: Literal["fixed", "free"]
    groups: tuple[str, ...]
    reference: str
    means: pd.DataFrame
    parameters: pd.DataFrame
    items: pd.DataFrame
    share: float
    criterion: Mapping[str, float]
    fit: Mapping[str, float]  # chi2, df, p_value, rmsea of the configural model
    converged: bool
    conf_level: float
    notes: tuple[str, ...]

    @property
    def factors(self) -> tuple[str, ...]:
        """Factors that were aligned, each on its own."""
        return tuple(self.criterion)

    def to_frame(self) -> pd.DataFrame:
        """Return the groups' factor means and variances."""
        return self.means.copy()

    def share_of(self, kind: Kind) -> float:
        """Share of loadings, intercepts or thresholds that are not the same."""
        shown = self.parameters[self.parameters["kind"] == kind]
        if not len(shown):
            kinds = self.parameters["kind"].unique()
            raise UnknownNameError("kind", kind, available=kinds, where="The alignment")
        return float(1 - shown["invariant"].mean())

    def table(self) -> Table:
        """Means of the groups, and what may be said about them."""
        shown = self.means.drop(columns=["variance_error"])
        if len(self.factors) == 1:
            shown = shown.drop(columns=["factor"])
        number = ("mean", "std_error", "ci_low", "ci_high", "variance")
        formats = dict.fromkeys((*number, "difference", "difference_error"), ".2f")
        return Table(
            title=f"Aligned factor means by {self.by}",
            columns={str(name): shown[name].tolist() for name in shown.columns},
            notes=self.notes,
            formats=formats,
            labels={"n_respondents": "n", "difference": f"difference from {self.reference}"},
        )

    def chart(self) -> Chart:
        """Mean of every group with its interval, from the highest to the lowest."""
        shown = self.means.sort_values(["factor", "mean"], ascending=[True, False])
        labels = [
            group if len(self.factors) == 1 else f"{group} ({factor})"
            for group, factor in zip(shown["group"], shown["factor"], strict=True)
        ]
        return interval_chart(
            labels,
            shown["mean"].tolist(),
            shown["ci_low"].tolist(),
            shown["ci_high"].tolist(),
            title=f"Aligned factor means by {self.by}",
            axis="factor mean, in standard deviations",
            reference=0.0,
        )

    def parameter_chart(self) -> Chart:
        """By how much every parameter of every group is off the average; outlined: not the same."""
        shape = len(self.items), len(self.groups)  # rows of `parameters`: groups run fastest
        values = self.parameters["estimate"].to_numpy().reshape(shape)
        same = self.parameters["invariant"].to_numpy(dtype=bool).reshape(shape)
        rows, columns = (~same).nonzero()
        return heat_chart(
            (values - self.items["average"].to_numpy()[:, None]).tolist(),
            self.items["parameter"].tolist(),
            self.groups,
            title=f"Loadings and intercepts by {self.by}, less their average",
            description_of="difference from the average",
            groups=_runs(self.items["factor"].tolist()),
            mark=list(zip(rows.tolist(), columns.tolist(), strict=True)),
        )


def _runs(labels: Sequence[str]) -> list[tuple[str, int]] | None:
    """Consecutive equal labels and how many there are; None where there is only one label."""
    names = list(dict.fromkeys(labels))
    return [(name, labels.count(name)) for name in names] if len(names) > 1 else None
