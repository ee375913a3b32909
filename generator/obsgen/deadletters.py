"""Where the dead letters' Redis answers, who logs in to it with which secret, and which keys the exporter measures."""

from __future__ import annotations

from collections.abc import Iterator

from .assets import LUA
from .model import DeadLetters, Declaration, SecretSource


def of(declaration: Declaration) -> DeadLetters:
    """The section `dlq`, where rows are rendered only because there is one."""
    assert declaration.dlq is not None, "a row of the dead letters is rendered with dlq only"
    return declaration.dlq


def password(declaration: Declaration) -> SecretSource:
    """Where the password of the user `dlq` is kept."""
    return declaration.secrets[of(declaration).redis.password.secret]


def exporter_password(declaration: Declaration) -> SecretSource:
    """Where the password of the user `exporter` is kept: its own, or that of `dlq`."""
    redis = of(declaration).redis
    return declaration.secrets[(redis.exporter_password or redis.password).secret]


def passwords(declaration: Declaration) -> list[tuple[str, SecretSource]]:
    """Variables of Redis' start script."""
    return [("DLQ_PASSWORD", password(declaration)), ("EXPORTER_PASSWORD", exporter_password(declaration))]


def tokens(declaration: Declaration) -> SecretSource | None:
    """Where the file is kept that says who may use the admin API."""
    reference = of(declaration).api.tokens
    return declaration.secrets[reference.secret] if reference else None


def measured_keys(declaration: Declaration) -> list[str]:
    """Of each queue the inbox that the plan's writers fill, and the ages: one entry a letter."""
    return [key for name in sorted(of(declaration).queues) for key in (f"dlq:{name}", f"{{dlq:{name}}}:z")]


def commands() -> str:
    """`commands.txt` as the runtime ships it: what the user `dlq` may call."""
    return (LUA / "commands.txt").read_text(encoding="utf-8")


def readers(declaration: Declaration) -> Iterator[tuple[str, str]]:
    """(logical name, reader) of each secret of the dead letters."""
    dlq = declaration.dlq
    if not dlq:
        return
    own, exporter = dlq.redis.password.secret, (dlq.redis.exporter_password or dlq.redis.password).secret
    if dlq.redis.deploy:
        yield own, "Redis of the dead letters, variable `DLQ_PASSWORD`"
        yield exporter, "Redis of the dead letters, variable `EXPORTER_PASSWORD`"
    yield own, "admin API and cleanup, variable `DLQ_REDIS_PASSWORD`"
    yield exporter, "Redis exporter, variable `REDIS_PASSWORD`"
    if dlq.api.tokens:
        yield dlq.api.tokens.secret, "admin API, variable `DLQ_TOKENS_FILE`"
