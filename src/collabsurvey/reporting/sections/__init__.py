"""The sections of a report, in order, each made from a `Release` alone."""

from collabsurvey.reporting.sections.closing import limits_section, making_section
from collabsurvey.reporting.sections.confirm import confirm_sections
from collabsurvey.reporting.sections.findings import findings_section
from collabsurvey.reporting.sections.invariance import invariance_sections
from collabsurvey.reporting.sections.kinds import kind_sections
from collabsurvey.reporting.sections.meanings import meaning_sections
from collabsurvey.reporting.sections.measures import (
    distributions_section,
    scales_section,
)
from collabsurvey.reporting.sections.models import models_section
from collabsurvey.reporting.sections.partners import partner_sections
from collabsurvey.reporting.sections.people import cleaning_section, people_section
from collabsurvey.reporting.sections.reliability import reliability_section
from collabsurvey.reporting.sections.schools import schools_section
from collabsurvey.reporting.sections.structure import structure_sections
from collabsurvey.reporting.sections.trust import trust_sections
from collabsurvey.reporting.sections.views import view_sections

__all__ = [
    "cleaning_section",
    "confirm_sections",
    "distributions_section",
    "findings_section",
    "invariance_sections",
    "kind_sections",
    "limits_section",
    "making_section",
    "meaning_sections",
    "models_section",
    "partner_sections",
    "people_section",
    "reliability_section",
    "scales_section",
    "schools_section",
    "structure_sections",
    "trust_sections",
    "view_sections",
]
