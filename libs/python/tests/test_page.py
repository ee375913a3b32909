"""The operators' page in Debian's Chromium: what people do there, from the list to the audit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import browsing
from browsing import OTHER, QUEUE, Site
from playwright.sync_api import expect

from auralink_shared.dlq import DeadLetters
from conftest import Server


def test_an_operator_edits_a_letter_sends_it_and_finds_it_in_the_audit(
    serve: Callable[..., Site], letters: DeadLetters
) -> None:
    browsing.seed(letters, 3)
    site = serve()
    page = site.open("operator")
    page.get_by_role("link", name=QUEUE, exact=True).click()
    page.get_by_role("link", name="ValidationError").click()
    page.get_by_role("link", name="Edit and retry").click()
    editor = page.get_by_label("Payload", exact=True)
    editor.fill(editor.input_value().replace('"max_participants": 14', '"max_participants": 50'))
    difference = page.get_by_role("region", name="Difference of the payload")
    expect(difference.locator(".minus")).to_contain_text('"max_participants": 14')
    expect(difference.locator(".plus")).to_contain_text('"max_participants": 50')
    page.get_by_label("Why").fill("fifty is the most")
    page.get_by_role("button", name="Retry with this payload").click()
    expect(page.get_by_role("status")).to_contain_text(f"The new payload was sent to {QUEUE}")
    sent = browsing.payload(2).replace(b'"max_participants":14', b'"max_participants":50')
    assert site.waiting() == [sent], "every other byte as it was, 9007199254740993 too"
    page.get_by_role("link", name="Audit", exact=True).first.click()
    entry = page.get_by_role("row").filter(has=page.get_by_role("cell", name=f"edit {QUEUE}"))
    expect(entry).to_contain_text("otto")
    expect(entry).to_contain_text("ok")
    expect(entry).to_contain_text("fifty is the most")
    entry.get_by_role("link").click()
    expect(page.get_by_text("in the trash", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="History")).to_contain_text("otto")


def test_many_are_counted_first_confirmed_by_typing_and_watched_to_the_end(
    serve: Callable[..., Site], letters: DeadLetters
) -> None:
    records = browsing.seed(letters, 105, error="no room", error_type="TimeoutError")
    browsing.seed(letters, 2, OTHER)
    site = serve()
    page = site.open("operator", f"/ui/queues/{QUEUE}?error=no+room")
    page.get_by_role("link", name="Retry all that match").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Retry 105 letters of {QUEUE}")
    assert site.waiting() == [], "a count does nothing"
    page.get_by_label("Letters a second").fill("500")
    page.get_by_label("to confirm").fill("104")
    page.get_by_role("button", name="Retry 105 letters").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Retry 105 letters of {QUEUE}")
    page.get_by_label("to confirm").fill("105")
    page.get_by_role("button", name="Retry 105 letters").click()
    expect(page.locator("[data-state]")).to_have_text("done")
    expect(page.get_by_label("Letters done")).to_have_js_property("value", 105)
    expect(page.locator("[data-said]")).to_contain_text("All 105 were tried")
    assert site.waiting() == [one.payload for one in reversed(records)], "the oldest first"
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("105 of 105")


def test_a_job_is_seen_to_go_on_and_stopped(serve: Callable[..., Site], letters: DeadLetters) -> None:
    browsing.seed(letters, 20)
    site = serve()
    page = site.open("admin", f"/ui/queues/{QUEUE}")
    page.get_by_role("link", name="Remove all").click()
    page.get_by_label("Letters a second").fill("2")
    page.get_by_role("button", name="Remove 20 letters").click()
    expect(page.locator("[data-state]")).to_have_text("running")
    expect(page.locator("[data-number=done]")).not_to_have_text("0")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-state]")).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    stats = letters.stats(QUEUE)
    assert stats.depth + stats.trash == 20
    assert 0 < stats.trash < 20


def test_an_operator_may_not_take_everything_at_once(serve: Callable[..., Site], letters: DeadLetters) -> None:
    browsing.seed(letters, 3)
    page = serve().open("operator", f"/ui/queues/{QUEUE}/bulk?action=retry")
    expect(page.get_by_text("Everything at once is an admin's to do")).to_be_visible()
    assert page.get_by_role("button", name="Retry").count() == 0


def test_a_viewer_sees_no_button_and_no_secret(serve: Callable[..., Site], letters: DeadLetters) -> None:
    records = browsing.seed(letters, 2, error="login failed: password=hunter2")
    site = serve()
    page = site.open("viewer", f"/ui/queues/{QUEUE}")
    for path in (f"/ui/queues/{QUEUE}", f"/ui/queues/{QUEUE}/groups", f"/ui/queues/{QUEUE}/letter?id={records[0].id}"):
        page.goto(path)
        assert page.locator("main form[method=post]").count() == 0
        assert page.locator("main .button").count() == 0
        assert "hunter2" not in page.content()
        assert "secret-0" not in page.content()
    expect(page.get_by_label("Payload", exact=True).last).to_contain_text('"token": "[REDACTED]"')
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert b"secret-0" not in Path(download.value.path()).read_bytes()
    page.goto(f"/ui/queues/{QUEUE}?text=secret-0")
    expect(page.get_by_text("No letter matches")).to_be_visible()
    page.goto(f"/ui/queues/{QUEUE}/edit?id={records[0].id}")
    expect(page.get_by_text("This needs the role operator")).to_be_visible()


def test_a_page_that_is_read_only_says_so(serve: Callable[..., Site], letters: DeadLetters) -> None:
    records = browsing.seed(letters, 2)
    site = serve(read_only=True)
    page = site.open("admin", f"/ui/queues/{QUEUE}/letter?id={records[0].id}")
    expect(page.get_by_text("read-only", exact=True)).to_be_visible()
    assert page.locator("main form[method=post]").count() == 0
    expect(page.get_by_label("Payload", exact=True).last).to_contain_text("secret-0")
    page.goto(f"/ui/queues/{QUEUE}/edit?id={records[0].id}")
    expect(page.get_by_role("heading", name="Read-only")).to_be_visible()
    page.goto("/ui/")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_everything_can_be_done_by_keys(serve: Callable[..., Site], letters: DeadLetters) -> None:
    records = browsing.seed(letters, 3)
    site = serve()
    page = site.open(path=f"/ui/queues/{QUEUE}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.get_by_label("Token").focus()
    page.keyboard.type("operator")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=QUEUE)).to_be_visible()
    for key in ("j", "j", "j", "k"):
        page.keyboard.press(key)
    expect(page.get_by_role("link", name="OperationalError")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=records[1].id)).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name=QUEUE)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(page.get_by_role("button", name=f"Retry {records[0].id}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text(f"Letter {records[0].id} was sent back")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Error contains")).to_be_focused()
    page.keyboard.type("jkr?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No letter matches")).to_be_visible()
    assert site.waiting() == [records[0].payload]


def test_without_a_script_letters_are_sent_edited_and_jobs_run(
    serve: Callable[..., Site], letters: DeadLetters
) -> None:
    records = browsing.seed(letters, 9)
    site = serve()
    page = site.open("operator", f"/ui/queues/{QUEUE}?error=livekit", java_script_enabled=False)
    page.get_by_role("button", name=f"Retry {records[0].id}").click()
    expect(page.get_by_role("status")).to_contain_text("was sent back")
    assert "error=livekit" in page.url, "the list stays as it was filtered"
    page.get_by_role("link", name="TimeoutError").first.click()
    page.get_by_role("link", name="Edit and retry").click()
    editor = page.get_by_label("Payload", exact=True)
    editor.fill(editor.input_value().replace('"use1"', '"euw1"'))
    page.get_by_role("button", name="Show the difference").click()
    expect(page.locator(".diff .plus")).to_contain_text('"euw1"')
    page.get_by_role("button", name="Retry with this payload").click()
    expect(page.get_by_role("status")).to_contain_text("The new payload was sent")
    page.goto(f"/ui/queues/{QUEUE}/groups")
    page.get_by_role("link", name="Remove all of KeyError").click()
    page.get_by_role("button", name="Remove 1 letter").click()
    page.wait_for_url("**/ui/jobs/*")  # it is loaded: before that there is a moment in which nothing can be reloaded
    site.application.state.jobs.wait(page.url.rsplit("/", 1)[1])
    page.reload()
    expect(page.locator("[data-said]")).to_contain_text("All 1 were tried")
    assert site.waiting() == [records[0].payload, records[3].payload.replace(b"use1", b"euw1")]


def test_a_letter_that_is_removed_can_be_had_back_and_purged(serve: Callable[..., Site], letters: DeadLetters) -> None:
    (one,) = browsing.seed(letters, 1)
    page = serve().open("admin", f"/ui/queues/{QUEUE}/letter?id={one.id}")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status")).to_contain_text("in the trash")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text(f"back in {QUEUE}")
    letters.remove(QUEUE, one.id, by="ada")
    page.get_by_role("link", name="Trash 0").click()
    page.get_by_role("link", name="TimeoutError").click()
    page.get_by_role("button", name="Purge…").click()
    page.get_by_role("button", name="Purge for good").click()
    expect(page.get_by_role("status")).to_contain_text("gone for good")
    assert letters.stats(QUEUE).trash == 0


def test_a_quarantined_letter_is_an_admins_to_force(serve: Callable[..., Site], letters: DeadLetters) -> None:
    (one,) = browsing.seed(letters, 1, replays=5)
    site = serve()
    path = f"/ui/queues/{QUEUE}/letter?id={one.id}"
    page = site.open("operator", path)
    expect(page.get_by_text("quarantined", exact=True)).to_be_visible()
    expect(page.get_by_text("An admin may force it.")).to_be_visible()
    page = site.open("admin", path)
    page.get_by_role("button", name="Force…").click()
    page.get_by_role("button", name="Send it all the same").click()
    expect(page.get_by_role("status")).to_contain_text("was sent back")
    assert site.waiting() == [one.payload]


def test_a_conflict_shows_what_has_changed_and_keeps_what_was_typed(
    serve: Callable[..., Site], letters: DeadLetters, clock: Any
) -> None:
    (one,) = browsing.seed(letters, 1)
    site = serve()
    page = site.open("operator", f"/ui/queues/{QUEUE}/edit?id={one.id}")
    plain = site.open("operator", f"/ui/queues/{QUEUE}/letter?id={one.id}")
    letters.retry(QUEUE, one.id, by="ada")
    clock.now += 60
    known = letters.known(QUEUE, one.payload)
    letters.add(browsing.record(0, clock.now, error="livekit is gone", replays=known["replays"], death="d"))
    editor = page.get_by_label("Payload", exact=True)
    editor.fill(editor.input_value().replace('"use1"', '"euw1"'))
    page.get_by_role("button", name="Retry with this payload").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was sent.")
    expect(page.get_by_role("row", name="error")).to_contain_text("livekit is gone")
    expect(page.get_by_label("Payload", exact=True)).to_have_value(re.compile('"euw1"'))
    expect(page.locator(".diff .plus")).to_contain_text('"euw1"')
    plain.get_by_role("button", name="Retry", exact=True).click()
    expect(plain.get_by_role("heading", name="The letter has changed")).to_be_visible()
    expect(plain.get_by_role("row", name="error")).to_contain_text("livekit is gone")
    assert site.waiting() == [one.payload], "only the retry that was meant"
    page.get_by_role("button", name="Retry with this payload").click()
    expect(page.get_by_role("status")).to_contain_text("The new payload was sent")


def test_a_typing_mistake_in_json_is_told_where_it_is_and_nothing_is_sent(
    serve: Callable[..., Site], letters: DeadLetters
) -> None:
    (one,) = browsing.seed(letters, 1)
    site = serve()
    page = site.open("operator", f"/ui/queues/{QUEUE}/edit?id={one.id}")
    page.get_by_label("Payload", exact=True).fill('{\n  "event": room\n}')
    expect(page.locator("[data-verdict]")).to_contain_text("line 2, column 12")
    page.get_by_role("button", name="Retry with this payload").click()
    expect(page.get_by_role("alert")).to_contain_text("line 2, column 12")
    expect(page.get_by_label("Payload", exact=True)).to_have_value('{\n  "event": room\n}')
    assert site.waiting() == []


def test_a_large_payload_is_cut_and_can_be_had_whole(serve: Callable[..., Site], letters: DeadLetters) -> None:
    whole = json.dumps({"lines": [f"line {at}" for at in range(9000)], "last": "the end"}).encode()
    (one,) = browsing.seed(letters, 1, payload=whole)
    site = serve()
    page = site.open("operator", f"/ui/queues/{QUEUE}/letter?id={one.id}")
    assert "the end" not in page.content()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    assert Path(download.value.path()).read_bytes() == whole
    page.get_by_role("link", name="Edit and retry").click()
    # fill() types, which takes Chromium a while for 9,000 lines
    page.get_by_label("Payload", exact=True).evaluate("one => { one.value = one.value.replace('the end', 'an end') }")
    page.get_by_role("button", name="Retry with this payload").click()
    expect(page.get_by_role("status")).to_contain_text("The new payload was sent")
    assert json.loads(site.waiting()[0]) == {**json.loads(whole), "last": "an end"}


def test_pages_of_a_list_go_on_and_skip_nothing(serve: Callable[..., Site], letters: DeadLetters) -> None:
    records = browsing.seed(letters, 120)
    page = serve().open("viewer", f"/ui/queues/{QUEUE}?order=oldest")
    seen: list[str] = []
    while True:
        seen += page.locator("td .facts > code").all_inner_texts()
        more = page.get_by_role("link", name="Next 50")
        if not more.count():
            break
        more.click()
        page.wait_for_url("**cursor=*")
    assert seen == [one.id for one in reversed(records)]


def test_a_redis_that_is_away_is_said_plainly(serve: Callable[..., Site], server: Server, letters: DeadLetters) -> None:
    site = serve()
    page = site.open("operator")
    server.kill()
    try:
        answer = page.goto(f"/ui/queues/{QUEUE}")
        assert answer.status == 503
        expect(page.get_by_role("heading", name="Redis does not answer")).to_be_visible()
        assert "Traceback" not in page.content()
    finally:
        server.start()
