"""What Alloy makes of pods and log lines, started with its configuration as in its pod.

`validate` misses what `run` refuses, and neither notices a role that doesn't exist, targets without a path or a selector that finds no
pod (1.19): so it runs under the rendered ServiceAccount and Role, against a real API server that holds pods, and reads their files.

Not exercised: Loki's address (it is replaced by a listener's: lines made up here must not end up in a real one), retries, the kubelet's
mounts.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from .. import agent
from ..contract import path
from ..model import Declaration
from ..plan import Plan
from ..problem import Problem, ProblemsError
from . import apiserver, inpod, kubernetes, lokipush
from .samples import Sample, sample_lines
from .task import Outcome, Task, Text, refusal


class Pod(NamedTuple):
    """A pod that the API server holds; `app` is the label its target must carry, "" where it must not be a target at all."""

    name: str
    app: str
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    node: str = "node-1"
    controller: str = ""


PODS = (
    Pod("by-name", "checkout", {"app.kubernetes.io/name": "checkout", "app": "other"}),
    Pod("by-app", "cart", {"app": "cart"}),
    Pod("by-controller", "worker", controller="worker-5d9f7c6b48"),
    Pod("by-itself", "by-itself"),
    Pod("silent", "", annotations={"obsgen.io/logs": "false"}),
    Pod("elsewhere", "", {"app": "cart"}, node="node-2"),
)
"""One pod for each way to its name, one that asks to be left alone, one of another node."""

_CONTAINER = "main"
_SHIPPED = "2025-10-01T02:03:03.000000005Z stdout F shipped by Promtail before\n"
_URL = re.compile(r'(\burl\s*=\s*)"(?:[^"\\]|\\.)*"')
_LISTEN = "--server.http.listen-addr="


def task(config: Text, manifest: Text, plan: Plan) -> Task:
    """The question what Alloy does with the configuration that a manifest mounts."""
    samples = tuple(sample_lines(plan.declaration))
    lines = [[sample.line, sample.entry, dict(sample.labels)] for sample in samples]
    labels = sorted(agent.stream_labels(plan.declaration))
    expected = Text("expected.json", json.dumps([PODS, lines, labels], default=dict))
    run = partial(_run, config, manifest, plan, samples)
    return Task("alloy", "alloy", f"{config.name}: start", (manifest, expected), ("run", "config.alloy"), run)


def _run(config: Text, manifest: Text, plan: Plan, samples: Sequence[Sample], program: Path, work: Path) -> Outcome:
    if program.read_bytes()[:2] == b"#!":  # an image's wrapper, which has no way to the API server
        fact = "is here in a container only, and has to be started beside the API server"
        raise ProblemsError([Problem("alloy", 0, 0, fact, "", "judge/absent")], could_not_run=True)
    objects = [one for one in yaml.safe_load_all(manifest.text) if one]
    cluster = kubernetes.cluster(plan.declaration.versions.kubernetes)
    namespace = plan.declaration.namespace
    with cluster.lock, _held(cluster, objects, namespace) as uids, lokipush.listening() as loki:
        address = f"127.0.0.1:{apiserver.free_ports(1)[0]}"
        _write(work / "var", config, loki.url, f"{namespace}_by-name_{uids['by-name']}", samples)
        daemon = next(one for one in objects if one["kind"] == "DaemonSet")
        account = (daemon["metadata"]["namespace"], daemon["spec"]["template"]["spec"]["serviceAccountName"])
        command = [str(program), "run", "/var/config.alloy", *_options(daemon, address)]
        with inpod.running(command, cluster, account, PODS[0].node, address, work) as alloy:
            return _judged(alloy, loki, namespace, uids, plan, samples)


def _options(daemon: Mapping[str, Any], address: str) -> list[str]:
    """The rendered command line's options, on an address of ours."""
    (container,) = daemon["spec"]["template"]["spec"]["containers"]
    options = [one for one in container["args"] if one.startswith("--") and not one.startswith(_LISTEN)]
    return [*options, f"{_LISTEN}{address}"]


def _write(var: Path, config: Text, url: str, folder: str, samples: Sequence[Sample]) -> None:
    logs = f"log/pods/{folder}/{_CONTAINER}"
    for folder in (logs, "lib/promtail", "lib/alloy"):
        (var / folder).mkdir(parents=True)
    text = _URL.sub(rf'\g<1>"{url}"', config.text)
    (var / "config.alloy").write_text(text, encoding="utf-8", newline="\n")
    (var / logs / "0.log").write_text(_SHIPPED + "".join(sample.line for sample in samples), encoding="utf-8")
    positions = {"positions": {f"/var/{logs}/0.log": str(len(_SHIPPED))}}
    (var / "lib/promtail/positions.yaml").write_text(json.dumps(positions), encoding="utf-8")


# The cluster


@contextlib.contextmanager
def _held(
    cluster: apiserver.Cluster, objects: Sequence[Mapping[str, Any]], namespace: str
) -> Iterator[Mapping[str, str]]:
    """The cluster with the agent's ServiceAccount and rights, and our pods; gives each pod's uid. All of it is gone at the end."""
    rights = [one for one in objects if one["kind"] in ("ServiceAccount", "Role", "RoleBinding")]
    spaces = {one["metadata"]["namespace"] for one in rights} | {namespace}
    cluster.label({space: cluster.levels.get(space, "restricted") for space in sorted(spaces)})
    # without one of their own, admission looks for `default`, which a controller makes that isn't here
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "pods", "namespace": namespace}}
    made = [*rights, account, *(_manifest(pod, namespace) for pod in PODS)]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    try:
        _told(cluster, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
        uids = {}
        for number, pod in enumerate(PODS, 1):
            status = {"phase": "Running", "podIP": f"10.0.0.{number}", "podIPs": [{"ip": f"10.0.0.{number}"}]}
            patch = f"--patch={json.dumps({'status': status})}"
            which = ("pod", pod.name, f"--namespace={namespace}")
            _told(cluster, "patch", *which, "--subresource=status", "--type=merge", patch)
            uids[pod.name] = _told(cluster, "get", *which, "--output=jsonpath={.metadata.uid}")
        yield uids
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "--force", "--grace-period=0", "-f", "-", stdin=text)


def _told(cluster: apiserver.Cluster, *arguments: str, stdin: str = "") -> str:
    answer = cluster.kubectl(*arguments, stdin=stdin)
    if answer.code:
        problem = Problem("kubectl", 0, 0, f"can't prepare the cluster: {refusal(answer)}", "", "judge/failed")
        raise ProblemsError([problem], could_not_run=True)
    return answer.stdout


def _manifest(pod: Pod, namespace: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": pod.name, "namespace": namespace}
    metadata |= {"labels": dict(pod.labels), "annotations": dict(pod.annotations)}
    if pod.controller:
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": pod.controller, "uid": "0", "controller": True}
        metadata["ownerReferences"] = [owner]
    confined = {"allowPrivilegeEscalation": False, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}}
    confined["seccompProfile"] = {"type": "RuntimeDefault"}
    container = {"name": _CONTAINER, "image": "none", "securityContext": confined}
    spec = {"nodeName": pod.node, "serviceAccountName": "pods", "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**spec, "containers": [container]}}


# The verdict


def _judged(
    alloy: inpod.Running,
    loki: lokipush.Listener,
    namespace: str,
    uids: Mapping[str, str],
    plan: Plan,
    samples: Sequence[Sample],
) -> Outcome:
    if not any(alloy.get("/-/ready") for _ in alloy.waiting()):
        return Outcome(False, f"does not become ready: {alloy.said()}")
    wanted = _wanted(namespace, uids)
    found: dict[str, dict[str, str]] = {}
    for _ in alloy.waiting():
        found = targets(alloy.get("/api/v0/web/components/discovery.relabel.pods") or "{}")
        if found == wanted:
            break
    faults = list(_differences(wanted, found))
    if faults:
        faults.append(f"it says: {alloy.said()}")
    else:
        faults = _counted(alloy, plan, samples) or list(_pushed(alloy, loki, plan.declaration, samples))
    said = "\n".join(dict.fromkeys(faults))
    for pod, uid in uids.items():  # another in each run
        said = said.replace(uid, f"(uid of {pod})")
    return Outcome(not faults, said)


def _wanted(namespace: str, uids: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Pod → the labels of its target."""
    return {
        pod.name: {
            "app": pod.app,
            "namespace": namespace,
            "container": _CONTAINER,
            "pod": pod.name,
            "__path__": f"/var/log/pods/*{uids[pod.name]}/{_CONTAINER}/*.log",
        }
        for pod in PODS
        if pod.app
    }


def targets(component: str) -> dict[str, dict[str, str]]:
    """Pod → the labels of its target that count, out of Alloy's own description of a component (its form in 1.19)."""
    found = {}
    exports = {export["name"]: export["value"]["value"] for export in json.loads(component).get("exports") or ()}
    for target in exports.get("output", ()):
        pairs = {pair["key"]: pair["value"]["value"] for pair in target["value"]}
        labels = {name: value for name, value in pairs.items() if name == "__path__" or not name.startswith("__")}
        found[str(labels.get("pod"))] = labels
    return found


def _differences(wanted: Mapping[str, Mapping[str, str]], found: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for pod in sorted(wanted.keys() | found.keys()):
        if pod not in found:
            yield f"pod {pod} is no target"
        elif pod not in wanted:
            yield f"pod {pod} is a target, and must not be"
        else:
            for name in sorted(wanted[pod].keys() | found[pod].keys()):
                if wanted[pod].get(name) != found[pod].get(name):
                    yield f"pod {pod}: {name} is {found[pod].get(name)!r}, not {wanted[pod].get(name)!r}"


def _counted(alloy: inpod.Running, plan: Plan, samples: Sequence[Sample]) -> list[str]:
    """What the byte counter tells of the streams: labels, levels, and that nothing is read twice."""
    total = sum(len(sample.entry.encode()) for sample in samples)
    streams: list[tuple[dict[str, str], float]] = []
    for _ in alloy.waiting():
        streams = counters(alloy.get("/metrics") or "")
        if sum(count for _, count in streams) >= total:
            break
    counted = sum(count for _, count in streams)
    if counted != total:
        return [f"of {total} bytes of lines, {counted:g} are counted; it says: {alloy.said()}"]
    return list(_stream_faults(streams, plan, samples))


def _stream_faults(
    streams: Sequence[tuple[Mapping[str, str], float]], plan: Plan, samples: Sequence[Sample]
) -> Iterator[str]:
    declared = agent.stream_labels(plan.declaration)
    for labels, _ in streams:
        for name in sorted(labels.keys() - declared):
            yield f"label {name}={labels[name]!r} is not declared: each of its values would be a stream"
        for name in sorted(set(agent.TARGET_LABELS) - labels.keys()):
            yield f"a stream has no label {name}"
    names = {name for sample in samples for name in sample.labels}
    for name in sorted(names):
        wanted = {sample.labels[name] for sample in samples if name in sample.labels}
        found = {labels[name] for labels, _ in streams if name in labels}
        if wanted != found:
            yield f"label {name} has the values {sorted(found)}, not {sorted(wanted)}"
    clusters = {labels.get("cluster") for labels, _ in streams}
    if clusters != {plan.declaration.cluster}:
        yield f"label cluster has the values {clusters}, not {plan.declaration.cluster!r}"


def _pushed(
    alloy: inpod.Running, loki: lokipush.Listener, declaration: Declaration, samples: Sequence[Sample]
) -> Iterator[str]:
    """What comes to Loki: each line once, as it was written, with the declared identifiers beside it."""
    for _ in alloy.waiting():
        if len(loki.entries()) >= len(samples):
            break
    pushed = {entry.line: entry for entry in loki.entries()}
    for sample in samples:
        if sample.entry not in pushed:
            yield f"{sample.what}: does not come to Loki"
            continue
        metadata, wanted = pushed[sample.entry].metadata, beside(declaration, sample.entry)
        for name in sorted(metadata.keys() - {*agent.stored(declaration, "metadata"), *agent.TARGET_METADATA}):
            yield f"{sample.what}: {name} is kept beside the line, and not declared so"
        for name, value in wanted.items():
            if metadata.get(name) != value:
                yield f"{sample.what}: beside the line, {name} is {metadata.get(name)!r}, not {value!r}"


def beside(declaration: Declaration, entry: str) -> dict[str, str]:
    """The structured metadata that a line must have: the pod, the stream, and each declared text that the line holds."""
    found = {"pod": PODS[0].name, "stream": "stdout"}
    try:
        line = json.loads(entry)
    except ValueError:
        return found
    for name in agent.stored(declaration, "metadata"):
        field = declaration.logging.fields[name]
        value = functools.reduce(lambda at, key: at.get(key, {}), path(name, field), line)
        if isinstance(value, str):
            found[name] = value
    return found


_COUNTER = re.compile(r"^loki_process_custom_log_bytes_total\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def counters(metrics: str) -> list[tuple[dict[str, str], float]]:
    """(labels of the stream, bytes) of each series of the byte counter."""
    own = ("component_id", "component_path")
    return [
        ({name: value for name, value in _LABEL.findall(labels) if name not in own}, float(count))
        for labels, count in _COUNTER.findall(metrics)
    ]
