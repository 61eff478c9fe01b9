"""Plain texts as HTML: code in backticks, and the little Markdown of course texts; all else is escaped."""

import re
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

_MARKS = ((re.compile(r"`([^`\n]+)`"), r"<code>\1</code>"), (re.compile(r"\*\*([^*\n]+)\*\*"), r"<strong>\1</strong>"),
          (re.compile(r"(?<![\w*])\*(?!\s)([^*\n]+)(?<!\s)\*(?![\w*])"), r"<em>\1</em>"))
_ITEM = re.compile(r"^(?:[-*]|\d+\.) +")


def ticked(text: str) -> Markup:
    """Return a sentence whose `code` is set as code."""
    pattern, becomes = _MARKS[0]
    return Markup(pattern.sub(becomes, str(escape(text))))  # noqa: S704  # escaped first


def prose(text: str) -> Markup:
    """Return paragraphs and lists, with bold, italic and code."""
    blocks = re.split(r"\n\s*\n", text.strip())
    return Markup("\n").join(_block(block.splitlines()) for block in blocks if block.strip())


def _block(lines: Sequence[str]) -> Markup:
    if not any(_ITEM.match(line) for line in lines):
        return Markup("<p>{}</p>").format(_inline(" ".join(lines)))
    before, items = _items(lines)
    told = Markup("<p>{}</p>").format(_inline(before)) if before else Markup("")
    kind = "ol" if lines[-1][:1].isdigit() else "ul"
    return told + Markup(f"<{kind}>") + Markup("").join(  # noqa: S704  # one of two words
        Markup("<li>{}</li>").format(_inline(i)) for i in items) + Markup(f"</{kind}>")  # noqa: S704


def _items(lines: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return what stands before a list, and its items; a line without a mark goes on with the item above it."""
    before, items = "", list[str]()
    for line in _stripped(lines):
        if found := _ITEM.match(line):
            items.append(line[found.end():])
        elif items:
            items[-1] += f" {line}"
        else:
            before = f"{before} {line}".strip()
    return before, items


def _stripped(lines: Sequence[str]) -> Iterator[str]:
    return (line.strip() for line in lines)


def _inline(text: str) -> Markup:
    told = str(escape(text))
    for pattern, becomes in _MARKS:
        told = pattern.sub(becomes, told)
    return Markup(told)  # noqa: S704  # escaped first, marks put in after
