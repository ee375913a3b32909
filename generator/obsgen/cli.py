"""The command line: each verb finds its profiles, calls one function, prints, exits.

Exit 0: nothing to say. 1: problems or differences. 2: could not run.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .conformance import options
from .problem import Problem, ProblemsError

if TYPE_CHECKING:
    from .conformance.standard import Standard
    from .differences import Compared
    from .road import Declared

_config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("observability.yaml"),
    show_default=True,
    help="The declaration; its folder holds profiles/ and rendered/.",
)
_profiles = click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Repeat it for several.")
_all = click.option("--all", "everything", is_flag=True, help="Every profile of the folder profiles/.")
_output = click.option(
    "--output", "form", type=click.Choice(["text", "json", "github", "sarif"]), default="text", show_default=True
)
_strict = click.option("--strict", is_flag=True, help="Warnings are errors.")

COLLECTOR = (100_000, 50, 100)
"""Python's (700, 10, 10) walks ever more objects and finds nothing: a run only adds. A tenth faster, no more memory (docs/speed.md)."""


_HELP = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=_HELP)
@click.version_option(package_name="obsgen")
def main() -> None:
    """One observability.yaml, rendered into what the logging, alerting and dead-letter servers read."""
    gc.set_threshold(*COLLECTOR)
    # `verify` starts servers that are stopped at exit, and a plain SIGTERM would skip that
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if os.environ.get("NO_COLOR"):
        click.get_current_context().color = False


def _verb(function: Callable[..., int], group: click.Group = main, name: str = "") -> click.Command:
    """A verb returns its exit code; problems that stop it are printed, and never a traceback."""

    def run(**options: Any) -> None:
        try:
            code = function(**options)
        except ProblemsError as stopped:
            _say(stopped.problems, options.get("form", "text"), to_stdout=function.__name__ == "check")
            code = 2 if stopped.could_not_run else 1
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            code = 128 + signal.SIGINT
        raise SystemExit(code)

    run.__doc__ = function.__doc__
    run.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    return group.command(name or function.__name__, context_settings=_HELP)(run)


def _say(problems: Sequence[Problem], form: str, *, to_stdout: bool = False) -> None:
    from .report import FORMATS

    text = FORMATS[form](sorted(problems))
    click.echo(text, nl=False, err=form == "text" and not to_stdout)


def _chosen(config: Path, profiles: Sequence[str], everything: bool) -> list[str]:
    folder = config.parent / "profiles"
    known = _named(folder)
    if everything:
        profiles = known
    if not profiles:
        fact = f"no profile is named. Profiles here: {', '.join(known) or 'none'}"
        remedy = "add a profile" if everything else "add --profile NAME, or --all"
        raise ProblemsError([Problem(str(config), 0, 0, fact, remedy, "usage/profile")], could_not_run=True)
    return list(dict.fromkeys(profiles))


def _named(folder: Path) -> list[str]:
    try:
        return sorted(path.stem for path in folder.iterdir() if path.suffix == ".yaml")
    except OSError:
        return []


def _checked(config: Path, chosen: Sequence[str]) -> tuple[list[Problem], list[Declared]]:
    """What shape and meaning say of the chosen profiles, and those whose shape is right."""
    from .checks import check_all
    from .road import load

    stopped: list[Problem] = []
    declared = []
    for profile in chosen:
        try:
            declared.append(load(config, profile))
        except ProblemsError as error:
            if error.could_not_run:
                raise
            stopped += error.problems
    complete = not stopped and set(chosen) == set(_named(config.parent / "profiles"))
    return sorted({*stopped, *check_all(declared, complete)}), declared


def _failed(problems: Sequence[Problem], strict: bool) -> bool:
    return any(strict or problem.severity == "error" for problem in problems)


@_verb
@_config
@_profiles
@_all
@_output
@_strict
def check(config: Path, profiles: tuple[str, ...], everything: bool, form: str, strict: bool) -> int:
    """Shape, meaning and the declared tests; starts no server's program."""
    found, _ = _checked(config, _chosen(config, profiles, everything))
    _say(found, form, to_stdout=True)
    return int(_failed(found, strict))


@_verb
@_config
@_profiles
@_all
@_output
@_strict
@click.option("--out", type=click.Path(path_type=Path), help="Default rendered/PROFILE; with several, OUT/PROFILE.")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 if the folder is out of date.")
@click.option("--diff", "show_diff", is_flag=True, help="Write nothing; print what would change; exit 1 if anything.")
def render(
    config: Path,
    profiles: tuple[str, ...],
    everything: bool,
    form: str,
    strict: bool,
    out: Path | None,
    only_check: bool,
    show_diff: bool,
) -> int:
    """Write what the servers read; all of it, or nothing."""
    from . import tree

    chosen = _chosen(config, profiles, everything)
    found, done = _rendered(config, chosen, strict)
    work = _compared(config, out, done)
    if show_diff or only_check:
        return _say_differences(found, work, form, lines=show_diff)
    for one in work:
        tree.apply(one.folder, one.differing)
    _say(found, form)
    for one in work:
        click.echo(f"{one.folder}: {one.summary()}", err=True)
    return 0


_Done = tuple[str, "Declared", dict[str, str]]  # profile, its declaration, its texts


def _compared(config: Path, out: Path | None, done: Sequence[_Done], base: str | None = None) -> list[Compared]:
    from .differences import compare

    several = len(done) > 1
    return [compare(profile, _folder(config, out, profile, several), texts, base) for profile, _, texts in done]


def _folder(config: Path, out: Path | None, profile: str, several: bool) -> Path:
    if out is None:
        return config.parent / "rendered" / profile
    return out / profile if several else out


def _rendered(config: Path, chosen: Sequence[str], strict: bool) -> tuple[list[Problem], list[_Done]]:
    """Warnings, and every chosen profile rendered; ProblemsError with the problems of all of them if any may not be."""
    from .road import texts

    found, declared = _checked(config, chosen)
    if _failed(found, strict):
        raise ProblemsError(found)
    return found, [(one.profile, one, texts(one)) for one in declared]


def _say_differences(
    found: Sequence[Problem], work: Sequence[Compared], form: str, *, lines: bool, text: bool = True
) -> int:
    """For people the changes themselves, on stdout with their `lines`; for machines problems among the others."""
    differ = int(any(one.differing for one in work))
    if form != "text":
        _say([*found, *(problem for one in work for problem in one.problems(people=lines))], form)
        return differ
    _say(found, form)
    for one in work:
        if lines:
            for line in one.lines(with_text=text):
                click.echo(line)
        else:
            for problem in one.problems(people=False):
                click.echo(f"{problem.file} {problem.fact}", err=True)
            if one.differing:
                click.echo(f"run: obsgen render --profile {one.profile}", err=True)
    return differ


@_verb
@_config
@_profiles
@_all
@_output
@click.option("--out", type=click.Path(path_type=Path), help="The folder to compare with; default rendered/PROFILE.")
@click.option("--base", metavar="COMMIT", help="Compare with the folder as git has it there, e.g. origin/main.")
@click.option("--text", "with_text", is_flag=True, help="Print the differing lines too.")
def diff(
    config: Path,
    profiles: tuple[str, ...],
    everything: bool,
    form: str,
    out: Path | None,
    base: str | None,
    with_text: bool,
) -> int:
    """What changes for people on call; then, per file: added, changed, removed."""
    found, done = _rendered(config, _chosen(config, profiles, everything), strict=False)
    return _say_differences(found, _compared(config, out, done, base), form, lines=True, text=with_text)


@_verb
@_config
@_profiles
@_all
@_output
@click.option("--require", default="", metavar="NAMES|all", help="Judges without whose verdict a text is an error.")
@click.option("--record", is_flag=True, help="Keep the verdicts of judges that no registry carries.")
def verify(config: Path, profiles: tuple[str, ...], everything: bool, form: str, require: str, record: bool) -> int:
    """Truth: the same texts through the servers' own programs and schemas."""
    from .judging.verify import verify as judge

    _, done = _rendered(config, _chosen(config, profiles, everything), strict=False)
    report = judge(
        {profile: declared.plan for profile, declared, _ in done},
        {profile: texts for profile, _, texts in done},
        require=frozenset(filter(None, require.split(","))),
        record=record,
        folder=config.parent / "tests" / "verdicts",
        progress=lambda line: click.echo(line, err=True) if sys.stderr.isatty() else None,
    )
    if form == "text":
        click.echo("\n".join(report.lines()))
    _say(report.problems, form, to_stdout=True)
    return int(bool(report.problems))


@_verb
@_config
@_profiles
@click.argument("path")
def explain(config: Path, profiles: tuple[str, ...], path: str) -> int:
    """Where the value at PATH comes from, e.g. loki.retention.default or packs.dlq.alerts.DLQDepthHigh.levels.warning.above."""
    from .explain import explain as words

    for profile in _chosen(config, profiles, everything=False):
        click.echo(words(config, profile, path), nl=False)
    return 0


@_verb
@click.argument("name", type=click.Choice(["observability", "profile"]), default="observability")
def schema(name: str) -> int:
    """Print a JSON Schema, for editors."""
    from .assets import SCHEMAS

    click.echo((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"), nl=False)
    return 0


@_verb
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
def init(folder: Path) -> int:
    """Write a small declaration, three profiles and the schemas into FOLDER; nothing that exists is touched."""
    from .starter import write

    for path in write(folder):
        click.echo(f"wrote {path}", err=True)
    click.echo("next: obsgen check --all && obsgen render --profile prod", err=True)
    return 0


@main.group(context_settings=_HELP)
def logs() -> None:
    """Real log lines, beside what is declared of them."""


@click.argument("files", nargs=-1, metavar="[FILE | -]...")
@_config
@click.option("--profile", metavar="NAME", help="The profile under which the declaration counts.")
@click.option(
    "--contract",
    type=click.Path(path_type=Path),
    help="A rendered contract.json in place of the declaration; without --profile also $OBSGEN_CONTRACT.",
)
@click.option("--run", "command", metavar="CMD", help="What a shell's command prints; passed on to stderr.")
@click.option("--stderr", is_flag=True, help="With --run: its stderr too.")
@click.option("--loki", metavar="URL", help="A sample of what Loki holds; credentials as logcli reads them.")
@click.option("--query", metavar="Q", help="With --loki: which lines; default those of --service.")
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="N",
    default=2000,
    show_default=True,
    help="With --loki: how many lines.",
)
@click.option(
    "--since",
    default="24h",
    metavar="DURATION",
    show_default=True,
    callback=options.duration,
    help="With --loki: from how long ago.",
)
@click.option("--until", callback=options.moment, metavar="TIME", help="With --loki: up to when; default now.")
@click.option("--seed", default=0, metavar="N", show_default=True, help="With --loki: draws other moments.")
@click.option("--service", metavar="NAME", help="Who writes these lines; default any declared service.")
@click.option(
    "--max",
    "maxima",
    multiple=True,
    callback=options.maxima,
    metavar="RULE=N",
    help="Lines that may break a rule: a number, a share as in 5%; volume=1GB a day.",
)
@click.option(
    "--show", type=click.IntRange(1), metavar="N", default=3, show_default=True, help="Different facts shown of a rule."
)
@_output
@_strict
def logs_check(
    files: tuple[str, ...],
    config: Path,
    profile: str | None,
    contract: Path | None,
    form: str,
    strict: bool,
    **how: Any,
) -> int:
    """Lines against the contract: JSON, required fields, forms, levels, secrets, sizes, types, volume.

    Bare lines, those of containerd and CRI-O, and Docker's json-file are told apart. Each rule has a page in docs/checks/logs.
    """
    from .conformance.command import check

    found = check(_standard(config, profile, contract), files, **how)
    click.echo(found.text(form), nl=False)
    return int(found.failed or (strict and bool(found.problems)))


_verb(logs_check, logs, "check")


def _standard(config: Path, profile: str | None, contract: Path | None) -> Standard:
    from .conformance import standard

    named = None if profile else os.environ.get("OBSGEN_CONTRACT")
    if contract and profile:
        raise click.UsageError("--contract stands in place of the declaration: leave --profile out")
    if contract or named:
        return standard.read(contract or Path(str(named)))
    from .road import load

    (chosen,) = _chosen(config, [profile] if profile else [], everything=False)
    return standard.of(load(config, chosen).declaration)
