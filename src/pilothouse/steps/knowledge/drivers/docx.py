"""DOCX into blocks, by python-docx."""

import io
from collections.abc import Iterator
from typing import Any

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers import packages
from pilothouse.steps.knowledge.drivers.declared import declared, named
from pilothouse.steps.knowledge.drivers.markdown import table_row

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def parse(name: str, content: bytes) -> Parsed:
    """Parse a Word document; raises Unreadable for bombs, protected and damaged ones."""
    import docx

    packages.check(name, "docx", content)
    with packages.reading(name, "docx"):
        document = docx.Document(io.BytesIO(content))
        blocks = tuple(_blocks(document))
        title = (document.core_properties.title or "").strip()
    title = title or next((b.text for b in blocks if b.kind == "heading"), named(name))
    return declared(Parsed(title=title, blocks=blocks, media_type=MEDIA_TYPE))


def _blocks(document: Any) -> Iterator[Block]:
    from docx.table import Table

    for part in document.iter_inner_content():
        if isinstance(part, Table):
            yield from _table(part)
            continue
        text = " ".join(part.text.split())
        style = (part.style.name or "") if part.style is not None else ""
        if text and (style.startswith("Heading") or style == "Title"):
            yield Block(text=text, kind="heading", level=int(style[-1]) if style[-1] in "123456789" else 1)
        elif text:
            yield Block(text=text, kind="item" if style.startswith("List") else "paragraph")


def _table(table: Any) -> Iterator[Block]:
    rows = [_cells(row) for row in table.rows]
    header = rows[0] if len(rows) > 1 else []
    for row in rows[1:] or rows:
        told = [cell if n == 0 or not (cell and row[n - 1] is cell) else "" for n, cell in enumerate(row)]
        if any(told):
            yield Block(text=table_row(header, told), kind="table")


def _cells(row: Any) -> list[str]:
    """Return a row's cells as text; a cell that spans columns comes once a column, as one and the same text."""
    texts: dict[int, str] = {}
    return [texts.setdefault(id(cell._tc), " ".join(cell.text.split())) for cell in row.cells]
