"""The evidence records of a study in one go: every scale, with the analyses that suit it.

The records are those that `evidence` makes of single results; here the results are run first, and
what was left out is said in the notes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Literal

from collabsurvey.dimensionality.cfa import cfa
from collabsurvey.dimensionality.efa import efa
from collabsurvey.display import Table
from collabsurvey.errors import (
    DataError,
    NotAmountsError,
    OptionError,
    WeightsNotAppliedError,
    listed,
)
from collabsurvey.instruments.evidence_records import EvidenceRecords
from collabsurvey.instruments.model import Evidence, Scale
from collabsurvey.reliability.alpha import alpha
from collabsurvey.reliability.item_analysis import item_analysis
from collabsurvey.reliability.omega import omega
from collabsurvey.reliability.overview import why_no_alpha
from collabsurvey.reliability.retest import retest as retest_of
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result
from collabsurvey.validation.evidence import evidence, home_of
from collabsurvey.validation.evidence_inputs import counted
from collabsurvey.validation.evidence_rows import (
    about_partners,
    asked_rows,
    refuse_drawn,
    refuse_waves,
)
from collabsurvey.validation.evidence_rules import LEAST_FACTORED

Structure = Literal["efa", "cfa", "none"]
Coefficients = Literal["both", "alpha", "omega"]
Recorded = Callable[..., EvidenceRecords]

AS_NUMBERS = 5  # possible answers from which numbers serve as well as ordered steps
ONE_FACTOR = 4  # items from which a single factor can fail to fit
SEED = 20260901
NOT_RUN = (DataError, NotAmountsError, WeightsNotAppliedError)


@dataclass(frozen=True)
class ScaleEvidence(EvidenceRecords):
    """Evidence records, and what no record was made of.

    Attributes
    ----------
    notes : tuple of str
        Which analyses were left out or failed, scale by scale, with the reason.
    """

    notes: tuple[str, ...] = ()

    def table(self) -> Table:
        """One row a record; the notes say what was left out and how verdicts were reached."""
        table = super().table()
        return replace(table, notes=(*self.notes, *table.notes))


@dataclass(frozen=True)
class _Plan:
    """What is run of each scale."""

    coefficients: Coefficients
    structure: Structure
    conf_level: float
    n_boot: int
    seed: int


def evidence_of_scales(
    responses: Responses,
    *,
    study: str,
    use: str,
    population: str = "",
    scales: Sequence[str] | None = None,
    retest: Responses | None = None,
    weeks_apart: float | None = None,
    coefficients: Coefficients = "both",
    structure: Structure = "efa",
    language: str | None = None,
    doi: str | None = None,
    prereg: str | None = None,
    data: str | None = None,
    independent_of_authors: bool = False,
    sampling: str | None = None,
    country: str | None = None,
    year: int | None = None,
    response_rate: float | None = None,
    simulated: bool = False,
    conf_level: float = 0.95,
    n_boot: int = 1000,
    seed: int = SEED,
) -> ScaleEvidence:
    """Make the evidence records of a study: reliability, items, missing answers, structure.

    Parameters
    ----------
    responses : Responses
        One wave. With the role partner, questions that name a partner are analysed over the rows
        that have one, and the others over the rows that have none.
    study, use, population, language, doi, prereg, data, independent_of_authors, sampling,
    country, year, response_rate, simulated
        As in `evidence`: the same in all records.
    scales : sequence of str, optional
        Scale ids; all of the instrument where left out.
    retest : Responses, optional
        The same people's answers on a second occasion, `weeks_apart` later.
    coefficients : "both", "alpha" or "omega"
        Records of alpha, of omega total of one factor, or of both, which is the default: alpha
        is asked for most, and omega does not need equal loadings.
    structure : "efa", "cfa" or "none"
        Of each scale by itself: an exploratory analysis of one factor; or a confirmatory one,
        in which a scale made of three or more others is a factor above theirs. A score climbs
        by an exploratory analysis in one study and a confirmatory one in another, so that
        "efa", the default, suits the first, and "cfa" is to be asked for.
    conf_level, n_boot, seed
        Of the intervals of alpha, omega and the retest. 1000 resamples, because a limit then
        moves by a few hundredths of its distance from the estimate.

    Returns
    -------
    ScaleEvidence
        The records, scale by scale; `.notes` says what was left out and why.

    Raises
    ------
    DataError
        Synthetic answers without `simulated=True`, also where only a column `synthetic` of the
        file says so; several waves; answers without an instrument file; no record of any scale.
    OptionError
        An option that cannot be; `retest` without `weeks_apart`, or the other way round.
    UnknownNameError
        The instrument has no such scale.
    FaultsError
        What is wrong with a field, such as a response rate of 41.

    Warns
    -----
    KeyingWarning, FewClustersWarning, ConvergenceWarning
        As the analyses do, each once.

    Notes
    -----
    No alpha, omega or factor where items need not go together (a formative construct) or are no
    amounts (shares, ranks, picks). Items and missing answers of formative scales are recorded all
    the same, and a retest of every scale that has one score a person.

    Structure needs 200 people (with every item, for the exploratory analysis), and four items: a
    single factor of three always fits. Answers with five or more options are taken as numbers (MLR
    with every answer; Pearson correlations of complete rows), others as ordered steps (WLSMV;
    polychoric correlations), since numbers serve as well from five on (Rhemtulla,
    Brosseau-Liard & Savalei, 2012, doi:10.1037/a0029315). A scale made of others has
    neither omega nor an exploratory analysis: both would take it for one factor.
    """
    require_responses(responses, method="evidence_of_scales")
    _check_options(coefficients, structure, retest, weeks_apart)
    for one in (responses, retest):
        if one is not None:
            refuse_drawn(one, simulated=simulated)
            refuse_waves(one)
    instrument = responses.instrument
    chosen = [instrument.scale(name) for name in (scales or instrument.scale_ids)]
    for scale in chosen:
        home_of(instrument, scale.id)  # or says that there is no instrument file
    recorded: Recorded = partial(
        evidence,
        study=study,
        use=use,
        population=population,
        language=language,
        doi=doi,
        prereg=prereg,
        data=data,
        independent_of_authors=independent_of_authors,
        sampling=sampling,
        country=country,
        year=year,
        response_rate=response_rate,
        simulated=simulated,
    )
    plan = _Plan(coefficients, structure, conf_level, n_boot, seed)
    records: list[Evidence] = []
    homes: list[str] = []
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:  # said once, not once for each analysis
        warnings.simplefilter("always")
        for scale in chosen:
            found, said = _of_scale(responses, scale, plan, recorded, retest, weeks_apart)
            records += [one for each in found for one in each]
            homes += [home for each in found for home in each.instruments]
            notes += [f"{scale.id}: {sentence}" for sentence in said]
    for category, sentence in dict.fromkeys((w.category, str(w.message)) for w in caught):
        warnings.warn(sentence, category, stacklevel=2)
    if not records:
        raise DataError(f"No record could be made. {' '.join(notes)}")
    notes += _about_rows(responses)
    return ScaleEvidence(_numbered(records), tuple(homes), tuple(notes))


def _of_scale(
    responses: Responses,
    scale: Scale,
    plan: _Plan,
    recorded: Recorded,
    again: Responses | None,
    weeks: float | None,
) -> tuple[list[EvidenceRecords], list[str]]:
    """Records of one scale, and what was left out."""
    part = asked_rows(responses, scale.items)
    analyses, said = _analyses(part, scale, plan)
    found = []
    for name, run in analyses:
        try:
            result = run()
        except NOT_RUN as error:
            said.append(f"{name} could not be run. {error}")
            continue
        if not getattr(result, "converged", True):
            said.append(f"{name} did not converge.")
            continue
        found.append(recorded(result, responses=part, scale=scale.id))
    if again is not None and scale.rule in ("mean", "sum", "difference", "distance"):
        second = asked_rows(again, scale.items)
        try:
            result = retest_of(part, second, scale.id, conf_level=plan.conf_level)
        except NOT_RUN as error:
            said.append(f"The retest could not be run. {error}")
        else:
            both = (part, second)
            found.append(recorded(result, responses=both, scale=scale.id, weeks_apart=weeks))
    return found, said


def _analyses(
    part: Responses, scale: Scale, plan: _Plan
) -> tuple[list[tuple[str, Callable[[], Result]]], list[str]]:
    """Return what to run of a scale, by name, and what not to run and why."""
    reason = why_no_alpha(part, scale) or _adds_up(part, scale)
    if reason and (scale.rule not in ("mean", "sum") or len(scale.items) < 2):
        return [], [f"no alpha, items or structure: {reason}."]
    runs: list[tuple[str, Callable[[], Result]]] = [
        ("The item analysis", lambda: item_analysis(part, scale.id))
    ]
    if reason:
        return runs, [f"no alpha, omega or structure: {reason}."]
    said: list[str] = []
    made_of = _made_of(part, scale)
    if plan.coefficients != "omega":
        runs.insert(0, ("Alpha", lambda: _alpha(part, scale, plan)))
    if plan.coefficients != "alpha" and (made_of or len(scale.items) < 3):
        why = f"it is made of {listed(one.id for one in made_of)}" if made_of else "it has 2 items"
        said.append(f"no omega of one factor: {why}.")
    elif plan.coefficients != "alpha":
        runs.insert(-1, ("Omega", lambda: _omega(part, scale, plan)))
    if plan.structure != "none":
        if why := _no_structure(part, scale, plan.structure, made_of):
            said.append(f"no {plan.structure.upper()}: {why}.")
        else:
            runs.append((plan.structure.upper(), _structure(part, scale, plan, made_of)))
    return runs, said


def _alpha(part: Responses, scale: Scale, plan: _Plan) -> Result:
    return alpha(part, scale.id, conf_level=plan.conf_level, n_boot=plan.n_boot, seed=plan.seed)


def _omega(part: Responses, scale: Scale, plan: _Plan) -> Result:
    return omega(
        part,
        scale.id,
        conf_level=plan.conf_level,
        n_boot=plan.n_boot,
        seed=plan.seed,
        progress=False,
    )


def _adds_up(part: Responses, scale: Scale) -> str:
    """Why a total of unlike parts has no alpha, though each part may have; "" elsewhere."""
    for construct in part.instrument.constructs:
        if construct.id == scale.id and construct.measurement_model != "reflective":
            return (
                f"the construct {scale.id!r} is {construct.measurement_model}: its parts need not "
                "go together"
            )
    return ""


def _no_structure(
    part: Responses, scale: Scale, structure: Structure, made_of: Sequence[Scale]
) -> str:
    """Why the structure of a scale cannot be looked at; "" where it can."""
    if made_of and structure == "efa":
        return f"it is made of {listed(one.id for one in made_of)}, so one factor is not its plan"
    if made_of and (len(made_of) < 3 or sum(len(o.items) for o in made_of) > len(scale.items)):
        return "a factor above others needs three or more of them, without an item in common"
    if len(scale.items) < ONE_FACTOR:
        return f"a single factor of {len(scale.items)} items always fits"
    n_people = counted(part, scale.items, complete=structure == "efa").n_people
    if n_people < LEAST_FACTORED:
        rows = " who answered every item" if structure == "efa" else ""
        return f"{n_people} people{rows}, and {LEAST_FACTORED} are needed"
    return ""


def _structure(
    part: Responses, scale: Scale, plan: _Plan, made_of: Sequence[Scale]
) -> Callable[[], Result]:
    """Return the factor analysis of a scale, to be run."""
    ordered = _fewest_answers(part, scale) < AS_NUMBERS
    if plan.structure == "efa":
        kind: Literal["polychoric", "pearson"] = "polychoric" if ordered else "pearson"
        return lambda: efa(part, scale.id, 1, correlation=kind, seed=plan.seed)
    lines = [f"factor =~ {' + '.join(scale.items)}"]
    if made_of:
        names = [f"factor{place}" for place in range(1, len(made_of) + 1)]
        lines = [f"factor =~ {' + '.join(names)}"]
        for name, one in zip(names, made_of, strict=True):
            lines.append(f"{name} =~ {' + '.join(one.items)}")
    text = "\n".join(lines)
    if ordered:
        return lambda: cfa(
            part, text, "WLSMV", missing="pairwise", ordered=list(scale.items), cluster="auto"
        )
    return lambda: cfa(part, text, "MLR", missing="fiml", cluster="auto")


def _made_of(responses: Responses, scale: Scale) -> list[Scale]:
    """Other scales that a scale is the total of; none where it stands by itself."""
    mine = set(scale.items)
    inside = [
        one
        for one in responses.instrument.scoring
        if one.rule in ("mean", "sum") and set(one.items) < mine
    ]
    largest = [one for one in inside if not any(set(one.items) < set(o.items) for o in inside)]
    return largest if {item for one in largest for item in one.items} == mine else []


def _fewest_answers(responses: Responses, scale: Scale) -> float:
    """Options of the item that has fewest; bounded answers are any number between two."""
    sets = [responses.instrument.response_set(item) for item in scale.items]
    counts = [len(one.values) for one in sets if one and one.type in ("ordinal", "bipolar")]
    return min(counts, default=inf)


def _numbered(records: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Ids in one row, since every result was numbered by itself."""
    start = records[0].id.rpartition("-")[0]
    return tuple(
        record.model_copy(update={"id": f"{start}-{place:02d}"})
        for place, record in enumerate(records, start=1)
    )


def _about_rows(responses: Responses) -> list[str]:
    """Which rows an analysis took, where not all of them."""
    about = about_partners(responses)
    if about is None:
        return []
    return [
        f"Questions that name a partner were analysed over the {int(about.sum())} rows about one, "
        f"the others over the {int((~about).sum())} rows about none."
    ]


def _check_options(
    coefficients: object, structure: object, retest: object, weeks_apart: object
) -> None:
    for name, value, allowed in (
        ("coefficients", coefficients, ("both", "alpha", "omega")),
        ("structure", structure, ("efa", "cfa", "none")),
    ):
        if value not in allowed:
            raise OptionError(name, value, allowed=allowed)
    if retest is not None and not isinstance(retest, Responses):
        raise OptionError("retest", type(retest).__name__, allowed=("Responses",))
    if retest is not None and weeks_apart is None:
        raise OptionError("weeks_apart", None, allowed=("weeks between the two occasions",))
    if retest is None and weeks_apart is not None:
        raise OptionError("retest", None, allowed=("the answers on the second occasion",))
