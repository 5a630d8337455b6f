"""Two versions of an instrument compared: which scores stay comparable, and why."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import UnknownNameError
from collabsurvey.instruments.compare_items import Change, Level
from collabsurvey.instruments.compare_scales import ScaleDiff
from collabsurvey.instruments.model import Evidence
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

SCALE_COLUMNS = ("scale", "before", "comparable", "n_before", "n_after", "n_common", "bridge")
CHANGE_COLUMNS = (
    "scale", "item", "what", "comparable", "level", "language", "old", "new", "sentence",
)  # fmt: skip
WIDTH = 96  # characters of a line at the command line


@dataclass(frozen=True)
class VersionJudgement:
    """The version number that the changes need, against the one that was given.

    Attributes
    ----------
    before, after : str
    needed : "none", "patch", "minor" or "major"
    given : the same, or "back" (a lower number) or "unknown" (not x.y.z)
    expected : str
        The lowest version number that is high enough; "" where it cannot be said.
    verdict : "right", "too small", "larger than needed" or "not judged"
    """

    before: str
    after: str
    needed: Level
    given: Level | Literal["back", "unknown"]
    expected: str
    verdict: Literal["right", "too small", "larger than needed", "not judged"]
    sentence: str


@dataclass(frozen=True)
class CarriedEvidence:
    """Whether one record of the first version still counts in the second."""

    record: Evidence
    carries: bool
    why: str


@dataclass(frozen=True, eq=False)
class InstrumentDiff(Result):
    """What has changed between two versions, and what that does to each score.

    Attributes
    ----------
    before, after : str
        Id and version, such as "trust 1.0.0".
    same_instrument : bool
    scales : tuple of ScaleDiff
        Every scale of either version.
    changes_of_all : tuple of Change
        What is not about one scale: instructions, slots, languages, unscored items, notes.
    version : VersionJudgement
    evidence : tuple of CarriedEvidence
    rules_broken : tuple of str
        Ids that were used again, items that went without being listed as retired.
    """

    before: str
    after: str
    same_instrument: bool
    scales: tuple[ScaleDiff, ...]
    changes_of_all: tuple[Change, ...]
    version: VersionJudgement
    evidence: tuple[CarriedEvidence, ...]
    rules_broken: tuple[str, ...]
    notes: tuple[str, ...]

    def scale(self, scale_id: str) -> ScaleDiff:
        """Return one scale by its id, that of the second version where it has two."""
        for one in self.scales:
            if scale_id == one.scale:
                return one
        names = [one.scale for one in self.scales]
        raise UnknownNameError("scale", scale_id, available=names, where="The comparison")

    @property
    def all_comparable(self) -> bool:
        """Whether every scale is in both versions and comparable without reserve."""
        return all(one.comparable == "yes" for one in self.scales)

    def to_frame(self) -> pd.DataFrame:
        """One row a scale.

        Columns: scale, before, comparable, n_before, n_after, n_common, bridge (ids joined by
        blanks), reasons (sentences joined by blanks).
        """
        import pandas as pd

        columns = [*SCALE_COLUMNS, "reasons"]
        rows = [
            (
                one.scale,
                one.before,
                one.comparable,
                one.n_before,
                one.n_after,
                len(one.common),
                " ".join(one.bridge),
                " ".join(one.reasons),
            )
            for one in self.scales
        ]
        return pd.DataFrame(rows, columns=columns)

    def changes(self) -> pd.DataFrame:
        """One row a change and scale; `scale` is "" for what is not about one scale.

        Columns: scale, item, what, comparable, level, language, old, new, sentence.
        """
        import pandas as pd

        columns = list(CHANGE_COLUMNS)
        pairs = [("", change) for change in self.changes_of_all]
        pairs += [(one.scale, change) for one in self.scales for change in one.changes]
        rows = [
            (scale, *(getattr(change, name) for name in columns[1:]))
            for scale, change in dict.fromkeys(pairs)
        ]
        return pd.DataFrame(rows, columns=columns)

    def evidence_table(self) -> pd.DataFrame:
        """One row a record of the first version: id, score, statistic, version, carries, why."""
        import pandas as pd

        columns = ["id", "score", "statistic", "instrument_version", "carries", "why"]
        rows = [
            (
                one.record.id,
                one.record.claim.score,
                one.record.statistic,
                one.record.instrument_version,
                one.carries,
                one.why,
            )
            for one in self.evidence
        ]
        return pd.DataFrame(rows, columns=columns)

    def table(self) -> Table:
        """One row a scale, with its reasons."""
        return self._table(with_reasons=True)

    def _table(self, *, with_reasons: bool) -> Table:
        columns: dict[str, list[object]] = {
            "scale": [one.scale for one in self.scales],
            "comparable": [one.comparable for one in self.scales],
            "n_before": [one.n_before for one in self.scales],
            "n_after": [one.n_after for one in self.scales],
            "bridge": [len(one.bridge) for one in self.scales],
        }
        if with_reasons:
            columns["why"] = [" ".join(one.reasons) for one in self.scales]
        return Table(
            title=f"{self.before} and {self.after}: which scores stay comparable",
            columns=columns,
            notes=self._all_notes() if with_reasons else (),
            labels={
                "n_before": "items before",
                "n_after": "items after",
                "bridge": "scored in both",
            },
        )

    def _all_notes(self) -> tuple[str, ...]:
        of_all = (change.sentence for change in self.changes_of_all)
        return (*self.notes, self.version.sentence, *self.rules_broken, *dict.fromkeys(of_all))

    def summary(self) -> str:
        """The table, then the reasons scale by scale, the version number and the evidence."""
        blocks = []
        if not self.same_instrument:
            blocks.append(_wrapped(self.notes[0]))
        blocks.append(self._table(with_reasons=False).to_text())
        of_all = list(dict.fromkeys(change.sentence for change in self.changes_of_all))
        if of_all:
            blocks.append(_listing("Whole questionnaire", of_all))
        for title, reasons in self._reasons(set(of_all)):
            blocks.append(_listing(title, reasons))
        blocks.append(_wrapped(f"Version number. {self.version.sentence}"))
        if self.rules_broken:
            blocks.append(_listing("Rules broken", list(self.rules_broken)))
        blocks += [_wrapped(f"Note. {note}") for note in self.notes[not self.same_instrument :]]
        return "\n\n".join(blocks)

    def _reasons(self, said: set[str]) -> list[tuple[str, list[str]]]:
        """Reasons by scale; scales with just the same reasons share one list."""
        grouped: dict[tuple[str, ...], list[ScaleDiff]] = {}
        for one in self.scales:
            if one.comparable in ("new", "gone"):
                continue  # the table has said it
            if reasons := tuple(reason for reason in one.reasons if reason not in said):
                grouped.setdefault(reasons, []).append(one)
        found = []
        for reasons, scales in grouped.items():
            title = ", ".join(f"{one.scale} ({one.comparable})" for one in scales)
            listing = list(reasons)
            listing += [one.bridge_words for one in scales if one.bridge_words]
            found.append((title, listing))
        return found

    def chart(self) -> Chart:
        """Share of each scale's items that can be scored in both versions."""
        most = [max(one.n_before, one.n_after, 1) for one in self.scales]
        return dot_chart(
            [f"{one.scale}: {one.comparable}" for one in self.scales],
            [len(one.bridge) / n for one, n in zip(self.scales, most, strict=True)],
            title=f"{self.before} and {self.after}",
            axis="share of the items that can be scored in both",
            reference=1.0,
            highlight=[one.comparable != "yes" for one in self.scales],
        )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH)


def _listing(title: str, sentences: list[str]) -> str:
    lines = [
        textwrap.fill(one, WIDTH, initial_indent="  - ", subsequent_indent="    ")
        for one in sentences
    ]
    return "\n".join([textwrap.fill(title, WIDTH), *lines])
