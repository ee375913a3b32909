"""The Go templates of summaries and descriptions: what they call, and labels that are no longer there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .. import logql, promql
from ..document import Path, did_you_mean
from ..model import Alert
from ..query import Labels, QueryError, allows
from ..road import Declared
from .finding import Finding
from .questions import alerts

# Functions of Prometheus' templates (3.13.5, template/template.go) and those built into Go's text/template.
_FUNCTION_NAMES = """
and call html index slice js len not or print printf println urlquery eq ge gt le lt ne
args externalURL first graphLink humanize humanize1024 humanizeDuration humanizePercentage humanizeTimestamp label match
now parseDuration pathPrefix query reReplaceAll safeHtml sortByLabel stripDomain stripPort strvalue tableLink title
toDuration toLower toTime toUpper urlQueryEscape value
"""
FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
_OPENING = frozenset(["if", "range", "with", "define", "block"])
_KEYWORDS = _OPENING | {"else", "end", "template", "break", "continue", "nil", "true", "false"}
_VARIABLES = frozenset({"$", "$labels", "$value", "$externalLabels", "$externalURL"})

_ACTION = re.compile(
    r"\{\{(?:-\s)?((?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|'(?:\\.|[^'\\])*'|/\*.*?\*/|.)*?)(?:\s-)?\}\}", re.DOTALL
)
_LITERAL = re.compile(r"\"(?:\\.|[^\"\\])*\"|`[^`]*`|'(?:\\.|[^'\\])*'|/\*.*?\*/", re.DOTALL)
_DEFINED = re.compile(r"(\$\w+)(?=\s*(?:,\s*\$\w+\s*)?:=)")
_LABEL = re.compile(r"\$(?:labels|\.Labels)\.([A-Za-z_]\w*)|\bindex\s+\$labels\s+[\"`]([A-Za-z_]\w*)[\"`]")
_DOT_LABEL = re.compile(r"(?<![\w$)])\.Labels\.([A-Za-z_]\w*)")


class Action(NamedTuple):
    """One `{{ … }}`: its text from `start`, the text with its literals blanked out, and whether `.` is still the alert."""

    start: int
    text: str
    code: str
    at_top: bool


def actions(text: str) -> tuple[list[Action], str]:
    """The actions of a template, and what is wrong with its braces and blocks ("" if nothing)."""
    found: list[Action] = []
    opened: list[str] = []
    for match in _ACTION.finditer(text):
        code = _LITERAL.sub(lambda literal: " " * len(literal[0]), match[1])
        if "{{" in code:
            return found, "a {{ is not closed"
        word = next(iter(code.split()), "")
        found.append(Action(match.start(1), match[1], code, not {"range", "with", "define"} & set(opened)))
        if word in _OPENING:
            opened.append(word)
        elif word == "end" and not opened:
            return found, "an {{ end }} ends nothing"
        elif word == "end":
            opened.pop()
    between = _ACTION.sub("", text)
    if "{{" in between:
        return found, "a {{ is not closed"
    return found, f"an {{{{ {opened[-1]} }}}} has no {{{{ end }}}}" if opened else ""


def messages(declared: Declared) -> Iterator[tuple[Path, Alert, str]]:
    """Every text of an alert that is a template."""
    for path, _, alert in alerts(declared):
        yield (*path, "summary"), alert, alert.summary
        yield (*path, "description"), alert, alert.description


def bad_template(declared: Declared) -> Iterator[Finding]:
    """Prometheus puts `<error expanding template>` where the reason should stand, or refuses the whole file of rules."""
    for path, _, text in messages(declared):
        found, fault = actions(text)
        if fault:
            yield Finding(path, fault, "write {{ … }}, and {{ end }} for each if, range and with")
        for action in found:
            yield from _unknown_words(path, action)
        yield from _unknown_variables(path, found)
        outside = _ACTION.sub(lambda match: " " * len(match[0]), text)
        for variable in re.finditer(r"\$(?:labels\.\w+|value)\b", outside):
            fact, length = f"{variable[0]} stands outside {{{{ }}}}, so it is printed as it stands", len(variable[0])
            yield Finding(path, fact, f"write {{{{ {variable[0]} }}}}", span=(variable.start(), length))


def _unknown_words(path: Path, action: Action) -> Iterator[Finding]:
    for word in re.finditer(r"(?<![.$\w])[A-Za-z_]\w*", action.code):
        if word[0] not in FUNCTIONS | _KEYWORDS:
            guess = did_you_mean(word[0], FUNCTIONS)
            remedy = f"did you mean {guess!r}?" if guess else "see Prometheus' template reference"
            fact, at = f"no template function is called {word[0]!r}", action.start + word.start()
            yield Finding(path, fact, remedy, span=(at, len(word[0])))


def _unknown_variables(path: Path, found: list[Action]) -> Iterator[Finding]:
    defined = {name for action in found for name in _DEFINED.findall(action.code)}
    for action in found:
        for variable in re.finditer(r"\$\w*", action.code):
            if variable[0] not in _VARIABLES | defined:
                fact, at = f"no template variable is called {variable[0]}", action.start + variable.start()
                remedy = "there are $labels, $value and $externalLabels"
                yield Finding(path, fact, remedy, span=(at, len(variable[0])))


def result_labels(alert: Alert) -> Labels | None:
    """Labels of an alert's result; None where the query doesn't parse."""
    try:
        if alert.logql:
            return logql.parse(alert.logql).labels
        return promql.survivors(promql.parse(alert.query or alert.expr or ""))
    except QueryError:
        return None


# Set by the rule, after the message was written from the labels of the result (rules/alerting.go, 3.13.5).
_SET_LATER = frozenset({"alertname", "cluster", "namespace", "service", "severity", "team"})


def lost_label(declared: Declared) -> Iterator[Finding]:
    """A label that the aggregation dropped is empty in the message, and an owner found by it is nobody."""
    for path, alert, text in messages(declared):
        labels = result_labels(alert)
        for label, at in _labels_in(text) if labels is not None else ():
            if labels is not None and not allows(labels, label):
                remedy = f"keep it: by ({label})"
                if label in _SET_LATER:
                    remedy = "the alert carries it all the same: leave it out of the text"
                fact = f"the result has no label {label!r}, so this is empty"
                yield Finding(path, fact, remedy, span=(at, len(label)))
    for place, _, alert in alerts(declared):
        labels = result_labels(alert)
        if alert.team_of and labels is not None and not allows(labels, alert.team_of):
            fact = f"the result has no label {alert.team_of!r}, so nobody owns this alert"
            yield Finding((*place, "team_of"), fact, f"keep it: by ({alert.team_of})")


def _labels_in(text: str) -> Iterator[tuple[str, int]]:
    """Names and places of the result's labels that a template prints or asks for."""
    for action in actions(text)[0]:
        for pattern in (_LABEL, _DOT_LABEL) if action.at_top else (_LABEL,):
            for found in pattern.finditer(action.text):
                yield found[found.lastindex or 1], action.start + found.start(found.lastindex or 1)
