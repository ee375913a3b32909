"""The admin API, and tokens for those who may use it."""

from __future__ import annotations

import hashlib
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import click

from .. import DeadLetters
from ..timer import Repeated
from . import output
from .options import environment

SWEEP_SECONDS = 60.0
SHUTDOWN_SECONDS = 20  # of the 30 that Kubernetes gives a pod
ROLES = ("viewer", "operator", "admin")
# as admin/auth.py reads the file; it may not be installed where a token is made
_NAME, _QUEUES = r"[A-Za-z0-9_.@+-]{1,64}", r"[a-z0-9:_.*-]{1,100}"


@click.command()
@click.argument("role", type=click.Choice(ROLES))
@click.argument("name")
@click.argument("queues", nargs=-1, metavar="[QUEUE]...")
def token(role: str, name: str, queues: tuple[str, ...]) -> None:
    """Makes a token of the admin API for NAME.

    It stands on stderr, once; on stdout is the line for the file of tokens, which has its SHA-256 only.

    With QUEUEs, names or patterns such as 'rooms:*', it is good for those alone.
    """
    if not re.fullmatch(_NAME, name):
        raise click.UsageError(f"{name!r} is no name: letters, digits and _ . @ + -")
    for queue in queues:
        if not re.fullmatch(_QUEUES, queue):
            raise click.UsageError(f"{queue!r} is no queue nor a pattern of queues")
    made = secrets.token_urlsafe(32)
    output.say(made)
    click.echo(" ".join((hashlib.sha256(made.encode()).hexdigest(), role, name, *queues)))


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; others than this machine need DLQ_TOKENS_FILE.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--redis", metavar="URL", help="Where Redis is, as redis://USER@HOST:PORT/0; else DLQ_REDIS_URL.")
@click.option("--read-only", is_flag=True, help="Refuses every change, as DLQ_READ_ONLY=1 does.")
def serve(host: str, port: int, redis: str | None, read_only: bool) -> None:
    """Serves the admin API and its page."""
    try:
        import uvicorn

        from ...logging import setup
        from ..admin import SettingsError, TokensError, create_from_env
    except ModuleNotFoundError as error:
        raise click.UsageError(f"{error.name} is not installed (pip install 'auralink-shared[admin]')") from error
    environ = {**environment(redis), **({"DLQ_READ_ONLY": "1"} if read_only else {})}
    try:
        app = create_from_env(environ, host)
    except (SettingsError, TokensError) as error:
        raise click.UsageError(str(error)) from error
    setup("dlq-api")
    with _listening(host, port) as listener, _swept(app.state.letters, read_only=app.state.read_only):
        output.say(f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/ui/")
        # log_config None: its lines go through setup(); a request's line is the application's own
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _swept(letters: DeadLetters, *, read_only: bool) -> Iterator[None]:
    """Finishes, every minute, retries that were cut off between two slots: a message arrives once only within a day."""
    if read_only:
        yield
        return

    def sweep() -> None:
        for queue in letters.settings.queues:
            letters.sweep(queue)

    repeated = Repeated(sweep, SWEEP_SECONDS, "dead letter sweep")
    try:
        yield
    finally:
        repeated.stop()


def _listening(host: str, port: int) -> socket.socket:
    """uvicorn itself would end with exit code 1, which here means something else. Raises OSError."""
    six = ":" in host
    listener = socket.create_server(
        (host, port), family=socket.AF_INET6 if six else socket.AF_INET, dualstack_ipv6=host == "::"
    )
    # Connections inherit it. asyncio sets it only where a socket names its protocol, which create_server's does not (3.11):
    # head and body of an answer go apart, and without it the body waits 40 ms for the client's ACK of the head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
