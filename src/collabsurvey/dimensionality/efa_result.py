"""What `efa` and `pca` return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.dimensionality.correlate import ItemCorrelations
from collabsurvey.dimensionality.factor_scores import score_method, score_weights
from collabsurvey.display import Chart, Table
from collabsurvey.display.heat import heat_chart
from collabsurvey.errors import DataError
from collabsurvey.results import Result
from collabsurvey.scoring.linear import linear_scores

if TYPE_CHECKING:
    import pandas as pd

SMALL = 0.3  # loadings below are drawn in grey: they share less than a tenth of the variance


@dataclass(frozen=True, eq=False)
class EfaResult(Result):
    """Factors of k items: loadings, how they correlate, how well they fit.

    Factors are sorted by their sum of squared loadings and signed so that loadings add up to
    a positive number; a general factor stays first, and those of a target stay in its order and
    in the direction that it gives.

    Attributes
    ----------
    loadings : pandas.DataFrame
        (items, factors) pattern loadings, F1, F2, …
    structure : pandas.DataFrame
        (items, factors) correlations of items with factors; the pattern if uncorrelated.
    factor_correlations : pandas.DataFrame
        (factors, factors); the identity after an orthogonal rotation.
    communalities, uniquenesses, complexity : pandas.Series
        By item; a Heywood case of minres may have a communality above 1, as in psych.
        Complexity is Hofmann's (1978) number of factors an item reflects, NaN where none.
    variance : pandas.DataFrame
        By factor: ss_loadings, proportion, cumulative, share (of the common variance).
    fit : mapping
        chi2, df, p_value, rmsea, rmsea_ci_low, rmsea_ci_high (90 %), tli, bic, sabic, rmsr,
        rmsr_corrected, fit_off, objective, chi2_empirical; see `factor_fit.FactorFit`. NaN
        where the correlation matrix has no inverse, or the model no degrees of freedom.
    eigenvalues, reduced_eigenvalues : arrays (k,)
        Of the correlation matrix, and with the communalities on its diagonal.
    residuals : pandas.DataFrame
        (items, items) correlations minus those the factors imply.
    determinacy : pandas.Series
        Squared correlation of each factor with its regression scores.
    heywood : tuple of items
        Items without a unique variance (at the bound of .005 in the search; with minres the
        communality may then exceed 1): a sign of too many factors, or
        of too few respondents.
    converged, rotation_converged : bool
    n_starts, n_best, n_minima : int
        Starts of the rotation, how many ended at the best value, different minima met.
    intervals : pandas.DataFrame or None
        Where a bootstrap was asked for: item, factor, estimate, std_error, ci_low, ci_high of
        each loading, and of factor correlations (item is then the other factor).
    """

    correlations: ItemCorrelations
    n_factors: int
    extraction: str
    rotation: str
    kaiser: bool
    loadings: pd.DataFrame
    structure: pd.DataFrame
    factor_correlations: pd.DataFrame
    communalities: pd.Series[float]
    uniquenesses: pd.Series[float]
    complexity: pd.Series[float]
    variance: pd.DataFrame
    fit: Mapping[str, float]
    eigenvalues: Any
    reduced_eigenvalues: Any
    residuals: pd.DataFrame
    determinacy: pd.Series[float]
    heywood: tuple[str, ...]
    converged: bool
    rotation_converged: bool
    n_starts: int
    n_best: int
    n_minima: int
    intervals: pd.DataFrame | None
    n_boot: int
    conf_level: float
    notes: tuple[str, ...]

    @property
    def items(self) -> tuple[str, ...]:
        """Item ids, in questionnaire order."""
        return self.correlations.items

    @property
    def n(self) -> int:
        """Respondents behind the correlations."""
        return self.correlations.n

    def to_frame(self) -> pd.DataFrame:
        """One row an item: item, its loadings, communality, uniqueness, complexity."""
        frame = self.loadings.copy()
        frame.insert(0, "item", frame.index)
        frame["communality"] = self.communalities
        frame["uniqueness"] = self.uniquenesses
        frame["complexity"] = self.complexity
        return frame.reset_index(drop=True)

    def score_weights(self, method: str = "regression") -> pd.DataFrame:
        """Weights (items, factors) for standardised items; methods as in `scores`."""
        import pandas as pd

        weights = score_weights(
            self.correlations.cor,
            self.loadings.to_numpy(),
            self.factor_correlations.to_numpy(),
            score_method(method),
        )
        return pd.DataFrame(weights, index=self.loadings.index, columns=self.loadings.columns)

    def scores(self, data: Any = None, method: str = "regression") -> Any:
        """Scores of every row, in the engine of the data, rows and index as they were.

        Parameters
        ----------
        data : Responses or any frame, optional
            Answers with the items of this result; those of the analysis where left out.
            Items are standardised with the mean and standard deviation of the analysis.
        method : "regression", "bartlett", "ten_berge" or "anderson_rubin"
            "regression" (Thurstone) predicts the factors best and is psych's default;
            "bartlett" is unbiased for each person; "ten_berge" keeps the factor
            correlations; "anderson_rubin" gives uncorrelated scores. psych's names are
            understood.

        Returns
        -------
        frame with F1, F2, …; null where an item was not answered. Lazy frames of `Responses`
        keep the columns of their roles.

        Raises
        ------
        DataError
            Only correlations were handed in, so means and standard deviations are not known.

        Notes
        -----
        Scores are estimates: `determinacy` says how well regression scores stand for their
        factors. With polychoric correlations the weights are of the answers as numbers.
        """
        given = self.correlations
        if given.mean is None or given.sd is None:
            raise DataError(
                "Scores need the means and standard deviations of the items, and this analysis "
                "started from correlations. Run efa() on the answers."
            )
        answers = given.responses if data is None else data
        if answers is None:
            raise DataError("Scores need answers: result.scores(data).")
        return linear_scores(
            answers,
            self.items,
            tuple(self.loadings.columns),
            weights=self.score_weights(method).to_numpy(),
            mean=given.mean,
            sd=given.sd,
        )

    def table(self) -> Table:
        """One row an item, loadings first."""
        frame = self.to_frame()
        names = list(self.loadings.columns)
        word = "component" if self.extraction == "principal_components" else "factor"
        count = f"{self.n_factors} {word}" + ("" if self.n_factors == 1 else "s")
        how = [self.extraction.replace("_", " ")]
        how += [self.rotation.replace("_", " ")] if self.n_factors > 1 else []
        return Table(
            f"{count.capitalize()} of {self.correlations.name} ({', '.join(how)})",
            {str(name): frame[name].tolist() for name in frame.columns},
            self.notes,
            formats={
                **dict.fromkeys([*names, "communality", "uniqueness"], ".2f"),
                "complexity": ".1f",
            },
            labels={name: name for name in names},
        )

    def chart(self) -> Chart:
        """Map of the loadings, items grouped by scale; small ones recede."""
        groups = [group for group in self.correlations.groups if group[0]]
        return heat_chart(
            self.loadings.to_numpy().tolist(),
            list(self.items),
            list(self.loadings.columns),
            title=f"Loadings of {self.correlations.name}",
            description_of="loading",
            groups=list(self.correlations.groups) if len(groups) > 1 else None,
            quiet_below=SMALL,
        )

    def reading(self) -> tuple[str, ...]:
        """What the solution says, factor by factor, in plain words."""
        said = []
        for name in self.loadings.columns:
            column = self.loadings[name]
            strong = column[column.abs() >= SMALL].sort_values(key=np.abs, ascending=False)
            shown = ", ".join(f"{item} ({value:.2f})" for item, value in strong.head(6).items())
            rest = f" and {len(strong) - 6} more" if len(strong) > 6 else ""
            said.append(f"{name}: {shown or 'no item loads above .30'}{rest}.".replace("-", "−"))
        return tuple(said)
