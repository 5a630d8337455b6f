"""What `culture_distance` returns: how far apart the profiles of schools are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.heat import heat_chart
from collabsurvey.errors import OptionError
from collabsurvey.partnership.dyad_result import rounded_up
from collabsurvey.partnership.pictures import cell_format, framed
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

Metric = Literal["euclidean", "mahalanobis", "aitchison"]
Standardise = Literal["auto", "within", "none"]

UNITS = {
    ("euclidean", "within"): "in standard deviations within schools",
    ("euclidean", "none"): "in units of the scales",
    ("mahalanobis", "none"): "Mahalanobis, by the covariance within schools",
    ("aitchison", "none"): "Aitchison, of the shares",
}


@dataclass(frozen=True, eq=False)
class CultureDistanceResult(Result):
    """One row a pair of schools; no value is removed, however few people it rests on.

    Attributes
    ----------
    pairs : pandas.DataFrame
        `school_a school_b n_a n_b distance distance_corrected ci_low ci_high share_closer
        one_respondent below_min_n`. `distance` is that of the means as they are, which two
        samples of one school have too; `distance_corrected` and its interval have the sampling
        error taken out of the squared distance, and are 0 where nothing is left. `share_closer`
        is the share of all other pairs that are closer (corrected; a tie counts half).
    profiles : pandas.DataFrame
        `school n`, then the mean of each scale in its own unit; for shares the centre.
    share_apart : float
        Share of the pairs with an interval whose interval lies above 0; NaN without any.
    one_respondent : tuple
        Schools whose profile is one person's.
    n_incomplete : int
        Respondents without all scales, left out.
    """

    pairs: pd.DataFrame
    profiles: pd.DataFrame
    schools: tuple[Any, ...]
    scales: tuple[str, ...]
    metric: Metric
    standardise: Standardise
    share_apart: float
    one_respondent: tuple[Any, ...]
    n_respondents: int
    n_incomplete: int
    n_boot: int
    seed: int
    conf_level: float
    min_n: int
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a pair; see the class."""
        return self.pairs.copy()

    def matrix(self, quantity: str = "distance_corrected") -> pd.DataFrame:
        """Symmetric table of schools, 0 on the diagonal; of `distance` or the corrected one."""
        import pandas as pd

        allowed = ("distance_corrected", "distance")
        if quantity not in allowed:
            raise OptionError("quantity", quantity, allowed=allowed)
        values = np.zeros((len(self.schools), len(self.schools)))
        upper = np.triu_indices(len(self.schools), 1)  # the order of `pairs`
        values[upper] = values.T[upper] = self.pairs[quantity].to_numpy()
        return pd.DataFrame(values, index=list(self.schools), columns=list(self.schools))

    def table(self) -> Table:
        """Pairs from close to far."""
        frame = self.pairs.sort_values("distance_corrected", kind="stable")
        shown = ["school_a", "school_b", "n_a", "n_b", "distance", "distance_corrected"]
        shown += ["ci_low", "ci_high", "share_closer", "below_min_n"]
        two = ("distance", "distance_corrected", "ci_low", "ci_high")
        return Table(
            title=f"Distances between schools, {UNITS[self.metric, self.standardise]} "
            f"({self.conf_level:.0%} intervals)",
            columns={name: frame[name].tolist() for name in shown},
            notes=self.notes,
            formats={**dict.fromkeys(two, ".2f"), "share_closer": ".0%"},
            labels={
                "distance_corrected": "corrected",
                "share_closer": "closer pairs",
                "below_min_n": f"below {self.min_n}",
            },
        )

    def chart(self) -> Chart:
        """Corrected distances as a map; where there are none, the distances as they are."""
        corrected = self.pairs["distance_corrected"].notna().all()
        values = self.matrix("distance_corrected" if corrected else "distance").to_numpy()
        names = [str(school) for school in self.schools]
        limit = rounded_up(float(values.max()))
        few = self.profiles["n"].to_numpy() < self.min_n
        small = np.logical_or.outer(few, few)
        shown = np.where(np.eye(len(few), dtype=bool), np.nan, values)
        mark, words = framed(shown.tolist(), small.tolist(), f"fewer than {self.min_n} people")
        return heat_chart(
            values.tolist(),
            names,
            names,
            title=f"Distances between schools, {UNITS[self.metric, self.standardise]}{words}",
            description_of="distance",
            limit=limit,
            start=0.0,
            form=cell_format(limit),
            mark=mark,
            square=True,
        )
