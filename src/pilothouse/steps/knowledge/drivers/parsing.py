"""Which parser reads a file: its content and its extension must agree, and its limits must hold."""

import codecs
from collections.abc import Callable, Mapping
from importlib.metadata import version

from pilothouse.steps.knowledge.contracts import Parsed
from pilothouse.steps.knowledge.drivers import docx, html, mail, markdown, pdf, table
from pilothouse.steps.knowledge.errors import Unreadable

FILE_BYTES_MAX = 50 * 1024 * 1024
TEXT_CHARACTERS_MAX = 20_000_000
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "pdf"), (b"PK\x03\x04", "zip"), (b"\xd0\xcf\x11\xe0", "old office"), (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"), (b"GIF8", "picture"), (b"\x1f\x8b", "archive"), (b"\x7fELF", "program"),
    (b"MZ", "program"))
_EXPECTED: Mapping[str, str] = {"pdf": "pdf", "docx": "zip"}
_TEXTS: Mapping[str, Callable[[str, str], Parsed]] = {
    "md": markdown.parse, "markdown": markdown.parse, "txt": markdown.parse_text, "text": markdown.parse_text,
    "csv": table.parse, "tsv": table.parse}
_BYTES: Mapping[str, Callable[[str, bytes], Parsed]] = {
    "pdf": pdf.parse, "docx": docx.parse, "html": html.parse, "htm": html.parse, "eml": mail.parse}
KINDS = tuple(sorted({*_TEXTS, *_BYTES}))


class FileParser:
    """Reads md, txt, html, pdf, docx, csv and eml; everything else is refused with the reason."""

    def __init__(self) -> None:
        libraries = ("pypdfium2", "lxml", "python-docx", "markdown-it-py")
        self.name = "pilothouse-1 " + " ".join(f"{lib}-{version(lib)}" for lib in libraries)

    def parse(self, name: str, content: bytes) -> Parsed:
        """Parse one file; raises Unreadable with a stable reason and what to do."""
        kind = name.rpartition(".")[2].lower()
        _refuse(name, kind, content)
        parsed = _BYTES[kind](name, content) if kind in _BYTES else _TEXTS[kind](name, decoded(name, content))
        if sum(len(b.text) for b in parsed.blocks) > TEXT_CHARACTERS_MAX:
            raise Unreadable(f"{name} holds more than {TEXT_CHARACTERS_MAX} characters of text; split it",
                             reason="too-large")
        return parsed


def _refuse(name: str, kind: str, content: bytes) -> None:
    if len(content) > FILE_BYTES_MAX:
        raise Unreadable(f"{name} is larger than 50 MB; split it", reason="too-large")
    if not content.strip():
        raise Unreadable(f"{name} is empty", reason="empty")
    if kind not in KINDS:
        raise Unreadable(f"{name}: `.{kind}` is not read; these are: {', '.join(KINDS)}", reason="unknown-kind")
    found = next((what for signature, what in _SIGNATURES if content.startswith(signature)), "text")
    if found != _EXPECTED.get(kind, "text"):
        raise Unreadable(f"{name} says `.{kind}` but holds {found}; give it its real extension",
                         reason="wrong-extension")


def decoded(name: str, content: bytes) -> str:
    """Return text as UTF-8, UTF-16 with its mark, or plausible Windows-1252; raises Unreadable for anything else."""
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
                           (codecs.BOM_UTF16_BE, "utf-16")):
        if content.startswith(mark):
            return _checked(name, content, encoding)
    if b"\0" in content:
        raise Unreadable(f"{name} holds bytes that no text has; save it as UTF-8", reason="encoding")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _checked(name, content, "cp1252")


def _checked(name: str, content: bytes, encoding: str) -> str:
    """Decode, and refuse what decodes into control characters: it was another encoding."""
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as broken:
        raise Unreadable(f"{name} is in no known encoding; save it as UTF-8", reason="encoding") from broken
    high = sum(c > "\x7f" for c in text)
    strange = sum((c < " " and c not in "\t\n\r\f") or "\x7f" <= c <= "\x9f" for c in text)
    if strange or (encoding == "cp1252" and high > len(text) * 0.3):
        raise Unreadable(f"{name} is in no known encoding; save it as UTF-8", reason="encoding")
    return text
