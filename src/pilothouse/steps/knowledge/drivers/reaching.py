"""Reaching other systems: credentials by name, no private addresses unless allowed, bounded answers, patience."""

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.knowledge.errors import SourceRefuses, SourceUnavailable

SECONDS_MAX = 30.0
BYTES_MAX = 50 * 1024 * 1024
REDIRECTS_MAX = 5
WAITS_MAX, WAIT_S_MAX = 3, 20.0
"""How often, and how long at most, a request waits on the spot as it was told to; longer waits postpone the job."""
AGENT = "Pilothouse-Connector"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def allowed_networks(text: str) -> tuple[Network, ...]:
    """Read networks such as `10.0.0.0/8, fd00::/8`; raises Invalid for one that is none."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as wrong:
        raise Invalid(f"PILOTHOUSE_SOURCE_NETWORKS: {wrong}; write for example 10.0.0.0/8, fd00::/8",
                      field="PILOTHOUSE_SOURCE_NETWORKS") from wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: its status, headers (lower-cased names), whole body, and the address that gave it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What connectors may reach, and the environment that their credentials lie in."""

    networks: tuple[Network, ...] = ()
    """Private networks that are allowed all the same: an intranet's."""
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def credential(self, connection: Connection, *, needed: bool = True) -> str:
        """Return what the named variable holds; raises Invalid naming the variable, never its value."""
        found = self.env.get(connection.credential, "") if connection.credential else ""
        if needed and not found:
            raise Invalid(f"the server's environment has no {connection.credential or 'variable for the credential'};"
                          " set it and start the server again", field="credential")
        return found

    def permits(self, address: str) -> bool:
        """Say whether an IP address is public, or in a network that the operator allowed."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return (ip.is_global and not ip.is_multicast) or any(ip in net for net in self.networks)

    def addresses(self, host: str, port: int) -> Sequence[tuple[Any, ...]]:
        """Resolve a host to addresses that may be reached; raises SourceRefuses when there is none (blocking)."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as broken:
            raise SourceUnavailable(f"{host} cannot be resolved") from broken
        good = [a for a in found if self.permits(str(a[4][0]))]
        if not good:
            raise SourceRefuses(f"{host} is in a private network; an administrator can allow networks by"
                                " PILOTHOUSE_SOURCE_NETWORKS", field="address", rule="no-private-addresses")
        return good

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None, secret: Mapping[str, str] | None = None,
                  bytes_max: int = BYTES_MAX) -> Reply:
        """Fetch an address, redirects followed and each checked; `secret` headers go to the first host alone.

        Raises SourceUnavailable when nothing answers, for 429 and 5xx (with `retry_after_s` where it was told, after
        having waited a little as told), and SourceRefuses for private addresses and answers beyond `bytes_max`.
        """
        for _ in range(WAITS_MAX):
            reply = await self._followed(url, headers or {}, secret or {}, bytes_max)
            if reply.status != 429 and reply.status < 500:
                return reply
            wait = retry_after(reply.headers)
            if wait is None or wait > WAIT_S_MAX:
                break
            await asyncio.sleep(wait)
        facts: dict[str, float] = {} if wait is None else {"retry_after_s": wait}
        raise SourceUnavailable(f"{urlsplit(url).hostname} answers with status {reply.status}", status=reply.status,
                                **facts)

    async def _followed(self, url: str, headers: Mapping[str, str], secret: Mapping[str, str], bytes_max: int) -> Reply:
        first = urlsplit(url)
        for _ in range(REDIRECTS_MAX + 1):
            here = urlsplit(url)
            same = (here.scheme, here.netloc) == (first.scheme, first.netloc)
            reply = await self._once(url, {**headers, **(secret if same else {})}, bytes_max)
            if reply.status not in (301, 302, 303, 307, 308) or "location" not in reply.headers:
                return reply
            url = urljoin(url, reply.headers["location"])
        raise SourceRefuses(f"{first.hostname} sends from one address to the next without end", field="address")

    async def _once(self, url: str, headers: Mapping[str, str], bytes_max: int) -> Reply:
        import aiohttp

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise SourceRefuses("an address begins with https:// or http:// and holds no user name", field="address")
        connector = aiohttp.TCPConnector(resolver=self._resolver(), use_dns_cache=False, force_close=True)
        timeout = aiohttp.ClientTimeout(total=SECONDS_MAX)
        self._check_literal(parts.hostname)
        try:
            async with (aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True) as session,
                        session.get(url, headers={"user-agent": AGENT, **headers}, allow_redirects=False) as answer):
                body = await _body(answer, bytes_max)
                return Reply(status=answer.status, body=body, url=url,
                             headers={k.lower(): v for k, v in answer.headers.items()})
        except (TimeoutError, aiohttp.ClientError, ssl.SSLError, OSError, UnicodeError, ValueError) as problem:
            raise SourceUnavailable(f"{parts.hostname} does not answer ({type(problem).__name__})") from problem

    def _check_literal(self, host: str) -> None:
        """Refuse an address written as numbers: the client asks no resolver for these."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return
        self.addresses(host, 0)

    def _resolver(self) -> Any:
        import aiohttp.abc

        reach = self

        class Guarded(aiohttp.abc.AbstractResolver):
            """Resolves to permitted addresses alone, and the client connects to just these."""

            async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
                              ) -> list[Any]:
                found = await asyncio.to_thread(reach.addresses, host, port)
                return [{"hostname": host, "host": a[4][0], "port": port, "family": a[0], "proto": a[2],
                         "flags": socket.AI_NUMERICHOST} for a in found]

            async def close(self) -> None:
                """Hold nothing open."""

        return Guarded()


async def _body(answer: Any, bytes_max: int) -> bytes:
    pieces, size = [], 0
    async for piece in answer.content.iter_chunked(1 << 16):
        size += len(piece)
        if size > bytes_max:
            raise SourceRefuses(f"an answer of {answer.url.host} is larger than {bytes_max >> 20} MB",
                                reason="too-large")
        pieces.append(piece)
    return b"".join(pieces)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait, from 0 to a day; None when it asks for nothing."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said), 86_400.0)
    try:
        wait = (parsedate_to_datetime(said) - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError, IndexError):
        return None
    return min(max(wait, 0.0), 86_400.0)


def require_options(connection: Connection, known: Sequence[str]) -> None:
    """Raise Invalid for an option that this kind does not take."""
    for name in connection.options:
        if name not in known:
            raise Invalid(f"`{connection.kind}` takes no option `{name[:40]}`; it takes: {', '.join(known)}",
                          field=f"options.{name[:40]}")


def number(connection: Connection, name: str, usual: float, low: float, high: float) -> float:
    """Return an option as a number within bounds; raises Invalid naming it."""
    said = connection.options.get(name, "")
    try:
        value = float(said) if said else usual
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise Invalid(f"{name} is a number from {low:g} to {high:g}", field=f"options.{name}")
    return value


def web_address(connection: Connection) -> str:
    """Return the address without a trailing slash; raises Invalid when it is none of the web."""
    parts = urlsplit(connection.address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("write the whole address, such as https://wiki.example.org", field="address")
    return connection.address.rstrip("/")


def plain_name(text: str, length: int = 80) -> str:
    """Return a text as one segment of a path: letters, figures and a few marks, nothing that leads anywhere."""
    kept = "".join(c if c.isalnum() or c in "-_. " else "-" for c in text).strip(" .")
    return " ".join(kept.split())[:length] or "unnamed"
