"""Rows to something to look at: tables and charts. Knows no statistics."""

from collabsurvey.display.chart import Chart
from collabsurvey.display.table import Table

__all__ = ["Chart", "Table"]
