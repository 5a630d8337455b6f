"""Correlations between scales, corrected for unreliability; items with scales.

Everything follows from the covariance matrix of all items, as in `psych::scoreItems` and
`psych::scoreOverlap`. Attenuation: Spearman (1904) doi:10.2307/1412159.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import NotEnoughItemsError
from collabsurvey.moments.covariance import Missing
from collabsurvey.numerics import itemstats
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.inputs import scale_moments
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ScaleCorrelations(Result):
    """Scales with each other and with items; all frames are labelled by id.

    Attributes
    ----------
    reliability : pandas.DataFrame
        One row a scale: scale, n_items, alpha, average_r (the correlation that alpha
        implies: alpha / (k - (k - 1) alpha)), lambda6 (with squared multiple correlations
        on all items of all scales, not only its own).
    correlations, corrected : pandas.DataFrame
        (scales, scales). `corrected` divides by √(alpha_i alpha_j); it has alpha on its
        diagonal and may exceed 1.
    item_scale, item_scale_corrected : pandas.DataFrame
        (items, scales) correlations of each item, turned in the direction of its scale,
        with every scale; `corrected` for the item's own part in the scale, by squared
        multiple correlations.
    """

    reliability: pd.DataFrame
    correlations: pd.DataFrame
    corrected: pd.DataFrame
    item_scale: pd.DataFrame
    item_scale_corrected: pd.DataFrame
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a pair of scales: scale_1, scale_2, correlation, corrected."""
        import pandas as pd

        names = list(self.correlations.columns)
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        return pd.DataFrame(
            {
                "scale_1": [a for a, _ in pairs],
                "scale_2": [b for _, b in pairs],
                "correlation": [self.correlations.loc[a, b] for a, b in pairs],
                "corrected": [self.corrected.loc[a, b] for a, b in pairs],
            }
        )

    def table(self) -> Table:
        """Correlations below the diagonal, alpha on it, corrected correlations above."""
        names = list(self.correlations.columns)
        lower = np.tril(np.ones((len(names), len(names)), dtype=bool), -1)
        shown = np.where(lower, self.correlations.to_numpy(), self.corrected.to_numpy())
        return Table(
            title="Correlations of scales",
            columns={
                "scale": names,
                **{name: shown[:, j].tolist() for j, name in enumerate(names)},
            },
            notes=(
                "Below the diagonal correlations, on it alpha, above it correlations corrected "
                "for unreliability.",
                *self.notes,
            ),
            formats=dict.fromkeys(names, ".2f"),
            labels={name: name for name in names},
        )

    def chart(self) -> Chart:
        """Correlation of each pair of scales."""
        frame = self.to_frame()
        return dot_chart(
            labels=[f"{a} – {b}" for a, b in zip(frame["scale_1"], frame["scale_2"], strict=True)],
            values=frame["correlation"].tolist(),
            title="Correlations of scales",
            axis="correlation",
            reference=0.0,
        )


def scale_correlations(
    responses: Responses,
    scales: Sequence[str] | None = None,
    *,
    missing: Missing = "pairwise",
    keyed: bool = True,
) -> ScaleCorrelations:
    """Correlate scales (sums of keyed items) with each other and with the items.

    Parameters
    ----------
    responses : Responses
        The weight role is applied.
    scales : sequence of str, optional
        Scale ids; all scales of two items or more where left out.
    missing : "pairwise" or "listwise"
        Covariances from the rows with both items (psych), or with every item of all
        scales.
    keyed : bool
        Whether items in `item_scale` are turned in the direction of their scale; False
        gives psych's signs.

    Raises
    ------
    NotEnoughItemsError
        A scale that was named has a single item, so it has no alpha.
    """
    import pandas as pd

    known = [s.id for s in responses.instrument.scoring if len(s.items) > 1]
    chosen = list(known if scales is None else scales)
    by_scale = {name: responses.instrument.items_of(name) for name in chosen}
    for name, items in by_scale.items():
        if len(items) < 2:
            raise NotEnoughItemsError(name, n_items=len(items), needed=2, method="Alpha")
    names = list(dict.fromkeys(item for items in by_scale.values() for item in items))
    moments = scale_moments(responses, names, missing=missing, method="Scale correlations")
    member = np.array([[item in items for items in by_scale.values()] for item in names], float)
    sign = np.array(responses.instrument.keys_of(names), float)
    numbers = from_covariance(moments.cov, member)
    notes = [
        "Each covariance from the rows with both items."
        if missing == "pairwise"
        else f"{moments.n_respondents} of {moments.n_rows} rows, those with every item answered."
    ]
    if moments.weighted:
        notes.append("Weights applied.")
    if scales is None and len(known) < len(responses.instrument.scoring):
        left = [s.id for s in responses.instrument.scoring if len(s.items) < 2]
        notes.append(f"Scales of a single item are left out: {', '.join(left)}.")
    if responses.synthetic:
        notes.append("Synthetic data.")

    def square(values: FloatArray) -> pd.DataFrame:
        return pd.DataFrame(values, index=chosen, columns=chosen)

    def by_item(values: FloatArray) -> pd.DataFrame:
        turned = values if keyed else values * sign[:, None]
        return pd.DataFrame(turned, index=names, columns=chosen)

    return ScaleCorrelations(
        reliability=pd.DataFrame(
            {
                "scale": chosen,
                "n_items": member.sum(axis=0).astype(int),
                "alpha": numbers["alpha"],
                "average_r": numbers["average_r"],
                "lambda6": numbers["lambda6"],
            }
        ),
        correlations=square(numbers["correlations"]),
        corrected=square(numbers["corrected"]),
        item_scale=by_item(numbers["item_scale"]),
        item_scale_corrected=by_item(numbers["item_scale_corrected"]),
        notes=tuple(notes),
    )


def from_covariance(cov: FloatArray, member: FloatArray) -> dict[str, FloatArray]:
    """Statistics of scales from the covariances (k, k) of keyed items.

    `member` (k, s) holds 1 where an item belongs to a scale. Means every correlation of
    sums: scale × scale from M' C M, item × scale from C M.
    """
    k = member.sum(axis=0)
    own = np.diag(cov)
    between = member.T @ cov @ member
    variance = np.diag(between)
    alpha = k / (k - 1) * (1 - member.T @ own / variance)
    cor = between / np.sqrt(np.outer(variance, variance))
    # A scale with a negative alpha cannot be corrected: its correlations become NaN.
    root = np.sqrt(np.where(alpha > 0, alpha, np.nan))
    corrected = cor / np.outer(root, root)
    np.fill_diagonal(corrected, alpha)
    residual = itemstats.residual_variances(cov)
    reduced = cov.copy()
    np.fill_diagonal(reduced, own - residual)
    reduced_variance = np.diag(member.T @ reduced @ member)
    return {
        "alpha": alpha,
        "average_r": alpha / (k - (k - 1) * alpha),
        "lambda6": 1 - member.T @ residual / variance,
        "correlations": cor,
        "corrected": corrected,
        "item_scale": cov @ member / np.sqrt(np.outer(own, variance)),
        "item_scale_corrected": reduced @ member / np.sqrt(np.outer(own, reduced_variance)),
    }
