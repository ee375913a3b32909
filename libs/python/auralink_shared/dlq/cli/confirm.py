"""A typed number before many letters are moved: a finger that slips types none."""

from __future__ import annotations

import sys

import click

from .output import letters


def confirm(what: str, number: int, how: str = "") -> None:
    """Asks for the number of letters. Without a terminal to ask at, --yes has to stand there (UsageError); another answer aborts."""
    said = " ".join(part for part in (f"this would {what} {letters(number)}", how) if part)
    if not sys.stdin.isatty():
        raise click.UsageError(f"{said}: say so with --yes")
    typed = click.prompt(f"{said}. Type the number to go on", err=True, default="", show_default=False)
    if typed.strip() != str(number):
        raise click.ClickException("nothing was done")
