"""Content validity: whether people who know the matter find the items relevant and clear.

Sources: Lynn (1986) doi:10.1097/00006199-198611000-00017; Polit & Beck (2006)
doi:10.1002/nur.20147 on the two indices of a scale; Polit, Beck & Owen (2007)
doi:10.1002/nur.20199 on the modified kappa; Aiken (1985) doi:10.1177/0013164485451012;
Clopper & Pearson (1934) doi:10.1093/biomet/26.4.404; Korn & Graubard (1998) Survey
Methodology 24:193-201 on the interval of a share over clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from collabsurvey.errors import NotEnoughDataError, OptionError, check_level, listed
from collabsurvey.instruments.evidence import CONTENT_BARS, MIN_RATERS
from collabsurvey.instruments.model import Instrument
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.validation.content_indices import (
    Interval,
    average_index,
    average_interval,
    content_indices,
    pair_agreement,
    universal_index,
)
from collabsurvey.validation.content_ratings import (
    HIGHEST,
    LOWEST,
    Layout,
    Panel,
    Role,
    read_panel,
)
from collabsurvey.validation.content_validity_result import (
    ContentIndices,
    ContentValidityResult,
    reaches_item_bar,
)

if TYPE_CHECKING:
    import pandas as pd

LEAST_RATERS = 3  # with two, both agree by chance once in four (Lynn, 1986)
ALL_ITEMS = "all items"


def content_validity(
    sheet: Any,
    *,
    instrument: Instrument | None = None,
    relevant: Sequence[int] = (3, 4),
    interval: Interval = "exact",
    conf_level: float = 0.95,
    layout: Layout = "auto",
    columns: Mapping[Role, str] | None = None,
    labels: Mapping[str, int] | None = None,
    worksheet: str | None = None,
) -> ContentValidityResult:
    """Content validity indices from the ratings of experts and staff, from 1 to 4.

    Parameters
    ----------
    sheet : path, frame, or a list of them
        CSV, TSV, Parquet, Excel or a frame. Long: columns `rater`, `item`, `relevance` and
        perhaps `clarity`, `coverage`, `construct`, `comment`, as `content_sheet` writes them;
        a file without raters is one rater's, called like the file. Or wide, relevance only:
        one row for each item (column `item`) and one column for each rater, or one row for
        each rater (column `rater`) and one column for each item. The notes say how it was read.
    instrument : Instrument, optional
        Checks the ids and gives the scales.
    relevant : sequence of int
        Ratings that count as agreement, the highest ones; 3 and 4 by convention (Lynn, 1986).
    interval : "exact" or "wilson"
        Of the I-CVI. "exact" (Clopper & Pearson) is the default because it never covers
        less than it says: for shares from .70 on and 6 to 10 raters at least 97.5 % at the
        95 % level, and 99 % on average. Wilson's covers 95 % on average but only 83 % where
        nearly all raters agree, which is where items are judged; it is 0.07 to 0.09 narrower.
    layout : "auto", "long", "items_in_rows" or "raters_in_rows"
        "auto" goes by the names of the columns and refuses to guess.
    columns : mapping, optional
        Which column is which where they are called otherwise: {"rater": "Expert no."}.
    labels : mapping, optional
        Numbers of words in the sheet: {"quite relevant": 3}.
    worksheet : str, optional
        Of a workbook where several have cells.

    Raises
    ------
    AnswersError
        Ratings that are not 1 to 4, words without a label, items the instrument does not
        have, a rater who judges an item twice and differently; all of them at once.
    NotEnoughDataError
        Fewer than three raters.
    DataError
        It is not clear how the sheet is laid out.

    Notes
    -----
    Blank cells are no judgement: every index divides by the raters who rated the item. An
    I-CVI reaches its bar of .78 when it does to two digits, since .78 is how 7 of 9 is
    printed (Lynn, 1986). S-CVI/Ave is the mean of the I-CVIs, S-CVI/UA the share of items
    with I-CVI 1. In 45 simulated settings of 6 to 10 raters and 6 to 36 items, the interval of
    S-CVI/Ave covers 93 to 100 % where raters differ little in leniency (intraclass
    correlation up to .10) and 87 to 100 % where they differ much (.20 or .30); a t interval
    over raters covers 51 to 94 %.
    """
    check_level(conf_level)
    if interval not in get_args(Interval):
        raise OptionError("interval", interval, allowed=get_args(Interval))
    if layout not in get_args(Layout):
        raise OptionError("layout", layout, allowed=get_args(Layout))
    counted = _counted(relevant)
    panel = read_panel(
        sheet,
        instrument=instrument,
        layout=layout,
        columns=columns or {},
        labels=labels or {},
        worksheet=worksheet,
    )
    n_raters = int(np.isfinite(panel.relevance).any(axis=0).sum())
    if n_raters < LEAST_RATERS:
        raise NotEnoughDataError(
            "A content validity index", what="raters", found=n_raters, needed=LEAST_RATERS
        )

    def indices(names: Sequence[str], ratings: FloatArray | None) -> ContentIndices | None:
        if ratings is None:
            return None
        return content_indices(
            names, ratings, relevant=counted, interval=interval, conf_level=conf_level
        )

    relevance = content_indices(
        panel.items, panel.relevance, relevant=counted, interval=interval, conf_level=conf_level
    )
    low, high = average_interval(panel.relevance, counted, conf_level)
    known = np.isfinite(panel.relevance)
    alike = pair_agreement(np.isin(panel.relevance, counted), known)
    by_rater = _by_rater(panel, counted, alike)
    by_scale = _by_scale(panel, instrument, counted, conf_level)
    average = average_index(panel.relevance, counted)
    return ContentValidityResult(
        relevance=relevance,
        clarity=indices(panel.items, panel.clarity),
        coverage=indices(panel.constructs, panel.coverage),
        raters=panel.raters,
        relevant=counted,
        s_cvi_ave=average,
        s_cvi_ave_low=low,
        s_cvi_ave_high=high,
        s_cvi_ua=universal_index(panel.relevance, counted),
        agreement=float(np.nanmean(alike)) if np.isfinite(alike).any() else float("nan"),
        conf_level=conf_level,
        by_scale=by_scale,
        by_rater=by_rater,
        comments=panel.comments,
        notes=_notes(panel, relevance, by_rater, average, counted, interval),
    )


def _counted(relevant: Sequence[int]) -> tuple[int, ...]:
    """Ratings that count as agreement: one or more, from the top down, not all."""
    allowed = [tuple(range(least, HIGHEST + 1)) for least in range(HIGHEST, LOWEST, -1)]
    try:
        found = tuple(sorted(relevant))
    except TypeError:
        found = ()
    if found not in allowed:
        raise OptionError("relevant", relevant, allowed=allowed)
    return found


def _by_rater(panel: Panel, relevant: Sequence[int], alike: FloatArray) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for j, rater in enumerate(panel.raters):
        given = panel.relevance[:, j]
        given = given[np.isfinite(given)]
        others = alike[:, j][np.isfinite(alike[:, j])]
        rows.append(
            {
                "rater": rater,
                "n_rated": len(given),
                "n_blank": len(panel.items) - len(given),
                "mean": given.mean() if len(given) else np.nan,
                "share_relevant": np.isin(given, relevant).mean() if len(given) else np.nan,
                "share_top": (given == HIGHEST).mean() if len(given) else np.nan,
                "always_same": len(given) > 1 and len(set(given.tolist())) == 1,
                "agreement": others.mean() if len(others) else np.nan,
                "s_cvi_ave_without": average_index(np.delete(panel.relevance, j, axis=1), relevant),
            }
        )
    return pd.DataFrame(rows)


def _by_scale(
    panel: Panel, instrument: Instrument | None, relevant: Sequence[int], conf_level: float
) -> pd.DataFrame:
    """One row a scale with rated items; scales made of two others have no content of their own."""
    import pandas as pd

    chosen: dict[str, tuple[str, ...]] = {ALL_ITEMS: panel.items}
    if instrument is not None:
        chosen = {one.id: one.items for one in instrument.scoring if one.between is None}
    place = {item: i for i, item in enumerate(panel.items)}
    rows = []
    for name, items in chosen.items():
        at = [place[item] for item in items if item in place]
        if not at:
            continue
        ratings = panel.relevance[at]
        known = np.isfinite(ratings)
        index = np.isin(ratings, relevant).sum(axis=1) / known.sum(axis=1)
        low, high = average_interval(ratings, relevant, conf_level)
        average, reached = average_index(ratings, relevant), reaches_item_bar(index)
        fewest = int(known.sum(axis=1).min())
        row: dict[str, object] = {
            "scale": name,
            "n_items": len(at),
            "n_unrated": len(items) - len(at),
            "n_raters": int(known.any(axis=0).sum()),
            "fewest_raters": fewest,
            "s_cvi_ave": average,
            "ci_low": low,
            "ci_high": high,
            "s_cvi_ua": universal_index(ratings, relevant),
            "lowest_i_cvi": float(index.min()),
            "n_below": int((~reached).sum()),
            "meets_bars": bool(
                reached.all() and average >= CONTENT_BARS["s_cvi"] and fewest >= MIN_RATERS
            ),
        }
        if panel.clarity is not None:
            row["clarity_ave"] = average_index(panel.clarity[at], relevant)
            row["clarity_ua"] = universal_index(panel.clarity[at], relevant)
        rows.append(row)
    return pd.DataFrame(rows)


def _notes(
    panel: Panel,
    found: ContentIndices,
    by_rater: pd.DataFrame,
    average: float,
    relevant: Sequence[int],
    interval: Interval,
) -> tuple[str, ...]:
    notes = list(panel.notes)
    counted = " or ".join(map(str, relevant))
    how = "Clopper & Pearson, which never covers too little" if interval == "exact" else "Wilson"
    notes.append(
        f"I-CVI: share of raters who chose {counted}, with its interval ({how}). k* is the I-CVI "
        "corrected for chance (Polit, Beck & Owen, 2007)."
    )
    item_bar, scale_bar = CONTENT_BARS["i_cvi"], CONTENT_BARS["s_cvi"]
    below = [
        name
        for name, met in zip(found.names, reaches_item_bar(found.index), strict=True)
        if not met
    ]
    reached = "reaches" if average >= scale_bar else "does not reach"
    notes.append(
        f"Items below the bar of {item_bar:.2f}: {listed(below)}. S-CVI/Ave of all items {reached} "
        f"its bar of {scale_bar:.2f}."
    )
    if (n_blank := int(by_rater["n_blank"].sum())) > 0:
        notes.append(
            f"{n_blank} of {panel.relevance.size} cells are blank; each index divides by the "
            f"raters who rated the item, from {found.n.min()} to {found.n.max()}."
        )
    if (fewest := int(found.n.min())) < MIN_RATERS:
        thin = [name for name, n in zip(found.names, found.n, strict=True) if n < MIN_RATERS]
        notes.append(
            f"{len(thin)} items have fewer than {MIN_RATERS} raters (the fewest: {fewest}), "
            "too few for a content record to count as evidence."
        )
    same = by_rater[by_rater["always_same"] & (by_rater["share_top"] == 1)]
    for rater, without in zip(same["rater"], same["s_cvi_ave_without"], strict=True):
        notes.append(
            f"Rater {rater!r} gave every item a {HIGHEST}; without these ratings S-CVI/Ave is "
            f"{without:.3f}."
        )
    notes.append(
        "Raters judge what items are about. Whether people understand them, and whether the scores "
        "mean what they should, is other evidence."
    )
    return tuple(notes)
