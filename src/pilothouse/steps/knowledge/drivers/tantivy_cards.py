"""The catalogue: one card a document with its names, periods and day, so that questions find what they name."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pilothouse.steps.knowledge.contracts.matching import Card, Held

WRITER_BYTES = 16_000_000
NAME, PERIOD = "n:", "p:"


class TantivyCards:
    """One directory; one writing process. Searches see what the last `flush` made visible."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writer: Any = None
        self._open()

    def _open(self) -> None:
        import tantivy

        self._tantivy, self._schema = tantivy, _schema()
        self._mark_file = self._directory / "mark"
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            self._index = tantivy.Index(self._schema, path=str(self._directory), reuse=True)
        except (ValueError, FileNotFoundError):  # the caller sees an empty mark, and fills it again
            shutil.rmtree(self._directory)
            self._directory.mkdir()
            self._index = tantivy.Index(self._schema, path=str(self._directory), reuse=True)

    @property
    def mark(self) -> str:
        return self._mark_file.read_text(encoding="utf8") if self._mark_file.exists() else ""

    def add(self, cards: Iterable[Card]) -> None:
        writer = self._writing()
        for c in cards:
            self.remove([c.first_row])
            writer.add_document(self._tantivy.Document.from_dict(
                {"first": c.first_row, "last": c.last_row, "access": c.access, "source": c.source, "day": c.day,
                 "term": [*(NAME + n for n in c.names), *(PERIOD + p for p in sorted(c.periods))]}, self._schema))

    def remove(self, first_rows: Iterable[int]) -> None:
        for row in first_rows:
            self._writing().delete_documents_by_query(self._tantivy.Query.term_query(self._schema, "first", row))

    def flush(self, mark: str) -> None:
        if self._writer is not None:
            self._writer.commit()
            self._writer.wait_merging_threads()
            self._writer = None
        self._index.reload()
        new = self._mark_file.with_suffix(".new")
        new.write_text(mark, encoding="utf8")
        new.replace(self._mark_file)

    def frequency(self, names: Iterable[str]) -> tuple[Mapping[str, int], int]:
        """Return in how many cards each name stands, and how many cards there are."""
        searcher = self._index.searcher()
        return {n: searcher.doc_freq("term", NAME + n) for n in names}, searcher.num_docs

    def find(self, weights: Mapping[str, float], periods: frozenset[str], *, access: frozenset[int],
             sources: frozenset[int] | None, limit: int) -> Sequence[Held]:
        """Return the cards of one of the periods (where given) by the weight of the names they hold, best first."""
        if not access or sources == frozenset() or not (weights or periods):
            return ()
        query, occur = self._tantivy.Query, self._tantivy.Occur
        named = [(occur.Should, query.boost_query(self._constant(NAME + n), w)) for n, w in sorted(weights.items())]
        dated = [(occur.Should, query.const_score_query(self._term(PERIOD + p), 0.0)) for p in sorted(periods)]
        parts = [(occur.Must, query.boolean_query(each)) for each in (named, dated) if each]
        for name, values in (("access", access), *((("source", sources),) if sources is not None else ())):
            among = query.term_set_query(self._schema, name, sorted(values))
            parts.append((occur.Must, query.const_score_query(among, 0.0)))
        searcher = self._index.searcher()
        return [_held(searcher.doc(at), score)
                for score, at in searcher.search(query.boolean_query(parts), limit, count=False).hits]

    def _constant(self, term: str) -> Any:
        return self._tantivy.Query.const_score_query(self._term(term), 1.0)

    def _term(self, term: str) -> Any:
        return self._tantivy.Query.term_query(self._schema, "term", term)

    def purge(self) -> None:
        self._writer = None
        shutil.rmtree(self._directory, ignore_errors=True)
        self._open()

    def _writing(self) -> Any:
        if self._writer is None:
            self._writer = self._index.writer(heap_size=WRITER_BYTES, num_threads=1)
        return self._writer


def _held(document: Any, score: float) -> Held:
    return Held(first_row=document["first"][0], last_row=document["last"][0], day=document["day"][0], weight=score)


def _schema() -> Any:
    import tantivy

    schema = tantivy.SchemaBuilder()
    for name in ("first", "last"):
        schema.add_unsigned_field(name, stored=True, indexed=name == "first")
    for name in ("access", "source"):
        schema.add_unsigned_field(name, indexed=True, fast=True)
    schema.add_text_field("day", stored=True, tokenizer_name="raw", index_option="basic")
    schema.add_text_field("term", tokenizer_name="raw", index_option="basic")
    return schema.build()
