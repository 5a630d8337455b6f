"""The declared study: read a study file, check it, run it, report it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from collabsurvey.errors import StudyError
from collabsurvey.reporting import write_folder
from collabsurvey.reporting.pseudonyms import read_key
from collabsurvey.reporting.record import RunRecord
from collabsurvey.responses import Responses
from collabsurvey.study.conditions import Scored, check_group_size, scored
from collabsurvey.study.config import StudyFile, located, read_study_file
from collabsurvey.study.confirm import Measured, check_confirmatory, models_of
from collabsurvey.study.eligible import check_eligible, for_one_wave
from collabsurvey.study.fitting import columns_shown
from collabsurvey.study.invariance import check_invariance
from collabsurvey.study.joining import Joined
from collabsurvey.study.model_tables import check_models, joined_tables
from collabsurvey.study.names import unmatched_schools
from collabsurvey.study.pipeline import run_study
from collabsurvey.study.plans import Unit
from collabsurvey.study.reading import (
    Faults,
    StudyData,
    forbidden_uses,
    read_study_data,
    scales_by_questionnaire,
)
from collabsurvey.study.relations import check_relations
from collabsurvey.study.structure import check_structure
from collabsurvey.study.trust import screened_data


@dataclass(frozen=True, eq=False)
class StudyCheck:
    """What `check` found: every fault, and the columns that formulas may name."""

    faults: tuple[str, ...]
    notes: tuple[str, ...]  # what is no fault, and may be one: schools in one file only
    columns: Mapping[str, tuple[str, ...]]  # table → its columns
    data: StudyData
    survey: Scored | None
    tables: Mapping[tuple[str | None, Unit], Joined]

    @property
    def ok(self) -> bool:
        """Whether the study can be run."""
        return not self.faults


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a study, finished and not yet written."""

    record: RunRecord
    key_file: Path | None = None  # secret of the pseudonyms; None draws one that is forgotten
    started: datetime | None = None

    def report(self, folder: str | Path) -> Path:
        """Write the output folder, whole or not at all; return the path of the report.

        Raises
        ------
        OutputError
            The folder cannot be written, or holds something else.
        """
        written = write_folder(self.record, folder, key_file=self.key_file, started=self.started)
        return written / "report.html"


@dataclass(frozen=True, eq=False)
class Study:
    """A study file that was read and understood; no data have been touched.

    Examples
    --------
    >>> import collabsurvey as cs
    >>> study = cs.Study.from_yaml("study.yaml")
    >>> run = study.run(progress=True)
    >>> run.report("out/")
    """

    plan: StudyFile
    folder: Path  # paths in the file are relative to it
    options: Mapping[str, Any]  # the file as plain data

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Read a study file.

        Raises
        ------
        StudyError
            With every fault of the file, each with its line.
        """
        file = Path(path)
        plan, options = read_study_file(file)
        return cls(plan, file.resolve().parent, options)

    def check(self) -> StudyCheck:
        """Read all data and check everything a run needs, without running anything."""
        faults = Faults()
        faults.attempt(lambda: read_key(self._key_file()))
        data = read_study_data(self.plan, self.folder, faults)
        survey = None
        if data.responses is not None:
            answers = data
            data = faults.attempt(lambda: screened_data(self.plan, answers)) or data
        tables: dict[tuple[str | None, Unit], Joined] = {}
        if data.responses is not None or data.scores is not None:
            survey = faults.attempt(lambda: scored(data))
        if survey is not None:
            faults.attempt(lambda: check_group_size(self.plan, survey))
            if data.eligible is not None:
                eligible = for_one_wave(survey, data.eligible)
                data = replace(data, eligible=eligible)
                faults.attempt(lambda: check_eligible(survey, eligible))
            tables = joined_tables(self.plan, data, survey, faults)
            check_models(self.plan, tables, faults)
        notes = () if survey is None else unmatched_schools(self.plan, survey, data)
        if data.responses is not None:
            notes += self._check_measurement(data.responses, faults)
        columns = {
            f"{outcome} by {unit}" if outcome else f"survey by {unit}": tuple(
                columns_shown(joined.frame)
            )
            for (outcome, unit), joined in tables.items()
        }
        return StudyCheck(
            faults=tuple(dict.fromkeys(faults.sentences)),
            notes=notes,
            columns=columns,
            data=data,
            survey=survey,
            tables=tables,
        )

    def run(self, *, progress: bool = False) -> Run:
        """Check, then calculate everything.

        Raises
        ------
        StudyError
            With every fault that `check` finds; nothing is calculated then.
        """
        started = datetime.now(UTC)
        found = self.check()
        if found.faults or found.survey is None:
            raise StudyError(self.plan.study.id, found.faults)
        answers, structure = found.data.responses, self.plan.analysis.structure
        parts: Mapping[str, tuple[str, ...]] = {}
        measured: tuple[Measured, ...] = ()
        if answers is not None:
            parts = scales_by_questionnaire(self.plan, self.folder, answers.instrument)
            if structure.confirms:
                measured = models_of(structure, answers.instrument, parts, self.folder)
        record = run_study(
            self.plan,
            found.data,
            found.survey,
            found.tables,
            self.options,
            not_for=forbidden_uses(self.plan, self.folder),
            parts=parts,
            measured=measured,
            progress=progress,
        )
        return Run(record, self._key_file(), started)

    def _check_measurement(self, responses: Responses, faults: Faults) -> tuple[str, ...]:
        """Find faults of what is said of the questions; return what may surprise."""
        analysis = self.plan.analysis
        exploratory, structure = analysis.exploratory, analysis.structure
        invariance = analysis.invariance
        parts = scales_by_questionnaire(self.plan, self.folder, responses.instrument)
        faults.attempt(lambda: check_relations(analysis, responses))
        if exploratory is not None:
            faults.attempt(lambda: check_structure(exploratory, responses, parts))
        if structure.confirms:
            faults.attempt(lambda: check_confirmatory(structure, responses, parts, self.folder))
        if invariance is None:
            return ()
        least = self.plan.privacy.min_group
        return (
            faults.attempt(lambda: check_invariance(invariance, responses, parts, min_group=least))
            or ()
        )

    def _key_file(self) -> Path | None:
        name = self.plan.privacy.key_file
        return None if name is None else located(name, self.folder)
