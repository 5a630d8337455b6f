"""What we found: a few plain sentences, for a busy reader to stop after.

No statistic is named here and no work is cited; the sections that follow do both.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from collabsurvey.reporting.document import Block, Bullets, Paragraph, Section
from collabsurvey.reporting.model_release import INTERCEPT, ReleasedModel, outcome_words
from collabsurvey.reporting.scale_release import ScaleFacts
from collabsurvey.reporting.sections.change import change_words
from collabsurvey.reporting.sections.confirm import confirm_words
from collabsurvey.reporting.sections.invariance import invariance_words
from collabsurvey.reporting.sections.kinds import kind_words
from collabsurvey.reporting.sections.meanings import meaning_words
from collabsurvey.reporting.sections.measures import draft_titles, score_range
from collabsurvey.reporting.sections.partners import partner_words
from collabsurvey.reporting.sections.people import answered_words
from collabsurvey.reporting.sections.reliability import contradictions
from collabsurvey.reporting.sections.schools import told_apart
from collabsurvey.reporting.sections.trust import screening_words
from collabsurvey.reporting.sections.views import view_words
from collabsurvey.reporting.wording import (
    counted,
    joined,
    number_word,
    plural_of,
    quoted,
    sentence,
    signed,
    sizes,
)

if TYPE_CHECKING:
    from collabsurvey.reporting.release import Release

GOOD_ALPHA = 0.70  # Nunnally (1978), Psychometric Theory, p. 245, for early stages of research
MOST_TERMS = 3
MOST_LEADS = 3
FEW_SCALES = 4  # so many means are written out


def findings_section(shown: Release) -> Section:
    """People, screening, scores, change, reliability, structure, schools, relations, models."""
    said = [
        *_who(shown),
        *screening_words(shown),
        *_scores(shown),
        *change_words(shown),
        *_reliability(shown),
        *_structure(shown),
        *confirm_words(shown),
        *invariance_words(shown),
        *_schools(shown),
        *kind_words(shown),
        *meaning_words(shown),
        *view_words(shown),
        *partner_words(shown),
        *_models(shown),
    ]
    blocks: list[Block] = []
    if shown.synthetic:
        blocks.append(
            Paragraph(
                "The data of this report were drawn by a computer. It shows what a report looks "
                "like and says nothing about any real school.",
                "warning",
            )
        )
    blocks.append(Bullets(tuple(said)))
    return Section("what-we-found", "What we found", tuple(blocks))


def _who(shown: Release) -> list[str]:
    if shown.n_respondents is not None:
        return [" ".join(answered_words(shown))]
    if not shown.from_scores:
        return [f"Fewer than {shown.min_group} people answered, so no figures can be shown."]
    if not shown.n_schools:
        return []
    return [f"This report is about scores of {counted(shown.n_schools, shown.school_word)}."]


def _scores(shown: Release) -> list[str]:
    """Where averages stand on their own scales; scales are not compared with each other."""
    known = [(facts, facts.mean) for facts in shown.scales if facts.mean is not None]
    if not known:
        return []
    if len(known) <= FEW_SCALES:
        alike = len({(facts.low, facts.high) for facts, _ in known}) == 1
        means = [
            f"{signed(mean)} on “{facts.title}”{'' if alike else _range(facts)}"
            for facts, mean in known
        ]
        return [f"The average score{_range(known[0][0]) if alike else ''} was {joined(means)}."]
    placed = [
        mean > (facts.low + facts.high) / 2
        for facts, mean in known
        if facts.low is not None and facts.high is not None
    ]
    if not placed:
        return [
            f"There are {counted(len(known), 'scale')}; “What was measured” has their averages."
        ]
    above, below = sum(placed), len(placed) - sum(placed)
    where = (
        f"above the middle of the possible range on {_all(above, len(placed))}"
        if not below
        else f"at or below the middle of the possible range on {_all(below, len(placed))}"
        if not above
        else f"above the middle of the possible range on {above} of {len(placed)} scales and at or "
        f"below it on {below}"
    )
    return [
        f"The average score was {where}. Whether high is good depends on the scale: see “What was "
        "measured”."
    ]


def _all(part: int, whole: int) -> str:
    return f"all {whole} scales" if part == whole else f"{part} of {whole} scales"


def _range(facts: ScaleFacts) -> str:
    if facts.low is None or facts.high is None:
        return ""
    return f" ({score_range(facts)} is possible)"


def _reliability(shown: Release) -> list[str]:
    table = shown.reliability
    if table is None or not table["alpha"].notna().any():
        return []
    known = table[table["alpha"].notna()]
    weak = [shown.scale_title(name) for name in known.loc[known["alpha"] < GOOD_ALPHA, "scale"]]
    if not weak:
        which = "the scale hang" if len(known) == 1 else f"each of the {len(known)} scales hang"
        said = f"The questions of {which} together well enough to describe groups of people"
    elif len(weak) == len(known):
        which = "the scale hang" if len(known) == 1 else f"all {len(known)} scales hang"
        said = f"The questions of {which} together only loosely, so scores are rough"
    else:
        said = (
            f"On {len(known) - len(weak)} of {len(known)} scales the questions hang together well "
            f"enough to describe groups of people; scores on {quoted(weak, most=3)} are rough"
        )
    bad = len(contradictions(shown))
    check = f" On {counted(bad, 'scale')} a question goes against the others: check it first."
    return [f"{said}.{check if bad else ''}"]


def _structure(shown: Release) -> list[str]:
    """Whether the questions of the scales go where they were meant."""
    scales = [scale for one in shown.structures for scale in one.scales]
    if len(scales) < 2:
        return []
    odd = [scale.title for scale in scales if not scale.as_intended]
    if not odd:
        return [
            f"The questions of each of {counted(len(scales), 'scale')} go together as intended, "
            "and apart from those of the others."
        ]
    return [
        f"On {len(scales) - len(odd) or 'none'} of {counted(len(scales), 'scale')} the questions "
        "go together as intended, and apart from those of the others; not so on "
        f"{quoted(odd, most=3)}."
    ]


def _schools(shown: Release) -> list[str]:
    table = shown.icc
    if table is None or table.empty:
        return []
    word, words = shown.school_word, plural_of(shown.school_word)
    low, high = max(table["icc1"].min(), 0), max(table["icc1"].max(), 0)
    share = f"{low:.0%}" if round(low, 2) == round(high, 2) else f"between {low:.0%} and {high:.0%}"
    said = f"Of the differences between people, {share} go with the {word} they are in."
    apart = [
        (f"in wave {wave} " if wave else "", good, whole) for wave, good, whole in told_apart(shown)
    ]
    if apart:
        (when, good, whole), *later = apart
        first = (
            f"{when}the means of {words} are reliable enough to tell {words} apart on "
            f"{good or 'none'} of {counted(whole, 'scale')}"
        )
        rest = "".join(f", {when}on {good or 'none'}" for when, good, _ in later)
        said += f" {sentence(first + rest)}"
    if draft_titles(shown):
        said += f" The questions are drafts: do not rank {words}."
    return [said]


def _models(shown: Release) -> list[str]:
    """Confirmatory models one by one; exploratory ones as leads."""
    said = [_model(shown, model) for model in shown.models if model.role != "exploratory"]
    leads = [model for model in shown.models if model.role == "exploratory"]
    said += [f"A lead, not a finding: {_model(shown, model)}" for model in leads[:MOST_LEADS]]
    if len(leads) > MOST_LEADS:
        more = number_word(len(leads) - MOST_LEADS).capitalize()
        said.append(f"{more} more exploratory models are under “What goes with what”.")
    return said


def _model(shown: Release, model: ReleasedModel) -> str:
    """Coefficients of scales that can be told from 0; all coefficients where none is a scale."""
    terms = model.estimates[model.estimates["term"] != INTERCEPT]
    about = terms[[shown.readable(term) != term for term in terms["term"]]]
    chosen = terms if about.empty else about
    clear = chosen[(chosen["ci_low"] > 0) | (chosen["ci_high"] < 0)]
    outcome = outcome_words(shown, model)
    asked = f"In the model “{model.name}”"
    if model.hypothesis:
        asked = f"We asked whether this holds: “{model.hypothesis.rstrip('.')}”. {asked}"
    if clear.empty:
        names = [shown.said(model.label(term)) for term in chosen["term"]]
        what = joined(names[:MOST_TERMS], last="or") if names else "anything"
        return f"{asked}, no clear relation was seen between {outcome} and {what}."
    parts = [_relation(shown, model, row) for row in clear.head(MOST_TERMS).to_dict("records")]
    more = f", and more that is listed below ({len(clear) - MOST_TERMS})"
    return f"{asked}, {outcome} was {joined(parts)}{more if len(clear) > MOST_TERMS else ''}."


def _relation(shown: Release, model: ReleasedModel, row: dict[Hashable, Any]) -> str:
    """A coefficient whose interval leaves out 0."""
    label, estimate = shown.said(model.label(row["term"])), row["estimate"]
    digits = _digits(estimate)
    ends = sizes(row["ci_low"], row["ci_high"], digits)
    unit = "" if "rather than" in label else " per unit"
    return (
        f"{'higher' if estimate > 0 else 'lower'} with {label} (by {signed(abs(estimate), digits)}"
        f"{unit}, {model.conf_level:.0%} interval {ends})"
    )


def _digits(value: float) -> int:
    """Digits that show a small coefficient as more than 0.00."""
    return 2 if abs(value) >= 0.1 else 3
