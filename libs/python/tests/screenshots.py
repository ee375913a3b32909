"""The two pictures of docs/how-to/work-through-dead-letters.md, of letters that are always the same.

`python libs/python/tests/screenshots.py` takes them anew; look at them before committing.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from browsing import OTHER, QUEUE, application, browsing, record, seed, served

from auralink_shared.dlq import DeadLetters, Settings
from auralink_shared.dlq.keys import AUDIT
from conftest import Clock, Server

PICTURES = Path(__file__).parents[3] / "docs" / "images"
SETTINGS = Settings.from_contract({"dlq": {"queues": {QUEUE: {"max_attempts": 3}, OTHER: {"max_attempts": 5}}}})
HISTORY = (("retry", "ok", "otto", 5400), ("restore", "ok", "ada", 5460), ("remove", "ok", "otto", 7260))  # seconds ago


def take(folder: Path) -> None:
    """Writes both."""
    server, clock = Server(folder / "redis"), Clock()
    try:
        letters = DeadLetters(server.root, settings=SETTINGS, clock=clock)
        seed(letters, 214)
        looked = record(
            214, clock(), created_at=clock() - 24, last_attempt=clock() - 24, first_attempt=clock() - 95, replays=1
        )
        letters.add(looked)
        for what, result, by, before in reversed(HISTORY):
            entry = {"what": what, "queue": QUEUE, "id": looked.id, "by": by, "result": result}
            server.root.xadd(AUDIT, entry, id=f"{int((clock() - before) * 1000)}-0")
        with served(application(letters, folder / "tokens")) as url, browsing() as browser:
            page = browser.new_page(base_url=url, viewport={"width": 1200, "height": 760}, color_scheme="light")
            page.goto(f"/ui/queues/{QUEUE}")
            page.get_by_label("Token").fill("operator")
            page.get_by_role("button", name="Log in").click()
            page.get_by_role("heading", name=QUEUE).wait_for()
            page.screenshot(path=PICTURES / "dead-letters-queue.png")
            page.goto(f"/ui/queues/{QUEUE}/letter?id={looked.id}")
            page.screenshot(path=PICTURES / "dead-letters-letter.png")
    finally:
        server.kill()


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        take(Path(folder))
