"""Whether the answers can be trusted, as it may be written: counts over all respondents only.

No row and no person is named, and no school or other group has counts of its own. What leaving
flagged rows out changes is shown only where at least `min_group` people are flagged: from the
mean with and without them the mean of those left out can be worked out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display.missing import missingness_map
from collabsurvey.instruments.answer_words import filled, wording_of
from collabsurvey.quality.cutoffs import RULES
from collabsurvey.reporting.caterpillar import WIDTH
from collabsurvey.reporting.wording import without_ids

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    import pandas as pd

    from collabsurvey.display import Chart
    from collabsurvey.reporting.record import AbsenceRecord, RunRecord, ScreeningRecord
    from collabsurvey.validation import MissingnessModel

# From when on a change is shown first; this project's rule. A tenth of a standard deviation is
# half of what Cohen (1988) calls small; .02 is what can be seen in two printed digits.
NOTICEABLE = {"mean": 0.10, "sd": 0.10, "alpha": 0.02, "icc1": 0.02}
FEWEST_MAPPED = 2  # scales with gaps; of one scale a map shows nothing that a sentence does not
MAP_HEIGHT = 5.0  # inches
MAP_TITLE = "Scales that the same people have no score on"
LEAST_LABELLED = 0.05  # share of the map below which a band has no room for its number
MOST_LETTERS = 30  # of a scale's title in the map


@dataclass(frozen=True, eq=False)
class ReleasedScreening:
    """Signs of careless answers in all rows together."""

    n_rows: int
    n_flagged: int  # rows with `at_least` signs
    at_least: int
    left_out: bool
    n_any: int
    n_two: int
    signs: pd.DataFrame  # sign, rule, n_with_value, n_flagged, share
    unused: Mapping[str, str]  # label of a sign → why it flags nobody
    impact: pd.DataFrame | None
    too_few: bool  # some are flagged, and fewer than may be compared
    n_items: int
    n_items_apart: int  # not asked in every wave
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ReleasedCompleteness:
    """How much is missing, by item and scale."""

    n_rows: int
    n_complete: int
    n_patterns: int
    share: float
    by_item: pd.DataFrame  # item, wording, n_asked, n_missing, missing_share
    by_scale: pd.DataFrame  # scale, title, n_items, n_asked, missing_share, n_complete, n_scored
    map: Chart | None
    little: pd.DataFrame  # scale, title, statistic, df, p_value, n_patterns
    n_items_apart: int


@dataclass(frozen=True, eq=False)
class ReleasedAbsences:
    """Who is missing: odds by what is known of everybody."""

    predictors: tuple[str, ...]
    models: tuple[ReleasedAbsence, ...]
    not_compared: tuple[str, ...]  # nobody or too few are missing, or a group is too small
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class ReleasedAbsence:
    """One model of who is missing."""

    what: str
    scale: str
    wave: str
    n: int
    n_missing: int
    p_value: float
    odds: pd.DataFrame  # predictor, level, reference, odds_ratio, odds_low, odds_high, p_value
    shares: pd.DataFrame  # predictor, level, n, share
    notes: tuple[str, ...]


def released_screening(record: RunRecord, ids: Collection[str]) -> ReleasedScreening | None:
    """Counts of signs, and what leaving flagged rows out changes."""
    import pandas as pd

    one = record.screening
    if one is None:
        return None
    found = one.result
    used = [rule for rule in RULES if rule.column in found.used]
    n = max(found.n_rows, 1)
    signs = pd.DataFrame(
        {
            "sign": [rule.label for rule in used],
            "rule": [found.used[rule.column] for rule in used],
            "n_with_value": [int(pd.notna(found.columns[r.column]).sum()) for r in used],
            "n_flagged": [found.n_flagged[rule.column] for rule in used],
        }
    )
    totals = {"one or more": 1, "two or more": 2, "three or more": 3}
    signs = pd.concat(
        [
            signs,
            pd.DataFrame(
                {
                    "sign": [f"{words} of these" for words in totals],
                    "rule": "",
                    "n_with_value": found.n_rows,
                    "n_flagged": [int((found.flags >= k).sum()) for k in totals.values()],
                }
            ),
        ],
        ignore_index=True,
    )
    signs["share"] = signs["n_flagged"] / n
    n_flagged = int((found.flags >= one.at_least).sum())
    few = 0 < one.n_people_flagged < record.min_group
    return ReleasedScreening(
        n_rows=found.n_rows,
        n_flagged=n_flagged,
        at_least=one.at_least,
        left_out=one.left_out,
        n_any=int((found.flags >= 1).sum()),
        n_two=int((found.flags >= 2).sum()),
        signs=signs,
        unused={
            rule.label: found.unused[rule.column] for rule in RULES if rule.column in found.unused
        },
        impact=_impact(one, record.min_group),
        too_few=few,
        n_items=len(found.items),
        n_items_apart=len(one.not_everywhere),
        notes=tuple(
            without_ids(note, ids)
            for note in found.notes
            if not note.startswith(("Nothing was removed", "Not used to flag", "Synthetic"))
        ),
    )


def _impact(one: ScreeningRecord, min_group: int) -> pd.DataFrame | None:
    """Numbers with and without the flagged, of scales on which enough of them have a score."""
    if one.impact is None or one.n_people_flagged < min_group:
        return None
    frame = one.impact.to_frame()
    behind = frame["scale"].map(one.people_behind).fillna(0)
    frame = frame[(behind >= min_group) | (behind == 0)].reset_index(drop=True)
    if frame.empty:
        return None
    frame["size"] = _sizes(frame)
    frame["noticeable"] = frame["size"] >= 1
    return frame


def _sizes(frame: pd.DataFrame) -> list[float]:
    """Each change as a multiple of the least that is noticeable."""
    sizes = []
    for row in frame.to_dict("records"):
        size = row["difference"]
        if row["quantity"] == "mean":
            size = row["in_sd"]
        elif row["quantity"] == "sd":
            size = row["difference"] / row["all_rows"] if row["all_rows"] else np.nan
        sizes.append(abs(size) / NOTICEABLE[str(row["quantity"])])
    return sizes


def released_completeness(record: RunRecord) -> ReleasedCompleteness | None:
    """Gaps over all respondents."""
    import pandas as pd

    one = record.completeness
    if one is None or record.responses is None:
        return None
    instrument = record.responses.instrument
    titles = {scale.id: scale.title or scale.id for scale in instrument.scoring}
    by_item = one.by_item.copy()
    by_item.insert(1, "wording", [filled(wording_of(instrument, i)) for i in by_item["item"]])
    by_scale = one.by_scale.copy()
    by_scale.insert(1, "title", by_scale["scale"].map(titles))
    little = pd.DataFrame(
        [
            {
                "scale": scale,
                "title": titles[scale],
                "statistic": test.statistic,
                "df": test.df,
                "p_value": test.p_value,
                "n_patterns": test.n_patterns,
            }
            for scale, test in one.little.items()
        ]
    )
    total = int(by_item["n_asked"].sum())
    together = one.together
    return ReleasedCompleteness(
        n_rows=together.n_rows,
        n_complete=together.n_complete,
        n_patterns=int((together.patterns["n_missing"] > 0).sum()),
        share=float(by_item["n_missing"].sum() / total) if total else 0.0,
        by_item=by_item,
        by_scale=by_scale,
        map=_map(one.unscored, titles, record.min_group),
        little=little,
        n_items_apart=len(one.not_everywhere),
    )


def _map(found: pd.DataFrame, titles: Mapping[str, str], min_group: int) -> Chart | None:
    """Scales the same rows have no score on: frequent combinations as bands, the others in one."""
    scales = [name for name in found.columns if name != "n"]
    missing = found[scales].to_numpy(dtype=float)
    n = found["n"].to_numpy()
    gaps = missing.any(axis=1)
    missing, n = missing[gaps], n[gaps]
    often = n >= min_group
    rest = n[~often].sum()
    drawn = missing if rest >= min_group else missing[often]
    some = np.asarray(drawn.any(axis=0))
    if not often.any() or some.sum() < FEWEST_MAPPED:
        return None
    bands, counts = missing[often][:, some], n[often].tolist()
    labels = [f"{count:,}" for count in counts]
    if rest >= min_group:
        mixed = n[~often] @ missing[~often][:, some] / rest
        bands, counts = np.vstack([bands, mixed]), [*counts, int(rest)]
        labels.append(f"others: {rest:,}")
    total = sum(counts)
    labels = [
        label if n >= LEAST_LABELLED * total else ""
        for label, n in zip(labels, counts, strict=True)
    ]
    names = [
        shorten(titles[name], MOST_LETTERS, placeholder=" …")
        for name, here in zip(scales, some, strict=True)
        if here
    ]
    chart = missingness_map(bands.tolist(), counts, labels, names, title=MAP_TITLE)
    return replace(chart, size=(WIDTH, MAP_HEIGHT))


def released_absences(record: RunRecord) -> ReleasedAbsences | None:
    """Odds of being missing, where every group that is compared is large enough."""
    import pandas as pd

    if not record.absences or record.responses is None:
        return None
    instrument = record.responses.instrument
    titles = {scale.id: scale.title or scale.id for scale in instrument.scoring}
    models, silent = [], []
    for one in record.absences:
        what = titles[one.scale] if one.scale else f"wave {one.wave}"
        if one.model is None or not _enough(one.model, record.min_group):
            silent.append(what)
        else:
            models.append(_absence(one, what, one.model))
    parts = [m.odds.assign(what=m.what, n=m.n, n_missing=m.n_missing) for m in models]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if len(table):
        first = ["what", "n", "n_missing"]
        table = table[[*first, *(name for name in table.columns if name not in first)]]
    named: tuple[str, ...] = ()
    options = record.options.get("analysis")
    if isinstance(options, dict) and isinstance(options.get("missing"), dict):
        named = tuple(map(str, options["missing"].get("predictors", ())))
    return ReleasedAbsences(named, tuple(models), tuple(silent), table)


def _enough(model: MissingnessModel, min_group: int) -> bool:
    """Whether those missing, those not, and every group compared are at least `min_group`."""
    sizes = [model.n_missing, model.n - model.n_missing, *model.shares["n"]]
    return bool(min(sizes) >= min_group)


def _absence(one: AbsenceRecord, what: str, model: MissingnessModel) -> ReleasedAbsence:
    import pandas as pd

    first: dict[Hashable, str] = {}
    for predictor, level in zip(model.shares["predictor"], model.shares["level"], strict=True):
        first.setdefault(predictor, str(level))
    rows = []
    for row in model.estimates.to_dict("records"):
        term = str(row["term"])
        if term == "Intercept":
            continue
        predictor, _, level = term.removesuffix("]").partition("[")
        rows.append(
            {
                "predictor": predictor,
                "level": level,
                "reference": first.get(predictor, "") if level else "",
                **{k: row[k] for k in ("odds_ratio", "odds_low", "odds_high", "p_value")},
            }
        )
    return ReleasedAbsence(
        what=what,
        scale=one.scale,
        wave=one.wave,
        n=model.n,
        n_missing=model.n_missing,
        p_value=model.p_value,
        odds=pd.DataFrame(rows),
        shares=model.shares[["predictor", "level", "n", "share"]],
        notes=tuple(note for note in model.notes if not note.startswith("Synthetic")),
    )
