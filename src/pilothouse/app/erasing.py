"""What erasure needs of the whole: sealed texts and accounts gone, files overwritten, raw bytes searched."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from pilothouse.backends.engine import LedgerDatabase
from pilothouse.directory import store as people
from pilothouse.directory.contracts import Person
from pilothouse.directory.ports import Plan, Scanned
from pilothouse.kernel.store import Reader, Row, Scalar, Transaction

BLOCK = 4 << 20
"""Bytes read at a time; a needle that spans two blocks is found, for they overlap by the longest needle."""


class WholeFiles:
    """The workspace's directory and database: what erasure overwrites and searches."""

    def __init__(self, database: LedgerDatabase, folders: Sequence[Path], *, tables: bool) -> None:
        """`tables` says that the database lies elsewhere: then its rows are searched instead of its files."""
        self._database, self._folders, self._tables = database, tuple(folders), tables

    async def scrub(self) -> None:
        await self._database.scrub()

    async def scan(self, needles: Sequence[str]) -> Scanned:
        found = await asyncio.to_thread(scan, self._folders, needles)
        if not self._tables:
            return found
        rows = await self._database.read(lambda r: _scan_tables(r, needles))
        return Scanned(files=found.files, bytes=found.bytes, found_in=(*found.found_in, *rows))


def scan(folders: Sequence[Path], needles: Sequence[str]) -> Scanned:
    """Search every byte of every file for needles in UTF-8 and UTF-16, ignoring the case of ASCII letters."""
    spelled = [n.encode(form) for n in needles for form in ("utf-8", "utf-16-le", "utf-16-be")]
    pattern = re.compile(b"|".join(re.escape(s) for s in spelled), re.IGNORECASE) if spelled else None
    overlap = max(map(len, spelled), default=0)
    files = bytes_read = 0
    found: list[str] = []
    for folder in dict.fromkeys(folders):
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
            files, bytes_read = files + 1, bytes_read + path.stat().st_size
            if pattern and any(pattern.search(block) for block in _blocks(path, overlap)):
                found.append(str(path.relative_to(folder)))
    return Scanned(files=files, bytes=bytes_read, found_in=tuple(found))


def _blocks(path: Path, overlap: int) -> Iterator[bytes]:
    with open(path, "rb") as file:
        kept = b""
        while block := file.read(BLOCK):
            yield kept + block
            kept = block[-overlap:] if overlap else b""


_TABLES = ("person", "use_case", "document", "source", "finding", "quarantine", "job", "review", "squad")
"""Tables with words in clear; texts lie sealed, and the ledger is read a page at a time."""
PAGE = 10_000


def _scan_tables(reader: Reader, needles: Sequence[str]) -> tuple[str, ...]:
    lowered = [n.lower() for n in needles]
    found = [f"table {name}" for name in _TABLES
             if _holds(reader.rows(f"select * from {name}"), lowered)]  # noqa: S608
    pages = (reader.rows("select leaf from ledger where seq >= ? and seq < ?", at, at + PAGE)
             for at in range(0, reader.size(), PAGE))
    return (*found, *(["table ledger"] if any(_holds(page, lowered) for page in pages) else []))


def _holds(rows: Sequence[Row], lowered: Sequence[str]) -> bool:
    return any(needle in text for text in map(_text, rows) for needle in lowered)


def _text(row: Row) -> str:
    return "\n".join(_word(v) for v in row.values()).lower()


def _word(value: Scalar) -> str:
    return value.decode("utf8", "replace") if isinstance(value, bytes) else str(value)


class SealedTexts:
    """Every sealed text of a subject, wherever it belongs: questions, answers, comments, corrections, reasons."""

    def __init__(self, database: LedgerDatabase) -> None:
        self._database = database

    async def plan(self, subject: str, person: Person | None) -> Sequence[Plan]:
        """Count the subject's sealed texts."""
        rows = await self._database.read(
            lambda r: r.rows("select count(*) as n from content where subject = ?", subject))
        return (Plan(store="sealed texts", unit="texts deleted", count=int(rows[0]["n"] or 0),
                     apply=lambda tx: tx.run("delete from content where subject = ?", subject)),)


class Account:
    """A person's account, and what courses and quizzes know of them."""

    def __init__(self, database: LedgerDatabase, forget_cached: Callable[[], Awaitable[None]]) -> None:
        self._database, self._forget_cached = database, forget_cached

    async def plan(self, subject: str, person: Person | None) -> Sequence[Plan]:
        """Count the rows that describe the person."""
        rows = await self._database.read(lambda r: r.rows(
            "select (select count(*) from quiz_attempt where person = ?) + (select count(*) from credential"
            " where person = ?) as n", subject, subject))
        return (Plan(store="directory", unit="accounts emptied and closed", count=int(person is not None),
                     apply=lambda tx: people.erase(tx, subject)),
                Plan(store="people", unit="quiz attempts and credentials deleted", count=int(rows[0]["n"] or 0),
                     apply=lambda tx: _forget_learning(tx, subject), settle=lambda call: self._forget_cached()))


def _forget_learning(tx: Transaction, subject: str) -> int:
    return (tx.run("delete from quiz_attempt where person = ?", subject)
            + tx.run("delete from credential where person = ?", subject))
