"""HTML into blocks, by lxml: what a reader sees, under its headings."""

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers.declared import declared, named
from pilothouse.steps.knowledge.drivers.markdown import table_row
from pilothouse.steps.knowledge.errors import Unreadable

_SILENT = frozenset({"script", "style", "noscript", "template", "svg", "nav", "head", "iframe", "object"})
_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_WHOLE = frozenset({"p", "li", "dt", "dd", "pre", "blockquote", "figcaption", "caption", "address", "summary"})
_INLINE = frozenset("""a abbr b bdi bdo big br cite code data del dfn em font i img ins kbd label mark q s samp small
span strong sub sup time tt u var wbr""".split())
DEPTH_MAX = 200
SPAN_MAX = 100
_CHARSET = re.compile(rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?([A-Za-z0-9_:.-]{2,40})",
                      re.IGNORECASE)
_DECLARING = re.compile(r"(?:version|effective[-_ ]?(?:date|from)?|supersedes|replaces|date)$", re.IGNORECASE)
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_LINE_END = "\ue000"
"""Stands for `<br>` until blanks are tidied; no text has this character, which Unicode gives no meaning."""


def charset(content: bytes) -> str:
    """Return the charset that a page declares in its first bytes, lower-cased, or nothing."""
    found = _CHARSET.search(content[:2048])
    return found.group(1).decode("ascii").lower() if found else ""


def parse(name: str, text: str) -> Parsed:
    """Parse a decoded page: what was declared of its encoding does not count any more."""
    from lxml import etree, html

    try:
        root = html.document_fromstring(text.encode("utf-8", "replace"), parser=html.HTMLParser(
            encoding="utf-8", huge_tree=False, no_network=True))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as broken:
        raise Unreadable(f"{name} is not readable HTML; save it again from its program", reason="malformed") from broken
    title, meta = _clean(root.findtext(".//title") or ""), _meta(root)
    _drop_unseen(root)
    blocks = tuple(_blocks(root, 0))
    first = next((b.text for b in blocks if b.kind == "heading"), "")
    # page titles carry the site's name behind the document's: where the first heading is in it, that is the title
    title = first if first and (first in title or not title) else title or named(name)
    return declared(Parsed(title=title, blocks=blocks, media_type="text/html"), meta)


def _meta(root: Any) -> Mapping[str, str]:
    return {m.get("name", ""): m.get("content", "") for m in root.iter("meta") if _DECLARING.match(m.get("name", ""))}


def _drop_unseen(root: Any) -> None:
    """Take out what no reader sees: an answer must not be steered by text that was hidden from whoever checked it."""
    unseen = [n for n in root.iter() if not isinstance(n.tag, str) or n.tag in _SILENT or "hidden" in n.attrib
              or _HIDING.search(n.get("style", ""))]
    for node in unseen:
        if node.getparent() is not None:
            node.drop_tree()
    for line_end in root.iter("br"):
        line_end.tail = _LINE_END + (line_end.tail or "")


def _clean(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.split(_LINE_END))
    return "\n".join(line for line in lines if line)


def _blocks(node: Any, depth: int) -> Iterator[Block]:
    tag = node.tag if isinstance(node.tag, str) else ""
    if not tag or depth > DEPTH_MAX:
        return
    if tag in _HEADINGS:
        yield from _block(node, "heading", _HEADINGS[tag])
    elif tag == "table":
        yield from _table(node)
    elif tag in _WHOLE and not any(child.tag in ("p", "ul", "ol", "table", "div") for child in node):
        yield from _block(node, "item" if tag == "li" else "paragraph", 0)
    else:
        yield from _mixed(node, depth)


def _mixed(node: Any, depth: int) -> Iterator[Block]:
    """Walk text and children in turn: what runs on in one line is one paragraph, whatever its marks."""
    line = node.text or ""
    for child in node:
        if _runs_on(child):
            line += child.text_content() + (child.tail or "")
            continue
        yield from _paragraph(line)
        yield from _blocks(child, depth + 1)
        line = child.tail or ""
    yield from _paragraph(line)


def _runs_on(node: Any) -> bool:
    return node.tag in _INLINE and all(inner.tag in _INLINE for inner in node.iterdescendants())


def _paragraph(line: str) -> Iterator[Block]:
    if plain := _clean(line):
        yield Block(text=plain)


def _block(node: Any, kind: str, level: int) -> Iterator[Block]:
    if text := _clean(node.text_content()):
        yield Block(text=text, kind=kind, level=level)  # type: ignore[arg-type]


def _table(table: Any) -> Iterator[Block]:
    header: list[str] = []
    told = False
    for row, cells in _spread(table):
        named = all(c.tag == "th" for c in row if c.tag in ("td", "th"))
        if named and not told:
            header = [" ".join(dict.fromkeys(w for w in both if w))
                      for both in zip_longest(header, cells, fillvalue="")]
        elif any(cells):
            told = True
            yield Block(text=table_row(header, cells), kind="table")


def _spread(table: Any) -> Iterator[tuple[Any, list[str]]]:
    """Yield rows of one table with their cells by column: what spans rows or names several columns is told in each."""
    below: dict[int, tuple[int, str]] = {}
    for row in table.iter("tr"):
        if next(row.iterancestors("table"), None) is not table:
            continue  # of a table within a cell, whose text the cell tells
        cells: list[str] = []
        for cell in (c for c in row if c.tag in ("td", "th")):
            _carry(below, cells)
            text, wide, high = " ".join(_clean(cell.text_content()).split()), _span(cell, "col"), _span(cell, "row")
            for n in range(wide):
                if high > 1:
                    below[len(cells)] = (high, text)
                cells.append(text if n == 0 or cell.tag == "th" else "")
        _carry(below, cells)
        below = {at: (left - 1, text) for at, (left, text) in below.items() if left > 1}
        yield row, cells


def _carry(below: dict[int, tuple[int, str]], cells: list[str]) -> None:
    """Add the cells that reach down from a row above, where they stand."""
    while len(cells) in below and len(cells) < SPAN_MAX:
        cells.append(below[len(cells)][1])


def _span(cell: Any, which: str) -> int:
    said = str(cell.get(f"{which}span", "1")).strip()
    return min(max(int(said), 1), SPAN_MAX) if said.isascii() and said.isdigit() and len(said) < 6 else 1
