"""`deploy: false`: nothing of a server that somebody else runs is rendered, and what is rendered finds it where they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from obsgen.checks import check
from obsgen.judging.texts import configs
from obsgen.road import Declared, load, texts

FLEET = Path(__file__).parent / "fleets" / "everything" / "observability.yaml"
OF_OTHERS = {"loki", "prometheus", "alertmanager", "grafana", "dlq-redis"}


@pytest.fixture(scope="module")
def declared() -> Declared:
    return load(FLEET, "elsewhere")


@pytest.fixture(scope="module")
def files(declared: Declared) -> dict[str, str]:
    return texts(declared)


def objects(files: dict[str, str]) -> list[dict[str, Any]]:
    index = yaml.safe_load(files["kustomization.yaml"])["resources"]
    return [one for path in index for one in yaml.safe_load_all(files[path])]


def test_no_workload_and_no_address_of_a_server_of_others_is_rendered(files: dict[str, str]) -> None:
    made = {(one["kind"], one["metadata"]["name"]) for one in objects(files)}
    active = {name for kind, name in made if kind not in ("ConfigMap", "Secret", "Role", "RoleBinding")}
    assert active == {"promtail", "redis-exporter", "dlq-api", "dlq-cleanup"}
    for server in OF_OTHERS:
        assert f"{server}.every-thing.svc" not in "".join(files.values())


def test_the_agent_sends_to_the_loki_of_others(files: dict[str, str]) -> None:
    (agent,) = configs(files, "promtail.yaml")
    assert [client["url"] for client in yaml.safe_load(agent.text)["clients"]] == [
        "https://loki.example.com/sub/loki/api/v1/push"
    ]


def test_rules_routes_and_dashboards_are_there_for_the_servers_of_others(files: dict[str, str]) -> None:
    maps = {one["metadata"]["name"] for one in objects(files) if one["kind"] == "ConfigMap"}
    assert {"loki-rules", "alert-rules", "alertmanager-config", "alertmanager-templates"} <= maps
    assert {f"dashboard-everything-{name}" for name in ("fleet", "dlq", "alerting", "objectives")} <= maps
    assert "grafana-provisioning" not in maps


def test_what_speaks_to_redis_speaks_to_the_redis_of_others(files: dict[str, str]) -> None:
    for path in ("dlq/exporter.yaml", "dlq/api.yaml", "dlq/cleanup.yaml"):
        assert "redis.example.com:6379" in files[path]


def test_the_prometheus_of_others_may_ask_the_admin_api_from_its_own_namespace(files: dict[str, str]) -> None:
    (policy,) = [
        one for one in objects(files) if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "dlq-api"
    ]
    assert {"namespaceSelector": {}} in policy["spec"]["ingress"][0]["from"]


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ("loki: {deploy: false}", "Loki is not deployed here"),
        ("alertmanager: {deploy: false}", "Alertmanager is not deployed here"),
    ],
)
def test_a_server_of_others_without_an_address_is_an_error_where_something_needs_it(
    fleet: Path, profile: str, says: str
) -> None:
    (fleet / "profiles" / "one.yaml").write_text(f"cluster: home\n{profile}\n", encoding="utf-8")
    found = [p for p in check(load(fleet / "observability.yaml", "one")) if p.rule == "server/url"]
    assert [says in problem.fact for problem in found] == [True]


def test_the_fleet_elsewhere_has_no_error(declared: Declared) -> None:
    assert [problem for problem in check(declared) if problem.severity == "error"] == []
