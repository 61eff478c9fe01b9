"""E-mail files into blocks: subject, sender, day and body; attachments are named, not opened."""

import email
import email.policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers import html, markdown
from pilothouse.steps.knowledge.drivers.declared import declared
from pilothouse.steps.knowledge.errors import Unreadable


def parse(name: str, content: bytes) -> Parsed:
    """Parse an .eml file; raises Unreadable when it is none."""
    try:
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return _parsed(name, message)
    except (MessageError, LookupError, UnicodeError, ValueError, AttributeError, TypeError, IndexError, KeyError
            ) as broken:
        raise Unreadable(f"{name} is not a readable e-mail; export it again", reason="malformed") from broken


def _parsed(name: str, message: EmailMessage) -> Parsed:
    subject = str(message.get("subject", "")).strip() or name.rpartition("/")[2]
    body = message.get_body(preferencelist=("plain", "html"))
    blocks: tuple[Block, ...] = ()
    if body is not None and body.get_content_type() == "text/html":
        blocks = html.parse(name, str(body.get_content()).encode()).blocks
    elif body is not None:
        blocks = markdown.parse_text(name, str(body.get_content())).blocks
    head = [f"{h.capitalize()}: {message[h]}" for h in ("from", "to", "date") if message.get(h)]
    attached = [f"Attachment: {a.get_filename()}" for a in message.iter_attachments() if a.get_filename()]
    whole = (Block(text=subject, kind="heading", level=1), Block(text="\n".join(head)), *blocks,
             *(Block(text=line) for line in attached))
    day = parsedate_to_datetime(str(message["date"])).date().isoformat() if message.get("date") else ""
    return declared(Parsed(title=subject, blocks=whole, media_type="message/rfc822"), {"date": day} if day else None)
