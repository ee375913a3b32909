"""The description is what is committed, and what runs: asked by schemathesis as each role, with letters to find."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from admin import Api
from test_admin_letters import dead

from auralink_shared.dlq import DeadLetters, Filter
from auralink_shared.dlq.admin.describe import text
from auralink_shared.dlq.admin.limits import Limits
from conftest import OTHER, QUEUE

COMMITTED = Path(__file__).parents[1] / "openapi.json"
# A filter without a condition is refused, and one whose conditions are all at their default has none.
CONDITIONS = [
    {"required": [name], "properties": {name: condition}}
    for name, condition in {
        "error": {"minLength": 1},
        "text": {"minLength": 1},
        "min_attempts": {"minimum": 1},
        "since": {},
        "until": {},
        "fingerprint": {"minLength": 1},
        "quarantined": {},
    }.items()
]


def test_the_committed_description_is_the_one_that_is_made() -> None:
    command = [sys.executable, "-m", "auralink_shared.dlq.admin.openapi"]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert made.stdout == COMMITTED.read_text(encoding="utf-8"), " ".join(command[1:]) + " > libs/python/openapi.json"
    assert made.stderr == ""


def test_every_operation_says_its_role_its_security_and_its_answers() -> None:
    described = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert described["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}
    for path, operations in described["paths"].items():
        for operation in operations.values():
            probe = path in ("/healthz", "/readyz", "/metrics")
            assert operation["x-role"] == "anyone" if probe else operation["x-role"] in ("viewer", "operator", "admin")
            assert operation["security"] == ([] if probe else [{"bearer": []}, {"session": []}])
            assert {"429", "500"} | (set() if probe else {"401", "403"}) <= set(operation["responses"])
            for status, answer in operation["responses"].items():
                assert answer["description"]
                if status >= "400" and path != "/readyz":
                    assert list(answer["content"]) == ["application/problem+json"]


def test_the_api_gives_its_description(api: Api) -> None:
    with api.of("viewer") as vera:
        assert vera.get("/openapi.json").json() == json.loads(text(api.app))


def seeded(letters: DeadLetters, jobs: Any) -> dict[str, list[str]]:
    """What there is to find: ids of letters, of letters in the trash, of jobs."""
    ids = [f"letter-{number}" for number in range(300)]
    for number, id in enumerate(ids):
        dead(letters, id, b'{"n": %d}' % number, error=f"room {number} is gone" if number % 2 else "timeout")
    gone = [f"gone-{number}" for number in range(100)]
    for id in gone:
        dead(letters, id)
        letters.remove(QUEUE, id, by="anna")
    dead(letters, "odd/id?", replays=5)
    letters.client.lpush(f"dlq:{QUEUE}", b"not JSON")
    job = jobs.start(QUEUE, "retry", Filter(text="nothing has this"), by="anna")
    jobs.wait(job.id)
    return {"id": [*ids[:150], *gone[:50], "odd/id?"], "job": [job.id]}


def findable(known: dict[str, list[str]]) -> dict[str, Any]:
    """The committed description, whose examples exist: random names would all be 404."""
    described: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    for operations in described["paths"].values():
        for operation in operations.values():
            asked = operation.get("parameters", [])
            asked[:] = [one for one in asked if one["name"] != "Idempotency-Key"]  # one key would be many requests'
            for parameter in asked:
                if parameter["name"] == "queue":
                    parameter["required"] = True  # a form may carry it instead, which OpenAPI can't say
                    parameter["schema"] = {"type": "string", "enum": [QUEUE, OTHER]}
                elif parameter["in"] == "path":
                    parameter["schema"] |= {"examples": known[parameter["name"]][:3]}
                    parameter["schema"]["anyOf"] = [
                        {"type": "string", "enum": known[parameter["name"]]},
                        {"type": "string", "pattern": parameter["schema"].pop("pattern")},
                    ]
    schemas = described["components"]["schemas"]
    schemas["Bulk"]["properties"]["queue"] = {"type": "string", "enum": [QUEUE, OTHER]}
    schemas["Bulk"]["anyOf"] = [
        {"required": ["filter"], "properties": {"filter": {"anyOf": CONDITIONS}}},
        {"required": ["allow_all"], "properties": {"allow_all": {"const": True}}},
        {"required": ["dry_run"], "properties": {"dry_run": {"const": True}}},
    ]
    return described


def asked(described: Path, url: str, role: str, *how: str) -> str:
    """What schemathesis says of the API, asked as this role; it has to be content."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(described), "--url", url, "--no-color"]
    ended = subprocess.run(
        [
            *(*command, "--header", f"Authorization: Bearer {role}", "--checks", "all", "--seed", "1", *how),
            *("--exclude-checks", "use_after_free"),  # what is removed is in the trash, and shown
            *("--generation-database", "none", "--warnings", "off", "--suppress-health-check", "all"),
        ],
        cwd=described.parent,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_the_api_keeps_to_its_description(letters: DeadLetters, tmp_path: Path, role: str) -> None:
    limits = Limits(rate=1e6, burst=1_000_000, failure_rate=1e6, failure_burst=1_000_000)
    api = Api(letters, tmp_path, limits=limits)
    described = tmp_path / "openapi.json"
    described.write_text(json.dumps(findable(seeded(letters, api.app.state.jobs))), encoding="utf-8")
    with api.running():
        said = asked(described, api.url, role, "--phases", "fuzzing,stateful", "--max-examples", "20")
        assert "✅ Fuzzing" in said.replace("  ", " ") and "✅ Stateful" in said.replace("  ", " "), said
        # every boundary of every parameter: some 1,800 requests
        asked(described, api.url, role, "--phases", "coverage")
