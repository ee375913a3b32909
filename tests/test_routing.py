"""Who is told of what."""

import shutil
from pathlib import Path

import msgspec
import pytest

from obsgen import secrets
from obsgen.assets import TEMPLATES
from obsgen.model import Alert
from obsgen.plan import Plan
from obsgen.render import environment
from obsgen.road import load
from obsgen.routing import channels, heartbeat, inhibited_by, receivers, routes
from obsgen.rules import alerts

FLEET = Path(__file__).parent / "fleets" / "everything" / "observability.yaml"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load(FLEET, "one").plan


def types(plan: Plan, receiver: str) -> list[str]:
    (found,) = [r for r in receivers(plan.declaration) if r.name == receiver]
    return [channel["type"] for channel in found.channels]


def test_a_severity_tells_the_default_team_through_all_its_roles(plan: Plan) -> None:
    assert types(plan, "critical") == ["pagerduty", "slack", "email"]
    assert types(plan, "warning") == ["slack", "email"]
    assert types(plan, "info") == ["slack"]


def test_a_team_is_told_through_its_own_channels_and_else_through_the_default_teams(plan: Plan) -> None:
    assert types(plan, "critical-web") == ["webhook", "slack", "email"]
    mine = channels(plan.declaration, ["mail"], "web")
    assert [channel["to"] for channel in mine] == ["core@example.com"]


def test_a_team_without_a_channel_for_a_severity_has_no_receiver_for_it(tmp_path: Path) -> None:
    text = FLEET.read_text(encoding="utf-8").replace("      chat: {type: teams, webhook: {secret: teams-hook}}\n", "")
    shutil.copytree(FLEET.parent / "rules", tmp_path / "rules")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "one.yaml").write_text("cluster: c\n", encoding="utf-8")
    (tmp_path / "observability.yaml").write_text(text, encoding="utf-8")

    names = {receiver.name for receiver in receivers(load(tmp_path / "observability.yaml", "one").plan.declaration)}

    assert "info-mobile" not in names
    assert "warning-mobile" in names


@pytest.mark.parametrize(
    ("interval", "repeat"), [("1m", "50s"), ("15m", "750s"), ("5s", "4166ms"), ("1m30s", "75s"), ("1s", "833ms")]
)
def test_a_heartbeat_repeats_within_its_interval_so_that_no_look_is_skipped(
    plan: Plan, interval: str, repeat: str
) -> None:
    routing = msgspec.structs.replace(plan.declaration.routing, heartbeat=interval)

    assert heartbeat(msgspec.structs.replace(plan.declaration, routing=routing)) == (interval, repeat)


def test_every_route_leads_to_a_receiver(plan: Plan) -> None:
    names = {receiver.name for receiver in receivers(plan.declaration)}

    for route in routes(plan.declaration):
        assert {route.receiver, *(receiver for _, receiver in route.teams)} <= names


def test_a_graver_severity_silences_only_the_same_alert_of_the_same_thing(plan: Plan) -> None:
    graver, equal = inhibited_by(plan.declaration, (alert for _, alert in alerts(plan.declaration, plan.packs)))

    assert graver == [("critical", ["warning", "info"]), ("warning", ["info"])]
    assert equal[0] == "alertname"  # on every alert: where no label is there at all, Alertmanager finds all equal
    assert {"app", "code"} <= set(equal)  # what FrontEndErrors is grouped by


@pytest.mark.parametrize(
    ("output", "file"),
    [
        ("kubernetes", "/etc/alertmanager/secrets/pager"),
        ("operator", "/etc/alertmanager/secrets/am-secrets/pager"),
        ("compose", "/run/secrets/pager"),
    ],
)
def test_a_channel_reads_its_secret_where_the_output_puts_it(plan: Plan, output: str, file: str) -> None:
    declaration = msgspec.structs.replace(plan.declaration, output=output)
    source = declaration.secrets["pager"]
    (critical,) = [r for r in secrets.located(declaration, receivers(declaration)) if r.name == "critical"]

    (pagerduty,) = [channel for channel in critical.channels if channel["type"] == "pagerduty"]

    assert (source.secret, source.key) == ("am-secrets", "pager")
    assert pagerduty["routing_key"].path == file
    assert file in "".join(who for need in secrets.needed(declaration, receivers(declaration)) for who in need.readers)


@pytest.mark.parametrize(
    "type", sorted({one.name.split(".")[0] for one in (TEMPLATES / "alertmanager/receivers").iterdir()} - {"webhook"})
)
def test_a_message_begins_with_the_title_that_says_so_where_an_alert_is_unrouted(plan: Plan, type: str) -> None:
    """A webhook sends Alertmanager's own JSON, whose reader sees the severity."""
    declared = secrets.located(plan.declaration, receivers(plan.declaration))
    channels = {channel["type"]: channel for one in declared for channel in one.channels}
    template = environment().get_template(f"alertmanager/receivers/{type}.yaml.j2").module
    said = template.config(channels[type], "UNROUTED")  # type: ignore[attr-defined]
    assert "UNROUTED" in said, f"{type}.yaml.j2 never writes title: as a key, or first in its text"


def test_two_alerts_on_logs_of_different_things_are_not_equal(plan: Plan) -> None:
    """`critical` of one tenant must not silence `warning` of the other: every label that LogQL keeps is asked to be equal."""
    told = {"group": "logs", "summary": "Many.", "description": "Many."}
    levels = {"critical": {"above": 9}, "warning": {"above": 1}}
    logql = 'sum by (app, tenant) (rate({namespace="every-thing"} | json [5m]))'
    alert = msgspec.convert({**told, "levels": levels, "logql": logql}, Alert)
    assert "tenant" in inhibited_by(plan.declaration, [alert])[1]
