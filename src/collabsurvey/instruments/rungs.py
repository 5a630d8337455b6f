"""What is still missing: the next rung of every score, in plain sentences.

The gates are those of `evidence`. A gate is open exactly where nothing is missing from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from collabsurvey.errors import listed
from collabsurvey.instruments.evidence import (
    CONTENT_BARS,
    ITEM_STATISTICS,
    LADDER,
    MIN_PILOT,
    MIN_RATERS,
    MIN_RETEST,
    MIN_RETEST_VALUE,
    ClaimStatus,
    asked_how_understood,
    claim_statuses,
    counts,
    index_met,
    is_reliability,
    measures,
    says,
    scope,
    structure_studies,
    studies,
    unlike_scores,
    unopposed,
)
from collabsurvey.instruments.model import Claim, Evidence, Instrument, Status

Has = Callable[[Evidence], bool]
ALIKE = "alpha or omega with its interval"
UNLIKE = "a reliability with its interval, such as a retest (alpha does not apply)"
PILOT_PARTS: dict[str, Has] = {
    "item statistics": lambda r: measures(r, ITEM_STATISTICS),
    "missingness": lambda r: measures(r, "missing"),
}


@dataclass(frozen=True)
class NextRung:
    """The next rung of one claim, and what it takes.

    `claim` is None where no record about the score counts; `rung` is None at the top of the
    ladder, and of a retired instrument.
    """

    score: str
    claim: ClaimStatus | None
    status: Status
    rung: Status | None
    missing: tuple[str, ...]

    def sentence(self) -> str:
        """Say where the claim stands and what it lacks."""
        about = f"{self.score}: {self.status}"
        if self.claim is not None:
            one = self.claim
            about = f"{one.score} ({one.level}, {one.population}, {one.language}): {one.status}"
        if self.rung is None:
            return f"{about}. {' '.join(self.missing)}".strip()
        return f"{about}. For {self.rung!r} it lacks: {' '.join(self.missing)}"


def rung_sentences(rungs: Sequence[NextRung]) -> list[str]:
    """Say where claims stand and what they lack; those that lack the same share a sentence."""
    alike: dict[tuple[object, ...], list[NextRung]] = {}
    for one in rungs:
        claim = one.claim
        about = claim and (claim.level, claim.population, claim.language)
        alike.setdefault((one.status, one.rung, one.missing, about), []).append(one)
    found = []
    for same in alike.values():
        first = same[0]
        if len(same) == 1:
            found.append(first.sentence())
            continue
        claim = first.claim
        whom = f" ({claim.level}, {claim.population}, {claim.language})" if claim else ""
        names = listed([one.score for one in same], most=len(same))
        lacks = f"For {first.rung!r} each lacks: " if first.rung else ""
        found.append(f"{names}{whom}: {first.status}. {lacks}{' '.join(first.missing)}".strip())
    return found


def next_rung(instrument: Instrument) -> tuple[NextRung, ...]:
    """Next rung of every score, each taken at its best-supported claim, in the file's order.

    The instrument's status is the lowest of these. With several claims equally far, the one
    that lacks least; `what_is_missing` takes any claim.
    """
    found = {scale: [_climbing(instrument, scale, None)] for scale in instrument.examined_ids}
    for claim in claim_statuses(instrument):
        if claim.score in found:
            found[claim.score].append(_climbing(instrument, claim.score, claim))
    return tuple(max(rungs, key=_nearness) for rungs in found.values())


def rung_of(instrument: Instrument, claim: Claim | ClaimStatus) -> NextRung:
    """Next rung of one claim: of its score, level, population and language."""
    about = (claim.score, claim.level, claim.population, claim.language)
    for known in claim_statuses(instrument):
        if (known.score, known.level, known.population, known.language) == about:
            return _climbing(instrument, claim.score, known)
    return _climbing(instrument, claim.score, None)


def what_is_missing(instrument: Instrument, claim: Claim | ClaimStatus) -> tuple[str, ...]:
    """Sentences on the evidence a claim lacks for its next rung; empty at the top.

    Parameters
    ----------
    instrument : Instrument
        With its evidence records.
    claim : Claim or ClaimStatus
        Whose score, level, population and language are asked about (`claim_statuses` lists
        those that have a record).
    """
    instrument.scale(claim.score)  # or says which scales there are
    return rung_of(instrument, claim).missing


def why_not_counted(record: Evidence, version: str) -> str:
    """Why a record moves no status of a version; "" where it may."""
    if counts(record, version):
        return ""
    if record.sample.kind != "real":
        return "its answers are simulated, which proves code and not the questionnaire"
    return f"it is about version {record.instrument_version}, and the instrument is {version}"


def holding_back(rungs: Sequence[NextRung]) -> str:
    """Which scores keep an instrument where it is; "" at the top or without scores."""
    reached = [one for one in rungs if one.rung is not None]
    if not reached:
        return ""
    lowest = min(LADDER.index(one.status) for one in reached)
    names = [one.score for one in reached if LADDER.index(one.status) == lowest]
    stay = "stays" if len(names) == 1 else "stay"
    return (
        f"{len(names)} of {len(rungs)} scores {stay} at {LADDER[lowest]!r}: {listed(names)}. "
        "An instrument is no further than its least examined score."
    )


def content_missing(records: Sequence[Evidence], unlike: bool = False) -> tuple[str, ...]:
    """What `content_reviewed` lacks."""
    return (*_content_record(records), *_response_process(records))


def pilot_missing(records: Sequence[Evidence], unlike: bool = False) -> tuple[str, ...]:
    """What `piloted` lacks, in the study that has most of it."""
    precise = UNLIKE if unlike else ALIKE
    parts: dict[str, Has] = {precise: lambda r: is_reliability(r, unlike), **PILOT_PARTS}
    lacks = [
        (study[0].study.title, [part for part, has in parts.items() if not any(map(has, study))])
        for study in studies(r for r in records if r.sample.n >= MIN_PILOT)
    ]
    title, missing = min(lacks, key=lambda one: len(one[1]), default=("", list(parts)))
    if not missing:
        return ()
    if title and len(missing) < len(parts):
        return (f"The study {title!r} has no record of {' and '.join(missing)}.",)
    return (
        f"A study of {MIN_PILOT} or more people, with records of {precise}, item statistics, and "
        "missingness under one study title.",
    )


def structure_missing(records: Sequence[Evidence], unlike: bool = False) -> tuple[str, ...]:
    """What `structure_supported` lacks."""
    if said := _opposed(records, "internal_structure"):
        return said
    if unlike:
        enough = len(structure_studies(records)) > 1
        asked = "Two supporting studies of its structure, with other people in each."
        return () if enough else (asked,)
    structure = unopposed(records, "internal_structure")
    explored = {r.study.title for r in structure if says(r, r"\befa\b|exploratory")}
    confirmed = {r.study.title for r in structure if says(r, r"\bcfa\b|confirmatory")}
    if any(first != second for first in explored for second in confirmed):
        return ()
    missing = []
    if not explored:
        missing.append("An exploratory factor analysis (EFA) with the verdict 'supports'.")
    if not confirmed:
        missing.append("A confirmatory factor analysis (CFA) with the verdict 'supports'.")
    if explored and confirmed:
        missing.append(
            f"EFA and CFA are both of the study {min(explored)!r}: one of them has to come from "
            "a study with other people."
        )
    return tuple(missing)


def use_missing(records: Sequence[Evidence], unlike: bool = False) -> tuple[str, ...]:
    """What `validated_for` lacks, whatever the use."""
    missing = list(_opposed(records, "reliability"))
    retests = [r for r in unopposed(records, "reliability") if says(r, r"re-?test")]
    enough = [
        r for r in retests if r.sample.n >= MIN_RETEST and (r.value or 0.0) >= MIN_RETEST_VALUE
    ]
    if not missing and not enough:
        missing.append(
            f"A retest of {MIN_RETEST} or more people with an intraclass correlation of "
            f"{MIN_RETEST_VALUE:.2f} or more and the verdict 'supports'."
        )
    relations = [r for r in records if r.source_type == "relations"]
    opposed = {r.claim.use for r in relations if r.verdict == "against"}
    supported = {r.claim.use for r in relations if r.verdict == "supports" and r.study.prereg}
    if not supported - opposed:
        said = _opposed(records, "relations") if supported else ()
        asked = "A pre-registered study of relations that supports what was expected."
        missing += said or (asked,)
    if not any(r.study.independent_of_authors for r in records if r.verdict == "supports"):
        missing.append("A supporting record of a study by others than the authors.")
    return tuple(missing)


MISSING: dict[Status, Callable[[Sequence[Evidence], bool], tuple[str, ...]]] = {
    "content_reviewed": content_missing,
    "piloted": pilot_missing,
    "structure_supported": structure_missing,
    "validated_for": use_missing,
}


def _climbing(instrument: Instrument, scale: str, claim: ClaimStatus | None) -> NextRung:
    if instrument.status == "retired":
        gone = "The instrument is retired; its evidence is kept, and moves nothing."
        return NextRung(scale, claim, "retired", None, (gone,))
    status: Status = "draft" if claim is None else claim.status
    place = LADDER.index(status) + 1
    if place == len(LADDER):
        return NextRung(scale, claim, status, None, ())
    records = [] if claim is None else _records_of(instrument, claim)
    unlike = unlike_scores(instrument.scoring, instrument.items, instrument.constructs)
    missing = MISSING[LADDER[place]](records, scale in unlike)
    return NextRung(scale, claim, status, LADDER[place], missing)


def _records_of(instrument: Instrument, claim: ClaimStatus) -> list[Evidence]:
    about = (claim.score, claim.level, claim.population, claim.language)
    return [
        record
        for record in instrument.evidence
        if counts(record, instrument.version) and scope(record.claim) == about
    ]


def _nearness(rung: NextRung) -> tuple[int, int]:
    if rung.status == "retired":
        return (0, 0)
    return (LADDER.index(rung.status), 0 if rung.claim is None else 100 - len(rung.missing))


def _content_record(records: Sequence[Evidence]) -> tuple[str, ...]:
    if said := _opposed(records, "content"):
        return said
    sound = unopposed(records, "content")
    if any(r.sample.n >= MIN_RATERS and index_met(r) for r in sound):
        return ()
    bars = (
        f"I-CVI of {CONTENT_BARS['i_cvi']:.2f} at least for every item and S-CVI of "
        f"{CONTENT_BARS['s_cvi']:.2f} at least"
    )
    asked = f"{MIN_RATERS} or more raters, the verdict 'supports', and {bars}"
    if known := [r.id for r in records if r.source_type == "content"]:
        falls = "falls" if len(known) == 1 else "fall"
        return (f"A content record with {asked}; {listed(known)} {falls} short of it.",)
    return (f"A content record: raters judge how relevant each item is, with {asked}.",)


def _response_process(records: Sequence[Evidence]) -> tuple[str, ...]:
    if said := _opposed(records, "response_process"):
        return said
    if asked_how_understood(records):
        return ()
    return (
        "A response-process record: interviews in which people say how they understand each "
        "question, with the verdict 'supports'.",
    )


def _opposed(records: Sequence[Evidence], source_type: str) -> tuple[str, ...]:
    """Say which records speak against a claim, which no other record can outweigh."""
    against = [r.id for r in records if r.source_type == source_type and r.verdict == "against"]
    if not against:
        return ()
    speaks = "speaks" if len(against) == 1 else "speak"
    return (
        f"{listed(against)} {speaks} against it: the gate stays shut for this version. Revise the "
        "items, which makes a new major version.",
    )
