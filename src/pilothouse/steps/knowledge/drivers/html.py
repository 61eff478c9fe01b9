"""HTML into blocks, by lxml: what a reader sees, under its headings."""

from collections.abc import Iterator, Mapping
from typing import Any

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers.declared import declared
from pilothouse.steps.knowledge.drivers.markdown import table_row
from pilothouse.steps.knowledge.errors import Unreadable

_SILENT = frozenset({"script", "style", "noscript", "template", "svg", "nav", "head", "iframe", "object"})
_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_WHOLE = frozenset({"p", "li", "dt", "dd", "pre", "blockquote", "figcaption", "caption", "address", "summary"})
DEPTH_MAX = 200


def parse(name: str, content: bytes) -> Parsed:
    """Parse HTML bytes; their own charset declaration counts."""
    from lxml import etree, html

    try:
        root = html.document_fromstring(content, parser=html.HTMLParser(huge_tree=False, no_network=True))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as broken:
        raise Unreadable(f"{name} is not readable HTML; save it again from its program", reason="malformed") from broken
    blocks = tuple(_blocks(root, 0))
    title = (root.findtext(".//title") or "").strip() or next((b.text for b in blocks if b.kind == "heading"), name)
    return declared(Parsed(title=title, blocks=blocks, media_type="text/html"), _meta(root))


def _meta(root: Any) -> Mapping[str, str]:
    wanted = {"version", "effective", "supersedes", "date"}
    return {m.get("name", "").lower(): m.get("content", "") for m in root.iter("meta")
            if m.get("name", "").lower() in wanted}


def _blocks(node: Any, depth: int) -> Iterator[Block]:
    tag = node.tag if isinstance(node.tag, str) else ""
    if not tag or tag in _SILENT or depth > DEPTH_MAX:
        return
    if tag in _HEADINGS:
        yield from _block(node, "heading", _HEADINGS[tag])
    elif tag == "table":
        yield from _table(node)
    elif tag in _WHOLE and not any(child.tag in ("p", "ul", "ol", "table", "div") for child in node):
        yield from _block(node, "item" if tag == "li" else "paragraph", 0)
    else:
        yield from _own_text(node.text)
        for child in node:
            yield from _blocks(child, depth + 1)
            yield from _own_text(child.tail)


def _own_text(text: str | None) -> Iterator[Block]:
    if text and text.strip():
        yield Block(text=" ".join(text.split()))


def _block(node: Any, kind: str, level: int) -> Iterator[Block]:
    text = " ".join(node.text_content().split())
    if text:
        yield Block(text=text, kind=kind, level=level)  # type: ignore[arg-type]


def _table(table: Any) -> Iterator[Block]:
    header: list[str] = []
    for row in table.iter("tr"):
        cells = [" ".join(c.text_content().split()) for c in row if c.tag in ("td", "th")]
        if not header and all(c.tag == "th" for c in row if c.tag in ("td", "th")):
            header = cells
        elif any(cells):
            yield Block(text=table_row(header, cells), kind="table")
