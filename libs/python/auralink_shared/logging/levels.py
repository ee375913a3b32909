"""The levels of the standard, and where the numbers of stdlib `logging` fall among them."""

from __future__ import annotations

# By the numbers of stdlib `logging`; TRACE is 5, as uvicorn has it.
LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}
_ALSO = {"WARNING": "WARN", "CRITICAL": "FATAL"}


def number(name: str | int) -> int:
    """The number of a level's name in any case, stdlib's names too. Raises ValueError for a name that is none."""
    if isinstance(name, int):
        return name
    upper = name.upper()
    found = LEVELS.get(_ALSO.get(upper, upper))
    if found is None:
        raise ValueError(f"unknown level {name!r} (one of {', '.join(LEVELS)})")
    return found


def name(value: object) -> str:
    """The level that a number falls in: 25 is INFO, as a threshold would take it; below 10 it is TRACE, INFO where it is no number."""
    if not isinstance(value, int):
        return "INFO"
    if value in _NAMES:
        return _NAMES[value]
    return next((level for level, least in reversed(LEVELS.items()) if value >= least), "TRACE")


_NAMES = {least: level for level, least in LEVELS.items()}
