"""Verification from the files alone: every leaf hashed again and held against every signed checkpoint, no server."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilothouse.backends.checkpoints import CheckpointLog, signature_holds, verify_chain
from pilothouse.backends.engine import LedgerDatabase
from pilothouse.kernel.checkpoint import Checkpoint, parse_checkpoint, parse_note, parse_verifier_key, verify_note
from pilothouse.kernel.errors import Missing
from pilothouse.kernel.ledger import Tampered, entry
from pilothouse.kernel.merkle import Frontier, leaf_hash
from pilothouse.kernel.store import Reader
from pilothouse.steps.portfolio.contracts import SamplesAccepted

BATCH = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a verification found whole."""

    entries: int
    root: str
    checkpoints: int
    signed_entries: int
    """How many of the entries the latest checkpoint covers."""
    batches: int | None = None
    """How many batches of samples were hashed again; None when nobody asked for it."""


def verify(directory: Path, *, against: Path | None = None, database: LedgerDatabase | None = None,
           keys: Path | None = None, deep: bool = False,
           progress: Callable[[int], None] = lambda done: None) -> Verified:
    """Compute the whole ledger of a workspace, a backup or an export again; `database` and `keys` where elsewhere.

    Raises Tampered naming the first bad entry (`facts["seq"]`) or checkpoint. `against` is a checkpoint that was kept
    elsewhere; without one, whoever holds the signing key could have rewritten everything. `deep` also hashes every
    batch of samples again and holds it against its entry.
    """
    key_file = next((p for p in
                     (directory / "signing.pub", (keys or directory / "keys") / "signing.pub",
                      directory / "keys" / "signing.pub") if p.exists()), None)
    if key_file is None:
        raise Missing(f"{directory} holds no signing.pub; name a workspace, a backup or an export", home=str(directory))
    vkey = parse_verifier_key(key_file.read_text(encoding="utf8").strip())
    chain = verify_chain(CheckpointLog(directory / "checkpoints").notes(), vkey)
    wanted = {c.size: c for c in chain}
    if against is not None:
        note = parse_note(against.read_bytes())
        verify_note(note, vkey, signature_holds)
        kept = parse_checkpoint(note.text)
        _same(wanted.setdefault(kept.size, kept), kept.root)
    exported = directory / "manifest.json"
    if exported.exists():
        frontier = _walk_export(directory, json.loads(exported.read_text(encoding="utf8")), wanted, progress)
    elif database is not None:
        frontier = database.read_now(lambda r: _walk_rows(r, wanted, progress))
    else:
        frontier = _walk(directory / "pilothouse.db", wanted, progress)
    return Verified(entries=frontier.size, root=frontier.root().hex(), checkpoints=len(chain),
                    signed_entries=chain[-1].size if chain else 0,
                    batches=_hash_batches(directory / "pilothouse.db") if deep else None)


def _hash_batches(database: Path) -> int:
    """Hash every accepted batch again; raises Tampered where its entry, its row and its content differ."""
    count = 0
    with closing(_open(database)) as db:
        for seq, stored in db.execute("select seq, leaf from ledger where kind = ? order by seq",
                                      (SamplesAccepted.kind,)):
            body = entry(bytes(stored)).body
            found = db.execute("select b.digest, b.n, c.content from sample_batch b left join sample_blob c"
                               " on c.batch_id = b.id where b.id = ? and b.seq = ?", (body["batch_id"], seq)).fetchone()
            if found is None or found[2] is None:
                raise Tampered(f"the batch that entry {seq} accepted is missing", seq=seq)
            digest = hashlib.sha256(bytes(found[2])).hexdigest()
            if (digest, found[0], found[1]) != (body["digest"], body["digest"], body["n"]):
                raise Tampered(f"the batch that entry {seq} accepted was changed since", seq=seq)
            count += 1
        extra = db.execute("select count(*) from sample_batch").fetchone()[0] - count
    if extra:
        raise Tampered(f"{extra} batches of samples are in no entry")
    return count


def _walk(database: Path, wanted: dict[int, Checkpoint], progress: Callable[[int], None]) -> Frontier:
    """Hash every leaf in order and compare the root wherever a checkpoint was signed, and at the end."""
    with closing(_open(database)) as db:
        frontier = _fold(_leaves(db), wanted, progress)
        size, root = db.execute("select size, root from ledger_head where id = 1").fetchone()
    _same_head(frontier, size, bytes(root))
    return frontier


def _walk_rows(reader: Reader, wanted: dict[int, Checkpoint], progress: Callable[[int], None]) -> Frontier:
    """Do the same through a database elsewhere, on one snapshot, a page at a time."""
    def leaves() -> Iterator[tuple[int, bytes]]:
        last = -1
        while page := reader.rows("select seq, leaf from ledger where seq > ? order by seq limit ?", last, BATCH):
            for r in page:
                yield int(r["seq"] or 0), bytes(r["leaf"] or b"")  # type: ignore[arg-type]
            last = int(page[-1]["seq"] or 0)

    frontier = _fold(leaves(), wanted, progress)
    head = reader.rows("select size, root from ledger_head where id = 1")[0]
    _same_head(frontier, int(head["size"] or 0), bytes(head["root"] or b""))  # type: ignore[arg-type]
    return frontier


def _walk_export(directory: Path, manifest: dict[str, Any], wanted: dict[int, Checkpoint],
                 progress: Callable[[int], None]) -> Frontier:
    """Do the same with an export's lines, and hold every file of it against the manifest."""
    with open(directory / "ledger.jsonl", "rb") as lines:
        frontier = _fold(((n, line.removesuffix(b"\n")) for n, line in enumerate(lines)), wanted, progress)
    _same_head(frontier, int(manifest["entries"]), bytes.fromhex(manifest["root"]))
    for name, digest in manifest["sha256"].items():
        if name.startswith(("/", "..")) or not (directory / name).is_file():
            raise Tampered(f"{name} is missing from the export", file=name)
        with open(directory / name, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise Tampered(f"{name} is not what was exported", file=name)
    return frontier


def _fold(leaves: Iterator[tuple[int, bytes]], wanted: dict[int, Checkpoint], progress: Callable[[int], None]
          ) -> Frontier:
    frontier = Frontier()
    last = max(wanted, default=0)
    for seq, leaf in leaves:
        _check_entry(seq, leaf, frontier.size)
        frontier = frontier.append(leaf_hash(leaf))
        if (signed := wanted.get(frontier.size)) is not None:
            _same(signed, frontier.root())
        if frontier.size % BATCH == 0:
            progress(frontier.size)
    if frontier.size < last:
        raise Tampered(f"the ledger was cut: a checkpoint was signed over {last} entries, and {frontier.size} are left",
                       seq=frontier.size)
    return frontier


def _same_head(frontier: Frontier, size: int, root: bytes) -> None:
    if (size, root) != (frontier.size, frontier.root()):
        raise Tampered("the ledger's head does not match its entries", seq=frontier.size)


def _leaves(db: sqlite3.Connection) -> Iterator[tuple[int, bytes]]:
    for seq, leaf in db.execute("select seq, leaf from ledger order by seq"):
        yield int(seq), bytes(leaf)


def _check_entry(seq: int, leaf: bytes, expected: int) -> None:
    if seq != expected:
        raise Tampered(f"entry {expected} is missing", seq=expected)
    if entry(leaf).seq != seq:
        raise Tampered(f"entry {seq} says it is another one", seq=seq)


def _same(signed: Checkpoint, root: bytes) -> None:
    if signed.root != root:
        raise Tampered(f"the first {signed.size} entries are not those that were signed: an entry before {signed.size} "
                       "was changed", seq=signed.size - 1)


def _open(database: Path) -> sqlite3.Connection:
    if not database.exists():
        raise Missing(f"{database} is not there; name a workspace, a backup or an export", file=database.name)
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
