"""A real Alertmanager that loads its configuration: what is on its way then is told again, what has arrived is not.

docs/live.md says so; the live tests load a configuration of Alertmanager when nothing else is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alertmanagers import Alertmanager, Told, free_ports, receiving, until
from conftest import judge

CONFIG = """\
route: {{receiver: us, group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: us, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}]
"""


@pytest.fixture
def told() -> Iterator[Told]:
    with receiving() as one:
        yield one


@pytest.fixture
def alertmanager(tmp_path: Path, told: Told) -> Iterator[Alertmanager]:
    program = judge("alertmanager", "0.34", "nothing shows that Alertmanager tells again what is on its way")
    config = tmp_path / "alertmanager.yaml"
    config.write_text(CONFIG.format(port=told.port))
    one = Alertmanager(program, config, "one", *free_ports(1), **{"cluster.listen-address": ""})
    try:
        until(lambda: one.ask("/-/ready"))
        yield one
    finally:
        one.stop()


def load(alertmanager: Alertmanager) -> None:
    """It loads its configuration."""
    alertmanager.ask("/-/reload", method="POST")


def test_what_is_on_its_way_while_a_configuration_is_loaded_is_told_again(
    alertmanager: Alertmanager, told: Told
) -> None:
    told.leave.clear()
    alertmanager.hear()
    until(lambda: told.messages == ["firing"])
    load(alertmanager)
    until(lambda: told.messages == ["firing", "firing"])


def test_what_has_arrived_before_a_configuration_is_loaded_is_told_once(alertmanager: Alertmanager, told: Told) -> None:
    alertmanager.hear()
    until(lambda: alertmanager.turns() >= 2)  # it has asked again, and knows what it told
    load(alertmanager)
    before = alertmanager.turns()
    until(lambda: alertmanager.turns() >= before + 2)
    assert told.messages == ["firing"]
