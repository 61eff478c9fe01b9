"""Signed checkpoints kept outside the database: a log that only grows, so that cutting the ledger shows.

`log` holds one note after another, each followed by a blank line; `latest` is the last one alone, to copy elsewhere.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pilothouse.kernel.checkpoint import (
    Checkpoint,
    Note,
    NoteMalformed,
    SignatureInvalid,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    verify_note,
)
from pilothouse.kernel.errors import Unavailable
from pilothouse.kernel.ledger import Tampered


class CheckpointLog:
    """The checkpoints of one directory; one writer at a time, any number of readers.

    A record that a crash left unfinished at the end was never acknowledged: it is not read, and the next append
    replaces it.
    """

    def __init__(self, directory: Path) -> None:
        self._log = directory / "log"
        self._latest = directory / "latest"
        self._end: int | None = None

    def append(self, note: Note) -> None:
        """Make a checkpoint durable; raises NoteMalformed if it is none, Unavailable if it cannot be written."""
        parse_checkpoint(parse_note(str(note).encode()).text)
        try:
            self._write(f"{note}\n".encode())
        except OSError as problem:
            raise Unavailable(f"cannot write the checkpoint log: {problem.strerror}; free space or fix the permissions "
                              f"of {self._log.parent}, then try again", file="log") from problem
        replace_file(self._latest, str(note).encode())

    def notes(self) -> tuple[Note, ...]:
        """Return all checkpoints in order; raises Tampered at a damaged one, or if `latest` is not among them."""
        latest = self.latest()
        notes, _ = _whole(_read(self._log))
        if latest and latest not in notes:
            raise Tampered("the checkpoint log does not hold the latest checkpoint: its end was cut off or replaced; "
                           "compare it with a copy kept elsewhere", file="log")
        return notes

    def latest(self) -> Note | None:
        """Return the last checkpoint that was published, or None before the first; raises Tampered if it is damaged."""
        raw = _read(self._latest)
        try:
            return parse_note(raw) if raw else None
        except NoteMalformed as problem:
            raise Tampered(f"the latest checkpoint is damaged ({problem.message}); its copy stands at the end of log",
                           file="latest") from problem

    def torn_bytes(self) -> int:
        """Return how many bytes of an unfinished record stand at the end of the log."""
        raw = _read(self._log)
        return len(raw) - _whole(raw)[1]

    def _write(self, record: bytes) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self._log.exists()
        end = _whole(_read(self._log))[1] if self._end is None else self._end
        with open(self._log, "ab") as file:
            file.truncate(end)
            file.write(record)
            file.flush()
            os.fsync(file.fileno())
        self._end = end + len(record)
        if is_new:
            sync_directory(self._log.parent)


def verify_chain(notes: Sequence[Note], vkey: VerifierKey) -> tuple[Checkpoint, ...]:
    """Return the checkpoints if the key signed each and the log never shrank or changed its root at one size.

    Raises Tampered with the first bad one's place in `facts["checkpoint"]`. That each tree extends the one before is
    for consistency proofs, or a new computation from the entries, to show.
    """
    chain: list[Checkpoint] = []
    for place, note in enumerate(notes):
        try:
            verify_note(note, vkey, signature_holds)
            chain.append(parse_checkpoint(note.text))
        except (NoteMalformed, SignatureInvalid) as problem:
            raise Tampered(f"checkpoint {place} is not genuine: {problem.message}", checkpoint=place) from problem
        if place and (wrong := _break(chain[place - 1], chain[place])):
            raise Tampered(f"checkpoint {place} contradicts the one before: {wrong}; the ledger was cut or rewritten, "
                           "compare it with a copy kept elsewhere", checkpoint=place)
    return tuple(chain)


def signature_holds(public: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether an Ed25519 signature is this key's on this message: the check that `verify_note` takes."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def replace_file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace a file so that after any crash it is wholly the old or wholly the new one; raises Unavailable.

    The new content lies in `<name>.new` until it is durable; a crash may leave that file behind.
    """
    new = path.with_name(path.name + ".new")
    try:
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
        sync_directory(path.parent)
    except OSError as problem:
        raise Unavailable(f"cannot write {path.name}: {problem.strerror}; free space or fix the permissions of its "
                          "directory, then try again", file=path.name) from problem


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable; elsewhere than on POSIX the system does so itself."""
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _break(before: Checkpoint, after: Checkpoint) -> str:
    if after.origin != before.origin:
        return f"its origin is {after.origin!r}, not {before.origin!r}"
    if after.size < before.size:
        return f"its size {after.size} is below {before.size}"
    if after.size == before.size and after.root != before.root:
        return f"another root at the same size {after.size}"
    return ""


def _whole(raw: bytes) -> tuple[tuple[Note, ...], int]:
    """Return the notes of the whole records and where those end; what follows was torn by a crash."""
    records, notes, end = tuple(_records(raw)), [], 0
    for place, record in enumerate(records):
        try:
            notes.append(parse_note(record[:-1]))
        except NoteMalformed as problem:
            if place == len(records) - 1:
                break  # blocks of one write may reach the disk in any order, so a torn record can have its right end
            raise Tampered(f"record {place} of the checkpoint log is damaged: {problem.message}",
                           checkpoint=place) from problem
        end += len(record)
    return tuple(notes), end


def _records(raw: bytes) -> Iterator[bytes]:
    """Yield each complete record: the text up to its blank line, the signatures up to theirs."""
    start = 0
    while (gap := raw.find(b"\n\n", start)) >= 0 and (close := raw.find(b"\n\n", gap + 2)) >= 0:
        yield raw[start:close + 2]
        start = close + 2


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as problem:
        raise Unavailable(f"cannot read {path}: {problem.strerror}; run as the account that owns it",
                          file=path.name) from problem
