"""What strangers install is the wheel, not this checkout."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, text=True, capture_output=True, timeout=300
    )


def test_a_wheel_installed_elsewhere_renders_in_an_empty_folder(tmp_path: Path) -> None:
    wheels, home, project = tmp_path / "wheels", tmp_path / "home", tmp_path / "project"
    project.mkdir()
    built = run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, ROOT, cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    (wheel,) = wheels.glob("obsgen-*.whl")
    # the environment of the tests lends the dependencies; obsgen itself must come from the wheel
    made = run(sys.executable, "-m", "venv", "--without-pip", home, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    site = next(home.glob("lib/python3*/site-packages"))
    installed = run(
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel, cwd=tmp_path
    )
    assert installed.returncode == 0, installed.stderr
    lent = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "lent.pth").write_text("\n".join([lent]) + "\n", encoding="utf-8")
    python = home / "bin" / "python"

    where = run(
        python,
        "-c",
        "import obsgen.assets as a; print(a.__file__, a.TEMPLATES, a.SCHEMAS, a.PACKS, a.UPSTREAM, a.LUA)",
        cwd=project,
    )
    assert all(path.startswith(str(site)) for path in where.stdout.split()), where.stdout + where.stderr

    for arguments in (
        ["init"],
        ["check", "--all"],
        ["render", "--profile", "prod"],
        ["render", "--profile", "prod", "--check"],
        # with the loggers' own patterns, which come from libs/python
        ["logs", "check", "--profile", "prod", "--run", "echo 'token=abc'", "--max", "json=1"],
    ):
        said = run(python, "-m", "obsgen", *arguments, cwd=project)
        assert said.returncode == 0, said.stderr + said.stdout
    assert (project / "rendered" / "prod" / "logging" / "loki.yaml").is_file()
