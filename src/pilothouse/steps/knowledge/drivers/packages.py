"""Zipped office packages: what one claims to hold is checked before anything of it is unpacked."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from pilothouse.steps.knowledge.errors import Unreadable

UNPACKED_BYTES_MAX = 200 * 1024 * 1024
RATIO_MAX = 200
MEMBERS_MAX = 5_000
_PEEKED = 2_048
_DECLARED = tuple("<!DOCTYPE".encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be"))


def check(name: str, kind: str, content: bytes) -> None:
    """Raise Unreadable for bombs, protected packages, macros and parts that declare entities."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            _check_members(name, kind, members, len(content))
            for member in members:
                if member.filename.endswith((".xml", ".rels")) and _declares(archive, member):
                    raise Unreadable(f"{name} declares entities, which no office program writes; save it again",
                                     reason="malformed")
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError, RuntimeError
            ) as broken:
        raise Unreadable(f"{name} is damaged; save it again as .{kind}", reason="malformed") from broken


def _check_members(name: str, kind: str, members: list[zipfile.ZipInfo], size: int) -> None:
    if any(m.flag_bits & 1 for m in members):
        raise Unreadable(f"{name} is protected by a password; save it without one", reason="encrypted")
    unpacked = sum(m.file_size for m in members)
    if len(members) > MEMBERS_MAX or unpacked > UNPACKED_BYTES_MAX or unpacked > RATIO_MAX * max(size, 10_000):
        raise Unreadable(f"{name} would unpack to {unpacked} bytes in {len(members)} parts; at most"
                         f" {UNPACKED_BYTES_MAX >> 20} MB, {RATIO_MAX} times its size and {MEMBERS_MAX} parts are"
                         " read", reason="zip-bomb")
    if any(m.filename.lower().endswith("vbaproject.bin") for m in members):
        raise Unreadable(f"{name} carries macros; save it without them as .{kind}", reason="macros")


def _declares(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as part:
        head = part.read(_PEEKED)
    return any(mark in head for mark in _DECLARED)


@contextmanager
def reading(name: str, kind: str, *also: type[Exception]) -> Iterator[None]:
    """Turn what libraries raise on a broken package (`also`: kinds of their own) into one refusal."""
    from lxml import etree

    try:
        yield
    except (KeyError, ValueError, etree.XMLSyntaxError, zipfile.BadZipFile, AttributeError, IndexError, OSError,
            NotImplementedError, EOFError, zlib.error, struct.error, TypeError, SyntaxError, OverflowError,
            *also) as broken:
        raise Unreadable(f"{name} is not a readable .{kind}; save it again from its program", reason="malformed"
                         ) from broken
