"""What holds on every page: nothing foreign runs, nothing sticks out on a phone, nobody is shut out, no form is taken from elsewhere."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import browsing
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import OTHER, QUEUE, Site
from playwright.sync_api import expect

from auralink_shared.dlq import DeadLetters, Record

HOSTILE = """<script>document.title='run'</script><img src=x onerror="document.title='run'">'"`${7*7}{{7*7}}</textarea></title>"""
BEYOND = """[...document.querySelectorAll("main a, main button, main input")]
    .filter(one => one.getBoundingClientRect().right > 361).length"""
HOSTILE_ID = """<img/src=x/onerror=alert(1)>&"'/../%2e%2e#?"""


def walk(letters: DeadLetters, id: str, job: str) -> dict[str, str]:
    """Every page there is, by name."""
    queue = f"/ui/queues/{QUEUE}"
    return {
        "queues": "/ui/",
        "letters": queue,
        "filtered": f"{queue}?error=e&text=a&min_attempts=1&since=2026-01-01T00:00&until=2027-01-01T00:00&order=oldest&quarantined=false",
        "none": f"{queue}?error=nothing+has+this",
        "trash": f"{queue}?place=trash",
        "groups": f"{queue}/groups",
        "letter": f"{queue}/letter?id={quote(id, safe='')}",
        "edit": f"{queue}/edit?id={quote(id, safe='')}",
        "bulk": f"{queue}/bulk?action=retry",
        "filtered bulk": f"{queue}/bulk?action=remove&error=script",
        "jobs": "/ui/jobs",
        "job": f"/ui/jobs/{job}",
        "audit": f"/ui/audit?queue={QUEUE}",
        "all audit": "/ui/audit",
        "not found": "/ui/nothing",
        "unknown": f"{queue}/letter?id=nobody",
        "bad filter": f"{queue}?since=yesterday",
    }


@pytest.fixture
def pages(serve: Callable[..., Site], letters: DeadLetters) -> tuple[Site, dict[str, str]]:
    """A site of letters as hostile as their writers can make them, with a trash, a job and an audit; and every page of it."""
    browsing.seed(letters, 3)
    hostile = json.dumps({HOSTILE: HOSTILE, "long": "x" * 5000, "deep": [[[[HOSTILE]]]]}).encode()
    letters.add(browsing.record(3, letters.clock(), id=HOSTILE_ID, error=HOSTILE, error_type=HOSTILE, payload=hostile))
    root = letters.client
    known = {
        "id": "plan's",
        "payload": {"a": 1},
        "error": HOSTILE,
        "attempts": HOSTILE,
        HOSTILE: HOSTILE,
        "reason": HOSTILE,
    }
    root.lpush(f"dlq:{QUEUE}", json.dumps(known), b"no JSON: " + HOSTILE.encode(), b"\xff\x00\xfe")
    letters.adopt(QUEUE)
    letters.add(browsing.record(5, letters.clock(), replays=5, payload=b"\x00\x01binary"))
    letters.add(browsing.record(6, letters.clock()))
    letters.remove(QUEUE, browsing.record(6, 0).id, by=HOSTILE)
    letters.add(browsing.record(7, letters.clock(), OTHER))
    site = serve()
    jobs = site.application.state.jobs
    job = jobs.wait(jobs.start(OTHER, "retry", browsing.everything(), by=HOSTILE, rate=500).id)
    return site, walk(letters, HOSTILE_ID, job.id)


@pytest.mark.parametrize("role", ["admin", "viewer"])
def test_no_text_of_a_letter_becomes_markup(pages: tuple[Site, dict[str, str]], role: str) -> None:
    site, every = pages
    page = site.open(role)
    page.on("dialog", lambda dialog: site.complaints.append(dialog.message))
    for name, path in every.items():
        page.goto(path)
        assert page.evaluate(
            "[document.scripts.length, document.images.length, document.querySelectorAll('style, [style]').length]"
        ) == [1, 0, 0], name
        assert page.title().endswith("· Dead letters"), name
    page.goto(every["letter"])
    expect(page.get_by_text("<img src=x onerror=").first).to_be_visible()
    assert site.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier_on_any_page(pages: tuple[Site, dict[str, str]], scheme: str) -> None:
    site, every = pages
    # axe makes markup of its own, which our policy of trusted types forbids
    page = site.open("admin", bypass_csp=True, color_scheme=scheme, reduced_motion="reduce")
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = {}
    for name, path in {**every, "login": "/ui/login"}.items():
        if name == "login":
            page.context.clear_cookies()
        page.goto(path)
        violations = Axe().run(page, options=options).response["violations"]
        if violations:
            found[name] = [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in violations]
    assert found == {}


def test_nothing_sticks_out_on_a_phone(pages: tuple[Site, dict[str, str]]) -> None:
    site, every = pages
    page = site.open("admin", viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    wide = {}
    for name, path in every.items():
        page.goto(path)
        width = page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
        cut = page.evaluate(BEYOND)
        if width > 360 or cut:
            wide[name] = (width, cut)
    assert wide == {}


def test_every_page_has_the_strict_policy_and_is_kept_nowhere(pages: tuple[Site, dict[str, str]]) -> None:
    site, every = pages
    page = site.open("admin")
    for name, path in {**every, "login": "/ui/login"}.items():
        headers = page.request.get(path, max_redirects=0).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'", name
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'", name
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'", name
        assert "unsafe" not in headers["content-security-policy"], name
        assert headers["cache-control"] == "no-store", name
        assert headers["x-content-type-options"] == "nosniff", name


def test_a_form_without_the_sessions_token_or_from_elsewhere_is_refused(
    serve: Callable[..., Site], letters: DeadLetters
) -> None:
    (one,) = browsing.seed(letters, 1)
    site = serve()
    page = site.open("operator", f"/ui/queues/{QUEUE}")
    token = page.locator("input[name=csrf_token]").first.input_value()
    path, form = f"/ui/queues/{QUEUE}/retry", {"id": one.id}

    def refused(form: dict[str, str], **headers: str) -> str:
        answer = page.request.post(path, form=form, headers=headers, max_redirects=0)
        assert answer.status == 403
        return str(answer.text())

    assert "The form is too old" in refused(form)
    assert "The form is too old" in refused({**form, "csrf_token": "0" * 64})
    assert "Another site has sent this" in refused({**form, "csrf_token": token}, Origin="https://evil.example")
    assert "Another site has sent this" in refused({**form, "csrf_token": token}, **{"Sec-Fetch-Site": "cross-site"})
    assert site.waiting() == []
    assert page.request.post(path, form={**form, "csrf_token": token}, max_redirects=0).status == 303
    assert site.waiting() == [one.payload]


@pytest.mark.parametrize(
    ("role", "path", "form", "status", "said"),
    [
        ("viewer", "retry", {"id": "ID"}, 403, "This needs the role operator"),
        ("viewer", "bulk", {"action": "remove", "error": "e"}, 403, "This needs the role operator"),
        ("operator", "purge", {"id": "ID"}, 403, "This needs the role admin"),
        ("operator", "retry", {"id": "ID", "force": "1"}, 403, "Forcing a letter needs the role admin"),
        (
            "operator",
            "bulk",
            {"action": "retry", "matched": "1", "counted": "2027-01-01"},
            403,
            "Everything at once needs",
        ),
        (
            "operator",
            "bulk",
            {"action": "retry", "error": "e", "matched": "1", "force": "1"},
            403,
            "Forcing letters needs",
        ),
        (
            "operator",
            "bulk",
            {"action": "purge", "error": "e", "matched": "1", "counted": "2027-01-01"},
            422,
            "retried or removed",
        ),
        ("operator", "bulk", {"action": "retry", "error": "e"}, 422, "it has not been counted yet"),
        (
            "admin",
            "bulk",
            {"action": "retry", "matched": "101", "counted": "2027-01-01", "confirm": "1"},
            422,
            "type 101 or",
        ),
        ("admin", "bulk", {"action": "retry", "matched": "1", "counted": "2027-01-01", "rate": "501"}, 422, "rate 501"),
        ("admin", "retry", {"id": "ID", "kind": "json", "payload": "{"}, 422, "line 1, column 2"),
        ("admin", "retry", {"id": "ID", "kind": "json", "payload": '"' + 300_000 * "x" + '"'}, 422, "262,144 at most"),
        ("admin", "retry", {"id": "ID", "kind": "json", "payload": "SAME"}, 422, "the payload is the same"),
        ("admin", "retry", {"id": "ID", "seen": "0" * 40}, 409, "It is not the letter that you opened"),
        ("admin", "retry", {"id": "nobody"}, 404, "No such letter here"),
        ("admin", "retry", {"id": "\u2603"}, 404, "No letter has such a name"),
    ],
)
def test_what_has_no_button_is_refused_all_the_same(
    serve: Callable[..., Site], letters: DeadLetters, role: str, path: str, form: dict[str, str], status: int, said: str
) -> None:
    (one,) = browsing.seed(letters, 1, replays=5 if "force" in form else 0)
    page = serve().open(role)
    token = page.locator("input[name=csrf_token]").first.input_value()
    real = {"ID": one.id, "SAME": json.dumps(json.loads(one.payload))}
    filled = {name: real.get(value, value) for name, value in form.items()}
    answer = page.request.post(f"/ui/queues/{QUEUE}/{path}", form={**filled, "csrf_token": token}, max_redirects=0)
    assert (answer.status, said in html.unescape(answer.text())) == (status, True)
    assert letters.stats(QUEUE).depth == 1


def test_the_session_is_a_cookie_that_no_script_and_no_other_site_gets(serve: Callable[..., Site]) -> None:
    site = serve()
    page = site.open("viewer")
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (
        "dlq_session",
        True,
        "Strict",
        False,
    )
    away = page.request.post(
        "/ui/login", form={"token": "viewer"}, headers={"Host": "dlq.example", "Cookie": ""}, max_redirects=0
    )
    assert "Secure" in away.headers["set-cookie"]
    page.get_by_role("button", name="Log out").click()
    assert page.context.cookies() == []


@pytest.mark.parametrize(
    "onward",
    ["//evil.example/ui/", "https://evil.example/ui/", "/ui/\\\\evil.example", "/api/v1/admin/dlq", "/ui/../api"],
)
def test_the_login_leads_nowhere_else(serve: Callable[..., Site], onward: str) -> None:
    site = serve()
    page = site.open()
    answer = page.request.post("/ui/login", form={"token": "viewer", "next": onward}, max_redirects=0)
    assert answer.headers["location"] == "/ui/"


def test_a_wrong_token_is_told_and_the_right_one_leads_to_what_was_asked_for(
    serve: Callable[..., Site], letters: DeadLetters
) -> None:
    site = serve()
    page = site.open(path=f"/ui/queues/{QUEUE}?order=oldest")
    page.get_by_label("Token").fill("guess")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("No such token is known.")
    page.get_by_label("Token").fill("viewer")
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{site.url}/ui/queues/{QUEUE}?order=oldest")


def test_without_tokens_the_page_is_locals_and_asks_for_nothing(
    serve: Callable[..., Site], letters: DeadLetters
) -> None:
    (one,) = browsing.seed(letters, 1)
    site = serve(tokens=False)
    page = site.open(path="/")
    expect(page.get_by_text("local, admin")).to_be_visible()
    assert page.get_by_role("button", name="Log out").count() == 0
    page.goto(f"/ui/queues/{QUEUE}")
    page.get_by_role("button", name=f"Retry {one.id}").click()
    expect(page.get_by_role("status")).to_contain_text("was sent back")


def test_somebody_limited_to_queues_sees_no_other(
    letters: DeadLetters, serve: Callable[..., Site], tmp_path: Path
) -> None:
    browsing.seed(letters, 1)
    letters.add(Record(queue=OTHER, payload=b"{}", id="theirs"))
    letters.remove(OTHER, "theirs", by="somebody")
    site = serve()
    line = f"{hashlib.sha256(b'narrow').hexdigest()} admin nina {QUEUE}\n"
    (tmp_path / "tokens").write_text(line)
    page = site.open("narrow")
    assert OTHER not in page.content()
    for path in ("/ui/audit", "/ui/jobs"):
        page.goto(path)
        assert OTHER not in page.content()
    for path in (f"/ui/queues/{OTHER}", f"/ui/queues/{OTHER}/letter?id=theirs", f"/ui/audit?queue={OTHER}"):
        assert page.goto(path).status == 403
        expect(page.get_by_text("nina is limited to other queues")).to_be_visible()


def test_who_has_no_session_is_sent_to_sign_in_and_a_script_is_told_so(serve: Callable[..., Site]) -> None:
    page: Any = serve().open()
    assert page.request.get("/ui/jobs", max_redirects=0).headers["location"] == "/ui/login?next=%2Fui%2Fjobs"
    answer = page.request.get("/ui/jobs/00/progress", headers={"Accept": "application/json"}, max_redirects=0)
    assert (answer.status, answer.headers["content-type"]) == (401, "application/problem+json")
