"""Who asks, and what they may: bearer tokens, roles, queues."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fastapi import Depends, Request

from .problems import Problem

ROLES = ("viewer", "operator", "admin")  # each may what those before it may
ANYONE = "anyone"  # a route that asks for no token; said, never by default
COOKIE = "dlq_session"
CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf_token"

_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[\w.@+-]{1,64}", re.ASCII)
_QUEUES = re.compile(r"[a-z0-9:_.*-]{1,100}")


class TokensError(Exception):
    """The file of tokens can't be used; the message names file, lines and why."""


@dataclass(frozen=True)
class Principal:
    """Somebody with a role. `queues`: names, or patterns with `*`, that they are limited to; () is all."""

    name: str
    role: str
    queues: tuple[str, ...] = ()

    def may(self, role: str) -> bool:
        """Whether theirs is that role or a greater one."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def sees(self, queue: str) -> bool:
        """Whether the queue is theirs."""
        return not self.queues or any(fnmatchcase(queue, pattern) for pattern in self.queues)


LOCAL = Principal("local", "admin")  # who asks an API without tokens, on loopback


class Tokens:
    """A file of lines `SHA256-OF-TOKEN ROLE NAME [QUEUE ...]`, read again when it changes.

    The hash is a plain SHA-256: a token is 32 random bytes, which nobody guesses, so there is nothing to slow down.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, ...] | None = None
        self._known: dict[bytes, Principal] = {}

    @classmethod
    def load(cls, path: Path | str) -> Tokens:
        """Raises TokensError: a file that can't be read, holds no token, or has a line that is none (all are named)."""
        tokens = cls(Path(path))
        if wrong := list(tokens._read()):
            raise TokensError("\n".join(wrong))
        if not tokens._known:
            raise TokensError(f"{path}: holds no token, so nobody could ask (auralink-dlq token makes one)")
        return tokens

    def find(self, token: str) -> Principal | None:
        """Whose token it is. All are compared, each in constant time."""
        self._refresh()
        asked, found = hashlib.sha256(token.encode(errors="replace")).digest(), None
        for known, principal in self._known.items():
            if hmac.compare_digest(known, asked):
                found = principal
        return found

    def _refresh(self) -> None:
        # A line with a mistake counts no more, the others do: who takes a token away by editing wants that now.
        for wrong in self._read():
            logging.getLogger(__name__).error("tokens: %s", wrong)

    def _read(self) -> Iterator[str]:
        """Takes the file in if it has changed; gives what is wrong with it, after the change is in force."""
        try:
            found = self.path.stat()
            stamp: tuple[int, ...] = (found.st_ino, found.st_mtime_ns, found.st_size)
            if stamp == self._stamp:
                return
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            if self._stamp != ():
                self._stamp, self._known = (), {}
                yield f"{self.path}: {error}"
            return
        known: dict[bytes, Principal] = {}
        wrong: list[str] = []
        for number, line in enumerate(lines, 1):
            words = line.split("#", 1)[0].split()
            if not words:
                continue
            fault = _fault(words) or ("the token of another line" if bytes.fromhex(words[0]) in known else "")
            if fault:
                wrong.append(f"{self.path}:{number}: {fault} (SHA256-OF-TOKEN ROLE NAME [QUEUE ...])")
            else:
                known[bytes.fromhex(words[0])] = Principal(words[2], words[1], tuple(words[3:]))
        self._stamp, self._known = stamp, known
        yield from wrong


def _fault(words: list[str]) -> str:
    # never the first word itself: it may be a token that somebody forgot to hash
    if len(words) < 3:
        return "three words or more"
    if not _HASH.fullmatch(words[0]):
        return "the first word is no SHA-256 in lower case hex"
    if words[1] not in ROLES:
        return f"{words[1]!r} is no role: {', '.join(ROLES)}"
    if not _NAME.fullmatch(words[2]):
        return f"{words[2]!r} is no name: letters, digits, _ . @ + -"
    return next((f"{one!r} is no queue nor a pattern of queues" for one in words[3:] if not _QUEUES.fullmatch(one)), "")


class Require:
    """As a route's dependency it says who may use it; the guard holds all requests to that, before anything is read."""

    def __init__(self, role: str) -> None:
        if role not in (*ROLES, ANYONE):
            raise ValueError(f"{role!r} is no role")
        self.role = role

    def __call__(self, request: Request) -> None:
        """Once more where the guard is absent: then nobody has been let in."""
        if self.role != ANYONE:
            principal(request)


def require(role: str) -> Any:
    """`dependencies=[require("operator")]`: the role that a route asks for. A route without one is refused to everybody."""
    return Depends(Require(role))


def role_of(route: Any) -> str | None:
    """What `require` said of a route; None where it said nothing."""
    roles = (getattr(one.dependency, "role", None) for one in getattr(route, "dependencies", ()))
    return next((role for role in roles if role), None)


def principal(request: Request) -> Principal:
    """Who asks: by `Authorization: Bearer`, by the session's cookie, or `local`. Raises Problem 401."""
    found = getattr(request.state, "principal", None)
    if not isinstance(found, Principal):
        raise unauthorized()
    return found


def unauthorized() -> Problem:
    """Nobody, or nobody known."""
    return Problem(
        401, "unauthorized", "A known bearer token is needed.", headers={"WWW-Authenticate": 'Bearer realm="dlq"'}
    )


def authenticate(request: Request, token: str) -> Principal:
    """Whose token it is. Raises Problem 401, and 429 for an address that has offered too many wrong ones.

    A right token always passes: behind one ingress all have one address, and a forgotten script with an old token must
    not lock the operators out. Guessing is no road into 256 random bits.
    """
    found: Principal | None = request.app.state.tokens.find(token) if request.app.state.tokens else None
    if found is None:
        request.app.state.failures.take(address(request))
        raise unauthorized()
    return found


def address(request: Request) -> str:
    """Where it comes from, as the server saw it (uvicorn: FORWARDED_ALLOW_IPS names proxies to believe)."""
    return request.client.host if request.client else ""


def csrf_token(request: Request) -> str:
    """What the session's forms carry as `csrf_token`, and its scripts as the header X-CSRF-Token; "" without a session.

    Made of the session's own secret, so every replica knows it and nothing has to be kept.
    """
    session = getattr(request.state, "session", "")
    return hmac.new(session.encode(), b"csrf", hashlib.sha256).hexdigest() if session else ""
