"""Queries that follow passages to their documents, and documents to their passages."""

from collections.abc import Mapping, Sequence

from pilothouse.kernel.store import Reader, Row
from pilothouse.steps.knowledge.contracts import DocumentId, PassageId
from pilothouse.steps.knowledge.contracts.lineage import Origin

ASKED_MAX = 500
"""Ids in one query."""
_ORIGIN = ("select p.id as passage_id, d.id as document_id, d.version, d.digest, s.name as source, s.id as source_id,"
           " d.parser, d.ingested_at, d.is_current, (select n.version from document n where n.source_id = d.source_id"
           " and n.path = d.path and n.is_current = 1) as newest from passage p join document d on d.id = p.document_id"
           " join source s on s.id = d.source_id where p.id in ({marks})")


def origins(reader: Reader, passage_ids: Sequence[str]) -> Mapping[str, Origin]:
    """Return the origin of each passage that is still stored; erased ones are missing."""
    found = {}
    for start in range(0, len(passage_ids), ASKED_MAX):
        some = passage_ids[start:start + ASKED_MAX]
        for r in reader.rows(_ORIGIN.format(marks=", ".join("?" * len(some))), *some):
            found[str(r["passage_id"])] = _origin(r)
    return found


def _origin(r: Row) -> Origin:
    return Origin(
        passage_id=PassageId(str(r["passage_id"])), document_id=DocumentId(str(r["document_id"])),
        version=int(r["version"] or 0), digest=str(r["digest"]), source=str(r["source"]),
        source_id=str(r["source_id"]), parser=str(r["parser"]), ingested_at=str(r["ingested_at"]),
        current=bool(r["is_current"]), newest=None if r["newest"] is None else int(r["newest"]))


def passages_of(reader: Reader, document_id: str, *, every_version: bool) -> Mapping[str, int]:
    """Return the passages of a document, or of every version of its file, each with its version."""
    same = "d.source_id = (select source_id from document where id = ?) and d.path = (select path from document" \
           " where id = ?)" if every_version else "d.id = ?"
    given = (document_id, document_id) if every_version else (document_id,)
    rows = reader.rows(f"select p.id, d.version from passage p join document d on d.id = p.document_id where {same}",
                       *given)
    return {str(r["id"]): int(r["version"] or 0) for r in rows}
