"""What a run found of relations: kinds, meanings, two views, partners; unsuppressed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collabsurvey.multilevel import PerceptionGapResult
    from collabsurvey.partnership import ConsensusResult, DependenceResult, DyadsResult
    from collabsurvey.scoring import (
        CompositionGroups,
        CompositionResult,
        CongruenceGroups,
        CongruenceResult,
    )


@dataclass(frozen=True, eq=False)
class KindRecord:
    """Shares of the types of one scale, or of what there is and what is wanted, in one wave.

    With a shift, every figure is of the people who answered about both: from means of slightly
    different people the answers of those who differ could be worked out.
    """

    wave: str  # empty where the study has none
    scales: tuple[str, ...]  # one, or now and wanted
    shift: str  # id of the scale between now and wanted; empty where there is none
    results: Mapping[str, CompositionResult]  # by scale
    groups: Mapping[str, Mapping[str, CompositionGroups]]  # scale → "partnership", "school"
    moved: CongruenceResult | None
    moved_groups: Mapping[str, CongruenceGroups]
    n_left_out: int  # people with an answer who are not counted


@dataclass(frozen=True, eq=False)
class MeaningRecord:
    """How far people give the same answers to one scale, in one wave."""

    wave: str
    scale: str
    everybody: ConsensusResult
    by_partnership: ConsensusResult | None


@dataclass(frozen=True, eq=False)
class GapRecord:
    """Two views of the same schools, in one wave."""

    wave: str
    title: str
    names: tuple[str, str]  # what the two sides are called
    scales: tuple[str, str]  # whose scores they are; the same where groups answered one scale
    result: PerceptionGapResult
    scored: tuple[Mapping[str, int], Mapping[str, int]]  # school → people with a score, any side


@dataclass(frozen=True, eq=False)
class DyadRecord:
    """What schools say of each partner on one scale, all waves."""

    scale: str
    result: DyadsResult


@dataclass(frozen=True, eq=False)
class DependenceRecord:
    """Who needs whom for what, from people who answered every question about a partner."""

    scales: tuple[str, str]  # what we need from them, what they need from us
    difference: str  # scale of the difference; empty where there is none
    result: DependenceResult
    n_left_out: int  # answers about a partner with a question left out


@dataclass(frozen=True, eq=False)
class RelationsRecord:
    """Everything about relations that the questionnaire and the roles allow."""

    kinds: tuple[KindRecord, ...] = ()
    meanings: tuple[MeaningRecord, ...] = ()
    gaps: tuple[GapRecord, ...] = ()
    dyads: tuple[DyadRecord, ...] = ()
    dependence: tuple[DependenceRecord, ...] = ()
