"""The lake on disk: originals by hash, each file encrypted before it is written and durable before it is known."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pilothouse.steps.knowledge.errors import LakeUnavailable

Seal = Callable[[bytes, bytes], bytes]
"""`seal(content, digest)` encrypts; the digest is bound to it."""
Unseal = Callable[[bytes, bytes], bytes | None]


class DiskLake:
    """Files under two levels of hash prefix; a crash leaves either the whole file or none."""

    def __init__(self, directory: Path, *, seal: Seal, unseal: Unseal) -> None:
        self._directory, self._seal, self._unseal = directory, seal, unseal

    def put(self, digest: str, content: bytes) -> None:
        path = self._path(digest)
        if path.exists():
            return
        new = path.with_name(f"{digest}.{secrets.token_hex(4)}.new")  # two threads may put the same bytes at once
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(new, self._seal(content, digest.encode()))
            os.replace(new, path)
            _sync_folder(path.parent)
        except OSError as broken:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise LakeUnavailable(f"the lake cannot be written ({broken.strerror}); nothing was lost: free some space"
                                  " or check the disk, and ingest again", errno=broken.errno or 0) from broken

    def get(self, digest: str) -> bytes | None:
        path = self._path(digest)
        return self._unseal(path.read_bytes(), digest.encode()) if path.exists() else None

    def delete(self, digest: str) -> None:
        self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._directory / digest[:2] / digest[2:4] / digest


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename durable: it lives in the folder, not in the file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
