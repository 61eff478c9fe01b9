"""A test kit for knowledge: a plain parser, a bag-of-words embedder, indexes held in memory, and a small library."""

import asyncio
import hashlib
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pilothouse.backends.engine import LedgerDatabase
from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.call import Call
from pilothouse.kernel.ids import PrincipalId, TenantId
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.principal import Grant, Principal
from pilothouse.steps.knowledge.api import Knowledge
from pilothouse.steps.knowledge.contracts import (
    AccessChange,
    AccessRule,
    Block,
    IngestReport,
    IngestRequest,
    NewSource,
    Parsed,
    Query,
    Retrieval,
)
from pilothouse.steps.knowledge.drivers.disk_lake import DiskLake
from pilothouse.steps.knowledge.drivers.files import FolderReader
from pilothouse.steps.knowledge.drivers.sketching import MinHashSketcher
from pilothouse.steps.knowledge.errors import Unreadable
from pilothouse.steps.knowledge.ports import Indexed, Scored, Span, Vectors
from pilothouse.testing.fakes import CountingMint, PlainKeys, call_as
from pilothouse.text.tokens import content_words

T = TypeVar("T")
DIMENSIONS = 32


class PlainParser:
    """Reads UTF-8 text with `#` headings; `Key: value` lines at the top declare version, date and predecessor."""

    def __init__(self) -> None:
        self.name = "plain/1"
        self.parsed = 0

    def parse(self, name: str, content: bytes) -> Parsed:
        self.parsed += 1
        if content.startswith(b"ENCRYPTED"):
            raise Unreadable(f"{name} is encrypted; save it without a password", reason="encrypted")
        try:
            parts = [p.strip() for p in content.decode().split("\n\n") if p.strip()]
        except UnicodeDecodeError as broken:
            raise Unreadable(f"{name} is not UTF-8; save it as UTF-8", reason="encoding") from broken
        declared = dict(line.split(": ", 1) for p in parts for line in p.splitlines()
                        if line.startswith(("Version: ", "Effective: ", "Supersedes: ")))
        blocks = tuple(_block(p) for p in parts if not p.startswith(("Version: ", "Effective: ", "Supersedes: ")))
        title = next((b.text for b in blocks if b.kind == "heading"), Path(name).stem)
        return Parsed(title=title, blocks=blocks, media_type="text/markdown",
                      effective_on=declared.get("Effective", ""), declared_version=declared.get("Version", ""),
                      supersedes=declared.get("Supersedes", ""))


def _block(part: str) -> Block:
    if part.startswith("#"):
        return Block(text=part.lstrip("# "), kind="heading", level=len(part) - len(part.lstrip("#")))
    return Block(text=part, kind="table" if part.startswith("|") else "paragraph")


class BagEmbedder:
    """Embeds by hashed content words: texts that share words are close."""

    name, dimensions = "bag/1", DIMENSIONS

    def embed(self, texts: Sequence[str]) -> Vectors:
        made = np.full((len(texts), DIMENSIONS), 1e-6, dtype=np.float32)
        for i, text in enumerate(texts):
            for word in content_words(text):
                made[i, hashlib.sha256(word.encode()).digest()[0] % DIMENSIONS] += 1
        return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


class MemoryIndex:
    """Scores every permitted row; what was not flushed is lost in a `crash`, as it would be on disk."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[Indexed, Any]] = {}
        self._flushed: dict[int, tuple[Indexed, Any]] = {}
        self._mark = ""
        self.added = 0
        self.asked: list[frozenset[int]] = []

    def add(self, passages: Sequence[Indexed], vectors: Vectors | None) -> None:
        self.added += len(passages)
        for i, p in enumerate(passages):
            self._rows[p.row] = (p, None if vectors is None else vectors[i])

    def retag(self, passages: Sequence[Indexed]) -> Sequence[Indexed]:
        held = {p.row: p for p in passages if p.row in self._rows}
        self._rows |= {row: (p, self._rows[row][1]) for row, p in held.items()}
        return [p for p in passages if p.row not in held]

    def remove(self, rows: Iterable[int]) -> None:
        for row in rows:
            self._rows.pop(row, None)

    def flush(self, mark: str) -> None:
        self._flushed, self._mark = dict(self._rows), mark

    @property
    def mark(self) -> str:
        return self._mark

    def search(self, text: str, vector: Vectors | None, *, access: frozenset[int], sources: frozenset[int] | None,
               limit: int, within: Sequence[Span] | None = None) -> Sequence[Scored]:
        self.asked.append(access)
        wanted = set(content_words(text))
        found = [Scored(row=row, score=_score(p, held, wanted, vector)) for row, (p, held) in self._flushed.items()
                 if p.access in access and (sources is None or p.source in sources)
                 and (within is None or any(first <= row <= last for first, last in within))]
        return sorted((s for s in found if s.score > 0), key=lambda s: (-s.score, s.row))[:limit]

    def purge(self) -> None:
        self._rows, self._flushed, self._mark = {}, {}, ""

    def crash(self) -> None:
        self._rows = dict(self._flushed)

    def __len__(self) -> int:
        return len(self._flushed)


def _score(p: Indexed, held: Any, wanted: set[str], vector: Vectors | None) -> float:
    if vector is not None and held is not None:
        return float(held @ vector.reshape(-1))
    return float(len(wanted & set(content_words(f"{p.title} {p.heading} {p.body}"))))


def reader_named(name: str, *, unit: str = "retail", groups: Iterable[str] = (), roles: Sequence[str] = ("employee",)
                 ) -> Call:
    """Return a call by somebody under the real role table."""
    return call_as(Principal(id=PrincipalId(name), tenant=TenantId("bank"), unit=unit, groups=frozenset(groups),
                             grants=tuple(Grant(role=r) for r in roles)), access=RoleRulings())


@dataclass
class Library:
    """Everything a test on knowledge needs; `run` drives one coroutine to its end."""

    folder: Path
    home: Path
    database: LedgerDatabase
    parser: PlainParser = field(default_factory=PlainParser)
    lexical: MemoryIndex = field(default_factory=MemoryIndex)
    dense: MemoryIndex = field(default_factory=MemoryIndex)
    keys: PlainKeys = field(default_factory=PlainKeys)
    mint: CountingMint = field(default_factory=CountingMint)

    def __post_init__(self) -> None:
        self.knowledge = self.opened()
        self.ada = reader_named("ada", roles=("engineer",))

    def opened(self, **replaced: Any) -> Knowledge:
        """Return a façade over the same files, as after a restart."""
        lake = DiskLake(self.home / "lake", seal=lambda c, d: self.keys.seal("organisation", c, d),
                        unseal=lambda c, d: self.keys.unseal("organisation", c, d))
        return Knowledge(**{"database": self.database, "mint": self.mint, "parser": self.parser, "lake": lake,
                            "reader": FolderReader(), "sketcher": MinHashSketcher(), "lexical": self.lexical,
                            "dense": self.dense, "embedder": BagEmbedder(), **replaced})

    @staticmethod
    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    def write(self, path: str, text: str | bytes) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        return target

    def define(self, *rules: AccessRule, name: str = "docs") -> None:
        """Define the folder as a source; without rules everybody reads it."""
        self.run(self.knowledge.define_source(self.ada, NewSource(
            name=name, location=str(self.folder), rules=rules or (AccessRule(readers=("everyone",)),))))

    def ingest(self, *, name: str = "docs", readers: tuple[str, ...] = ()) -> IngestReport:
        return self.run(self.knowledge.ingest(self.ada, IngestRequest(path=str(self.folder), source=name,
                                                                      readers=readers)))

    def allow(self, *rules: AccessRule, name: str = "docs") -> None:
        self.run(self.knowledge.set_access(self.ada, AccessChange(source=name, rules=rules)))

    def ask(self, text: str, who: Call | None = None, **fields: Any) -> Retrieval:
        return self.run(self.knowledge.search(who or self.ada, Query(text=text, **fields)))

    def paths(self, text: str, who: Call | None = None, **fields: Any) -> set[str]:
        return {p.path for p in self.ask(text, who, **fields).passages}

    def entries(self, *kinds: str) -> tuple[Entry, ...]:
        return tuple(self.database.read_now(lambda r: r.entries(kinds=kinds)))

    def count(self, table: str) -> int:
        return int(self.database.read_now(lambda r: r.rows(f"select count(*) as n from {table}"))[0]["n"] or 0)
