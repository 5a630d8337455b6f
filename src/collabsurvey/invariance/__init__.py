"""Is the same thing measured in every group, and at every wave."""

from collabsurvey.invariance.ladder import ladder
from collabsurvey.invariance.ladder_result import LadderResult

__all__ = ["LadderResult", "ladder"]
