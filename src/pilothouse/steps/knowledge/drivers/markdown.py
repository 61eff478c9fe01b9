"""Markdown and plain text into blocks, by markdown-it's tokens."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers.declared import declared, named

_FRONT = re.compile(r"\A---[ \t]*\n(.{0,8000}?)\n---[ \t]*\n", re.DOTALL)
_KNOWN = frozenset({"title", "version", "effective", "effective date", "effective_date", "effective-date", "supersedes",
                    "replaces", "date"})
_CUT = re.compile(r"\n\n(?=[^\W\d_]|#)")
PART_LENGTH = 500_000
_BREAKS = {"softbreak": " ", "hardbreak": "\n"}
_PAIR = re.compile(r"^([A-Za-z_ ]{1,40}):[ \t]*(.{0,500})$", re.MULTILINE)


@cache
def _reader() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table")


def parse(name: str, text: str) -> Parsed:
    """Parse Markdown with its front matter."""
    front = _FRONT.match(text)
    meta = {k.strip().lower(): v.strip().strip("\"'") for k, v in _PAIR.findall(front.group(1))} if front else {}
    parts = _parts(text[front.end():] if front else text)
    blocks = tuple(block for part in parts for block in _blocks(_reader().parse(part)))
    title = next((b.text for b in blocks if b.kind == "heading"), named(name))
    return declared(Parsed(title=title, blocks=blocks, media_type="text/markdown"), _known(meta))


def _parts(text: str) -> Iterator[str]:
    """Cut a very long text where paragraphs begin outside fences: the tokens of 20 MB at once would fill the memory."""
    start = seen = fences = 0
    for cut in _CUT.finditer(text, PART_LENGTH):
        fences += text.count("\n```", seen, cut.end()) + text.count("\n~~~", seen, cut.end())
        seen = cut.end()
        if cut.end() - start >= PART_LENGTH and fences % 2 == 0:
            yield text[start:cut.end()]
            start = cut.end()
    yield text[start:]


def parse_text(name: str, text: str) -> Parsed:
    """Parse plain text: paragraphs are parted by blank lines, and the first short line is the title."""
    paragraphs = [p.strip() for p in re.split(r"\n\s*\n", text) if p.strip()]
    first = paragraphs[0].splitlines()[0].strip() if paragraphs else ""
    title = first if 0 < len(first) <= 120 else named(name)
    return declared(Parsed(title=title, blocks=tuple(Block(text=p) for p in paragraphs), media_type="text/plain"))


def _known(meta: Mapping[str, str]) -> Mapping[str, str]:
    return {k: v for k, v in meta.items() if k in _KNOWN}


def _blocks(tokens: list[Any]) -> Iterator[Block]:
    header: list[str] = []
    row: list[str] = []
    depth = 0
    for i, token in enumerate(tokens):
        if token.type == "inline" and tokens[i - 1].type == "heading_open":
            yield Block(text=_plain(token), kind="heading", level=int(tokens[i - 1].tag[1]))
        elif token.type == "inline" and tokens[i - 1].type in ("th_open", "td_open"):
            row.append(_plain(token))
        elif token.type == "tr_close":
            if tokens[i - 1].type == "th_close":
                header = row
            else:
                yield Block(text=table_row(header, row), kind="table")
            row = []
        elif token.type in ("list_item_open", "list_item_close"):
            depth += 1 if token.type.endswith("open") else -1
        elif token.type == "inline":
            yield Block(text=_plain(token), kind="item" if depth else "paragraph")
        elif token.type in ("fence", "code_block"):
            yield Block(text=token.content.strip(), kind="code")


def _plain(token: Any) -> str:
    """Return an inline token's text without marks; a line ends where the author ended it, not where the file does."""
    parts = [_BREAKS.get(c.type, c.content) for c in token.children or ()]
    return "\n".join(" ".join(line.split()) for line in "".join(parts).split("\n"))


def table_row(header: list[str], row: list[str]) -> str:
    """Write a table row so that it says something by itself: `Record: Call recordings; Kept for: 13 months`."""
    cells = [(header[i] if i < len(header) else "", cell) for i, cell in enumerate(row) if cell]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in cells)
