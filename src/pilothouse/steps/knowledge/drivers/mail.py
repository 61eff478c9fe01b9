"""E-mail files into blocks: subject, sender, day and body, then what attachments say that can be read."""

import email
import email.policy
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers import html, markdown
from pilothouse.steps.knowledge.drivers.declared import declared, named
from pilothouse.steps.knowledge.errors import Unreadable

HEADER_MAX = 4_000
ATTACHMENTS_MAX = 50

Attached = Callable[[str, bytes], Parsed]
"""Parses an attachment by its name and bytes, or raises Unreadable."""


def parse(name: str, content: bytes, attached: Attached) -> Parsed:
    """Parse an .eml file; raises Unreadable when it is none. What cannot be read of attachments is counted."""
    try:
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        _refuse_endless(name, message)
        return _parsed(name, message, attached)
    except (MessageError, LookupError, UnicodeError, ValueError, AttributeError, TypeError, IndexError, KeyError
            ) as broken:
        raise Unreadable(f"{name} is not a readable e-mail; export it again", reason="malformed") from broken


def _parsed(name: str, message: EmailMessage, attached: Attached) -> Parsed:
    subject = " ".join(_shown(message, "subject").split()) or named(name)
    body = message.get_body(preferencelist=("plain", "html"))
    blocks: tuple[Block, ...] = ()
    if body is not None and body.get_content_type() == "text/html":
        blocks = html.parse(name, str(body.get_content())).blocks
    elif body is not None:
        blocks = markdown.parse_text(name, str(body.get_content())).blocks
    head = [f"{h.capitalize()}: {shown}" for h in ("from", "to", "date") if (shown := _shown(message, h))]
    notes: list[str] = []
    files = list(message.iter_attachments())[:ATTACHMENTS_MAX + 1]
    if len(files) > ATTACHMENTS_MAX:
        notes.append(f"attachments after the first {ATTACHMENTS_MAX} were not read")
    within = [b for n, part in enumerate(files[:ATTACHMENTS_MAX], start=1)
              for b in _attachment(part, n, attached, notes)]
    whole = (Block(text=subject, kind="heading", level=1), Block(text="\n".join(head)), *blocks, *within)
    day = _day(_shown(message, "date"))
    return declared(Parsed(title=subject, blocks=whole, media_type="message/rfc822", notes=tuple(notes)),
                    {"date": day} if day else None)


def _attachment(part: EmailMessage, number: int, attached: Attached, notes: list[str]) -> Iterator[Block]:
    """Yield an attachment's name and what it says, a section a page; one that cannot be read is named and noted."""
    nested = part.get_content_type() == "message/rfc822"
    name = part.get_filename() or ("message.eml" if nested else "")
    if not name:
        return
    shown = " ".join(name.split())[:200]
    try:
        parsed = attached("message.eml" if nested else name, _bytes(part))
    except Unreadable as refused:
        notes.append(f"attachment {number} was not read: {refused.facts.get('reason', 'unreadable')}")
        yield Block(text=f"Attachment: {shown}")
        return
    notes += [f"attachment {number}: {note}" for note in parsed.notes]
    yield Block(text=f"Attachment: {shown}", kind="heading", level=2)
    page = None
    for block in parsed.blocks:
        if block.page is not None and block.page != page:
            page = block.page
            yield Block(text=f"Page {page}", kind="heading", level=3)
        deeper = block.level + 3 if block.kind == "heading" else 0
        yield replace(block, page=None, level=deeper)


def _bytes(part: EmailMessage) -> bytes:
    content = part.get_content()
    if isinstance(content, EmailMessage):
        return content.as_bytes()
    return content if isinstance(content, bytes) else str(content).encode("utf-8", "surrogateescape")


def _refuse_endless(name: str, message: EmailMessage) -> None:
    """Refuse headers that steer the parsing and are longer than any program writes: reading them takes minutes."""
    for part in message.walk():
        if any(key.lower().startswith("content-") and len(str(value)) > HEADER_MAX for key, value in part.raw_items()):
            raise Unreadable(f"{name} has an endless header; export it again", reason="malformed")


def _shown(message: EmailMessage, wanted: str) -> str:
    """Return a header as text; an endless one is cut and not decoded."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == wanted), "")
    return raw[:HEADER_MAX] + " …" if len(raw) > HEADER_MAX else str(message.get(wanted, "")).strip()


def _day(sent: str) -> str:
    try:
        return parsedate_to_datetime(sent).date().isoformat()
    except (ValueError, TypeError, IndexError):
        return ""
