"""What a mixed model returns, beyond what every regression does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from collabsurvey.errors import DataError, NotSupportedError, check_level
from collabsurvey.moments.design import complete_columns, series_like
from collabsurvey.numerics.kenward_roger import KenwardRoger
from collabsurvey.numerics.mixed import GroupProducts, MixedFit
from collabsurvey.numerics.mixed_blocks import BlockFit, BlockProducts
from collabsurvey.numerics.mixed_inference import VarianceParameters, joint_test, satterthwaite_df
from collabsurvey.numerics.student import critical_value
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.formula import RandomTerm
from collabsurvey.regression.grouping import grouping_of
from collabsurvey.regression.residual_part import ResidualPart
from collabsurvey.regression.results import RegressionResult, wald_frame
from collabsurvey.regression.terms import Columns, DesignPlan, Encoding, expand, variable_values


@dataclass(frozen=True, eq=False)
class RandomPart:
    """One random term as fitted, in units of the data.

    Attributes
    ----------
    group, names : str, tuple of str (G,)
        The grouping factor and its groups.
    theta : (k,) array
        Elements of lme4's relative covariance factor, column by column.
    covariance : (q, q) array
        Of the random effects.
    modes, mode_sds : (G, q) array
        Conditional modes, and their sds with the fixed effects taken as known (as lme4).
    scale : (q, q) array
        Effects as named = scale @ those of the standardised columns that the kernel sees.
    """

    term: RandomTerm
    group: str
    names: tuple[str, ...] = field(repr=False)
    plan: DesignPlan = field(repr=False)
    theta: FloatArray = field(repr=False)
    covariance: FloatArray
    modes: FloatArray = field(repr=False)
    mode_sds: FloatArray = field(repr=False)
    scale: FloatArray = field(repr=False)

    def __post_init__(self) -> None:
        for value in (self.theta, self.covariance, self.modes, self.mode_sds, self.scale):
            value.setflags(write=False)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the q random effects."""
        return self.plan.names

    def of_rows(self, columns: Columns, encoding: Encoding, n_rows: int) -> FloatArray:
        """What the modes add to each row (n,); groups without a mode add nothing."""
        grouping = grouping_of(self.term, columns)
        place = {name: i for i, name in enumerate(self.names)}
        modes = np.vstack((self.modes, np.zeros(self.modes.shape[1])))
        modes = modes[[place.get(name, -1) for name in grouping.names]]
        values = variable_values(self.term.terms, columns, encoding, n_rows)
        z = expand(self.plan, values, slice(0, n_rows))
        of_groups = np.einsum("nq,nkq->nk", z, modes[grouping.codes])
        if grouping.weights is not None:
            of_groups = of_groups * grouping.weights
        return np.asarray(of_groups.sum(axis=1))


@dataclass(frozen=True, eq=False)
class MixedResult(RegressionResult):
    """A linear mixed model; see `RegressionResult` for the common part.

    Attributes
    ----------
    reml : bool
        Whether the criterion is REML; `fit["loglik"]` is then the REML criterion's, as lme4's.
    singular : bool
        Whether a variance was estimated at zero, or a correlation at ±1.
    parts : tuple of RandomPart
        The random terms in lme4's order, by falling number of groups. With one random term
        `group_names`, `random_terms`, `random_covariance`, `modes`, `mode_sds` are those of it.
    optimiser : MixedFit or BlockFit
        Method, iterations, gradient at the optimum.
    products : GroupProducts, NestedProducts or CrossedProducts
        The cross-products the model was fitted from, the outcome in units of `e_scale`.
    """

    df_method: str
    reml: bool
    singular: bool
    parts: tuple[RandomPart, ...] = field(repr=False)
    parameters: VarianceParameters = field(repr=False)
    basis: FloatArray = field(repr=False)  # (p, p) coefficients = basis @ those of Q
    optimiser: MixedFit | BlockFit = field(repr=False)
    products: GroupProducts | BlockProducts = field(repr=False)
    e_scale: float = field(repr=False)
    kenward_roger: KenwardRoger | None = None  # with df_method="kenward-roger"
    residual: ResidualPart | None = field(default=None, repr=False)  # with residual="ar1(time)"

    @property
    def title(self) -> str:
        """What the model is, in one line."""
        method = "REML" if self.reml else "maximum likelihood"
        return f"Mixed model of {self.outcome} by {self.group} ({method})"

    @property
    def group(self) -> str:
        """The grouping factor; of several, all joined by "and"."""
        return " and ".join(dict.fromkeys(part.group for part in self.parts))

    @property
    def theta(self) -> FloatArray:
        """(k,) elements of lme4's relative covariance factors, term by term."""
        return np.concatenate([part.theta for part in self.parts])

    @property
    def group_names(self) -> tuple[str, ...]:
        """(G,) names of the groups of the one random term."""
        return self._only("group_names").names

    @property
    def random_terms(self) -> tuple[str, ...]:
        """(q,) names of the random effects of the one random term."""
        return self._only("random_terms").terms

    @property
    def correlated(self) -> bool:
        """Whether the random effects of the one random term are correlated."""
        return self._only("correlated").term.correlated

    @property
    def random_covariance(self) -> FloatArray:
        """(q, q) variances and covariances of the one random term."""
        return self._only("random_covariance").covariance

    @property
    def modes(self) -> FloatArray:
        """(G, q) conditional modes of the one random term, in the order of `group_names`."""
        return self._only("modes").modes

    @property
    def mode_sds(self) -> FloatArray:
        """(G, q) their conditional standard deviations."""
        return self._only("mode_sds").mode_sds

    @property
    def random_plan(self) -> DesignPlan:
        """The columns of the one random term."""
        return self._only("random_plan").plan

    def _only(self, name: str) -> RandomPart:
        if len(self.parts) > 1:
            raise NotSupportedError(
                f".{name} of a model with several random terms", instead="Use .parts."
            )
        return self.parts[0]

    @property
    def variance_components(self) -> pd.DataFrame:
        """Variances with lme4's columns: group, term1, term2, vcov, sdcor.

        Term by term, variances before covariances (term2 set, sdcor the correlation); the
        residual last. Several terms of one factor, and slopes that are uncorrelated (`||`), are
        numbered as groups of their own, as lme4 does.
        """
        names = ["group", "term1", "term2", "vcov", "sdcor"]
        return pd.DataFrame(self._components(), columns=names)

    def _components(self) -> list[tuple[str, str | None, str | None, float, float]]:
        rows: list[tuple[str, str | None, str | None, float, float]] = []
        pieces = [piece for part in self.parts for piece in _correlated_pieces(part)]
        labels = unique_labels([part.group for part, _ in pieces])
        for (part, columns), label in zip(pieces, labels, strict=True):
            cov = part.covariance[np.ix_(columns, columns)]
            names = [part.terms[j] for j in columns]
            sds = np.sqrt(np.diag(cov))
            for i, name in enumerate(names):
                rows.append((label, name, None, float(cov[i, i]), float(sds[i])))
            for i in range(len(names)):
                for j in range(i + 1, len(names)):
                    size = sds[i] * sds[j]
                    correlation = float(cov[i, j] / size) if size > 0 else np.nan
                    rows.append((label, names[i], names[j], float(cov[i, j]), correlation))
        sigma = float(self.fit["sigma"])
        rows.append(("Residual", None, None, sigma**2, sigma))
        return rows

    @property
    def residual_parameters(self) -> pd.DataFrame:
        """Residual correlation and standard deviations of a model with `residual`.

        Columns parameter ("phi", "sd"), level (the wave), estimate, std_error, ci_low, ci_high.
        phi is the correlation one unit of time (or one row) apart. Limits are symmetric for
        atanh(phi) (logit, where phi is sought above 0) and log(sd); errors by the delta method. A
        parameter at its limit has no error.
        """
        return self._structured("residual_parameters").frame(self.conf_level)

    @property
    def residual_test(self) -> pd.DataFrame:
        """Likelihood ratio test against independent residuals of one variance.

        One row: test, statistic, df1, df2, p_value. By the fit's own criterion: the coefficients
        are the same. Where phi is sought above 0 only, the p-value is that of equal shares of
        chi-squares of df1 - 1 and df1 (Self & Liang, 1987, doi:10.1080/01621459.1987.10478472).
        """
        return self._structured("residual_test").test()

    def _structured(self, name: str) -> ResidualPart:
        if self.residual is None:
            raise DataError(
                f".{name} needs a model with a structure of its residuals: fit it with residual=, "
                'such as residual="ar1(time)".'
            )
        return self.residual

    def require_plain_residuals(self, method: str) -> None:
        """Refuse what takes the residuals as independent and of one variance."""
        if self.residual is not None:
            raise NotSupportedError(
                f"{method} of a model with residual={self.residual.structure.text!r}",
                instead="Use .residual_parameters and .residual_test, or leave residual out.",
            )

    @property
    def random_effects(self) -> pd.DataFrame:
        """Conditional modes: group, level, term, estimate, conditional_sd; lme4's `ranef`."""
        frames = []
        for part in self.parts:
            n_groups, q = part.modes.shape
            columns = {
                "group": part.group,
                "level": np.repeat(np.array(part.names, dtype=object), q),
                "term": list(part.terms) * n_groups,
                "estimate": part.modes.ravel(),
                "conditional_sd": part.mode_sds.ravel(),
            }
            frames.append(pd.DataFrame(columns))
        return pd.concat(frames, ignore_index=True)

    def wald(self, terms: Sequence[str] | str | None = None) -> pd.DataFrame:
        """Test that several coefficients are zero at once; all but the intercept by default.

        F with Satterthwaite df, as lmerTest (for one coefficient, its t squared), or Kenward and
        Roger's scaled F with their df; chi-square with `df_method="z"`.

        Returns
        -------
        DataFrame
            One row: test, statistic, df1, df2, p_value.
        """
        rows = self._contrasts(terms)
        if self.df_method == "z":
            return self._wald_without_pieces(rows)
        if self.kenward_roger is not None:
            test = self.kenward_roger.test(rows @ self.basis, rows @ self.coefficients)
            return wald_frame("F", test.statistic, len(rows), test.df2, test.p_value)
        found = joint_test(self.parameters, rows @ self.basis, rows @ self.coefficients)
        return wald_frame("F", found[0], len(rows), found[1], found[2])

    def predict(self, data: Any, *, random_effects: bool = True) -> Any:
        """Predicted outcome for every row of a table, as a series of its engine.

        With `random_effects` the conditional modes of known groups are added; a group that the
        fit has not seen is predicted at the average group. A row that lacks a predictor, or
        its group, has a missing prediction.
        """
        formula = self.encoding.formula
        names = formula.random_columns if random_effects else ()
        columns, complete = complete_columns(
            data,
            list(dict.fromkeys((*formula.predictor_columns, *names))),
            any_of=formula.alternatives if random_effects else (),
            optional=formula.optional_columns if random_effects else (),
        )
        n = int(complete.sum())
        fitted = self._fixed_part(columns, n)
        if random_effects:
            for part in self.parts:
                fitted = fitted + part.of_rows(columns, self.encoding, n)
        predictions = np.full(len(complete), np.nan)
        predictions[complete] = fitted
        return series_like(data, self.outcome, predictions)

    def predict_mean(self, data: Any, *, conf_level: float | None = None) -> pd.DataFrame:
        """Predicted mean of the average group for every row of a table, with its interval.

        Parameters
        ----------
        data : frame
            With the columns of the fixed part; a row that lacks one has missing values.
        conf_level : float, optional
            That of the fit if left out.

        Returns
        -------
        DataFrame
            estimate, std_error, df, ci_low, ci_high: Wald, with the df of the fit's method. The
            interval is of the mean; single rows and groups vary about it.
        """
        level = self.conf_level if conf_level is None else conf_level
        check_level(level)
        formula = self.encoding.formula
        columns, complete = complete_columns(data, formula.predictor_columns)
        n = int(complete.sum())
        values = variable_values(formula.terms, columns, self.encoding, n)
        on_q = expand(self.plan, values, slice(0, n)) @ self.basis
        variance = np.einsum("np,pr,nr->n", on_q, self.parameters.vcov, on_q)
        df = np.full(n, np.inf)
        if self.kenward_roger is not None:
            df = self.kenward_roger.df(on_q)
            variance = np.einsum("np,pr,nr->n", on_q, self.kenward_roger.covariance, on_q)
        elif self.df_method != "z":
            df = satterthwaite_df(self.parameters, on_q)
        estimate, error = self._fixed_part(columns, n), np.sqrt(variance)
        half = critical_value(level, df) * error
        found = np.full((len(complete), 5), np.nan)
        found[complete] = np.column_stack((estimate, error, df, estimate - half, estimate + half))
        names = ["estimate", "std_error", "df", "ci_low", "ci_high"]
        return pd.DataFrame(found, columns=names, index=getattr(data, "index", None))

    def _fit_sentences(self) -> tuple[str, ...]:
        by_group: dict[str, list[str]] = {}
        for group, name, other, _, size in self._components():
            words = f"{name} SD {size:.3f}" if other is None else ""
            words = words or f"correlation {name}, {other} {size:.2f}"
            by_group.setdefault(group, []).append(words)
        by_group.pop("Residual")
        n_groups = self.fit["n_groups"]
        residual = f"residual SD {self.fit['sigma']:.3f}."
        if len(self.parts) == 1:
            words = ", ".join(word for parts in by_group.values() for word in parts)
            counts = f"{self.parts[0].modes.shape[0]} groups of {self.group}"
            between = f"Between groups: {words}; {residual}"
        else:
            counts = " and ".join(f"{n} groups of {name}" for name, n in n_groups.items())
            words = "; ".join(f"{group}: {', '.join(parts)}" for group, parts in by_group.items())
            between = f"Between groups of {words}; {residual}"
        return (f"{self.formula}; {self.fit['n_obs']} rows in {counts}.", between)


def _correlated_pieces(part: RandomPart) -> list[tuple[RandomPart, list[int]]]:
    """Columns of a term that are correlated with each other: all, or each by itself."""
    columns = list(range(len(part.terms)))
    return [(part, columns)] if part.term.correlated else [(part, [j]) for j in columns]


def unique_labels(labels: Sequence[str]) -> list[str]:
    """Labels as R's make.names(unique=TRUE) makes them where some are the same: g, g.1."""
    if len(set(labels)) == len(labels):
        return list(labels)
    seen: dict[str, int] = {}
    found = []
    for label in (re.sub(r"[^\w.]", ".", label) for label in labels):
        count = seen.get(label, 0)
        found.append(f"{label}.{count}" if count else label)
        seen[label] = count + 1
    return found
