"""Names of columns and facets in sentences."""

from __future__ import annotations


def several(name: str) -> str:
    """Plural of a name that is an ordinary word (school, wave); any other stays as it is."""
    if not (name.isalpha() and name.islower()) or name.endswith("s"):
        return name
    if name.endswith(("x", "ch", "sh")):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in tuple("aeiou"):
        return f"{name[:-1]}ies"
    return f"{name}s" if len(name) > 1 else name


def counted(size: float, name: str) -> str:
    """1 item, 2 waves, 29.7 respondents."""
    return f"{size:.4g} {name if size == 1 else several(name)}"
