"""Which program stands for which image: there is no registry here, and no engine.

An image's own entry point and user are those of its Dockerfile; a manifest that names a command replaces the first.
What the image holds beside the program is this machine's own root, read-only: shells and libraries are not proven here.
"""

from __future__ import annotations

import sys
from collections.abc import Container
from dataclasses import dataclass, field, replace
from pathlib import Path

from obsgen.judging import tools


@dataclass(frozen=True)
class Image:
    """Where its programs stand inside, what each judge is called here, what starts without a command, and which folders are its user's."""

    programs: dict[str, str]  # path in the image → name of the judge
    entrypoint: tuple[str, ...] = ()
    owned: dict[str, int] = field(
        default_factory=dict
    )  # folder → uid and gid; an engine gives an empty volume there to them
    version: str = ""  # MAJOR.MINOR of its tag

    def files(self) -> dict[str, Path]:
        """Path in the image → the program here, of the version that the tag names. Raises LookupError."""
        return {place: program(judge, self.version) for place, judge in self.programs.items()}


IMAGES = {
    "quay.io/prometheus-operator/prometheus-config-reloader": Image(
        {"/bin/prometheus-config-reloader": "prometheus-config-reloader"}, ("/bin/prometheus-config-reloader",)
    ),
    "docker.io/prom/prometheus": Image(
        {"/bin/prometheus": "prometheus", "/bin/promtool": "promtool"}, ("/bin/prometheus",), {"/prometheus": 65534}
    ),
    "docker.io/prom/alertmanager": Image(
        {"/bin/alertmanager": "alertmanager"}, ("/bin/alertmanager",), {"/alertmanager": 65534}
    ),
    "docker.io/library/redis": Image(
        {"/usr/local/bin/redis-server": "redis-server", "/usr/local/bin/redis-cli": "redis-cli"}
    ),
    "docker.io/oliver006/redis_exporter": Image({"/redis_exporter": "redis_exporter"}, ("/redis_exporter",)),
    "docker.io/grafana/loki": Image({"/usr/bin/loki": "loki"}, ("/usr/bin/loki",)),
    "docker.io/grafana/promtail": Image({"/usr/bin/promtail": "promtail"}, ("/usr/bin/promtail",)),
    "docker.io/grafana/alloy": Image({"/bin/alloy": "alloy"}, ("/bin/alloy",)),
    # our own: the environment that runs these tests holds it
    "registry.example.com/auralink-dlq": Image({}),
    "fixture": Image({}, ("python3", str(Path(__file__).with_name("service.py")))),
}
UNREGISTERED = frozenset({"docker.io/grafana/loki", "docker.io/grafana/promtail", "docker.io/grafana/alloy"})
"""What CI never starts: no registry carries their programs."""

PYTHON = Path(sys.prefix)  # its bin/ is first on PATH of the images that are our own


class AbsentError(LookupError):
    """Nothing stands for an image, or it is left out."""


def image(reference: str, without: Container[str] = ()) -> Image:
    """Of `REPOSITORY:TAG`. Raises AbsentError."""
    repository, _, tag = reference.partition("@")[0].rpartition(":")
    if repository in without or repository not in IMAGES:
        raise AbsentError(f"no program stands for {reference}")
    return replace(IMAGES[repository], version=".".join(tag.removeprefix("v").split(".")[:2]))


def program(judge: str, version: str = "") -> Path:
    """The judge's program of a MAJOR.MINOR, a real file: Redis' wrapper script is taken apart by its own shell. Raises LookupError."""
    found = tools.find(judge, version)
    if found is None:
        raise LookupError(f"{judge} {version}".strip() + " is not here: make tools")
    return found.path
