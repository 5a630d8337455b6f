from __future__ import annotations

import numpy as np
import pytest

from collabsurvey.numerics.typing import FloatArray
from support import dataset

BFI25 = [f"{scale}{i}" for scale in "ACENO" for i in range(1, 6)]
HS1939 = [f"x{i}" for i in range(1, 10)]


@pytest.fixture(params=["bfi25", "hs1939"])
def named_answers(request: pytest.FixtureRequest) -> tuple[str, FloatArray]:
    """The name that gold entries end in, and complete answers (n, p)."""
    columns = BFI25 if request.param == "bfi25" else HS1939
    frame = dataset("bfi" if request.param == "bfi25" else "hs1939")
    return request.param, frame[columns].dropna().to_numpy(float)


@pytest.fixture
def hs1939() -> FloatArray:
    """Nine ability tests of 301 pupils."""
    return dataset("hs1939")[HS1939].to_numpy(float)


@pytest.fixture
def three_factors() -> FloatArray:
    """Answers (500, 12) of three uncorrelated factors with four items each, loadings .7."""
    rng = np.random.default_rng(20240501)
    scores = np.repeat(rng.standard_normal((500, 3)), 4, axis=1)
    return 0.7 * scores + np.sqrt(0.51) * rng.standard_normal((500, 12))
