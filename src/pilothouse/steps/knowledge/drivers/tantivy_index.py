"""The lexical index: BM25 by tantivy, stemmed in each passage's language, filtered by access inside the query."""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pilothouse.steps.knowledge.ports import Indexed, Scored, Span, Vectors
from pilothouse.text.languages import Language, hindi_stem, language

BOOSTS = {"title": 1.5, "heading": 1.2, "body": 1.0}
WRITER_BYTES = 32_000_000
STEMMERS: Mapping[Language, str] = {"en": "english", "de": "german", "fr": "french", "es": "spanish", "hi": ""}
"""Stemmers of tantivy by language; Hindi, for which it has none, is stemmed before it gets there."""
CHAIN = 2
"""Words, lower-cased, stemmed, without accents. A new chain needs a new number: an index of another starts anew."""
WORD = r"[\p{L}\p{M}\p{N}]+"
"""Letters with their marks: vowel signs and joiners belong to the words of Indian scripts."""
WORD_LENGTH_MAX = 40
TERMS_MAX = 256
"""Distinct words of a query that are searched for; nobody asks more, and each costs time."""
TIES_MAX = 4_096
"""Depth to which rows that tie at the limit are looked for, so that row numbers decide and not the files' layout."""


class TantivyIndex:
    """One directory; one writing process. Searches see what the last `flush` made visible."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writer: Any = None
        self._open()

    def _open(self) -> None:
        """Open the files; an index that cannot be read, or was written by another schema, starts anew."""
        import tantivy

        self._tantivy, self._schema = tantivy, _schema()
        self._analyzers = {code: _analyzer(code) for code in STEMMERS}
        self._mark_file = self._directory / "mark"
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            self._index = self._opened()
        except (ValueError, FileNotFoundError):  # the caller sees an empty mark, and fills it again
            shutil.rmtree(self._directory)
            self._directory.mkdir()
            self._index = self._opened()

    def _opened(self) -> Any:
        index = self._tantivy.Index(self._schema, path=str(self._directory), reuse=True)
        for code, analyzer in self._analyzers.items():
            index.register_tokenizer(_chain(code), analyzer)
        return index

    @property
    def mark(self) -> str:
        return self._mark_file.read_text(encoding="utf8") if self._mark_file.exists() else ""

    def add(self, passages: Sequence[Indexed], vectors: Vectors | None) -> None:
        writer = self._writing()
        for p in passages:
            self._delete(writer, p.row)
            code = language(p.body)
            texts = {_field(name, code): _prepared(text, code)
                     for name, text in (("title", p.title), ("heading", p.heading), ("body", p.body))}
            writer.add_document(self._tantivy.Document.from_dict(
                {"row": p.row, "access": p.access, "source": p.source, **texts}, self._schema))

    def retag(self, passages: Sequence[Indexed]) -> Sequence[Indexed]:
        """Return all of them: a document of the index is only ever replaced whole, which is cheap here."""
        return passages

    def remove(self, rows: Iterable[int]) -> None:
        for row in rows:
            self._delete(self._writing(), row)

    def _delete(self, writer: Any, row: int) -> None:
        # by query: a delete by term takes any number for a signed one, and so finds nothing in an unsigned field
        writer.delete_documents_by_query(self._tantivy.Query.term_query(self._schema, "row", row))

    def flush(self, mark: str) -> None:
        """Commit, then note the mark: after a crash in between, the same rows are replayed, which changes nothing."""
        if self._writer is not None:
            self._writer.commit()
            self._writer.wait_merging_threads()
            self._writer = None  # its threads and buffers go, and come back with the next change
        self._index.reload()
        new = self._mark_file.with_suffix(".new")
        new.write_text(mark, encoding="utf8")
        new.replace(self._mark_file)

    def search(self, text: str, vector: Vectors | None, *, access: frozenset[int], sources: frozenset[int] | None,
               limit: int, within: Sequence[Span] | None = None) -> Sequence[Scored]:
        """Return the best rows by BM25; any text is a query, since only its words are."""
        if not (asked := self._any_of(text)) or not access or sources == frozenset():
            return ()
        query = self._tantivy.Query.boolean_query([
            *asked, *self._must("access", access), *(self._must("source", sources) if sources is not None else ()),
            *(self._inside(within) if within is not None else ())])
        return self._ranked(self._index.searcher(), query, limit)

    def _ranked(self, searcher: Any, query: Any, limit: int) -> Sequence[Scored]:
        depth = limit + 1
        while True:
            hits = searcher.search(query, depth, count=False).hits
            if len(hits) < depth or hits[-1][0] < hits[limit - 1][0] or depth > TIES_MAX:
                break
            depth *= 2
        found = [Scored(row=searcher.doc(address)["row"][0], score=score) for score, address in hits]
        return sorted(found, key=lambda s: (-s.score, s.row))[:limit]

    def _any_of(self, text: str) -> list[tuple[Any, Any]]:
        """Return a clause that holds for passages with any word of the text; empty when it has none."""
        whole = text.encode("utf-8", "replace").decode()  # halves of characters have no place in an index
        query = self._tantivy.Query
        found = [(self._tantivy.Occur.Should, query.boost_query(
            query.term_query(self._schema, _field(name, code), term, "freq"), boost * times))
            for code, analyzer in self._analyzers.items()
            for term, times in Counter(analyzer.analyze(_prepared(whole, code))).most_common(TERMS_MAX)
            for name, boost in BOOSTS.items()]
        return [(self._tantivy.Occur.Must, query.boolean_query(found))] if found else []

    def _must(self, name: str, values: frozenset[int]) -> list[tuple[Any, Any]]:
        one_of = self._tantivy.Query.term_set_query(self._schema, name, sorted(values))
        return [(self._tantivy.Occur.Must, self._tantivy.Query.const_score_query(one_of, 0.0))]

    def _inside(self, spans: Sequence[Span]) -> list[tuple[Any, Any]]:
        query, kind = self._tantivy.Query, self._tantivy.FieldType.Unsigned
        ranges = [(self._tantivy.Occur.Should, query.range_query(self._schema, "row", kind, first, last))
                  for first, last in spans]
        return [(self._tantivy.Occur.Must, query.const_score_query(query.boolean_query(ranges), 0.0))]

    def purge(self) -> None:
        self._writer = None
        shutil.rmtree(self._directory, ignore_errors=True)
        self._open()

    def _writing(self) -> Any:
        if self._writer is None:
            self._writer = self._index.writer(heap_size=WRITER_BYTES, num_threads=1)
        return self._writer


def _schema() -> Any:
    import tantivy

    schema = tantivy.SchemaBuilder()
    for name in ("row", "access", "source"):
        schema.add_unsigned_field(name, stored=name == "row", indexed=True, fast=True)
    for code in STEMMERS:
        for name in BOOSTS:
            schema.add_text_field(_field(name, code), tokenizer_name=_chain(code), index_option="freq")
    return schema.build()


def _field(name: str, code: Language) -> str:
    return f"{name}_{code}"


def _chain(code: Language) -> str:
    return f"{code}-{CHAIN}"


def _prepared(text: str, code: Language) -> str:
    return " ".join(map(hindi_stem, text.split())) if code == "hi" else text


def _analyzer(code: Language) -> Any:
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    stemmer = [Filter.stemmer(STEMMERS[code])] if STEMMERS[code] else []
    folding = [Filter.ascii_fold(), *stemmer] if code == "en" else [*stemmer, Filter.ascii_fold()]
    chain = TextAnalyzerBuilder(Tokenizer.simple() if code == "en" else Tokenizer.regex(WORD))
    for each in (Filter.remove_long(WORD_LENGTH_MAX), Filter.lowercase(), *folding):
        chain = chain.filter(each)
    return chain.build()
