"""From a result to evidence records: what it says about a score, and for which claim.

Numbers, scores, people and the version come from the result and its answers. Who was asked, what
the score is to be used for and where the study is described come from the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, get_args

from collabsurvey.errors import DataError, OptionError
from collabsurvey.instruments.evidence_records import EvidenceRecords, record_from
from collabsurvey.instruments.loader import load_instrument
from collabsurvey.instruments.model import UNVERSIONED, Instrument
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result
from collabsurvey.validation.evidence_inputs import NO_ANSWERS, Asked, Finding
from collabsurvey.validation.evidence_readers import read
from collabsurvey.validation.evidence_rules import VERDICTS, Verdict

SYNTHETIC = "synthetic data"  # how results mark it in their notes
LEVEL = "person"  # the results read here are about the answers of single people
DIGITS = 4  # of numbers in a record
Answers = Responses | tuple[Responses, Responses]


def evidence(
    result: object,
    *,
    study: str,
    use: str,
    population: str | None = None,
    language: str | None = None,
    responses: Answers | None = None,
    instrument: Instrument | str | None = None,
    scale: str | Sequence[str] | None = None,
    level: str = LEVEL,
    doi: str | None = None,
    prereg: str | None = None,
    data: str | None = None,
    independent_of_authors: bool = False,
    sampling: str | None = None,
    country: str | None = None,
    year: int | None = None,
    response_rate: float | None = None,
    weeks_apart: float | None = None,
    verdict: Verdict | None = None,
    simulated: bool = False,
) -> EvidenceRecords:
    """Make evidence records from results, ready to be added to an instrument file.

    Parameters
    ----------
    result : a result, or a list of results
        `reliability.alpha`, `omega`, `overview`, `item_analysis` (two records: item statistics
        and missingness) and `retest`; `dimensionality.efa`, `retention` and `cfa`;
        `invariance.ladder`; `validation.content_validity`. A result about several scales gives a
        record for each.
    study : str
        Title of the study. Records of one study have one title; an exploratory and a
        confirmatory analysis count together only if their studies, and so their people, differ.
    use : str
        What the score is to be used for: "research", "group_feedback", "individual". The bar of
        reliability depends on it.
    population, language : str
        Who was asked ("uk_teachers"), needed unless `simulated`; and in which language, which
        may be left out where the items have one only. Write them alike in all records: only
        then do they add up.
    responses : Responses
        The answers behind the result. Needed except for `efa` and `retention`, which hold theirs,
        and for content validity; for a retest the first occasion, or both as a tuple.
    instrument : Instrument or str
        What was rated, for content validity only.
    scale : str or sequence of str, optional
        Only these of the scales a result is about.
    level : str
        Of the claim. "person" for every analysis of answers; content may be judged for others.
    doi, prereg, data : str, optional
        Where the study, its registration and its answers are.
    independent_of_authors : bool
        Whether others than the instrument's authors did the study.
    sampling, country, year, response_rate
        How people were found, where, when, and which share of those asked (0 to 1) answered.
    weeks_apart : float
        Between the two occasions of a retest, which needs it.
    verdict : "supports", "mixed" or "against", optional
        Less favourable than the computed one, where the authors know more; never more so.
    simulated : bool
        Make records of synthetic answers all the same. Their sample is marked as simulated, their
        population too, and they never move a status.

    Returns
    -------
    EvidenceRecords
        A sequence of `Evidence`; the rule behind each verdict is in its `method`.

    Raises
    ------
    DataError
        Synthetic answers without `simulated=True`; answers that the result was not made from; a
        result that says nothing about a whole scale; answers without an instrument file; a verdict
        better than the computed one; a use that the instrument excludes.
    OptionError
        A result of another kind, a language the items are not written in.
    FaultsError
        What is wrong with a field, such as a response rate of 41.

    Notes
    -----
    Verdicts: `evidence_rules`. Missingness is a record of the kind response_process, because
    blanks may come from a question that is not understood; it is mixed at best and never stands
    in for interviews in which people say how they understand it. The people counted are
    different respondents, not rows: somebody who answered about three partners counts once.
    """
    for name, text in (("study", study), ("use", use)):
        if not isinstance(text, str) or not text.strip():
            raise OptionError(name, text, allowed=("a text",))
    if verdict is not None and verdict not in get_args(Verdict):
        raise OptionError("verdict", verdict, allowed=get_args(Verdict))
    if not simulated and (not isinstance(population, str) or not population.strip()):
        allowed = ("whom you asked, such as 'uk_teachers'", "nobody, with simulated=True")
        raise OptionError("population", population, allowed=allowed)
    found: list[tuple[Finding, Asked]] = []
    for one in _results(result):
        asked = _asked(one, responses, instrument, use=use, weeks=weeks_apart, scale=scale)
        _refuse_synthetic(one, responses, asked, simulated=simulated)
        _refuse_use(asked.instrument, use)
        if level != LEVEL and asked.responses is not None:
            raise OptionError("level", level, allowed=(f"{LEVEL!r}, which the answers are of",))
        found += [(each, asked) for each in read(one, asked)]
    about: dict[str, dict[str, Any]] = {
        "study": {
            "title": study,
            "doi": doi,
            "prereg": prereg,
            "data": data,
            "independent_of_authors": independent_of_authors,
        },
        "sample": {
            "kind": "simulated" if simulated else "real",
            "sampling": sampling,
            "country": country,
            "year": year,
            "response_rate": response_rate,
        },
    }
    whom = "simulated" if simulated else population
    claim = {"level": level, "population": whom, "use": use}
    start = f"ev-{year if isinstance(year, int) else date.today().year}"
    homes = [home_of(asked.instrument, one.score) for one, asked in found]
    records = [
        record_from(
            {
                "id": f"{start}-{place:02d}",
                "claim": {
                    "score": one.score,
                    "language": _language(asked.instrument, one.score, language),
                    **claim,
                },
                "source_type": one.source_type,
                "study": about["study"],
                "instrument_version": home[1],
                "sample": {"n": one.n, "n_groups": one.n_groups, **about["sample"]},
                "statistic": one.statistic,
                "value": _rounded(one.value),
                "ci": None if one.ci is None else tuple(map(_rounded, one.ci)),
                **_verdict(one, verdict),
            }
        )
        for place, ((one, asked), home) in enumerate(zip(found, homes, strict=True), start=1)
    ]
    return EvidenceRecords(tuple(records), tuple(name for name, _ in homes))


def home_of(instrument: Instrument, scale: str) -> tuple[str, str]:
    """Id and version of the instrument a scale is from, also where several were combined."""
    if instrument.version == UNVERSIONED:
        raise DataError(
            "These answers were read without an instrument file, so there is nothing that they are "
            "evidence for. Read them with instrument=load_instrument(...)."
        )
    if "+" not in instrument.id:
        return instrument.id, instrument.version
    ids, versions = instrument.id.split("+"), instrument.version.split("+")
    response = instrument.item(instrument.scale(scale).items[0]).response or ""
    home = response.partition("/")[0]
    if home not in ids or len(ids) != len(versions):
        raise DataError(f"It is not known which instrument of {instrument.id!r} has {scale!r}.")
    return home, versions[ids.index(home)]


def _results(result: object) -> list[object]:
    several = isinstance(result, Sequence) and not isinstance(result, str | bytes | Result)
    found: list[object] = list(result) if several else [result]  # type: ignore[call-overload]
    if not found:
        raise OptionError("result", result, allowed=("a result, or a list of results",))
    return found


def _asked(
    result: object,
    responses: object,
    instrument: object,
    *,
    use: str,
    weeks: float | None,
    scale: str | Sequence[str] | None,
) -> Asked:
    """Find the answers and the instrument behind a result."""
    own = getattr(getattr(result, "correlations", None), "responses", None)
    given = responses[0] if isinstance(responses, tuple) and responses else responses
    if given is None and own is not None and own.instrument.version != UNVERSIONED:
        given = own
    if given is not None and not isinstance(given, Responses):
        raise OptionError("responses", type(given).__name__, allowed=("Responses",))
    about = given.instrument if given is not None else instrument
    if isinstance(about, str):
        about = load_instrument(about)
    if not isinstance(about, Instrument):
        raise DataError(NO_ANSWERS)
    scales = (scale,) if isinstance(scale, str) else None if scale is None else tuple(scale)
    for name in scales or ():
        about.scale(name)  # or says which there are
    if weeks is not None and (isinstance(weeks, bool) or not isinstance(weeks, int | float)):
        raise OptionError("weeks_apart", weeks, allowed=("a number of weeks",))
    return Asked(about, given, use, weeks, scales)


def _refuse_synthetic(result: object, responses: object, asked: Asked, *, simulated: bool) -> None:
    if simulated:
        return
    given = [responses] if not isinstance(responses, tuple) else list(responses)
    marked = any(getattr(one, "synthetic", False) for one in (*given, asked.responses, result))
    if marked or any(SYNTHETIC in note.casefold() for note in _said(result)):
        raise DataError(
            "These answers are synthetic; they prove code, not the questionnaire. simulated=True "
            "makes records that never count."
        )


def _said(result: Any) -> Iterator[str]:
    """Notes of a result and of those inside it."""
    yield from getattr(result, "notes", ())
    for name in ("correlations", "prepared"):
        yield from getattr(getattr(result, name, None), "notes", ())
    for one in getattr(result, "results", ()):
        yield from one.notes


def _language(instrument: Instrument, scale: str, language: str | None) -> str:
    """Language of the items, checked against those they are written in."""
    items = [instrument.item(name) for name in instrument.scale(scale).items]
    known = sorted({one for item in items for one in item.text or {}})
    if language is None and len(known) == 1:
        return known[0]
    if not isinstance(language, str) or not language.strip() or (known and language not in known):
        raise OptionError("language", language, allowed=known or ("a language such as 'en-GB'",))
    return language


def _refuse_use(instrument: Instrument, use: str) -> None:
    """Refuse evidence for what the instrument says it must not be used for."""
    excluded = {_plain(one): one for one in instrument.use.not_for}
    if (found := excluded.get(_plain(use))) is not None:
        raise DataError(
            f"{instrument.id!r} is not to be used for {found!r}, so that nothing is evidence for "
            "that use."
        )


def _verdict(finding: Finding, asked: Verdict | None) -> dict[str, str]:
    """Return the verdict with the rule it follows from; a stated one may only be lower."""
    computed = finding.judged.verdict
    how = f"{finding.method}. Verdict: {computed}. Rule: {finding.judged.rule}."
    if asked is None or asked == computed:
        return {"verdict": computed, "method": how}
    if VERDICTS.index(asked) > VERDICTS.index(computed):
        raise DataError(
            f"The verdict {asked!r} is refused: {finding.statistic} of {finding.score} comes to "
            f"{computed!r}. The rule: {finding.judged.rule}."
        )
    return {"verdict": asked, "method": f"{how} Lowered to {asked} by the authors."}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), DIGITS)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().casefold()
