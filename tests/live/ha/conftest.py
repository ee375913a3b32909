"""The clusters of `make live-ha`, one at a time: a scenario gets the tree of the profile that its mark `boots` names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from .. import stands
from ..conftest import SERVICES, VALUES
from ..stage import Stage, staged
from . import redis_cluster, s3

NAMESPACES = ("auralink", "auralink-agents", redis_cluster.NAMESPACE)


@pytest.fixture(scope="session")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Stage]]:
    """Profile → its tree, applied; the tree before it is taken down first."""
    trees, now = tmp_path_factory.mktemp("rendered"), {}

    def boot(profile: str) -> Stage:
        if profile not in now:
            now.clear()
            stack.close()
            stands.render(profile, trees / profile)
            made = staged(trees / profile, VALUES, namespaces=NAMESPACES, neighbours=(s3.NEIGHBOUR,))
            now[profile] = stack.enter_context(made)
            if profile == "ha":
                with_a_redis_cluster(now[profile], trees / "deployed")
        return now[profile]

    with contextlib.ExitStack() as stack:
        yield boot


def with_a_redis_cluster(stage: Stage, tree: Path) -> None:
    """The Redis that the tree doesn't deploy, and the declared services, which know of it what the rendered workloads know."""
    stands.render("ha-parts", tree)  # there it is deployed
    redis_cluster.start(stage, tree / "dlq" / "redis.yaml")
    services = list(yaml.safe_load_all(SERVICES.read_text().replace("dlq-redis.auralink", "dlq-redis.redis")))
    for one in services:
        (container,) = one["spec"]["template"]["spec"]["containers"]
        container["env"].append({"name": "DLQ_REDIS_CLUSTER", "value": "1"})
    stage.plane.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(services))


@pytest.fixture
def stage(booted: Callable[[str], Stage], request: pytest.FixtureRequest) -> Stage:
    """The cluster of the scenario's profile."""
    return booted(request.node.get_closest_marker("boots").kwargs["profile"])
