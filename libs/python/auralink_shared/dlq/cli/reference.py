"""docs/reference/auralink-dlq.md, made of the commands themselves: python -m auralink_shared.dlq.cli.reference > FILE."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from .run import NAME, cli

_HEAD = f"<!-- Made by: python -m auralink_shared.dlq.cli.reference. Change the command line, not this. -->\n\n# {NAME}"


def page() -> str:
    """Markdown: what every command does, its arguments and options as `--help` shows them."""
    return "\n\n".join([_HEAD, _prose(cli.help), *_commands()]) + "\n"


def _commands() -> Iterator[str]:
    for name, command in sorted(cli.commands.items()):
        context = click.Context(command, info_name=f"{NAME} {name}", terminal_width=100, **cli.context_settings)
        shown = [
            option.get_help_record(context)
            for option in command.get_params(context)
            if isinstance(option, click.Option)
        ]
        rows = [" | ".join(" ".join(part.split()).replace("|", "\\|") for part in row) for row in shown if row]
        yield f"## {name}\n\n{_prose(command.help)}\n\n```\n{command.get_usage(context)}\n```"
        yield "\n".join(
            ["| option | meaning |", "| --- | --- |", *(f"| `{row.replace(' | ', '` | ', 1)} |" for row in rows)]
        )


def _prose(text: str | None) -> str:
    return inspect.cleandoc(text or "")


if __name__ == "__main__":
    print(page(), end="")
