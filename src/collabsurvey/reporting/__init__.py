"""From one run to a folder: disclosure control, sections, HTML, tables, figures, provenance."""

from collabsurvey.reporting.html import render_html
from collabsurvey.reporting.latex import to_latex
from collabsurvey.reporting.provenance import provenance
from collabsurvey.reporting.record import (
    Calibrated,
    JoinCount,
    ModelRecord,
    RunRecord,
    SourceFile,
)
from collabsurvey.reporting.release import Release, release
from collabsurvey.reporting.word import to_word
from collabsurvey.reporting.write import check_folder, write_folder

__all__ = [
    "Calibrated",
    "JoinCount",
    "ModelRecord",
    "Release",
    "RunRecord",
    "SourceFile",
    "check_folder",
    "provenance",
    "release",
    "render_html",
    "to_latex",
    "to_word",
    "write_folder",
]
