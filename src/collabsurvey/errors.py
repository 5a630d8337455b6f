"""Every exception and warning of collabsurvey, each writing its own sentence.

A message says what is wrong in the questionnaire's words, then what to do.
Errors are raised when a number would be wrong; warnings are given when it is
right but easily misread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from numbers import Real


class CollabSurveyError(Exception):
    """Base of every error a user of collabsurvey can cause and mend."""


class CollabSurveyWarning(UserWarning):
    """Base of every warning: the number is right but easily misread."""


class UnknownNameError(CollabSurveyError, KeyError):
    """A scale, item, column or instrument that does not exist here."""

    def __init__(self, kind: str, name: str, *, available: Iterable[str], where: str) -> None:
        known = sorted(map(str, available))
        close = get_close_matches(name, known, n=1)
        close = close or [one for one in known if one.casefold() == str(name).casefold()][:1]
        hint = f"Did you mean {close[0]!r}?" if close else f"Available: {listed(known)}."
        self.message = f"{where} has no {kind} {name!r}. {hint}"
        super().__init__(self.message)

    def __str__(self) -> str:  # KeyError would show it quoted
        return self.message


class OptionError(CollabSurveyError, ValueError):
    """An option has a value it cannot take."""

    def __init__(self, option: str, value: object, *, allowed: Iterable[object]) -> None:
        choices = ", ".join(repr(choice) for choice in allowed)
        super().__init__(f"{option}={value!r} is not possible here. Choose one of: {choices}.")


def check_level(conf_level: float) -> None:
    """Refuse the level of an interval that is not between 0 and 1, such as 95."""
    if not (isinstance(conf_level, Real) and 0 < conf_level < 1):
        raise OptionError("conf_level", conf_level, allowed=("a number between 0 and 1",))


class NotSupportedError(CollabSurveyError, NotImplementedError):
    """Something that is meaningful but not part of this version."""

    def __init__(self, what: str, *, instead: str) -> None:
        super().__init__(f"{what} is not part of this version of collabsurvey. {instead}")


class NotOneNumberError(NotSupportedError):
    """A scale without one score for each respondent, where one is asked for."""

    def __init__(self, scale: str, *, rule: str, instead: str) -> None:
        sentence = f"Scale {scale!r} (rule {rule!r}) has no one number for a respondent. "
        CollabSurveyError.__init__(self, f"{sentence}Use {instead}.")


class MissingPackageError(CollabSurveyError, ImportError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, *, purpose: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}. "
            f"Install it with: pip install 'collabsurvey[{extra}]'"
        )


class FaultsError(CollabSurveyError, ValueError):
    """A file with faults, all of them reported together."""

    def __init__(self, source: str, faults: Sequence[str]) -> None:
        self.source = source
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        super().__init__(f"{source} has {count}:\n{lines}")


class InstrumentError(FaultsError):
    """An instrument file that breaks the rules; each fault with its line."""


class StudyError(FaultsError):
    """A study file, or the data it names, with everything that is wrong."""


class TruthError(FaultsError):
    """Assumptions of a synthetic cohort that cannot hold."""


class AnswersError(FaultsError):
    """Answers that contradict the instrument, the roles or the row key."""


class DataError(CollabSurveyError, ValueError):
    """Answers that cannot be used as they stand."""


class NotAmountsError(CollabSurveyError, ValueError):
    """Answers that share out a total, or name a kind, where amounts are needed."""

    def __init__(self, method: str, *, items: Sequence[str], reason: str, instead: str) -> None:
        self.items = tuple(items)
        super().__init__(f"{method} of {listed(items, most=3)} is refused: {reason} {instead}")


class NotEnoughDataError(DataError):
    """Too few rows, respondents, clusters or items for the method."""

    def __init__(self, method: str, *, what: str, found: int, needed: int, where: str = "") -> None:
        place = f" in {where}" if where else ""
        super().__init__(f"{method} needs at least {needed} {what}{place}; there are {found}.")


class NotEnoughItemsError(NotEnoughDataError):
    """A scale has too few items for the method."""

    def __init__(self, scale: str, *, n_items: int, needed: int, method: str) -> None:
        super().__init__(
            method, what="items", found=n_items, needed=needed, where=f"scale {scale!r}"
        )


class NoVarianceError(DataError):
    """All values are the same, so a ratio of variances is not defined."""

    def __init__(self, what: str, *, method: str) -> None:
        super().__init__(
            f"{method} is not defined: {what} has the same value in every row used. "
            "Check the export, or leave it out."
        )


class WeightsNotAppliedError(CollabSurveyError):
    """An analysis that cannot use the weight role refuses it by name."""

    def __init__(self, analysis: str) -> None:
        super().__init__(
            f"{analysis} cannot apply the weight role. Remove 'weight' from the roles to get "
            "unweighted numbers."
        )


class FormulaError(CollabSurveyError, ValueError):
    """A model formula with something that is not part of the language."""

    def __init__(self, formula: str, problem: str) -> None:
        self.formula = formula
        self.problem = problem
        super().__init__(f"Formula {formula!r}: {problem}")


class OutputError(CollabSurveyError, OSError):
    """An output folder that cannot be written."""


class KeyingWarning(CollabSurveyWarning):
    """The data contradict the scoring key of a scale."""

    @classmethod
    def about(cls, scale: str, item_rest: Mapping[str, float]) -> KeyingWarning:
        """Write the sentence for the items (id to item–rest correlation) of one scale."""
        items = listed(f"{item} ({r:.2f})".replace("-", "−") for item, r in item_rest.items())
        verb = "correlate" if len(item_rest) > 1 else "correlates"
        return cls(
            f"Scale {scale!r}: {items} {verb} negatively with the other items after keying. "
            "Check whether the export has reversed the item already, the key, and the wording."
        )


class FewClustersWarning(CollabSurveyWarning):
    """So few clusters that intervals are only rough."""


class SingularFitWarning(CollabSurveyWarning):
    """A variance component estimated at zero, or a correlation at ±1."""


class ConvergenceWarning(CollabSurveyWarning):
    """An iteration that did not reach its optimum."""


def listed(names: Iterable[object], *, most: int = 12) -> str:
    """Names joined by commas, cut after `most` with a count of the rest."""
    shown = [str(name) for name in names]
    if len(shown) <= most:
        return ", ".join(shown) if shown else "none"
    return f"{', '.join(shown[:most])} and {len(shown) - most} more"
