"""Plans that use several analyses: who is missing, and what screening does to the numbers."""

from collabsurvey.validation.impact import ImpactResult, impact
from collabsurvey.validation.who_is_missing import MissingnessModel, who_is_missing

__all__ = ["ImpactResult", "MissingnessModel", "impact", "who_is_missing"]
