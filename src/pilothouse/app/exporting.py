"""Export: an offline bundle an auditor can verify and read without us: entries, checkpoints, tables, no secrets."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pilothouse.app.workspace import Workspace
from pilothouse.backends.engine import LedgerDatabase
from pilothouse.kernel.errors import Conflict
from pilothouse.kernel.store import Migration, Reader, Row, Scalar

PAGE = 5_000
SECRET_TABLES = frozenset({"api_key", "session", "sign_in_failure", "content"})
SECRET_COLUMNS = frozenset({"password"})
_CREATES = re.compile(r"create table (?:if not exists )?(\w+)")
Say = Callable[[str, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export holds: how many entries, tables and opened texts."""

    entries: int
    tables: int
    texts: int


def export(workspace: Workspace, database: LedgerDatabase, target: Path, migrations: Iterable[Migration], *,
           with_content: bool, say: Say = lambda what, done: None) -> Exported:
    """Write one consistent state into a new directory, page by page; `say` is told of each thousand rows.

    Checkpoints are copied before the snapshot is taken, so that none of them promises more than the export holds.
    """
    workspace.require()
    if target.exists() and any(target.iterdir()):
        raise Conflict(f"{target} is not empty; name a new directory", target=str(target))
    (target / "tables").mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copytree(workspace.checkpoints, target / "checkpoints", dirs_exist_ok=True)
    shutil.copy2(workspace.keys / "signing.pub", target / "signing.pub")
    return database.read_now(lambda r: _write_all(r, target, tables_of(migrations), with_content=with_content, say=say))


def tables_of(migrations: Iterable[Migration]) -> tuple[str, ...]:
    """Return every table that some migration makes and that holds no secret, by name."""
    made = {m.group(1) for migration in migrations for s in migration.statements if (m := _CREATES.match(s))}
    return tuple(sorted(made - SECRET_TABLES))


def _write_all(reader: Reader, target: Path, tables: tuple[str, ...], *, with_content: bool, say: Say) -> Exported:
    size = reader.size()
    hashes = {"ledger.jsonl": _write(target / "ledger.jsonl", _leaves(reader, size), lambda n: say("entries", n))[1]}
    for name in tables:
        rows = (_line(r) for r in reader.rows(f"select * from {name} order by 1, 2"))  # noqa: S608
        hashes[f"tables/{name}.jsonl"] = _write(target / "tables" / f"{name}.jsonl", rows, lambda n: say("rows", n))[1]
    texts = 0
    if with_content:
        texts, hashes["content.jsonl"] = _write(target / "content.jsonl", _texts(reader), lambda n: say("texts", n))
    root = _bytes(reader.rows("select root from ledger_head where id = 1")[0]["root"]).hex()
    manifest = {"format": 1, "entries": size, "root": root, "content": with_content, "sha256": hashes}
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf8")
    return Exported(entries=size, tables=len(tables), texts=texts)


def _write(path: Path, lines: Iterable[bytes], say: Callable[[int], None]) -> tuple[int, str]:
    """Write lines to a file; returns how many, and the file's SHA-256 (hex)."""
    digest, count = hashlib.sha256(), 0
    with open(path, "wb") as file:
        for line in lines:
            file.write(line + b"\n")
            digest.update(line + b"\n")
            count += 1
            if count % 1000 == 0:
                say(count)
    return count, digest.hexdigest()


def _leaves(reader: Reader, size: int) -> Iterator[bytes]:
    for start in range(0, size, PAGE):
        for r in reader.rows("select leaf from ledger where seq >= ? and seq < ? order by seq", start, start + PAGE):
            yield _bytes(r["leaf"])


def _texts(reader: Reader) -> Iterator[bytes]:
    """Yield every text whose key still stands; erased ones are gone."""
    last = ""
    while rows := reader.rows("select id, subject from content where id > ? order by id limit ?", last, PAGE):
        for r in rows:
            text = reader.text(str(r["id"]))
            if text is not None:
                yield json.dumps({"id": r["id"], "subject": r["subject"], "text": text}, ensure_ascii=False).encode()
        last = str(rows[-1]["id"])


def _line(row: Row) -> bytes:
    plain = {name: _plain(value) for name, value in row.items() if name not in SECRET_COLUMNS}
    return json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()


def _plain(value: Scalar) -> object:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _bytes(value: Scalar) -> bytes:
    assert isinstance(value, bytes)
    return value
