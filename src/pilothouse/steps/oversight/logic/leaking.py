"""Secrets in texts: keys and passwords that no model and no log should ever see."""

import re2

WITHHELD = "[secret withheld]"

_SHAPES = (
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?s:.*?)(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----|$)",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{22,}\b",
    r"\bsk-(?:[a-z]+-)*[A-Za-z0-9_-]{20,}\b",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}\b",
    r"\bAIza[0-9A-Za-z_-]{35}\b",
    r"\b[sr]k_(?:live|test)_[0-9A-Za-z]{20,}\b",
    r"\bph[fs]?_[A-Za-z0-9_-]{30,}\b",
    r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    r"\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|redis|amqps?|https?)://[^\s:/@]{1,80}:[^\s:/@]{3,}@",
    r"(?i:\b(?:password|passwd|pwd|passphrase|api[ _-]?key|secret[ _-]?key|access[ _-]?token|client[ _-]?secret)\b"
    r"[\"']?\s*(?:=|:|\bis\b)\s*[\"']?[A-Za-z0-9!#$%&*+./?@^_~-]*[0-9!#$%&*+/?@^~][A-Za-z0-9!#$%&*+./?@^_~-]{4,})",
)
_SECRET = re2.compile("|".join(f"(?:{shape})" for shape in _SHAPES))


def withhold(text: str) -> tuple[str, int]:
    """Return the text with every secret replaced for good, and how many there were."""
    shown, found = _SECRET.subn(WITHHELD, text)
    return shown, found


def holds_secret(text: str) -> bool:
    """Return whether a text has the shape of a secret in it."""
    return _SECRET.search(text) is not None
