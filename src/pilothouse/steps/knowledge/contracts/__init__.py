"""Values of knowledge: sources, documents, passages, queries, and what was retrieved for whom."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NewType

from pilothouse.kernel.ledger import Sealed

SourceId = NewType("SourceId", str)
DocumentId = NewType("DocumentId", str)
PassageId = NewType("PassageId", str)
Label = Literal["public", "internal", "confidential", "restricted"]
LABELS: tuple[Label, ...] = ("public", "internal", "confidential", "restricted")
"""The sensitivity lattice, lowest first: a text that joins several carries the highest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of a parsed document in reading order: one paragraph, list item, table row group or heading."""

    text: str
    kind: Literal["heading", "paragraph", "item", "table", "code"] = "paragraph"
    level: int = 0
    """Heading level from 1; 0 for everything else."""
    page: int | None = None
    """Page from 1, where the format has pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A document as a parser gives it back; dates are ISO days, declared in the text or its metadata."""

    title: str
    blocks: tuple[Block, ...]
    media_type: str
    pages: int | None = None
    language: str = ""
    declared_version: str = ""
    effective_on: str = ""
    supersedes: str = ""
    notes: tuple[str, ...] = ()
    """What of the file was not read, in sentences that quote nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A passage in the making: its place in the extracted text, its headings and its page."""

    text: str
    heading: tuple[str, ...]
    page: int | None
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """What cleansing needs to know of a current document."""

    id: DocumentId
    path: str
    title: str
    fingerprint: str
    effective_on: str
    declared_version: str
    supersedes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """Who reads what of a source: the longest matching path prefix wins (whole path segments only).

    `readers` are `everyone`, `group:<id>`, `unit:<id>` or `person:<id>`; an empty tuple means nobody.
    """

    path: str = ""
    readers: tuple[str, ...] = ()
    label: Label = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where documents come from, who may read them by default, and how it is doing."""

    id: SourceId
    name: str
    kind: Literal["folder", "upload", "connector"]
    location: str
    rules: tuple[AccessRule, ...]
    owner: str
    documents: int
    passages: int
    quarantined: int
    synced_at: str
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One version of one file: `current` is the version that retrieval serves."""

    id: DocumentId
    source_id: SourceId
    path: str
    title: str
    version: int
    media_type: str
    digest: str
    """SHA-256 (hex) of the file's bytes."""
    size_bytes: int
    pages: int | None
    label: Label
    readers: tuple[str, ...]
    effective_on: str
    declared_version: str
    passages: int
    current: bool
    ingested_at: str
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A quotable span of one document version, as its asker may see it."""

    id: PassageId
    document_id: DocumentId
    source: str
    path: str
    title: str
    version: int
    page: int | None
    heading: tuple[str, ...]
    """Headings above it, outermost first."""
    start: int
    end: int
    """Character span in the document's extracted text."""
    text: str
    label: Label
    score: float
    effective_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search as its asker; `sources` (names) narrow it, `limit` counts passages (1 to 50)."""

    text: str
    use_case_id: str = ""
    sources: tuple[str, ...] = ()
    limit: int = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """Passages best first, with what an audit needs: how many could be read, and by which index state."""

    passages: tuple[Passage, ...]
    readable: int
    """Passages this asker may read in the sources searched: what was ranked."""
    snapshot: str
    """Names the state of the knowledge that answered."""
    mode: Literal["hybrid", "lexical"]
    label: Label
    """Join of the labels of the passages; `public` when there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A file that was not let in, with the reason and what to do."""

    source: str
    path: str
    reason: str
    code: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A quality finding between documents: the second is a copy of, or older than, the first."""

    kind: Literal["exact duplicate", "near duplicate", "outdated version"]
    document_id: DocumentId
    path: str
    other_id: DocumentId
    other_path: str
    share: float
    """Shared content, 0 to 1; 1 for exact duplicates."""
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What one ingest did; `unchanged` files cost a hash and nothing else."""

    source: str
    added: int
    changed: int
    removed: int
    unchanged: int
    quarantined: tuple[Quarantined, ...]
    passages: int
    seconds: float
    notes: tuple[str, ...] = ()
    """What of files that came in was not read, such as pages without a text layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDefined:
    """A source was created, or its access rules changed."""

    kind: ClassVar[str] = "knowledge.source_defined"
    source_id: SourceId
    name: str
    rules: tuple[AccessRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentIngested:
    """A version of a document entered the lake."""

    kind: ClassVar[str] = "knowledge.document_ingested"
    document_id: DocumentId
    source_id: SourceId
    path: Sealed
    version: int
    digest: str
    passages: int
    label: Label
    parser: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRemoved:
    """A file is no longer in its source: its passages are no longer served."""

    kind: ClassVar[str] = "knowledge.document_removed"
    document_id: DocumentId
    source_id: SourceId


@dataclass(frozen=True, slots=True, kw_only=True)
class FileQuarantined:
    """A file was kept out; `code` says why in one stable word."""

    kind: ClassVar[str] = "knowledge.file_quarantined"
    source_id: SourceId
    path: Sealed
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassagesRetrieved:
    """Which passages were ranked for whom: ids at their versions, and how many could be read."""

    kind: ClassVar[str] = "knowledge.passages_retrieved"
    use_case_id: str
    interaction_id: str
    passage_ids: tuple[PassageId, ...]
    readable: int
    snapshot: str
    mode: str
    label: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """A source to define: `rules` say who reads what; the first ingest fills it."""

    name: str
    location: str = ""
    rules: tuple[AccessRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRequest:
    """Take in a folder or file as a source. `readers` widens nothing by itself: an unknown source starts with `me`."""

    path: str
    source: str = ""
    """Name of the source; empty takes the name of the folder or file."""
    readers: tuple[str, ...] = ()
    """`me`, `everyone`, `group:<id>`, `unit:<id>`, `person:<id>`; empty keeps the source's rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRef:
    """Names one source."""

    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestStarted:
    """The job that takes a source in; the list of jobs says how far it is."""

    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessChange:
    """New access rules of a source; they hold from the next question on."""

    source: str
    rules: tuple[AccessRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file, as base64 text, into a source."""

    source: str
    path: str
    content_base64: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentQuery:
    """Which documents to list: of one source, with words in path or title; `limit` counts documents (1 to 500)."""

    source: str = ""
    words: str = ""
    limit: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRef:
    """Names one version of a document."""

    document_id: DocumentId


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentView:
    """A document with its passages in reading order, as its reader may see it."""

    document: Document
    source: str
    passages: tuple[Passage, ...]
    notes: tuple[str, ...] = ()
    """What of the file was not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild of every index from the lake did."""

    documents: int
    passages: int
    missing: int
    """Originals that the lake no longer holds: their stored passages were kept."""
    seconds: float
