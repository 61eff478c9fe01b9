"""Web sites: robots.txt and the site's map obeyed, own domains and depth alone, one page at a time, conditionally."""

import asyncio
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit
from urllib.robotparser import RobotFileParser

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.knowledge.drivers.reaching import (
    AGENT,
    Reach,
    Reply,
    number,
    plain_name,
    require_options,
    web_address,
)
from pilothouse.steps.knowledge.errors import SourceRefuses, SourceUnavailable
from pilothouse.steps.knowledge.ports import Fetched, Found, Listed, Listing, MarkOf

BATCH = 20
"""Pages visited between two steps of the job."""
LINKS_MAX, SITEMAPS_MAX, SITEMAP_BYTES_MAX = 500, 20, 10 * 1024 * 1024
OPTIONS = ("pages", "depth", "domains", "delay_s", "within", "sitemap")
_TYPES = {"text/html": "html", "application/xhtml+xml": "html", "application/pdf": "pdf", "text/plain": "txt",
          "text/markdown": "md", "text/csv": "csv", "application/json": "json"}
_KNOWN = re.compile(r"\.(?:html?|pdf|txt|md|csv|json|docx|pptx|xlsx|eml)$", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """How far a visit of a site has come: pages to look at with their depth, and the names of those looked at."""

    todo: list[tuple[str, int]]
    known: list[str]

    def add(self, url: str, depth: int, most: int) -> None:
        name = _short(url)
        if name not in self.known and len(self.known) < most:
            self.known.append(name)
            self.todo.append((url, depth))


class WebConnector:
    """Visits a site from its first page.

    Options: `pages` (at most, 500 unless said), `depth` (links away from the first page, 3), `domains` (further hosts,
    by commas), `delay_s` (between two pages, 1; the site's own delay where that is longer), `within` (what paths begin
    with), `sitemap` (`no` to follow links alone).
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    def check(self, connection: Connection) -> None:
        require_options(connection, OPTIONS)
        web_address(connection)
        number(connection, "pages", 500, 1, 5_000)
        number(connection, "depth", 3, 0, 20)
        number(connection, "delay_s", 1, 0.0, 60)
        if connection.options.get("sitemap", "yes") not in ("yes", "no"):
            raise Invalid("`sitemap` is `yes` or `no`", field="options.sitemap")

    async def page(self, connection: Connection, *, cursor: str, held: MarkOf) -> Listing:
        most = int(number(connection, "pages", 500, 1, 5_000))
        robots = await self._robots(connection.address)
        walk = _read(cursor) if cursor else await self._begun(connection, robots, most)
        delay = max(number(connection, "delay_s", 1, 0.0, 60), min(float(robots.crawl_delay(AGENT) or 0), 60.0))
        items: list[Listed] = []
        unlisted: list[str] = []
        visits = 0
        while walk.todo and visits < BATCH:
            visits += 1
            url, depth = walk.todo.pop(0)
            if not robots.can_fetch(AGENT, url):
                continue
            item = await self._visit(connection, url, depth, walk, most, held)
            items += [item] if isinstance(item, Listed) else []
            unlisted += [item] if isinstance(item, str) else []
            await asyncio.sleep(delay)
        return Listing(items=tuple(items), more=bool(walk.todo), cursor=_written(walk), unlisted=tuple(unlisted))

    async def fetch(self, connection: Connection, item: Listed, *, mark: str) -> Fetched:
        reply = await self._reach.get(item.key, headers=_conditions(mark))
        if reply.status == 304:
            return Fetched(found=None, mark=mark, unchanged=True)
        return _fetched(item.path, reply, _links(reply) or []) if reply.status == 200 else Fetched(found=None, mark="")

    async def _visit(self, connection: Connection, url: str, depth: int, walk: _Walk, most: int, held: MarkOf
                     ) -> Listed | str | None:
        """Return a page as an item, its path when it could not be had this time, or None when there is none."""
        path, first = path_of(connection.address, url), len(walk.known) == 1
        mark = held(path) or held(f"{path}.pdf")
        try:
            reply = await self._reach.get(url, headers=_conditions(mark))
        except SourceUnavailable as away:
            if first or away.facts.get("status") == 429 or "retry_after_s" in away.facts:
                raise  # the site asks for patience: go on from here later
            return path
        if reply.status == 304:
            links = json.loads(mark).get("l", [])
            same = Fetched(found=None, mark=mark, unchanged=True)
            item = Listed(path=path if held(path) else f"{path}.pdf", key=url, fetched=same)
        elif reply.status == 200:
            if not self._belongs(connection, reply.url):
                return None
            found = _links(reply)
            if found is None:
                return None  # the page asks not to be kept
            links = found
            if reply.headers.get("content-type", "").startswith("application/pdf") and not path.endswith(".pdf"):
                path = f"{path}.pdf"
            item = Listed(path=path, key=url, fetched=_fetched(path, reply, links))
        elif reply.status in (404, 410):
            if first:
                raise SourceRefuses(f"there is no page at {connection.address}", field="address")
            return None
        else:
            return path
        if depth < number(connection, "depth", 3, 0, 20):
            for link in links:
                if self._belongs(connection, link):
                    walk.add(link, depth + 1, most)
        return item

    def _belongs(self, connection: Connection, url: str) -> bool:
        parts, home = urlsplit(url), urlsplit(connection.address)
        hosts = {home.netloc, *(d.strip() for d in connection.options.get("domains", "").split(",") if d.strip())}
        within = connection.options.get("within", "/")
        return parts.scheme in ("http", "https") and parts.netloc in hosts and (
            (parts.path or "/").startswith(within) or url == connection.address)

    async def _robots(self, address: str) -> RobotFileParser:
        """Return the site's rules: none allows all, forbidden ones allow nothing, an error is waited out."""
        parts = urlsplit(address)
        reply = await self._reach.get(urlunsplit((parts.scheme, parts.netloc, "/robots.txt", "", "")),
                                      bytes_max=1 << 20)
        rules = RobotFileParser()
        if reply.status in (401, 403):
            rules.parse(["User-agent: *", "Disallow: /"])
        else:
            rules.parse(reply.body.decode("utf-8", "replace").splitlines() if reply.status == 200 else [])
        return rules

    async def _begun(self, connection: Connection, robots: RobotFileParser, most: int) -> _Walk:
        """Return the start of a visit: the first page, and what the site's map names."""
        if not robots.can_fetch(AGENT, connection.address):
            raise SourceRefuses(f"the site's robots.txt does not allow {connection.address}", field="address")
        walk = _Walk(todo=[], known=[])
        walk.add(canonical(connection.address), 0, most)
        if connection.options.get("sitemap", "yes") == "yes":
            home = urlsplit(connection.address)
            maps = robots.site_maps() or [urlunsplit((home.scheme, home.netloc, "/sitemap.xml", "", ""))]
            async for url in self._mapped(maps):
                if self._belongs(connection, url):
                    walk.add(canonical(url), 1, most)
        return walk

    async def _mapped(self, maps: Sequence[str]) -> Any:
        """Yield the pages that a site's maps name, maps of maps too; what is no map names none."""
        from lxml import etree

        todo, seen = list(maps), 0
        while todo and seen < SITEMAPS_MAX:
            seen += 1
            try:
                reply = await self._reach.get(todo.pop(0), bytes_max=SITEMAP_BYTES_MAX)
                parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
                root = etree.fromstring(reply.body, parser=parser) if reply.status == 200 else None
            except (etree.XMLSyntaxError, SourceRefuses):
                continue
            if root is None:
                continue
            found = [str(n.text).strip() for n in root.iter("{*}loc") if n.text]
            if str(root.tag).endswith("sitemapindex"):
                todo += found
            else:
                for url in found:
                    yield url


def canonical(url: str) -> str:
    """Return an address without its fragment, its host in small letters and its path at least `/`."""
    parts = urlsplit(url.strip())
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path or "/", parts.query, ""))


def path_of(home: str, url: str) -> str:
    """Return a page's path within the source: that of its address, with a mark for a query and for another host."""
    parts = urlsplit(url)
    names = [plain_name(p) for p in parts.path.split("/") if p] or ["index"]
    if parts.path.endswith("/") and parts.path != "/":
        names.append("index")
    query = f"-{_short(parts.query)}" if parts.query else ""
    stem, dot, kind = names[-1].rpartition(".")
    known = bool(_KNOWN.search(names[-1]))
    names[-1] = f"{stem}{query}{dot}{kind}" if known else f"{names[-1]}{query}.html"
    return "/".join([*([] if parts.netloc == urlsplit(home).netloc else [plain_name(parts.netloc)]), *names])


def _fetched(path: str, reply: Reply, links: Sequence[str]) -> Fetched:
    digest = hashlib.sha256(reply.body).hexdigest()[:32]
    mark = json.dumps({"e": reply.headers.get("etag", ""), "m": reply.headers.get("last-modified", ""), "h": digest,
                       "l": list(links)})
    return Fetched(mark=mark, found=Found(path=path, size_bytes=len(reply.body), content=reply.body))


def _conditions(mark: str) -> Mapping[str, str]:
    """Return the headers that ask for a page only if it changed since it was taken in."""
    held = json.loads(mark) if mark else {}
    return {name: held[key] for name, key in (("if-none-match", "e"), ("if-modified-since", "m")) if held.get(key)}


def _links(reply: Reply) -> list[str] | None:
    """Return where a page links to; None when it asks not to be kept. Files that are no pages link nowhere."""
    from lxml import etree, html

    if _TYPES.get(reply.headers.get("content-type", "").partition(";")[0].strip().lower()) != "html":
        return []
    asks = reply.headers.get("x-robots-tag", "").lower()
    try:
        root = html.document_fromstring(reply.body, parser=html.HTMLParser(huge_tree=False, no_network=True))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None if "noindex" in asks else []
    asks += ",".join(m.get("content", "").lower() for m in root.iter("meta") if m.get("name", "").lower() == "robots")
    if "noindex" in asks or "none" in asks.split(","):
        return None
    return [] if "nofollow" in asks else list(dict.fromkeys(_hrefs(root, reply.url)))[:LINKS_MAX]


def _hrefs(root: Any, base: str) -> Iterator[str]:
    for link in root.iter("a"):
        if link.get("href") and "nofollow" not in link.get("rel", "").lower():
            try:
                url = canonical(urljoin(base, link.get("href")))
            except ValueError:
                continue
            if url.startswith(("http://", "https://")) and len(url) <= 1_000:
                yield url


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _read(cursor: str) -> _Walk:
    held = json.loads(cursor)
    return _Walk(todo=[(url, depth) for url, depth in held["todo"]], known=held["known"].split())


def _written(walk: _Walk) -> str:
    return json.dumps({"todo": walk.todo, "known": " ".join(walk.known)})
