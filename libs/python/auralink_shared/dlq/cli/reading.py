"""What changes nothing: letters, groups, numbers, who did what."""

from __future__ import annotations

import sys
from dataclasses import asdict
from difflib import get_close_matches

import click

from .. import DeadLetters
from ..letter import Filter, Letter
from . import output
from .options import connected, filtered, printing, queue_argument


@click.command("list")
@queue_argument
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, metavar="N", help="Letters at most.")
@click.option("--cursor", metavar="CURSOR", help="Where a page ended, to go on behind it.")
@click.option("--order", type=click.Choice(["newest", "oldest"]), default="newest", show_default=True)
@click.option("--place", type=click.Choice(["queue", "trash"]), default="queue", show_default=True)
@filtered
@printing
@connected
def list_letters(
    queue: str,
    limit: int,
    cursor: str | None,
    order: str,
    place: str,
    only: Filter,
    as_json: bool,
    letters: DeadLetters,
) -> None:
    """Lists letters, the newest first."""
    warn_unknown(letters, queue)
    rows, left = [], limit
    while left:
        page = letters.list(queue, limit=min(left, 500), cursor=cursor, order=order, place=place, only=only)
        for letter in page.letters:
            if as_json:
                output.line(letter.as_json(payload=True))
            else:
                rows.append(_row(letter))
        left, cursor = left - len(page.letters), page.cursor
        if cursor is None:
            break
    head = ("ID", "AGE", "ATTEMPTS", "REPLAYS", "STATE", "GROUP", "ERROR")
    output.table(head, rows, numbers=("ATTEMPTS", "REPLAYS"))
    if cursor is not None:
        output.say(f"there are more: --cursor {cursor}")


def _row(letter: Letter) -> tuple[object, ...]:
    return (
        letter.id,
        output.since(letter.age / 1e6),
        letter.fields.get("attempts"),
        letter.state.get("replays", 0),
        _state(letter),
        letter.fingerprint,
        _error(letter.error_type, letter.error),
    )


def _state(letter: Letter) -> str:
    words = {"quarantined": letter.quarantined, "pending": letter.pending, "bad": letter.payload is None}
    return ",".join(word for word, holds in words.items() if holds) or "-"


def _error(kind: str, text: str) -> str:
    """On one line of a table; `show` has all of it."""
    said = ": ".join(part for part in (kind, text) if part)
    return said if len(said) <= 100 else said[:99] + "…"


@click.command()
@queue_argument
@click.argument("id")
@click.option("--payload", "part", flag_value="payload", help="The payload alone, byte for byte.")
@click.option("--body", "part", flag_value="body", help="The whole letter, byte for byte as it was written.")
@printing
@connected
def show(queue: str, id: str, part: str | None, as_json: bool, letters: DeadLetters) -> None:
    """Shows one letter, from the queue or the trash."""
    letter = letters.get(queue, id)
    if part:
        raw = letter.body if part == "body" else letter.payload
        if raw is None:
            raise click.ClickException(f"letter {id} of {queue} holds no payload; --body shows what there is")
        sys.stdout.buffer.write(raw)
        return
    document = letter.as_json(payload=True)
    if as_json:
        output.line(document)
        return
    payload = letter.payload if letter.payload is not None else letter.body
    name = "payload" if letter.payload is not None else "body"
    output.fields({key: value for key, value in document.items() if key not in ("payload", "payload_base64")})
    click.echo(f"\n{name}: {output.shown(payload.decode(errors='backslashreplace'))}")


@click.command()
@queue_argument
@printing
@connected
def groups(queue: str, as_json: bool, letters: DeadLetters) -> None:
    """Counts letters by error, the most frequent first.

    Errors that differ only in numbers, ids and quoted words are one.
    """
    warn_unknown(letters, queue)
    found = letters.groups(queue)
    if as_json:
        for group in found:
            output.line(asdict(group))
        return
    rows = (
        (g.count, g.fingerprint, output.since(g.oldest), output.since(g.newest), _error(g.error_type, g.error))
        for g in found
    )
    output.table(("LETTERS", "GROUP", "OLDEST", "NEWEST", "ERROR"), rows, numbers=("LETTERS",))


@click.command()
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
@printing
@connected
def stats(queues: tuple[str, ...], as_json: bool, letters: DeadLetters) -> None:
    """Counts letters of each queue.

    Those that wait and those in the trash, the age of the oldest, and what ever came and went; of all declared queues, or of those named.
    """
    rows = []
    for queue in queues or sorted(letters.settings.queues):
        one = letters.stats(queue)
        if as_json:
            output.line({"queue": queue, **asdict(one)})
            continue
        sums = {
            what: sum(n for name, n in one.counters.items() if name.startswith(f"{what}:"))
            for what in ("arrived", "replayed", "removed")
        }
        oldest = "-" if one.oldest is None else output.since(one.oldest)
        rows.append((queue, one.depth + one.inbox, oldest, one.trash, *sums.values()))
    head = ("QUEUE", "DEPTH", "OLDEST", "TRASH", "ARRIVED", "REPLAYED", "REMOVED")
    output.table(head, rows, numbers=("DEPTH", "TRASH", "ARRIVED", "REPLAYED", "REMOVED"))


@click.command()
@click.argument("queue", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, metavar="N")
@click.option("--before", metavar="ID", help="Entries older than this one.")
@printing
@connected
def audit(queue: str | None, limit: int, before: str | None, as_json: bool, letters: DeadLetters) -> None:
    """Tells who did what, the newest first."""
    entries = letters.audit(queue, limit=limit, before=before)
    if as_json:
        for entry in entries:
            output.line(asdict(entry))
        return
    rows = ((output.since(e.at), e.what, e.queue, e.letter or "-", e.by, e.result) for e in entries)
    output.table(("AGO", "WHAT", "QUEUE", "LETTER", "BY", "RESULT"), rows)


def warn_unknown(letters: DeadLetters, queue: str) -> None:
    """Says so where a queue is neither declared nor was ever used: a slip of the pen finds no letters, for ever."""
    declared = letters.settings.queues
    if queue in declared:
        return
    there = letters.stats(queue)
    if not (there.depth or there.inbox or there.trash or there.counters):
        near = get_close_matches(queue, declared, n=1)
        hint = f"did you mean {near[0]}?" if near else f"declared are: {', '.join(sorted(declared)) or 'none'}"
        raise click.ClickException(f"there is no queue {queue}: it is not declared and holds nothing ({hint})")
