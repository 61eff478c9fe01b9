"""Erasing a person from documents: their own go whole, their name and address go from everybody else's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pilothouse.kernel.ids import ORGANISATION
from pilothouse.kernel.store import Reader, Transaction
from pilothouse.steps.knowledge import store

REDACTED = "[erased]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What is about a person: documents that were only theirs, and passages and titles that name them."""

    documents: tuple[str, ...]
    passages: tuple[tuple[str, str], ...]
    """(content id, redacted text) of passages in other documents."""
    titles: tuple[tuple[str, str], ...]
    """(document id, redacted title)."""
    touched: tuple[str, ...]
    """Documents that must be indexed anew."""
    rows: tuple[int, ...]
    """Index rows that must go first."""
    digests: tuple[str, ...]
    """Originals that must go from the lake: no document keeps them whole any more."""


def pattern_of(names: Sequence[str]) -> re.Pattern[str] | None:
    """Return what matches a person's names and addresses in running text, or None where there are none."""
    spelled = [_spelled(n) for n in names if len(n.strip()) >= 3]
    return re.compile(rf"(?<!\w)(?:{'|'.join(spelled)})(?!\w)", re.IGNORECASE) if spelled else None


def _spelled(name: str) -> str:
    """Match a name with any white space, and last name first as indexes have it."""
    words = [re.escape(w) for w in name.split()]
    forward = r"\s+".join(words)
    return f"{forward}|{words[-1]},\\s*{' '.join(words[:-1])}" if len(words) > 1 else forward


def traces(reader: Reader, subject: str, names: Sequence[str]) -> Traces:
    """Look through every version of every document; reads all passages, about 10 µs each."""
    own = store.owned_alone(reader, subject)
    pattern = pattern_of(names)
    passages, titles, touched, rows = [], [], {*own}, []
    for r in store.every_passage(reader):
        document, content = str(r["document_id"]), str(r["content"])
        if document in own:
            rows.append(int(r["row_number"] or 0))
        elif pattern and pattern.search(text := reader.text(content) or ""):
            passages.append((content, pattern.sub(REDACTED, text)))
            touched.add(document)
    for document, title in store.titles(reader):
        if pattern and document not in own and pattern.search(title):
            titles.append((document, pattern.sub(REDACTED, title)))
            touched.add(document)
    rows += store.rows_of(reader, touched - set(own))
    return Traces(documents=tuple(own), passages=tuple(passages), titles=tuple(titles), touched=tuple(sorted(touched)),
                  rows=tuple(rows), digests=store.digests_of(reader, touched))


def forget(tx: Transaction, found: Traces) -> int:
    """Delete and redact in one transaction; returns how many documents and passages were touched."""
    for content, text in found.passages:
        sealed = tx.seal(ORGANISATION, text)
        tx.run("update passage set content = ? where content = ?", sealed.id, content)
        tx.run("delete from content where id = ?", content)
    for document, title in found.titles:
        tx.run("update document set title = ? where id = ?", title, document)
    for document in found.documents:
        store.erase_document(tx, document)
    for document in set(found.touched) - set(found.documents):
        store.changed(tx, document)
    store.remember_forgotten(tx, rows=found.rows, digests=found.digests)
    return len(found.passages) + len(found.documents) + len(found.titles)
