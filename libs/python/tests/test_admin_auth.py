"""Who may come in: tokens, sessions, and what a browser elsewhere can't do."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from admin import DLQ, Api, bearer, kind, line, served
from test_admin_letters import dead

from auralink_shared.dlq import DeadLetters, admin
from auralink_shared.dlq.admin import Principal, Tokens, TokensError, create_app
from auralink_shared.dlq.admin.limits import Buckets, Limits
from auralink_shared.dlq.admin.problems import Problem
from auralink_shared.dlq.admin.settings import SettingsError, create_from_env
from auralink_shared.dlq.settings import BODY_LIMIT
from conftest import OTHER, QUEUE, ROOT


def test_without_tokens_it_starts_on_loopback_only(letters: DeadLetters) -> None:
    for host in ("0.0.0.0", "::", "10.0.0.1", "dlq-api", "", "localhost.example.com"):
        with pytest.raises(SettingsError, match="DLQ_TOKENS_FILE"):
            create_from_env({}, host)
    for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"):
        assert create_from_env({"DLQ_REDIS_URL": "redis://127.0.0.1:1"}, host).state.tokens is None
    with pytest.raises(ValueError, match="loopback"):
        create_app(letters, tokens=None, loopback=False)


def test_a_file_of_tokens_says_all_that_is_wrong_with_it_and_never_a_token(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    with pytest.raises(TokensError, match="No such file"):
        Tokens.load(file)
    file.write_text("# nobody\n\n")
    with pytest.raises(TokensError, match="holds no token"):
        Tokens.load(file)
    good = line("t", "viewer", "vera")
    file.write_text(
        good
        + "not-hashed viewer vera\n"
        + good
        + "a" * 64
        + " root x\n"
        + "b" * 64
        + " admin\n"
        + "c" * 64
        + " admin a/b\n"
        + "d" * 64
        + " admin x A?\n"
    )
    with pytest.raises(TokensError) as told:
        Tokens.load(file)
    said = str(told.value).splitlines()
    assert [one.split(":")[1] for one in said] == ["2", "3", "4", "5", "6", "7"]
    assert "not-hashed" not in str(told.value)
    with pytest.raises(SettingsError, match="DLQ_TOKENS_FILE"):
        create_from_env({"DLQ_TOKENS_FILE": ""}, "0.0.0.0")


def test_the_file_is_read_again_when_it_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "tokens"
    file.write_text(line("one", "viewer", "vera"))
    tokens = Tokens.load(file)
    assert tokens.find("one") == Principal("vera", "viewer")
    file.write_text(line("two", "admin", "anna", f"{OTHER} rooms:*") + "a mistake\n")
    assert tokens.find("one") is None
    assert tokens.find("two") == Principal("anna", "admin", (OTHER, "rooms:*"))
    assert f"{file}:2: " in caplog.text
    (tmp_path / "new").write_text(line("six", "viewer", "vera"))
    (tmp_path / "new").replace(file)  # as Kubernetes does it
    assert tokens.find("six") and not tokens.find("two")
    file.unlink()
    assert tokens.find("six") is None
    file.write_text(line("six", "viewer", "vera"))
    assert tokens.find("six")


def test_roles_hold_what_those_before_them_hold_and_patterns_name_queues() -> None:
    assert [Principal("x", "operator").may(role) for role in ("viewer", "operator", "admin")] == [True, True, False]
    limited = Principal("x", "viewer", ("rooms:*", "agents:create"))
    assert [limited.sees(queue) for queue in (QUEUE, OTHER, "agents:create", "agents:create2", "xrooms:a")] == [
        True,
        False,
        True,
        False,
        False,
    ]
    assert Principal("x", "viewer").sees("any")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer wrong", "Basic dmlld2VyOg==", "viewer", "Bearer viewer2", "Bearer \xff"]
)
def test_a_token_that_is_none_is_refused(api: Api, header: str) -> None:
    with api.of(None) as nobody:
        answer = nobody.get(f"{DLQ}?queue={QUEUE}", headers={"Authorization": header.encode("latin-1")})
        assert kind(answer) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert nobody.get("/healthz", headers={"Authorization": header.encode("latin-1")}).status_code == 200
        assert nobody.get(f"{DLQ}?queue={QUEUE}", headers={"Authorization": "bearer viewer"}).status_code == 200


def test_nobody_learns_which_paths_there_are(api: Api) -> None:
    with api.of(None) as nobody, api.of("viewer") as vera:
        for method, path in [("GET", "/nothing"), ("GET", "/docs"), ("PUT", DLQ), ("GET", f"{DLQ}/1"), ("TRACE", "/")]:
            assert kind(nobody.request(method, path)) == (401, "unauthorized")
        assert kind(vera.get("/nothing")) == (404, "not-found")
        answer = vera.put(f"{DLQ}/1")
        assert kind(answer) == (405, "method-not-allowed")
        assert answer.headers["allow"] == "DELETE, GET"


def test_wrong_tokens_are_limited_by_address_and_right_ones_pass(api: Api) -> None:
    with api.of("wrong") as other, api.of("viewer") as vera:
        answers = [other.get(f"{DLQ}?queue={QUEUE}") for _ in range(12)]
        assert [one.status_code for one in answers] == [401] * 10 + [429] * 2
        assert kind(answers[-1]) == (429, "too-many") and 1 <= int(answers[-1].headers["retry-after"]) <= 6
        assert vera.get(f"{DLQ}?queue={QUEUE}").status_code == 200


def test_a_principal_that_asks_too_much_waits_and_others_don_t(letters: DeadLetters, tmp_path: Path) -> None:
    api = Api(letters, tmp_path, limits=Limits(rate=0.5, burst=3))
    with api.running():
        vera, otto, nobody = (api.of(who) for who in ("viewer", "operator", None))
        with vera, otto, nobody:
            answers = [vera.get(f"{DLQ}/queues") for _ in range(4)]
            assert [one.status_code for one in answers] == [200, 200, 200, 429]
            assert answers[-1].headers["retry-after"] == "2"
            assert otto.get(f"{DLQ}/queues").status_code == 200
            assert [nobody.get("/healthz").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_a_bucket_fills_with_time() -> None:
    now = [0.0]
    buckets = Buckets(2.0, 3, clock=lambda: now[0])
    taken = []
    for at in (0, 0, 0, 0, 0.4, 0.5, 0.6, 10, 10, 10, 10):
        now[0] = at
        try:
            buckets.take("x")
            taken.append(at)
        except Problem as problem:
            assert problem.status == 429
    assert taken == [0, 0, 0, 0.5, 10, 10, 10]


def test_buckets_of_invented_addresses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auralink_shared.dlq.admin.limits.KEPT", 5)
    buckets = Buckets(1.0, 1)
    for number in range(100):
        buckets.take(str(number))
    assert len(buckets._left) == 5


@pytest.fixture
def local(letters: DeadLetters) -> Iterator[httpx.Client]:
    """An API without tokens, on loopback."""
    with served(create_app(letters, tokens=None)) as url, httpx.Client(base_url=url, verify=False) as client:
        yield client


def test_on_loopback_without_tokens_everybody_is_local_an_admin(local: httpx.Client, letters: DeadLetters) -> None:
    dead(letters, "1")
    assert local.delete(f"{DLQ}/1?queue={QUEUE}").status_code == 204
    assert local.post(f"{DLQ}/1/purge?queue={QUEUE}").status_code == 204
    assert [one["by"] for one in local.get(f"{DLQ}/audit").json()] == ["local", "local"]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Host": "rebound.example.com"}, "not-local"),
        ({"Host": "127.0.0.1.example.com:8080"}, "not-local"),
        ({"Host": "localhost.example.com"}, "not-local"),
        ({"Host": "10.1.2.3"}, "not-local"),
        ({"Host": "[::1"}, "not-local"),
        ({"X-Forwarded-For": "10.0.0.1"}, "not-local"),
        ({"Forwarded": "for=10.0.0.1"}, "not-local"),
        ({"Origin": "https://evil.example.com"}, "cross-site"),
        ({"Origin": "null"}, "cross-site"),
        ({"Origin": "http://localhost:1"}, "cross-site"),
        ({"Sec-Fetch-Site": "cross-site"}, "cross-site"),
        ({"Sec-Fetch-Site": "same-site"}, "cross-site"),
    ],
)
def test_another_site_can_t_use_an_api_without_tokens(
    local: httpx.Client, letters: DeadLetters, headers: dict[str, str], said: str
) -> None:
    dead(letters, "1")
    assert kind(local.delete(f"{DLQ}/1?queue={QUEUE}", headers=headers)) == (403, said)
    if said == "not-local":
        assert kind(local.get(f"{DLQ}?queue={QUEUE}", headers=headers)) == (403, said)
    assert letters.get(QUEUE, "1").place == "queue"


def test_a_host_that_is_this_machine_is_served(local: httpx.Client) -> None:
    port = local.base_url.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "LOCALHOST"):
        headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
        assert local.get(f"{DLQ}/queues", headers=headers).status_code == 200


def session(client: httpx.Client, token: str = "operator") -> dict[str, str]:
    """As the page's browser: the cookie, and what its forms carry."""
    import hashlib
    import hmac

    client.cookies.set("dlq_session", token)
    return {"X-CSRF-Token": hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()}


def test_a_session_needs_the_csrf_token_to_change_anything(api: Api) -> None:
    for id in "123":
        dead(api.letters, id)
    with api.of(None) as browser:
        csrf = session(browser)
        assert len(browser.get(f"{DLQ}?queue={QUEUE}").json()) == 3
        for headers in ({}, {"X-CSRF-Token": "0" * 64}, {"X-CSRF-Token": ""}):
            assert kind(browser.delete(f"{DLQ}/1?queue={QUEUE}", headers=headers)) == (403, "csrf")
        assert kind(
            browser.delete(f"{DLQ}/1?queue={QUEUE}", headers=csrf | {"Origin": "https://evil.example.com"})
        ) == (403, "cross-site")
        assert (
            browser.delete(
                f"{DLQ}/1?queue={QUEUE}", headers=csrf | {"Origin": str(browser.base_url).rstrip("/")}
            ).status_code
            == 204
        )
        proxied = {"Host": "dlq-api:8080", "Origin": "https://dlq.example.com", "Sec-Fetch-Site": "same-origin"}
        assert browser.post(f"{DLQ}/1/restore?queue={QUEUE}", headers=csrf | proxied).status_code == 204
        form = {"csrf_token": csrf["X-CSRF-Token"], "queue": QUEUE}
        assert browser.post(f"{DLQ}/2/retry", data=form).status_code == 204
        assert kind(browser.post(f"{DLQ}/3/retry", data={"queue": QUEUE})) == (403, "csrf")


def test_a_session_that_has_ended_is_nobody(api: Api) -> None:
    with api.of(None) as browser:
        session(browser, "ended")
        assert kind(browser.get(f"{DLQ}?queue={QUEUE}")) == (401, "unauthorized")


def test_no_other_site_is_given_leave_to_read(api: Api) -> None:
    with api.of("admin") as anna:
        asked = {"Origin": "https://evil.example.com", "Access-Control-Request-Method": "DELETE"}
        answers = [anna.options(f"{DLQ}/1", headers=asked), anna.get(f"{DLQ}/queues", headers=asked), anna.get("/none")]
    assert [one.status_code for one in answers] == [405, 200, 404]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert len(answer.headers["x-request-id"]) == 32


def test_a_body_over_the_limit_is_refused_with_a_length_and_without(api: Api) -> None:
    def parts(number: int) -> Iterator[bytes]:
        for _ in range(number):
            yield b" " * 65536

    dead(api.letters, "1")
    path, head = f"{DLQ}/1/retry?queue={QUEUE}", {"Content-Type": "application/json"}
    with api.of("operator") as otto:
        assert kind(otto.post(path, content=b" " * (1024 * 1024 + 1), headers=head)) == (413, "too-large")
        assert kind(otto.post(path, content=parts(17), headers=head)) == (413, "too-large")
        assert kind(otto.post(path, content=parts(16), headers=head)) == (422, "invalid")


def test_a_body_that_says_it_is_too_long_is_not_waited_for(api: Api) -> None:
    with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])), timeout=10) as long:
        head = f"DELETE {DLQ}/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: 1048577\r\n\r\n"
        long.sendall(head.encode())
        assert long.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_given_up(letters: DeadLetters, tmp_path: Path) -> None:
    with Api(letters, tmp_path, limits=Limits(body_seconds=0.1)).running() as api:
        port = int(api.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
            slow.sendall(
                f"DELETE {DLQ}/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: 5\r\n\r\n".encode()
            )
            assert slow.recv(4096).startswith(b"HTTP/1.1 408")


def test_a_fault_of_ours_names_only_its_trace(
    letters: DeadLetters, tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("secret of /srv/app.py")

    monkeypatch.setattr(letters, "stats", fault)
    with Api(letters, tmp_path).running() as api, api.of("viewer") as vera:
        answer = vera.get(f"{DLQ}/queues", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    assert kind(answer) == (500, "internal")
    assert "secret" not in answer.text and answer.json()["trace_id"] == "ab" * 16
    assert "secret of /srv/app.py" in caplog.text


def test_bearer_headers_win_over_a_session_and_need_no_csrf_token(api: Api) -> None:
    dead(api.letters, "1")
    with api.of(None) as both:
        session(both, "viewer")
        assert both.delete(f"{DLQ}/1?queue={QUEUE}", headers=bearer("operator")).status_code == 204


def test_the_page_of_dead_letters_names_the_limits_and_every_kind_of_problem() -> None:
    page = (ROOT / "docs" / "dead-letters.md").read_text(encoding="utf-8")
    limits = Limits()
    for said in (
        f"more than {limits.rate:g} requests a second of one principal ({limits.burst} at once)",
        f"more than {limits.failure_burst} wrong tokens of an address, then one in {1 / limits.failure_rate:g} s",
        f"a body over {limits.body // 1024**2} MiB, an edited payload over {BODY_LIMIT // 1024} KiB",
        f"does not come within {limits.body_seconds:g} s",
    ):
        assert said in page
    sources = "".join(path.read_text(encoding="utf-8") for path in sorted(Path(admin.__file__).parent.glob("*.py")))
    kinds = set(re.findall(r'\(\d{3}, "([a-z-]+)", ', sources)) | set(
        re.findall(r'Problem\(\s*\d{3}, "([a-z-]+)"', sources)
    )
    assert len(kinds) > 15
    known = {"internal", "method-not-allowed", "unsupported-media-type"}  # their status says it all
    assert kinds - known <= set(re.findall(r"`([a-z-]+)`", page))
