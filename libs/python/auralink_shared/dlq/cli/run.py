"""The commands, and what becomes of what they raise."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from ...contract import ContractError
from .. import DeadLetterError
from ..errors import REDIS
from .bulk import bulk
from .changing import purge, remove, restore, retry
from .export import export
from .reading import audit, groups, list_letters, show, stats
from .serving import serve, token
from .upkeep import cleanup, examine

NAME = "auralink-dlq"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="auralink-shared", prog_name=NAME)
def cli() -> None:
    """Dead letters: look at them, send them back, let them go.

    Redis is where DLQ_REDIS_URL says (redis://USER@HOST:PORT/0, else this machine's); DLQ_REDIS_PASSWORD is its password,
    DLQ_REDIS_CLUSTER=1 says that it is a Cluster, OBSGEN_CONTRACT names the contract.json with the queues.
    Exit 0 done, 1 not all done or a promise isn't kept, 2 could not run.
    """


for command in (
    list_letters,
    show,
    groups,
    stats,
    audit,
    retry,
    bulk,
    remove,
    restore,
    purge,
    cleanup,
    examine,
    export,
    token,
    serve,
):
    cli.add_command(command)


def run(arguments: Sequence[str] | None = None) -> int:
    """The exit code. No traceback for what an operator or Redis can do wrong."""
    try:
        answer = cli.main(arguments, prog_name=NAME, standalone_mode=False)
        sys.stdout.flush()
        return answer if isinstance(answer, int) else 0
    except click.UsageError as error:
        return _failed(error.format_message(), 2)
    except (click.ClickException, DeadLetterError) as error:
        return _failed(error.format_message() if isinstance(error, click.ClickException) else str(error), 1)
    except (click.Abort, KeyboardInterrupt):
        return _failed("interrupted", 130)
    except BrokenPipeError:  # `| head`: nobody reads the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except REDIS as error:
        return _failed(f"Redis: {error}", 2)
    except (ContractError, OSError, ValueError) as error:
        return _failed(str(error), 2)


def _failed(why: str, code: int) -> int:
    for line in why.splitlines() or [""]:
        click.echo(f"{NAME}: {line}", err=True)
    return code
