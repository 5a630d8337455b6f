"""Synthetic cohorts with known truth."""

from collabsurvey.simulation.cohort import Cohort, simulate_cohort
from collabsurvey.simulation.demo import DEMO_INSTRUMENTS, demo_cohort, demo_study_files
from collabsurvey.simulation.export import CohortFiles
from collabsurvey.simulation.known import CohortTruth
from collabsurvey.simulation.truth import Truth

__all__ = [
    "DEMO_INSTRUMENTS",
    "Cohort",
    "CohortFiles",
    "CohortTruth",
    "Truth",
    "demo_cohort",
    "demo_study_files",
    "simulate_cohort",
]
