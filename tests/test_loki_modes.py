"""Loki on one pod, on three and in its parts: what one key changes, and that what is rendered fits together.

Whether such Lokis form a ring, take lines and answer is asked of running ones; see docs/scale.md.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from conftest import FLEETS
from obsgen import addresses, loki_targets, upstream
from obsgen.model import Loki, LokiTarget, memory
from obsgen.road import load, texts

FLEET = FLEETS / "scale"
MODES = list(loki_targets.MODES)
Objects = Mapping[tuple[str, str], dict[str, Any]]


def rendered(mode: str) -> dict[str, str]:
    return texts(load(FLEET / "observability.yaml", mode))


def objects(mode: str) -> Objects:
    """(kind, name) → object of `logging/loki.yaml`."""
    found = yaml.safe_load_all(rendered(mode)["logging/loki.yaml"])
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def config(mode: str, version: str | None = None) -> dict[str, Any]:
    """`loki.yaml`, of the declared version of Loki or of another."""
    declared = load(FLEET / "observability.yaml", mode)
    if version:
        versions = msgspec.structs.replace(declared.declaration.versions, loki=version)
        declared = replace(declared, declaration=msgspec.structs.replace(declared.declaration, versions=versions))
        found = yaml.safe_load_all(texts(declared)["logging/loki.yaml"])
        return dict(yaml.safe_load(next(one["data"]["loki.yaml"] for one in found if one["kind"] == "ConfigMap")))
    return dict(yaml.safe_load(objects(mode)["ConfigMap", "loki-config"]["data"]["loki.yaml"]))


def workloads(mode: str) -> dict[str, dict[str, Any]]:
    return {name: one for (kind, name), one in objects(mode).items() if kind in ("StatefulSet", "Deployment")}


def pods(mode: str, selector: Mapping[str, str]) -> list[str]:
    """Workloads whose pods a selector selects."""
    labels = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in workloads(mode).items()}
    return [name for name, has in labels.items() if selector.items() <= has.items()]


each_mode = pytest.mark.parametrize("mode", MODES)


def test_the_profiles_of_the_fleet_differ_in_one_key() -> None:
    profiles = {mode: yaml.safe_load((FLEET / "profiles" / f"{mode}.yaml").read_text()) for mode in MODES}
    assert profiles == {mode: {"loki": {"mode": mode}} for mode in MODES}


ALERTS_ON_LOKI = {
    "monitoring/alert-rules.yaml",
    "monitoring/rules/log-pipeline-loki.yaml",
    "monitoring/rules/log-pipeline-loki_test.yaml",
}
CLUSTER_ALERT = {"runbooks/LokiClusterDegraded.md", "runbooks/README.md", "runbooks/LokiDown.md", "FILES"}
OTHER_HOSTS = {
    f"runbooks/{alert}.md"
    for alert in (
        "LokiRetentionNeverRan",
        "LokiRetentionDrift",
        "LokiRulesMissing",
        "LokiRulesFailing",
        "LokiRulerCannotNotify",
    )
}


@pytest.mark.parametrize(
    ("before", "after", "besides"),
    [
        ("single-binary", "monolithic-ha", CLUSTER_ALERT),
        (
            "monolithic-ha",
            "microservices",
            (CLUSTER_ALERT - {"FILES", "runbooks/README.md"}) | OTHER_HOSTS | {"logging/alloy.yaml"},
        ),
    ],
)
def test_one_key_changes_loki_its_alerts_and_where_logs_are_pushed(before: str, after: str, besides: set[str]) -> None:
    was, now = (
        {path: re.sub(f"profiles/{mode}.yaml|--profile {mode}", "", text) for path, text in rendered(mode).items()}
        for mode in (before, after)
    )
    different = {path for path in was.keys() | now.keys() if was.get(path) != now.get(path)}
    assert different == {"logging/loki.yaml", *ALERTS_ON_LOKI, *besides}


def test_one_pod_becomes_three_in_place() -> None:
    """What Kubernetes refuses to change in a StatefulSet (1.36: all but the named) stays, so the first pod keeps its volume."""
    changeable = {"replicas", "template", "ordinals", "updateStrategy", "minReadySeconds", "revisionHistoryLimit"}
    one, three = (
        {key: value for key, value in workloads(mode)["loki"]["spec"].items() if key not in changeable}
        for mode in ("single-binary", "monolithic-ha")
    )
    assert one == three
    assert one["volumeClaimTemplates"]


@each_mode
def test_each_service_selects_the_pods_of_one_workload_and_the_memberlist_those_that_listen_there(mode: str) -> None:
    listen = [
        name
        for name, one in workloads(mode).items()
        if 7946 in [port["containerPort"] for port in one["spec"]["template"]["spec"]["containers"][0]["ports"]]
    ]
    for (kind, name), one in objects(mode).items():
        if kind == "Service":
            found = pods(mode, one["spec"]["selector"])
            assert found == (listen if name == "loki-memberlist" else [name.removesuffix("-headless")]), name


def test_every_peer_is_a_rendered_service_with_that_port_and_the_discovered_ones_are_headless() -> None:
    made = objects("microservices")
    for what, address in addresses.loki_peers(load(FLEET / "observability.yaml", "microservices").declaration).items():
        host, port = re.sub("^(dns[+]|dns:///|http://)", "", address).split(":")
        name, namespace = host.removesuffix(".svc.cluster.local").split(".")
        service = made["Service", name]
        assert namespace == service["metadata"]["namespace"]
        assert int(port) in [one["port"] for one in service["spec"]["ports"]], what
        assert (service["spec"].get("clusterIP") == "None") == ("compactor" != what != "queriers"), what


@pytest.mark.parametrize("mode", ["monolithic-ha", "microservices"])
def test_all_pods_share_one_ring_through_the_memberlist(mode: str) -> None:
    told = config(mode)
    assert told["common"]["ring"] == {"kvstore": {"store": "memberlist"}}
    assert told["common"]["instance_addr"] == "${POD_IP}"
    assert told["memberlist"]["cluster_label"] == "scale/loki"
    for one in workloads(mode).values():
        (container,) = one["spec"]["template"]["spec"]["containers"]
        variables = {variable["name"]: variable["valueFrom"] for variable in container["env"]}
        assert variables["POD_IP"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    members = objects(mode)["Service", "loki-memberlist"]["spec"]
    assert (members["clusterIP"], members["publishNotReadyAddresses"]) == ("None", True)


@each_mode
def test_rules_are_evaluated_once_and_mounted_where_they_are_evaluated(mode: str) -> None:
    evaluate = {part.name for part in loki_targets.workloads(Loki(mode=mode)) if part.target in ("all", "ruler")}  # type: ignore[arg-type]
    mounted = {
        name
        for name, one in workloads(mode).items()
        if any(volume["name"] == "rules" for volume in one["spec"]["template"]["spec"]["volumes"])
    }
    assert mounted == evaluate
    assert config(mode)["ruler"]["enable_sharding"] == (mode != "single-binary")


@each_mode
def test_each_process_runs_its_target_on_the_one_configuration_and_is_named_after_it(mode: str) -> None:
    checksums = set()
    for name, one in workloads(mode).items():
        template = one["spec"]["template"]
        (container,) = template["spec"]["containers"]
        target = template["metadata"]["labels"]["app.kubernetes.io/component"]
        assert f"-target={target}" in container["args"]
        assert name == ("loki" if target == "all" else f"loki-{target}")
        assert container["name"] == ("loki" if target == "all" else target)
        assert template["metadata"]["labels"]["app.kubernetes.io/name"] == "loki"
        checksums.add(template["metadata"]["annotations"]["checksum/config"])
    assert len(checksums) == 1


@each_mode
def test_a_node_that_is_drained_or_lost_takes_one_pod_of_each_part(mode: str) -> None:
    budgets = {name: one["spec"]["maxUnavailable"] for (kind, name), one in objects(mode).items() if "Budget" in kind}
    several = {name for name, one in workloads(mode).items() if one["spec"]["replicas"] > 1}
    assert budgets == dict.fromkeys(several, 1)
    for name in several:
        spread = workloads(mode)[name]["spec"]["template"]["spec"]["topologySpreadConstraints"]
        by_node = next(one for one in spread if one["topologyKey"] == "kubernetes.io/hostname")
        holds_copies = name in ("loki", "loki-ingester")
        assert by_node["whenUnsatisfiable"] == ("DoNotSchedule" if holds_copies else "ScheduleAnyway")
        assert all(pods(mode, one["labelSelector"]["matchLabels"]) == [name] for one in spread)


@each_mode
def test_another_pod_finds_what_the_last_compactor_marked(mode: str) -> None:
    """Marks on the disk of one pod wait until it is the compactor again (3.7.6, tables_manager.go: only that one sweeps)."""
    assert config(mode)["compactor"]["deletion_marker_object_store_prefix"] == "deletion_markers/"
    assert "deletion_marker_object_store_prefix" not in config(mode, "3.6")["compactor"]


@each_mode
def test_what_must_outlive_a_pod_is_on_a_volume(mode: str) -> None:
    keeping = {name for name, one in workloads(mode).items() if one["kind"] == "StatefulSet"}
    assert keeping >= ({"loki"} if mode != "microservices" else {"loki-ingester", "loki-compactor"})
    for name in keeping:
        (claim,) = workloads(mode)[name]["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["resources"]["requests"] == {"storage": "10Gi"}


@each_mode
def test_reading_the_log_back_stays_within_the_memory_of_the_pod(mode: str) -> None:
    ceiling = config(mode)["ingester"]["wal"]["replay_memory_ceiling"]
    ingester = workloads(mode)["loki-ingester" if mode == "microservices" else "loki"]
    limit = ingester["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    assert 0.7 * memory(limit) < int(ceiling.removesuffix("MB")) * 10**6 < 0.8 * memory(limit)


def test_replicas_are_those_of_every_part_but_the_compactor_and_a_part_can_have_its_own() -> None:
    loki = Loki(mode="microservices", replicas=5, targets={"querier": LokiTarget(replicas=9)})
    assert {part.target: part.replicas for part in loki_targets.workloads(loki)} == {
        "distributor": 5,
        "ingester": 5,
        "querier": 9,
        "query-frontend": 5,
        "query-scheduler": 5,
        "index-gateway": 5,
        "compactor": 1,
        "ruler": 5,
    }


@pytest.mark.parametrize(
    ("replicas", "copies", "least"), [(1, 1, 1), (3, 3, 2), (6, 3, 5), (5, 5, 3), (3, 1, 3), (3, 2, 2)]
)
def test_a_part_with_copies_can_miss_fewer_than_half_of_them(replicas: int, copies: int, least: int) -> None:
    loki = Loki(mode="monolithic-ha", replicas=replicas, replication_factor=copies)
    (part,) = loki_targets.workloads(loki)
    assert part.least == least


def written(tree: Any, above: str = "") -> set[str]:
    """Every key of a configuration, as `upstream/` spells it."""
    if isinstance(tree, list):
        return set().union(*(written(one, f"{above}[]") for one in tree), {above})
    if not isinstance(tree, dict):
        return {above, f"{above}={tree}"}
    return set().union(*(written(value, f"{above}.{key}" if above else key) for key, value in tree.items()), {above})


@pytest.mark.parametrize(("mode", "target"), list(itertools.product(MODES, upstream.versions("loki"))))
def test_every_known_version_has_the_keys_that_are_rendered(mode: str, target: str) -> None:
    keys = written(config(mode, target))
    assert not keys & {option.key for option in upstream.removed("loki", target)}
    newer = [one for one in upstream.added("loki") if upstream.number(one.since) > upstream.number(target)]
    assert not keys & {option.key for option in newer}


@each_mode
def test_a_default_that_differs_between_known_versions_is_written_out(mode: str) -> None:
    oldest = upstream.versions("loki")[0]
    flipped = {one.key for one in upstream.flipped("loki") if upstream.number(one.since) > upstream.number(oldest)}
    assert flipped
    assert flipped <= written(config(mode))


def test_a_loki_that_somebody_else_runs_has_no_parts_here(tmp_path: Path) -> None:
    text = (FLEET / "observability.yaml").read_text(encoding="utf-8")
    (tmp_path / "observability.yaml").write_text(
        text.replace("loki:\n", "loki:\n  deploy: false\n  url: http://loki:3100\n")
    )
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "one.yaml").write_text("loki: {mode: monolithic-ha}\n")
    files = texts(load(tmp_path / "observability.yaml", "one"))
    assert "logging/loki.yaml" not in files
    # nor alerts on metrics that nobody scrapes
    assert "monitoring/rules/log-pipeline-loki.yaml" not in files
    assert not any(alert in text for text in files.values() for alert in ("LokiDown", "LokiClusterDegraded"))
