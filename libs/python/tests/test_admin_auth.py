"""Who may come in: tokens, roles, and what a browser elsewhere can't do."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from auralink_shared.dlq import DeadLetters
from auralink_shared.dlq.admin import Tokens, create_app
from auralink_shared.dlq.admin.settings import SettingsError, create_from_env


def test_a_request_without_a_token_is_told_that_it_needs_one(letters: DeadLetters, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(hashlib.sha256(b"secret").hexdigest() + " viewer ann\n")
    client = TestClient(create_app(letters, tokens=Tokens.load(file)))
    answer = client.get("/anything")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/anything", headers={"Authorization": "Bearer secret"}).status_code == 404
    assert client.get("/healthz").json() == {"status": "ok"}


def test_without_tokens_it_starts_on_loopback_only() -> None:
    with pytest.raises(SettingsError, match="DLQ_TOKENS_FILE"):
        create_from_env({}, "0.0.0.0")
