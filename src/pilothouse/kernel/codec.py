"""Contracts to JSON and back; unknown fields are refused by name, and schemas come with the docstrings."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec

from pilothouse.kernel.errors import Invalid

T = TypeVar("T")


def encode(value: object) -> bytes:
    """Write a contract as JSON."""
    return msgspec.json.encode(value)


def decode(body: bytes, kind: type[T]) -> T:
    """Read JSON into a contract; raises Invalid naming the field and what was expected."""
    try:
        raw = msgspec.json.decode(body)
    except msgspec.DecodeError as problem:
        raise Invalid(f"the body is not valid JSON: {problem}", field="$") from problem
    return convert(raw, kind)


def convert(raw: object, kind: type[T], *, from_text: bool = False) -> T:
    """Turn plain values into a contract; `from_text` also reads numbers and booleans from strings (query, CLI)."""
    refuse_unknown(raw, kind)
    try:
        return msgspec.convert(raw, kind, strict=not from_text)
    except msgspec.ValidationError as problem:
        message, _, where = str(problem).partition(" - at ")
        raise Invalid(message, field=where.strip("`") or "$") from problem


def refuse_unknown(raw: object, kind: Any, path: str = "$") -> None:
    """Raise Invalid at the first key that the contract does not have; msgspec alone would drop it in silence."""
    for part in _parts(kind):
        if dataclasses.is_dataclass(part) and isinstance(raw, Mapping):
            _check_keys(raw, part, path)
        elif isinstance(raw, list | tuple) and typing.get_origin(part) in (tuple, list):
            for i, item in enumerate(raw):
                refuse_unknown(item, typing.get_args(part)[0], f"{path}[{i}]")


def _check_keys(raw: Mapping[str, object], kind: Any, path: str) -> None:
    hints = _hints(kind)
    for key, value in raw.items():
        if key not in hints:
            raise Invalid(f"unknown field `{key}`{nearest(key, hints)}", field=f"{path}.{key}")
        refuse_unknown(value, hints[key], f"{path}.{key}")


def nearest(key: str, names: Iterable[str]) -> str:
    """Return `; did you mean …?` when a known name is close, else nothing."""
    close = difflib.get_close_matches(key, list(names), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _parts(kind: Any) -> tuple[Any, ...]:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)
