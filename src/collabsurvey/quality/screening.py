"""Screening for careless answers: one row for each row of answers, nothing removed.

Every index is a column; where a cut-off is set a row is flagged, with the reason in words.
A flag is a question to ask of a row, not a verdict: honest people are flagged too, and
each index finds one kind of carelessness (Meade & Craig, 2012; Curran, 2016).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from collabsurvey.errors import OptionError, listed
from collabsurvey.moments.respondents import repeated_rows_note
from collabsurvey.numerics.typing import AnyArray, BoolArray, IntArray
from collabsurvey.quality.answers import Answers, read_answers, screened_items, seconds
from collabsurvey.quality.cutoffs import RULES
from collabsurvey.quality.flagging import flagged_rows, reasons_of
from collabsurvey.quality.indices import Indices, Plan, all_indices
from collabsurvey.quality.screen_result import ScreenResult
from collabsurvey.responses.responses import Responses, require_responses

Unit = Literal["seconds", "milliseconds", "minutes"]
UNITS: Mapping[str, float] = {"seconds": 1.0, "milliseconds": 0.001, "minutes": 60.0}
SEED = 20_260_901
COLUMNS = (
    "missing_share",
    "longstring",
    "avg_longstring",
    "irv",
    "even_odd",
    "mahalanobis",
    "mahalanobis_p",
    "person_total",
    "synonyms",
    "antonyms",
    "straight_reversed",
    "duplicate",
    "seconds_per_item",
)
MANY = 0.25  # a share of flagged rows above which the cut-off is in doubt, not the people


def screen(
    responses: Responses,
    items: str | Sequence[str] | None = None,
    *,
    missing_share: float | None = 0.5,
    longstring: float | None = 0.5,
    avg_longstring: float | None = None,
    irv: float | None = None,
    even_odd: float | None = -0.30,
    mahalanobis: float | None = 0.001,
    person_total: float | None = 0.0,
    synonyms: float | None = 0.0,
    antonyms: float | None = -0.03,
    straight_reversed: int | None = 1,
    duplicate: int | None = 1,
    duration: str | None = None,
    duration_unit: Unit = "seconds",
    seconds_per_item: float | None = 2.0,
    synonym_r: float = 0.60,
    antonym_r: float = -0.60,
    keyed_even_odd: bool = True,
    robust: bool = False,
    seed: int = SEED,
) -> ScreenResult:
    """Look for careless answers: indices, flags and reasons for every row; nothing is removed.

    Parameters
    ----------
    responses : Responses
        Raw answers; each row of them is judged by itself.
    items : a scale id or item ids, optional
        All items of the instrument, if left out.
    missing_share : share or None
        Flag rows with more of the items left out. Half: fewer answers are a break-off
        (AAPOR, 2023, Standard Definitions). Here and below None keeps the column and flags
        nothing.
    longstring : share of the items or None
        Flag runs of one answer at least so long. Half of the items: Curran (2016). Flags
        only where there are 20 items or more; in short questionnaires such runs are common.
    avg_longstring, irv : number or None
        Flag longer mean runs, or a smaller spread (standard deviation) of a row's answers.
        None: there is no agreed cut-off (Meade & Craig, 2012; Dunn et al., 2018).
    even_odd : number or None
        Flag above. -0.30 is a within-person reliability of .30 (Johnson, 2005), with the sign
        of careless 1.2.0: high is careless. Flags only rows with 10 scales or more, because
        correlations of a few numbers fail honest people (11 % of those whose true
        correlation is .70 are below zero with 5 numbers, 1 % with 10), and only where no
        more than 5 % of the bulk of the rows (by median and median absolute deviation)
        reach the cut-off: about one row in ten is careless at all (Meade & Craig, 2012), so
        beyond that too many flags fall on honest people. The same holds for `person_total`,
        `synonyms` and `antonyms`.
    mahalanobis : probability or None
        Flag rows whose distance is less probable under a normal distribution: .001
        (Tabachnick & Fidell, 2013). Skewed answers are beyond it more often than 1 in 1000.
    person_total : correlation or None
        Flag below: a row that runs against the means of all others (Curran, 2016).
    synonyms, antonyms : correlation or None
        Flag below, and above: pairs of items that correlate over `synonym_r` or under
        `antonym_r` in these data, correlated within the row. Antonyms above -.03 are
        Johnson's (2005); synonyms below zero are this project's rule; pairs beyond .60 are
        those of Meade & Craig (2012).
    straight_reversed : count or None
        Flag rows that gave one answer, other than the middle, to all of three items or more
        keyed both ways, in so many scales. Once is this project's rule; a straight line over
        reversed items contradicts itself (Weijters, Baumgartner & Schillewaert, 2013).
    duplicate : count or None
        Flag rows of 20 answers or more that so many other rows repeat in every answer and
        gap (Slomczynski, Powalko & Krauze, 2017).
    duration, duration_unit, seconds_per_item
        Column with the time a row took; it is divided by the items answered. Less than 2
        seconds an item is too little to read it (Huang et al., 2012).
    keyed_even_odd : bool
        Turn reversed items round before even-odd. False is careless.
    robust : bool
        Mean and covariance of Mahalanobis by the minimum covariance determinant (FastMCD,
        `seed`), so that many careless rows cannot hide one another.

    Returns
    -------
    ScreenResult
        `.to_frame(keep=...)` is aligned with the answers; `flags` counts the indices that flag
        a row, `reasons` says why.

    Raises
    ------
    UnknownNameError
        No such scale, item or column.
    OptionError
        A cut-off outside what its index can be.
    DataError
        `duration` is text.

    Notes
    -----
    Where careless differs: in `longstring` a missing answer ends a run there and is passed
    over here; `mahad` adds up the terms that are there where answers are missing, and takes
    quantiles on all items; `psychsyn` redraws the order within pairs at random for rows
    without variation, which are left blank here; person-total is not in it. Items with
    different ranges are brought to 0 to 1 for what compares items. Weights play no part.

    Sources: Curran (2016) doi:10.1016/j.jesp.2015.07.006; Meade & Craig (2012)
    doi:10.1037/a0028085; Johnson (2005) doi:10.1016/j.jrp.2004.09.009; Huang et al. (2012)
    doi:10.1007/s10869-011-9231-8; Dunn et al. (2018) doi:10.1007/s10869-016-9479-0; Weijters
    et al. (2013) doi:10.1037/a0032121; Slomczynski et al. (2017)
    doi:10.18148/srm/2017.v11i1.6557.

    Examples
    --------
    >>> import collabsurvey as cs
    >>> cohort = cs.simulate_cohort(["trust"], n_partnerships=2, n_schools=6, n_staff=20, seed=1)
    >>> screening = cs.screen(cohort.responses)
    >>> rows = screening.to_frame(keep=["respondent"])
    """
    require_responses(responses, method="screen")
    cuts = {
        "missing_share": missing_share,
        "longstring": longstring,
        "avg_longstring": avg_longstring,
        "irv": irv,
        "even_odd": even_odd,
        "mahalanobis_p": mahalanobis,
        "person_total": person_total,
        "synonyms": synonyms,
        "antonyms": antonyms,
        "straight_reversed": straight_reversed,
        "duplicate": duplicate,
        "seconds_per_item": seconds_per_item,
    }
    _check(cuts, duration_unit, synonym_r, antonym_r)
    names = screened_items(responses, items)
    answers = read_answers(responses, names, (duration,) if duration else ())
    plan = Plan(synonym_r, antonym_r, keyed_even_odd, robust, seed)
    n_answered = (~np.isnan(answers.values)).sum(axis=0)
    found = all_indices(responses, answers, plan)
    if duration:
        _add_speed(found, answers, duration, UNITS[duration_unit], n_answered)
    used, unused, flagged = flagged_rows(found, cuts, n_items=len(names))
    n = len(n_answered)
    flags = np.zeros(n, dtype=np.int64)
    for rows in flagged.values():
        flags += rows
    columns: dict[str, AnyArray] = {
        name: found.columns[name] for name in COLUMNS if name in found.columns
    }
    columns["flags"] = flags
    columns["reasons"] = reasons_of(flagged, used, n)
    for column in columns.values():
        column.setflags(write=False)
    return ScreenResult(
        responses=responses,
        answers=Answers(answers.items, np.empty((len(names), 0)), answers.rows, answers.lazy),
        items=names,
        columns=columns,
        used=used,
        unused=unused,
        n_flagged={name: int(rows.sum()) for name, rows in flagged.items()},
        synonym_pairs=found.synonym_pairs,
        antonym_pairs=found.antonym_pairs,
        n_rows=n,
        notes=tuple(_notes(responses, found, flags, flagged, n_answered)),
    )


def _check(cuts: Mapping[str, float | None], unit: str, synonym_r: float, antonym_r: float) -> None:
    limits = {
        "missing_share": (0.0, 1.0),
        "longstring": (0.0, 1.0),
        "even_odd": (-1.0, 1.0),
        "mahalanobis_p": (0.0, 1.0),
        "person_total": (-1.0, 1.0),
        "synonyms": (-1.0, 1.0),
        "antonyms": (-1.0, 1.0),
        "avg_longstring": (0.0, np.inf),
        "irv": (0.0, np.inf),
        "straight_reversed": (1, np.inf),
        "duplicate": (1, np.inf),
        "seconds_per_item": (0.0, np.inf),
    }
    for name, (low, high) in limits.items():
        cut = cuts[name]
        if cut is not None and not low <= cut <= high:
            option = "mahalanobis" if name == "mahalanobis_p" else name
            to = "more" if high == np.inf else f"{high:g}"
            raise OptionError(option, cut, allowed=(f"a number from {low:g} to {to}", None))
    if unit not in get_args(Unit):
        raise OptionError("duration_unit", unit, allowed=get_args(Unit))
    if not 0 < synonym_r < 1:
        raise OptionError("synonym_r", synonym_r, allowed=("a number between 0 and 1",))
    if not -1 < antonym_r < 0:
        raise OptionError("antonym_r", antonym_r, allowed=("a number between -1 and 0",))


def _add_speed(
    found: Indices, answers: Answers, column: str, per_unit: float, n_answered: IntArray
) -> None:
    took = seconds(answers, column, per_unit)
    with np.errstate(divide="ignore", invalid="ignore"):
        found.columns["seconds_per_item"] = np.where(n_answered > 0, took / n_answered, np.nan)
    if unknown := int(np.isnan(took).sum()):
        found.notes.append(f"{unknown} rows have no time above zero in {column!r}.")


def _notes(
    responses: Responses,
    found: Indices,
    flags: IntArray,
    flagged: Mapping[str, BoolArray],
    n_answered: IntArray,
) -> list[str]:
    n = len(flags)
    n_flagged = int((flags > 0).sum())
    notes = [
        "Nothing was removed: a flag is a question to ask of a row, not a verdict. Each index "
        "finds one kind of carelessness (Meade & Craig, 2012)."
    ]
    if n_flagged == n:
        notes.append(
            "Every row is flagged: that says more about the cut-offs, the keying or the export "
            "than about the respondents. Look at the table before using any flag."
        )
    many = [
        f"{rule.label} ({rows.sum() / n:.0%})"
        for rule in RULES
        if (rows := flagged.get(rule.column)) is not None and rows.sum() > MANY * n
    ]
    if many and n_flagged < n:
        notes.append(
            f"More than a quarter of the rows are flagged for {listed(many)}: check the cut-off, "
            "the keying and the export."
        )
    if empty := int((n_answered == 0).sum()):
        notes.append(f"{empty} rows have no answer at all; they have no other index.")
    notes.extend(found.notes)
    for name, reason in found.unfit.items():
        label = next(rule.label for rule in RULES if rule.column == name)
        notes.append(f"Not used to flag: {label} ({reason}).")
    if pooled := repeated_rows_note(responses):
        notes.append(f"{pooled} Equal rows of one person count as duplicates too.")
    if "weight" in responses.roles:
        notes.append("Without weights: every row counts once.")
    if responses.synthetic:
        notes.append("Synthetic data: drawn by a computer, no evidence about any school.")
    return notes
