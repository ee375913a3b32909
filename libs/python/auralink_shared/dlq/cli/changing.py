"""What is done to letters one by one, by their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO

import click

from .. import DeadLetterError, DeadLetters
from . import output
from .confirm import confirm
from .options import acting, connected, printing, queue_argument

_IDS = click.argument("ids", nargs=-1, required=True, metavar="ID...")
_SEEN = click.option("--seen", metavar="SHA1", help="Only if the letter is still the one with this sha1 (show has it).")


def one_by_one(queue: str, ids: Iterable[str], done: str, do: Callable[[str], None], as_json: bool) -> int:
    """Does it to each; those that can't be are told and left as they are. 1 where there is one."""
    failed = 0
    for id in dict.fromkeys(ids):
        try:
            do(id)
        except (DeadLetterError, ValueError) as error:
            failed = 1
            if as_json:
                result = type(error).__name__.lower() if isinstance(error, DeadLetterError) else "error"
                output.line({"queue": queue, "id": id, "result": result, "detail": str(error)})
            else:
                output.say(f"auralink-dlq: {error}")
        else:
            if as_json:
                output.line({"queue": queue, "id": id, "result": "ok"})
            else:
                click.echo(f"{done} {id}")
    return failed


@click.command()
@queue_argument
@_IDS
@click.option(
    "--payload",
    type=click.File("rb"),
    metavar="FILE",
    help="Sends this instead of the letter's payload, byte for byte; the letter goes to the trash as it was. - is stdin.",
)
@click.option("--force", is_flag=True, help="A quarantined letter too.")
@_SEEN
@acting
@printing
@connected
def retry(
    queue: str,
    ids: tuple[str, ...],
    payload: BinaryIO | None,
    force: bool,
    seen: str | None,
    by: str,
    note: str,
    as_json: bool,
    letters: DeadLetters,
) -> int:
    """Sends messages back to their queue."""
    _one_only(ids, payload=payload, seen=seen)
    sent = payload.read() if payload else None

    def do(id: str) -> None:
        letters.retry(queue, id, by=by, seen=seen, payload=sent, force=force, note=note)

    return one_by_one(queue, ids, "retried", do, as_json)


@click.command()
@queue_argument
@_IDS
@_SEEN
@acting
@printing
@connected
def remove(
    queue: str, ids: tuple[str, ...], seen: str | None, by: str, note: str, as_json: bool, letters: DeadLetters
) -> int:
    """Puts letters into the trash.

    `restore` brings them back, for 7 days.
    """
    _one_only(ids, seen=seen)
    return one_by_one(queue, ids, "removed", lambda id: letters.remove(queue, id, by=by, seen=seen, note=note), as_json)


@click.command()
@queue_argument
@_IDS
@acting
@printing
@connected
def restore(queue: str, ids: tuple[str, ...], by: str, note: str, as_json: bool, letters: DeadLetters) -> int:
    """Brings letters back out of the trash."""
    return one_by_one(queue, ids, "restored", lambda id: letters.restore(queue, id, by=by, note=note), as_json)


@click.command()
@queue_argument
@_IDS
@click.option("--yes", is_flag=True, help="Without asking.")
@acting
@printing
@connected
def purge(queue: str, ids: tuple[str, ...], yes: bool, by: str, note: str, as_json: bool, letters: DeadLetters) -> int:
    """Empties letters out of the trash for good."""
    if not yes:
        confirm("purge", len(set(ids)), "for good")
    return one_by_one(queue, ids, "purged", lambda id: letters.purge(queue, id, by=by, note=note), as_json)


def _one_only(ids: tuple[str, ...], **given: object) -> None:
    for name, value in given.items():
        if value is not None and len(ids) > 1:
            raise click.UsageError(f"--{name} is of one letter, and here are {len(ids)}")
