"""What `retention` returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collabsurvey.dimensionality.correlate import ItemCorrelations
from collabsurvey.display import Chart, Table
from collabsurvey.display.scree import Series, scree_chart
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

# What a reading of the verdicts rests on: the methods that do best in simulations. Kaiser's rule
# and VSS are shown, but take no part (Auerswald & Moshagen, 2019, doi:10.1037/met0000200).
COUNTED = (
    "parallel_components",
    "parallel_factors",
    "map",
    "ekc",
    "comparison_data",
)
TITLES = {
    "parallel_components": "parallel analysis (components)",
    "parallel_factors": "parallel analysis (factors)",
    "map": "MAP (Velicer, 1976)",
    "map_revised": "MAP, fourth power (2000)",
    "ekc": "empirical Kaiser criterion",
    "comparison_data": "comparison data",
    "bic": "smallest BIC of minres",
    "vss1": "VSS, complexity 1",
    "vss2": "VSS, complexity 2",
    "kaiser": "eigenvalues above 1 (not advised)",
}


@dataclass(frozen=True, eq=False)
class RetentionResult(Result):
    """How many factors a set of items has, by several methods, and whether they suit factoring.

    Attributes
    ----------
    kmo : float
        Kaiser–Meyer–Olkin measure of sampling adequacy; NaN where the matrix has no inverse.
    kmo_items : pandas.Series
        By item.
    bartlett : mapping
        chi2, df, p_value, log_p of Bartlett's test of sphericity.
    determinant : float
    eigenvalues : array (k,)
        Of the correlation matrix, largest first.
    parallel : pandas.DataFrame
        By number: component, component_mean, component_reference, and the same of factors
        (eigenvalues with one-factor communalities on the diagonal).
    map, map_revised : pandas.Series
        Average squared (fourth power of) partial correlation after removing 0, 1, 2 …
        components; psych's `map` starts at 1.
    vss : pandas.DataFrame
        By number of factors: vss1, vss2, chi2, df, p_value, rmsea, bic, sabic, converged.
    ekc : pandas.Series
        Reference eigenvalues of the empirical Kaiser criterion.
    suggestions : mapping of method to number, None where a method could not be used
    p_comparison : pandas.Series or None
        Comparison data: probability that k factors are no nearer than k - 1.
    """

    correlations: ItemCorrelations
    kmo: float
    kmo_items: pd.Series[float]
    bartlett: Mapping[str, float]
    determinant: float
    eigenvalues: Any
    parallel: pd.DataFrame
    map: pd.Series[float]
    map_revised: pd.Series[float]
    vss: pd.DataFrame
    ekc: pd.Series[float]
    p_comparison: pd.Series[float] | None
    suggestions: Mapping[str, int | None]
    reference_words: str
    notes: tuple[str, ...]

    @property
    def items(self) -> tuple[str, ...]:
        """Item ids."""
        return self.correlations.items

    @property
    def n(self) -> int:
        """Respondents behind the correlations."""
        return self.correlations.n

    @property
    def suggested(self) -> tuple[int, ...]:
        """Numbers that the methods counted say most often, smallest first; several if tied."""
        votes = Counter(
            number for name in COUNTED if (number := self.suggestions.get(name)) is not None
        )
        most = max(votes.values(), default=0)
        return tuple(sorted(number for number, count in votes.items() if count == most))

    def to_frame(self) -> pd.DataFrame:
        """One row a method: method, title, n_factors, counted (in the reading)."""
        import pandas as pd

        return pd.DataFrame(
            {
                "method": list(self.suggestions),
                "title": [TITLES[name] for name in self.suggestions],
                "n_factors": pd.array(list(self.suggestions.values()), dtype="Int64"),
                "counted": [name in COUNTED for name in self.suggestions],
            }
        )

    def table(self) -> Table:
        """One row a method."""
        return Table(
            f"How many factors: {self.correlations.name}",
            {
                "method": [TITLES[name] for name in self.suggestions],
                "factors": list(self.suggestions.values()),
            },
            (self.reading(), *self.notes),
        )

    def reading(self) -> str:
        """What the methods say together, in one sentence."""
        found = sorted(
            number for name in COUNTED if (number := self.suggestions.get(name)) is not None
        )
        if not found:
            return "No method could be used."
        low, high = found[0], found[-1]
        if low == high:
            return f"All methods counted say {low}."
        most = " or ".join(map(str, self.suggested))
        return (
            f"Methods say {low} to {high}, most often {most}. Look at the loadings of each number "
            "before you decide; what the items mean decides between them."
        )

    def chart(self) -> Chart:
        """Scree with the eigenvalues of unrelated items, and every method's number."""
        table = self.parallel
        series = [
            Series(
                "components",
                table["component"].tolist(),
                table["component_reference"].tolist(),
                f"unrelated items, {self.reference_words}",
            )
        ]
        if table["factor"].notna().any():
            series.append(
                Series(
                    "factors",
                    table["factor"].tolist(),
                    table["factor_reference"].tolist(),
                    f"unrelated items, {self.reference_words}",
                )
            )
        verdicts = {TITLES[name]: number for name, number in self.suggestions.items()}
        return scree_chart(series, verdicts, title=f"How many factors: {self.correlations.name}")
