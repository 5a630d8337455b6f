"""When a row is flagged: the cut-off of each index, in words, with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Numbers behind a correlation within a row (items, scales, pairs) before it may flag. Of
# honest people whose true correlation is .70, 11 % are below zero with 5 numbers, and 1 %
# with 10 (Fisher's z).
FEWEST_NUMBERS = 10
# A correlation does not flag where more of the bulk of the rows reaches the cut-off: one row in
# ten is about what is careless at all (10-12 %, Meade & Craig, 2012), and at half of that a
# third of the flags and more fall on honest people.
MOST_OF_BULK = 0.05
# In a short questionnaire half the items alike, or equal rows, are common: in an openly
# licensed survey of ten items, 47 % of the rows have one or the other.
FEWEST_ITEMS = 20


@dataclass(frozen=True)
class Rule:
    """An index, from which value on it flags, and who says so."""

    column: str
    label: str
    beyond: Literal["above", "at least", "below"]
    reason: str  # with {cut}: why a row is flagged
    source: str  # of the default cut-off; "" where there is none
    once: str = ""  # the reason where the cut-off is 1

    def in_words(self, cut: float) -> str:
        """Why a row beyond this cut-off is flagged."""
        words = self.once if self.once and cut == 1 else self.reason
        return words.format(cut=cut).replace("-0.", "−0.").replace("-1.", "−1.")


RULES = (
    Rule(
        "missing_share",
        "items left out",
        "above",
        "more than {cut:.0%} of the items left out",
        "a break-off by AAPOR (2023), Standard Definitions",
    ),
    Rule(
        "longstring",
        "same answer in a row",
        "at least",
        "the same answer {cut:.0f} times in a row or more",
        "half of the items: Curran (2016)",
    ),
    Rule(
        "avg_longstring",
        "mean run of one answer",
        "above",
        "runs of one answer longer than {cut:g} on average",
        "",
    ),
    Rule("irv", "spread of own answers", "below", "answers spread less than {cut:g}", ""),
    Rule(
        "even_odd",
        "even-odd inconsistency",
        "above",
        "halves of the scales disagree (even-odd above {cut:.2f})",
        "Spearman-Brown below .30: Johnson (2005)",
    ),
    Rule(
        "mahalanobis_p",
        "unusual combination",
        "below",
        "an unusual combination of answers (Mahalanobis, p < {cut:g})",
        "p < .001: Tabachnick & Fidell (2013), sec. 4.1.4",
    ),
    Rule(
        "person_total",
        "against the others",
        "below",
        "answers run against those of all others (person-total below {cut:.2f})",
        "below zero: Curran (2016)",
    ),
    Rule(
        "synonyms",
        "like items answered apart",
        "below",
        "items that go together were answered apart (synonyms below {cut:.2f})",
        "below zero: this project's rule",
    ),
    Rule(
        "antonyms",
        "opposite items answered alike",
        "above",
        "items that exclude each other were answered alike (antonyms above {cut:.2f})",
        "above −.03: Johnson (2005)",
    ),
    Rule(
        "straight_reversed",
        "one answer both ways",
        "at least",
        "one and the same answer to items keyed both ways, in {cut:.0f} scales or more",
        "once: this project's rule; see Weijters, Baumgartner & Schillewaert (2013)",
        once="one and the same answer to all items of a scale keyed both ways",
    ),
    Rule(
        "duplicate",
        "row occurs again",
        "at least",
        "all answers equal to those of {cut:.0f} other rows or more",
        "once: Slomczynski, Powalko & Krauze (2017)",
        once="all answers equal to those of another row",
    ),
    Rule(
        "seconds_per_item",
        "too fast",
        "below",
        "less than {cut:g} seconds an item",
        "2 seconds: Huang, Curran, Keeney, Poposki & DeShon (2012)",
    ),
)
