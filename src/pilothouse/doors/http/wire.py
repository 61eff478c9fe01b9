"""The wire-compatible endpoints, shared parts: a request's call and body, and replies written straight to ASGI."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from pilothouse.doors.http.identity import Identity
from pilothouse.doors.http.operations import BODY_BYTES_MAX, TooLarge
from pilothouse.doors.http.problems import wire_error
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied, Invalid, PilothouseError

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]
Handle = Callable[[Call, bytes, Receive, Send], Awaitable[None]]


def endpoint(identity: Identity, operation: str, handle: Handle) -> Endpoint:
    """Return an ASGI endpoint that signs in, reads the body, and answers errors in OpenAI's shape."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {k.decode("latin1"): v.decode("latin1") for k, v in scope["headers"]}
        call = None
        try:
            call = await identity.by_key(headers)
            await handle(call, await body_of(receive), receive, send)
        except PilothouseError as refused:
            if isinstance(refused, Denied) and call is not None:
                await identity.directory.record_refusal(call, operation, refused)
            status, body, more = wire_error(refused)
            await reply(send, body, status=status, headers=more)

    return serve


async def body_of(receive: Receive) -> bytes:
    """Read a whole request body; one message in the usual case."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    chunks = [body]
    size = len(body)
    while message.get("more_body"):
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > BODY_BYTES_MAX:
            raise TooLarge(f"a request may carry at most {BODY_BYTES_MAX} bytes", limit_bytes=BODY_BYTES_MAX)
    return b"".join(chunks)


def parsed(body: bytes, decoder: "msgspec.json.Decoder[Any]") -> Any:
    """Decode a request by its schema; raises Invalid naming the field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as wrong:
        message, _, where = str(wrong).partition(" - at ")
        raise Invalid(message, field=where.strip("`").removeprefix("$.") or "body") from wrong
    except msgspec.DecodeError as broken:
        raise Invalid(f"the body is not valid JSON: {broken}", field="body") from broken


async def reply(send: Send, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
    """Send a JSON reply whole."""
    more = [(k.encode(), v.encode()) for k, v in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": [
        (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more]})
    await send({"type": "http.response.body", "body": body})
