"""The only doors for values into Markdown: whatever a writer wrote stays in the place it was put.

As CommonMark 0.31 and GitHub's tables, strikethrough and footnotes read it; a test asks a CommonMark parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

_SPECIAL = re.compile(r"[\\`*_\[\]<>&#|~$]")
_BEGINNING = re.compile(r"(?:[-+=:]|[0-9]{1,9}(?=[.)]))")  # of a list, an underlined heading, a rule, a table
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff]")
_FENCE = re.compile(r" *(`{3,}|~{3,})(.*)")
_ITEM = re.compile(r"( *)([-*+]|[0-9]{1,9}[.)]) +(?=\S)")
# A code span, or a word of ours that people use in runbooks: **strong**, [text](https://…).
_SPAN = re.compile(
    r"(?<!`)(?P<ticks>`+)(?!`)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
    r"|\*\*(?P<strong>[^\s*`](?:[^*`]*[^\s*`])?)\*\*"
    r"|\[(?P<label>[^\[\]`]+)\]\((?P<url>https?://[^\s()<>`]+)\)"
)


def markdown(text: object) -> str:
    """A value as words on one line: nothing in it is markup, nothing ends the line, cell, item or heading around it."""
    escaped = _SPECIAL.sub(r"\\\g<0>", _one_line(str(text)))
    begins = _BEGINNING.match(escaped)
    if not begins:
        return escaped
    return f"{begins[0]}\\{escaped[begins.end() :]}" if begins[0].isdigit() else f"\\{escaped}"


def code(text: object) -> str:
    """A value as a code span. Not for a table whose values can hold `|`: there it would end the cell."""
    line = _one_line(str(text))
    if not line:
        return ""
    ticks = _ticks(line, 1)
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fence(text: object, language: str = "") -> str:
    """A value as a code block, byte for byte; longer backticks around it than any within."""
    body = str(text).rstrip("\n")
    ticks = _ticks(body, 3)
    return f"{ticks}{language}\n{body}\n{ticks}"


def link(label: object, url: object) -> str:
    """A link; what an address can't hold is percent-encoded."""
    return f"[{markdown(label)}]({quote(str(url), safe='-._~/:?#@!$&+,=%')})"


def prose(text: str) -> str:
    """A text of several lines in which a writer may use lists, code, code blocks, **strong** and links, and nothing else.

    No headings, tables, quotes or HTML: they would end the section that the text stands in, or hide what follows.
    """
    return "\n".join(_lines(text)).strip("\n")


def _lines(text: str) -> Iterator[str]:
    lines = iter(text.splitlines())
    for line in lines:
        opened = _FENCE.fullmatch(line.expandtabs(4))
        if opened and not (opened[1][0] == "`" and "`" in opened[2]):
            yield from ("", fence("\n".join(_until(lines, opened[1]))), "")
            continue
        line = line.expandtabs(4)
        item = _ITEM.match(line)
        # four columns would make a code block
        indent = " " * min(len(line) - len(line.lstrip(" ")), 3)
        rest = line[item.end() :] if item else line.strip()
        yield f"{indent}{item[2]} {_inline(rest)}" if item else f"{indent}{_inline(rest)}".rstrip()


def _until(lines: Iterator[str], ticks: str) -> Iterator[str]:
    """The lines of a code block; one that nobody closed ends with the text."""
    for line in lines:
        if re.fullmatch(rf" *{ticks[0]}{{{len(ticks)},}} *", line):
            return
        yield line


def _inline(text: str) -> str:
    parts, at = [], 0
    for found in _SPAN.finditer(text):
        parts.append(_words(text[at : found.start()]))
        if found["code"]:
            parts.append(code(found["code"].strip(" ")) or markdown(found[0]))
        elif found["strong"]:
            parts.append(f"**{_words(found['strong'])}**")
        else:
            parts.append(link(found["label"], found["url"]))
        at = found.end()
    whole = "".join([*parts, _words(text[at:])]).strip()
    begins = _BEGINNING.match(whole)
    if not begins:
        return whole
    return f"{begins[0]}\\{whole[begins.end() :]}" if begins[0].isdigit() else f"\\{whole}"


def _words(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", re.sub(r"\s+", " ", _CONTROL.sub("", text)))


def _one_line(text: str) -> str:
    return _CONTROL.sub("", " ".join(text.split())).strip()


def _ticks(text: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)


FILTERS = {"markdown": markdown, "code": code, "fence": fence, "prose": prose, "link": link}
