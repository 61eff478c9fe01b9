"""Folding: once a second the write-ahead log is copied into the database file, beside the writer, not in a commit.

SQLite by itself lets the commit that fills the log copy all of it, with two syncs, while everybody waits.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import closing

from pilothouse.backends.dialect import Connection
from pilothouse.kernel.errors import PilothouseError

INTERVAL_S = 1.0

_log = logging.getLogger("pilothouse.sqlite")


class LogFolder:
    """A thread with a connection of its own; `alone` is held while it folds, since SQLite refuses two at a time."""

    def __init__(self, open_connection: Callable[[], Connection], *, interval_s: float = INTERVAL_S) -> None:
        self._open = open_connection
        self._interval_s = interval_s
        self._changed = threading.Event()
        self._closing = threading.Event()
        self.alone = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="pilothouse-folding", daemon=True)
        self._thread.start()

    def committed(self, size: int, kinds: frozenset[str]) -> None:
        """Remember that there is something to fold; the database's `on_commit` calls this."""
        self._changed.set()

    def close(self) -> None:
        """Stop; what is left in the log is folded by whoever closes the file last."""
        self._closing.set()
        self._changed.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._closing.wait(self._interval_s):
            self._changed.wait()
            self._changed.clear()
            if not self._closing.is_set():
                self._fold()

    def _fold(self) -> None:
        """Copy what no reader needs from the log; passive, so that nobody ever waits for it."""
        try:
            with self.alone, closing(self._open()) as connection:
                connection.select("pragma wal_checkpoint(passive)", ())
        except PilothouseError as problem:
            _log.warning("the write-ahead log could not be folded, trying again: %s", problem.code)
