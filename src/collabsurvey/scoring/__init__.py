"""From answers to scores: scales, shares of a whole, distances, quadrants."""

from collabsurvey.scoring.composition import composition
from collabsurvey.scoring.composition_result import CompositionResult
from collabsurvey.scoring.congruence import congruence
from collabsurvey.scoring.congruence_result import CongruenceGroups, CongruenceResult
from collabsurvey.scoring.dual import dual_identification
from collabsurvey.scoring.dual_result import DualResult
from collabsurvey.scoring.group_shares import CompositionGroups
from collabsurvey.scoring.result import ScoreResult
from collabsurvey.scoring.scales import score

__all__ = [
    "CompositionGroups",
    "CompositionResult",
    "CongruenceGroups",
    "CongruenceResult",
    "DualResult",
    "ScoreResult",
    "composition",
    "congruence",
    "dual_identification",
    "score",
]
