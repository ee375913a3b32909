"""What must not be in a log: values under the contract's keys, and what looks like a credential in any text."""

from __future__ import annotations

import re
from collections.abc import Iterable

MARK = "[REDACTED]"

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)?")
# A digit or 32 characters: "Bearer authentication failed" holds no token.
_BEARER = re.compile(r"(?i)\b(bearer|basic)(\s+)(?:(?=[^\s\"',]*\d)[\w.~+/=-]{12,}|[\w.~+/=-]{32,})")
_URL = re.compile(r"(://[^\s/:@\"']*:)[^\s/@\"']+(?=@)")
# Card numbers by issuer (Visa, Mastercard, American Express, Discover), so that 19-digit ids and epochs stay whole.
_CARD = re.compile(r"(?<![\w.])(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|3[47]\d\d|6\d{3})(?:[ -]?\d){9,15}(?![\w])")

# All that no pattern needs. What is left of a text without it: digits, quotes, whitespace, the J of a JWT, what is not ASCII.
_NEEDED = b"0123456789=@J' \t\n\v\f\r\x1c\x1d\x1e\x1f" + bytes(range(128, 256))
_UNNEEDED = bytes(set(range(256)) - set(_NEEDED) - set(b'"'))
UNNEEDED_JSON = bytes(set(range(256)) - set(_NEEDED) - set(b"\\"))  # there a quote within a text is escaped
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LOWER = bytes(range(256)).lower()
_SHORTEST_CARD = b"0" * 13
_SHORTEST = 13  # characters of a card; the others have one of these, or a word and whitespace and 12 more
_MARKS = frozenset("@='\"J")


def word(key: str) -> str:
    """A key as the redaction compares it: `X-Api-Key`, `apiKey` and `api_key` are one."""
    return _OTHER.sub("_", _CAMEL.sub("_", key).lower()).strip("_")


class Redaction:
    """Keys and patterns of one contract."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.words = frozenset(filter(None, map(word, keys)))
        self._tails = tuple("_" + name for name in self.words)
        self.plain = tuple(sorted(name.replace("_", "") for name in self.words))
        names = "|".join(sorted(re.escape(name).replace("_", "[-_ ]?") for name in self.words))
        # password=…, 'password': '…', "password":"…", the closing quote cut off or not; a bare `token: expired` is a sentence.
        self._pairs: re.Pattern[str] | None = (
            re.compile(
                rf"""(?i)((?:{names})(?:=|["']\s*[:=]\s*))("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s"',;&)}}\]]+)"""
            )
            if names
            else None
        )

    def key(self, key: str) -> bool:
        """Whether what stands under this key is secret: the key is one of the contract's or ends in one (`db_password`)."""
        found = word(key)
        return found in self.words or found.endswith(self._tails)

    def quiet(self, text: str) -> bool:
        """Whether no pattern can match. A quick look: of most texts it is sure, of the others it says no."""
        raw = text.encode("utf-8", "surrogatepass")
        marks = raw.translate(None, _UNNEEDED)
        return not marks or (len(marks) < 13 and marks.isdigit()) or self._quiet(raw, marks)

    def quiet_json(self, encoded: bytes) -> bool:
        """The same of all text in a JSON value, whose long numbers count as suspicious too."""
        marks = encoded.translate(None, UNNEEDED_JSON)
        return not marks or (len(marks) < 13 and marks.isdigit()) or self._quiet(encoded, marks)

    def _quiet(self, raw: bytes, marks: bytes) -> bool:
        if len(marks) >= 13 and _SHORTEST_CARD in raw.translate(_DIGITS, b" -"):
            return False
        if marks.isdigit():
            return True
        if not raw.isascii():
            return False
        text = raw.decode()
        if "eyJ" in text or (b"@" in marks and "://" in text):
            return False
        if "earer" in text or "asic" in text or "EARER" in text or "ASIC" in text:
            return False
        if b"=" in marks or b"'" in marks or b'"' in marks or b"\\" in marks:
            return not self._named(text)
        return True

    def text(self, text: str) -> str:
        """The text with what looks like a credential replaced."""
        if text.isidentifier() or (len(text) < _SHORTEST and _MARKS.isdisjoint(text)):  # one word holds none of them
            return text
        return text if self.quiet(text) else self.replaced(text)

    def _named(self, text: str) -> bool:
        """Whether one of the keys may be in a text."""
        plain = text.encode("utf-8", "surrogatepass").translate(_LOWER, b" -_").decode("utf-8", "surrogatepass")
        return not text.isascii() or any(name in plain for name in self.plain)

    def replaced(self, text: str) -> str:
        """The same by all patterns, one after the other."""
        if "eyJ" in text:
            text = _JWT.sub(MARK, text)
        if "://" in text and "@" in text:
            text = _URL.sub(rf"\1{MARK}", text)
        if self._pairs and ("=" in text or '"' in text or "'" in text) and self._named(text):
            text = self._pairs.sub(_pair, text)
        if "earer" in text or "asic" in text or "EARER" in text or "ASIC" in text:
            text = _BEARER.sub(rf"\1\2{MARK}", text)
        if len(text) >= 13 and not (text.isascii() and _SHORTEST_CARD not in text.encode().translate(_DIGITS, b" -")):
            text = _CARD.sub(_card, text)
        return text


def _pair(found: re.Match[str]) -> str:
    value = found[2]
    if MARK[:-1] in value:  # a bare value ends before the bracket
        return found[0]
    quote = value[0] if value[0] in "\"'" else ""
    return found[1] + quote + MARK + quote


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _card(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found[0])
    lengths = {"4": (13, 16, 19), "3": (15,)}.get(digits[0], (16,))
    return MARK if len(digits) in lengths and _luhn(digits) else found[0]
