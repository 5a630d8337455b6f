"""Every notebook runs from top to bottom, and was committed as it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def texts(cell: dict[str, object]) -> list[str]:
    """Text that a cell printed or showed."""
    found = []
    for output in cell.get("outputs", []):  # type: ignore[attr-defined]
        if output["output_type"] == "stream":
            found.append(output["text"])
        elif "text/plain" in output.get("data", {}):
            found.append(output["data"]["text/plain"])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")  # of the kernel's own packages, in this process
def test_a_notebook_runs_as_committed(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    committed = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    client.NotebookClient(fresh, timeout=120, kernel_name="python3").execute()
    cells = zip(committed.cells, fresh.cells, strict=True)
    for number, (before, after) in enumerate(cells, start=1):
        if before["cell_type"] == "code" and "<Figure" not in str(before["outputs"]):
            assert texts(before) == texts(after), f"cell {number} was committed with other output"


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS
