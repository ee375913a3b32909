"""What a viewer sees: no secret of a payload, an error or a filter, and no way to guess one."""

from __future__ import annotations

import base64
import json

import pytest
from admin import DLQ, Api
from test_admin_letters import dead

from conftest import QUEUE

SECRETS = {
    "by its key": b'{"user": {"Password": "s3cr3t-value"}, "items": [{"api_key": "s3cr3t-value"}], "db_password": ["s3cr3t-value"]}',
    "by its form": b'{"header": "Bearer s3cr3t-value-0123456789", "url": "https://u:s3cr3t-value@h/"}',
    "in a text": b'"password=s3cr3t-value"',
    "in bytes": b"\x00s3cr3t-value\xff",
    "beside a number that no reader has": b'{"token": "s3cr3t-value", "n": 1e400}',
    "beside a number that is too long": b'{"token": "s3cr3t-value", "n": ' + b"7" * 5000 + b"}",
    "too deep to be read": b"[" * 3000 + b'"s3cr3t-value"' + b"]" * 3000,
}


@pytest.mark.parametrize("where", SECRETS)
def test_a_viewer_sees_no_secret(api: Api, where: str) -> None:
    dead(api.letters, "1", SECRETS[where], error="login failed: password=s3cr3t-value", error_type="E")
    with api.of("viewer") as vera, api.of("operator") as otto:
        for path in ("", "/1", "/groups"):
            seen, whole = (one.get(DLQ + path, params={"queue": QUEUE}).text for one in (vera, otto))
            for form in ("s3cr3t", base64.b64encode(SECRETS[where]).decode()[:20]):
                assert form not in seen
            assert "s3cr3t" in whole
        one = vera.get(f"{DLQ}/1", params={"queue": QUEUE})
        assert "sha1" not in one.json() and "etag" not in one.headers
        assert one.json()["error"] == "login failed: password=[REDACTED]"
        assert "[REDACTED]" in json.dumps(one.json().get("payload", one.json().get("payload_base64")))


def test_a_viewer_can_t_ask_for_a_secret_letter_by_letter(api: Api) -> None:
    dead(
        api.letters,
        "1",
        b'{"password": "hunter2", "room": "blue"}',
        error="no room: token='s3cr3t'",
        error_type="KeyError",
    )
    for asked, seen in [
        ({"text": "hunter2"}, False),
        ({"text": "hunt"}, False),
        ({"error": "s3cr3t"}, False),
        ({"text": "BLUE"}, True),
        ({"error": "no room"}, True),
        ({"error": "keyerror", "text": "blue"}, True),
        ({"error": "keyerror", "text": "hunter2"}, False),
        ({"min_attempts": "2", "text": "blue"}, False),
    ]:
        with api.of("viewer") as vera, api.of("operator") as otto:
            assert bool(vera.get(DLQ, params={"queue": QUEUE, **asked}).json()) is seen, asked
            assert bool(vera.get(f"{DLQ}/groups", params={"queue": QUEUE, **asked}).json()) is seen, asked
            assert bool(otto.get(DLQ, params={"queue": QUEUE, **asked}).json()) is ("min_attempts" not in asked)


def test_what_operators_wrote_is_cleaned_for_viewers(api: Api) -> None:
    dead(api.letters, "1")
    with api.of("viewer") as vera, api.of("operator") as otto:
        otto.post(f"{DLQ}/1/retry?queue={QUEUE}", json={"reason": "with password=s3cr3t"})
        otto.post(f"{DLQ}/bulk", json={"queue": QUEUE, "action": "retry", "filter": {"text": "password=s3cr3t"}})
        for path in ("/audit", "/bulk"):
            assert "s3cr3t" in otto.get(DLQ + path).text
            assert "s3cr3t" not in vera.get(DLQ + path).text
