"""The doctor: what Redis' settings promise, one wrong setting at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from servers import Nodes

from auralink_shared.dlq import doctor
from conftest import Server

pytestmark = pytest.mark.each_server

WRONG = {
    "appendonly": ("no", "yes"),
    "appendfsync": ("everysec", "always"),
    "no-appendfsync-on-rewrite": ("yes", "no"),
    "maxmemory-policy": ("allkeys-lru", "noeviction"),
}


def test_a_redis_as_rendered_is_durable(redis: Any) -> None:
    findings = doctor.examine(redis)
    assert doctor.durable(findings)
    assert all(one.ok for one in findings)
    assert {one.name: one.value for one in findings if one.name in WRONG} == {
        name: right for name, (_, right) in WRONG.items()
    }


@pytest.mark.parametrize("setting", WRONG)
def test_a_wrong_setting_is_found_with_its_remedy(redis: Any, server: Server, setting: str) -> None:
    wrong, right = WRONG[setting]
    server.root.config_set(setting, wrong)
    try:
        findings = doctor.examine(redis)
    finally:
        server.root.config_set(setting, right)
    (found,) = [one for one in findings if not one.ok]
    assert (found.name, found.value) == (setting, wrong)
    assert f"CONFIG SET {setting} {right}" in found.remedy
    assert not doctor.durable(findings)


def test_a_redis_that_is_away_is_a_finding(redis: Any, server: Server) -> None:
    server.kill()
    try:
        (found,) = doctor.examine(redis)
    finally:
        server.start()
    assert (found.name, found.ok) == ("redis", False)


def test_a_node_of_a_cluster_that_comes_back_elsewhere_is_asked_there(tmp_path: Path) -> None:
    cluster = Nodes(tmp_path)
    try:
        client = cluster.connect()
        assert doctor.durable(doctor.examine(client))
        cluster.move(cluster.nodes[2])
        assert doctor.durable(doctor.examine(client))
    finally:
        cluster.kill()


def test_a_cluster_that_is_away_is_a_finding(tmp_path: Path) -> None:
    cluster = Nodes(tmp_path)
    client = cluster.connect()
    cluster.kill()
    (found,) = doctor.examine(client)
    assert (found.name, found.ok) == ("redis", False)


def test_settings_that_can_t_be_seen_are_no_promise(redis: Any, server: Server) -> None:
    server.root.execute_command("ACL", "SETUSER", "dlq", "-config|get")
    try:
        findings = doctor.examine(redis)
    finally:
        server.root.execute_command("ACL", "SETUSER", "dlq", "+config|get")
    assert {one.value for one in findings if not one.ok} == {"not told"}
    assert not doctor.durable(findings)


def test_what_is_not_promised_is_said_and_spoils_nothing(redis: Any) -> None:
    (replicas,) = [one for one in doctor.examine(redis) if one.name == "replicas"]
    assert replicas.ok and not replicas.promise and replicas.meaning.startswith("Not promised")
