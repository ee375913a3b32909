"""Ports of Services, in every committed tree: whoever asks a Service asks for a port that it has, and that leads to one that its Pods open.

tests/live can't tell: there is no kube-proxy there, so a Service's name leads to its Pods, whatever ports the Service has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from test_snapshots import ROOT, TREES

Object = dict[str, Any]
KUBERNETES = [
    tree for folder, profile in TREES if (tree := folder / "rendered" / profile).joinpath("kustomization.yaml").exists()
]
each_tree = pytest.mark.parametrize("tree", KUBERNETES, ids=lambda tree: tree.relative_to(ROOT).as_posix())


def objects(tree: Path) -> list[Object]:
    """What is applied of a tree."""
    resources = yaml.safe_load((tree / "kustomization.yaml").read_text())["resources"]
    return [one for path in resources for one in yaml.safe_load_all((tree / path).read_text()) if one]


def services(objects: list[Object]) -> dict[tuple[str, str], Object]:
    """(name, namespace) → spec of each Service."""
    found = (one for one in objects if one["kind"] == "Service")
    return {(one["metadata"]["name"], one["metadata"]["namespace"]): one["spec"] for one in found}


def asked_in_vain(services: Mapping[tuple[str, str], Object], text: str) -> Iterator[str]:
    """Each `host:port` in a text that is a Service by its name, without that port; or that is none, in a namespace of ours."""
    namespaces = {namespace for _, namespace in services}
    for host, port in re.findall(ADDRESS, text):
        inside = re.sub(r"\.svc(\.cluster\.local)?$", "", host)
        *_, name, namespace = inside.split(".") if "." in inside else (inside, "")
        asked = [spec for known, spec in services.items() if name == known[0] and namespace in (known[1], "")]
        if asked and not any(int(port) == one["port"] for spec in asked for one in spec["ports"]):
            yield f"{host}:{port}: the Service has no such port"
        if not asked and host != inside and namespace in namespaces:
            yield f"{host}:{port}: there is no such Service"


ADDRESS = r"(?<![\w.-])(?<![^/]/)([a-z][a-z0-9.-]*):(\d+)"  # after one slash it is an image and its tag


def leading_nowhere(objects: list[Object]) -> Iterator[str]:
    """Each port of a Service that no Pod, or not every Pod, of its selector opens, or that is another than the Pods'.

    Where it is headless (`clusterIP: None`) nothing translates ports; and the live tests have no kube-proxy, which would.
    """
    pods = [
        (one["metadata"]["namespace"], one["spec"]["template"])
        for one in objects
        if one["kind"] in ("Deployment", "StatefulSet", "DaemonSet")
    ]
    for (name, namespace), spec in services(objects).items():
        selected = [
            pod
            for where, pod in pods
            if where == namespace and spec["selector"].items() <= pod["metadata"]["labels"].items()
        ]
        if not selected:
            yield f"{name}: selects no Pod"
        for pod in selected:
            opened = [port for container in pod["spec"]["containers"] for port in container.get("ports", ())]
            for port in spec["ports"]:
                target = port.get("targetPort", port["port"])
                found = {one["containerPort"] for one in opened if target in (one.get("name"), one["containerPort"])}
                if not found:
                    yield f"{name}: {target} is no port of its Pods"
                elif port["port"] not in found:
                    yield f"{name}: {port['port']} is not its Pods' {found.pop()}"


@each_tree
def test_each_client_of_a_service_asks_for_a_port_that_it_has(tree: Path) -> None:
    known = services(objects(tree))
    files = (path for path in tree.rglob("*") if path.is_file() and not path.name.endswith("_test.yaml"))
    assert {path: said for path in files if (said := [*asked_in_vain(known, path.read_text())])} == {}


@each_tree
def test_each_port_of_a_service_leads_to_one_that_its_pods_open(tree: Path) -> None:
    assert list(leading_nowhere(objects(tree))) == []


LOKI = """
kind: Service
metadata: {name: loki, namespace: shop}
spec: {selector: {app: loki}, ports: [{port: 3100, targetPort: http}]}
---
kind: StatefulSet
metadata: {name: loki, namespace: shop}
spec:
  template:
    metadata: {labels: {app: loki, tier: one}}
    spec: {containers: [{name: loki, ports: [{name: http, containerPort: 3100}]}]}
"""


def made(*changed: tuple[str, str]) -> list[Object]:
    """The objects of LOKI, with other words for some."""
    text = LOKI
    for before, after in changed:
        assert before in text
        text = text.replace(before, after)
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize(
    "host",
    ["loki", "http://loki", "loki.shop", "loki.shop.svc", "dns+loki.shop.svc.cluster.local", "loki-0.loki.shop.svc"],
)
def test_a_port_that_a_service_has_not_is_seen_by_any_of_its_names(host: str) -> None:
    known = services(made())
    assert [*asked_in_vain(known, f"url: {host}:3100/ready")] == []
    (said,) = asked_in_vain(known, f"url: {host}:80/ready")
    assert said.endswith(":80: the Service has no such port")


def test_a_service_that_is_not_there_is_seen_in_a_namespace_of_the_tree() -> None:
    text = "http://lokki.shop.svc:80 http://lokki.other.svc:80"
    assert [*asked_in_vain(services(made()), text)] == ["lokki.shop.svc:80: there is no such Service"]


@pytest.mark.parametrize("text", ["image: grafana/loki:3.7.6", "loki.example.com:3100", "my-loki:3100"])
def test_what_only_looks_like_a_service_is_none(text: str) -> None:
    assert [*asked_in_vain(services(made()), text)] == []


def test_a_port_that_leads_to_the_same_of_the_pods_is_right() -> None:
    assert [*leading_nowhere(made())] == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("targetPort: http", "targetPort: grpc", "loki: grpc is no port of its Pods"),
        ("targetPort: http", "targetPort: 3101", "loki: 3101 is no port of its Pods"),
        ("port: 3100, targetPort: http", "port: 80", "loki: 80 is no port of its Pods"),
        ("selector: {app: loki}", "selector: {app: lokki}", "loki: selects no Pod"),
        ("port: 3100", "port: 80", "loki: 80 is not its Pods' 3100"),
    ],
)
def test_a_port_of_a_service_that_leads_nowhere_is_seen(before: str, after: str, said: str) -> None:
    assert [*leading_nowhere(made((before, after)))] == [said]
