"""From answers to scores."""

from collabsurvey.scoring.result import ScoreResult
from collabsurvey.scoring.scales import score

__all__ = ["ScoreResult", "score"]
