"""OpenAPI 3.1 from the list of operations: paths, contracts with their docstrings, and the errors all share."""

import typing
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pilothouse.doors.http.operations import required
from pilothouse.kernel.operation import Operation

_REF = "#/components/schemas/{name}"


def describe(operations: Iterable[Operation], *, version: str) -> Mapping[str, Any]:
    """Return the OpenAPI document of these operations."""
    offered = tuple(operations)
    types = [t for o in offered for t in (o.request, o.result) if t is not type(None)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for o in offered:
        paths.setdefault(o.path, {})[o.verb.lower()] = _described(o, by_type)
    return {"openapi": "3.1.0",
            "info": {"title": "Pilothouse", "version": version, "license": {"name": "Apache-2.0"},
                     "description": "Every public operation; the wire-compatible endpoints lie under /v1/."},
            "paths": paths, "security": [{"key": []}],
            "components": {"schemas": {**components, "Problem": _PROBLEM},
                           "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}}


def _described(o: Operation, by_type: Mapping[str, Any]) -> Mapping[str, Any]:
    hints, needed = typing.get_type_hints(o.request), required(o.request)
    in_path = [name for name in hints if "{" + name + "}" in o.path]
    in_query = [name for name in hints if name not in in_path] if o.verb == "GET" else []
    described: dict[str, Any] = {
        "operationId": o.name, "summary": o.summary, "tags": [o.name.partition(".")[0]], "x-effect": o.effect,
        "parameters": [_parameter(name, hints[name], "path", True) for name in in_path]
        + [_parameter(name, hints[name], "query", name in needed) for name in in_query],
        "responses": {"200": _content("What it gives back", _schema(o.result, by_type)),
                      "default": _content("What went wrong", {"$ref": _REF.format(name="Problem")},
                                          "application/problem+json")}}
    if o.verb != "GET":
        described["requestBody"] = {"required": bool(set(needed) - set(in_path)),
                                    "content": {"application/json": {"schema": _schema(o.request, by_type)}}}
    return described


def _parameter(name: str, hint: Any, where: str, needed: bool) -> Mapping[str, Any]:
    return {"name": name, "in": where, "required": needed, "schema": msgspec.json.schema(hint)}


def _schema(kind: Any, by_type: Mapping[str, Any]) -> Any:
    return {"type": "null"} if kind is type(None) else by_type[repr(kind)]


def _content(description: str, schema: Any, media: str = "application/json") -> Mapping[str, Any]:
    return {"description": description, "content": {media: {"schema": schema}}}


_PROBLEM: Mapping[str, Any] = {
    "title": "Problem", "description": "RFC 9457 problem details; further members are typed facts about the refusal.",
    "type": "object", "required": ["type", "title", "status", "code"],
    "properties": {"type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                   "code": {"type": "string"}}}
