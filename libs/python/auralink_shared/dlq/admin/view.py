"""A letter as JSON, whole or as a viewer may see it: without what the contract's `redact` names."""

from __future__ import annotations

import json
from typing import Any

from ... import contract
from ...logging.redaction import MARK, Redaction
from ..letter import Filter, Letter
from .auth import Principal

WHOLE = "operator"  # the least role that sees letters as they are


class View:
    """What people see of letters under one contract."""

    def __init__(self, redaction: Redaction | None = None) -> None:
        self.redaction = redaction or Redaction(contract.load_or_default()[0]["logging"]["redact"])

    def letter(self, letter: Letter, who: Principal) -> dict[str, Any]:
        """As docs/dead-letters.md has it; for a viewer without secrets, and without `sha1`: a short one could be guessed by it."""
        found = letter.as_json()
        if who.may(WHOLE):
            return found
        found = {name: self.clean(value) for name, value in found.items() if name != "sha1"}
        # of what is no JSON nothing has a name, so all of it is secret
        return found | ({"payload_base64": MARK} if "payload_base64" in found else {})

    def as_text(self, letter: Letter, who: Principal) -> str:
        """The same as JSON text. Whole, the payload stands in it byte for byte: a parser would change 1.50 into 1.5."""
        found = self.letter(letter, who)
        if who.may(WHOLE) and "payload" in found and letter.payload is not None:
            del found["payload"]
            return f'{json.dumps(found)[:-1]}, "payload": {letter.payload.decode()}}}'
        return json.dumps(found, allow_nan=False)

    def text(self, text: str, who: Principal) -> str:
        """A sentence that somebody may have pasted a secret into."""
        return text if who.may(WHOLE) else self.redaction.text(text)

    def only(self, only: Filter, who: Principal) -> Filter:
        """The filter such that a viewer finds nothing by what is hidden from them: a secret can be asked for letter by letter."""
        if who.may(WHOLE) or not (only.text or only.error):
            return only

        def match(letter: Letter) -> bool:
            seen = self.letter(letter, who)
            said = f"{seen.get('error', '')}\n{seen.get('error_type', '')}".casefold()
            return (
                only.error.casefold() in said
                and only.text.casefold() in json.dumps(seen, ensure_ascii=False).casefold()
            )

        return Filter(**{**only.__dict__, "error": "", "text": "", "match": match})

    def clean(self, value: Any) -> Any:
        """Any JSON value, redacted as in a line of the log."""
        if isinstance(value, dict):
            return {key: MARK if self.redaction.key(key) else self.clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.clean(item) for item in value]
        return self.redaction.text(value) if isinstance(value, str) else value
