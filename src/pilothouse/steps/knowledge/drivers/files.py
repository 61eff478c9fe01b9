"""A folder as a source: its files in order, and nothing outside it."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from pilothouse.steps.knowledge.errors import PlaceForbidden, Unreadable
from pilothouse.steps.knowledge.ports import Found

FILE_BYTES_MAX = 50 * 1024 * 1024
DEPTH_MAX = 40

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # opening a pipe must not wait for its other end


class FolderReader:
    """Walks a folder: hidden files are left alone, links and devices are reported and never followed.

    Every folder on the way is opened below the one before, so that a folder swapped for a link in the middle of a walk
    leads nowhere. `roots` limit what may be read at all (anything by default); `forbidden` never may.
    """

    def __init__(self, *, roots: Sequence[Path] = (), forbidden: Sequence[Path] = ()) -> None:
        self._roots = tuple(r.resolve() for r in roots)
        self._forbidden = tuple(f.resolve() for f in forbidden)

    def place(self, location: str) -> str:
        """Return the absolute path, links resolved; raises PlaceForbidden, or Unreadable when nothing is there."""
        found = Path(location).expanduser().resolve()
        if self._roots and not any(found.is_relative_to(root) for root in self._roots):
            raise PlaceForbidden(f"{location} is not under a folder that this server may read; move the documents, or"
                                 " let an administrator allow the folder", rule="document-folders")
        if any(found.is_relative_to(f) or f.is_relative_to(found) for f in self._forbidden):
            raise PlaceForbidden(f"{location} holds the workspace itself; keep documents in a folder of their own",
                                 rule="not-the-workspace")
        if not found.exists():
            raise Unreadable(f"{location} is not a folder or file on this machine; check the path",
                             reason="no-such-place", field="path")
        return str(found)

    def files(self, location: str) -> Iterator[Found]:
        """Yield files in the order of their paths; raises Unreadable when the place itself is not there."""
        root = Path(self.place(location))
        for path, problem in _paths(root):
            yield Found(path=_name(path), size_bytes=0, content=b"", problem=problem) if problem else _read(root, path)

    def count(self, location: str) -> int:
        return sum(1 for _ in _paths(Path(self.place(location))))


def _paths(root: Path) -> Iterator[tuple[str, str]]:
    """Yield (path below the root, what keeps it out or nothing); a root that is a file yields itself."""
    if root.is_file():
        yield root.name, ""
        return
    yield from _walk(os.open(root, os.O_RDONLY | os.O_DIRECTORY), "", 0)


def _walk(folder: int, above: str, depth: int) -> Iterator[tuple[str, str]]:
    """Walk below an open folder, which is closed at the end."""
    try:
        with os.scandir(folder) as entries:
            here = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries if not e.name.startswith("."))
        for name, is_folder in here:
            path = f"{above}{name}"
            if not _is_text(name):
                yield path, "bad-name"
            elif is_folder:
                yield from _below(folder, name, path, depth + 1)
            else:
                yield path, ""
    finally:
        os.close(folder)


def _below(folder: int, name: str, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > DEPTH_MAX:
        yield path, "too-deep"
        return
    try:
        inner = os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        return
    except OSError:
        yield path, "unreadable-folder"
        return
    yield from _walk(inner, f"{path}/", depth)


def _read(root: Path, path: str) -> Found:
    """Read one file; a link, a device or too large a file comes back with the reason instead of its bytes."""
    try:
        descriptor = _open(root, path)
    except OSError:
        linked = (root if root.is_file() else root / path).is_symlink()
        return Found(path=path, size_bytes=0, content=b"", problem="link" if linked else "unreadable")
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            return Found(path=path, size_bytes=0, content=b"", problem="not-a-file")
        content = b"" if about.st_size > FILE_BYTES_MAX else file.read(FILE_BYTES_MAX + 1)
    if max(about.st_size, len(content)) > FILE_BYTES_MAX:
        return Found(path=path, size_bytes=about.st_size, content=b"", problem="too-large")
    return Found(path=path, size_bytes=len(content), content=content)


def _open(root: Path, path: str) -> int:
    """Open a file folder by folder, following no link on the way."""
    if root.is_file():
        return os.open(root, _FILE)
    *folders, name = path.split("/")
    held = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER, dir_fd=held)
            os.close(held)
            held = inner
        return os.open(name, _FILE, dir_fd=held)
    finally:
        os.close(held)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name(path: str) -> str:
    """Return a path that can be written down even where its bytes are no text."""
    return path.encode("utf8", "backslashreplace").decode()
