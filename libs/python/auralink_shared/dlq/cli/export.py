"""Letters out of Redis: as lines that have every byte, or back in the list that the plan's readers know."""

from __future__ import annotations

import sys

import click

from .. import DeadLetters, archive
from ..letter import Filter
from . import output
from .bulk import ASKED_FROM
from .confirm import confirm
from .options import acting, connected, filtered, queue_argument
from .reading import warn_unknown


@click.command()
@queue_argument
@click.option("--place", type=click.Choice(["queue", "trash"]), default="queue", show_default=True)
@click.option(
    "--layout",
    type=click.Choice(["jsonl", "list"]),
    default="jsonl",
    show_default=True,
    help="Lines on stdout, or back into the plan's list dlq:QUEUE and out of the index, for its readers.",
)
@click.option("--yes", is_flag=True, help="With --layout list: without asking.")
@filtered
@acting
@connected
def export(
    queue: str, place: str, layout: str, yes: bool, only: Filter, by: str, note: str, letters: DeadLetters
) -> None:
    """Writes letters as lines, or back into a list.

    A JSON line each, the oldest first: queue, id, age in microseconds and body in base64, as cleanup --archive has them.

    With --layout list every letter moves to the list, the oldest to its right end. Stop what uses this library first: it takes
    the list in again. Replays and quarantine are forgotten.
    """
    warn_unknown(letters, queue)
    if layout == "jsonl":
        for letter in letters.each(queue, limit=500, order="oldest", place=place, only=only):
            sys.stdout.buffer.write(archive.line(letter))
        return
    if place != "queue" or not only.empty:
        raise click.UsageError("--layout list moves all letters of the queue: leave the filter and --place out")
    number = letters.count(queue)
    if number > ASKED_FROM and not yes:
        confirm("move", number, f"into the list dlq:{queue}")
    moved = letters.give_back(queue, by=by)
    output.say(f"moved {output.letters(moved)} into the list dlq:{queue}")
