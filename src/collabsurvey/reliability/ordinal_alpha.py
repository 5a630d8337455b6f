"""Alpha of the answers that are thought to lie behind ordinal ones ("ordinal alpha")."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.dimensionality.pair_correlations import EmptyCells
from collabsurvey.dimensionality.polychoric import polychoric
from collabsurvey.dimensionality.polychoric_result import PolychoricResult
from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import KeyingWarning, NotEnoughItemsError, check_level
from collabsurvey.instruments.scales import not_reflective, scale_name
from collabsurvey.moments.covariance import Missing, key_signs
from collabsurvey.numerics import itemstats
from collabsurvey.numerics.intervals import normal_quantile, t_quantile
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

CAUTION = (
    "Not the reliability of the scale's score: it is that of a sum of continuous answers nobody "
    "gave (Chalmers, 2018). For the score of ordinal items see categorical omega, or alpha."
)


@dataclass(frozen=True, eq=False)
class OrdinalAlphaResult(Result):
    """Alpha of polychoric correlations.

    Attributes
    ----------
    estimate : float
        Standardised alpha of the polychoric correlations of the keyed items.
    average_r : float
        Mean polychoric correlation, of which it is a function.
    correlations : (k, k) keyed polychoric correlations
    """

    scale: str
    estimate: float
    std_error: float
    ci_low: float
    ci_high: float
    conf_level: float
    average_r: float
    item_rest: FloatArray
    correlations: FloatArray
    items: tuple[str, ...]
    n_respondents: int
    n_rows: int
    n_clusters: int | None
    smoothed: bool
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row: the coefficient, its interval, and what they rest on."""
        import pandas as pd

        row = {
            "scale": self.scale,
            "coefficient": "ordinal_alpha",
            "n_items": len(self.items),
            "n_respondents": self.n_respondents,
            "n_clusters": self.n_clusters,
            "estimate": self.estimate,
            "std_error": self.std_error,
            "ci_low": self.ci_low,
            "ci_high": self.ci_high,
            "conf_level": self.conf_level,
            "average_r": self.average_r,
            "formula": "k r / (1 + (k − 1) r), r the mean polychoric correlation (Zumbo, Gadermann "
            "& Zeisser, 2007)",
        }
        return pd.DataFrame([row])

    def table(self) -> Table:
        """One row an item: its correlation with the sum of the others, on the latent scale."""
        return Table(
            title=f"Ordinal alpha of {self.scale}: {self.estimate:.2f} ({self.conf_level:.0%} CI "
            f"{self.ci_low:.2f} to {self.ci_high:.2f})".replace("-", "−"),
            columns={"item": self.items, "item_rest": self.item_rest.tolist()},
            notes=self.notes,
            formats={"item_rest": ".2f"},
            labels={"item_rest": "item–rest r (polychoric)"},
        )

    def chart(self) -> Chart:
        """Correlation of each item with the sum of the others, on the latent scale."""
        return dot_chart(
            labels=self.items,
            values=self.item_rest.tolist(),
            title=f"Item–rest correlations of {self.scale} (polychoric)",
            axis="correlation with the sum of the other items",
            reference=0.0,
        )


def ordinal_alpha(
    responses: Responses,
    items: str | Sequence[str],
    *,
    empty_cells: EmptyCells = "lavaan",
    missing: Missing = "listwise",
    cluster: str | None = "auto",
    conf_level: float = 0.95,
) -> OrdinalAlphaResult:
    """Alpha from polychoric correlations.

    Reported in much of the literature and therefore here under its own name. It says how
    reliable a sum of the continuous variables would be that are assumed behind the answers;
    the score that a study uses is a sum of the answers, which is less reliable. `omega` with
    kind="categorical" is about that score.

    Parameters
    ----------
    responses : Responses
        Reverse-keyed items are turned round; the weight role is applied.
    items : str or sequence of str
        A scale id, or item ids.
    empty_cells, missing, cluster
        As in `polychoric`.

    Raises
    ------
    NotEnoughItemsError, DataError, NoVarianceError
        As `polychoric`.

    Notes
    -----
    The same as psych::alpha of psych::polychoric, lavaan::lavCor and semTools' `alpha.ord`, to
    the precision of their polychorics. The interval is on log(1 - alpha), from the asymptotic
    covariances of the correlations, over clusters where there are any (t on their number less
    one). Sources: Zumbo, Gadermann & Zeisser (2007) doi:10.22237/jmasm/1177992180; Chalmers
    (2018) doi:10.1177/0013164417727036 for the caution.
    """
    check_level(conf_level)
    require_responses(responses, method="Ordinal alpha")
    names = responses.instrument.items_of(items)
    name = scale_name(items)
    if len(names) < 2:
        raise NotEnoughItemsError(name, n_items=len(names), needed=2, method="Ordinal alpha")
    found = polychoric(
        responses,
        names,
        empty_cells=empty_cells,
        missing=missing,
        cluster=cluster,
        acov=True,
        conf_level=conf_level,
    )
    signs = key_signs(responses, names)
    cor = found.correlations.to_numpy() * np.outer(signs, signs)
    estimate = itemstats.coefficient_alpha(cor)
    low, high, error = latent_interval(found, signs, estimate, conf_level)
    notes = [CAUTION, *found.notes]
    if reason := not_reflective(responses.instrument, names):
        notes.append(f"Read with care: {reason}.")
    elif sentence := itemstats.contradiction(name, names, cor, found.n):
        notes.append(sentence)
        warnings.warn(sentence, KeyingWarning, stacklevel=2)
    return OrdinalAlphaResult(
        scale=name,
        estimate=estimate,
        std_error=error,
        ci_low=low,
        ci_high=high,
        conf_level=conf_level,
        average_r=itemstats.average_correlation(cor),
        item_rest=read_only(itemstats.item_rest_correlations(cor)),
        correlations=read_only(cor),
        items=names,
        n_respondents=found.n,
        n_rows=found.n_rows,
        n_clusters=found.n_clusters,
        smoothed=found.smoothed,
        notes=tuple(notes),
    )


def latent_interval(
    found: PolychoricResult, signs: FloatArray, estimate: float, conf_level: float
) -> tuple[float, float, float]:
    """Limits and standard error of ordinal alpha by the delta method on log(1 - alpha).

    With r the mean of the k (k - 1) / 2 correlations, 1 - alpha = (1 - r) / (1 + (k - 1) r).
    """
    k = len(found.items)
    if found.acov is None or 1 - estimate < 1e-12:
        return float("nan"), float("nan"), float("nan")
    first, second = np.triu_indices(k, 1)
    labels = [f"{found.items[i]}~~{found.items[j]}" for i, j in zip(first, second, strict=True)]
    acov = found.acov.loc[labels, labels].to_numpy()
    weight = signs[first] * signs[second] / len(labels)
    r_error = float(np.sqrt(weight @ acov @ weight))
    # 1 + (k - 1) r = k r / alpha, so r follows from alpha.
    r = estimate / (k - (k - 1) * estimate)
    slope = 1 / (1 - r) + (k - 1) / (1 + (k - 1) * r)
    quantile = (
        normal_quantile((1 + conf_level) / 2)
        if found.n_clusters is None
        else t_quantile((1 + conf_level) / 2, found.n_clusters - 1)
    )
    reach = float(np.exp(quantile * slope * r_error))
    return 1 - (1 - estimate) * reach, 1 - (1 - estimate) / reach, (1 - estimate) * slope * r_error
