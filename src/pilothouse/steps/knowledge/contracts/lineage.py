"""Where passages come from, and what has become of their documents since."""

from dataclasses import dataclass

from pilothouse.steps.knowledge.contracts import DocumentId, PassageId


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The document version that a passage was cut from; path and title stay with those who may read it."""

    passage_id: PassageId
    document_id: DocumentId
    version: int
    digest: str
    """SHA-256 (hex) of the file's bytes, by which the lake keeps them."""
    source: str
    source_id: str
    parser: str
    ingested_at: str
    current: bool
    newest: int | None
    """Version of this file that is served now; None when the file is gone."""
