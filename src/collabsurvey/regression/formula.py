"""A formula that has been read: outcome, terms, random terms, and the columns they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from collabsurvey.regression.expressions import Expression, columns_of

Term = tuple[Expression, ...]  # () is the intercept; (a, b) the interaction a:b


@dataclass(frozen=True)
class RandomTerm:
    """One `(terms | group)`; nesting `a/b` has been written out as two of these."""

    terms: tuple[Term, ...]
    intercept: bool
    correlated: bool  # False for ||
    group: tuple[str, ...]  # columns whose combinations are the groups, or of mm()
    multiple_membership: bool = False
    membership_weights: tuple[str, ...] = ()  # columns of mm(..., weights=()), one a group

    def single_terms(self) -> tuple[RandomTerm, ...]:
        """Write `||` out as terms that are each correlated within themselves, as lme4 does."""
        if self.correlated:
            return (self,)
        intercept = (replace(self, terms=(), correlated=True),) if self.intercept else ()
        slopes = [
            replace(self, terms=(term,), intercept=False, correlated=True) for term in self.terms
        ]
        return (*intercept, *slopes)

    @property
    def group_label(self) -> str:
        """The grouping factor as R writes it: "school", or "class:school"; "mm(s1, s2)"."""
        if self.multiple_membership:
            return f"mm({', '.join(self.group)})"
        return ":".join(self.group)


@dataclass(frozen=True)
class Formula:
    """A formula that has been read; no data have been touched."""

    text: str
    response: Expression
    intercept: bool
    terms: tuple[Term, ...]  # without the intercept; main effects first, as in R
    random: tuple[RandomTerm, ...]
    offsets: tuple[Expression, ...]

    @property
    def outcome_columns(self) -> tuple[str, ...]:
        """Columns the outcome is made of."""
        return columns_of([self.response])

    @property
    def predictor_columns(self) -> tuple[str, ...]:
        """Columns of the fixed part and the offsets."""
        return columns_of([e for term in self.terms for e in term] + list(self.offsets))

    @property
    def grouping_columns(self) -> tuple[str, ...]:
        """Columns right of the bars."""
        return tuple(dict.fromkeys(name for part in self.random for name in part.group))

    @property
    def random_columns(self) -> tuple[str, ...]:
        """Columns of the random terms, left and right of the bars."""
        slopes = columns_of([e for part in self.random for term in part.terms for e in term])
        weights = [name for part in self.random for name in part.membership_weights]
        return tuple(dict.fromkeys((*slopes, *self.grouping_columns, *weights)))

    @property
    def alternatives(self) -> tuple[tuple[str, ...], ...]:
        """Groups of columns of which a row needs one: those of mm() not needed otherwise."""
        parts = [part for part in self.random if part.multiple_membership]
        groups = [part.group for part in parts if not self._needed & set(part.group)]
        return tuple(dict.fromkeys(groups))

    @property
    def needed_columns(self) -> tuple[str, ...]:
        """Columns of which a row needs every one."""
        return tuple(name for name in self.columns if name not in self.optional_columns)

    @property
    def optional_columns(self) -> tuple[str, ...]:
        """Columns of mm() that a row may lack, one by one."""
        parts = [part for part in self.random if part.multiple_membership]
        names = [name for part in parts for name in (*part.group, *part.membership_weights)]
        return tuple(name for name in dict.fromkeys(names) if name not in self._needed)

    @property
    def _needed(self) -> set[str]:
        slopes = columns_of([e for part in self.random for term in part.terms for e in term])
        plain = [part.group for part in self.random if not part.multiple_membership]
        groups = {name for group in plain for name in group}
        return {*self.outcome_columns, *self.predictor_columns, *slopes, *groups}

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the data that the formula names."""
        return tuple(
            dict.fromkeys((*self.outcome_columns, *self.predictor_columns, *self.random_columns))
        )


def unique(terms: Sequence[Term]) -> list[Term]:
    """Keep the first of terms that hold the same variables."""
    seen: dict[frozenset[Expression], Term] = {}
    for term in terms:
        seen.setdefault(frozenset(term), term)
    return list(seen.values())


def crossed(left: list[Term], right: list[Term]) -> list[Term]:
    """Return every term of one side in interaction with every term of the other."""
    return unique([tuple(dict.fromkeys((*a, *b))) for a in left for b in right])


def ordered(terms: Sequence[Term]) -> tuple[Term, ...]:
    """Sort main effects before interactions; inside a term, variables by first appearance."""
    place: dict[Expression, int] = {}
    for term in terms:
        for variable in term:
            place.setdefault(variable, len(place))
    sorted_terms = [tuple(sorted(term, key=place.__getitem__)) for term in terms if term]
    return tuple(sorted(unique(sorted_terms), key=len))
