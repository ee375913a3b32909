"""Where a judge's program is found, and which version it is."""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

Source = Literal["OBSGEN_TOOLS", "cache", "PATH", "container", "Python"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that can judge, its exact version, and where it was found."""

    path: Path
    version: str
    source: Source


class _Image(NamedTuple):
    server: str  # its file in upstream/, which pins the image
    program: str  # where the image keeps the program
    repository: str = ""  # another repository than the server's, at the same tag


_IMAGES = {
    "loki": _Image("loki", "/usr/bin/loki"),
    "logcli": _Image("loki", "/usr/bin/logcli", "grafana/logcli"),
    "promtail": _Image("promtail", "/usr/bin/promtail"),
    "alloy": _Image("alloy", "/bin/alloy"),
    "prometheus": _Image("prometheus", "/bin/prometheus"),
    "promtool": _Image("prometheus", "/bin/promtool"),
    "alertmanager": _Image("alertmanager", "/bin/alertmanager"),
    "amtool": _Image("alertmanager", "/bin/amtool"),
}
_VERSION_ARGUMENTS = {"lokitool": ("version",), "kustomize": ("version",), "kubectl": ("version", "--client")}
_NUMBER = re.compile(r"(?<![\w.])v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)")


def find(tool: str, target: str) -> Tool | None:
    """The program of a MAJOR.MINOR (`""`: any), newest first, or None.

    Looked for in $OBSGEN_TOOLS, the cache that `tools/install` fills, PATH, then the pinned image where docker or podman answers. A file
    called NAME-VERSION is that version; one called NAME must print its own, or is no judge.
    """
    own, cache, path = (os.environ.get(name, "") for name in ("OBSGEN_TOOLS", "XDG_CACHE_HOME", "PATH"))
    return _find(tool, target, own, Path(cache) if cache else Path.home() / ".cache", path)


@functools.cache
def _find(tool: str, target: str, own: str, cache: Path, path: str) -> Tool | None:
    candidates = chain(
        _in_folder(Path(own), tool) if own else (),
        _versioned(cache / "obsgen" / "bin", tool, "cache"),
        _on_path(tool, path),
        _container(tool, target),
    )
    return next((candidate for candidate in candidates if fits(candidate.version, target)), None)


def fits(version: str, target: str) -> bool:
    """Whether a version, `3.7.6` or `1.19.0-rc.3`, is of a MAJOR.MINOR."""
    return not target or version.split(".")[:2] == target.split(".")[:2]


def _in_folder(folder: Path, tool: str) -> Iterator[Tool]:
    plain = folder / tool
    if plain.is_file() and os.access(plain, os.X_OK):
        yield from _printing(plain, tool, "OBSGEN_TOOLS")
    yield from _versioned(folder, tool, "OBSGEN_TOOLS")


def _on_path(tool: str, path: str) -> Iterator[Tool]:
    found = shutil.which(tool, path=path)
    if found:
        yield from _printing(Path(found), tool, "PATH")


def _versioned(folder: Path, tool: str, source: Source) -> Iterator[Tool]:
    found = []
    for path in folder.glob(f"{tool}-*"):
        version = path.name.removeprefix(f"{tool}-")
        if re.fullmatch(r"\d+(\.\d+)+([-+].+)?", version) and os.access(path, os.X_OK):
            found.append(Tool(path.absolute(), version, source))
    yield from sorted(found, key=_age, reverse=True)


def _age(tool: Tool) -> tuple[list[int], bool, str]:
    release, _, candidate = tool.version.partition("-")
    return [int(part) for part in re.findall(r"\d+", release)], not candidate, candidate


def _printing(path: Path, tool: str, source: Source) -> Iterator[Tool]:
    said = _output(str(path), *_VERSION_ARGUMENTS.get(tool, ("--version",)))
    version = _NUMBER.search(said or "")
    if version:
        yield Tool(path.absolute(), version[1], source)


def _output(*command: str) -> str | None:
    """Both outputs of a command that ends with 0 within a minute (an image may have to be pulled), else None."""
    try:
        ended = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, cwd=tempfile.gettempdir()
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (ended.stdout + ended.stderr).decode(errors="replace") if ended.returncode == 0 else None


def _container(tool: str, target: str) -> Iterator[Tool]:
    engine = _engine() if tool in _IMAGES else None
    if not engine:
        return
    from ..upstream import version

    image = _IMAGES[tool]
    pinned = version(image.server, target)
    if pinned is None:
        return
    name = f"{image.repository}:{pinned.image.rpartition(':')[2]}" if image.repository else pinned.image
    yield from _printing(_wrapper(engine, name, image.program), tool, "container")


@functools.cache
def _engine() -> str | None:
    """The first container engine whose server answers."""
    return next(
        (found for name in ("docker", "podman") if (found := shutil.which(name)) and _output(found, "info")), None
    )


def _wrapper(engine: str, image: str, program: str) -> Path:
    """A program that runs the image's on the folder it is started in; it lives in a folder of its own until we end."""
    # root inside, because the folder is only ours to read: for rootless podman that is the caller, for docker anybody
    run = f'run --rm -i --network none -u 0 -v "$PWD:$PWD" -w "$PWD" --entrypoint {program}'
    ours = {name: os.environ[name] for name in ("HOME", "DOCKER_HOST", "CONTAINER_HOST") if name in os.environ}
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in ours.items())
    lines = [
        "#!/bin/sh",
        r"variables=$(env | sed -n -e '/^\(PATH\|HOME\|PWD\|OLDPWD\|SHLVL\|_\)=/d' -e 's/=.*//' -e 's/^[A-Z]/-e &/p')",
        f'{settings} exec {shlex.quote(engine)} {run} $variables {shlex.quote(image)} "$@"',
    ]
    path = Path(_wrappers().name) / f"{Path(program).name}-{image.rpartition(':')[2]}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@functools.cache
def _wrappers() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="obsgen-containers-")
