"""Many letters by a filter, no faster than their queue can take them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from .. import DeadLetters
from .. import bulk as many
from ..letter import Filter
from . import output
from .confirm import confirm
from .options import acting, connected, filtered, printing, queue_argument
from .reading import warn_unknown

_DONE = {"retry": "retried", "remove": "removed"}
ASKED_FROM = 100
"""More letters than this are confirmed by typing how many they are."""


@click.command()
@click.argument("action", type=click.Choice(["retry", "remove"]))
@queue_argument
@filtered
@click.option("--allow-all", is_flag=True, help="All letters of the queue, where no filter is given.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The N oldest at most.")
@click.option("--rate", type=float, default=50.0, show_default=True, metavar="N", help="Letters a second, 500 at most.")
@click.option("--force", is_flag=True, help="Quarantined letters too.")
@click.option("--dry-run", is_flag=True, help="Says how many letters are meant, and does nothing.")
@click.option("--yes", is_flag=True, help=f"Without asking, of more than {ASKED_FROM} letters too.")
@acting
@printing
@connected
def bulk(
    action: str,
    queue: str,
    only: Filter,
    allow_all: bool,
    limit: int | None,
    rate: float,
    force: bool,
    dry_run: bool,
    yes: bool,
    by: str,
    note: str,
    as_json: bool,
    letters: DeadLetters,
) -> int:
    """Retries or removes many letters.

    Those that a filter means, the oldest first, at a rate; what can't be done to one is counted, and it stays.
    """
    if only.empty and not allow_all:
        raise click.UsageError("no filter is given, which would be all letters: say so with --allow-all")
    if not 0 < rate <= 500:
        raise click.UsageError("--rate is more than 0 and 500 at most")
    warn_unknown(letters, queue)
    matched = letters.count(queue, only)
    meant = min(matched, limit or matched)
    if dry_run:
        if as_json:
            output.line({"queue": queue, "action": action, "matched": matched, "dry_run": True})
        else:
            click.echo(f"would {action} {meant} of {output.letters(matched)}")
        return 0
    if meant > ASKED_FROM and not yes:
        confirm(action, meant)
    tally, progress = output.Tally(meant, 0, 0, {}), output.Progress()
    if meant:
        # what arrives after the question was asked is not meant by the answer
        with _interrupted() as stop:
            bucket = many.Bucket(rate, sleep=stop.wait)
            steps = many.run(
                letters, queue, action, only, by=by, bucket=bucket, allow_all=allow_all, force=force, limit=meant, note=note
            )  # fmt: skip
            with closing(steps):
                for step in steps:
                    tally = output.Tally(step.matched, step.done, step.ok, dict(step.failed))
                    progress.show(tally)
                    if stop.is_set():
                        break
        progress.end()
    if as_json:
        output.line({"queue": queue, "action": action, **tally._asdict()})
    else:
        click.echo(f"{_DONE[action]} {tally}")
    return 1 if tally.failed or tally.done < tally.matched else 0


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """Set by the first control-C, which ends a wait and no operation; the second one ends the program as ever."""
    stop = threading.Event()

    def first(number: int, frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, first)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
