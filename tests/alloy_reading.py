"""A reader of what we write in Alloy's language: blocks, attributes, and values that are no expressions but for one sum."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'\s+|//[^\n]*|("(?:[^"\\\n]|\\.)*"|[A-Za-z_][\w.]*|[0-9]+|[{}\[\]()=,+])')


@dataclass
class Block:
    """A block: its name, its label, its attributes by name, and the blocks in it, in order."""

    name: str
    label: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def all(self, name: str) -> list[Block]:
        return [block for block in self.blocks if block.name == name]

    def one(self, name: str) -> Block:
        (found,) = self.all(name)
        return found


def read(text: str) -> Block:
    """The whole file as a block without a name. Fails on what it does not know."""
    tokens, end = [], 0
    for token in _TOKEN.finditer(text):
        assert token.start() == end, text[end : end + 40]
        end = token.end()
        tokens += [token[1]] if token[1] else []
    assert end == len(text), text[end : end + 40]
    return _body(Block(""), tokens[::-1], "")


def _body(block: Block, tokens: list[str], end: str) -> Block:
    while tokens and tokens[-1] != end:
        name = tokens.pop()
        if tokens[-1] == "=":
            tokens.pop()
            assert name not in block.attributes, name
            block.attributes[name] = _value(tokens)
        else:
            label = json.loads(tokens.pop()) if tokens[-1] != "{" else ""
            assert tokens.pop() == "{"
            block.blocks.append(_body(Block(name, label), tokens, "}"))
            tokens.pop()
    return block


def _value(tokens: list[str]) -> Any:
    value = _operand(tokens)
    while tokens and tokens[-1] == "+":
        tokens.pop()
        value = f"{value} + {_operand(tokens)}"
    return value


def _operand(tokens: list[str]) -> Any:
    token = tokens.pop()
    if token == "[":
        return _listed(tokens, "]")
    if token == "{":
        found = {}
        while tokens[-1] != "}":
            key = tokens.pop()
            assert tokens.pop() == "="
            found[json.loads(key) if key.startswith('"') else key] = _value(tokens)
            _comma(tokens, "}")
        tokens.pop()
        return found
    if tokens and tokens[-1] == "(":
        tokens.pop()
        return f"{token}({', '.join(map(str, _listed(tokens, ')')))})"
    return json.loads(token) if token[0] in '"0123456789' or token in ("true", "false", "null") else token


def _listed(tokens: list[str], end: str) -> list[Any]:
    found = []
    while tokens[-1] != end:
        found.append(_value(tokens))
        _comma(tokens, end)
    tokens.pop()
    return found


def _comma(tokens: list[str], end: str) -> None:
    if tokens[-1] == ",":
        tokens.pop()
    else:
        assert tokens[-1] == end, tokens[-5:]
