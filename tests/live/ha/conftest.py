"""The clusters of `make live-ha`, one at a time: a scenario gets the tree of the profile that its mark `boots` names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from .. import stands
from ..conftest import VALUES
from ..stage import Stage, staged
from . import redis_cluster, s3


@pytest.fixture(scope="session")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Stage]]:
    """Profile → its tree, applied; the tree before it is taken down first."""
    trees, now = tmp_path_factory.mktemp("rendered"), {}

    def boot(profile: str) -> Stage:
        if profile not in now:
            now.clear()
            stack.close()
            stands.render(profile, trees / profile)
            namespaces = ("auralink", "auralink-agents", redis_cluster.NAMESPACE)
            made = staged(trees / profile, VALUES, namespaces=namespaces, neighbours=(s3.NEIGHBOUR,))
            now[profile] = stack.enter_context(made)
            if profile == "ha":
                stands.render("ha-parts", trees / "of-its-own")  # there `deploy` is true
                redis_cluster.start(now[profile], trees / "of-its-own" / "dlq" / "redis.yaml")
        return now[profile]

    with contextlib.ExitStack() as stack:
        yield boot


@pytest.fixture
def stage(booted: Callable[[str], Stage], request: pytest.FixtureRequest) -> Stage:
    """The cluster of the scenario's profile."""
    return booted(request.node.get_closest_marker("boots").kwargs["profile"])
