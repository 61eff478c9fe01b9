"""MCP over HTTP: the streamable transport mounted at /mcp, stateless, signed in by API key with every request."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from pilothouse.doors.http.identity import Identity
from pilothouse.doors.http.problems import problem
from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Denied, PilothouseError
from pilothouse.kernel.operation import Operation
from pilothouse.platform import Platform

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class McpEndpoint:
    """An ASGI endpoint that starts the MCP server with its first request."""

    def __init__(self, platform: Platform, identity: Identity, *, version: str) -> None:
        self._platform, self._identity, self._version = platform, identity, version
        self._stack = AsyncExitStack()
        self._starting = asyncio.Lock()
        self._manager: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {k.decode("latin1"): v.decode("latin1") for k, v in scope["headers"]}
        try:
            await self._identity.by_key(headers, door="mcp")
        except PilothouseError as refused:
            return await _refuse(send, refused)
        async with self._starting:
            if self._manager is None:
                await self._start()
        await self._manager.handle_request(scope, receive, send)

    async def _start(self) -> None:
        build, manager_class = await asyncio.to_thread(_late)
        server = build(self._platform.operations(), self._invoke, version=self._version)
        manager = manager_class(app=server, json_response=True, stateless=True)
        await self._stack.enter_async_context(manager.run())
        self._manager = manager

    async def _invoke(self, operation: Operation, arguments: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        call = await self._identity.by_key(headers, door="mcp")
        try:
            result = await operation.function(call, convert(dict(arguments), operation.request))
        except Denied as denied:
            await self._identity.directory.record_refusal(call, operation.name, denied)
            raise
        return plain(result)

    async def close(self) -> None:
        await self._stack.aclose()


def plain(result: Any) -> Any:
    """Return a contract as plain values, as JSON has them."""
    return msgspec.to_builtins(result)


def _late() -> tuple[Any, Any]:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from pilothouse.doors.mcp.server import build

    return build, StreamableHTTPSessionManager


async def _refuse(send: Send, refused: PilothouseError) -> None:
    await send({"type": "http.response.start", "status": refused.status, "headers": [
        (b"content-type", b"application/problem+json"), (b"www-authenticate", b"Bearer")]})
    await send({"type": "http.response.body", "body": problem(refused)})
