"""May members be averaged: how alike they are, how reliable their mean is, and the means."""

from collabsurvey.multilevel.aggregate import AggregateResult, aggregate
from collabsurvey.multilevel.agreement import AgreementResult, agreement
from collabsurvey.multilevel.center import center
from collabsurvey.multilevel.change import ChangeReliabilityResult, change_reliability
from collabsurvey.multilevel.decision import DecisionResult, decision
from collabsurvey.multilevel.generalizability import GeneralizabilityResult, generalizability
from collabsurvey.multilevel.group_reliability import GroupReliabilityResult, group_reliability
from collabsurvey.multilevel.icc import IccResult, icc
from collabsurvey.multilevel.levels import LevelsResult
from collabsurvey.multilevel.perception_gap import perception_gap
from collabsurvey.multilevel.perception_gap_result import PerceptionGapResult
from collabsurvey.multilevel.reliability_levels import two_level_alpha, two_level_omega
from collabsurvey.multilevel.waba import WabaResult, waba

__all__ = [
    "AggregateResult",
    "AgreementResult",
    "ChangeReliabilityResult",
    "DecisionResult",
    "GeneralizabilityResult",
    "GroupReliabilityResult",
    "IccResult",
    "LevelsResult",
    "PerceptionGapResult",
    "WabaResult",
    "aggregate",
    "agreement",
    "center",
    "change_reliability",
    "decision",
    "generalizability",
    "group_reliability",
    "icc",
    "perception_gap",
    "two_level_alpha",
    "two_level_omega",
    "waba",
]
