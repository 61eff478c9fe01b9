"""A small OpenAI-protocol server on loopback whose behaviour is named by the model it is asked for."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

ANSWER = "The notice period is 32 days [1]. — “Größe” 東京"
USAGE = {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30}
STATUSES: Mapping[str, int] = {"limited": 429, "broken": 500, "refuses": 400, "locked": 401}


@dataclass
class Upstream:
    """What arrived: bodies and keys of requests, and how many readers left before the end."""

    base_url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    connections: set[str] = field(default_factory=set)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def completions(self, request: web.Request) -> web.StreamResponse:
        """Answer as the model's name says: ok, slow, split, endless, drops, fails, silent, garbage, unfinished, …"""
        body = await request.json()
        self.bodies.append(body)
        self.keys.append(request.headers.get("authorization", ""))
        self.connections.add(str(request.transport.get_extra_info("peername")) if request.transport else "")
        model = body["model"]
        if model in STATUSES:
            return web.json_response({"error": {"message": f"{model}: key sk-secret"}}, status=STATUSES[model])
        if model == "moved":
            return web.Response(status=302, headers={"location": self.base_url.replace("/v1", "/elsewhere")})
        if model == "garbage":
            return web.Response(text="<html>busy</html>")
        if model == "slow":
            await self._wait(5)
        if body.get("stream"):
            return await self._stream(request, model)
        usage = {} if model == "silent" else {"usage": USAGE}
        return web.json_response({"choices": [{"message": {"content": ANSWER}, "finish_reason": "stop"}], **usage})

    async def _stream(self, request: web.Request, model: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        whole = b"".join(_events(model))
        pieces = [whole[i:i + 1] for i in range(len(whole))] if model == "split" else [whole]
        for piece in pieces:
            await response.write(piece)
        if model == "drops" and request.transport:
            request.transport.close()
        if model == "endless":
            await self._wait(30)
        await response.write_eof()
        return response

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def _events(model: str) -> list[bytes]:
    """Return the stream of one model: a comment, a role, the words, a finish reason, usage, and the end mark."""
    events = [b": welcome\r\n\r\n", _event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})]
    first, *rest = ANSWER.split(" ")
    events += [_event({"choices": [{"delta": {"content": word}}]}) for word in (first, *(f" {w}" for w in rest))]
    if model in ("drops", "endless", "unfinished"):
        return events[:5]
    if model == "fails":
        return [*events[:5], _event({"error": {"message": "overloaded"}})]
    events.append(_event({"choices": [{"delta": {}, "finish_reason": "stop"}]}))
    if model != "silent":
        events.append(_event({"choices": [], "usage": USAGE}))
    return [*events, b"data: [DONE]\n\n"]


def _event(value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    """Serve on a free loopback port until the block ends."""
    served = Upstream()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", served.completions)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    served.base_url = f"http://{host}:{port}/v1"
    try:
        yield served
    finally:
        await runner.cleanup()
