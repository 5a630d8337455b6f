"""Instruments on their way to survey platforms and statistics programs."""

from collabsurvey.instruments.exchange.export import (
    FORMATS,
    Format,
    Platform,
    export_instrument,
    file_name,
    next_steps,
)
from collabsurvey.instruments.exchange.html import collect_answers, questionnaire_html

__all__ = [
    "FORMATS",
    "Format",
    "Platform",
    "collect_answers",
    "export_instrument",
    "file_name",
    "next_steps",
    "questionnaire_html",
]
