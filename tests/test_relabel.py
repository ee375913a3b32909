"""Relabelling, which no judge that runs without a cluster exercises: which pods are taken, and which labels they get."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
TREES = [ROOT / "rendered" / name for name in ("dev", "staging", "prod")] + [
    ROOT / "tests" / "fleets" / fleet / "rendered" / profile
    for fleet, profile in (("smallest", "one"), ("everything", "one"), ("scale", "microservices"))
]
WITH_PROMTAIL = [tree for tree in TREES if (tree / "logging" / "promtail.yaml").exists()]
BY_NAME, BY_APP = "__meta_kubernetes_pod_label_app_kubernetes_io_name", "__meta_kubernetes_pod_label_app"


def config(tree: Path, manifest: str, key: str) -> dict[str, Any]:
    """The configuration inside a rendered ConfigMap."""
    objects = yaml.safe_load_all((tree / manifest).read_text(encoding="utf-8"))
    return dict(yaml.safe_load(next(o["data"][key] for o in objects if key in (o.get("data") or {}))))


def relabelled(rules: list[dict[str, Any]], labels: dict[str, str]) -> dict[str, str] | None:
    """What Prometheus (3.13, `relabel.Process`) and Promtail make of a target's labels; None for a dropped target."""
    labels = dict(labels)
    for rule in rules:
        value = rule.get("separator", ";").join(labels.get(name, "") for name in rule.get("source_labels", []))
        found = re.fullmatch(rule.get("regex", "(.*)"), value, re.DOTALL)
        action = rule.get("action", "replace")
        if (action == "keep" and not found) or (action == "drop" and found):
            return None
        if action == "replace" and found:
            labels[rule["target_label"]] = found.expand(
                re.sub(r"\$\{?(\d+)\}?", r"\\\1", rule.get("replacement", "$1"))
            )
    return {name: value for name, value in labels.items() if not name.startswith("__meta") and value}


def pod(app: dict[str, str], port: int = 0, **more: str) -> dict[str, str]:
    return {
        "__meta_kubernetes_namespace": "auralink",
        "__meta_kubernetes_pod_name": "a-pod",
        "__meta_kubernetes_pod_uid": "uid-1",
        "__meta_kubernetes_pod_node_name": "node-1",
        "__meta_kubernetes_pod_container_name": "main",
        "__meta_kubernetes_pod_container_port_number": str(port),
        "__meta_kubernetes_pod_phase": "Running",
        **app,
        **more,
    }


def jobs(tree: Path) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """(app, port, relabelling) of each job."""
    found = []
    for job in config(tree, "monitoring/prometheus.yaml", "prometheus.yaml")["scrape_configs"]:
        rules = job["relabel_configs"]
        (port,) = [rule["regex"] for rule in rules if "container_port_number" in str(rule.get("source_labels"))]
        found.append((job["job_name"], int(port), rules))
    return found


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: f"{tree.parts[-3]}-{tree.name}")
@pytest.mark.parametrize("label", [BY_NAME, BY_APP])
def test_prometheus_takes_the_pods_of_each_app_by_either_label(tree: Path, label: str) -> None:
    for app, port, rules in jobs(tree):
        labels = relabelled(rules, pod({label: app}, port))
        assert labels is not None, app
        assert (labels["app"], labels["pod"], labels["container"]) == (app, "a-pod", "main")
        assert {"cluster", "namespace"} <= set(labels)


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: f"{tree.parts[-3]}-{tree.name}")
def test_prometheus_leaves_other_pods_ports_and_finished_pods_alone(tree: Path) -> None:
    for app, port, rules in jobs(tree):
        assert relabelled(rules, pod({BY_APP: f"{app}-canary"}, port)) is None
        assert relabelled(rules, pod({BY_APP: f"my-{app}"}, port)) is None
        assert relabelled(rules, pod({BY_APP: app}, port + 1)) is None
        assert relabelled(rules, pod({BY_APP: app}, port, __meta_kubernetes_pod_phase="Succeeded")) is None


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: f"{tree.parts[-3]}-{tree.name}")
def test_our_own_pods_carry_the_labels_and_ports_that_are_scraped(tree: Path) -> None:
    """Each workload that we render and scrape is found: its pod labels and container ports, through the job's rules."""
    scraped = {app: (port, rules) for app, port, rules in jobs(tree)}
    seen = set()
    for manifest in sorted(tree.glob("*/*.yaml")):
        for workload in yaml.safe_load_all(manifest.read_text(encoding="utf-8")):
            if workload["kind"] not in ("StatefulSet", "DaemonSet", "Deployment"):
                continue
            template = workload["spec"]["template"]
            meta = {
                f"__meta_kubernetes_pod_label_{re.sub('[^a-zA-Z0-9_]', '_', name)}": value
                for name, value in template["metadata"]["labels"].items()
            }
            ports = [port["containerPort"] for c in template["spec"]["containers"] for port in c.get("ports", ())]
            if workload["metadata"]["name"] == "dlq-redis":  # the exporter speaks for it
                continue
            app = template["metadata"]["labels"]["app.kubernetes.io/name"]
            port, rules = scraped[app]
            assert port in ports
            assert relabelled(rules, pod(meta, port)) is not None
            seen.add(app)
    assert {"loki", "prometheus", "alertmanager", *(scraped.keys() & {"redis-exporter", "dlq-api"})} <= seen
    assert len(seen & {"promtail", "alloy"}) == 1


@pytest.mark.parametrize("tree", WITH_PROMTAIL, ids=lambda tree: f"{tree.parts[-3]}-{tree.name}")
@pytest.mark.parametrize(
    ("labels", "app"),
    [
        ({BY_NAME: "front-end"}, "front-end"),
        ({BY_APP: "front-end"}, "front-end"),
        ({BY_NAME: "front-end", BY_APP: "other"}, "front-end"),
        ({"__meta_kubernetes_pod_controller_name": "front-end-5d9f7c6b48"}, "front-end"),
        ({}, "a-pod"),
    ],
)
def test_promtail_names_the_app_and_the_files_of_a_pod(tree: Path, labels: dict[str, str], app: str) -> None:
    (job,) = config(tree, "logging/promtail.yaml", "promtail.yaml")["scrape_configs"]

    target = relabelled(job["relabel_configs"], pod(labels))

    assert target is not None
    assert {name for name in target if not name.startswith("__")} == {"app", "cluster", "namespace", "container", "pod"}
    assert target["app"] == app
    assert target["__path__"] == "/var/log/pods/*uid-1/main/*.log"
    assert target["__host__"] == "node-1"


def test_promtail_leaves_a_pod_alone_that_asks_for_it() -> None:
    (job,) = config(WITH_PROMTAIL[0], "logging/promtail.yaml", "promtail.yaml")["scrape_configs"]

    assert relabelled(job["relabel_configs"], pod({}, __meta_kubernetes_pod_annotation_obsgen_io_logs="false")) is None
