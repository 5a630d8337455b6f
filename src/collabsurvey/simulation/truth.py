"""What is true in a synthetic cohort: the assumptions a user states, and their checks.

The defaults are chosen to be plausible for staff surveys, so that a demonstration looks
like a real study. They are not estimates from one, and nothing learned from simulated
data says anything about a questionnaire.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from collabsurvey.errors import TruthError

PerName = float | Mapping[str, float]
PerPair = float | Mapping[tuple[str, str], float]

LOADING = 0.7  # half of an item's variance is its scale's: alpha .83 with five items
ICC_SCHOOL = 0.10  # with partnerships .15, inside the .05 to .20 usual for views of staff
ICC_PARTNERSHIP = 0.05
FACTOR_CORRELATION = 0.4  # related, and told apart
UNNAMED_PAIR_CORRELATION = 0.0
CHOICE_ICC_SCHOOL = 0.10
CHOICE_ICC_PARTNERSHIP = 0.20  # what kind of relationship there is, is a fact of the partnership


@dataclass(frozen=True)
class Truth:
    """The assumptions behind a synthetic cohort. True scores have variance 1 in each wave.

    Where a number may also be a mapping, names that it leaves out keep the default.

    Attributes
    ----------
    loadings : float or mapping of scale or item id to float
        Standardised loading of an item on its scale, on the keyed side; default .7. A
        negative one is an item that contradicts its key. An item's entry outranks its
        scale's.
    icc_school, icc_partnership : float or mapping of scale id to float
        Share of the true variance between schools of one partnership (.10), and between
        partnerships (.05). What an ICC by school estimates is their sum, lowered by the
        unreliability of the scores. Bliese (2000) finds ICC(1) mostly between .05 and .20.
    factor_correlations : float or mapping of (scale, scale) to float
        Correlation of true scores, the same among people, schools and partnerships;
        default .4 for every pair. With a mapping, pairs not named correlate 0.
    level : float
        Mean of the true scores at the first wave, in their SD above the middle of the
        response scale; default .4, as staff agree more often than not.
    change_per_wave : float or mapping of scale id to float
        Rise of the mean true score from wave to wave, in SD; default 0.1.
    item_spread : float
        Items of a scale are easier or harder to agree with by up to this, in SD of the
        item, evenly spaced in questionnaire order; default 0.3.
    stability, school_stability : float
        Correlation of consecutive waves for one person's deviation (.7), and for those of
        schools and partnerships (.8); it fades with each wave (first-order autoregression).
    turnover : float
        Share of posts whose holder is new at a wave; default .15.
    response_rate : float
        Share of the eligible staff who answer in a wave; default .7.
    missing_share, cannot_say_share : float
        Share of answers left blank (.02), and given as the item's missing code such as
        "cannot say" (.02), both at random. Items without such a code leave it blank.
    careless_share : float
        Share of rows answered without reading (.02): half the same option throughout, half
        at random. Meade & Craig (2012) find about a tenth among students; staff who were
        asked by their own school should be fewer.
    bounded_steps : int
        Steps into which people round on a bounded response set; default 20, which is fives
        on 0 to 100. Never finer than whole numbers where the range is 1 or more.
    effects : mapping of scale id to float
        Effect of the true condition of a school on every outcome: SD of the outcome for
        one SD of the true condition among schools. Default none.
    intake_effect : float
        The same for the intake of the cohort; default .5.
    residual_sd : float
        SD of the unexplained part of the outcome, as a share of its SD; default .8, which
        with the intake alone gives a total variance of .89.
    outcome_icc : float
        Share of the unexplained variance that stays with the school from cohort to cohort;
        default .4.
    dyad_share : float
        Share of the variance of answers about a named partner that belongs to the pair of
        schools, one towards the other; default .25. It is taken from that between people.
    choice_sd : float
        SD over people of the utility of an option to pick, rank or give points to, beside the
        noise of the single question (Gumbel, whose SD is 1.28); default 1.
    choice_icc_school, choice_icc_partnership : float or mapping of scale id to float
        Share of that variance between schools of one partnership (.10) and between
        partnerships (.20).
    choice_popularity : float
        Options are more or less popular everywhere by up to this, evenly spaced; default .5,
        with which the most popular of three is picked half of the time. Which one comes first
        moves on from set to set.
    choice_correlation : float
        Correlation of utilities between scales with the same options, such as the types of
        relationship now and wanted; default .5.

    Raises
    ------
    TruthError
        With every number that is out of range.

    Notes
    -----
    Sources: Bliese (2000), in Klein & Kozlowski (eds), Multilevel theory, research, and
    methods in organizations, 349-381. Meade & Craig (2012), doi:10.1037/a0028085.
    """

    loadings: PerName = LOADING
    icc_school: PerName = ICC_SCHOOL
    icc_partnership: PerName = ICC_PARTNERSHIP
    factor_correlations: PerPair = FACTOR_CORRELATION
    level: float = 0.4
    change_per_wave: PerName = 0.1
    item_spread: float = 0.3
    stability: float = 0.7
    school_stability: float = 0.8
    turnover: float = 0.15
    response_rate: float = 0.7
    missing_share: float = 0.02
    cannot_say_share: float = 0.02
    careless_share: float = 0.02
    bounded_steps: int = 20
    effects: Mapping[str, float] = field(default_factory=dict)
    intake_effect: float = 0.5
    residual_sd: float = 0.8
    outcome_icc: float = 0.4
    dyad_share: float = 0.25
    choice_sd: float = 1.0
    choice_icc_school: PerName = CHOICE_ICC_SCHOOL
    choice_icc_partnership: PerName = CHOICE_ICC_PARTNERSHIP
    choice_popularity: float = 0.5
    choice_correlation: float = 0.5

    def __post_init__(self) -> None:
        if faults := list(_faults(self)):
            raise TruthError("The truth of the synthetic cohort", faults)


@dataclass(frozen=True)
class Range:
    """The numbers an assumption may be, and the words for them."""

    low: float
    high: float
    words: str
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        """Whether the value is inside; NaN never is."""
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)


CORRELATION = Range(-1, 1, "lie between -1 and 1, both excluded", open_low=True, open_high=True)
PART = Range(0, 1, "be at least 0 and below 1", open_high=True)
SHARE = Range(0, 1, "lie between 0 and 1")
NUMBER = Range(-math.inf, math.inf, "be a finite number", open_low=True, open_high=True)
RANGES = {
    "loadings": CORRELATION,
    "icc_school": PART,
    "icc_partnership": PART,
    "factor_correlations": CORRELATION,
    "level": NUMBER,
    "change_per_wave": NUMBER,
    "item_spread": NUMBER,
    "stability": SHARE,
    "school_stability": SHARE,
    "turnover": SHARE,
    "response_rate": Range(0, 1, "be above 0 and at most 1", open_low=True),
    "missing_share": PART,
    "cannot_say_share": PART,
    "careless_share": PART,
    "bounded_steps": Range(1, math.inf, "be a whole number, 1 or more", open_high=True),
    "effects": NUMBER,
    "intake_effect": NUMBER,
    "residual_sd": Range(0, math.inf, "be 0 or more", open_high=True),
    "outcome_icc": SHARE,
    "dyad_share": PART,
    "choice_sd": Range(0, math.inf, "be 0 or more", open_high=True),
    "choice_icc_school": PART,
    "choice_icc_partnership": PART,
    "choice_popularity": Range(0, math.inf, "be 0 or more", open_high=True),
    "choice_correlation": SHARE,
}


def _faults(truth: Truth) -> Iterator[str]:
    for name, allowed in RANGES.items():
        for label, value in entries(name, getattr(truth, name)):
            if not allowed.holds(value):
                yield f"{label} is {value:g}; it must {allowed.words}."
    gone = truth.missing_share + truth.cannot_say_share
    if gone >= 1:
        yield f"missing_share and cannot_say_share add up to {gone:g}; no answer would be left."


def entries(name: str, value: PerName | PerPair) -> Iterator[tuple[str, float]]:
    """Each number of an assumption with the words that name it."""
    if not isinstance(value, Mapping):
        yield name, value
        return
    for key, number in value.items():
        yield f"{name}[{key!r}]", number
