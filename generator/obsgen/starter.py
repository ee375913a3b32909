"""What `obsgen init` writes: a declaration small enough to read, three profiles, and the schemas that editors complete from."""

from __future__ import annotations

import os.path
import shutil
from pathlib import Path

from .assets import SCHEMAS, TEMPLATES
from .problem import Problem, ProblemsError

_STARTER = TEMPLATES / "starter"
_SCHEMAS = ("observability.schema.json", "profile.schema.json")


def write(folder: Path) -> list[Path]:
    """The paths written. Raises ProblemsError (could not run) before writing anything if one of them exists."""
    sources = {folder / path.relative_to(_STARTER): path for path in sorted(_STARTER.rglob("*.yaml"))}
    sources |= {folder / "schemas" / name: SCHEMAS / name for name in _SCHEMAS}
    problems = [
        Problem(str(target), 0, 0, "exists already", "remove it, or name an empty folder", "init/exists")
        for target in sources
        if os.path.lexists(target)
    ]
    if problems:
        raise ProblemsError(problems, could_not_run=True)
    try:
        for target, source in sources.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    except OSError as error:
        problem = Problem(str(error.filename), 0, 0, f"can't be written: {error.strerror}", "", "init/write")
        raise ProblemsError([problem], could_not_run=True) from error
    return list(sources)
