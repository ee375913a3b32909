"""The one machine of the cluster: a bridge for its Pods, addresses for them, and dnsmasq to answer their names.

All of it lives in a network namespace that tests/live/run made: nothing reaches the machine's own network, and nothing
is left of it when that namespace ends.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .until import until

BRIDGE = "obsgen0"
ADDRESS = "10.88.0.1"  # the node: API server, DNS, and everything outside the cluster
NAME = "node-1"
DOMAIN = "cluster.local"


class Node:
    """The node's network and its folders. `home/host` is what Pods see of the node's disk."""

    def __init__(self, home: Path, outside: Sequence[str]) -> None:
        """`outside`: names of the world that this machine answers for, such as events.pagerduty.com."""
        self.home, self.host, self.hosts = home, home / "host", home / "names"
        self.host.mkdir()
        self.hosts.mkdir()
        self._numbers = itertools.count(256)
        for command in (
            ("ip", "link", "set", "lo", "up"),
            ("ip", "link", "add", BRIDGE, "type", "bridge"),
            ("ip", "addr", "add", f"{ADDRESS}/16", "dev", BRIDGE),
            ("ip", "link", "set", BRIDGE, "up"),
        ):
            subprocess.run(command, check=True)
        self.answer("outside", {name: [ADDRESS] for name in outside})
        self.log = home / "dnsmasq.log"
        self.dns = subprocess.Popen(
            [
                "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", f"--listen-address={ADDRESS}", "--bind-interfaces",
                f"--hostsdir={self.hosts}", "--local-ttl=1", f"--local=/{DOMAIN}/", "--user=root", "--pid-file=", "--log-facility=-",
            ],
            stdout=subprocess.DEVNULL,
            stderr=self.log.open("wb"),
        )  # fmt: skip
        # a SIGHUP that comes before it listens to that ends it
        until(lambda: "started" in self.log.read_text() or self.dns.poll() is not None, 30, self.state)
        assert self.dns.poll() is None, self.state()

    def state(self) -> str:
        """Whether DNS runs, and what it said last."""
        return f"== dnsmasq, exit {self.dns.poll()}\n{self.log.read_text()[-2000:]}"

    def address(self) -> str:
        """An address that no Pod has had yet."""
        number = next(self._numbers)
        return f"10.88.{number // 256}.{number % 256}"

    def neighbour(self, address: str, names: Sequence[str]) -> None:
        """One more address of this machine, for a server outside the cluster whose ports would meet another's."""
        subprocess.run(("ip", "addr", "add", f"{address}/16", "dev", BRIDGE), check=True)
        self.answer(f"neighbour-{address}", {name: [address] for name in names})

    def answer(self, what: str, names: Mapping[str, Sequence[str]]) -> None:
        """From now on these names have these addresses. dnsmasq sees the file change by itself (`--hostsdir`)."""
        # It reads what a file gains, and forgets what it had said before only when it is told.
        text = "".join(f"{address} {name}\n" for name, addresses in sorted(names.items()) for address in addresses)
        path = self.hosts / what
        if path.exists() and path.read_text() == text:
            return
        path.write_text(text)
        if hasattr(self, "dns"):
            self.dns.send_signal(1)  # SIGHUP: all files anew

    def close(self) -> None:
        """Stops DNS, and takes the bridge away: the next cluster of this run makes its own."""
        self.dns.kill()
        self.dns.wait()
        subprocess.run(("ip", "link", "del", BRIDGE), check=True)
