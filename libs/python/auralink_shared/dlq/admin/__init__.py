"""The admin API of dead letters and its page, over `DeadLetters` and `Jobs` (the extra `admin`). Contract: docs/dead-letters.md."""

from .app import create_app
from .auth import Principal, Tokens, TokensError
from .settings import SettingsError, create_from_env

__all__ = ["Principal", "SettingsError", "Tokens", "TokensError", "create_app", "create_from_env"]
