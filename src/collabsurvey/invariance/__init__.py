"""Is the same thing measured in every group, and at every wave."""

from collabsurvey.invariance.alignment import alignment
from collabsurvey.invariance.alignment_result import AlignmentResult
from collabsurvey.invariance.consequences import consequences
from collabsurvey.invariance.consequences_result import ConsequencesResult
from collabsurvey.invariance.ladder import ladder
from collabsurvey.invariance.ladder_result import LadderResult
from collabsurvey.invariance.partial import partial
from collabsurvey.invariance.partial_result import PartialResult

__all__ = [
    "AlignmentResult",
    "ConsequencesResult",
    "LadderResult",
    "PartialResult",
    "alignment",
    "consequences",
    "ladder",
    "partial",
]
