"""Documents into passages: structure first, sentences second, tables by row groups; the same document, the same cut."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pilothouse.steps.knowledge.contracts import Block, Parsed, Piece
from pilothouse.text.sentences import sentences

WORDS_WANTED, WORDS_MAX = 140, 200
"""Words of a passage: it ends at the first paragraph past the first figure, and never passes the second."""

CHARACTERS_A_WORD = 12
_WORD = re.compile(r"\S{1,400}")


def chunk(parsed: Parsed) -> tuple[Piece, ...]:
    """Cut a document into passages under their heading path; headings alone make none."""
    return tuple(_merged(_pieces(parsed.blocks)))


def extracted(parsed: Parsed) -> str:
    """Return the extracted text that passages' spans count in: blocks joined by blank lines."""
    return "\n\n".join(b.text for b in parsed.blocks)


def _pieces(blocks: Sequence[Block]) -> Iterator[Piece]:
    path: list[tuple[int, str]] = []
    at = 0
    for block in blocks:
        if block.kind == "heading":
            level = block.level or 1
            path = [*(h for h in path if h[0] < level), (level, block.text.strip())]
        else:
            heading = tuple(text for _, text in path)
            yield from _cut(Piece(text=block.text, heading=heading, page=block.page, start=at,
                                  end=at + len(block.text)))
        at += len(block.text) + 2


def _cut(piece: Piece) -> Iterator[Piece]:
    """Cut a block that is too long at sentence or line ends; one giant sentence is cut at words."""
    if size(piece.text) <= WORDS_MAX:
        if piece.text.strip():
            yield piece
        return
    for start, end in _runs(_small_spans(piece.text), piece.text):
        yield replace(piece, text=piece.text[start:end], start=piece.start + start, end=piece.start + end)


def _runs(spans: Iterable[tuple[int, int]], text: str) -> Iterator[tuple[int, int]]:
    """Join neighbouring spans while they stay within the words wanted."""
    first, last, count = -1, -1, 0
    for start, end in spans:
        words = size(text[start:end])
        if first >= 0 and count + words > WORDS_WANTED:
            yield first, last
            first, count = -1, 0
        first, last, count = (start if first < 0 else first), end, count + words
    if first >= 0:
        yield first, last


def _small_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield sentences, and of a giant one its words, of which a giant one is cut as well."""
    for span in sentences(text):
        if size(span.of(text)) <= WORDS_MAX:
            yield span.start, span.end
        else:
            yield from (word.span() for word in _WORD.finditer(text, span.start, span.end))


def size(text: str) -> int:
    """Return how many words a text amounts to; scripts without blanks are counted by their characters."""
    return max(len(text.split()), len(text) // CHARACTERS_A_WORD)


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Join short neighbours under one heading and page, so that a passage says something by itself."""
    held: Piece | None = None
    for piece in pieces:
        if held is not None and _fit(held, piece):
            held = replace(held, text=f"{held.text}\n\n{piece.text}", end=piece.end)
            continue
        if held is not None:
            yield held
        held = piece
    if held is not None:
        yield held


def _fit(one: Piece, other: Piece) -> bool:
    return (one.heading == other.heading and one.page == other.page and other.start - one.end <= 2
            and size(one.text) + size(other.text) <= WORDS_WANTED)
