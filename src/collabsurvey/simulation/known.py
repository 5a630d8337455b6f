"""What is true of one synthetic cohort, so that an analysis can be held against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.results import Result, table_from_frame
from collabsurvey.simulation.truth import Truth

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class CohortTruth(Result):
    """The assumptions behind a cohort, what they imply, and the true values that were drawn.

    Attributes
    ----------
    assumptions : Truth
        As they were handed in.
    scales : DataFrame
        One row for each scale and wave: `wave, scale, n_items, mean, sd, alpha_latent, alpha,
        icc_latent, icc`. `mean` and `sd` are those of the mean score of the keyed items, in
        answer units; `alpha_latent` and `icc_latent` hold before answers are cut into
        categories (with equal loadings, the Spearman-Brown formula), `alpha` and `icc` for
        the answers as given. `icc` is the share between schools, partnerships included. A
        scale of one item has no alpha (NaN).
    items : DataFrame
        One row for each item: `item, factor, keyed, loading, location`.
    effects : DataFrame
        One row for each outcome and term: `outcome, term, standardised, coefficient, unit`.
        A regression of the outcome on the true conditions and intake estimates `coefficient`.
    school_conditions : DataFrame
        One row for each school and wave: `school, partnership, wave, cohort`, then each
        scale's true condition, in SD of schools at one wave, 0 the mean of the first wave.
    choices : DataFrame
        One row for each option of what is picked, ranked or given points, school and wave:
        `school, partnership, wave, scale, option, popularity, utility`. `popularity` is the
        same everywhere; `utility` is the mean of the school's staff, to which each of them
        adds a deviation. Of people of that utility alone, an option is picked with the
        probability exp(utility) over the sum of these.
    dyads : DataFrame
        One row for each scale about a named partner and pair of schools: `school, partner,
        scale, deviation`, of the school towards the partner, with SD 1, the same in each wave.
        Empty unless partners were asked about.
    careless : DataFrame
        The rows answered without reading: `respondent, wave`.
    """

    assumptions: Truth
    scales: pd.DataFrame
    items: pd.DataFrame
    effects: pd.DataFrame
    school_conditions: pd.DataFrame
    choices: pd.DataFrame
    dyads: pd.DataFrame
    careless: pd.DataFrame
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of `scales`."""
        return self.scales.copy()

    def table(self) -> Table:
        """Return what the assumptions imply for each scale and wave."""
        return table_from_frame(
            self.scales,
            "What is true of the synthetic cohort",
            notes=self.notes,
            formats={"alpha_latent": ".3f", "alpha": ".3f", "icc_latent": ".3f", "icc": ".3f"},
        )

    def chart(self) -> Chart:
        """Draw the true alpha and ICC of each scale at the first wave."""
        first = self.scales[self.scales["wave"] == self.scales["wave"].min()]

        def draw(ax: Axes) -> None:
            places = range(len(first))
            ax.plot(first["alpha"], places, "o", label="alpha")
            ax.plot(first["icc"], places, "s", label="ICC by school")
            ax.set_yticks(places, first["scale"].tolist())
            ax.invert_yaxis()
            ax.set_xlim(0, 1)
            ax.legend()

        return Chart(
            "True reliability and ICC of each scale (synthetic)",
            "Dots for the true alpha and squares for the true ICC by school of each scale.",
            draw,
        )
