"""Which parameters are equal: by a shared label, by `equal()`, or across groups."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from collabsurvey.dimensionality.sem.roles import Roles
from collabsurvey.errors import OptionError, UnknownNameError

if TYPE_CHECKING:
    from collabsurvey.dimensionality.sem.table import Row

EQUAL = (
    "loadings", "intercepts", "means", "thresholds", "regressions",
    "residuals", "residual.covariances", "lv.variances", "lv.covariances",
)  # fmt: skip
_KIND = {"=~": "loadings", "~": "regressions", "|": "thresholds"}


def name_of(lhs: str, op: str, rhs: str, group: int = 0, level: int = 1) -> str:
    """Name a parameter without label as lavaan does, such as "f=~x2.g2"."""
    name = f"{lhs}{op}{rhs}"
    if group > 0:
        name += f".g{group + 1}"
    return f"{name}.l{level}" if level > 1 else name


def tie(
    rows: Sequence[Row],
    blocks: Sequence[Roles],
    *,
    equal: Collection[str],
    partial: Collection[str],
) -> None:
    """Give equal parameters one label; fix all of them where one is fixed.

    Parameters without a label of their own get the number of the first of them, ".p2.", as in
    lavaan.
    """
    names = [name_of(row.lhs, row.op, row.rhs, row.group, row.level) for row in rows]
    keys = _across_groups(rows, names, blocks, equal, partial)
    for i, row in enumerate(rows):
        keys[i] = row.label or keys[i]
    place = {name: i for i, name in enumerate(names)}
    for i, row in enumerate(rows):
        if row.equals:
            if (target := row.equals.replace(" ", "")) not in place:
                raise UnknownNameError("parameter", target, available=names, where="The model")
            keys[i] = keys[place[target]]
    together: dict[str, list[int]] = {}
    for i, key in enumerate(keys):
        together.setdefault(key, []).append(i)
    for places in together.values():
        if len(places) > 1:
            _join([rows[i] for i in places], f".p{places[0] + 1}.")


def _join(rows: Sequence[Row], label: str) -> None:
    fixed = next((row for row in rows if not row.free), None)
    label = next((row.label for row in rows if row.label), label)
    for row in rows:
        if fixed is not None:
            row.free, row.value = False, fixed.value
        else:
            row.label = label


def _across_groups(
    rows: Sequence[Row],
    names: Sequence[str],
    blocks: Sequence[Roles],
    equal: Collection[str],
    partial: Collection[str],
) -> list[str]:
    """Name of every row, or of its counterpart in the first group if they are to be equal."""
    keys = list(names)
    for kind in equal:
        if kind not in EQUAL:
            raise OptionError("equal", kind, allowed=EQUAL)
    first = {
        (row.lhs, row.op, row.rhs, row.level): name
        for row, name in zip(rows, names, strict=True)
        if row.group == 0
    }
    exceptions = _exceptions(partial, set(first.values()))
    if not equal or rows[-1].group == 0:
        return keys
    for i, row in enumerate(rows):
        if row.group > 0 and _is_equal(row, blocks[row.level - 1], equal):
            name = first[row.lhs, row.op, row.rhs, row.level]
            if name not in exceptions:
                keys[i] = name
    return keys


def _exceptions(partial: Collection[str], names: Collection[str]) -> set[str]:
    """Names of the parameters of `partial`, however they are spaced or turned."""
    found = set()
    for text in partial:
        name = text.replace(" ", "")
        lhs, op, rhs = name.partition("~~")
        if name not in names and op and f"{rhs}~~{lhs}" in names:
            name = f"{rhs}~~{lhs}"
        if name not in names:
            raise UnknownNameError("parameter", text, available=names, where="The model")
        found.add(name)
    return found


def _is_equal(row: Row, block: Roles, equal: Collection[str]) -> bool:
    """Whether the options ask for this parameter to be the same in all groups."""
    latent = row.lhs in block.latent
    if row.op not in ("~1", "~~"):
        return _KIND.get(row.op) in equal
    if not latent and row.lhs in block.exogenous:
        return False
    if row.op == "~1":
        return ("means" if latent else "intercepts") in equal
    if row.lhs == row.rhs:
        return ("lv.variances" if latent else "residuals") in equal
    return ("lv.covariances" if latent else "residual.covariances") in equal
