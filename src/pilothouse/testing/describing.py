"""Requests and answers held against an OpenAPI description: what is asked must be offered, what comes must fit."""

import re
from collections.abc import Mapping
from typing import Any

_PLAIN: Mapping[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float),
                                          "boolean": (bool,), "array": (list,), "object": (dict,)}


def offered(description: Mapping[str, Any], method: str, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the operation that a request is; raises AssertionError for one that the description does not offer."""
    for template, operations in description["paths"].items():
        shape = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(shape, path) and method.lower() in operations:
            operation: Mapping[str, Any] = operations[method.lower()]
            named = [_followed(description, p) for p in (*operation.get("parameters", ()),
                                                         *operations.get("parameters", ()))]
            unknown = set(query) - {p["name"] for p in named if p["in"] == "query"}
            assert not unknown, f"{method} {template} takes no {unknown}"
            missing = {p["name"] for p in named if p["in"] == "query" and p.get("required")} - set(query)
            assert not missing, f"{method} {template} needs {missing}"
            return operation
    raise AssertionError(f"{method} {path} is not offered")


def fits(description: Mapping[str, Any], operation: Mapping[str, Any], answer: object, status: str = "200") -> None:
    """Require that an answer has the fields and kinds that the description gives it."""
    schema = operation["responses"][status]["content"]["application/json"]["schema"]
    _fits(description, schema, answer, "$")


def _fits(description: Mapping[str, Any], schema: Mapping[str, Any], value: object, where: str) -> None:
    schema = _followed(description, schema)
    for part in schema.get("allOf", ()):
        _fits(description, part, value, where)
    kind = schema.get("type")
    if kind:
        assert isinstance(value, _PLAIN[kind]), f"{where} is no {kind}"
        assert kind != "integer" or not isinstance(value, bool), where
    if "enum" in schema:
        assert value in schema["enum"], f"{where}: {value} is none of {schema['enum']}"
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), f"{where} lacks {set(schema['required']) - set(value)}"
        closed = schema.get("additionalProperties") is False
        assert not closed or set(value) <= set(schema.get("properties", {})), f"{where} has more than is described"
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                _fits(description, inner, value[name], f"{where}.{name}")
    if isinstance(value, list):
        for n, item in enumerate(value):
            _fits(description, schema.get("items", {}), item, f"{where}[{n}]")


def _followed(description: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        found: Any = description
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema
