"""Every message that Alertmanager would write, executed by amtool.

From 0.32 on, a Slack template that fails sends an empty message and counts as sent: nothing else tells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from .task import Outcome, Text, ask, lay_out, refusal


def _alert(name: str, status: str, labels: Mapping[str, str], words: Mapping[str, str]) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": "DiskFills", **labels, "instance": name},
        "annotations": words,
        "startsAt": "2025-10-01T00:00:00Z",
        "endsAt": "2025-10-01T01:00:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
        "generatorURL": "https://prometheus.example/graph?g0.expr=up",
        "fingerprint": "0123456789abcdef",
    }


def _notification(status: str, alerts: list[dict[str, Any]]) -> dict[str, Any]:
    common = {
        kind: dict(set.intersection(*(set(alert[kind].items()) for alert in alerts)))
        for kind in ("labels", "annotations")
    }
    return {
        "receiver": "any",
        "status": status,
        "alerts": alerts,
        "groupLabels": {"alertname": "DiskFills"},
        "commonLabels": common["labels"],
        "commonAnnotations": common["annotations"],
        "externalURL": "https://alertmanager.example",
    }


_LINKS = {"runbook_url": "https://runbooks.example/a", "dashboard_url": "https://grafana.example/d/a"}


def _words(what: str) -> dict[str, str]:
    return {
        "summary": f"{what} fills",
        "description": f'{what} is <90% & "more">',
        "runbook_url": "https://runbooks.example/a",
    }


_LABELS = {"severity": "critical", "service": "api", "team": "ai", "cluster": "c", "namespace": "n"}

NOTIFICATIONS: Mapping[str, dict[str, Any]] = {
    "one firing": _notification("firing", [_alert("a", "firing", _LABELS, _words("A"))]),
    "three firing": _notification(
        "firing", [_alert(name, "firing", _LABELS, _words(name)) for name in ("a", "bb", "ccc")]
    ),
    "resolved": _notification("resolved", [_alert("a", "resolved", _LABELS, _words("A"))]),
    "labels and annotations missing": _notification("firing", [_alert("a", "firing", {}, {})]),
}
"""What every message is written for, as Alertmanager gives it to templates."""


def write(config: Text, templates: tuple[Text, ...], program: Path, work: Path) -> Outcome:
    """The verdict on every template string of every receiver: it runs, leaves no hole, and says something of some alert."""
    try:
        parsed = yaml.load(config.text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        receivers, globs = parsed["receivers"], [PurePosixPath(glob).name for glob in parsed.get("templates") or ()]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        return Outcome(False, "no receivers can be read from it")
    unread = [glob for glob in globs if not any(fnmatch(text.base, glob) for text in templates)]
    if unread:
        return Outcome(False, "\n".join(f"templates: {glob}: no such file is rendered" for glob in unread))
    lay_out(work, templates)
    for name, data in NOTIFICATIONS.items():
        (work / f"{name}.json").write_text(json.dumps(data), encoding="utf-8")
    strings = list(dict.fromkeys(_templated(receivers)))
    said = [fact for kind in ("text", "html") for fact in _executed(program, work, globs, kind, strings)]
    return Outcome(not said, "\n".join(said))


def _templated(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """(text or html, template) of every string with a template in it; Alertmanager runs `html` of an email as HTML."""
    if isinstance(value, str) and "{{" in value:
        yield "html" if where == "html" else "text", value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _templated(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _templated(item, where)


_MARK = "\n--8<-- obsgen {} --8<--\n"


def _executed(program: Path, work: Path, globs: list[str], kind: str, strings: list[tuple[str, str]]) -> Iterator[str]:
    """What is wrong with the templates of one kind: all in one process a notification, one by one only where that fails."""
    wanted = [text for of, text in strings if of == kind]
    written: dict[str, str] = dict.fromkeys(wanted, "")
    for name in NOTIFICATIONS if wanted else ():
        ends = [_MARK.format(number) for number in range(len(wanted))]
        code, output = _render(program, work, globs, kind, name, "".join(map("".join, zip(wanted, ends, strict=True))))
        if code == 0:
            parts = re.split(r"\n--8<-- obsgen \d+ --8<--\n", output)
        else:
            parts = yield from _one_by_one(program, work, globs, kind, name, wanted)
        for text, part in zip(wanted, parts, strict=False):
            written[text] += part.strip()
            if "<no value>" in part:
                yield f"{text} ({name}): comes out with a hole: {part.strip()!r}"
    for text, output in written.items():
        if not output:
            yield f"{text}: says nothing, whatever the alert"


def _one_by_one(
    program: Path, work: Path, globs: list[str], kind: str, name: str, wanted: list[str]
) -> Generator[str, None, list[str]]:
    parts = []
    for text in wanted:
        code, output = _render(program, work, globs, kind, name, text)
        parts.append(output)
        if code:
            yield f"{text} ({name}): {output}"
    return parts


def _render(program: Path, work: Path, globs: list[str], kind: str, name: str, text: str) -> tuple[int, str]:
    reads = [f"--template.glob={glob}" for glob in globs] or ["--template.glob=none"]
    arguments = (
        "template",
        "render",
        *reads,
        f"--template.data={name}.json",
        f"--template.type={kind}",
        f"--template.text={text}",
    )
    answer = ask(program, arguments, work)
    return answer.code, refusal(answer) if answer.code else answer.stdout
