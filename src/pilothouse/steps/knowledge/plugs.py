"""What knowledge offers earlier steps: facts for gates about the documents a use case stands on."""

from collections.abc import Sequence
from datetime import date, timedelta

from pilothouse.directory.contracts import Person
from pilothouse.directory.ports import Plan
from pilothouse.kernel.store import Reader
from pilothouse.steps.knowledge.api import Knowledge
from pilothouse.steps.knowledge.contracts import DocumentIngested, DocumentRemoved, Source, SourceDefined
from pilothouse.steps.portfolio.contracts import GateFact, Standing

FRESH_DAYS = 31
"""A source that was not looked at for longer than this is not known to be current."""

_REASON = 6
_KINDS = (SourceDefined.kind, DocumentIngested.kind, DocumentRemoved.kind)


class KnowledgeForgetter:
    """Erases a person from documents, passages, indexes and the lake."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    async def plan(self, subject: str, person: Person | None) -> Sequence[Plan]:
        """Look for their own documents, and for their name and address in everybody else's."""
        found = await self._knowledge.traces(subject, [n for n in (person.name, person.email) if n] if person else [])
        count = len(found.documents) + len(found.passages) + len(found.titles)
        return (Plan(store="knowledge", unit="documents deleted, passages and titles redacted", count=count,
                     apply=lambda tx: self._knowledge.forget_in(tx, found),
                     settle=self._knowledge.settle_erasure),)


class KnowledgeFacts:
    """Facts for gates: whether the named sources are in, looked at lately, and free of open findings."""

    step = "knowledge"

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return the facts as of `today`, read from one snapshot."""
        if not standing.sources:
            return (GateFact(name="Sources ingested", step=self.step, status="no data", mandatory=False,
                             reason_covered=_REASON, says="the use case names no sources",
                             action="Name the sources its answers may stand on"),)
        sources = self._knowledge.sources_in(reader, standing.sources)
        entries = _entries(reader, sources)
        return (_ingested(standing, sources, entries), *_fresh(sources, today, entries),
                *self._clean(reader, sources, entries))

    def _clean(self, reader: Reader, sources: tuple[Source, ...], entries: tuple[int, ...]) -> tuple[GateFact, ...]:
        if not sources:
            return ()
        open_findings = [f for s in sources for f in self._knowledge.findings_in(reader, s.id)]
        kept_out = sum(s.quarantined for s in sources)
        dirty = bool(open_findings or kept_out)
        return (GateFact(
            name="Documents clean", step=self.step, status="exposed" if dirty else "covered", mandatory=False,
            reason_covered=_REASON, entries=entries,
            says=f"{_counted(len(open_findings), 'copy or outdated version', 'copies or outdated versions')} and"
                 f" {_counted(kept_out, 'file', 'files')} in quarantine" if dirty
            else "no copies, no outdated versions, nothing in quarantine",
            action="Resolve what the quality page lists" if dirty else ""),)


def _ingested(standing: Standing, sources: tuple[Source, ...], entries: tuple[int, ...]) -> GateFact:
    filled = {name for s in sources if s.documents for name in (s.name, s.id)}
    missing = [name for name in standing.sources if name not in filled]
    documents = sum(s.documents for s in sources)
    return GateFact(
        name="Sources ingested", step=KnowledgeFacts.step, status="exposed" if missing else "covered",
        reason_covered=_REASON, says=f"nothing is in from: {', '.join(missing)}" if missing
        else f"{_counted(documents, 'document', 'documents')} in {_counted(len(sources), 'source', 'sources')}",
        action=f"Ingest {missing[0]}" if missing else "", entries=entries)


def _fresh(sources: tuple[Source, ...], today: str, entries: tuple[int, ...]) -> tuple[GateFact, ...]:
    """Judge places by when they were last looked at; uploads are as current as whoever uploads them."""
    folders = [s for s in sources if s.kind != "upload"]
    if not folders:
        return ()
    oldest = min(folders, key=lambda s: s.synced_at)
    until = (date.fromisoformat(oldest.synced_at[:10]) + timedelta(days=FRESH_DAYS)).isoformat() \
        if oldest.synced_at else ""
    fresh = until >= today if until else False
    return (GateFact(
        name="Sources current", step=KnowledgeFacts.step, status="covered" if fresh else "exposed",
        reason_covered=_REASON, valid_until=until if fresh else "", entries=entries,
        says=f"{oldest.name} was last looked at {oldest.synced_at[:10] or 'never'}",
        action="" if fresh else f"Ingest {oldest.name} again"),)


def _entries(reader: Reader, sources: tuple[Source, ...]) -> tuple[int, ...]:
    """Return the latest ledger entry of each source: the state the facts speak of."""
    latest = (reader.entries(stream=f"source/{s.id}", kinds=_KINDS, limit=1, newest_first=True) for s in sources)
    return tuple(sorted(e.seq for found in latest for e in found))


def _counted(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
