"""Numbers for people."""

from __future__ import annotations


def amount(number: float) -> str:
    """Bytes: `1.2 GB`, in powers of 1000."""
    for unit in ("B", "KB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.3g} TB"


def lasting(seconds: float) -> str:
    """A time: `2 min`, `1 h`, `3.5 days`."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= (2 * length if unit == "days" else length):
            return f"{seconds / length:,.3g} {unit}"
    return f"{seconds:.3g} s"


def share(part: float) -> str:
    """A share in percent; never 0 % of what there is some of, nor 100 % of what isn't all."""
    if 0 < part < 0.001:
        return "<0.1 %"
    if 0.999 < part < 1:
        return ">99.9 %"
    return f"{part * 100:.3g} %"
