"""The declared study: one file says what was asked, of whom, and what is calculated."""

from collabsurvey.study.study import Run, Study, StudyCheck

__all__ = ["Run", "Study", "StudyCheck"]
