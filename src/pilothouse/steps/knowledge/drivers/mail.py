"""E-mail files into blocks: subject, sender, day and body; attachments are named, not opened."""

import email
import email.policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers import html, markdown
from pilothouse.steps.knowledge.drivers.declared import declared, named
from pilothouse.steps.knowledge.errors import Unreadable

HEADER_MAX = 4_000


def parse(name: str, content: bytes) -> Parsed:
    """Parse an .eml file; raises Unreadable when it is none."""
    try:
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        _refuse_endless(name, message)
        return _parsed(name, message)
    except (MessageError, LookupError, UnicodeError, ValueError, AttributeError, TypeError, IndexError, KeyError
            ) as broken:
        raise Unreadable(f"{name} is not a readable e-mail; export it again", reason="malformed") from broken


def _parsed(name: str, message: EmailMessage) -> Parsed:
    subject = " ".join(_shown(message, "subject").split()) or named(name)
    body = message.get_body(preferencelist=("plain", "html"))
    blocks: tuple[Block, ...] = ()
    if body is not None and body.get_content_type() == "text/html":
        blocks = html.parse(name, str(body.get_content())).blocks
    elif body is not None:
        blocks = markdown.parse_text(name, str(body.get_content())).blocks
    head = [f"{h.capitalize()}: {shown}" for h in ("from", "to", "date") if (shown := _shown(message, h))]
    attached = [f"Attachment: {a.get_filename()}" for a in message.iter_attachments() if a.get_filename()]
    whole = (Block(text=subject, kind="heading", level=1), Block(text="\n".join(head)), *blocks,
             *(Block(text=line) for line in attached))
    day = _day(_shown(message, "date"))
    return declared(Parsed(title=subject, blocks=whole, media_type="message/rfc822"), {"date": day} if day else None)


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
