"""The cohort of the demonstration: shipped instruments, a few partnerships, two waves."""

from __future__ import annotations

from pathlib import Path

from collabsurvey.simulation.cohort import Cohort, simulate_cohort
from collabsurvey.simulation.export import CohortFiles
from collabsurvey.simulation.truth import Truth

DEMO_INSTRUMENTS = ("trust", "culture")
DEMO_SEED = 20260901
DEMO_EFFECTS = {"tru.expect": 0.4}  # strong for school data, so that a small study can show it


def demo_cohort() -> Cohort:
    """Draw the cohort of the demonstration: 24 schools in 4 partnerships, two waves."""
    return simulate_cohort(
        DEMO_INSTRUMENTS,
        n_partnerships=4,
        n_schools=24,
        n_staff=(10, 45),  # the smallest schools stay under the size that may be shown
        waves=2,
        truth=Truth(effects=DEMO_EFFECTS),
        seed=DEMO_SEED,
    )


def demo_study_files(folder: str | Path) -> CohortFiles:
    """Write the data files of the demonstration study to a folder; return where they are."""
    return demo_cohort().write(folder)
