"""DOCX into blocks, by python-docx; what a zip claims to hold is checked before anything is unpacked."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers.declared import declared, named
from pilothouse.steps.knowledge.drivers.markdown import table_row
from pilothouse.steps.knowledge.errors import Unreadable

UNPACKED_BYTES_MAX = 200 * 1024 * 1024
RATIO_MAX = 200
MEMBERS_MAX = 5_000


def parse(name: str, content: bytes) -> Parsed:
    """Parse a Word document; raises Unreadable for bombs, protected and damaged ones."""
    import docx
    from lxml import etree

    _refuse_bomb(name, content)
    try:
        document = docx.Document(io.BytesIO(content))
        blocks = tuple(_blocks(document))
        title = (document.core_properties.title or "").strip()
    except (KeyError, ValueError, etree.XMLSyntaxError, zipfile.BadZipFile, AttributeError, IndexError, OSError,
            NotImplementedError, EOFError, zlib.error, struct.error) as broken:
        raise Unreadable(f"{name} is not a readable Word document; save it again as .docx", reason="malformed"
                         ) from broken
    title = title or next((b.text for b in blocks if b.kind == "heading"), named(name))
    return declared(Parsed(title=title, blocks=blocks, media_type=MEDIA_TYPE))


MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def _refuse_bomb(name: str, content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError) as broken:
        raise Unreadable(f"{name} is damaged; save it again as .docx", reason="malformed") from broken
    if any(m.flag_bits & 1 for m in members):
        raise Unreadable(f"{name} is protected by a password; save it without one", reason="encrypted")
    unpacked = sum(m.file_size for m in members)
    if len(members) > MEMBERS_MAX or unpacked > UNPACKED_BYTES_MAX or unpacked > RATIO_MAX * max(len(content), 10_000):
        raise Unreadable(f"{name} would unpack to {unpacked} bytes; that is no honest document", reason="zip-bomb")


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
    rows = [[" ".join(c.text.split()) for c in row.cells] for row in table.rows]
    header = rows[0] if len(rows) > 1 else []
    for row in rows[1:] or rows:
        if any(row):
            yield Block(text=table_row(header, row), kind="table")
