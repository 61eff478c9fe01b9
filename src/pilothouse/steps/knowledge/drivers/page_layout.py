"""The reading order of a page: words into cells, cells into lines, columns of prose one after the other."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median

from pilothouse.steps.knowledge.drivers.pdf_reading import Word

APART = 0.9
"""Line heights of blank that part two cells; the blank between words is a quarter to three quarters of one."""
PROSE_LENGTH, PROSE_WORDS, PROSE_LINES = 25, 4, 6
"""Characters and words that make a cell prose, and how many of them, on both sides, make columns of prose."""
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_MARK = re.compile(r"[•▪◦●■–\-*]|\(?[a-z\d]{1,3}[.)]|(?i:item|part|note|section) +[\dIVXA-Z]+\.?")
_BEFORE = re.compile(r"[$€£¥₹]|[A-Z]{0,3}\$|\(|\$ ?\(")
_AFTER = re.compile(r"[)%]{1,2}|pp|bps|x")
_AMOUNT = re.compile(r"[(\[]?[$€£¥₹]?[(\[]?\d[\d.,]*[)\]]?%?[)\]]?|%|—")
_SIGN = re.compile(r"[$€£¥₹]|[A-Z]{1,3}\$")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Words that stand together on one line."""

    words: tuple[Word, ...]

    @cached_property
    def left(self) -> float:
        return min(w.left for w in self.words)

    @cached_property
    def right(self) -> float:
        return max(w.right for w in self.words)

    @cached_property
    def text(self) -> str:
        turned = any(_RIGHT_TO_LEFT.search(w.text) for w in self.words)
        return " ".join(w.text for w in sorted(self.words, key=lambda w: -w.left if turned else w.left))

    @property
    def prose(self) -> bool:
        return len(self.text) >= PROSE_LENGTH and len(self.words) >= PROSE_WORDS


@dataclass(frozen=True, kw_only=True)
class Line:
    """Cells beside each other, from the left."""

    cells: tuple[Cell, ...]

    @cached_property
    def top(self) -> float:
        return min(w.top for c in self.cells for w in c.words)

    @cached_property
    def bottom(self) -> float:
        return max(w.bottom for c in self.cells for w in c.words)

    @property
    def left(self) -> float:
        return self.cells[0].left

    @cached_property
    def right(self) -> float:
        return max(c.right for c in self.cells)

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def text(self) -> str:
        return " ".join(c.text for c in self.cells)

    @property
    def bold(self) -> bool:
        return all(w.bold for c in self.cells for w in c.words)


def lines(words: Iterable[Word]) -> list[Line]:
    """Return words as lines from the top; small raised or lowered words belong to the line they touch."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda w: (w.top, w.left)):
        row = next((r for r in reversed(rows[-4:]) if _beside(r[0], word)), None)
        if row is None:
            rows.append([word])
        else:
            row.append(word)
            if word.height > row[0].height:
                row[0], row[-1] = row[-1], row[0]
    return sorted((Line(cells=_cells(row)) for row in rows), key=lambda line: line.middle)


def _beside(one: Word, other: Word) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared >= 0.5 * min(one.height, other.height)


def _cells(row: Sequence[Word]) -> tuple[Cell, ...]:
    """Part a line where the blank is wide; a currency sign, a bracket or a bullet stays with what it belongs to."""
    parts: list[list[Word]] = []
    for word in sorted(row, key=lambda w: w.left):
        if parts and not _apart(parts[-1], word):
            parts[-1].append(word)
        else:
            parts.append([word])
    cells = [Cell(words=tuple(p)) for p in parts]
    joined: list[Cell] = []
    for n, cell in enumerate(cells):
        before = joined[-1] if joined else None
        sign = before is not None and _BEFORE.fullmatch(before.text) and cell.text[:1] in "0123456789(.—–-"
        bullet = before is not None and n == 1 and len(cells) == 2 and _MARK.fullmatch(before.text)
        if before is not None and (sign or bullet):
            joined[-1] = Cell(words=(*before.words, *cell.words))
        else:
            joined.append(cell)
    return tuple(joined)


def _apart(cell: Sequence[Word], word: Word) -> bool:
    """Say whether a word begins another cell: amounts in neighbouring columns stand closer than words would."""
    last = cell[-1]
    blank = (word.left - max(w.right for w in cell)) / max(word.height, last.height, 0.1)
    if _AFTER.fullmatch(word.text):
        return blank > 2 * APART
    amounts = _AMOUNT.fullmatch(last.text) and (_SIGN.fullmatch(word.text) or _AMOUNT.fullmatch(word.text))
    return blank > (APART / 2 if amounts else APART)


def regions(held: Sequence[Line]) -> Iterator[list[Line]]:
    """Yield lines in reading order, a region at a time: columns of prose are read one after the other."""
    found = _gutter(held)
    if found is None:
        yield list(held)
        return
    gutter, top, bottom = found
    words = [w for line in held for c in line.cells for w in c.words]
    within = [w for w in words if top <= (w.top + w.bottom) / 2 <= bottom]
    yield from regions(lines(w for w in words if (w.top + w.bottom) / 2 < top))
    yield from regions(lines(w for w in within if w.left < gutter))
    yield from regions(lines(w for w in within if w.left >= gutter))
    yield from regions(lines(w for w in words if (w.top + w.bottom) / 2 > bottom))


def _gutter(held: Sequence[Line]) -> tuple[float, float, float] | None:
    """Return (gutter, top, bottom) of the largest band that holds prose on both sides of a blank strip."""
    placed = [(c, line) for line in held for c in line.cells]
    prose = [(c, line) for c, line in placed if c.prose]
    if len(prose) < 2 * PROSE_LINES:
        return None
    best, most = None, 0
    for start in _starts([c.left for c, _ in prose]):
        crossing = sorted(line.middle for c, line in placed if c.left < start - 3 and c.right > start - 1)
        edges = [held[0].top - 1, *crossing, held[-1].bottom + 1]
        for top, bottom in pairwise(edges):
            inside = [c for c, line in prose if top < line.middle < bottom]
            right = sum(c.left >= start - 3 for c in inside)
            left = len(inside) - right
            if min(left, right) >= PROSE_LINES and left + right > most:
                best, most = (start - 3, top + 0.01, bottom - 0.01), left + right
    return best


def _starts(lefts: Sequence[float]) -> Iterator[float]:
    """Yield where many cells of prose begin, save at the very left."""
    held = sorted(lefts)
    group: list[float] = []
    for left in [*held, float("inf")]:
        if group and left - group[-1] > 4:
            if len(group) >= PROSE_LINES and group[0] > held[0] + 40:
                yield group[0]
            group = []
        group.append(left)


def usual_gap(held: Sequence[Line]) -> float:
    """Return the blank between two lines of one paragraph, in points."""
    gaps = [b.top - a.bottom for a, b in pairwise(held) if b.top > a.top]
    return median(gaps) if gaps else 0.0
