"""Dead letters: messages that could not be handled, kept until a person decides. Data and promises: docs/dead-letters.md."""

from .audit import Entry
from .bulk import Progress
from .doctor import Finding
from .errors import Conflict, DeadLetterError, NeedsAllowAll, Quarantined, Refused, TooLarge, Unknown
from .index import Group, Page, Stats
from .jobs import Job, Jobs
from .letter import Filter, Letter
from .metrics import Collector
from .policy import Died, Rejected, RetryPolicy, handle
from .queue import DeadLetters
from .record import Record
from .settings import Settings
from .spool import Spool

__all__ = [
    "Collector",
    "Conflict",
    "DeadLetterError",
    "DeadLetters",
    "Died",
    "Entry",
    "Filter",
    "Finding",
    "Group",
    "Job",
    "Jobs",
    "Letter",
    "NeedsAllowAll",
    "Page",
    "Progress",
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
