"""Plans that use several analyses: who is missing, what screening does, what is evidence."""

from collabsurvey.validation.content_sheet import content_sheet
from collabsurvey.validation.content_validity import content_validity
from collabsurvey.validation.content_validity_result import ContentValidityResult
from collabsurvey.validation.evidence import evidence
from collabsurvey.validation.evidence_of_scales import ScaleEvidence, evidence_of_scales
from collabsurvey.validation.impact import ImpactResult, impact
from collabsurvey.validation.plan import ValidationResult, validate
from collabsurvey.validation.who_is_missing import MissingnessModel, who_is_missing

__all__ = [
    "ContentValidityResult",
    "ImpactResult",
    "MissingnessModel",
    "ScaleEvidence",
    "ValidationResult",
    "content_sheet",
    "content_validity",
    "evidence",
    "evidence_of_scales",
    "impact",
    "validate",
    "who_is_missing",
]
