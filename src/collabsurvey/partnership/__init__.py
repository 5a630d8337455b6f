"""Who works with whom: what schools say about their partners, and how far apart they are."""

from collabsurvey.partnership.consensus import consensus
from collabsurvey.partnership.consensus_result import ConsensusResult
from collabsurvey.partnership.dependence import dependence
from collabsurvey.partnership.dependence_result import DependenceResult
from collabsurvey.partnership.distance import culture_distance
from collabsurvey.partnership.distance_result import CultureDistanceResult
from collabsurvey.partnership.dyad_result import DyadsResult
from collabsurvey.partnership.dyads import dyads
from collabsurvey.partnership.round_robin import RoundRobinResult

__all__ = [
    "ConsensusResult",
    "CultureDistanceResult",
    "DependenceResult",
    "DyadsResult",
    "RoundRobinResult",
    "consensus",
    "culture_distance",
    "dependence",
    "dyads",
]
