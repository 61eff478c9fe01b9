"""Other origins: the three endpoints of the assist answer pages that the workspace allows, and nothing else does."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pilothouse.kernel.errors import Invalid

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
ORIGIN = re.compile(r"https?://[a-z0-9.\-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")
_ASSIST = re.compile(r"/api/v1/answers(/[A-Za-z0-9_]+(/rating)?)?")
_ALLOWS = [(b"access-control-allow-methods", b"GET, POST"),
           (b"access-control-allow-headers", b"authorization, content-type"), (b"access-control-max-age", b"600")]


def origins_of(text: str) -> frozenset[str]:
    """Read a comma-separated list of origins; raises Invalid for what is none, and for `*`."""
    found = frozenset(part.strip().lower().rstrip("/") for part in text.split(",") if part.strip())
    for origin in found:
        if not ORIGIN.fullmatch(origin):
            raise Invalid(f"{origin!r} is not an origin such as https://desk.example; name each, `*` is not one",
                          field="PILOTHOUSE_ASSIST_ORIGINS")
    return found


class CrossOrigin:
    """Lets pages of allowed origins use the assist's endpoints with a key; cookies never cross."""

    def __init__(self, app: Asgi, origins: frozenset[str]) -> None:
        self._app, self._origins = app, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = _origin(scope)
        if not origin or origin not in self._origins or not _ASSIST.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": [*_shared(origin), *_ALLOWS]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(scope, receive, _sharing(send, origin))


def _origin(scope: Scope) -> str:
    if scope["type"] != "http":
        return ""
    found = next((v for k, v in scope["headers"] if k == b"origin"), b"")
    return str(found.decode("latin1").lower())


def _shared(origin: str) -> list[tuple[bytes, bytes]]:
    return [(b"access-control-allow-origin", origin.encode("latin1")), (b"vary", b"origin")]


def _sharing(send: Send, origin: str) -> Send:
    async def shared(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_shared(origin)]}
        await send(message)

    return shared
