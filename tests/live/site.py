"""The one machine of a cluster, or of a Compose tree, and the people whom its Alertmanager tells."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from . import sinks as sinkhouse
from .node import Node


@dataclass(frozen=True)
class Site:
    """`trusted`: the folder of certificates that believes what `authority` signs."""

    home: Path
    node: Node
    sinks: sinkhouse.Sinks
    authority: trustme.CA
    trusted: Path


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """A site of its own, gone with all it started at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="obsgen-live-", ignore_cleanup_errors=True) as folder,
        contextlib.ExitStack() as stack,
    ):
        home = Path(folder)
        home.chmod(0o755)
        node = Node(home, sinkhouse.NAMES)
        stack.callback(node.close)
        authority, trusted = sinkhouse.believed(home)
        sinks = stack.enter_context(sinkhouse.running(authority))
        yield Site(home, node, sinks, authority, trusted)
