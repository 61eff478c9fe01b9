"""The HTTP application: hot wire endpoints first, then every operation, the console, MCP and the operator's pages."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from pilothouse.doors.http.identity import Identity, trace_of
from pilothouse.doors.http.openapi import describe
from pilothouse.doors.http.operations import route
from pilothouse.doors.http.problems import bug
from pilothouse.platform import Platform

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
log = logging.getLogger("pilothouse.http")


class HttpApp:
    """One ASGI application; `hot` endpoints are found by (method, path) before any router runs."""

    def __init__(self, platform: Platform, identity: Identity, *, version: str, ready: Callable[[], str],
                 metrics: Callable[[], Awaitable[bytes]], hot: Mapping[tuple[str, str], Asgi],
                 more: Sequence[BaseRoute] = ()) -> None:
        operations = tuple(platform.operations())
        document = msgspec.json.encode(describe(operations, version=version))
        self._hot = hot
        self._rest = Starlette(routes=[
            *(route(o, identity) for o in operations),
            Route("/openapi.json", _constant(document, "application/json")),
            Route("/healthz", _constant(b"ok\n", "text/plain")),
            Route("/readyz", _readiness(ready)),
            Route("/metrics", _measured(metrics)),
            *more], exception_handlers={Exception: _broken})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            endpoint = self._hot.get((scope["method"], scope["path"]), self._rest)
            await self._guarded(endpoint, scope, receive, send)
        else:
            await self._rest(scope, receive, send)  # type: ignore[arg-type]

    async def _guarded(self, endpoint: Any, scope: Scope, receive: Receive, send: Send) -> None:
        """The door's last line: a bug is logged under its trace, and the client gets a problem without content."""
        begun = False

        async def watched(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await endpoint(scope, receive, watched)
        except Exception:
            trace = trace_of({k.decode(): v.decode("latin1") for k, v in scope["headers"]})
            log.exception("unplanned failure", extra={"path": scope["path"], "trace": trace})
            if not begun:
                await Response(bug(trace), 500, media_type="application/problem+json")(scope, receive, send)  # type: ignore[arg-type]


async def _broken(request: Request, failure: Exception) -> Response:
    """Answer for a bug; the router raises it on, so that the guard above logs it."""
    return Response(bug(trace_of(request.headers)), 500, media_type="application/problem+json")


def _constant(body: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return Response(body, media_type=media_type)

    return endpoint


def _readiness(ready: Callable[[], str]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        missing = await asyncio.to_thread(ready)
        return PlainTextResponse(missing or "ready", status_code=503 if missing else 200)

    return endpoint


def _measured(metrics: Callable[[], Awaitable[bytes]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return Response(await metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return endpoint
