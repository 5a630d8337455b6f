"""How far the people of each partnership mean the same, and how far they feel that they do.

Sources: Gwet (2008) doi:10.1348/000711006X126600 for AC1; Krippendorff (2004) Content Analysis,
ch. 11, for alpha; Fleiss (1971) doi:10.1037/h0031619; Brennan & Prediger (1981)
doi:10.1177/001316448104100307; Shannon (1948) doi:10.1002/j.1538-7305.1948.tb01338.x for
entropy; Kendall & Babington Smith (1939) doi:10.1214/aoms/1177732186 for W.
"""

from __future__ import annotations

from typing import get_args

import numpy as np

from collabsurvey.errors import (
    NotEnoughDataError,
    OptionError,
    WeightsNotAppliedError,
    check_level,
)
from collabsurvey.moments.columns import group_values, numeric_columns
from collabsurvey.moments.split import role_or_column
from collabsurvey.multilevel.agreement import refuse_repeated
from collabsurvey.multilevel.scored_rows import scored_rows
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.partnership.consensus_frames import (
    groups_frame,
    items_frame,
    member_counts,
    shares_frame,
)
from collabsurvey.partnership.consensus_groups import Interval, Member, consensus_of
from collabsurvey.partnership.consensus_questions import (
    Answers,
    Options,
    answers_of,
    questions_of,
)
from collabsurvey.partnership.consensus_result import OWN_COLUMNS, ConsensusResult
from collabsurvey.partnership.consensus_words import all_notes
from collabsurvey.responses.engine import as_narwhals, column_names, group_codes
from collabsurvey.responses.responses import Responses, require_responses

SEED = 20260901


def consensus(
    responses: Responses,
    scale: str,
    *,
    by: str = "partnership",
    felt: str | None = None,
    options: Options = "auto",
    min_valid: str | int | None = None,
    min_n: int = 10,
    cluster: str | None = "auto",
    ci: Interval = "jackknife",
    conf_level: float = 0.95,
    n_boot: int = 1000,
    seed: int = SEED,
) -> ConsensusResult:
    """How far the people of each group pick the same answers, or rank things alike.

    Parameters
    ----------
    responses : Responses
        One wave: each person counts once.
    scale : str
        A scale of the rule agreement (cards with options, or a ranking of k things from 1 to
        k), or a composition made of picks.
    by : str
        A role or column; its groups are looked at one by one.
    felt : str, optional
        A mean scale that says how far people feel they agree; the one the instrument names
        (`felt` of the scale), where left out.
    options : "auto", "own" or "common"
        Whether the options belong to each item (cards: "learning" here, "a vote" there) or are
        the same kinds in every item (triads: network, coalition, unitary). "auto" takes
        common for compositions and items with the same labels, own for a single item, which
        has nothing to be pooled with. It decides what chance is: see Notes.
    min_valid : share, count or None
        Items a person must have answered to count; None takes the instrument's rule, 0 takes
        everybody with an answer. Rankings always have to be complete.
    min_n : int
        Groups with fewer people get `below_min_n`; they are kept.
    cluster : "auto", role or column, or None
        Schools whose people are alike: intervals then leave out, or draw, whole schools.
        "auto" takes the cluster role. In a group of fewer than three schools people are the
        units, and the interval is about these schools only: with two, the jackknife over
        schools gave limits that are far apart (.7 in the median) or, where the two happened
        to be alike, almost none (.06 in one of 20 trials). Over people, limits for the two
        schools at hand covered 95 to 98 % in trials with 6 to 24 people a school; for schools
        in general they cover less (71 to 98 %).
    ci : "jackknife" or "bootstrap"
        The jackknife leaves out each person (or school) in turn, with t on units - 1. In trials
        with 10 to 50 people, or 3 to 15 schools of eight with ICC .1, its 95 % limits covered
        93 to 97 %, percentiles of the bootstrap 85 to 97 % over people and 65 to 94 % over
        schools; hence the default.
    n_boot, seed : int
        Resamples of the bootstrap and the seed that makes them repeatable.

    Raises
    ------
    UnknownNameError
        The instrument has no such scale; the table no such column.
    DataError
        The scale is made of amounts; people answered several times.
    NotEnoughDataError
        Nobody with a group and enough answers.
    WeightsNotAppliedError
        The responses have a weight role.

    Notes
    -----
    An interval says how far the number would move with other people (or schools) of the same
    kind answering the same items. The items are taken as given: they are all of the questionnaire.

    Agreement is the share of pairs of people with the same answer, averaged over items. What
    chance would give is taken out in three ways. With common options, shares are pooled over
    items as usual: the values are those of `reliability.gwet` (all categories named),
    `krippendorff` and `fleiss_kappa` with items as targets and people as raters. Kappa and alpha
    ask whether people can tell the items apart; where all pick one answer everywhere they
    are not defined, and where nearly all do they are near 0 or below, though agreement is all but
    complete. AC1 is 1 there, since its chance is small where one answer prevails. Read AC1.

    With own options, pooling codes over items would make chance depend on the numbering of the
    options. AC1 then takes chance from each item's own shares, (P - C) / (1 - C) with P and C
    averaged over items. Kappa and alpha from one item's own shares are -1 / (n - 1) and 0
    whatever people do, so every option is taken as a question of yes or no instead, which
    makes kappa (P - 1/q) / (1 - 1/q) for q options (Brennan & Prediger, 1981), and alpha the
    same but for the factor of its small sample.

    Entropy is that of the shares as they are, which is too low in small groups (by about
    (q - 1) / (2 n ln 2) bits); agreement of pairs is not.

    Felt and actual agreement are on different footings: two people who pick one of four at random
    agree in 25 of 100 cases, while 25 of 100 felt agreement is disagreement. A gap above 0
    therefore does not show by itself that felt agreement is too high; compare groups (`gap_z`)
    or waves, and in models, such as of later conflict, use both terms instead of the gap
    (Edwards, 2001, doi:10.1177/109442810143005).
    """
    responses = _asked(responses, scale)
    column, clusters, felt = _checked(responses, scale, by, felt, cluster, ci, min_n, n_boot)
    check_level(conf_level)
    questions = questions_of(responses.instrument, scale, options=options, min_valid=min_valid)
    read = [*questions.items, column, *([clusters] if clusters else [])]
    rows = scored_rows(responses, [felt] if felt else [], read, method="pomp")
    answers = answers_of(questions, rows.columns)
    said = rows.scores[felt] if felt else np.full(len(answers.used), np.nan)
    codes, labels = group_codes(rows.columns[column])
    school = group_codes(rows.columns[clusters])[0] if clusters else None
    if not (answers.used & (codes >= 0)).any():
        raise NotEnoughDataError(
            "Consensus",
            what="rankings" if questions.ranking else "people with enough answers",
            found=0,
            needed=1,
            where=f"the groups of {column!r}",
        )
    present = np.unique(codes[codes >= 0])
    names = group_values(
        tuple(labels[i] for i in present), numeric=column in numeric_columns(responses.frame)
    )
    found, members = [], []
    for group in present:
        member = _member(answers, said, school, codes == group)
        members.append(member)
        found.append(
            consensus_of(
                member,
                questions,
                felt=felt is not None,
                ci=ci,
                conf_level=conf_level,
                n_boot=n_boot,
                seed=seed,
            )
        )
    counts = member_counts(answers, said, codes, present)
    frame = groups_frame(column, names, counts, found, members, questions, felt, clusters, min_n)
    return ConsensusResult(
        groups_frame=frame,
        items_frame=items_frame(column, names, members, questions),
        shares_frame=shares_frame(column, names, members, questions),
        scale=scale,
        by=column,
        ranking=questions.ranking,
        common=questions.common,
        felt=felt,
        chance=float(frame["chance"].to_numpy()[frame["n_items"].to_numpy().argmax()]),
        min_n=min_n,
        conf_level=conf_level,
        notes=(
            *all_notes(
                frame,
                questions,
                answers,
                codes,
                by=column,
                felt=felt,
                cluster=clusters,
                ci=ci,
                n_boot=n_boot,
                min_n=min_n,
            ),
            *rows.notes,
            *(("Synthetic data.",) if responses.synthetic else ()),
        ),
    )


def _asked(responses: Responses, scale: str) -> Responses:
    """Rows about the partnership, where other rows of the same people are about a partner."""
    if not isinstance(responses, Responses) or "partner" not in responses.roles:
        return responses
    return responses.answered(responses.instrument.scale(scale).items)


def _checked(
    responses: Responses,
    scale: str,
    by: str,
    felt: str | None,
    cluster: str | None,
    ci: str,
    min_n: int,
    n_boot: int,
) -> tuple[str, str | None, str | None]:
    """Columns of groups and of schools, and the scale of felt agreement."""
    require_responses(responses, method="partnership.consensus")
    if "weight" in responses.roles:
        raise WeightsNotAppliedError("partnership.consensus")
    if ci not in get_args(Interval):
        raise OptionError("ci", ci, allowed=get_args(Interval))
    if min_n < 1:
        raise OptionError("min_n", min_n, allowed=("a count of 1 or more",))
    if n_boot < 100:
        raise OptionError("n_boot", n_boot, allowed=("100 or more",))
    if by == "partnership" and by not in column_names(as_narwhals(responses.frame)):
        responses.role("partnership", purpose="Consensus")
    column = role_or_column(responses, by)
    if column in OWN_COLUMNS:
        raise OptionError("by", column, allowed=(f"a column that is not called {column!r}",))
    refuse_repeated(responses)
    felt = felt or responses.instrument.scale(scale).felt
    if felt is not None and (rule := responses.instrument.scale(felt).rule) not in ("mean", "sum"):
        raise OptionError("felt", felt, allowed=(f"a scale of the rule mean, not {rule}",))
    clusters = None
    if cluster == "auto":
        clusters = responses.roles.get("cluster")
    elif cluster is not None:
        clusters = role_or_column(responses, cluster)
    return column, None if clusters == column else clusters, felt


def _member(
    answers: Answers, said: FloatArray, school: IntArray | None, inside: BoolArray
) -> Member:
    """People of one group with an answer that counts, or with felt agreement."""
    rows = inside & (answers.used | ~np.isnan(said))
    values = answers.values[rows]
    nothing = np.nan if values.dtype.kind == "f" else -1
    values = np.where(answers.used[rows][:, None], values, nothing)
    return Member(values, said[rows], None if school is None else school[rows])
