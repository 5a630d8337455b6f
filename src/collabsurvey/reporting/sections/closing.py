"""What the report cannot say, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from collabsurvey.display import Table
from collabsurvey.reporting.document import (
    Block,
    Bullets,
    Details,
    Heading,
    Paragraph,
    Section,
    TableBlock,
)
from collabsurvey.reporting.groups import SUPPRESSED
from collabsurvey.reporting.model_release import INTERCEPT
from collabsurvey.reporting.sections.measures import draft_titles, unaveraged_words
from collabsurvey.reporting.sections.people import response_rate
from collabsurvey.reporting.wording import counted, joined, plural_of, quoted, sentence

if TYPE_CHECKING:
    from collabsurvey.reporting.release import Release

HASH_SHOWN = 16  # digits; provenance.json has all 64
FEW_CLUSTERS = 50  # below: Maas & Hox (2005), Methodology 1:86-92


def limits_section(shown: Release) -> Section:
    """Limits the study named, and those that can be worked out from what was done."""
    limits = [sentence(text) for text in (*shown.limits, *computed_limits(shown))]
    blocks: list[Block] = [Bullets(tuple(dict.fromkeys(limits)))]
    if shown.notes:
        blocks += [
            Heading("What could not be calculated"),
            Bullets(tuple(sentence(shown.readable(note)) for note in shown.notes)),
        ]
    return Section("limits", "Limits", tuple(blocks))


def computed_limits(shown: Release) -> list[str]:
    """A sentence for each limit that holds."""
    words = plural_of(shown.school_word)
    found = []
    if shown.synthetic:
        found.append(
            "The data are synthetic: they prove that the calculations run, and nothing about "
            "any school."
        )
    if drafts := draft_titles(shown):
        found.append(
            f"The questions ({joined(drafts)}) are drafts. Nobody has yet shown that these scores "
            "mean what their names say; no decision about a person or a "
            f"{shown.school_word} should rest on them."
        )
    elif not any(facts.status for facts in shown.scales):
        found.append(
            "Nothing is recorded here about how the questions were tested, so how far the scores "
            "mean what their names say must be judged from their source."
        )
    if shown.not_for:
        uses = list(dict.fromkeys(use for uses in shown.not_for.values() for use in uses))
        found.append(f"The questions must not be used for: {'; '.join(uses)}.")
    if said := unaveraged_words(shown):
        found.append(said)
        found += _means_in_models(shown)
    if not shown.from_scores:
        found.append(
            "People reported on themselves and their organisations at one sitting. Mood, courtesy "
            "and the wish to look good move all answers of a person in one direction, and can "
            "make scales look more related than they are."
        )
    rate = response_rate(shown)
    if rate is not None and rate[2] < 1:
        gone = shown.screening is not None and shown.screening.left_out
        left_out = ", or were left out" if gone else ""
        found.append(
            f"{1 - rate[2]:.0%} of those who could have answered did not{left_out}"
            f"{', counting each wave' if len(shown.waves) > 1 else ''}. They may think "
            "otherwise, and nothing here corrects for that."
        )
    if shown.models:
        found += _model_limits(shown)
    if shown.n_schools is not None and shown.n_schools < FEW_CLUSTERS:
        found.append(
            f"{counted(shown.n_schools, shown.school_word).capitalize()} are few for statements "
            f"about {words} in general: intervals are wide, and those that allow for differences "
            "between them are approximate (Maas & Hox, 2005, advise 50)."
        )
    if any(table[SUPPRESSED].any() for table in shown.means.values()) or shown.n_suppressed:
        found.append(
            f"Some {words} are not shown, to keep people anonymous. They are part of all totals "
            "and models."
        )
    return found


def _means_in_models(shown: Release) -> list[str]:
    """Models that rest on school means which an instrument does not support."""
    columns = [f"{facts.column}_between" for facts in shown.scales if not facts.averaged]
    resting = [
        model.name for model in shown.models if any(name in model.formula for name in columns)
    ]
    if not resting:
        return []
    which = "The model" if len(resting) == 1 else "The models"
    verb = "rests" if len(resting) == 1 else "rest"
    return [f"{which} {quoted(resting, most=len(resting))} {verb} on such means all the same."]


def _model_limits(shown: Release) -> list[str]:
    found = []
    tests = sum(int((model.estimates["term"] != INTERCEPT).sum()) for model in shown.models)
    if tests > 1:
        verb = "was" if len(shown.models) == 1 else "were"
        found.append(
            f"{counted(len(shown.models), 'model')} with {tests} coefficients {verb} tested, "
            "without a correction for their number: about one in twenty would look clear by "
            "chance alone."
        )
    small = [m.name for m in shown.models if m.n_clusters and m.n_clusters < FEW_CLUSTERS]
    if small and shown.n_schools is None:
        found.append(f"Models with few groups: {joined(small)}.")
    return found


def making_section(shown: Release, origin: Mapping[str, Any]) -> Section:
    """Versions, files, seed, options and date."""
    versions = origin["versions"]
    files = origin["files"]
    blocks: list[Block] = [
        Paragraph(
            f"Made with collabsurvey {versions.get('collabsurvey', '')}"
            f" on {_date(origin.get('finished'))}, seed {shown.seed}. The file provenance.json "
            "holds everything that is needed to run the study again. Ids of respondents were "
            "replaced by codes that cannot be turned back. Folded parts of this page are printed "
            "only if they are open; the tables are files in the folder tables, unrounded, except "
            "where rounding protects people."
        )
    ]
    if not shown.from_scores:
        blocks.append(
            Paragraph(
                "The file scores.parquet holds one row for each person (and wave). It stays with "
                "the evaluator: do not send it on with this report.",
                "note",
            )
        )
    if shown.prereg:
        blocks.append(Paragraph(f"Registered beforehand: {shown.prereg}."))
    if files:
        blocks.append(
            TableBlock(
                Table(
                    "Files that were read",
                    {
                        "file": [file["name"] for file in files],
                        "holds": [file["holds"] for file in files],
                        "rows": [file["n_rows"] for file in files],
                        "sha256": [file["sha256"][:HASH_SHOWN] for file in files],
                    },
                    labels={"sha256": "SHA-256 begins"},
                )
            )
        )
    blocks.append(
        Details(
            "Versions of the packages",
            (
                TableBlock(
                    Table(
                        "Packages",
                        {"package": list(versions), "version": list(versions.values())},
                    )
                ),
            ),
        )
    )
    lines = list(_flat(origin["options"]))
    if lines:
        blocks.append(
            Details(
                "Every option, as it was read",
                (
                    TableBlock(
                        Table(
                            "Options of the study file",
                            {
                                "option": [name for name, _ in lines],
                                "value": [value for _, value in lines],
                            },
                        )
                    ),
                ),
            )
        )
    return Section("how-made", "How this report was made", tuple(blocks))


def _date(moment: str | None) -> str:
    from datetime import datetime

    if not moment:
        return "an unknown date"
    day = datetime.fromisoformat(moment)
    return f"{day.day} {day:%B %Y}"


def _flat(options: Any, before: str = "") -> list[tuple[str, str]]:
    """Nested options as dotted names and values."""
    if isinstance(options, Mapping):
        return [
            line
            for key, value in options.items()
            for line in _flat(value, f"{before}.{key}" if before else str(key))
        ]
    if isinstance(options, list) and any(isinstance(part, Mapping | list) for part in options):
        return [
            line
            for i, value in enumerate(options, start=1)
            for line in _flat(value, f"{before}[{i}]")
        ]
    if isinstance(options, list):
        return [(before, ", ".join(map(str, options)))]
    return [(before, str(options))]
