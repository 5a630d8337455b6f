"""Whether the questionnaire works the same in all groups, as it may be written.

No group is compared that has fewer than 50 people (or `min_group`, if that is more). Where a group
is so small that it may not be shown, the groups that would give it away have no numbers of
their own here either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collabsurvey.reporting.confirm_release import factor_titles
from collabsurvey.reporting.disclosure import groups_to_hide
from collabsurvey.reporting.ladders_chart import ladders_chart
from collabsurvey.reporting.structure_release import UNTITLED, item_name
from collabsurvey.reporting.term_words import spaced
from collabsurvey.reporting.wording import without_ids

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from collabsurvey.display import Chart
    from collabsurvey.instruments.model import Instrument
    from collabsurvey.reporting.record import InvarianceRecord, RunRecord

BY_WORDS = {
    "wave": ("wave", "waves"),
    "staff_role": ("kind of staff", "kinds of staff"),
    "cohort": ("cohort", "cohorts"),
    "partnership": ("partnership", "partnerships"),
}
# Levels in their order, numbers and ordered answers together, with headings of two words.
LEVELS = {
    "configural": "same pattern",
    "thresholds": "same steps",
    "metric": "same strength",
    "loadings": "same strength",
    "scalar": "same level",
    "intercepts": "same level",
    "strict": "same spread",
    "residuals": "same spread",
}
MEANS_HOLD = ("scalar", "intercepts", "strict", "residuals")
SLOPES_HOLD = (*MEANS_HOLD, "metric", "loadings")
VERSIONS = ("scale", "scale_without")
# Share of a scale's questions from which on those that changed cannot be told from those that did
# not: two camps that differ from each other by as much. From a third on the search often errs
# (Yoon & Millsap, 2007).
CAMPS = 0.5


@dataclass(frozen=True)
class Change:
    """A difference of averages with all questions, and without those that work differently.

    In pooled standard deviations, each with its limits.
    """

    group: str
    reference: str
    with_all: tuple[float, float, float]
    without: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class ReleasedComparison:
    """One scale (or questionnaire) in all groups; names are those a reader knows."""

    by: str  # role
    name: str  # of the scale, or of the questionnaire where it is looked at as a whole
    questionnaire: str
    scales: tuple[str, ...]  # ids
    together: bool  # several scales in one model
    groups: Mapping[str, int | None]  # label → people; None where that is not shown
    small: tuple[str, ...]  # left out, too few people
    repeated: bool
    n_people: int
    n_linked: int
    wave: str
    n_repeated: int
    n_clusters: int | None
    why: str
    estimator: str
    reason: str  # why there is no result
    rule: str
    holds: Mapping[str, bool | None]  # level → whether it holds, with all before it
    highest: str | None
    disagree: bool  # at the level that fails, fit and test say different things
    searched: bool  # whether a search for questions that differ was made
    differing: tuple[str, ...]  # questions that work differently
    all_found: bool  # whether the others work the same once these may differ
    camps: bool  # so many differ that nobody can tell which ones changed
    ladder: pd.DataFrame | None
    changes: tuple[Change, ...]
    differences: pd.DataFrame | None
    items: pd.DataFrame | None

    @property
    def means_hold(self) -> bool:
        """Whether averages may be compared."""
        return self.highest in MEANS_HOLD

    @property
    def unclear(self) -> bool:
        """Whether one rule sees a difference and the other none, and no question stands out.

        In small samples change in fit sees differences that are not there.
        """
        failed = self.highest is not None and not self.means_hold
        return failed and self.disagree and not self.differing

    @property
    def means_fail(self) -> bool:
        """Whether averages may not be compared, as far as can be told."""
        return not self.means_hold and not self.unclear


@dataclass(frozen=True, eq=False)
class ReleasedInvariance:
    """Every scale by one role."""

    by: str
    comparisons: tuple[ReleasedComparison, ...]
    chart: Chart | None

    @property
    def word(self) -> str:
        """What a group is."""
        return BY_WORDS[self.by][0]

    @property
    def words(self) -> str:
        """What groups are."""
        return BY_WORDS[self.by][1]

    @property
    def judged(self) -> tuple[ReleasedComparison, ...]:
        """Those with a result."""
        return tuple(one for one in self.comparisons if not one.reason)


def group_name(by: str, label: str) -> str:
    """Group as it is called in a sentence: wave 1, front line."""
    return f"{by}\u00a0{label}" if by in ("wave", "cohort") else spaced(label)


def released_invariance(record: RunRecord, ids: Collection[str]) -> tuple[ReleasedInvariance, ...]:
    """Comparisons by each role."""
    if record.responses is None:
        return ()
    instrument = record.responses.instrument
    found = []
    for by in dict.fromkeys(one.by for one in record.invariance):
        own = [one for one in record.invariance if one.by == by]
        shown = tuple(_released(one, instrument, record.min_group, ids) for one in own)
        found.append(ReleasedInvariance(by, shown, _chart(by, shown)))
    return tuple(found)


def _released(
    one: InvarianceRecord, instrument: Instrument, min_group: int, ids: Collection[str]
) -> ReleasedComparison:
    titles = factor_titles(one.factors, instrument)
    together = len(one.scales) > 1
    hidden = groups_to_hide({**one.groups, **one.small}, min_group)
    found = one.result
    judged = found is not None and not one.reason
    searched = one.partial
    differences = _differences(one, hidden)
    camps = searched is not None and _camps(one)
    return ReleasedComparison(
        by=one.by,
        name=(one.title or UNTITLED) if together else titles[one.scales[0]],
        questionnaire=one.title,
        scales=one.scales,
        together=together,
        groups={name: None if name in hidden else n for name, n in one.groups.items()},
        small=tuple(one.small),
        repeated=one.repeated,
        n_people=one.n_people,
        n_linked=one.n_linked,
        wave=one.wave,
        n_repeated=one.n_repeated,
        n_clusters=one.n_clusters,
        why=one.why,
        estimator="" if found is None else found.estimator,
        reason=without_ids(one.reason, ids),
        rule="" if found is None else found.rule,
        holds={} if found is None else dict(found.holds),
        highest=None if found is None else found.highest,
        disagree=judged and _disagree(one),
        searched=searched is not None,
        differing=()
        if searched is None
        else tuple(item_name(instrument, one.items[name]) for name in searched.items),
        all_found=searched is not None and searched.holds,
        camps=camps,
        ladder=_ladder(one),
        changes=() if differences is None or camps else _changes(differences),
        differences=differences,
        items=_items(one, instrument, hidden),
    )


def _disagree(one: InvarianceRecord) -> bool:
    """Whether change in fit and the difference test differ at the first level that fails."""
    if one.result is None:
        return False
    found = one.result.judged
    for held, fit, test in zip(found.holds, found.by_fit, found.by_test, strict=True):
        if held is False:
            return fit != test
    return False


def _camps(one: InvarianceRecord) -> bool:
    """Whether half of the questions of a scale, or more, were found to work differently."""
    if one.partial is None:
        return False
    measured = one.partial.final.estimates
    measured = measured[measured["op"] == "=~"]
    for factor, same in one.partial.same.items():
        n_items = measured.loc[measured["lhs"] == factor, "rhs"].nunique()
        if len(same) <= (1 - CAMPS) * n_items:
            return True
    return False


COLUMNS = (
    "level", "chi2", "df", "p_value", "cfi", "rmsea", "srmr", "delta_chi2", "delta_df", "delta_p",
    "delta_cfi", "delta_rmsea", "holds", "step_holds", "converged",
)  # fmt: skip


def _ladder(one: InvarianceRecord) -> pd.DataFrame | None:
    """One row a level; CFI and RMSEA are those that were judged."""
    if one.result is None:
        return None
    table = one.result.to_frame()
    judged = one.result.judged
    tail = "_scaled" if "chi2_scaled" in table.columns else ""
    table["chi2"], table["p_value"] = table[f"chi2{tail}"], table[f"p_value{tail}"]
    table["cfi"], table["rmsea"] = list(judged.cfi), list(judged.rmsea)
    table["delta_cfi"], table["delta_rmsea"] = table["cfi"].diff(), table["rmsea"].diff()
    return table[list(COLUMNS)].assign(
        version=judged.version or "plain", estimator=one.result.estimator, rule=judged.rule
    )


def _differences(one: InvarianceRecord, hidden: Collection[str]) -> pd.DataFrame | None:
    """Differences with and without the questions that work differently, of groups that show."""
    if one.consequences is None:
        return None
    table = one.consequences.differences
    kept = ~(table["group"].isin(list(hidden)) | table["reference"].isin(list(hidden)))
    table = table[kept].reset_index(drop=True)
    table["factor"] = [one.factors[name] for name in table["factor"]]
    return table.rename(columns={"factor": "scale"}) if len(table) else None


def _changes(differences: pd.DataFrame) -> tuple[Change, ...]:
    rows = {
        (row["scale"], row["group"], row["reference"], row["version"]): (
            float(row["d"]),
            float(row["d_ci_low"]),
            float(row["d_ci_high"]),
        )
        for row in differences.to_dict("records")
    }
    pairs = dict.fromkeys(key[:3] for key in rows)
    return tuple(
        Change(str(key[1]), str(key[2]), *(rows[(*key, version)] for version in VERSIONS))
        for key in pairs
    )


def _items(
    one: InvarianceRecord, instrument: Instrument, hidden: Collection[str]
) -> pd.DataFrame | None:
    """Questions that work differently, and by how much."""
    if one.consequences is None:
        return None
    table = one.consequences.items
    table = table[~table["group"].isin(list(hidden))].reset_index(drop=True)
    if table.empty or set(hidden) & {next(iter(one.groups))}:
        return None
    table["factor"] = [one.factors[name] for name in table["factor"]]
    table["item"] = [one.items[name] for name in table["item"]]
    table.insert(2, "question", [item_name(instrument, item) for item in table["item"]])
    return table.rename(columns={"factor": "scale"})


def _chart(by: str, comparisons: tuple[ReleasedComparison, ...]) -> Chart | None:
    """Levels of all scales; several lines, or a sentence says it."""
    judged = [one for one in comparisons if not one.reason]
    if not judged:
        return None
    there = {level for one in judged for level in one.holds}
    headings: dict[str, str] = {}
    for level, heading in LEVELS.items():
        if level in there and heading not in headings.values():
            headings[level] = heading
    holds = [
        {
            level: held
            for level, heading in headings.items()
            for own, held in one.holds.items()
            if LEVELS[own] == heading
        }
        for one in judged
    ]
    title = f"How far the scales work the same in all {BY_WORDS[by][1]}"
    return ladders_chart([one.name for one in judged], headings, holds, title=title)
