"""Artifacts → texts, through Jinja; touches no disk but the templates."""

from __future__ import annotations

import contextlib
import functools
import json
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from jinja2.bccache import Bucket

from . import cache, panels
from .artifacts import Artifact
from .assets import PACKS, TEMPLATES
from .problem import Problem, ProblemsError
from .quoting import FILTERS


class _Compiled(jinja2.FileSystemBytecodeCache):
    """Compiled templates in the user's cache; half of a small run was compiling. Where it can't be written, they are compiled again."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a compiled template, told apart by its text and by the versions of Python and Jinja."""
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


@functools.cache
def environment() -> jinja2.Environment:
    """Our Jinja: `[= value =]`, because `{{ }}` belongs to Prometheus, Alertmanager, LogQL and Grafana in everything we write."""
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.FileSystemLoader(TEMPLATES), jinja2.PrefixLoader({"packs": jinja2.FileSystemLoader(PACKS)})]
        ),
        undefined=jinja2.StrictUndefined,
        variable_start_string="[=",
        variable_end_string="=]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        auto_reload=False,
        bytecode_cache=_Compiled(str(kept_in)) if (kept_in := cache.folder()) else None,
        cache_size=-1,
    )
    # Jinja has a global called namespace: a forgotten one must fail, not render the class.
    made.globals.clear()
    kept = ("dictsort", "groupby", "join", "length", "unique")  # the rest of Jinja's filters know nothing of YAML
    made.filters = {name: made.filters[name] for name in kept} | FILTERS | panels.FILTERS
    return made


def text(template: str, context: Mapping[str, Any]) -> str:
    """One template filled in: one final newline. Raises ProblemsError naming the template's file and line, exit 2."""
    try:
        return environment().get_template(template).render(context).rstrip("\n") + "\n"
    except Exception as error:
        raise ProblemsError([_problem(template, error)], could_not_run=True) from error


def pack(name: str, context: Mapping[str, Any]) -> str:
    """The text of a pack."""
    return text(f"packs/{name}.yaml.j2", context)


OBJECT_LIMIT = 1 << 20
"""Characters of one object, its indentation among them; kube-apiserver (1.36, validation.go) takes 1 MiB of a ConfigMap's data."""


def render(artifacts: Iterable[Artifact]) -> dict[str, str]:
    """`{path: text}` of artifacts, sorted by path; an artifact that wraps others comes after them."""
    texts: dict[str, str] = {}
    for artifact in artifacts:
        if artifact.path in texts:
            problem = Problem(
                artifact.path, 0, 0, "this file is made twice", "rename one of the groups or alerts", "render/twice"
            )
            raise ProblemsError([problem], could_not_run=True)
        texts[artifact.path] = made = rendered(artifact, texts)
        if artifact.row.manifest and len(made) > OBJECT_LIMIT and max(map(len, made.split("\n---\n"))) > OBJECT_LIMIT:
            fact = "one object of this file is over 1 MiB, which kube-apiserver refuses"
            problem = Problem(artifact.path, 0, 0, fact, "make what it holds smaller", "render/too-large")
            raise ProblemsError([problem], could_not_run=True)
    return dict(sorted(texts.items()))


def rendered(artifact: Artifact, texts: Mapping[str, str]) -> str:
    """The text of one artifact; `texts` are those that it wraps."""
    template = artifact.row.template
    if template is None:
        return str(artifact.view.item)
    made = text(template, artifact.context(texts))
    return _canonical(template, made) if artifact.path.endswith(".json") else made


def _canonical(template: str, made: str) -> str:
    """JSON with two spaces of indentation, as `quoting.json_value` writes it."""
    try:
        data = json.loads(made, object_pairs_hook=panels.once)
        # with an indentation json.dumps is written in Python, and ten times as slow
        return msgspec.json.format(json.dumps(data, ensure_ascii=False), indent=2) + "\n"
    except ValueError as error:
        problem = Problem(template, 0, 0, f"what it gives is no JSON: {error}", "", "template/json")
        raise ProblemsError([problem], could_not_run=True) from error


def _problem(template: str, error: Exception) -> Problem:
    if isinstance(error, jinja2.TemplateSyntaxError):
        return Problem(_shown(error.filename or template), error.lineno, 1, str(error.message), "", "template/syntax")
    if isinstance(error, jinja2.TemplateNotFound):
        name = str(error.name)
        remedy = f"write {name if name.startswith('packs/') else f'templates/{name}'}"
        return Problem(template, 0, 0, f"there is no template {name!r}", remedy, "template/missing")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith(".j2")]
    if not frames:
        raise error
    place = frames[-1]
    return Problem(_shown(place.filename), place.lineno or 1, 1, str(error), "", "template/render")


def _shown(filename: str) -> str:
    for root in (TEMPLATES, PACKS):
        if Path(filename).is_relative_to(root):
            return str(Path(root.name) / Path(filename).relative_to(root))
    return filename
