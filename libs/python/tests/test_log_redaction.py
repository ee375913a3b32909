"""What must not be in a log is not; what only looks a little like it stays."""

from __future__ import annotations

import pytest

from auralink_shared.logging.redaction import MARK, Redaction

REDACTION = Redaction(["password", "token", "api_key", "authorization", "secret"])


@pytest.mark.parametrize(
    "key", ["password", "PASSWORD", "db_password", "dbPassword", "X-Api-Key", "apiKey", "clientSecret"]
)
def test_a_key_is_known_in_any_spelling_and_with_words_before_it(key: str) -> None:
    assert REDACTION.key(key)


@pytest.mark.parametrize("key", ["max_tokens", "token_count", "passwords_changed", "", "author", "secretary"])
def test_another_key_is_left_alone(key: str) -> None:
    assert not REDACTION.key(key)


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "Authorization: Bearer abcdefghijkl0",
        "authorization: basic dXNlcjpodW50ZXIyMTIz",
        "postgres://app:hunter2@db:5432/x",
        "login password=hunter2",
        "User(name='a', password='hun ter2')",
        '{"password": "hun\\"ter2", "a": 1}',
        "{'api_key': 'hunter2'}",
        "card 4111 1111 1111 1111.",
        "378282246310005",
    ],
)
def test_a_credential_in_a_text_is_replaced(secret: str) -> None:
    found = REDACTION.text(secret)
    assert MARK in found
    assert not any(part in found for part in ("hunter2", "ter2", "c2lnbmF0dXJl", "jkl0", "dXNl", "1111", "8282"))


@pytest.mark.parametrize(
    "plain",
    [
        "Bearer authentication failed",
        "Invalid token: signature has expired",
        "https://example.com/a?b=c",
        "1760570460123456789",
        "4111111111111112",
        "4b1111111111111111",
        "basic training",
        "",
    ],
)
def test_a_text_without_one_stays(plain: str) -> None:
    assert REDACTION.text(plain) == plain


def test_what_is_redacted_stays_as_it_is() -> None:
    once = REDACTION.text("password=hunter2 postgres://a:b@c")
    assert REDACTION.text(once) == once
