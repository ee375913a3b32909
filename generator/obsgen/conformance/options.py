"""Options of `obsgen logs check` that are more than a text."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from .rules import Allowance


def maxima(context: click.Context, option: click.Parameter, given: Sequence[str]) -> dict[str, Allowance]:
    """`RULE=N`, as often as it is given; of a rule that is named twice, the last counts."""
    from .rules import allowance

    try:
        return dict(map(allowance, given))
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), context, option) from None


def duration(context: click.Context, option: click.Parameter, given: str) -> float:
    """Seconds of `90m` or `7d`."""
    from ..model import seconds

    if not re.fullmatch(r"(\d+(ms|[smhdwy]))+", given):
        raise click.BadParameter(f"{given!r} is no duration, as in 90m or 7d", context, option)
    return seconds(given)


def moment(context: click.Context, option: click.Parameter, given: str | None) -> float:
    """Seconds since 1970 of an ISO 8601 time; now without one."""
    try:
        return datetime.fromisoformat(given).timestamp() if given else time.time()
    except ValueError:
        raise click.BadParameter(f"{given!r} is no time, as in 2026-11-26T12:00:00Z", context, option) from None
