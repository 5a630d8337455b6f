"""The construct pages of the shipped instruments, committed as Markdown beside their files.

After a change to an instrument write them anew from the checkout:

    python -c "from collabsurvey.instruments.page_files import write_pages; write_pages()"
"""

from __future__ import annotations

from pathlib import Path

from collabsurvey.instruments.folder import CANDIDATES, shipped_paths
from collabsurvey.instruments.loader import load_instrument
from collabsurvey.instruments.page import page_markdown


def write_pages(folder: Path = CANDIDATES[-1] / "pages") -> None:
    """Write the pages of all shipped instruments of our own beside their files."""
    folder.mkdir(exist_ok=True)
    for name, path in shipped_paths().items():
        instrument = load_instrument(path)
        if instrument.kind != "key_only":
            (folder / f"{name}.md").write_text(page_markdown(instrument), encoding="utf-8")
