"""A predictor that is the mean of a group's members, with the chance in that mean taken out.

The observed mean m_g of n_g members is the group's own value plus error of variance sigma^2 / n_g.
In a regression it is replaced by its expectation given the mean and the other predictors
(regression calibration, Carroll et al., 2006, ch. 4; the adjusted group means of Croon & van
Veldhoven, 2007, doi:10.1037/1082-989X.12.1.45). A row of the design is b + s m_g, so products of
[b, s, y] of each group serve every choice of the means, and leaving out a group in turn (the
jackknife) takes the whole procedure along without touching rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.typing import FloatArray


@dataclass(frozen=True, eq=False)
class MemberMoments:
    """What is known of the members of each group."""

    n: FloatArray  # (G,)
    mean: FloatArray  # (G,)
    ss: FloatArray  # (G,) squared deviations from the mean
    unseen: FloatArray  # (G,) share of the eligible who did not answer; 1 for a sample of many

    def without(self, g: int) -> MemberMoments:
        """Leave out one group."""
        kept = [np.delete(values, g) for values in (self.n, self.mean, self.ss, self.unseen)]
        return MemberMoments(*kept)


@dataclass(frozen=True, eq=False)
class Calibration:
    """The means after adjustment, and the reliability of each."""

    adjusted: FloatArray  # (G,)
    reliability: FloatArray  # (G,) given the other predictors
    tau2: float  # variance between groups, given the other predictors; may be 0 or less
    sigma2: float  # within groups


def calibrated(members: MemberMoments, others: FloatArray) -> Calibration:
    """Expectation of each group's own value given its mean and `others` (G, k).

    tau2 is the moment estimator: of r = M m the expected sum of squares is tau2 tr(M) + sum of
    M_gg sigma^2 / n_g, M being what is left after least squares on `others`.
    """
    sigma2 = float(members.ss.sum() / (members.n - 1).sum())
    error = sigma2 * members.unseen / members.n
    u, values, _ = np.linalg.svd(others, full_matrices=False)
    u = u[:, values > 1e-10 * values[0]]
    fitted = u @ (u.T @ members.mean)
    rest = members.mean - fitted
    left = 1 - (u**2).sum(axis=1)
    tau2 = float((rest @ rest - left @ error) / left.sum())
    reliability = np.where(error > 0, max(tau2, 0.0) / np.maximum(tau2 + error, 1e-300), 1.0)
    return Calibration(fitted + reliability * rest, reliability, tau2, sigma2)


@dataclass(frozen=True, eq=False)
class GroupDesign:
    """Products of [b, s, y] of each group: a row of the design is b + s m."""

    bb: FloatArray  # (G, p, p)
    bs: FloatArray  # (G, p, p) b's + s'b
    ss: FloatArray  # (G, p, p)
    by: FloatArray  # (G, p)
    sy: FloatArray  # (G, p)

    def coefficients(self, means: FloatArray, kept: FloatArray) -> FloatArray:
        """Least squares (p,) with these means (G,), of groups with weight 1 in `kept`."""
        xx = np.tensordot(kept, self.bb, 1) + np.tensordot(kept * means, self.bs, 1)
        xx += np.tensordot(kept * means**2, self.ss, 1)
        return np.asarray(np.linalg.solve(xx, kept @ self.by + (kept * means) @ self.sy))


@dataclass(frozen=True, eq=False)
class Jackknifed:
    """Coefficients with observed and with adjusted means, and their jackknife replicates."""

    naive: FloatArray  # (p,)
    adjusted: FloatArray  # (p,)
    naive_without: FloatArray  # (G, p)
    adjusted_without: FloatArray  # (G, p)
    least_tau2: float  # smallest of any replicate


def jackknifed(
    design: GroupDesign, members: MemberMoments, others: FloatArray, calibration: Calibration
) -> Jackknifed:
    """Leave out each group in turn, from reliability to coefficients."""
    n_groups = len(members.n)
    p = design.by.shape[1]
    everyone = np.ones(n_groups)
    without = np.empty((2, n_groups, p))
    least = calibration.tau2
    for g in range(n_groups):
        kept = everyone.copy()
        kept[g] = 0.0
        again = calibrated(members.without(g), np.delete(others, g, axis=0))
        least = min(least, again.tau2)
        means = np.insert(again.adjusted, g, 0.0)
        without[0, g] = design.coefficients(members.mean, kept)
        without[1, g] = design.coefficients(means, kept) if again.tau2 > 0 else np.nan
    return Jackknifed(
        naive=design.coefficients(members.mean, everyone),
        adjusted=design.coefficients(calibration.adjusted, everyone),
        naive_without=without[0],
        adjusted_without=without[1],
        least_tau2=least,
    )


def jackknife_errors(without: FloatArray) -> FloatArray:
    """Standard errors (p,) from replicates (G, p)."""
    n = len(without)
    return np.asarray(np.sqrt((n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0)))
