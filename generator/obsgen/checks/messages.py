"""What people read when they are woken."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..document import did_you_mean
from ..road import Declared
from .finding import Finding

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`')
_NAME = re.compile(r"(?<![.$\w])([A-Za-z_]\w*)")
# Functions of Prometheus' alert templates (3.13, template/template.go) and those built into Go's text/template.
_FUNCTION_NAMES = """
and call html index slice js len not or print printf println urlquery eq ge gt le lt ne args externalURL first
graphLink humanize humanize1024 humanizeDuration humanizePercentage humanizeTimestamp label match now
parseDuration pathPrefix query reReplaceAll safeHtml sortByLabel stripDomain stripPort strvalue tableLink
title toDuration toLower toTime toUpper urlQueryEscape value
"""
FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
_KEYWORDS = frozenset(
    ["if", "else", "end", "range", "with", "define", "template", "block", "break", "continue", "nil", "true", "false"]
)
_VARIABLES = frozenset({"$labels", "$value", "$externalLabels", "$externalURL"})


def bad_template(declared: Declared) -> Iterator[Finding]:
    """Prometheus puts `<error expanding template>` where the reason should stand. (`verify` runs the template for real.)"""
    for name, alert in declared.plan.declaration.alerts.items():
        for key in ("summary", "description"):
            text = getattr(alert, key)
            if text.count("{{") != text.count("}}"):
                yield Finding(("alerts", name, key), "a {{ is not closed, or a }} not opened", "write {{ … }}")
                continue
            for action in _ACTION.finditer(text):
                yield from _action(("alerts", name, key), text, action)


def _action(path: tuple[str, ...], text: str, action: re.Match[str]) -> Iterator[Finding]:
    code = _LITERAL.sub('""', action[1])
    if code.startswith("/*"):
        return
    for word in _NAME.findall(code):
        if word not in FUNCTIONS | _KEYWORDS:
            guess = did_you_mean(word, FUNCTIONS)
            remedy = f"did you mean {guess!r}?" if guess else "see Prometheus' template reference"
            at = text.find(word, action.start())
            yield Finding(path, f"no template function is called {word!r}", remedy, offset=at, length=len(word))
    declared_here = set(re.findall(r"(\$\w+)\s*(?:,\s*\$\w+\s*)?:=", text)) | set(re.findall(r",\s*(\$\w+)\s*:=", text))
    for variable in re.findall(r"\$\w+", code):
        if variable not in _VARIABLES | declared_here:
            at = text.find(variable, action.start())
            remedy = "there are $labels, $value and $externalLabels"
            yield Finding(path, f"no template variable is called {variable}", remedy, offset=at, length=len(variable))


def changing_summary(declared: Declared) -> Iterator[Finding]:
    """A summary with a value in it differs between alerts of a group, and Alertmanager then shows none of them."""
    for name, alert in declared.plan.declaration.alerts.items():
        if "{{" in alert.summary:
            yield Finding(
                ("alerts", name, "summary"),
                "the summary holds a value, so it differs from alert to alert",
                "move the value to the description",
            )


def no_runbook(declared: Declared) -> Iterator[Finding]:
    """An alert without a runbook wakes a person and leaves them alone."""
    for name, alert in declared.plan.declaration.alerts.items():
        if alert.runbook is None:
            yield Finding(
                ("alerts", name), f"{name} has no runbook", "add meaning, impact, diagnosis, mitigation", key=True
            )


def no_examples(declared: Declared) -> Iterator[Finding]:
    """An alert that was never seen to fire may not be able to."""
    for name, alert in declared.plan.declaration.alerts.items():
        if alert.examples is None and not alert.logql:
            yield Finding(
                ("alerts", name), f"{name} has no examples, so no test shows it fire", "add examples", key=True
            )
