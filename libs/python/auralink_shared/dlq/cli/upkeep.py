"""What keeps the letters and their Redis in order: cleanup, doctor."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from redis.exceptions import ResponseError

from .. import DeadLetters, doctor
from . import output
from .options import connected, printing


@click.command()
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
@click.option(
    "--archive",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Has each letter on disk, in DIR/QUEUE.jsonl, before Redis forgets it.",
)
@click.option("--by", default="cleanup", show_default=True, metavar="NAME", help="Who does it, for the audit.")
@printing
@connected
def cleanup(queues: tuple[str, ...], archive: Path | None, by: str, as_json: bool, letters: DeadLetters) -> int:
    """Lets go of what is past its retention.

    Letters that are older than their queue allows, and trash older than 7 days; of all declared queues, or of those named.
    """
    if archive:
        archive.mkdir(parents=True, exist_ok=True)
    failed = 0
    for queue in queues or sorted(letters.settings.queues):
        try:
            gone, purged = letters.cleanup(queue, by=by, archived=archive / f"{queue}.jsonl" if archive else None)
        except ResponseError as error:  # of this queue, such as NOPERM; the others are cleaned all the same
            output.say(f"auralink-dlq: {queue}: {error}")
            failed = 1
            continue
        if as_json:
            output.line({"queue": queue, "letters": gone, "purged": purged})
        else:
            click.echo(f"{queue}: {output.letters(gone)} past retention, {purged} out of the trash")
    return failed


@click.command("doctor")
@printing
@connected
def examine(as_json: bool, letters: DeadLetters) -> int:
    """Says what is promised here, and what isn't.

    Asks Redis for the settings on which it hangs that nothing acknowledged is lost. Exit 1 where one breaks a promise.
    """
    letters.client.ping()  # who can't be asked at all is no finding
    findings = doctor.examine(letters.client)
    for finding in findings if as_json else ():
        output.line(asdict(finding))
    if not as_json:
        rows = ((_verdict(f), f.name, f.value, f.meaning) for f in findings)
        output.table(("", "SETTING", "VALUE", "MEANING"), rows)
        wrong = [finding for finding in findings if not finding.ok]
        for finding in wrong:
            click.echo(f"\n{finding.name} is {finding.value}. {finding.remedy}")
    return 0 if doctor.durable(findings) else 1


def _verdict(finding: doctor.Finding) -> str:
    if finding.ok:
        return "ok" if finding.promise else "-"
    return "BROKEN" if finding.promise else "note"
