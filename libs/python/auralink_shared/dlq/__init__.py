"""Dead letters: messages that could not be handled, kept until a person decides. Data and promises: docs/dead-letters.md."""

from .errors import Conflict, DeadLetterError, Quarantined, Refused, TooLarge, Unknown
from .metrics import Collector
from .policy import Died, Rejected, RetryPolicy, handle
from .queue import DeadLetters, Letter, Page, Stats
from .record import Record
from .settings import Settings
from .spool import Spool

__all__ = [
    "Collector",
    "Conflict",
    "DeadLetterError",
    "DeadLetters",
    "Died",
    "Letter",
    "Page",
    "Quarantined",
    "Record",
    "Refused",
    "Rejected",
    "RetryPolicy",
    "Settings",
    "Spool",
    "Stats",
    "TooLarge",
    "Unknown",
    "handle",
]
