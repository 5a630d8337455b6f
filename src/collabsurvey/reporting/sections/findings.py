"""What we found: people, scores and models, for a busy reader to stop after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.reporting.document import Block, Paragraph, Section
from collabsurvey.reporting.model_release import INTERCEPT, ReleasedModel
from collabsurvey.reporting.scale_release import ScaleFacts
from collabsurvey.reporting.sections.measures import contradictions
from collabsurvey.reporting.sections.models import signed
from collabsurvey.reporting.sections.people import response_rate
from collabsurvey.reporting.sections.schools import GOOD_ICC2
from collabsurvey.reporting.wording import counted, interval, joined, plural_of

if TYPE_CHECKING:
    from collabsurvey.reporting.release import Release

GOOD_ALPHA = 0.70  # Nunnally (1978), Psychometric Theory, p. 245, for early stages of research
MOST_TERMS = 3
MOST_MODELS = 3


def findings_section(shown: Release) -> Section:
    """People, scores, reliability, schools and confirmatory models, in that order."""
    sentences = [
        *_who(shown),
        *_scores(shown),
        *_reliability(shown),
        *_schools(shown),
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
    blocks += [Paragraph(" ".join(part)) for part in (sentences, _models(shown)) if part]
    return Section("what-we-found", "What we found", tuple(blocks))


def _who(shown: Release) -> list[str]:
    if shown.n_respondents is None:
        if shown.from_scores and shown.n_schools:
            return [
                f"This report is about scores of {counted(shown.n_schools, shown.school_word)}."
            ]
        return [f"Fewer than {shown.min_group} people answered, so no figures can be shown."] * (
            not shown.from_scores
        )
    people = f"{counted(shown.n_respondents, 'person', 'people')}"
    where = f" in {counted(shown.n_schools, shown.school_word)}" if shown.n_schools else ""
    rate = response_rate(shown)
    said = f", {rate[2]:.0%} of those who could have" if rate else ""
    return [f"{people}{where} answered{said}."]


def _scores(shown: Release) -> list[str]:
    """Highest and lowest scale, among those with the same range."""
    ranges: dict[tuple[float | None, float | None], list[ScaleFacts]] = {}
    for facts in shown.scales:
        if facts.mean is not None:
            ranges.setdefault((facts.low, facts.high), []).append(facts)
    if not ranges:
        return []
    (low, high), alike = max(ranges.items(), key=lambda pair: len(pair[1]))
    by_mean = sorted(alike, key=lambda facts: facts.mean or 0)
    where = "" if low is None or high is None else f" on a scale from {low:g} to {high:g}"
    if len(by_mean) == 1:
        return [f"The mean of {by_mean[0].title} was {signed(by_mean[0].mean or 0)}{where}."]
    if low is None:
        return []  # ranges unknown: means of different scales do not compare
    top, bottom = by_mean[-1], by_mean[0]
    return [
        f"Of {counted(len(by_mean), 'scale')}{where}, “{top.title}” had the highest mean "
        f"({signed(top.mean or 0)}) and “{bottom.title}” the lowest ({signed(bottom.mean or 0)})."
    ]


def _reliability(shown: Release) -> list[str]:
    table = shown.reliability
    if table is None or not table["alpha"].notna().any():
        return []
    alphas = table["alpha"].dropna()
    good = int((alphas >= GOOD_ALPHA).sum())
    said = [
        f"{_of(good, len(alphas), 'scale')} {'has' if good == 1 else 'have'} a reliability of at "
        "least .70, which is usual for early research (Nunnally, 1978)."
    ]
    if bad := len(contradictions(shown)):
        said.append(
            f"In {counted(bad, 'scale')} an item goes against the others and must be checked."
        )
    return said


def _of(part: int, whole: int, noun: str) -> str:
    if part == whole:
        return f"All {counted(whole, noun)}" if whole > 1 else f"The one {noun}"
    return f"{part or 'None'} of {counted(whole, noun)}"


def _schools(shown: Release) -> list[str]:
    table = shown.icc
    if table is None or table.empty:
        return []
    words = plural_of(shown.school_word)
    low, high = max(table["icc1"].min(), 0), max(table["icc1"].max(), 0)
    share = f"{low:.0%}" if round(low, 2) == round(high, 2) else f"between {low:.0%} and {high:.0%}"
    said = f"Of the differences between people, {share} lie between {words}"
    if "icc2" not in table.columns:
        return [f"{said}."]
    good = int((table["icc2"] >= GOOD_ICC2).sum())
    return [
        f"{said}; means of {words} are reliable enough to tell {words} apart "
        f"(ICC(2) at least .70) on {good or 'none'} of {counted(len(table), 'scale')}."
    ]


def _models(shown: Release) -> list[str]:
    said = []
    for role, models in _by_role(shown).items():
        said += [_model(shown, model, role) for model in models[:MOST_MODELS]]
        if len(models) > MOST_MODELS:
            said.append(f"{len(models) - MOST_MODELS} more {role} models are reported below.")
        if role == "exploratory":
            said.append("What exploratory models show is a lead, not a finding.")
    return said


def _by_role(shown: Release) -> dict[str, list[ReleasedModel]]:
    """Confirmatory models first; roles without models are left out."""
    groups: dict[str, list[ReleasedModel]] = {}
    for role in ("confirmatory", "exploratory"):
        if models := [model for model in shown.models if model.role == role]:
            groups[role] = models
    return groups


def _model(shown: Release, model: ReleasedModel, role: str) -> str:
    """Coefficients of scales that can be told from 0; all coefficients where none is a scale."""
    terms = model.estimates[model.estimates["term"] != INTERCEPT]
    about = terms[[shown.readable(term) != term for term in terms["term"]]]
    chosen = terms if about.empty else about
    clear = chosen[(chosen["ci_low"] > 0) | (chosen["ci_high"] < 0)]
    name = f"In the {role} model “{model.name}”"
    if clear.empty:
        what = "coefficient" if about.empty else "relation with a scale"
        return f"{name}, no {what} could be told from 0."
    parts = [
        f"{shown.readable(row['term'])} ({signed(row['estimate'])}, {model.conf_level:.0%} "
        f"interval {interval(row['ci_low'], row['ci_high'])})"
        for row in clear.head(MOST_TERMS).to_dict("records")
    ]
    more = f" and {len(clear) - MOST_TERMS} more" if len(clear) > MOST_TERMS else ""
    return f"{name}, {shown.readable(model.outcome)} went with {joined(parts)}{more}."
