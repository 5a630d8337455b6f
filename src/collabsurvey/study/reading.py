"""Reading everything a study file names, collecting faults instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from collabsurvey.errors import CollabSurveyError, FaultsError, StudyError
from collabsurvey.instruments import load_instrument
from collabsurvey.instruments.making import combine_instruments
from collabsurvey.instruments.model import Instrument
from collabsurvey.instruments.texts import with_texts
from collabsurvey.instruments.yaml_tree import SUFFIXES
from collabsurvey.reporting.record import SourceFile
from collabsurvey.responses import Ledger, Responses, concat, read_column_map, read_responses
from collabsurvey.study.config import Outcome, ResponseFile, ScoresFile, StudyFile, located
from collabsurvey.study.eligible import read_eligible
from collabsurvey.study.joining import ROLE_NAMES, formula_name, typed_times
from collabsurvey.study.tables import StudyTable, file_hash, study_table

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.quality import ScreenResult

T = TypeVar("T")


@dataclass
class Faults:
    """Sentences collected on the way; `attempt` turns an error into its sentences."""

    sentences: list[str] = field(default_factory=list)

    def attempt(self, step: Callable[[], T], *, where: str = "") -> T | None:
        """Run one step; return its value, or None after noting what was wrong, and where."""
        try:
            return step()
        except FaultsError as error:
            self.sentences += [f"{error.source}: {fault}" for fault in error.faults]
        except CollabSurveyError as error:
            self.sentences.append(f"{where}: {error}" if where else str(error))
        return None


@dataclass(frozen=True, eq=False)
class StudyData:
    """What was read: answers or scores, outcomes, staff numbers."""

    responses: Responses | None
    scores: pd.DataFrame | None  # where the study starts at scores: role names, then scales
    scale_titles: dict[str, str]
    outcomes: dict[str, StudyTable]
    eligible: StudyTable | None
    sources: tuple[SourceFile, ...]
    ledger: Ledger
    screened: ScreenResult | None = None  # all answers, where flagged ones were left out


def read_study_data(study: StudyFile, folder: Path, faults: Faults) -> StudyData:
    """Read every file of a study; what cannot be read is None and has a sentence in `faults`."""
    sources: list[SourceFile] = []
    ledger = Ledger()
    responses = None
    scores = None
    titles: dict[str, str] = {}
    if study.responses:
        responses = _all_responses(study, folder, faults, sources)
        if responses is not None:
            ledger = ledger.extend(responses.ledger)
            titles = {formula_name(scale.id): scale.title for scale in responses.instrument.scoring}
    elif study.scores is not None:
        plan = study.scores
        table = faults.attempt(lambda: _score_table(plan, folder))
        if table is not None:
            sources.append(table.source)
            ledger = ledger.extend(table.ledger)
            titles = {formula_name(name): plan.titles.get(name, name) for name in plan.columns}
            words = [
                f"{table.source.name}: "
                + table.mixed.get(column, f"the scores {column!r} are words, not numbers.")
                for column in titles
                if table.frame[column].dtype.kind != "f"
            ]
            faults.sentences += words
            scores = None if words else table.frame
    outcomes: dict[str, StudyTable] = {}
    for outcome in study.outcomes:
        table = faults.attempt(partial(_outcome_table, outcome, folder))
        if table is not None:
            outcomes[outcome.id] = table
            sources.append(table.source)
            ledger = ledger.extend(table.ledger)
    eligible = None
    if (numbers := study.eligible) is not None:
        eligible = faults.attempt(lambda: read_eligible(numbers, folder))
    if eligible is not None:
        sources.append(eligible.source)
        ledger = ledger.extend(eligible.ledger)
    return StudyData(responses, scores, titles, outcomes, eligible, tuple(sources), ledger)


def _all_responses(
    study: StudyFile, folder: Path, faults: Faults, sources: list[SourceFile]
) -> Responses | None:
    parts = [
        faults.attempt(partial(_response_file, file, study, folder)) for file in study.responses
    ]
    read = [part for part in parts if part is not None]
    if len(read) < len(parts):
        return None
    for file, part in zip(study.responses, read, strict=True):
        path = located(file.path, folder)
        n_read = sum(line.n for line in part.ledger if line.step == "read" and line.unit == "rows")
        sources.append(SourceFile(path.name, file_hash(path), n_read, "responses"))
        if file.definition is not None:
            path = located(file.definition, folder)
            sources.append(SourceFile(path.name, file_hash(path), 0, "definition of the survey"))
        if isinstance(file.columns, str):
            path = located(file.columns, folder)
            n_read = len(read_column_map(path))
            sources.append(SourceFile(path.name, file_hash(path), n_read, "columns of items"))
    return faults.attempt(lambda: read[0] if len(read) == 1 else concat(read))


def _response_file(file: ResponseFile, study: StudyFile, folder: Path) -> Responses:
    columns: Any = file.columns
    if isinstance(columns, str):
        columns = located(columns, folder)
    responses = read_responses(
        located(file.path, folder),
        instrument=_instrument(file, study, folder),
        scales=file.scales,
        reverse_keyed=file.reverse_keyed,
        response_range=file.response_range,
        min_valid=file.min_valid,
        platform=file.platform,
        definition=None if file.definition is None else located(file.definition, folder),
        sheet=file.sheet,
        form=file.form,
        partners=file.partners or None,
        columns=columns,
        roles={str(role): column for role, column in file.roles.items()},
        key=file.key,
        missing_codes=file.missing_codes,
        items=file.items,
        repair=file.repair,
        constants=_wave_of(file, study),
        encoding=file.encoding,
        delimiter=file.delimiter,
        synthetic=study.study.synthetic,
    )
    return _titled(responses, file.titles)


def _wave_of(file: ResponseFile, study: StudyFile) -> dict[str, str | int] | None:
    """The wave of a whole file: text where other files say theirs as text, or in a column."""
    if file.wave is None:
        return None
    words = any(isinstance(one.wave, str) or "wave" in one.roles for one in study.responses)
    return {"wave": str(file.wave) if words else file.wave}


def _instrument(file: ResponseFile, study: StudyFile, folder: Path) -> Instrument | None:
    if not file.instruments:
        return None
    texts = _texts_folder(study, folder)
    loaded = [_with_local(_loaded(name, folder), texts) for name in file.instruments]
    instrument = combine_instruments(loaded)
    return instrument.filled(file.slots) if file.slots else instrument


def _loaded(name: str, folder: Path) -> Instrument:
    return load_instrument(located(name, folder) if name.endswith((".yaml", ".yml")) else name)


def _texts_folder(study: StudyFile, folder: Path) -> Path | None:
    """Folder of the local wording, where the study file names one."""
    if study.texts is None:
        return None
    texts = located(study.texts, folder)
    if not texts.is_dir():
        raise StudyError(
            "texts",
            [
                f"there is no folder {study.texts!r}. It holds the wording of questionnaires that "
                "come without it: texts/<id>.yaml. Make it, or leave 'texts' out."
            ],
        )
    return texts


def _with_local(instrument: Instrument, texts: Path | None) -> Instrument:
    """The instrument with the local wording, where the folder has a file of its name."""
    if texts is None:
        return instrument
    files = [texts / f"{instrument.id}{suffix}" for suffix in SUFFIXES]
    file = next((one for one in files if one.is_file()), None)
    return instrument if file is None else with_texts(instrument, file)


def forbidden_uses(study: StudyFile, folder: Path) -> dict[str, tuple[str, ...]]:
    """What each questionnaire of a study must not be used for, by its title."""
    names = dict.fromkeys(name for file in study.responses for name in file.instruments)
    loaded = [_loaded(name, folder) for name in names]
    return {one.title: one.use.not_for for one in loaded if one.use.not_for}


def scales_by_questionnaire(
    study: StudyFile, folder: Path, instrument: Instrument
) -> dict[str, tuple[str, ...]]:
    """Scales of each questionnaire, by its title; those the study file names are under ""."""
    names = dict.fromkeys(name for file in study.responses for name in file.instruments)
    present = instrument.scale_ids
    parts = {
        one.title: tuple(scale for scale in present if scale in one.scale_ids)
        for one in (_loaded(name, folder) for name in names)
    }
    taken = {scale for scales in parts.values() for scale in scales}
    parts[""] = tuple(scale for scale in present if scale not in taken)
    return {title: scales for title, scales in parts.items() if scales}


def _titled(responses: Responses, titles: dict[str, str]) -> Responses:
    if not titles:
        return responses
    for name in titles:
        responses.instrument.scale(name)
    scoring = tuple(
        scale.model_copy(update={"title": titles.get(scale.id, scale.title)})
        for scale in responses.instrument.scoring
    )
    instrument = responses.instrument.model_copy(update={"scoring": scoring})
    return replace(responses, instrument=instrument)


def _outcome_table(outcome: Outcome, folder: Path) -> StudyTable:
    return study_table(
        located(outcome.path, folder),
        holds=f"outcomes {outcome.id}",
        text_columns=outcome.key.values(),
        columns=outcome.columns,
        where=outcome.where,
        derive=outcome.derive,
        missing=outcome.missing,
        repair=outcome.repair,
    )


def _score_table(plan: ScoresFile, folder: Path) -> StudyTable:
    """Scores as they came, columns named by role and scale."""
    columns = {formula_name(name): column for name, column in plan.columns.items()}
    if plan.n_respondents is not None:
        columns["n_respondents"] = plan.n_respondents
    table = study_table(
        located(plan.path, folder),
        holds="scores",
        text_columns=plan.roles.values(),
        columns=columns,
        where=plan.where,
        derive=plan.derive,
        missing=plan.missing,
        repair=plan.repair,
    )
    names = {column: ROLE_NAMES.get(role, role) for role, column in plan.roles.items()}
    return replace(table, frame=typed_times(table.frame.rename(columns=names)))
