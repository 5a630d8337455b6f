"""The report as one HTML file: nothing is fetched, every text is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from collabsurvey.reporting.document import Section
from collabsurvey.reporting.figures import Figure, all_figures
from collabsurvey.reporting.provenance import provenance
from collabsurvey.reporting.sections import (
    cleaning_section,
    confirm_sections,
    distributions_section,
    findings_section,
    invariance_sections,
    kind_sections,
    limits_section,
    making_section,
    meaning_sections,
    models_section,
    partner_sections,
    people_section,
    reliability_section,
    scales_section,
    schools_section,
    structure_sections,
    trust_sections,
    view_sections,
)

if TYPE_CHECKING:
    from collabsurvey.reporting.release import Release

TEMPLATE = "report.html.j2"


def report_sections(shown: Release, origin: Mapping[str, Any]) -> tuple[Section, ...]:
    """Sections of the report in order."""
    return (
        findings_section(shown),
        people_section(shown),
        *trust_sections(shown),
        scales_section(shown),
        distributions_section(shown),
        reliability_section(shown),
        *structure_sections(shown),
        *confirm_sections(shown),
        *invariance_sections(shown),
        schools_section(shown),
        *kind_sections(shown),
        *meaning_sections(shown),
        *view_sections(shown),
        *partner_sections(shown),
        models_section(shown),
        limits_section(shown),
        cleaning_section(shown),
        making_section(shown, origin),
    )


def render_html(
    shown: Release,
    *,
    figures: Mapping[str, Figure] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> str:
    """Return the report as the text of one HTML file.

    Parameters
    ----------
    shown : Release
        What may be shown; made by `release`.
    figures : mapping, optional
        Of `all_figures`, where they have been drawn already.
    origin : mapping, optional
        Of `provenance`; without it the report is dated now.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    if origin is None:
        origin = provenance(shown, started=None, finished=datetime.now().astimezone())
    environment = Environment(
        loader=PackageLoader("collabsurvey.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(
        shown=shown,
        sections=report_sections(shown, origin),
        figures=all_figures(shown) if figures is None else figures,
        origin=origin,
    )
    return page if page.endswith("\n") else f"{page}\n"
