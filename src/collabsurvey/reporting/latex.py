"""Tables for LaTeX: booktabs rules, everything escaped, notes below.

`to_great_table().as_latex()` breaks long tables over floats and leaves true minus signs to the
engine; papers are mostly set with pdfLaTeX, so signs are written as commands here.
"""

from __future__ import annotations

import re
from typing import Literal

from collabsurvey.display import Table
from collabsurvey.display.sections import SectionedTable
from collabsurvey.errors import OptionError
from collabsurvey.results import Result

Environment = Literal["table", "longtable", "tabular"]
ENVIRONMENTS = ("table", "longtable", "tabular")
LABEL = re.compile(r"[A-Za-z0-9:._/-]+")
ESCAPED = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "−": r"$-$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "²": r"$^{2}$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "≠": r"$\ne$",
    "√": r"$\surd$",
    "∞": r"$\infty$",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "\u00a0": "~",
    "\u2009": r"\,",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "χ": r"$\chi$",
    "λ": r"$\lambda$",
    "π": r"$\pi$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "ω": r"$\omega$",
    "Δ": r"$\Delta$",
}
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def to_latex(
    table: Table | Result,
    *,
    label: str | None = None,
    environment: Environment = "table",
) -> str:
    r"""Write a table, or the table of any result, as LaTeX.

    Parameters
    ----------
    table : Table or Result
        Such as `cs.regression.compare([...])`.
    label : str, optional
        For `\ref`, such as "tab:models".
    environment : str
        "table" (default: a float with caption and notes), "longtable" (over several pages; needs
        that package), or "tabular" for the bare rows.

    Returns
    -------
    str
        LaTeX that needs `\usepackage{booktabs}`. Every text is escaped, so that a name such as
        "trust_between" or "50%" can neither break the document nor run a command.

    Raises
    ------
    OptionError
        Neither a table nor a result; a label that is not letters, digits and `:._/-`;
        an unknown environment.
    """
    if not isinstance(table, Table | Result):
        given = table if isinstance(table, str) else type(table).__name__
        raise OptionError("table", given, allowed=("a Table", "a result"))
    if environment not in ENVIRONMENTS:
        raise OptionError("environment", environment, allowed=ENVIRONMENTS)
    if label is not None and not LABEL.fullmatch(label):
        raise OptionError("label", label, allowed=("letters, digits and : . _ / -",))
    shown = table.table() if isinstance(table, Result) else table
    align = "".join("r" if number else "l" for number in shown.is_numeric())
    heads = " & ".join(escaped(text) for text in shown.headings()) + r" \\"
    rows = _rows(shown)
    caption = rf"\caption{{{escaped(shown.title)}}}"
    mark = [rf"\label{{{label}}}"] if label else []
    if environment == "longtable":
        return "\n".join(
            [
                rf"\begin{{longtable}}{{{align}}}",
                "".join([caption, *mark]) + r" \\",
                r"\toprule", heads, r"\midrule", r"\endfirsthead",
                r"\toprule", heads, r"\midrule", r"\endhead",
                *rows,
                r"\bottomrule",
                r"\end{longtable}",
                *_notes(shown),
                "",
            ]
        )  # fmt: skip
    body = [
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule", heads, r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
    ]  # fmt: skip
    if environment == "tabular":
        return "\n".join([*body, ""])
    start = [r"\begin{table}[htbp]", r"\centering", caption, *mark]
    return "\n".join([*start, *body, *_notes(shown), r"\end{table}", ""])


def escaped(text: str) -> str:
    """A text that LaTeX prints as it is; line breaks become spaces."""
    plain = CONTROL.sub(" ", text)
    return "".join(ESCAPED.get(letter, letter) for letter in plain)


def _rows(table: Table) -> list[str]:
    heads = table.heads if isinstance(table, SectionedTable) else ()
    rows: list[str] = []
    for i, cells in enumerate(table.cells()):
        shown = [escaped(cell) for cell in cells]
        # Braces keep a bracket or a star that begins a row from the line break before it.
        shown = [f"{{{text}}}" if text.startswith(("[", "*")) else text for text in shown]
        if i in heads:
            rows += [r"\addlinespace"] if i else []
            shown = [rf"\textbf{{{text}}}" if text else "" for text in shown]
        rows.append(" & ".join(shown) + r" \\")
    return rows


def _notes(table: Table) -> list[str]:
    if not table.notes:
        return []
    text = " ".join(escaped(note) for note in table.notes)
    return [r"\par\smallskip", rf"\parbox{{\linewidth}}{{\footnotesize \textit{{Note.}} {text}}}"]
