"""Models that data leave undetermined though others would determine them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tests.dimensionality.sem.fitted_models import fitted

from collabsurvey.dimensionality.sem import estimate
from collabsurvey.dimensionality.sem.compile import build
from collabsurvey.dimensionality.sem.estimate import Fit
from collabsurvey.dimensionality.sem.identified import open_directions, singular_sentences
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import FloatArray

TWO = "f =~ a + b\ng =~ c + d + e"


def at_sample(text: str, cov: FloatArray, x: FloatArray) -> Fit:
    """A model at parameters x, with the moments they imply as the sample's."""
    return estimate.finished(build(text), Normal([Sample(500.0, cov, None)]), x)


def two_factors(covariance: float) -> Fit:
    cov = np.eye(5)
    cov[:2, :2] += 1.0
    cov[2:, 2:] += 1.0
    cov[:2, 2:] += covariance
    cov[2:, :2] += covariance
    free = [one for one in build(TWO).parameters if one.free]
    x = [covariance if (one.op == "~~" and one.lhs != one.rhs) else 1.0 for one in free]
    return at_sample(TWO, cov, np.array(x))


def test_two_items_need_a_covariance() -> None:
    fit = two_factors(0.0)
    (sentence,) = singular_sentences(fit.model, fit.information)
    for name in ("f=~b", "a~~a", "b~~b", "f~~f"):
        assert name in sentence
    for name in ("c~~c", "g~~g", "g=~d"):
        assert name not in sentence
    assert "'f' has two items only (a, b)" in sentence


def test_the_direction_moves_no_moment() -> None:
    fit = two_factors(0.0)
    (one,) = open_directions(fit.model, fit.information)
    assert_allclose(one.information, 0.0, atol=1e-12)
    names = [(p.lhs, p.op, p.rhs) for p in one.parameters]
    # Loading up by t: f~~f and a~~a trade their variances, and b~~b takes the rest.
    scale = np.sqrt(np.diag(fit.information))
    free = [(p.lhs, p.op, p.rhs) for p in fit.model.parameters if p.free]
    x = np.zeros(len(free))
    for name, part in zip(names, one.parts, strict=True):
        x[free.index(name)] = part / scale[free.index(name)]
    change = np.tensordot(x[fit.derivatives[0].which], fit.derivatives[0].cov, 1)
    assert_allclose(change, 0.0, atol=1e-10 * np.abs(x).max())


@pytest.mark.parametrize("covariance", [0.05, 0.5])
def test_with_a_covariance_nothing_is_open(covariance: float) -> None:
    fit = two_factors(covariance)
    assert singular_sentences(fit.model, fit.information) == []


def test_a_parameter_that_moves_nothing_is_named_alone() -> None:
    fit, _, _, _ = fitted("hs")
    information = fit.information.copy()
    information[0, :] = information[:, 0] = 0.0
    (sentence,) = singular_sentences(fit.model, information)
    assert sentence == "These data do not determine visual=~x2: fix it, or leave it out."


def test_groups_are_told_apart() -> None:
    fit, _, _, _ = fitted("groups")
    information = fit.information.copy()
    last = fit.model.n_unique - 1
    information[last, :] = information[:, last] = 0.0
    (sentence,) = singular_sentences(fit.model, information)
    assert ".g2" in sentence


def test_sound_models_have_no_sentences() -> None:
    for name in ("hs", "groups", "theta", "two_level"):
        fit, _, _, _ = fitted(name)
        assert singular_sentences(fit.model, fit.information) == []
