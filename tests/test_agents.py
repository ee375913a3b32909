"""Promtail and Alloy, from one declaration: the same pods, labels, metadata and counter; and what no Alloy notices by itself."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from alloy_reading import Block, read
from conftest import FLEETS, judge
from obsgen import agent
from obsgen.road import Declared, load, texts
from test_relabel import BY_APP, BY_NAME, pod, relabelled

ROOT = Path(__file__).parents[1]
DECLARED = [
    load(ROOT / "observability.yaml", "staging"),
    load(ROOT / "observability.yaml", "prod"),
    load(FLEETS / "smallest" / "observability.yaml", "one"),
    load(FLEETS / "everything" / "observability.yaml", "one"),
]
each = pytest.mark.parametrize("declared", DECLARED, ids=lambda d: f"{d.declaration.name}-{d.profile}")


def objects(declared: Declared, type: str) -> dict[str, dict[str, Any]]:
    """The agent's rendered objects by kind, whichever agent is declared."""
    d = declared.declaration
    logging = msgspec.structs.replace(d.logging, agent=msgspec.structs.replace(d.logging.agent, type=type))
    files = texts(replace(declared, declaration=msgspec.structs.replace(d, logging=logging)))
    return {one["kind"]: one for one in yaml.safe_load_all(files[f"logging/{type}.yaml"])}


def alloy(declared: Declared) -> Block:
    return read(objects(declared, "alloy")["ConfigMap"]["data"]["config.alloy"])


def component(config: Block, name: str) -> Block:
    return config.one(name)


def promtail(declared: Declared) -> dict[str, Any]:
    return dict(yaml.safe_load(objects(declared, "promtail")["ConfigMap"]["data"]["promtail.yaml"]))


def rules(config: Block) -> list[dict[str, Any]]:
    return [rule.attributes for rule in component(config, "discovery.relabel").all("rule")]


PODS = [
    pod({BY_NAME: "front-end"}),
    pod({BY_APP: "front-end"}),
    pod({BY_NAME: "front-end", BY_APP: "other"}),
    pod({}, __meta_kubernetes_pod_controller_name="front-end-5d9f7c6b48"),
    pod({}, __meta_kubernetes_pod_controller_name="database"),
    pod({}),
    pod({}, __meta_kubernetes_pod_annotation_obsgen_io_logs="false"),
    pod({}, __meta_kubernetes_pod_annotation_obsgen_io_logs="true"),
    pod(
        {},
        __meta_kubernetes_pod_annotationpresent_kubernetes_io_config_hash="true",
        __meta_kubernetes_pod_annotation_kubernetes_io_config_hash="0123",
    ),
]


@each
def test_both_agents_make_the_same_target_of_a_pod(declared: Declared) -> None:
    (job,) = promtail(declared)["scrape_configs"]
    for one in PODS:
        theirs, ours = relabelled(job["relabel_configs"], one), relabelled(rules(alloy(declared)), one)
        # Promtail wants to be told the node, and has the cluster on its target; of Alloy's, see the stages
        without = {name: value for name, value in (theirs or {}).items() if name not in ("__host__", "cluster")}
        assert (ours or {}) == without
    assert sum(relabelled(rules(alloy(declared)), one) is None for one in PODS) == 1


def stages(config: Block) -> list[tuple[str, Any]]:
    """Alloy's stages in Promtail's words: name and what it takes."""
    found = []
    for stage in component(config, "loki.process").blocks:
        name, attributes = stage.name.removeprefix("stage."), stage.attributes
        if name in ("labels", "structured_metadata"):
            # an empty name, and none, is the field of the same name
            found.append((name, {label: field or None for label, field in attributes["values"].items()}))
        elif name == "label_drop":
            found.append(("labeldrop", attributes["values"]))
        elif name == "metrics":
            counter = dict(stage.one("metric.counter").attributes)
            del counter["prefix"]
            counter["max_idle_duration"] = counter["max_idle_duration"].replace("h0m0s", "h")
            found.append((name, counter))
        elif name != "static_labels":
            found.append((name, attributes))
    return found


def promtail_stages(declared: Declared) -> list[tuple[str, Any]]:
    (job,) = promtail(declared)["scrape_configs"]
    found = []
    for stage in job["pipeline_stages"]:
        ((name, value),) = stage.items()
        if name == "metrics":
            ((metric, counter),) = value.items()
            kept = {"name": metric, **{key: counter[key] for key in ("description", "max_idle_duration")}}
            value = {**kept, **counter["config"]}
        found.append((name, value))
    return found


@each
def test_both_agents_put_a_line_through_the_same_stages(declared: Declared) -> None:
    assert stages(alloy(declared)) == promtail_stages(declared)


@each
def test_alloy_makes_the_streams_and_the_metadata_that_the_rest_of_the_stack_counts_on(declared: Declared) -> None:
    config = alloy(declared)
    process = component(config, "loki.process")
    target = {name for name in relabelled(rules(config), pod({BY_APP: "a"})) or {} if not name.startswith("__")}
    values = {stage.name: stage.attributes.get("values") for stage in process.blocks}
    metadata = set(values["stage.structured_metadata"])

    labels = target | {"stream", "filename"} | set(values["stage.static_labels"]) | set(values.get("stage.labels", {}))

    assert labels - metadata - set(values["stage.label_drop"]) == agent.stream_labels(declared.declaration)
    assert metadata == {*agent.stored(declared.declaration, "metadata"), *agent.TARGET_METADATA}
    assert values["stage.static_labels"] == {"cluster": declared.declaration.cluster}
    assert all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) for name in labels | metadata)


@each
def test_alloy_counts_bytes_under_the_name_that_is_queried(declared: Declared) -> None:
    counter = component(alloy(declared), "loki.process").one("stage.metrics").one("metric.counter").attributes
    assert counter["prefix"] + counter["name"] == "loki_process_custom_log_bytes_total"


@each
def test_alloy_asks_for_the_pods_of_its_own_node_and_namespace(declared: Declared) -> None:
    found = component(alloy(declared), "discovery.kubernetes")
    assert found.attributes == {"role": "pod"}
    assert found.one("namespaces").attributes == {"names": [declared.declaration.namespace]}
    assert found.one("selectors").attributes == {"role": "pod", "field": "spec.nodeName= + sys.env(HOSTNAME)"}


@each
def test_each_component_of_alloy_feeds_the_next(declared: Declared) -> None:
    config = alloy(declared)
    assert component(config, "discovery.relabel").attributes["targets"] == "discovery.kubernetes.pods.targets"
    source = component(config, "loki.source.file")
    assert source.attributes["targets"] == "discovery.relabel.pods.output"
    assert source.one("file_match").attributes["enabled"] is True
    assert source.attributes["forward_to"] == ["loki.process.lines.receiver"]
    assert component(config, "loki.process").attributes["forward_to"] == ["loki.write.loki.receiver"]
    (client,) = promtail(declared)["clients"]
    assert component(config, "loki.write").one("endpoint").attributes["url"] == client["url"]


def mounts(daemon: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Path in the container → (path on the host or name of the ConfigMap, read-only)."""
    spec = daemon["spec"]["template"]["spec"]
    sources = {
        volume["name"]: volume["hostPath"]["path"] if "hostPath" in volume else volume["configMap"]["name"]
        for volume in spec["volumes"]
    }
    (container,) = spec["containers"]
    return {
        mount["mountPath"]: (sources[mount["name"]], mount.get("readOnly", False))
        for mount in container["volumeMounts"]
    }


@each
def test_alloy_is_mounted_what_it_reads_and_keeps(declared: Declared) -> None:
    made = objects(declared, "alloy")
    (container,) = made["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    mounted = mounts(made["DaemonSet"])
    options = dict(option.removeprefix("--").partition("=")[::2] for option in container["args"][2:])
    legacy = component(read(made["ConfigMap"]["data"]["config.alloy"]), "loki.source.file").attributes
    before = Path(legacy["legacy_positions_file"])

    assert container["args"][:2] == ["run", "/etc/alloy/config.alloy"]
    assert mounted["/etc/alloy"] == (made["ConfigMap"]["metadata"]["name"], True)
    assert mounted[options["storage.path"]] == ("/var/lib/alloy", False)
    assert mounted["/var/log/pods"] == ("/var/log/pods", True)
    assert str(before) == promtail(declared)["positions"]["filename"]
    assert mounted[str(before.parent)] == (
        mounts(objects(declared, "promtail")["DaemonSet"])[str(before.parent)][0],
        True,
    )
    assert options["server.http.listen-addr"] == f"0.0.0.0:{agent.PORTS['alloy']}"
    assert [port["containerPort"] for port in container["ports"]] == [agent.PORTS["alloy"]]
    (hostname,) = [one for one in container["env"] if one["name"] == "HOSTNAME"]
    assert hostname["valueFrom"] == {"fieldRef": {"fieldPath": "spec.nodeName"}}


@each
def test_both_agents_have_the_same_rights(declared: Declared) -> None:
    theirs, ours = objects(declared, "promtail"), objects(declared, "alloy")
    assert (
        ours["Role"]["rules"]
        == theirs["Role"]["rules"]
        == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    )
    assert ours["RoleBinding"]["roleRef"]["name"] == ours["Role"]["metadata"]["name"]
    account = ours["ServiceAccount"]["metadata"]
    assert ours["RoleBinding"]["subjects"] == [
        {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    ]


@each
def test_what_alloy_makes_of_our_promtail_configuration_is_our_alloy_configuration(
    declared: Declared, tmp_path: Path
) -> None:
    """`alloy convert` is Alloy's own word on which pipeline a Promtail configuration is."""
    program = judge("alloy", "1.19", "nothing but our own reading shows that both agents do the same")
    (tmp_path / "promtail.yaml").write_text(objects(declared, "promtail")["ConfigMap"]["data"]["promtail.yaml"])
    command = [program, "convert", "--source-format=promtail", "promtail.yaml"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    converted, ours = read(said.stdout), alloy(declared)

    assert stages(converted) == stages(ours)
    only_promtail = [rule for rule in rules(converted) if rule not in rules(ours)]
    assert [rule["target_label"] for rule in only_promtail] == ["__host__", "cluster"]
    assert [rule for rule in rules(converted) if rule not in only_promtail] == rules(ours)
    legacy = component(converted, "loki.source.file").attributes["legacy_positions_file"]
    assert legacy == component(ours, "loki.source.file").attributes["legacy_positions_file"]
