"""Times, numbers and sizes as a page says them."""

from __future__ import annotations

from datetime import UTC, datetime

_SPANS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


def _moment(seconds: float) -> datetime:
    """Of any number, the years 1 to 9999 of which a calendar knows."""
    return datetime.fromtimestamp(min(max(seconds, -62_135_596_800.0), 253_402_300_799.0), UTC)


def utc(seconds: float) -> str:
    """`2026-05-28 20:26:40`; the page says once that it is UTC."""
    return _moment(seconds).isoformat(" ", "seconds")[:19]


def rfc3339(seconds: float) -> str:
    """With microseconds: it names a letter's age exactly."""
    return _moment(seconds).isoformat(timespec="microseconds").replace("+00:00", "Z")


def local(seconds: float | None) -> str:
    """What an input of type datetime-local starts with, to the second; it is labelled UTC."""
    return "" if seconds is None else _moment(seconds).isoformat("T", "seconds")[:19]


def span(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h`, `30 d`: the largest unit that is there at least once, and twice for more than minutes."""
    for name, unit in _SPANS:
        if seconds >= unit * (2 if unit > 60 else 1):
            return f"{round(seconds / unit)} {name}"
    return "less than 1 s"


def ago(seconds: float, now: float) -> str:
    """`3 h ago`, `in 3 h`, `just now`."""
    apart = now - seconds
    if abs(apart) < 1:
        return "just now"
    return f"{span(apart)} ago" if apart > 0 else f"in {span(-apart)}"


def count(number: int) -> str:
    """`12,345`."""
    return f"{number:,}"


def size(octets: int) -> str:
    """`812 bytes`, `24.1 KiB`."""
    return f"{octets:,} bytes" if octets < 1024 else f"{octets / 1024:,.1f} KiB"
