"""A Redis Cluster of one's own, as docs/how-to/existing-servers.md says: `redis.conf` and the ACL of a render with `deploy: true`.

Three of the rendered Redis in a namespace of their own, without replicas, and one user more, who joins them: rendered users may not.
"""

from __future__ import annotations

import copy
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import yaml

from obsgen.judging import tools

from ..pod import Pod
from ..stage import Stage

NAMESPACE, SIZE = "redis", 3
ADMIN, PASSWORD = "admin", "of-whoever-runs-it"
CLUSTER = "\ncluster-enabled yes\ncluster-node-timeout 5000\n"


def objects(rendered: Path) -> list[dict[str, Any]]:
    """The rendered dlq/redis.yaml with what makes it a node of a Cluster."""
    found = [copy.deepcopy(one) for one in yaml.safe_load_all(rendered.read_text())]
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
    for one in found:
        one["metadata"]["namespace"] = NAMESPACE
        if one["kind"] == "ConfigMap":
            one["data"]["redis.conf"] += CLUSTER
            start = one["data"]["start.sh"]
            assert start.endswith("exec redis-server $config/redis.conf\n") and "user dlq on" in start
            # by itself a node that comes back with another address goes on telling its old one (7.0)
            start = start.removesuffix("\n") + ' --cluster-announce-ip "$POD_IP"\n'
            one["data"]["start.sh"] = start.replace(
                "user dlq on", f"user {ADMIN} on #{digest} ~* &* +@all\nuser dlq on"
            )
        if one["kind"] == "StatefulSet":
            one["spec"] |= {"replicas": SIZE, "podManagementPolicy": "Parallel"}
            (container,) = one["spec"]["template"]["spec"]["containers"]
            container["env"].append({"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
    return found


def start(stage: Stage, rendered: Path) -> None:
    """Applied and joined: all slots are somebody's."""
    stage.plane.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects(rendered)))
    pods = stage.await_(lambda: _ready(stage), 90, "the Redis Cluster does not start")
    ask(pods[0], "--cluster", "create", *(f"{pod.address}:6379" for pod in pods), "--cluster-yes")
    await_whole(stage)


def await_whole(stage: Stage) -> None:
    """Until each node says that every slot is served."""

    def whole() -> bool:
        return all("cluster_state:ok" in ask(pod, "cluster", "info") for pod in _ready(stage)) and bool(_ready(stage))

    stage.await_(whole, 60, "the Redis Cluster is not whole")


def _ready(stage: Stage) -> list[Pod]:
    found = sorted(nodes(stage), key=lambda one: one.name)
    return found if len(found) == SIZE and all(pod.ready for pod in found) else []


def nodes(stage: Stage) -> list[Pod]:
    """Its Pods."""
    return [pod for pod in stage.pods("dlq-redis") if pod.namespace == NAMESPACE]


def ask(pod: Pod, *words: str) -> str:
    """What redis-cli prints as the admin. Raises CalledProcessError."""
    found = tools.find("redis-cli", "")
    assert found
    command = [str(found.path), "-h", pod.address, "--user", ADMIN, "--pass", PASSWORD, "--no-auth-warning", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
