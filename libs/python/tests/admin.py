"""The admin API as it runs: uvicorn on a port of loopback, asked over HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from browsing import served

from auralink_shared.dlq import DeadLetters
from auralink_shared.dlq.admin import Tokens, create_app
from conftest import OTHER

DLQ = "/api/v1/admin/dlq"
# token and line of each; `scoped` are operators of the other queue alone
PEOPLE = {
    "viewer": ("viewer", "vera", ""),
    "operator": ("operator", "otto", ""),
    "admin": ("admin", "anna", ""),
    "scoped-viewer": ("viewer", "sven", OTHER),
    "scoped-operator": ("operator", "sara", OTHER),
    "scoped-admin": ("admin", "sam", OTHER),
}


def line(token: str, role: str, name: str, queues: str = "") -> str:
    return f"{hashlib.sha256(token.encode()).hexdigest()} {role} {name} {queues}\n"


def tokens_file(folder: Path) -> Path:
    """A token for each of PEOPLE, by their key."""
    path = folder / "tokens"
    path.write_text("# who may\n" + "".join(line(token, *rest) for token, rest in PEOPLE.items()))
    return path


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Api:
    """An API with PEOPLE's tokens. `of(token)` asks as that one; `of(None)` as nobody."""

    def __init__(self, letters: DeadLetters, folder: Path, **how: Any) -> None:
        self.letters, self.file = letters, tokens_file(folder)
        self.app = create_app(letters, tokens=Tokens.load(self.file), loopback=False, **how)

    def of(self, token: str | None) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=bearer(token) if token else {}, timeout=20, verify=False)

    @contextmanager
    def running(self) -> Iterator[Api]:
        with served(self.app) as self.url:
            yield self


def kind(answer: httpx.Response) -> tuple[int, str]:
    """Status and the last word of the problem's type."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    said = answer.json()
    assert said["status"] == answer.status_code
    return answer.status_code, said["type"].rpartition(":")[2]
