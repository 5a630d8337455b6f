"""The grouping factors of a mixed model: whose effects reach which row, and what cannot be fitted.

A row belongs to one level of an ordinary factor, and to several of `mm(s1, s2)` with weights that
add up to 1 (Browne, Goldstein & Rasbash, 2001, doi:10.1177/1471082X0100100202).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from collabsurvey.errors import DataError, FormulaError, NotEnoughDataError, listed
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.regression.formula import RandomTerm
from collabsurvey.regression.prepare import groups_of
from collabsurvey.responses.engine import Column, group_codes


@dataclass(frozen=True, eq=False)
class Grouping:
    """One grouping factor in the rows of a model."""

    label: str
    names: tuple[str, ...]  # (G,)
    codes: IntArray  # (n, k) 0 ... G - 1; k = 1 but for mm()
    weights: FloatArray | None  # (n, k) adding up to 1 in each row; None where k = 1

    @property
    def n_groups(self) -> int:
        """G."""
        return len(self.names)

    @property
    def simple(self) -> bool:
        """Whether a row belongs to one group only."""
        return self.weights is None

    def squares(self) -> FloatArray:
        """Sum (n,) of the squared weights of each row's groups: its share of the variance."""
        if self.weights is None:
            return np.ones(len(self.codes))
        same = self.codes[:, :, None] == self.codes[:, None, :]
        return np.asarray(np.einsum("ni,nij,nj->n", self.weights, same, self.weights))

    def sizes(self) -> IntArray:
        """Rows (G,) that a group has a part in."""
        belongs = self.codes if self.weights is None else self.codes[self.weights > 0]
        return np.bincount(belongs.ravel(), minlength=self.n_groups)


def grouping_of(term: RandomTerm, columns: Mapping[str, Column]) -> Grouping:
    """The groups of a random term; an mm() that gives each row one group is an ordinary factor."""
    if not term.multiple_membership:
        found = groups_of(term.group, columns)
        return Grouping(found.label, found.names, found.codes[:, None], None)
    names, codes = _shared_codes(term, columns)
    weights = _membership_weights(term, columns, codes)
    largest = codes[np.arange(len(codes)), weights.argmax(axis=1)]
    codes = np.where(weights > 0, codes, largest[:, None])  # a place for those that do not count
    present, inverse = np.unique(codes, return_inverse=True)
    codes = inverse.reshape(codes.shape).astype(np.int64)
    names = tuple(names[i] for i in present.tolist())
    if (codes == codes[:, :1]).all():
        return Grouping(term.group_label, names, codes[:, :1], None)
    return Grouping(term.group_label, names, codes, weights)


def _shared_codes(
    term: RandomTerm, columns: Mapping[str, Column]
) -> tuple[tuple[str, ...], IntArray]:
    """Names of the groups of several columns, and codes (n, k) into them, -1 for none."""
    if len({columns[name].categories is None for name in term.group}) > 1:
        raise DataError(
            f"{term.group_label} joins columns of numbers and of text, so that no group would be "
            "the same in both. Make them of one type."
        )
    coded = [group_codes(columns[name]) for name in term.group]
    if columns[term.group[0]].categories is None:
        _, names = group_codes(Column(np.concatenate([columns[n].values for n in term.group])))
    else:
        names = tuple(sorted({label for _, labels in coded for label in labels}))
    place = {label: i for i, label in enumerate(names)}
    found = []
    for codes, labels in coded:
        lookup = np.array([*(place[label] for label in labels), -1], dtype=np.int64)
        found.append(lookup[codes])
    return names, np.column_stack(found)


def _membership_weights(
    term: RandomTerm, columns: Mapping[str, Column], codes: IntArray
) -> FloatArray:
    """Weights (n, k) that add up to 1 in each row: as given, or the same for every membership."""
    belongs = codes >= 0
    if not term.membership_weights:
        return np.asarray(belongs / belongs.sum(axis=1, keepdims=True))
    given = []
    for j, name in enumerate(term.membership_weights):
        if columns[name].categories is not None:
            raise DataError(f"The weights in {name!r} are text. Name a column of numbers.")
        values = columns[name].values
        if absent := int((np.isnan(values) & belongs[:, j]).sum()):
            raise DataError(
                f"The weight {name!r} is missing in {absent} rows that have a group in "
                f"{term.group[j]!r}. Fill it in, or set the group to missing."
            )
        if (values < 0).any():
            raise DataError(f"Some weights in {name!r} are negative. Weights are positive numbers.")
        given.append(np.where(belongs[:, j], values, 0.0))
    weights = np.column_stack(given)
    total = weights.sum(axis=1, keepdims=True)
    if none := int((total == 0).sum()):
        raise DataError(
            f"The weights of {term.group_label} are all 0 in {none} rows, which then belong to no "
            "group. Leave those rows out."
        )
    return np.asarray(weights / total)


def check_groupings(
    formula: str,
    columns: Sequence[Sequence[str]],
    groupings: Sequence[Grouping],
    *,
    n_rows: int,
) -> None:
    """Refuse random terms that the rows cannot tell apart from each other, or from the residual.

    `columns` are the names of the random effects of each term.
    """
    for grouping, names in zip(groupings, columns, strict=True):
        if grouping.n_groups < 2:
            raise NotEnoughDataError(
                "mixed", what=f"groups in {grouping.label!r}", found=grouping.n_groups, needed=2
            )
        if grouping.n_groups * len(names) >= n_rows:
            raise NotEnoughDataError(
                f"mixed with {len(names)} random effects for each of {grouping.n_groups} groups "
                f"of {grouping.label}",
                what="rows",
                found=n_rows,
                needed=grouping.n_groups * len(names) + 1,
            )
    for i, (grouping, names) in enumerate(zip(groupings, columns, strict=True)):
        for earlier, before in zip(groupings[:i], columns[:i], strict=True):
            shared = [name for name in names if name in before]
            if not shared or not same_groups(earlier, grouping):
                continue
            if earlier.label == grouping.label:
                raise FormulaError(
                    formula,
                    f"{listed(shared)} of {grouping.label} stands in two random terms, whose "
                    "variances cannot be told apart; write it once",
                )
            raise DataError(
                f"{grouping.label!r} and {earlier.label!r} divide the rows into the same "
                f"{grouping.n_groups} groups, so that the variances between them cannot be told "
                "apart. Keep one of the two."
            )


def same_groups(a: Grouping, b: Grouping) -> bool:
    """Whether two factors divide the rows alike."""
    if a.n_groups != b.n_groups or a.simple != b.simple:
        return False
    if a.simple:
        return parent_of(a, b) is not None
    return a.codes.shape == b.codes.shape and bool(
        (a.codes == b.codes).all() and np.allclose(a.weights, b.weights)  # type: ignore[arg-type]
    )


def parent_of(inner: Grouping, outer: Grouping) -> IntArray | None:
    """The group of `outer` in which each group of `inner` lies (G,), or None if some lie in two."""
    if not (inner.simple and outer.simple) or inner.n_groups < outer.n_groups:
        return None
    found = np.empty(inner.n_groups, dtype=np.int64)
    found[inner.codes[:, 0]] = outer.codes[:, 0]
    return found if bool((found[inner.codes[:, 0]] == outer.codes[:, 0]).all()) else None


def lme4_order(n_groups: Sequence[int]) -> list[int]:
    """Random terms by falling number of groups; lme4 turns ties round when it has to sort."""
    if all(a >= b for a, b in pairwise(n_groups)):
        return list(range(len(n_groups)))
    return sorted(range(len(n_groups)), key=lambda i: n_groups[i])[::-1]


def sparse_notes(groupings: Sequence[Grouping]) -> list[str]:
    """What is said of groups with a single row, and of factors with single groups inside others."""
    notes: list[str] = []
    for grouping in groupings:
        notes += single_row_notes(grouping.label, grouping.sizes())
    for inner in groupings:
        for outer in groupings:
            parents = parent_of(inner, outer) if inner is not outer else None
            if parents is None or inner.n_groups == outer.n_groups:
                continue
            alone = int((np.bincount(parents) == 1).sum())
            if alone:
                notes.append(
                    f"{alone} of {outer.n_groups} groups of {outer.label} hold a single group of "
                    f"{inner.label}; only the others tell the two variances apart."
                )
    return notes


def single_row_notes(label: str, sizes: IntArray) -> tuple[str, ...]:
    """Say how many groups have a single row, from the rows (G,) of each."""
    single = int((sizes == 1).sum())
    if not single:
        return ()
    return (
        f"{single} of {len(sizes)} groups of {label} have a single row; they say nothing of the "
        "variance within groups.",
    )
