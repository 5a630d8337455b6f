"""From answers to scores."""

from collabsurvey.scoring.scales import ScoreResult, score

__all__ = ["ScoreResult", "score"]
