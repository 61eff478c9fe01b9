"""One HTTP route an operation: path, query and body become its request contract, its result becomes JSON."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pilothouse.doors.http.identity import Identity
from pilothouse.doors.http.problems import problem
from pilothouse.kernel.codec import convert, encode
from pilothouse.kernel.errors import Denied, Exhausted, Invalid, PilothouseError, Unauthenticated
from pilothouse.kernel.operation import Operation

BODY_BYTES_MAX = 80 * 1024 * 1024
"""Largest request body; uploads of documents are the largest thing anybody sends."""


class TooLarge(Exhausted):
    """The request body is larger than the stated limit."""

    code, status = "http.too_large", 413


def route(operation: Operation, identity: Identity) -> Route:
    """Return the route that offers an operation to holders of an API key."""

    async def endpoint(request: Request) -> Response:
        try:
            call = await identity.by_key(request.headers)
        except PilothouseError as refused:
            return refusal(refused)
        try:
            result = await operation.function(call, await request_of(operation, request))
        except Denied as denied:
            await identity.directory.record_refusal(call, operation.name, denied)
            return refusal(denied)
        except PilothouseError as failed:
            return refusal(failed)
        return Response(encode(result), media_type="application/json", headers={"cache-control": "no-store"})

    return Route(operation.path, endpoint, methods=[operation.verb], name=operation.name)


def refusal(error: PilothouseError) -> Response:
    """Return an error as a problem document."""
    headers = {"www-authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
    return Response(problem(error), status_code=error.status, media_type="application/problem+json", headers=headers)


async def request_of(operation: Operation, request: Request) -> Any:
    """Read a request contract: the JSON body or the query, with path parameters on top."""
    hints = typing.get_type_hints(operation.request)
    path = {name: _read(text, hints[name], name) for name, text in request.path_params.items() if name in hints}
    if operation.verb == "GET":
        return convert({**_query(request, hints), **path}, operation.request, from_text=True)
    return convert({**_body(await body_of(request)), **path}, operation.request)


async def body_of(request: Request) -> bytes:
    """Read the whole body, refusing one that passes the limit before it is in memory."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            raise TooLarge(f"a request may carry at most {BODY_BYTES_MAX} bytes", limit_bytes=BODY_BYTES_MAX)
        chunks.append(chunk)
    return b"".join(chunks)


def _body(raw: bytes) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(raw or b"{}")
    except msgspec.DecodeError as broken:
        raise Invalid(f"the body is not valid JSON: {broken}", field="$") from broken
    if not isinstance(value, dict):
        raise Invalid("the body must be a JSON object", field="$")
    return value


def _query(request: Request, hints: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return query parameters, repeated ones as lists where the contract holds several."""
    query = request.query_params
    return {name: query.getlist(name) if typing.get_origin(hints.get(name)) is tuple else query[name]
            for name in query}


def _read(text: str, hint: Any, name: str) -> Any:
    try:
        return msgspec.convert(text, hint, strict=False)
    except msgspec.ValidationError as broken:
        raise Invalid(str(broken), field=name) from broken


def required(kind: type) -> tuple[str, ...]:
    """Return the fields of a contract that have no default."""
    return tuple(f.name for f in dataclasses.fields(kind)
                 if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING)
