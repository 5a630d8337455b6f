"""Do two scales measure different things: HTMT and HTMT2 from answers, without a model.

Sources: Henseler, Ringle & Sarstedt (2015) doi:10.1007/s11747-014-0403-8; Roemer, Schuberth &
Henseler (2021) doi:10.1108/IMDS-02-2021-0082; Clark & Watson (1995)
doi:10.1037/1040-3590.7.3.309 for the average inter-item correlation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from collabsurvey.dimensionality.correlate import Correlation, item_correlations
from collabsurvey.dimensionality.inputs import named
from collabsurvey.dimensionality.options import check_flag
from collabsurvey.dimensionality.overlap import (
    N_BOOT,
    SEED,
    check_draws,
    drawn_rows,
    overlap,
    pair_frame,
    pair_names,
    resampling_notes,
    square,
    warn_few_clusters,
)
from collabsurvey.dimensionality.resampled_correlations import Kind, correlation_draws
from collabsurvey.dimensionality.validity_words import (
    CUT_OFFS,
    MEANING,
    WITHOUT_SIGN,
    distinct_chart,
    distinct_notes,
)
from collabsurvey.display import Chart, Table
from collabsurvey.errors import (
    NotEnoughDataError,
    NotEnoughItemsError,
    NotSupportedError,
    OptionError,
    check_level,
    listed,
)
from collabsurvey.instruments.model import Instrument
from collabsurvey.moments.covariance import Missing, key_signs
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result


@dataclass(frozen=True, eq=False)
class HtmtResult(Result):
    """How far scales can be told apart, pair by pair.

    Attributes
    ----------
    pairs : pandas.DataFrame
        One row a pair: factor_1, factor_2, htmt, htmt_ci_low, htmt_ci_high, htmt2,
        htmt2_ci_low, htmt2_ci_high, average_r (mean correlation between the items of the two),
        reading ("different", "probably different", "hard to tell apart", "not told apart",
        "not defined").
    scales : mapping of scale to its items
    average_r : mapping of scale to the mean correlation between its own items
    n : respondents behind the correlations
    n_boot : resamples behind the limits, 0 without
    n_clusters : clusters drawn, None where single rows were
    """

    pairs: pd.DataFrame
    scales: Mapping[str, tuple[str, ...]]
    average_r: Mapping[str, float]
    correlation: str
    absolute: bool
    n: int
    n_boot: int
    n_clusters: int | None
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a pair of scales."""
        return self.pairs.copy()

    def matrix(self, quantity: str = "htmt") -> pd.DataFrame:
        """Return a column of `pairs`, such as "htmt2", as a (scales, scales) matrix."""
        return square(self.pairs, quantity, list(self.scales))

    def table(self) -> Table:
        """One row a pair: HTMT with its interval, HTMT2, and what they say."""
        return Table(
            "Do the scales measure different things?",
            {
                "scales": pair_names(self.pairs),
                **{
                    name: self.pairs[name].tolist()
                    for name in ("htmt", "htmt_ci_low", "htmt_ci_high", "htmt2", "reading")
                },
            },
            self.notes,
            formats=dict.fromkeys(["htmt", "htmt_ci_low", "htmt_ci_high", "htmt2"], ".2f"),
            labels={"htmt": "HTMT", "htmt_ci_low": "low", "htmt_ci_high": "high", "htmt2": "HTMT2"},
        )

    def chart(self) -> Chart:
        """HTMT of each pair with its interval, and the lines of .85 and .90."""
        return distinct_chart(self.pairs, title="Do the scales measure different things?")


def htmt(
    data: Any,
    scales: Mapping[str, Sequence[str]] | Sequence[str] | Instrument | None = None,
    *,
    correlation: Correlation = "pearson",
    missing: Missing = "listwise",
    absolute: bool = True,
    n_boot: int = N_BOOT,
    cluster: str | None = "auto",
    conf_level: float = 0.95,
    seed: int = SEED,
) -> HtmtResult:
    """Tell whether scales measure different things, by heterotrait–monotrait ratios (HTMT).

    The mean correlation between the items of two scales, over what it would be if both asked
    about one thing. No model is fitted; after a confirmatory factor analysis see `validity`.

    Parameters
    ----------
    data : Responses or any frame
        Or a result of `polychoric` or `given_correlations`, which gives no intervals.
    scales : mapping of name to items, sequence of scale ids, or Instrument, optional
        Those of the instrument where left out, without totals of other scales. A frame needs
        a mapping or an instrument.
    correlation : "pearson" or "polychoric"
        "pearson" is semTools' default; polychorics are those of the latent responses behind
        ordered categories and differ little where items have four options or more.
    missing : "listwise" or "pairwise"
        As in `efa`. Intervals need "listwise".
    absolute : bool
        Take item correlations without their sign, semTools' default: reverse-keyed items then
        do no harm, whether turned or not. False keeps the signs, after turning the items that
        the instrument keys in reverse: HTMT is then negative for scales that are, and is not
        defined for a scale whose items correlate negatively on average. HTMT2 is always
        without signs.
    n_boot : int
        Resamples of the percentile limits (Henseler et al., 2015); 0 for none.
    cluster : "auto", None, a role or a column
        "auto" draws whole clusters where the data have that role, since staff of a school
        answer alike; without it, the respondent where people answered more than once. None
        draws single rows.

    Raises
    ------
    NotEnoughItemsError
        A scale of one item: the correlation within it is not defined.
    NotEnoughDataError
        Fewer than two scales.
    UnknownNameError
        No such scale, item or column.

    Warns
    -----
    FewClustersWarning
        Fewer than 10 clusters: the limits are rough.

    Notes
    -----
    HTMT = mean r between / sqrt(mean r within × mean r within), of arithmetic means; HTMT2 has
    geometric means, is right for items with unequal loadings too, and drops towards zero as
    soon as one correlation is near zero. `semTools::htmt` returns HTMT2 unless told
    `htmt2=FALSE`. An item of both scales is left out of the mean between them, as in semTools.
    Absolute values push HTMT up where scales are hardly related (HS1939, visual and speed:
    .467 against .424 with signs). Both can exceed 1.
    """
    check_level(conf_level)
    check_flag("absolute", absolute)
    check_draws(n_boot)
    chosen, said = chosen_scales(data, scales)
    items = tuple(dict.fromkeys(item for names in chosen.values() for item in names))
    found = item_correlations(
        data, items, correlation=correlation, missing=missing, method="HTMT", fewest=3
    )
    member = np.array([[item in own for own in chosen.values()] for item in items])
    signs = np.ones(len(items))
    if found.responses is not None:
        signs = key_signs(found.responses, items)
    draws: Iterable[FloatArray] = ()
    rows = None
    notes: list[str] = []
    if n_boot and found.responses is not None:
        if missing == "pairwise":
            raise NotSupportedError(
                "An interval of HTMT from pairwise correlations",
                instead="Use missing='listwise', or n_boot=0.",
            )
        kind: Kind = "polychoric" if found.kind == "polychoric" else "pearson"
        rows = drawn_rows(found.responses, items, cluster=cluster)
        draws = (block * np.outer(signs, signs) for block in
                 correlation_draws(rows, kind, n_boot, seed=seed))  # fmt: skip
    cor = np.array(found.cor) * np.outer(signs, signs)
    measured = overlap(cor, member, absolute=absolute, draws=draws, conf_level=conf_level)
    pairs = pair_frame(list(chosen), measured)
    if rows is not None:
        notes = resampling_notes(rows, n_boot, measured.n_kept, conf_level)
        warn_few_clusters(rows)
    elif n_boot:
        notes = ["No intervals: they need the answers, and these are correlations."]
    return HtmtResult(
        pairs=pairs,
        scales=chosen,
        average_r=dict(zip(chosen, np.diag(measured.average_r).tolist(), strict=True)),
        correlation=found.kind,
        absolute=absolute,
        n=found.n,
        n_boot=measured.n_kept,
        n_clusters=None if rows is None or rows.codes is None else rows.n_units,
        conf_level=conf_level,
        notes=(
            *distinct_notes(pairs, conf_level),
            MEANING,
            CUT_OFFS,
            *([WITHOUT_SIGN] if absolute else []),
            *said,
            *two_item_notes(chosen),
            *notes,
            *found.notes,
        ),
    )


def chosen_scales(data: Any, scales: Any) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Scales with their items, at least two of two items each, and what to say of them."""
    said: list[str] = []
    if isinstance(scales, Mapping):
        chosen = {str(name): named(items, option="scales") for name, items in scales.items()}
    else:
        instrument = scales if isinstance(scales, Instrument) else None
        if instrument is None and isinstance(data, Responses):
            instrument = data.instrument
        if instrument is None:
            raise OptionError(
                "scales", scales, allowed=("a mapping of scale to items, as in {'trust': [...]}",)
            )
        own = scales is None or isinstance(scales, Instrument)
        ids = instrument.scale_ids if own else named(scales, option="scales")
        chosen = {name: tuple(instrument.items_of(name)) for name in ids}
        if own:
            chosen, said = _without_totals(chosen)
    for name, items in chosen.items():
        if len(set(items)) < 2:
            raise NotEnoughItemsError(name, n_items=len(set(items)), needed=2, method="HTMT")
    if len(chosen) < 2:
        raise NotEnoughDataError("HTMT", what="scales", found=len(chosen), needed=2)
    names = list(chosen)
    shared = [
        f"{a} and {b}"
        for at, a in enumerate(names)
        for b in names[at + 1 :]
        if set(chosen[a]) & set(chosen[b])
    ]
    if shared:
        said.append(
            f"Items that two scales share are left out between them: {listed(shared, most=6)}. "
            "Sharing items, they are the same thing in part whatever HTMT says."
        )
    return chosen, said


def _without_totals(
    scales: dict[str, tuple[str, ...]],
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Leave out scales that hold all items of another, and those of a single item."""
    single = [name for name, items in scales.items() if len(items) < 2]
    rest = {name: items for name, items in scales.items() if name not in single}
    totals = [
        name
        for name, items in rest.items()
        if any(set(other) < set(items) for other in rest.values())
    ]
    kept = {name: items for name, items in rest.items() if name not in totals}
    said = [f"Totals of other scales are left out: {listed(totals)}."] if totals else []
    if single:
        said.append(f"Scales of a single item have no HTMT and are left out: {listed(single)}.")
    return kept, said


def two_item_notes(scales: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which scales rest on one correlation."""
    if short := [name for name, items in scales.items() if len(items) == 2]:
        return [
            f"{listed(short)}: two items, so what holds the scale together is a single "
            "correlation, and HTMT with it is rough."
        ]
    return []
