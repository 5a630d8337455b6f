"""Tables of what is the same in all groups: what may be compared, what changes, every step."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.display.table import format_p
from collabsurvey.reporting.invariance_release import group_name
from collabsurvey.reporting.wording import interval, signed

if TYPE_CHECKING:
    from collabsurvey.reporting.invariance_release import ReleasedComparison, ReleasedInvariance

MAY = {
    None: "nothing: the scale itself does not fit",
    "configural": "nothing yet: only the pattern is the same",
    "thresholds": "nothing yet: only the steps are the same",
    "metric": "what goes with it; averages not",
    "loadings": "what goes with it; averages not",
    "scalar": "averages, and what goes with it",
    "intercepts": "averages, and what goes with it",
    "strict": "averages, differences between people, and what goes with it",
    "residuals": "averages, differences between people, and what goes with it",
}
UNCLEAR = "averages: unclear"


def may_table(one: ReleasedInvariance) -> Table:
    """What may be compared on each scale."""
    judged = one.judged
    titles = list(dict.fromkeys(part.questionnaire for part in judged))
    columns: dict[str, list[object]] = {"scale": [part.name for part in judged]}
    if len(titles) > 1 and not any(part.together for part in judged):
        columns["questionnaire"] = [part.questionnaire for part in judged]
    columns["may"] = [_may(part) for part in judged]
    notes = []
    if any(part.unclear for part in judged):
        notes.append(
            "Unclear: one of two customary rules sees a difference between the groups, the other "
            "does not, and no question stands out. More people would be needed."
        )
    return Table(
        f"What may be compared between {one.words}",
        columns,
        tuple(notes),
        labels={"may": "may be compared"},
    )


def _may(part: ReleasedComparison) -> str:
    if part.highest is None and None in part.holds.values():
        return "not known: the calculation did not come to an end"
    return UNCLEAR if part.unclear else MAY[part.highest]


def changes_table(one: ReleasedInvariance) -> Table | None:
    """Differences of averages with and without the questions that work differently."""
    rows = [
        (
            part.name,
            f"{group_name(one.by, change.group)} – {group_name(one.by, change.reference)}",
            *(f"{signed(d)} ({interval(low, high)})" for d, low, high in cells),
        )
        for part in one.judged
        for change in part.changes
        for cells in [(change.with_all, change.without)]
    ]
    if not rows:
        return None
    names = ("scale", "groups", "with_all", "without")
    return Table(
        "Differences of averages with and without the questions that work differently",
        {name: [row[i] for row in rows] for i, name in enumerate(names)},
        (
            "In standard deviations, with their 95% interval. Read the last column; if the two say "
            "the same, it does not matter here that questions work differently.",
        ),
        labels={"with_all": "with all questions", "without": "without these"},
    )  # fmt: skip


def steps_table(one: ReleasedInvariance) -> Table:
    """Every level of every scale."""
    columns: dict[str, list[object]] = {
        name: [] for name in ("scale", "step", "chi2", "cfi", "rmsea", "change", "p", "holds")
    }
    said = {True: "yes", False: "no", None: "not known"}
    for part in one.judged:
        if part.ladder is None:
            continue
        for i, row in enumerate(part.ladder.to_dict("records")):
            first = i == 0
            columns["scale"].append(part.name if first else "")
            columns["step"].append(row["level"])
            columns["chi2"].append(f"{row['chi2']:.1f} ({row['df']:.0f})")
            columns["cfi"].append(row["cfi"])
            columns["rmsea"].append(row["rmsea"])
            changes = (signed(row["delta_cfi"], 3), signed(row["delta_rmsea"], 3))
            columns["change"].append("" if first else " and ".join(changes))
            columns["p"].append("" if isnan(row["delta_p"]) else format_p(row["delta_p"]))
            columns["holds"].append(said[part.holds.get(row["level"])])
    return Table(
        f"Every step, by {one.word}",
        columns,
        formats={"cfi": ".3f", "rmsea": ".3f"},
        labels={
            "chi2": "chi-square (df)", "cfi": "CFI", "rmsea": "RMSEA",
            "change": "change of CFI and RMSEA", "p": "p of the step",
        },
    )  # fmt: skip
