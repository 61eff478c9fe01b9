"""JSON and JSON Lines into blocks: each record one line of its fields, nested objects as sections."""

import json
from collections.abc import Iterator
from typing import Any

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.drivers.declared import declared, named
from pilothouse.steps.knowledge.errors import Unreadable

RECORDS_MAX = 200_000
DEPTH_MAX = 40
FLAT = 3
"""Levels of objects that are written into one record's line; deeper ones become sections."""
_TITLES = ("title", "name", "subject", "summary")


def parse(name: str, text: str) -> Parsed:
    """Parse one JSON value; raises Unreadable for what is none, is nested too deeply or has too many records."""
    try:
        whole = json.loads(text)
    except ValueError as broken:
        raise Unreadable(f"{name} is not JSON: {str(broken)[:120]}", reason="malformed") from broken
    title = next((str(whole[t]) for t in _TITLES if isinstance(whole, dict) and isinstance(whole.get(t), str)), "")
    return _parsed(name, title, tuple(_blocks(name, whole, 1)), "application/json")


def parse_lines(name: str, text: str) -> Parsed:
    """Parse one JSON value a line; the first line that is none is named."""
    lines = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    _require_few(name, len(lines))
    blocks: list[Block] = []
    for n, line in lines:
        try:
            blocks += _blocks(name, [json.loads(line)], 1)
        except ValueError as broken:
            raise Unreadable(f"{name}, line {n}, is not JSON: {str(broken)[:120]}", reason="malformed") from broken
    return _parsed(name, "", tuple(blocks), "application/jsonl")


def _parsed(name: str, title: str, blocks: tuple[Block, ...], media_type: str) -> Parsed:
    return declared(Parsed(title=" ".join(title.split()) or named(name), blocks=blocks, media_type=media_type))


def _require_few(name: str, records: int) -> None:
    if records > RECORDS_MAX:
        raise Unreadable(f"{name} has more than {RECORDS_MAX} records; load it as a table, not as a document",
                         reason="too-large")


def _blocks(name: str, value: Any, level: int) -> Iterator[Block]:
    """Yield an object's own fields first, then what is nested in it under its key."""
    if level > DEPTH_MAX:
        raise Unreadable(f"{name} is nested more than {DEPTH_MAX} levels deep; flatten it", reason="malformed")
    if isinstance(value, dict):
        plain = {k: v for k, v in value.items() if _is_flat(v, FLAT)}
        if shown := _fields(plain):
            yield Block(text=shown, kind="table")
        for key, inner in value.items():
            if key not in plain:
                yield Block(text=" ".join(str(key).split()) or "unnamed", kind="heading", level=min(level, 9))
                yield from _blocks(name, inner, level + 1)
    elif isinstance(value, list):
        _require_few(name, len(value))
        for item in value:
            yield from _blocks(name, item, level + 1)
    elif shown := _scalar(value):
        yield Block(text=shown)


def _is_flat(value: Any, deep: int) -> bool:
    """Say whether a value can be told in one line: no list of objects in it, and not too deep."""
    if isinstance(value, dict):
        return deep > 0 and all(_is_flat(v, deep - 1) for v in value.values())
    return not isinstance(value, list) or not any(isinstance(v, dict | list) for v in value)


def _fields(record: dict[str, Any], above: str = "") -> str:
    """Write `key: value` pairs; nested keys carry their path, lists are joined by commas, null says nothing."""
    told = []
    for key, value in record.items():
        path = f"{above}{' '.join(str(key).split())}"
        if isinstance(value, dict):
            told.append(_fields(value, f"{path}."))
        elif isinstance(value, list):
            told.append(_pair(path, ", ".join(s for v in value if (s := _scalar(v)))))
        else:
            told.append(_pair(path, _scalar(value)))
    return "; ".join(t for t in told if t)


def _pair(path: str, value: str) -> str:
    return f"{path}: {value}" if value else ""


def _scalar(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return "\n".join(" ".join(line.split()) for line in value.strip().splitlines())
        case _:
            return json.dumps(value)
