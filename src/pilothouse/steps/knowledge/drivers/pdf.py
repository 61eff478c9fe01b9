"""PDF into blocks with page numbers: tables row by row, columns in reading order, running lines dropped."""

import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pilothouse.kernel.errors import Unavailable
from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers.declared import declared, named
from pilothouse.steps.knowledge.drivers.markdown import table_row
from pilothouse.steps.knowledge.drivers.page_layout import Line, lines, regions, usual_gap
from pilothouse.steps.knowledge.drivers.page_tables import Table, aligned, framed
from pilothouse.steps.knowledge.drivers.pdf_reading import Page, read
from pilothouse.steps.knowledge.errors import Unreadable
from pilothouse.steps.knowledge.ports import Ocr, Picture

PAGES_MAX = 5_000
OCR_PAGES_MAX = 300
"""Pages of a file that an OCR engine reads: each takes seconds."""
OCR_DOTS_PER_INCH, OCR_PIXELS_MAX = 200, 40_000_000
_ONE_AT_A_TIME = threading.Lock()
"""pdfium is not safe for threads."""
_TELLING = re.compile(r"[^\W\d_]{3,}")
_PAIR = re.compile(r"[A-Z][A-Za-z ]{2,24}: \S")
"""A line such as `Owner: Payments`."""
_NUMBERED = re.compile(r"^(?:\d{1,2}\.)*\d{1,2}\.? +[A-Z][^.!?]{2,90}$"
                       r"|^(?i:item|part|note|annex|appendix) +[\dIVXA-Z]+\b[^!?]{0,90}$")
_COUNTED = re.compile(r"[\W_]*(?:page |seite )?#(?: (?:of|von|/) #)?[\W_]*")
"""Nothing but a page number."""
_BROKEN = re.compile(r"\b([^\W\d_]+)-$")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A document as pdfium sees it."""

    title: str
    pages: tuple[Page, ...]


def parse(name: str, content: bytes, ocr: Ocr | None = None) -> Parsed:
    """Parse a PDF; pages that are pictures go to `ocr`, or are noted. Raises Unreadable for encrypted, damaged or
    endless ones.
    """
    with _ONE_AT_A_TIME:
        found = _opened(name, content)
    scans = [n for n, p in enumerate(found.pages, start=1) if not p.words and p.pictures]
    recognised, notes = _recognised(content, scans, ocr)
    pages = [lines(p.words) for p in found.pages]
    running = _running(pages)
    bodies = [replace(p, words=tuple(w for line in held if _shape(line.text) not in running
                                     for c in line.cells for w in c.words))
              for p, held in zip(found.pages, pages, strict=True)]
    every = [line for held in pages for line in held]
    writing = _Writing(plain=not any(line.bold for line in every if _NUMBERED.match(line.text)),
                       hyphened=frozenset(w.lower() for line in every for w in _WORD.findall(line.text)))
    blocks = tuple(b for number, page in enumerate(bodies, start=1)
                   for b in recognised.get(number) or writing.blocks(page, number))
    first = next((b.text for b in blocks if b.kind == "heading" and b.page == 1 and not b.text.isupper()), "")
    title = next((t for t in (found.title, first) if _tells(t)), named(name))
    return declared(Parsed(title=title, blocks=blocks, media_type="application/pdf", pages=len(pages),
                           notes=notes))


def _recognised(content: bytes, scans: Sequence[int], ocr: Ocr | None
                ) -> tuple[dict[int, list[Block]], tuple[str, ...]]:
    """Return what an OCR engine reads on pages without a text layer, by page, and what to say of those it does not."""
    found: dict[int, list[Block]] = {}
    if not scans:
        return found, ()
    if ocr is None:
        return found, (f"no text layer on {_shown(scans)}; no OCR engine installed",)
    failed = ""
    for number in scans[:OCR_PAGES_MAX]:
        try:
            text = ocr.read(_picture(content, number))
        except Unavailable as broken:
            failed = broken.message
            break
        found[number] = [Block(text=" ".join(part.split()), page=number) for part in text.split("\n\n")
                         if part.strip()]
    left = [n for n in scans if not found.get(n)]
    told = [f"text of {_shown([n for n in scans if found.get(n)])} was recognised by {ocr.name}"] if any(
        found.values()) else []
    if left:
        told.append(f"no text layer on {_shown(left)}; " + (
            f"the OCR engine failed: {failed}" if failed else f"at most {OCR_PAGES_MAX} pages go to the OCR engine"
            if len(scans) > OCR_PAGES_MAX else "the OCR engine found no text there"))
    return found, tuple(told)


def _shown(pages: Sequence[int]) -> str:
    """Write page numbers as a reader would: `page 3`, `pages 3, 4, 9`, and of many the first ten."""
    listed = ", ".join(map(str, pages[:10])) + (f" and {len(pages) - 10} more" if len(pages) > 10 else "")
    return f"page {listed}" if len(pages) == 1 else f"pages {listed}"


def _picture(content: bytes, number: int) -> Picture:
    """Draw a page in grey; a page of giant measures is drawn smaller."""
    import pypdfium2

    with _ONE_AT_A_TIME:
        document = pypdfium2.PdfDocument(content)
        try:
            page = document[number - 1]
            wide, high = page.get_size()
            scale = min(OCR_DOTS_PER_INCH / 72, (OCR_PIXELS_MAX / max(wide * high, 1)) ** 0.5)
            bitmap = page.render(scale=scale, grayscale=True)
            rows = memoryview(bitmap.buffer).cast("B")
            pixels = b"".join(bytes(rows[n * bitmap.stride:n * bitmap.stride + bitmap.width])
                              for n in range(bitmap.height))
            return Picture(width=bitmap.width, height=bitmap.height, pixels=pixels, dots_per_inch=round(72 * scale))
        finally:
            document.close()


def _tells(title: str) -> bool:
    """Say whether a title is one: programs leave file names and accession numbers where it should be."""
    return len(_TELLING.findall(title)) >= 2 and not title.lower().startswith("microsoft ")


def _opened(name: str, content: bytes) -> _Read:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as refused:
        encrypted = "password" in str(refused).lower()
        raise Unreadable(f"{name} is protected by a password; save it without one" if encrypted else
                         f"{name} is damaged; export it again", reason="encrypted" if encrypted else "malformed"
                         ) from refused
    try:
        if len(document) > PAGES_MAX:
            raise Unreadable(f"{name} has more than {PAGES_MAX} pages; split it", reason="too-large")
        title = (document.get_metadata_dict().get("Title") or "").strip()
        return _Read(title=title, pages=tuple(_page(document, n) for n in range(len(document))))
    except pypdfium2.PdfiumError as broken:
        raise Unreadable(f"{name} has a damaged page; export it again", reason="malformed") from broken
    finally:
        document.close()


def _page(document: Any, number: int) -> Page:
    page = document[number]
    try:
        return read(page)
    finally:
        page.close()


def _running(pages: Sequence[Sequence[Line]]) -> frozenset[str]:
    """Return the lines at page edges that stand on most pages, or on every second one: headers and footers."""
    if len(pages) < 3:
        return frozenset()
    seen: Counter[str] = Counter()
    for held in pages:
        seen.update({_shape(line.text) for line in [*held[:2], *held[-2:]]})
    often = len(pages) / 2 if len(pages) < 8 else len(pages) * 0.4
    return frozenset(shape for shape, n in seen.items() if n > often or (n > 2 and _COUNTED.fullmatch(shape)))


def _shape(line: str) -> str:
    return re.sub(r"\d+", "#", line.strip().lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """How the lines of one document become blocks."""

    plain: bool
    """Headings look like text, so that their wording alone tells them: no numbered line is bold."""
    hyphened: frozenset[str]
    """Words that the document writes with a hyphen elsewhere, lower-cased."""

    def blocks(self, page: Page, number: int) -> Iterator[Block]:
        """Yield the blocks of a page in reading order."""
        grids, free = framed(page)
        grids.sort(key=lambda t: t.top)
        held: list[Line] = []
        for region in regions(lines(free)):
            gap = usual_gap(region)
            for thing in aligned(region, page.across):
                while grids and grids[0].top <= thing.top and grids[0].left < thing.right and (
                        grids[0].right > thing.left):
                    yield from self._flushed(held, number)
                    yield from _rows(grids.pop(0), number)
                if isinstance(thing, Table):
                    yield from self._flushed(held, number)
                    yield from _rows(thing, number)
                    continue
                text = thing.text
                if level := self._level(thing):
                    yield from self._flushed(held, number)
                    yield Block(text=text, kind="heading", level=level, page=number)
                    continue
                apart = held and (thing.bold != held[-1].bold or thing.top - held[-1].bottom > gap + 0.5 * thing.height)
                if apart or (held and _ends(held[-1].text, text)):
                    yield from self._flushed(held, number)
                held.append(thing)
            yield from self._flushed(held, number)
        for grid in grids:
            yield from _rows(grid, number)

    def _level(self, line: Line) -> int:
        """Return the level of a heading, or 0 for text."""
        text = line.text
        if _NUMBERED.match(text):
            return 2 if self.plain or line.bold else 0
        if 4 < len(text) < 70 and text.isupper() and sum(c.isdigit() for c in text) < 4:
            return 2
        return 0

    def _flushed(self, held: list[Line], page: int) -> Iterator[Block]:
        """Yield the lines held as one paragraph, and hold none."""
        text = ""
        for line in held:
            text = self._joined(text, line.text)
        held.clear()
        if text.strip():
            yield Block(text=text.strip(), page=page)

    def _joined(self, text: str, line: str) -> str:
        """Join a line to what stands before it; a word that the line end broke is mended, a compound stays one."""
        broken = _BROKEN.search(text)
        if broken is None or not line[:1].islower():
            return f"{text} {line}" if text else line
        compound = f"{text[broken.start():]}{line.split()[0]}".lower().rstrip(".,;:)!?")
        return text + line if compound in self.hyphened else text[:-1] + line


def _rows(table: Table, page: int) -> Iterator[Block]:
    yield from (Block(text=said, page=page) for said in table.aside)
    for row in table.rows:
        if any(row):
            yield Block(text=table_row(list(table.header), list(row)), kind="table", page=page)


def _ends(before: str, line: str) -> bool:
    """Say whether a paragraph ends before this line: a short finished line, or the start of a list item."""
    finished = before.endswith((".", ":", "?", "!")) and len(before) < 60
    paired = bool(_PAIR.match(before)) and len(before) < 60 and line[:1].isupper()
    return finished or paired or bool(_PAIR.match(line)) or bool(re.match(r"[•▪–\-] |\(?[a-z\d]\) ", line))
