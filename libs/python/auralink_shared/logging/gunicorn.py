"""gunicorn's own lines as lines of the standard: `logger_class = "auralink_shared.logging.gunicorn.Logger"`, after `setup`.

Both stand in gunicorn.conf.py, which gunicorn reads before it logs anything. Without `setup` its lines stay as they are.
"""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.glogging import Logger as _Logger

from .stdlib import ObsHandler, to_terminal


class Logger(_Logger):
    """gunicorn's logger, with our handler where it would write to a terminal or a pipe; its files stay.

    The handler is the loggers' own, not the root's: uvicorn's worker takes gunicorn's handlers over.
    """

    def setup(self, cfg: Any) -> None:
        """As gunicorn does at its start and at each reload."""
        super().setup(cfg)
        ours = [handler for handler in logging.getLogger().handlers if isinstance(handler, ObsHandler)]
        for log in (self.error_log, self.access_log):
            if ours and any(map(to_terminal, log.handlers)):
                log.handlers[:] = [*(handler for handler in log.handlers if not to_terminal(handler)), *ours]
