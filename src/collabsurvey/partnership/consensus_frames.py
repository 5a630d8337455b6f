"""The tables of consensus: one row a group, a group and item, a group, item and answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.multilevel.wording import several
from collabsurvey.numerics.category_agreement import pair_agreement
from collabsurvey.numerics.compositions import SAME
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.partnership.consensus_groups import Found, Member
from collabsurvey.partnership.consensus_kernel import entropy_bits, ratio
from collabsurvey.partnership.consensus_questions import Answers, Questions
from collabsurvey.partnership.consensus_result import (
    FELT_COLUMNS,
    PICK_COLUMNS,
    RANKING_COLUMNS,
    RESPONDENTS,
)

if TYPE_CHECKING:
    import pandas as pd

FEWEST_STANDARDISED = 5  # groups, below which a standard deviation over groups is no yardstick


def member_counts(
    answers: Answers, said: FloatArray, codes: IntArray, present: IntArray
) -> dict[str, IntArray]:
    """People of each group: who count, who are left out, who said how far they agree."""

    def per_group(rows: BoolArray) -> IntArray:
        inside = codes[rows & (codes >= 0)]
        return np.bincount(inside, minlength=int(present.max()) + 1)[present]

    return {
        "n": per_group(answers.used),
        "n_left_out": per_group(answers.blanks | answers.ties),
        "n_felt": per_group(~np.isnan(said)),
    }


def groups_frame(
    column: str,
    names: Sequence[object],
    counts: Mapping[str, IntArray],
    found: Sequence[Found],
    members: Sequence[Member],
    questions: Questions,
    felt: str | None,
    cluster: str | None,
    min_n: int,
) -> pd.DataFrame:
    """One row a group, in the order of numbers or letters."""
    import pandas as pd

    frame = pd.DataFrame({column: names, "n": counts["n"], "n_left_out": counts["n_left_out"]})

    def put(name: str) -> None:
        frame[name] = [one.estimate[name] for one in found]
        frame[f"{name}_low"] = [one.low[name] for one in found]
        frame[f"{name}_high"] = [one.high[name] for one in found]

    coefficients = RANKING_COLUMNS if questions.ranking else PICK_COLUMNS
    put("agreement")
    known = [known_items(one, questions) for one in members]
    frame["chance"] = [questions.chance_on(one) for one in known]
    frame["n_items"] = [int(one.sum()) for one in known]
    for name in coefficients[1:]:
        put(name)
    if not questions.ranking:
        bits = np.array([entropy_bits(pick_counts(one, questions)) for one in members])
        share = bits / np.log2(questions.n_options)
        given = ~np.isnan(share)
        frame["entropy_share"] = ratio(np.where(given, share, 0).sum(axis=1), given.sum(axis=1))
    if felt is not None:
        frame["n_felt"] = counts["n_felt"]
        for name in FELT_COLUMNS:
            put(name)
        frame["gap_z"] = standardised_gap(frame["felt"].to_numpy(), frame["actual"].to_numpy())
    unit = {True: several(str(cluster)), False: RESPONDENTS}
    frame["interval"] = [f"{one.interval} over {unit[one.by_cluster]}" for one in found]
    frame["n_units"] = [one.n_units for one in found]
    frame["below_min_n"] = frame["n"] < min_n
    return frame


def standardised_gap(felt: FloatArray, actual: FloatArray) -> FloatArray:
    """Felt less actual agreement (G,), each in standard deviations over groups.

    Missing with fewer than five groups, or where one of the two does not vary.
    """
    both = ~np.isnan(felt) & ~np.isnan(actual)
    out = np.full(len(felt), np.nan)
    if both.sum() < FEWEST_STANDARDISED:
        return out
    scores = []
    for values in (felt[both], actual[both]):
        sd = values.std(ddof=1)
        if sd < 1e-9:
            return out
        scores.append((values - values.mean()) / sd)
    out[both] = scores[0] - scores[1]
    return out


def known_items(member: Member, questions: Questions) -> BoolArray:
    """Items (k,) with answers of two people of a group, on which agreement rests."""
    values = member.values
    if questions.ranking:
        values = np.where(np.isnan(values).any(axis=1, keepdims=True), -1, values)
    return np.asarray((values >= 0).sum(axis=0) >= 2)


def pick_counts(member: Member, questions: Questions) -> FloatArray:
    """How many people of a group picked each option of each item (m, q)."""
    q = int(questions.n_options.max())
    picked = member.values[:, :, None] == np.arange(q)
    return np.asarray(picked.sum(axis=0), dtype=np.float64)


def items_frame(
    column: str, names: Sequence[object], members: Sequence[Member], questions: Questions
) -> pd.DataFrame:
    """One row a group and item."""
    import pandas as pd

    rows = _ranked_items if questions.ranking else _picked_items
    parts = [
        {column: name, "item": item, "question": wording, **row}
        for name, member in zip(names, members, strict=True)
        for item, wording, row in zip(
            questions.items, questions.wordings, rows(member, questions), strict=True
        )
    ]
    return pd.DataFrame(parts)


def _picked_items(member: Member, questions: Questions) -> list[dict[str, object]]:
    counts = pick_counts(member, questions)
    q = questions.n_options
    agreed, n = pair_agreement(counts, np.eye(counts.shape[1]))
    agreed = np.where(n > 1, agreed, np.nan)
    shares = ratio(counts, n[:, None])
    chance = (1 - (shares**2).sum(axis=1)) / (q - 1)
    bits = entropy_bits(counts)
    rows = []
    for j, labels in enumerate(questions.labels):
        top = np.flatnonzero(shares[j] >= shares[j].max() - SAME) if n[j] else np.array([], int)
        rows.append(
            {
                "n": int(n[j]),
                "answer": questions.codes[j][top[0]] if len(top) == 1 else np.nan,
                "label": " = ".join(labels[i] for i in top),
                "share": float(shares[j].max()) if n[j] else np.nan,
                "n_tied": len(top),
                "entropy": float(bits[j]),
                "entropy_share": float(bits[j] / np.log2(q[j])),
                "agreement": float(agreed[j]),
                "chance": 1 / float(q[j]),
                "ac1": float((agreed[j] - chance[j]) / (1 - chance[j])),
            }
        )
    return rows


def _ranked_items(member: Member, questions: Questions) -> list[dict[str, object]]:
    ranks = member.values[~np.isnan(member.values).any(axis=1)]
    n, k = len(ranks), len(questions.items)
    mean = ranks.mean(axis=0) if n else np.full(k, np.nan)
    return [
        {
            "n": n,
            "mean_rank": float(mean[j]),
            "sd_rank": float(ranks[:, j].std(ddof=1)) if n > 1 else np.nan,
            "share_first": float((ranks[:, j] == 1).mean()) if n else np.nan,
            # Things with the same mean rank share the better place.
            "place": float(1 + (mean < mean[j] - SAME).sum()) if n else np.nan,
        }
        for j in range(k)
    ]


def shares_frame(
    column: str, names: Sequence[object], members: Sequence[Member], questions: Questions
) -> pd.DataFrame:
    """One row a group, item and possible answer."""
    import pandas as pd

    rows = []
    for name, member in zip(names, members, strict=True):
        for j, item in enumerate(questions.items):
            given = member.values[:, j]
            codes = questions.codes[j]
            places = codes if questions.ranking else range(len(codes))
            counts = [int((given == place).sum()) for place in places]
            total = sum(counts)
            rows += [
                {
                    column: name,
                    "item": item,
                    "answer": code,
                    "label": label,
                    "n": n,
                    "share": n / total if total else np.nan,
                }
                for code, label, n in zip(codes, questions.labels[j], counts, strict=True)
            ]
    return pd.DataFrame(rows)
