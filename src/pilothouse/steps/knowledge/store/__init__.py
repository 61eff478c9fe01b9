"""Tables of knowledge: sources, access sets, documents, passages, findings, and what the indexes have yet to learn."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pilothouse.kernel.ids import ORGANISATION, Mint
from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.knowledge.contracts import (
    AccessRule,
    Document,
    Filed,
    Finding,
    Parsed,
    Passage,
    Piece,
    Quarantined,
    Source,
)

_DOCUMENT = ("select d.*, a.readers, a.label from document d left join access_set a on a.number = d.access ")
_PASSAGE = ("select p.row_number, p.id, p.document_id, p.heading, p.page, p.start_at, p.end_at, p.content, d.path,"
            " d.title, d.version, d.access, d.effective_on, a.readers, a.label, s.name as source"
            " from passage p join document d on d.id = p.document_id join access_set a on a.number = d.access"
            " join source s on s.id = d.source_id ")


_ASIDE = "exists (select 1 from set_aside x where x.id in (p.id, d.id))"
"""Whether somebody decided that a passage, or its whole document, is not to be served."""


_UNDECIDED = ("not exists (select 1 from finding_decision q where q.undone_seq is null and q.action <> 'snooze'"
              " and q.key = replace(f.kind, ' ', '-') || '.' || f.document_id || '.' || f.other_id)")


def touch(tx: Transaction) -> None:
    """Move the epoch: cached access sets, source numbers and counts are read again."""
    tx.run("update knowledge_epoch set epoch = epoch + 1 where id = 1")


def epoch(reader: Reader) -> int:
    return int(reader.rows("select epoch from knowledge_epoch where id = 1")[0]["epoch"] or 0)


def source_row(reader: Reader, name: str) -> Row | None:
    found = reader.rows("select * from source where name = ? or id = ?", name, name)
    return found[0] if found else None


def insert_source(tx: Transaction, *, id: str, name: str, kind: str, location: str, owner: str, demo: bool) -> None:
    number = int(tx.rows("select coalesce(max(number), 0) + 1 as next from source")[0]["next"] or 1)
    tx.run("insert into source values (?,?,?,?,?,?,'',?)", id, number, name, kind, location, owner, int(demo))
    touch(tx)


def move_source(tx: Transaction, source_id: str, location: str) -> None:
    tx.run("update source set kind = 'folder', location = ? where id = ?", location, source_id)


def sources(reader: Reader) -> Sequence[Source]:
    rows = reader.rows(
        "select s.*, (select count(*) from document d where d.source_id = s.id and d.is_current = 1) as documents,"
        " (select coalesce(sum(d.passages), 0) from document d where d.source_id = s.id and d.is_current = 1)"
        " as passages, (select count(*) from quarantine q where q.source_id = s.id) as quarantined"
        " from source s order by s.name")
    return [_source(reader, r) for r in rows]


def _source(reader: Reader, r: Row) -> Source:
    plain: dict[str, Any] = {name: r[name] for name in Source.__slots__ if name != "rules"}
    return Source(**{**plain, "rules": tuple(rules(reader, str(r["id"]))), "demo": bool(r["demo"])})


def rules(reader: Reader, source_id: str) -> Sequence[AccessRule]:
    rows = reader.rows("select path, readers, label from access_set where source_id = ? and readers <> ''"
                       " order by path", source_id)
    return [AccessRule(path=str(r["path"]), label=r["label"],  # type: ignore[arg-type]
                       readers=tuple(json.loads(str(r["readers"])))) for r in rows]


def save_rules(tx: Transaction, source_id: str, new: Sequence[AccessRule]) -> bool:
    """Write a source's rules; a path keeps its set, so no passage is re-tagged. Returns whether paths changed."""
    held = {str(r["path"]): r for r in tx.rows("select number, path from access_set where source_id = ?", source_id)}
    number = int(tx.rows("select coalesce(max(number), 0) as last from access_set")[0]["last"] or 0)
    tx.run("update access_set set readers = '' where source_id = ?", source_id)
    for rule in new:
        readers = json.dumps(sorted(set(rule.readers)))
        if rule.path in held:
            tx.run("update access_set set readers = ?, label = ? where source_id = ? and path = ?", readers, rule.label,
                   source_id, rule.path)
        else:
            number += 1
            tx.run("insert into access_set values (?,?,?,?,?)", number, source_id, rule.path, readers, rule.label)
    touch(tx)
    return {r.path for r in new} != set(held)


def set_numbers(reader: Reader, source_id: str) -> Mapping[str, int]:
    """Return the access set number of each rule path in force."""
    rows = reader.rows("select number, path from access_set where source_id = ? and readers <> ''", source_id)
    return {str(r["path"]): int(r["number"] or 0) for r in rows}


def access_sets(reader: Reader) -> Mapping[int, tuple[str, ...]]:
    """Return every access set's readers; a set without a rule in force has none."""
    rows = reader.rows("select number, readers from access_set")
    return {int(r["number"] or 0): tuple(json.loads(str(r["readers"]))) if r["readers"] else () for r in rows}


def source_numbers(reader: Reader) -> Mapping[str, int]:
    return {str(r["name"]): int(r["number"] or 0) for r in reader.rows("select name, number from source")}


def passage_counts(reader: Reader) -> Mapping[tuple[int, int], int]:
    """Return how many served passages lie in each (access set, source number)."""
    rows = reader.rows("select d.access, s.number, sum(d.passages) as passages from document d"
                       " join source s on s.id = d.source_id where d.is_current = 1 group by d.access, s.number")
    aside = reader.rows("select d.access, s.number, count(*) as passages from passage p join document d on"
                        " d.id = p.document_id join source s on s.id = d.source_id where d.is_current = 1 and d.id in"
                        f" (select document_id from set_aside) and {_ASIDE} group by d.access, s.number")
    out = {(int(r["access"] or 0), int(r["number"] or 0)): int(r["passages"] or 0) for r in aside}
    held = {(int(r["access"] or 0), int(r["number"] or 0)): int(r["passages"] or 0) for r in rows}
    return {place: n - out.get(place, 0) for place, n in held.items()}


def current(reader: Reader, source_id: str) -> Mapping[str, Row]:
    """Return the current version of every file of a source, by path."""
    rows = reader.rows("select id, path, digest, version, access from document where source_id = ? and is_current = 1",
                       source_id)
    return {str(r["path"]): r for r in rows}


def current_at(reader: Reader, source_id: str, path: str) -> Row | None:
    """Return the current version of one file."""
    rows = reader.rows("select id, digest, version from document where source_id = ? and is_current = 1 and path = ?",
                       source_id, path)
    return rows[0] if rows else None


def count_current(reader: Reader, source_id: str) -> int:
    """Return how many files of a source are in."""
    rows = reader.rows("select count(*) as n from document where source_id = ? and is_current = 1", source_id)
    return int(rows[0]["n"] or 0)


def every_version(reader: Reader, source_id: str) -> Sequence[Row]:
    """Return every version that ever was of a source's files: old ones and removed ones follow the rules too."""
    return reader.rows("select id, path, access from document where source_id = ?", source_id)


def insert_document(tx: Transaction, *, id: str, source_id: str, path: str, parsed: Parsed, digest: str,
                    fingerprint: str, sketch: bytes, size_bytes: int, access: int, at: str, parser: str, demo: bool,
                    pieces: Sequence[Piece], mint: Mint) -> int:
    """Add a version as the current one, with its passages sealed; returns the version."""
    version = int(tx.rows("select coalesce(max(version), 0) + 1 as next from document where source_id = ? and path = ?",
                          source_id, path)[0]["next"] or 1)
    retire(tx, source_id, path)
    tx.run("insert into document values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,1,?,?,?)", id, source_id, path, parsed.title,
           version, parsed.media_type, digest, fingerprint, sketch, size_bytes, parsed.pages, access,
           parsed.effective_on, parsed.declared_version, parsed.supersedes, len(pieces), at, parser, int(demo))
    insert_passages(tx, id, pieces, mint)
    tx.run("delete from quarantine where source_id = ? and path = ?", source_id, path)
    return version


def insert_passages(tx: Transaction, document_id: str, pieces: Sequence[Piece], mint: Mint) -> None:
    row = int(tx.rows("select coalesce(max(row_number), 0) as last from passage")[0]["last"] or 0)
    for ordinal, piece in enumerate(pieces):
        sealed = tx.seal(ORGANISATION, piece.text)
        tx.run("insert into passage values (?,?,?,?,?,?,?,?,?)", row + ordinal + 1, mint("psg"), document_id, ordinal,
               json.dumps(piece.heading), piece.page, piece.start, piece.end, sealed.id)
    changed(tx, document_id)


def retire(tx: Transaction, source_id: str, path: str) -> str:
    """End the current version of a file; returns its id, or nothing if there was none."""
    found = tx.rows("select id from document where source_id = ? and path = ? and is_current = 1", source_id, path)
    if not found:
        return ""
    tx.run("update document set is_current = 0 where id = ?", found[0]["id"])
    changed(tx, str(found[0]["id"]))
    return str(found[0]["id"])


def retag(tx: Transaction, document_id: str, access: int) -> None:
    """Move a document to another access set; the indexes learn it at the next catch-up."""
    tx.run("update document set access = ? where id = ?", access, document_id)
    changed(tx, document_id)


def changed(tx: Transaction, document_id: str) -> None:
    """Note that the indexes must look at a document again."""
    tx.run("insert into index_change select coalesce(max(seq), 0) + 1, ? from index_change", document_id)
    touch(tx)


def changes(reader: Reader, after: int, limit: int) -> Sequence[tuple[int, str]]:
    rows = reader.rows("select seq, document_id from index_change where seq > ? order by seq limit ?", after, limit)
    return [(int(r["seq"] or 0), str(r["document_id"])) for r in rows]


def to_index(reader: Reader, document_id: str) -> tuple[bool, Sequence[tuple[Row, str]]]:
    """Return (whether it is served, its passages with texts) of a document, for an index; `aside` is not served."""
    rows = reader.rows("select p.row_number, p.heading, p.content, d.title, d.path, d.effective_on, d.access,"
                       f" d.is_current, s.number, case when {_ASIDE} then 1 else 0 end as aside"
                       " from passage p join document d on d.id = p.document_id join source s on s.id = d.source_id"
                       " where d.id = ? order by p.ordinal", document_id)
    served = bool(rows) and bool(rows[0]["is_current"])
    return served, [(r, (reader.text(str(r["content"])) or "") if served else "") for r in rows]


def by_rows(reader: Reader, rows: Sequence[int]) -> Mapping[int, Row]:
    """Return the passages among these rows that are served, each with its readers as of this snapshot."""
    marks = ", ".join("?" * len(rows))
    found = reader.rows(_PASSAGE + f"where d.is_current = 1 and not {_ASIDE} and p.row_number in ({marks})",
                        *rows) if rows else ()
    return {int(r["row_number"] or 0): r for r in found}


def replaced(reader: Reader, document_ids: Sequence[str]) -> Mapping[str, Row]:
    """Return, for those of these documents that a newer one replaced, the newer one's readers.

    Somebody may have decided that both hold, or that the newer one does not: then nothing is replaced.
    """
    marks = ", ".join("?" * len(document_ids))
    found = reader.rows("select f.other_id, a.readers from finding f join document d on d.id = f.document_id"
                        " join access_set a on a.number = d.access where f.kind = 'outdated version'"
                        " and not exists (select 1 from set_aside x where x.id = d.id)"
                        f" and {_UNDECIDED} and d.is_current = 1 and f.other_id in ({marks})",
                        *document_ids) if document_ids else ()
    return {str(r["other_id"]): r for r in found}


def by_ids(reader: Reader, ids: Sequence[str]) -> Sequence[Row]:
    """Return passages by id, whatever version they belong to."""
    marks = ", ".join("?" * len(ids))
    return reader.rows(_PASSAGE + f"where p.id in ({marks})", *ids) if ids else ()


def of_document(reader: Reader, document_id: str) -> Sequence[Row]:
    return reader.rows(_PASSAGE + "where p.document_id = ? order by p.ordinal", document_id)


def passage(r: Row, text: str, score: float) -> Passage:
    """Return a row as the passage its asker sees."""
    plain: dict[str, Any] = {name: r[name] for name in ("id", "document_id", "source", "path", "title", "version",
                                                       "page", "label", "effective_on")}
    return Passage(**plain, heading=tuple(json.loads(str(r["heading"]))), start=int(r["start_at"] or 0),
                   end=int(r["end_at"] or 0), text=text, score=score)


def documents(reader: Reader, *, source_id: str = "", limit: int = 200) -> Sequence[Document]:
    rows = reader.rows(_DOCUMENT + "where d.is_current = 1 and (d.source_id = ? or ? = '') order by d.path limit ?",
                       source_id, source_id, limit)
    return [_document(r) for r in rows]


def document(reader: Reader, id: str) -> Document | None:
    found = reader.rows(_DOCUMENT + "where d.id = ?", id)
    return _document(found[0]) if found else None


def _document(r: Row) -> Document:
    plain: dict[str, Any] = {name: r[name] for name in Document.__slots__ if name not in ("readers", "current")}
    readers = tuple(json.loads(str(r["readers"]))) if r["readers"] else ()
    return Document(**{**plain, "readers": readers, "current": bool(r["is_current"]), "demo": bool(r["demo"]),
                       "label": r["label"] or "restricted"})


def quarantine(tx: Transaction, *, source_id: str, path: str, code: str, reason: str, at: str, digest: str) -> bool:
    """Keep a file out; returns False if it is out for this reason and content already."""
    if tx.rows("select 1 as held from quarantine where source_id = ? and path = ? and code = ? and digest = ?",
               source_id, path, code, digest):
        return False
    tx.run("delete from quarantine where source_id = ? and path = ?", source_id, path)
    tx.run("insert into quarantine values (?,?,?,?,?,?)", source_id, path, code, reason, at, digest)
    return True


def is_withdrawn(reader: Reader, source_id: str, path: str, digest: str) -> bool:
    """Say whether a person took exactly these bytes out."""
    return bool(reader.rows("select 1 as held from quarantine where source_id = ? and path = ? and digest = ?"
                            " and code = 'withdrawn'", source_id, path, digest))


def quarantined(reader: Reader, source_id: str = "") -> Sequence[Quarantined]:
    rows = reader.rows("select s.name as source, q.path, q.reason, q.code, q.at from quarantine q"
                       " join source s on s.id = q.source_id where q.source_id = ? or ? = '' order by s.name, q.path",
                       source_id, source_id)
    return [Quarantined(**r) for r in rows]  # type: ignore[arg-type]


def synced(tx: Transaction, source_id: str, at: str, gone: Iterable[str]) -> None:
    """Note a finished sync; files that vanished leave the quarantine too."""
    tx.run("update source set synced_at = ? where id = ?", at, source_id)
    for path in gone:
        tx.run("delete from quarantine where source_id = ? and path = ?", source_id, path)


def filed(reader: Reader) -> Sequence[tuple[Filed, bytes]]:
    """Return every current document as cleansing sees it, with its sketch."""
    rows = reader.rows("select id, path, title, fingerprint, sketch, effective_on, declared_version, supersedes"
                       " from document where is_current = 1 order by path")
    return [(Filed(**{k: v for k, v in r.items() if k != "sketch"}), bytes(r["sketch"] or b"")) for r in rows]  # type: ignore[arg-type]


def texts_of(reader: Reader, document_id: str) -> list[str]:
    """Return the texts of a document's passages in reading order."""
    rows = reader.rows("select content from passage where document_id = ? order by ordinal", document_id)
    return [reader.text(str(r["content"])) or "" for r in rows]


def document_text(reader: Reader, document_id: str) -> str:
    """Return a document's passages joined, as cleansing compares them."""
    return "\n\n".join(texts_of(reader, document_id))


def replace_findings(tx: Transaction, found: Sequence[Finding]) -> None:
    tx.run("delete from finding")
    for f in found:
        tx.run("insert into finding values (?,?,?,?,?) on conflict do nothing", f.kind, f.document_id, f.other_id,
               f.share, f.says)


def findings(reader: Reader, source_id: str = "") -> Sequence[tuple[Finding, int, int]]:
    """Return what nobody settled (about one source's documents, where given), with the access sets of both."""
    rows = reader.rows("select f.*, d.path, d.access, o.path as other_path, o.access as other_access from finding f"
                       " join document d on d.id = f.document_id join document o on o.id = f.other_id"
                       f" where d.is_current = 1 and o.is_current = 1 and (o.source_id = ? or ? = '') and {_UNDECIDED}"
                       " and not exists (select 1 from set_aside x where x.id in (d.id, o.id))"
                       " order by f.kind, d.path, o.path", source_id, source_id)
    return [(Finding(**{n: r[n] for n in Finding.__slots__}), int(r["access"] or 0), int(r["other_access"] or 0))  # type: ignore[arg-type]
            for r in rows]


def owned_alone(reader: Reader, subject: str) -> tuple[str, ...]:
    """Return every version of the documents in sources that a person owns and that nobody else may read."""
    alone = json.dumps([f"person:{subject}"])
    rows = reader.rows("select d.id from document d join source s on s.id = d.source_id where s.owner = ?"
                       " and not exists (select 1 from access_set a where a.source_id = s.id and a.readers <> ''"
                       " and a.readers <> ?)", subject, alone)
    return tuple(str(r["id"]) for r in rows)


def every_passage(reader: Reader) -> Sequence[Row]:
    """Return the row, document and content id of every passage of every version."""
    return reader.rows("select row_number, document_id, content from passage order by row_number")


def titles(reader: Reader) -> Sequence[tuple[str, str]]:
    return [(str(r["id"]), str(r["title"])) for r in reader.rows("select id, title from document")]


def rows_of(reader: Reader, documents: Iterable[str]) -> Sequence[int]:
    """Return the index rows of some documents."""
    return [int(r["row_number"] or 0) for d in documents
            for r in reader.rows("select row_number from passage where document_id = ?", d)]


def digests_of(reader: Reader, documents: Iterable[str]) -> tuple[str, ...]:
    """Return the digests of the originals that some documents were cut from."""
    found = (reader.rows("select digest from document where id = ?", d) for d in documents)
    return tuple(sorted({str(r["digest"]) for rows in found for r in rows}))


def erase_document(tx: Transaction, document_id: str) -> None:
    """Delete a version with its passages and their texts; the indexes are told before, by row."""
    for r in tx.rows("select content from passage where document_id = ?", document_id):
        tx.run("delete from content where id = ?", r["content"])
    tx.run("delete from passage where document_id = ?", document_id)
    tx.run("delete from finding where document_id = ? or other_id = ?", document_id, document_id)
    tx.run("delete from document_note where document_id = ?", document_id)
    tx.run("delete from conflict where left_document = ? or right_document = ?", document_id, document_id)
    tx.run("delete from set_aside where document_id = ?", document_id)
    tx.run("delete from index_change where document_id = ?", document_id)
    tx.run("delete from document where id = ?", document_id)
    touch(tx)


def remember_forgotten(tx: Transaction, *, rows: Iterable[int], digests: Iterable[str]) -> None:
    """Note index rows and originals whose files must still go, so that a crash after the commit leaves none."""
    for kind, values in (("row", map(str, rows)), ("original", digests)):
        for value in values:
            tx.run("insert into forgotten values (?,?) on conflict do nothing", kind, value)


def forgotten(reader: Reader) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return (index rows, digests of originals) whose files must still go."""
    found = reader.rows("select kind, value from forgotten order by kind, value")
    return (tuple(int(str(r["value"])) for r in found if r["kind"] == "row"),
            tuple(str(r["value"]) for r in found if r["kind"] == "original"))


def settle_forgotten(tx: Transaction) -> None:
    tx.run("delete from forgotten")
