"""What is let go for good because it is old: letters at their queue's retention, trash, audit entries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import archive
from .letter import Filter

if TYPE_CHECKING:
    from .queue import DeadLetters


def run(letters: DeadLetters, queue: str, *, by: str, archived: Path | None = None) -> tuple[int, int]:
    """As DeadLetters.cleanup."""
    now, settings = letters.clock(), letters.settings
    letters.sweep(queue, by=by)
    with letters.trail.asked("cleanup", queue, "", by) as asked:
        gone = _let_go(letters, queue, "queue", now - settings.of(queue).retention_seconds, archived)
        purged = _let_go(letters, queue, "trash", now - settings.trash_seconds, archived)
        asked.more.update(letters=gone, purged=purged)
    letters.trail.trim(now - settings.audit_seconds, by=by)
    return gone, purged


def _let_go(letters: DeadLetters, queue: str, place: str, before: float, archived: Path | None) -> int:
    oldest, cursor, gone = round(before * 1e6), None, 0
    while True:
        page = letters.list(queue, order="oldest", place=place, limit=100, cursor=cursor, only=Filter(until=before))
        old = [letter for letter in page.letters if letter.age < oldest and not letter.pending]
        if old:
            if archived:
                archive.append(archived, old)
            gone += letters.forget(queue, place, oldest, [letter.id for letter in old])
        if page.cursor is None:
            return gone
        cursor = page.cursor
