"""The residual part of a mixed model: how its structure is written, and what was estimated."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from collabsurvey.errors import NotSupportedError
from collabsurvey.numerics.residual_structures import serial_correlation
from collabsurvey.numerics.student import critical_value
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.results import wald_frame

Gaps = Literal["counted", "ignored"]
COLUMN = r"(?:`(?P<quoted>[^`]+)`|(?P<plain>[^\W\d][\w.]*))"
AR1 = re.compile(
    rf"ar1\(\s*{COLUMN}\s*(?:,\s*gaps\s*=\s*(['\"]?)(?P<gaps>counted|ignored)\3\s*)?\)"
)
BY = re.compile(rf"by\(\s*{COLUMN}\s*\)")
FORMS = '"ar1(time)", "ar1(time, gaps=ignored)", "by(wave)" or "ar1(time) + by(wave)"'


@dataclass(frozen=True)
class ResidualStructure:
    """What `residual=` asks for."""

    text: str
    time: str | None = None  # column of the autoregression
    gaps: Gaps = "counted"
    by: str | None = None  # column whose values have a variance each

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns it needs."""
        return tuple(name for name in (self.time, self.by) if name is not None)


def parse_residual(text: str) -> ResidualStructure:
    """Read a structure; it is matched against the forms there are, never evaluated."""
    found: dict[str, str] = {}
    pieces = re.findall(r"(?:`[^`]*`|[^`+])+", text) if isinstance(text, str) else []
    for piece in pieces:
        ar1, by = AR1.fullmatch(piece.strip()), BY.fullmatch(piece.strip())
        match, kind = (ar1, "time") if ar1 else (by, "by")
        if match is None or kind in found:
            raise _unreadable(text)
        found[kind] = match["quoted"] or match["plain"]
        if ar1 and ar1["gaps"]:
            found["gaps"] = ar1["gaps"]
    if not found:
        raise _unreadable(text)
    gaps: Gaps = "ignored" if found.get("gaps") == "ignored" else "counted"
    return ResidualStructure(text.strip(), found.get("time"), gaps, found.get("by"))


def _unreadable(text: object) -> NotSupportedError:
    return NotSupportedError(
        f"residual={text!r}", instead=f"Write {FORMS}, or leave residual out for equal variances."
    )


@dataclass(frozen=True, eq=False)
class ResidualPart:
    """Residual correlation and standard deviations as fitted.

    Attributes
    ----------
    omega : (k,) array
        atanh of the correlation over one step, and logs of the ratios of standard deviations
        to that of the first wave; `omega_covariance` (k + 1, k + 1) is theirs and log sigma's.
    step : float
        The time of one step: correlations are rho^(gap / step).
    sigma : float
        Residual standard deviation, in the first wave if they differ.
    mean_ratio2 : float
        Mean residual variance of a row, relative to sigma^2.
    statistic : float
        Twice the log-likelihood above that of independent residuals of equal variance.
    """

    structure: ResidualStructure
    waves: tuple[str, ...]  # (K,) values of `by`; empty without
    omega: FloatArray = field(repr=False)
    omega_covariance: FloatArray = field(repr=False)
    at_limit: tuple[bool, ...]
    signed: bool
    step: float
    sigma: float
    mean_ratio2: float
    statistic: float

    def __post_init__(self) -> None:
        self.omega.setflags(write=False)
        self.omega_covariance.setflags(write=False)

    @property
    def n_parameters(self) -> int:
        """Parameters beyond one residual variance."""
        return len(self.omega)

    @property
    def phi(self) -> float | None:
        """Correlation of residuals one unit of time apart; None without autoregression."""
        return None if self.structure.time is None else self._phi(float(self.omega[0]))

    @property
    def sds(self) -> FloatArray:
        """(K,) residual standard deviations of the waves; (1,) if they have one."""
        return np.asarray(self.sigma * np.exp(np.append(0.0, self._log_ratios)))

    @property
    def _log_ratios(self) -> FloatArray:
        return self.omega[int(self.structure.time is not None) :]

    def _phi(self, omega: float) -> float:
        return float(serial_correlation(omega, signed=self.signed)[0] ** (1 / self.step))

    def frame(self, conf_level: float) -> pd.DataFrame:
        """parameter, level, estimate, std_error, ci_low, ci_high; see `residual_parameters`."""
        half = float(critical_value(conf_level, np.array([np.inf]))[0])
        rows: list[tuple[str, str | None, float, float, float, float]] = []
        serial = int(self.structure.time is not None)
        if serial:
            omega, error = float(self.omega[0]), float(np.sqrt(self.omega_covariance[0, 0]))
            error = np.nan if self.at_limit[0] else error
            rho, slope = serial_correlation(omega, signed=self.signed)
            phi = self._phi(omega)
            moved = slope if self.step == 1 else phi / rho * slope / self.step
            low, high = (self._phi(omega + side * half * error) for side in (-1, 1))
            rows.append(("phi", None, phi, abs(moved) * error, low, high))
        for i, sd in enumerate(self.sds.tolist()):
            picks = np.zeros(len(self.omega) + 1)
            picks[-1] = 1.0
            limit = False
            if i:
                picks[serial + i - 1] = 1.0
                limit = self.at_limit[serial + i - 1]
            error = float(np.sqrt(picks @ self.omega_covariance @ picks))
            error = np.nan if limit else error
            low, high = (float(sd * np.exp(side * half * error)) for side in (-1, 1))
            rows.append(("sd", self.waves[i] if self.waves else None, sd, sd * error, low, high))
        names = ["parameter", "level", "estimate", "std_error", "ci_low", "ci_high"]
        return pd.DataFrame(rows, columns=names)

    def test(self) -> pd.DataFrame:
        """Likelihood ratio test against independent residuals of equal variance; one row."""
        k, statistic = self.n_parameters, max(self.statistic, 0.0)
        p_value = float(chdtrc(k, statistic))
        if not self.signed:  # phi cannot be below 0: half of all samples without it give 0
            p_value = (p_value + (float(chdtrc(k - 1, statistic)) if k > 1 else 0.0)) / 2
            p_value = 1.0 if statistic == 0 else p_value
        return wald_frame("chi-square", statistic, k, np.inf, p_value)

    def limits(self) -> tuple[str, ...]:
        """Sentences that name the parameters at their limit."""
        found = []
        serial = int(self.structure.time is not None)
        if serial and self.at_limit[0]:
            edge = "-1" if self.omega[0] < 0 else ("1" if self.omega[0] > 0 else "0")
            if not self.signed and self.omega[0] < 0:
                edge = "0"
            found.append(
                f"the correlation of residuals over {self.structure.time} is at its limit of {edge}"
            )
        for wave, limit in zip(self.waves[1:], self.at_limit[serial:], strict=False):
            if limit:
                found.append(
                    f"the residual variance of {self.structure.by} {wave} is a millionth or a "
                    f"million times that of {self.waves[0]}"
                )
        return tuple(found)

    def notes(self, group: str) -> tuple[str, ...]:
        """What a reader needs to know of the structure."""
        found = []
        time, by = self.structure.time, self.structure.by
        if time is not None:
            found.append(
                f"Residuals within {group} are correlated over {time} (first-order "
                f"autoregression): {self._distances(time)}"
            )
        if by is not None:
            sds = ", ".join(
                f"{sd:.3f} ({wave})" for wave, sd in zip(self.waves, self.sds, strict=True)
            )
            found.append(
                f"Residual SD by {by}: {sds}. The one residual SD above, and shares of variance, "
                "rest on the mean residual variance of the rows."
            )
        return tuple(found)

    def _distances(self, time: str) -> str:
        """Say how the correlation falls with distance."""
        if self.structure.gaps == "ignored":
            return (
                f"{self.phi:.3f} from row to row, to the power of the number of rows; gaps in "
                f"{time} are ignored."
            )
        if self.step == 1:
            return f"{self.phi:.3f} at a distance of one, to the power of the distance."
        rho = serial_correlation(float(self.omega[0]), signed=self.signed)[0]
        return (
            f"{rho:.3f} at the median distance of {self.step:g}, which is {self.phi:.3f} to the "
            "power of the distance; it is sought above 0."
        )
