"""`auralink-dlq serve` and `token`: a server of its own for each test, on loopback."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from auralink_shared.dlq import DeadLetters, Record
from auralink_shared.dlq.admin import Tokens
from auralink_shared.dlq.cli.serving import _listening
from conftest import OTHER, QUEUE
from test_cli import PROGRAM, Run, environ, run  # noqa: F401  # fixtures

API = "/api/v1/admin/dlq"


@contextmanager
def served(environ: dict[str, str], *words: str) -> Iterator[httpx.Client]:  # noqa: F811
    """A client of the server that these words start; it listens when it has said where."""
    with subprocess.Popen(
        [PROGRAM, "serve", "--port", "0", *words],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr and process.stdout
        try:
            said = process.stderr.readline().strip()
            assert said.startswith("http://") and said.endswith("/ui/"), said + process.stderr.read()
            with httpx.Client(base_url=said.removesuffix("/ui/"), timeout=30) as client:
                client.process = process  # type: ignore[attr-defined]
                yield client
        finally:
            process.terminate()


def test_it_serves_this_machine_without_any_configuration(environ: dict[str, str]) -> None:  # noqa: F811
    with served({"PATH": environ["PATH"]}) as client:
        assert client.base_url.host == "127.0.0.1"
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code in (200, 503)  # whatever listens at Redis' own port here


def test_letters_are_served_from_the_redis_that_is_named(environ: dict[str, str], letters: DeadLetters) -> None:  # noqa: F811
    letters.add(Record(QUEUE, b"1", id="one"))
    url = environ.pop("DLQ_REDIS_URL")
    with served(environ, "--redis", url) as client:
        assert [one["id"] for one in client.get(API, params={"queue": QUEUE}).json()] == ["one"]
        assert client.post(f"{API}/one/retry", params={"queue": QUEUE}).status_code == 204
    assert letters.client.rpop(QUEUE) == b"1"


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_an_answer_does_not_wait_for_its_own_head_to_be_acknowledged(host: str, family: socket.AddressFamily) -> None:
    with _listening(host, 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.family == family
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_others_are_served_only_with_tokens(run: Run) -> None:  # noqa: F811
    for host in ("0.0.0.0", "::", "dlq.example.com"):
        (said,) = run("serve", "--host", host, "--port", "0", code=2).stderr.splitlines()
        assert "DLQ_TOKENS_FILE" in said and host in said


@pytest.mark.parametrize("text", ["", "a token that nobody hashed\n", f"{'0' * 64} boss ann\n"])
def test_a_file_of_tokens_that_lets_nobody_in_keeps_it_from_starting(run: Run, tmp_path: Path, text: str) -> None:  # noqa: F811
    (tmp_path / "tokens").write_text(text, encoding="utf-8")
    ended = run("serve", "--host", "0.0.0.0", "--port", "0", code=2, DLQ_TOKENS_FILE=str(tmp_path / "tokens"))
    assert str(tmp_path / "tokens") in ended.stderr
    assert "nobody hashed" not in ended.stderr


def test_a_token_lets_in_whom_it_was_made_for(
    run: Run,  # noqa: F811
    environ: dict[str, str],  # noqa: F811
    letters: DeadLetters,
    tmp_path: Path,
) -> None:
    letters.add(Record(QUEUE, b"1", id="one"))
    made = [run("token", *words) for words in (("viewer", "ann"), ("operator", "bob", "webhooks:*"))]
    assert len({one.stderr for one in made}) == 2
    (tmp_path / "tokens").write_text("".join(one.stdout for one in made), encoding="utf-8")
    viewer, operator = ({"Authorization": f"Bearer {one.stderr.strip()}"} for one in made)
    environ["DLQ_TOKENS_FILE"] = str(tmp_path / "tokens")
    with served(environ, "--host", "0.0.0.0") as client:
        asked = f"http://127.0.0.1:{client.base_url.port}{API}"
        assert client.get(asked, params={"queue": QUEUE}).status_code == 401
        assert client.get(asked, params={"queue": QUEUE}, headers=viewer).status_code == 200
        assert client.post(f"{asked}/one/retry", params={"queue": QUEUE}, headers=viewer).status_code == 403
        assert client.get(asked, params={"queue": OTHER}, headers=operator).status_code == 200
        assert client.get(asked, params={"queue": QUEUE}, headers=operator).status_code in (403, 404)


@pytest.mark.parametrize(
    "words", [("boss", "ann"), ("viewer", "ann lee"), ("viewer", "#ann"), ("viewer", "ann", "Rooms")]
)
def test_no_line_is_made_that_the_server_would_not_read(run: Run, words: Sequence[str]) -> None:  # noqa: F811
    assert run("token", *words, code=2).stdout == ""


def test_every_line_that_is_made_is_read(run: Run, tmp_path: Path) -> None:  # noqa: F811
    words = ("admin", "ann.lee+dlq@example.com", "rooms:create", "webhooks:*")
    (tmp_path / "tokens").write_text(run("token", *words).stdout, encoding="utf-8")
    Tokens.load(tmp_path / "tokens")


def test_read_only_is_read_only(environ: dict[str, str], letters: DeadLetters) -> None:  # noqa: F811
    letters.add(Record(QUEUE, b"1", id="one"))
    with served(environ, "--read-only") as client:
        assert client.get(f"{API}/one", params={"queue": QUEUE}).status_code == 200
        assert client.delete(f"{API}/one", params={"queue": QUEUE}).status_code == 403
    assert letters.get(QUEUE, "one").place == "queue"


def test_a_port_that_is_taken_is_one_line(environ: dict[str, str], run: Run) -> None:  # noqa: F811
    with served(environ) as client:
        (said,) = run("serve", "--port", str(client.base_url.port), code=2).stderr.splitlines()
    assert "in use" in said and str(client.base_url.port) in said


def test_every_line_on_stdout_is_a_line_of_the_standard(environ: dict[str, str]) -> None:  # noqa: F811
    with served(environ) as client:
        client.get(API, params={"queue": QUEUE})
        client.process.send_signal(signal.SIGTERM)  # type: ignore[attr-defined]
        told = [json.loads(line) for line in client.process.stdout]  # type: ignore[attr-defined]
    assert {line["service"] for line in told} == {"dlq-api"}
    assert any(API in json.dumps(line) for line in told)
