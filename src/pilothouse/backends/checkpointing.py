"""Checkpointing: at most once a second, and at the end, the ledger's head is signed and kept outside the database."""

import logging
import threading
from typing import Protocol

from pilothouse.backends.checkpoints import CheckpointLog
from pilothouse.backends.engine import LedgerDatabase, head_of
from pilothouse.kernel.checkpoint import Checkpoint, VerifierKey, parse_checkpoint, sign_note
from pilothouse.kernel.errors import PilothouseError

INTERVAL_S = 1.0

_log = logging.getLogger("pilothouse.checkpoints")


class Signer(Protocol):
    """Signs notes; the key ring does."""

    @property
    def vkey(self) -> VerifierKey: ...

    def sign(self, text: bytes) -> bytes: ...


class Checkpointer:
    """Signs in a thread of its own; close it after the last write and before the database."""

    def __init__(self, database: LedgerDatabase, log: CheckpointLog, signer: Signer, *,
                 interval_s: float = INTERVAL_S) -> None:
        self._database = database
        self._log = log
        self._signer = signer
        self._interval_s = interval_s
        self._signed = signed_size(log)
        self._changed = threading.Event()
        self._closing = threading.Event()
        # What a crash left unsigned is signed at the start.
        self._changed.set()
        database.on_commit(lambda size, kinds: self._changed.set())
        self._thread = threading.Thread(target=self._serve, name="pilothouse-checkpoints", daemon=True)
        self._thread.start()

    def sign(self) -> int:
        """Sign the head now if it moved; returns the size that is signed."""
        head = self._database.read_now(head_of)
        if head.size > self._signed:
            text = str(Checkpoint(origin=self._signer.vkey.name, size=head.size, root=head.root))
            self._log.append(sign_note(text, self._signer.vkey, self._signer.sign))
            self._signed = head.size
        return self._signed

    def close(self) -> None:
        """Sign what is left and stop; raises what the last signing did."""
        self._closing.set()
        self._changed.set()
        self._thread.join()
        self.sign()

    def _serve(self) -> None:
        while not self._closing.is_set():
            self._changed.wait()
            self._changed.clear()
            try:
                self.sign()
            except PilothouseError as problem:
                _log.warning("the ledger's head could not be signed, trying again: %s", problem.code)
                self._changed.set()
            self._closing.wait(self._interval_s)


def signed_size(log: CheckpointLog) -> int:
    """Return the size of the last checkpoint, 0 before the first."""
    note = log.latest()
    return parse_checkpoint(note.text).size if note else 0
