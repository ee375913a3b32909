"""`auralink-dlq`: what an operator does with dead letters, from a terminal, a script or a CronJob (extra `cli`)."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point. Exit 0 done, 1 not all done, 2 could not run."""
    try:
        from .run import run
    except ModuleNotFoundError as error:
        sys.exit(_without(error))
    sys.exit(run())


def _without(error: ModuleNotFoundError) -> int:
    print(f"auralink-dlq: {error.name} is not installed (pip install 'auralink-shared[cli]')", file=sys.stderr)
    return 2
