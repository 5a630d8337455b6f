"""How far the evidence carries: the status of a claim, and of an instrument.

Status is computed from evidence records and never typed in. Each rung needs the one
below it, on records that count: real respondents (simulated data proves code, not
validity) and the instrument's present major version (a new major version means new
wording, key or meaning, and starts again). A record `against` is kept and holds shut
every gate of its kind for its claim.

Formative, ipsative and nominal scores (`unlike`: their items need not go together) have no
alpha and no factors. For them any reliability with its interval stands in for alpha in a
pilot (a retest, agreement of raters), and two supporting studies of their structure, of
whatever method, for the two factor analyses.

The rungs follow the sources of validity evidence in AERA, APA & NCME (2014),
Standards for Educational and Psychological Testing; the bar for content indices is
that of the item- and scale-level content validity index.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from collabsurvey.instruments.model import (
    Claim,
    Construct,
    Evidence,
    Instrument,
    Item,
    Scale,
    Status,
)

MIN_RATERS = 6  # experts and staff who rate relevance and clarity
MIN_PILOT = 100  # respondents of a pilot
MIN_RETEST = 50  # respondents who answer twice
MIN_RETEST_VALUE = 0.70  # intraclass correlation of the two occasions
ITEM_STATISTICS = r"item[ _-]?(statistics|analysis)"
CONTENT_BARS = {"i_cvi": 0.78, "s_cvi": 0.90}  # smallest content validity index, item and scale

LADDER: tuple[Status, ...] = tuple(s for s in get_args(Status) if s != "retired")


@dataclass(frozen=True)
class ClaimStatus:
    """How far one claim has come: score × level × population × language, and for what use."""

    score: str
    level: str
    population: str
    language: str
    status: Status
    uses: tuple[str, ...] = ()  # what the score is validated for; empty below that rung


def computed_status(instrument: Instrument) -> Status:
    """Status the evidence records support.

    The lowest status among the scored scales, each taken at its best-supported claim: an
    instrument is no further than its least examined score. Differences and distances between
    two scores stand on these two and are not asked for evidence of their own.
    `claim_statuses` gives the claims one by one, which is what a report should print.
    `retired` is a decision of the authors and stays.
    """
    if instrument.status == "retired":
        return "retired"
    return status_from(
        instrument.version,
        instrument.examined_ids,
        instrument.evidence,
        unlike=unlike_scores(instrument.scoring, instrument.items, instrument.constructs),
    )


def unlike_scores(
    scales: Iterable[Scale], items: Iterable[Item], constructs: Iterable[Construct]
) -> frozenset[str]:
    """Scores that no alpha and no factor analysis can speak for."""
    models = {one.id: one.measurement_model for one in constructs}
    of_item = {item.id: models.get(str(item.construct_id), "reflective") for item in items}
    return frozenset(
        scale.id
        for scale in scales
        if scale.rule not in ("mean", "sum")
        or len(scale.items) == 1
        or models.get(scale.id, "reflective") != "reflective"
        or any(of_item.get(item) != "reflective" for item in scale.items)
    )


def status_from(
    version: str,
    scales: Sequence[str],
    evidence: Iterable[Evidence],
    *,
    unlike: Collection[str] = (),
) -> Status:
    """`computed_status` from its ingredients."""
    claims = claims_from(version, evidence, unlike=unlike)
    best = dict.fromkeys(scales, 0)
    for claim in claims:
        if claim.score in best:
            best[claim.score] = max(best[claim.score], LADDER.index(claim.status))
    return LADDER[min(best.values(), default=0)]


def claim_statuses(instrument: Instrument) -> tuple[ClaimStatus, ...]:
    """Status of every claim that has a record which counts."""
    unlike = unlike_scores(instrument.scoring, instrument.items, instrument.constructs)
    return claims_from(instrument.version, instrument.evidence, unlike=unlike)


def claims_from(
    version: str, evidence: Iterable[Evidence], *, unlike: Collection[str] = ()
) -> tuple[ClaimStatus, ...]:
    """`claim_statuses` from a version and its records."""
    groups: dict[tuple[str, str, str, str], list[Evidence]] = {}
    for record in evidence:
        if counts(record, version):
            groups.setdefault(scope(record.claim), []).append(record)
    return tuple(_climb(one, records, one[0] in unlike) for one, records in groups.items())


def counts(record: Evidence, version: str) -> bool:
    """Whether a record may move a status: real respondents, same major version."""
    return record.sample.kind == "real" and _major(record.instrument_version) == _major(version)


def content_reviewed(records: Sequence[Evidence], unlike: bool = False) -> bool:
    """Content record of 6 or more raters with its index met, and a response-process record.

    How often an item is left out (missingness) says nothing of how it is understood.
    """
    content = [r for r in unopposed(records, "content") if r.sample.n >= MIN_RATERS]
    return any(map(index_met, content)) and bool(asked_how_understood(records))


def asked_how_understood(records: Sequence[Evidence]) -> list[Evidence]:
    """Supporting response-process records: interviews, not counts of blanks."""
    return [r for r in unopposed(records, "response_process") if not measures(r, "missing")]


def piloted(records: Sequence[Evidence], unlike: bool = False) -> bool:
    """One study of 100 or more: item statistics, alpha or omega with its interval, missingness.

    A pilot counts whatever it found: the rung says that people have answered.
    """
    return any(
        any(is_reliability(r, unlike) for r in study)
        and any(measures(r, ITEM_STATISTICS) for r in study)
        and any(measures(r, r"missing") for r in study)
        for study in studies(r for r in records if r.sample.n >= MIN_PILOT)
    )


def is_reliability(record: Evidence, unlike: bool) -> bool:
    """Alpha or omega with its interval; any reliability with one, where those do not apply."""
    if record.ci is None:
        return False
    if unlike:
        return record.source_type == "reliability"
    return measures(record, r"alpha|omega") and not measures(record, "krippendorff")


def structure_supported(records: Sequence[Evidence], unlike: bool = False) -> bool:
    """Exploratory and confirmatory factor analysis that agree, on different samples."""
    structure = unopposed(records, "internal_structure")
    if unlike:
        return len(structure_studies(records)) > 1
    explored = {r.study.title for r in structure if says(r, r"\befa\b|exploratory")}
    confirmed = {r.study.title for r in structure if says(r, r"\bcfa\b|confirmatory")}
    return any(first != second for first in explored for second in confirmed)


def structure_studies(records: Sequence[Evidence]) -> set[str]:
    """Titles of the studies whose structure evidence supports; item statistics are none."""
    structure = unopposed(records, "internal_structure")
    return {r.study.title for r in structure if not measures(r, ITEM_STATISTICS)}


def validated_uses(records: Sequence[Evidence], unlike: bool = False) -> tuple[str, ...]:
    """Return uses with a pre-registered relation study, retest and an independent sample.

    A relation study that speaks against one use holds shut that use alone.
    """
    retested = any(
        says(r, r"re-?test") and r.sample.n >= MIN_RETEST and (r.value or 0.0) >= MIN_RETEST_VALUE
        for r in unopposed(records, "reliability")
    )
    independent = any(r.study.independent_of_authors for r in records if r.verdict == "supports")
    if not (retested and independent):
        return ()
    relations = [r for r in records if r.source_type == "relations"]
    opposed = {r.claim.use for r in relations if r.verdict == "against"}
    supported = (r.claim.use for r in relations if r.verdict == "supports" and r.study.prereg)
    return tuple(use for use in dict.fromkeys(supported) if use not in opposed)


GATES: tuple[tuple[Status, Callable[[Sequence[Evidence], bool], object]], ...] = (
    ("content_reviewed", content_reviewed),
    ("piloted", piloted),
    ("structure_supported", structure_supported),
    ("validated_for", validated_uses),
)


def _climb(
    about: tuple[str, str, str, str], records: Sequence[Evidence], unlike: bool
) -> ClaimStatus:
    status: Status = "draft"
    for rung, gate in GATES:
        if not gate(records, unlike):
            break
        status = rung
    uses = validated_uses(records) if status == "validated_for" else ()
    return ClaimStatus(*about, status=status, uses=uses)


def scope(claim: Claim) -> tuple[str, str, str, str]:
    """Score, level, population and language: what records have to share to add up."""
    return (claim.score, claim.level, claim.population, claim.language)


def unopposed(records: Sequence[Evidence], source_type: str) -> list[Evidence]:
    """Supporting records of one kind; none if any record of that kind speaks against."""
    of_kind = [r for r in records if r.source_type == source_type]
    if any(r.verdict == "against" for r in of_kind):
        return []
    return [r for r in of_kind if r.verdict == "supports"]


def index_met(record: Evidence) -> bool:
    """Whether a content index reaches its bar.

    An I-CVI is judged to two digits: its bar, .78, is how Lynn (1986) prints 7 of 9.
    """
    name = re.sub(r"[^a-z]+", "_", record.statistic.lower())
    index = next((one for one in CONTENT_BARS if one in name), None)
    if index is None or record.value is None:
        return False
    value = round(record.value, 2) if index == "i_cvi" else record.value
    return value >= CONTENT_BARS[index]


def measures(record: Evidence, pattern: str) -> bool:
    """Whether the statistic of a record is of a kind."""
    return bool(re.search(pattern, record.statistic, re.IGNORECASE))


def says(record: Evidence, pattern: str) -> bool:
    """Whether the statistic or method of a record is of a kind."""
    return bool(re.search(pattern, f"{record.statistic} {record.method}", re.IGNORECASE))


def studies(records: Iterable[Evidence]) -> list[list[Evidence]]:
    """Records of each study, by its title."""
    by_title: dict[str, list[Evidence]] = {}
    for record in records:
        by_title.setdefault(record.study.title, []).append(record)
    return list(by_title.values())


def _major(version: str) -> str:
    return version.split(".", maxsplit=1)[0]
