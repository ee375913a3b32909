"""A scenario: one test function, the part of the live tests that runs it, and what it stands on.

Parts: `registries` (CI's, its programs come from registries), `all` (what also boots Loki or an agent), `ha` and `objectives`
(folders of their own). OBSGEN_LIVE names what a run takes: a part, and with `all` that of CI too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
UNREGISTERED = frozenset({"loki", "promtail", "alloy"})
"""Apps that CI never starts: no registry carries their programs."""
PARTS = ("registries", "all", "ha", "objectives")
OF_A_RUN = {
    "registries": {"registries"},
    "all": {"registries", "all"},
    "ha": {"ha"},
    "objectives": {"objectives"},
    "every": set(PARTS),  # to look at, not to run
}
"""The parts that OBSGEN_LIVE=… takes."""


_SHARES = {
    "test_alerts": "1",
    "test_log_alerts": "1",
    "compose": "3",
    "test_log_alerts_alloy": "3",
    "test_log_gaps": "3",
    "test_dead_letters": "4",
    "test_watchers": "4",
}
"""Module or folder → its share; the rest is in the second. In CI's part none takes longer than its alerts do."""


def share(path: Path) -> str:
    """Which of the three shares of a run a module is in."""
    names = path.relative_to(HERE).with_suffix("").parts
    return next((_SHARES[name] for name in names if name in _SHARES), "2")


@dataclass(frozen=True)
class Scenario:
    """Where it stands (`module` without .py, below tests/live), and which apps of which profile it boots; `PROFILE/APP`: of another.

    `writers`: services that write with our loggers run beside it, by the fixture.
    """

    module: str
    test: str
    apps: tuple[str, ...]
    profile: str
    writers: bool

    @property
    def part(self) -> str:
        """The part of the live tests that it belongs to."""
        folder = self.module.rpartition("/")[0]
        if folder in ("ha", "objectives"):
            return folder
        return "all" if any(app.partition("-")[0] in UNREGISTERED for app in self.apps) else "registries"

    @property
    def id(self) -> str:
        """As pytest takes it on its command line."""
        return f"tests/live/{self.module}.py::{self.test}"


def scenario(item: pytest.Item) -> Scenario:
    """Of a collected test. Raises UsageError where it does not say what it boots: `@pytest.mark.boots("prometheus", …)`."""
    marker = item.get_closest_marker("boots")
    if marker is None or not marker.args:
        raise pytest.UsageError(f"{item.nodeid}: which apps does it boot? @pytest.mark.boots(APP, …)")
    path = Path(str(item.path))
    return Scenario(
        module=path.relative_to(HERE).with_suffix("").as_posix(),
        test=item.name,
        apps=tuple(sorted({str(app) for app in marker.args})),
        profile=str(marker.kwargs.get("profile", "live")),
        writers="writers" in getattr(item, "fixturenames", ()),
    )
