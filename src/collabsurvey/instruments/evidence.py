"""How far the evidence carries: the status of a claim, and of an instrument.

Status is computed from evidence records and never typed in. Each rung needs the one
below it, on records that count: real respondents (simulated data proves code, not
validity) and the instrument's present major version (a new major version means new
wording, key or meaning, and starts again). A record `against` is kept and holds shut
every gate of its kind for its claim.

The rungs follow the sources of validity evidence in AERA, APA & NCME (2014),
Standards for Educational and Psychological Testing; the bar for content indices is
that of the item- and scale-level content validity index.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from collabsurvey.instruments.model import Claim, Evidence, Instrument, Status

MIN_RATERS = 6  # experts and staff who rate relevance and clarity
MIN_PILOT = 100  # respondents of a pilot
MIN_RETEST = 50  # respondents who answer twice
MIN_RETEST_VALUE = 0.70  # intraclass correlation of the two occasions
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
    instrument is no further than its least examined score. `claim_statuses` gives the
    claims one by one, which is what a report should print. `retired` is a decision of the
    authors and stays.
    """
    if instrument.status == "retired":
        return "retired"
    return status_from(instrument.version, instrument.scale_ids, instrument.evidence)


def status_from(version: str, scales: Sequence[str], evidence: Iterable[Evidence]) -> Status:
    """`computed_status` from its three ingredients."""
    claims = claims_from(version, evidence)
    best = dict.fromkeys(scales, 0)
    for claim in claims:
        if claim.score in best:
            best[claim.score] = max(best[claim.score], LADDER.index(claim.status))
    return LADDER[min(best.values(), default=0)]


def claim_statuses(instrument: Instrument) -> tuple[ClaimStatus, ...]:
    """Status of every claim that has a record which counts."""
    return claims_from(instrument.version, instrument.evidence)


def claims_from(version: str, evidence: Iterable[Evidence]) -> tuple[ClaimStatus, ...]:
    """`claim_statuses` from a version and its records."""
    groups: dict[tuple[str, str, str, str], list[Evidence]] = {}
    for record in evidence:
        if counts(record, version):
            groups.setdefault(_scope(record.claim), []).append(record)
    return tuple(_climb(scope, records) for scope, records in groups.items())


def counts(record: Evidence, version: str) -> bool:
    """Whether a record may move a status: real respondents, same major version."""
    return record.sample.kind == "real" and _major(record.instrument_version) == _major(version)


def content_reviewed(records: Sequence[Evidence]) -> bool:
    """Content record of 6 or more raters with its index met, and a response-process record."""
    content = [r for r in _unopposed(records, "content") if r.sample.n >= MIN_RATERS]
    return any(map(_index_met, content)) and bool(_unopposed(records, "response_process"))


def piloted(records: Sequence[Evidence]) -> bool:
    """One study of 100 or more: item statistics, alpha or omega with its interval, missingness.

    A pilot counts whatever it found: the rung says that people have answered.
    """
    return any(
        any(_measures(r, r"alpha|omega") and r.ci is not None for r in study)
        and any(_measures(r, r"item[ _-]?(statistics|analysis)") for r in study)
        and any(_measures(r, r"missing") for r in study)
        for study in _studies(r for r in records if r.sample.n >= MIN_PILOT)
    )


def structure_supported(records: Sequence[Evidence]) -> bool:
    """Exploratory and confirmatory factor analysis that agree, on different samples."""
    structure = _unopposed(records, "internal_structure")
    explored = {r.study.title for r in structure if _says(r, r"\befa\b|exploratory")}
    confirmed = {r.study.title for r in structure if _says(r, r"\bcfa\b|confirmatory")}
    return any(first != second for first in explored for second in confirmed)


def validated_uses(records: Sequence[Evidence]) -> tuple[str, ...]:
    """Return uses with a pre-registered relation study, retest and an independent sample."""
    retested = any(
        _says(r, r"re-?test") and r.sample.n >= MIN_RETEST and (r.value or 0.0) >= MIN_RETEST_VALUE
        for r in _unopposed(records, "reliability")
    )
    independent = any(r.study.independent_of_authors for r in records if r.verdict == "supports")
    if not (retested and independent):
        return ()
    related = (r.claim.use for r in _unopposed(records, "relations") if r.study.prereg)
    return tuple(dict.fromkeys(related))


GATES: tuple[tuple[Status, Callable[[Sequence[Evidence]], object]], ...] = (
    ("content_reviewed", content_reviewed),
    ("piloted", piloted),
    ("structure_supported", structure_supported),
    ("validated_for", validated_uses),
)


def _climb(scope: tuple[str, str, str, str], records: Sequence[Evidence]) -> ClaimStatus:
    status: Status = "draft"
    for rung, gate in GATES:
        if not gate(records):
            break
        status = rung
    uses = validated_uses(records) if status == "validated_for" else ()
    return ClaimStatus(*scope, status=status, uses=uses)


def _scope(claim: Claim) -> tuple[str, str, str, str]:
    return (claim.score, claim.level, claim.population, claim.language)


def _unopposed(records: Sequence[Evidence], source_type: str) -> list[Evidence]:
    """Supporting records of one kind; none if any record of that kind speaks against."""
    of_kind = [r for r in records if r.source_type == source_type]
    if any(r.verdict == "against" for r in of_kind):
        return []
    return [r for r in of_kind if r.verdict == "supports"]


def _index_met(record: Evidence) -> bool:
    name = re.sub(r"[^a-z]+", "_", record.statistic.lower())
    bar = next((bar for index, bar in CONTENT_BARS.items() if index in name), None)
    return bar is not None and record.value is not None and record.value >= bar


def _measures(record: Evidence, pattern: str) -> bool:
    return bool(re.search(pattern, record.statistic, re.IGNORECASE))


def _says(record: Evidence, pattern: str) -> bool:
    return bool(re.search(pattern, f"{record.statistic} {record.method}", re.IGNORECASE))


def _studies(records: Iterable[Evidence]) -> list[list[Evidence]]:
    by_title: dict[str, list[Evidence]] = {}
    for record in records:
        by_title.setdefault(record.study.title, []).append(record)
    return list(by_title.values())


def _major(version: str) -> str:
    return version.split(".", maxsplit=1)[0]
