"""Work that is done again and again beside the rest of a process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_LOG = logging.getLogger(__name__)


class Repeated:
    """Calls `work` every `seconds` in a daemon thread until `stop`; what it raises is logged and ends nothing."""

    def __init__(self, work: Callable[[], object], seconds: float, name: str) -> None:
        self.work, self.seconds = work, seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(self.seconds):
            try:
                self.work()
            except Exception as error:
                _LOG.warning("%s: %s", self._thread.name, error)

    def stop(self) -> None:
        """Returns once it has ended: after the call that is under way."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join()


class WhileNeeded:
    """Calls `work` every `seconds` for as long as `needed` says so, in a daemon thread that lives no longer than that.

    `wake` after whatever may have made it needed. A forked child has no such thread until it wakes one itself.
    """

    def __init__(self, work: Callable[[], object], needed: Callable[[], bool], seconds: float, name: str) -> None:
        self.work, self.needed, self.seconds, self.name = work, needed, seconds, name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def wake(self) -> None:
        """Sees to it that the thread runs, if it is needed."""
        with self._lock:
            if self.needed() and not (self._thread and self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(self.seconds):
            try:
                self.work()
            except Exception as error:
                _LOG.warning("%s: %s", self.name, error)
            with self._lock:  # whoever wakes after this look starts another thread
                if not self.needed():
                    self._thread = None
                    return

    def stop(self) -> None:
        """Ends it for good, after the call that is under way."""
        self._stopped.set()
        thread = self._thread
        if thread and thread is not threading.current_thread():
            thread.join()
