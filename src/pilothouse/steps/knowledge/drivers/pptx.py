"""PPTX into blocks, by python-pptx: a slide is a page, with its title, texts, tables and speaker notes."""

import io
from collections.abc import Iterator
from typing import Any

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers import packages
from pilothouse.steps.knowledge.drivers.declared import declared, named
from pilothouse.steps.knowledge.drivers.markdown import table_row
from pilothouse.steps.knowledge.errors import Unreadable

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
SLIDES_MAX = 2_000
DEPTH_MAX = 20
"""Groups within groups that are looked into."""


def parse(name: str, content: bytes) -> Parsed:
    """Parse a presentation; hidden slides are left out and said to be. Raises Unreadable for bombs and broken ones."""
    import pptx
    from pptx.exc import PythonPptxError

    packages.check(name, "pptx", content)
    with packages.reading(name, "pptx", PythonPptxError):
        deck = pptx.Presentation(io.BytesIO(content))
        slides = list(deck.slides)
        if len(slides) > SLIDES_MAX:
            raise Unreadable(f"{name} has more than {SLIDES_MAX} slides; split it", reason="too-large")
        hidden = [n for n, s in enumerate(slides, start=1) if s._element.get("show") in ("0", "false")]
        blocks = tuple(b for n, s in enumerate(slides, start=1) if n not in hidden for b in _slide(s, n))
        title = " ".join((deck.core_properties.title or "").split())
    telling = title if title and title.lower() != "powerpoint presentation" else ""
    first = next((b.text for b in blocks if b.kind == "heading"), "")
    notes = (f"hidden slides were left out: {', '.join(map(str, hidden))}",) if hidden else ()
    return declared(Parsed(title=telling or first or named(name), blocks=blocks, media_type=MEDIA_TYPE,
                           pages=len(slides), notes=notes))


def _slide(slide: Any, page: int) -> Iterator[Block]:
    title = slide.shapes.title
    if title is not None and (text := " ".join(title.text_frame.text.split())):
        yield Block(text=text, kind="heading", level=1, page=page)
    others = [s for s in slide.shapes if title is None or s.shape_id != title.shape_id]
    for shape in sorted(others, key=_place):
        yield from _shape(shape, page, 0)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        for line in slide.notes_slide.notes_text_frame.text.splitlines():
            if plain := " ".join(line.split()):
                yield Block(text=f"Speaker notes: {plain}", page=page)


def _place(shape: Any) -> tuple[int, int]:
    """Return where a shape stands, in tenths of an inch from the top: what stands beside each other reads from left."""
    return (shape.top or 0) // 91_440, shape.left or 0


def _shape(shape: Any, page: int, depth: int) -> Iterator[Block]:
    if hasattr(shape, "shapes") and depth < DEPTH_MAX:
        for inner in sorted(shape.shapes, key=_place):
            yield from _shape(inner, page, depth + 1)
    elif getattr(shape, "has_table", False):
        yield from _table(shape.table, page)
    elif getattr(shape, "has_text_frame", False):
        for paragraph in shape.text_frame.paragraphs:
            if text := " ".join("".join(run.text for run in paragraph.runs).split()):
                yield Block(text=text, kind="item" if shape.is_placeholder else "paragraph", page=page)


def _table(table: Any, page: int) -> Iterator[Block]:
    rows = [["" if c.is_spanned else " ".join(c.text_frame.text.split()) for c in row.cells] for row in table.rows]
    header = rows[0] if len(rows) > 1 else []
    for row in rows[1:] or rows:
        if any(row):
            yield Block(text=table_row(header, row), kind="table", page=page)
