"""The shared SQL spelled for Postgres: `?` becomes `$1`, `$2`, …, and column types become its own."""

import re
from functools import lru_cache

_TYPES = {"integer": "bigint", "real": "double precision", "blob": "bytea", "text": 'text collate "C"'}
"""Text compares by code point, as in SQLite, whatever the server's locale."""

_QUOTED_OR_MARK = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\?")
_TYPED_NAME = re.compile(r"(?<![\w'])(?!(?:column|add)\b)(\w+|\"[^\"]+\")(\s+)(integer|real|blob|text)\b",
                         re.IGNORECASE)


@lru_cache(maxsize=4096)
def numbered(sql: str) -> str:
    """Number the placeholders outside of quotes."""
    seen = 0

    def number(match: re.Match[str]) -> str:
        nonlocal seen
        if match[0] != "?":
            return match[0]
        seen += 1
        return f"${seen}"

    return _QUOTED_OR_MARK.sub(number, sql)


def typed(sql: str) -> str:
    """Map the type after each column's name: a column may itself be called `text`."""
    return _TYPED_NAME.sub(lambda match: f"{match[1]}{match[2]}{_TYPES[match[3].lower()]}", sql)
