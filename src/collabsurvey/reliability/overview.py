"""Every scale of an instrument, one row each."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import DataError, listed
from collabsurvey.instruments.model import Scale
from collabsurvey.instruments.scales import not_reflective
from collabsurvey.moments import Moments
from collabsurvey.moments.split import split
from collabsurvey.reliability.alpha import AlphaMissing, AlphaResult, alpha
from collabsurvey.reliability.alpha_interval import SEED, Interval
from collabsurvey.reliability.cluster_alpha import Bootstrap
from collabsurvey.reliability.omega_columns import OmegaColumns, omega_columns
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "scale",
    "title",
    "n_items",
    "n_respondents",
    "n_clusters",
    "alpha",
    "std_error",
    "ci_low",
    "ci_high",
    "ci_method",
    "std_alpha",
    "average_r",
    "item_rest_min",
    "weakest_item",
    "sem",
    "reason",
    "omega_total",
    "omega_categorical",
)

NO_SUM = {
    "composition": "its answers share out a whole, so that one can only rise at the cost of "
    "another (ipsative)",
    "agreement": "it says how far the people of a group give the same answer, and is no sum of "
    "items",
    "difference": "it is one score minus another; see the alphas of the two",
    "distance": "it is a distance, and no sum of items",
}


@dataclass(frozen=True, eq=False)
class ReliabilityOverview(Result):
    """One row a scale (and a level of `by`): its alpha, or the reason why there is none.

    Attributes
    ----------
    scales_frame : pandas.DataFrame
        The column named by `by`, if any, then `scale title n_items n_respondents
        n_clusters alpha std_error ci_low ci_high ci_method std_alpha average_r
        item_rest_min weakest_item sem reason omega_total omega_categorical`. `reason` is
        empty where there is an alpha. The omegas are of one factor; the categorical one
        (Green & Yang, 2009) is given for items of at most five options, whose answers are
        far from normal, and left blank with a note where one factor does not hold the items
        together. They need three items.
    results : tuple of AlphaResult
        The results behind the rows that have one, in the same order.
    """

    scales_frame: pd.DataFrame
    results: tuple[AlphaResult, ...]
    by: str | None
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a scale; see the class."""
        return self.scales_frame.copy()

    def table(self) -> Table:
        """Scales with their alpha and interval; reasons in the notes."""
        frame = self.scales_frame
        shown = [
            "scale",
            "n_items",
            "n_respondents",
            "n_clusters",
            "alpha",
            "ci_low",
            "ci_high",
            "average_r",
            "item_rest_min",
        ]
        if self.by is not None:
            shown.insert(0, self.by)
        omegas = ("omega_total", "omega_categorical")
        place = shown.index("average_r")
        shown[place:place] = [name for name in omegas if frame[name].notna().any()]
        if frame["n_clusters"].isna().all():
            shown.remove("n_clusters")
        two = ("alpha", "ci_low", "ci_high", "average_r", "item_rest_min", *omegas)
        return Table(
            title=f"Reliability of {frame['scale'].nunique()} scales "
            f"({self.conf_level:.0%} intervals)",
            columns={name: [plain(value) for value in frame[name]] for name in shown},
            notes=self.notes,
            formats=dict.fromkeys(two, ".2f"),
            labels={
                "n_items": "items",
                "n_respondents": "respondents",
                "n_clusters": "clusters",
                "average_r": "mean r",
                "item_rest_min": "lowest item–rest r",
            },
        )

    def chart(self) -> Chart:
        """Alpha of each scale with its interval."""
        frame = self.scales_frame[self.scales_frame["reason"] == ""]
        labels = frame["scale"].astype(str)
        if self.by is not None:
            labels = labels + ", " + frame[self.by].astype(str)
        return interval_chart(
            labels=labels.tolist(),
            estimate=frame["alpha"].tolist(),
            low=frame["ci_low"].tolist(),
            high=frame["ci_high"].tolist(),
            title="Reliability of scales",
            axis=f"alpha, with its {self.conf_level:.0%} interval",
        )


def overview(
    responses: Responses,
    scales: Sequence[str] | None = None,
    *,
    by: str | None = None,
    ci: Interval = "auto",
    cluster: str | None = "auto",
    missing: AlphaMissing = "listwise",
    conf_level: float = 0.95,
    bootstrap: Bootstrap = "studentised",
    n_boot: int = 2000,
    seed: int = SEED,
) -> ReliabilityOverview:
    """Alpha of every scale, one row each.

    Scales without a meaningful alpha (a single item, a construct that is not reflective, a
    rule that is no sum) are listed with the reason; so are scales that nobody answered or
    with an item everyone answered alike. Other options are those of `alpha`.

    Parameters
    ----------
    scales : sequence of str, optional
        Scale ids; all of the instrument where left out.
    by : str, optional
        A role such as "wave", or a column: one row for each scale and level.
    """
    import pandas as pd

    require_responses(responses, method="overview")
    chosen = responses.instrument.scale_ids if scales is None else tuple(scales)
    parts: Mapping[Hashable, Responses] = {None: responses} if by is None else split(responses, by)
    n_left_out = responses.n_rows - sum(part.n_rows for part in parts.values())
    rows: list[dict[str, object]] = []
    results: list[AlphaResult] = []
    misfits: list[str] = []
    with warnings.catch_warnings(record=True) as caught:  # said once, not once for each scale
        warnings.simplefilter("always")
        for level, part in parts.items():
            for scale_id in chosen:
                scale = part.instrument.scale(scale_id)
                reason = why_no_alpha(part, scale)
                result = None
                if not reason:
                    try:
                        result = alpha(
                            part,
                            scale_id,
                            ci=ci,
                            cluster=cluster,
                            missing=missing,
                            conf_level=conf_level,
                            bootstrap=bootstrap,
                            n_boot=n_boot,
                            seed=seed,
                        )
                    except DataError as error:  # too few answers, no variance: said in the table
                        reason = str(error)
                row = overview_row(scale, result, reason)
                if result is not None:
                    found = omegas_of(part, result)
                    row["omega_total"] = found.omega_total
                    row["omega_categorical"] = found.omega_categorical
                    if found.misfit:
                        place = "" if by is None else f" in {by} {level}"
                        misfits.append(f"{scale_id}{place}")
                rows.append(row if by is None else {by: level, **row})
                if result is not None:
                    results.append(result)
    for category, sentence in dict.fromkeys((w.category, str(w.message)) for w in caught):
        warnings.warn(sentence, category, stacklevel=2)
    columns = list(COLUMNS) if by is None else [by, *COLUMNS]
    frame = pd.DataFrame(rows, columns=columns).astype({"n_clusters": "Int64"})
    frame["n_respondents"] = frame["n_respondents"].astype("Int64")
    notes = gathered(frame, results, by)
    if misfits:
        notes = (*notes, misfit_note(misfits))
    if n_left_out:
        notes = (*notes, f"{n_left_out} rows without {by!r} are in none of the parts.")
    return ReliabilityOverview(frame, tuple(results), by, conf_level, notes)


def why_no_alpha(responses: Responses, scale: Scale) -> str:
    """Why a coefficient of internal consistency would mean nothing; "" where it would."""
    if len(scale.items) < 2:
        return "a single item has no internal consistency"
    if scale.rule not in ("mean", "sum"):
        return NO_SUM.get(scale.rule, f"scored by the rule {scale.rule!r}, not as a sum of items")
    return not_reflective(responses.instrument, scale.items)


def overview_row(scale: Scale, result: AlphaResult | None, reason: str) -> dict[str, object]:
    """One row; numbers are missing where there is a reason."""
    row: dict[str, object] = {
        "scale": scale.id,
        "title": scale.title,
        "n_items": len(scale.items),
        "reason": reason,
    }
    if result is None:
        return row
    weakest = int(result.item_rest.argmin())
    return row | {
        "n_respondents": result.n_respondents,
        "n_clusters": result.n_clusters,
        "alpha": result.estimate,
        "std_error": result.std_error,
        "ci_low": result.ci_low,
        "ci_high": result.ci_high,
        "ci_method": result.ci_method,
        "std_alpha": result.std_alpha,
        "average_r": result.average_r,
        "item_rest_min": float(result.item_rest[weakest]),
        "weakest_item": result.items[weakest],
        "sem": result.sem,
    }


def misfit_note(scales: Sequence[str]) -> str:
    """Why categorical omega is blank for some scales."""
    return (
        f"No categorical omega for {listed(scales)}: one factor does not hold these items "
        "together, which puts it far from its version over the model's variance (by more than "
        ".02). omega(kind='categorical') shows both, with the fit."
    )


def omegas_of(responses: Responses, result: AlphaResult) -> OmegaColumns:
    """Omega of one factor, and of categories, beside an alpha; missing where it has none."""
    k = result.n_items
    moments = Moments(
        items=result.items,
        mean=result.mean,
        cov=result.cov,
        n_respondents=result.n_respondents,
        n_pairs=np.full((k, k), result.n_respondents),
        n_rows=result.n_rows,
        missing="listwise" if result.missing == "listwise" else "pairwise",
        weighted=result.weighted,
    )
    return omega_columns(responses, result.scale, moments)


def gathered(
    frame: pd.DataFrame, results: Sequence[AlphaResult], by: str | None
) -> tuple[str, ...]:
    """Reasons, then what is said of several scales once, with the scales it is said of."""
    notes = []
    for row in frame[frame["reason"] != ""].to_dict("records"):
        place = f" in {by} {row[by]}" if by is not None else ""
        notes.append(f"No alpha for {row['scale']}{place}: {str(row['reason']).rstrip('.')}.")
    if results:
        rows = "every item of the scale answered"
        if results[0].missing == "pairwise":
            rows = "both items, for each covariance"
        elif results[0].missing == "fiml":
            rows = "any item of the scale answered"
        notes.append(f"Each alpha from the rows with {rows}.")
    said: dict[str, list[str]] = {}
    for result in results:
        for note in result.notes[2:]:  # the first two are about one number
            said.setdefault(note, []).append(result.scale)
    for note, scales in said.items():
        everywhere = len(scales) == len(results) or note.startswith("Scale ")
        notes.append(note if everywhere else f"{', '.join(dict.fromkeys(scales))}: {note}")
    return tuple(notes)


def plain(value: object) -> object:
    """Return None for a missing cell, so that it is shown as a dash."""
    import pandas as pd

    return None if value is pd.NA or value is None else value
