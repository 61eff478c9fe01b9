"""PDF into blocks with page numbers, by pdfium: wrapped lines joined, running headers and footers dropped."""

import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers.declared import declared, named
from pilothouse.steps.knowledge.errors import Unreadable

PAGES_MAX = 5_000
_ONE_AT_A_TIME = threading.Lock()
"""pdfium is not safe for threads."""
_TELLING = re.compile(r"[^\W\d_]{3,}")
_PAIR = re.compile(r"[A-Z][A-Za-z ]{2,24}: \S")
"""A line such as `Owner: Payments`."""
_NUMBERED = re.compile(r"^(?:\d{1,2}\.)*\d{1,2}\.? +[A-Z][^.!?]{2,90}$"
                       r"|^(?i:item|part|note|annex|appendix) +[\dIVXA-Z]+\b[^!?]{0,90}$")


def parse(name: str, content: bytes) -> Parsed:
    """Parse a PDF; raises Unreadable for encrypted, damaged or endless ones."""
    with _ONE_AT_A_TIME:
        title, pages = _pages(name, content)
    running = _running(pages)
    blocks = tuple(b for number, lines in enumerate(pages, start=1) for b in _page_blocks(lines, number, running))
    first = next((b.text for b in blocks if b.kind == "heading" and b.page == 1 and not b.text.isupper()), "")
    title = next((t for t in (title, first) if _tells(t)), named(name))
    return declared(Parsed(title=title, blocks=blocks, media_type="application/pdf", pages=len(pages)))


def _tells(title: str) -> bool:
    """Say whether a title is one: programs leave file names and accession numbers where it should be."""
    return len(_TELLING.findall(title)) >= 2 and not title.lower().startswith("microsoft ")


def _pages(name: str, content: bytes) -> tuple[str, list[list[str]]]:
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
        return (document.get_metadata_dict().get("Title") or "").strip(), [_lines(p) for p in document]
    except pypdfium2.PdfiumError as broken:
        raise Unreadable(f"{name} has a damaged page; export it again", reason="malformed") from broken
    finally:
        document.close()


def _lines(page: "object") -> list[str]:
    text = page.get_textpage()  # type: ignore[attr-defined]
    try:
        whole = str(text.get_text_range()).replace("\ufffe", "").replace("\x02", "").replace("\xad", "")
    finally:
        text.close()
        page.close()  # type: ignore[attr-defined]
    return [line.rstrip() for line in whole.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


def _running(pages: Sequence[Sequence[str]]) -> frozenset[str]:
    """Return the lines at page edges that stand on most pages, digits aside: headers and footers."""
    if len(pages) < 3:
        return frozenset()
    seen: Counter[str] = Counter()
    for lines in pages:
        filled = [line for line in lines if line.strip()]
        seen.update({_shape(line) for line in [*filled[:2], *filled[-2:]]})
    return frozenset(shape for shape, n in seen.items() if n > len(pages) / 2)


def _shape(line: str) -> str:
    return re.sub(r"\d+", "#", line.strip().lower())


def _page_blocks(lines: Sequence[str], page: int, running: frozenset[str]) -> Iterator[Block]:
    held: list[str] = []
    for line in [*lines, ""]:
        plain = line.strip()
        if plain and _shape(plain) in running:
            continue
        if _heading(plain):
            yield from _paragraph(held, page)
            held = []
            yield Block(text=plain, kind="heading", level=2, page=page)
        elif not plain or (held and _ends(held[-1], plain)):
            yield from _paragraph(held, page)
            held = [plain] if plain else []
        else:
            held.append(plain)
    yield from _paragraph(held, page)


def _heading(line: str) -> bool:
    return bool(_NUMBERED.match(line)) or (4 < len(line) < 70 and line.isupper() and any(c.isalpha() for c in line)
                                           and sum(c.isdigit() for c in line) < 4)


def _ends(before: str, line: str) -> bool:
    """Say whether a paragraph ends before this line: a short finished line, or the start of a list item."""
    finished = before.endswith((".", ":", "?", "!")) and len(before) < 60
    paired = bool(_PAIR.match(before)) and len(before) < 60 and line[:1].isupper()
    return finished or paired or bool(_PAIR.match(line)) or bool(re.match(r"[•▪–\-] |\(?[a-z\d]\) ", line))


def _paragraph(lines: Sequence[str], page: int) -> Iterator[Block]:
    text = ""
    for line in lines:
        if text.endswith("-") and line[:1].islower() and text[-2:-1].isalpha():
            text = text[:-1] + line  # a word that the line end broke
        else:
            text = f"{text} {line}" if text else line
    if text.strip():
        yield Block(text=text.strip(), page=page)
