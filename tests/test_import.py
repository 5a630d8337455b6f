"""The import is quick because it loads nothing heavy, and every public name can be reached."""

from __future__ import annotations

import subprocess
import sys

import pytest

import collabsurvey as cs


def test_importing_loads_nothing_heavy() -> None:
    heavy = "scipy statsmodels pingouin pydantic yaml matplotlib great_tables typer rich jinja2"
    code = (
        "import sys, pandas, narwhals; before = set(sys.modules); import collabsurvey; "
        "loaded = {name.split('.')[0] for name in set(sys.modules) - before}; "
        f"print(*sorted(loaded & set({heavy.split()!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", cs.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(cs, name) is not None
    assert name in dir(cs)


def test_a_name_that_does_not_exist_says_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'skore'$"):
        _ = cs.skore
