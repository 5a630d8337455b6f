"""Change from the first wave to the last, in schools that are shown in both.

Each school counts once, with the difference of its two means; the interval is Student's t on
those differences, so that people of one school are never taken as separate evidence. Hidden
schools have no part in it: with them, their means could be worked out from the others'.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.numerics.intervals import t_quantile
from collabsurvey.reporting.caterpillar import unit_of
from collabsurvey.reporting.document import Block, Heading, Paragraph, TableBlock
from collabsurvey.reporting.groups import SCHOOL, SUPPRESSED, in_order, labels_of
from collabsurvey.reporting.wording import interval, joined, plural_of, quoted, signed, sizes

if TYPE_CHECKING:
    from collabsurvey.reporting.release import Release

LEAST_SCHOOLS = 5  # of fewer, an interval is too wide to say anything
MOST_NAMED = 4


@dataclass(frozen=True)
class Change:
    """How the mean of the schools' means moved on one scale."""

    title: str
    first: str  # waves
    last: str
    n_schools: int
    mean: float
    low: float
    high: float

    @property
    def direction(self) -> int:
        """1 or -1 where the interval leaves out 0, else 0."""
        return (self.low > 0) - (self.high < 0)


def changes(shown: Release) -> tuple[Change, ...]:
    """Change on each scale that has enough schools in the first wave and the last."""
    found = []
    for level, table in shown.means.items():
        if level not in SCHOOL or "wave" not in table.columns:
            continue
        unit, waves = unit_of(table, level), labels_of(table["wave"])
        ordered = in_order(name for name in waves if name)
        if len(ordered) < 2:
            continue
        first, last = ordered[0], ordered[-1]
        visible = ~table[SUPPRESSED] & table["mean"].notna()
        for facts in shown.scales:
            own = visible & table["scale"].isin([facts.id, facts.column])
            before, after = (
                table[own & (waves == wave)].set_index(unit)["mean"] for wave in (first, last)
            )
            moved = (after - before).dropna()
            n = len(moved)
            if n < LEAST_SCHOOLS:
                continue
            mean = float(moved.mean())
            half = t_quantile((1 + shown.conf_level) / 2, n - 1) * float(moved.std()) / sqrt(n)
            found.append(Change(facts.title, first, last, n, mean, mean - half, mean + half))
    return tuple(found)


def change_words(shown: Release) -> list[str]:
    """One sentence on what moved, one on what it rests on; empty where there is no change."""
    found = changes(shown)
    if not found:
        return []
    moved = [
        f"{verb} on {_named(shown, [change for change in found if change.direction == sign])}"
        for sign, verb in ((1, "rose"), (-1, "fell"))
        if any(change.direction == sign for change in found)
    ]
    between = f"From wave {found[0].first} to wave {found[0].last}"
    still = sum(change.direction == 0 for change in found)
    words = plural_of(shown.school_word)
    if not moved:
        what = "the scale" if len(found) == 1 else f"any of the {len(found)} scales"
        said = f"{between}, no clear change of the {words}’ means was seen on {what}."
    else:
        rest = f"; on the other {still} no clear change was seen" if still else ""
        said = f"{between} the {words}’ means {joined(moved)}{rest}."
    low, high = (pick(change.n_schools for change in found) for pick in (min, max))
    rests = f"{low}" if low == high else f"{low} to {high}"
    said += f" This rests on the {rests} {words} shown in both waves, each counting once."
    by_chance = round(len(found) * (1 - shown.conf_level))
    if by_chance:
        said += f" Of {len(found)} scales, about {by_chance} would seem to change by chance alone."
    doubtful = set(shown.not_comparable("wave"))
    if some := [change.title for change in found if change.direction and change.title in doubtful]:
        said += (
            f" On {quoted(some, most=MOST_NAMED)} the questions do not work the same in every "
            "wave, so that this may be no change in people."
        )
    return [said]


def _named(shown: Release, moved: list[Change]) -> str:
    if len(moved) > MOST_NAMED:
        return f"{len(moved)} scales, such as {quoted([c.title for c in moved], most=2)}"
    return joined(
        [
            f"“{change.title}” (by {signed(abs(change.mean))}, {shown.conf_level:.0%} interval "
            f"{sizes(change.low, change.high)})"
            for change in moved
        ]
    )


def change_blocks(shown: Release) -> list[Block]:
    """The change on every scale as a table."""
    found = changes(shown)
    if not found:
        return []
    words = plural_of(shown.school_word)
    table = Table(
        f"Change from wave {found[0].first} to wave {found[0].last}",
        {
            "scale": [change.title for change in found],
            "n": [change.n_schools for change in found],
            "change": [signed(change.mean) for change in found],
            "interval": [interval(change.low, change.high) for change in found],
        },
        labels={"n": words, "interval": f"{shown.conf_level:.0%} interval"},
    )
    doubtful = set(shown.not_comparable("wave"))
    some = [change.title for change in found if change.title in doubtful]
    warning: list[Block] = []
    if some:
        warning = [
            Paragraph(
                f"On {quoted(some, most=MOST_NAMED)} the questions do not work the same in every "
                "wave, as a section above says. What looks like a change there may come from the "
                "questions.",
                "warning",
            )
        ]
    return [
        Heading("Change between waves"),
        Paragraph(
            f"The change is the average, over {words} that are shown in both waves, of the later "
            f"mean less the earlier one; each {shown.school_word} counts once. An interval that "
            "contains 0 means that the data allow for no change."
        ),
        *warning,
        TableBlock(table),
    ]
