"""Small real systems on loopback for connectors: object storage, a web site, Confluence, Jira; in memory, over HTTP."""

import hashlib
import html
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class System:
    """What every one of them has: where it is, the secret it asks for, what it was asked, and how often it fails."""

    base_url: str = ""
    secret: str = ""
    asked: list[str] = field(default_factory=list)
    fails: int = 0
    """How many of the next requests are answered with `status`."""
    status: int = 503
    retry_after: str = ""
    described: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    """Method, path and query of each request, to be held against a description."""

    def troubled(self, request: web.Request) -> web.Response | None:
        """Note a request, and answer it with a failure when one is due."""
        self.asked.append(request.path_qs)
        self.described.append((request.method, request.path, dict(request.query)))
        if not self.fails:
            return None
        self.fails -= 1
        return web.Response(status=self.status, text="no",
                            headers={"retry-after": self.retry_after} if self.retry_after else {})


@asynccontextmanager
async def serving(system: System, routes: Mapping[str, Handler]) -> AsyncIterator[None]:
    """Serve GET routes on a free loopback port until the block ends."""

    def guarded(handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            return system.troubled(request) or await handler(request)

        return answer

    app = web.Application()
    for path, handler in routes.items():
        app.router.add_get(path, guarded(handler))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    system.base_url = f"http://{host}:{port}"
    try:
        yield
    finally:
        await runner.cleanup()


@dataclass
class ObjectStorage(System):
    """Answers the S3 protocol's ListObjectsV2, GetObject and HeadObject for one bucket; `secret` is an access key."""

    objects: dict[str, bytes] = field(default_factory=dict)
    bucket: str = "documents"

    async def list_bucket(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        after = request.query.get("continuation-token") or request.query.get("start-after", "")
        prefix, most = request.query.get("prefix", ""), int(request.query.get("max-keys", "1000"))
        keys = [k for k in sorted(self.objects) if k.startswith(prefix) and k > after]
        shown = keys[:min(most, 3)]  # small pages, so that clients must ask again
        listed = "".join(f"<Contents><Key>{html.escape(k)}</Key><LastModified>2026-03-02T12:00:00.000Z</LastModified>"
                         f"<ETag>&quot;{_tag(self.objects[k])}&quot;</ETag><Size>{len(self.objects[k])}</Size>"
                         "<StorageClass>STANDARD</StorageClass></Contents>" for k in shown)
        more = len(keys) > len(shown)
        token = f"<NextContinuationToken>{html.escape(shown[-1])}</NextContinuationToken>" if more else ""
        return web.Response(content_type="application/xml", text=(
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{self.bucket}</Name><Prefix>{html.escape(prefix)}</Prefix><KeyCount>{len(shown)}</KeyCount>"
            f"<MaxKeys>{most}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{listed}{token}"
            "</ListBucketResult>"))

    async def get_object(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        content = self.objects.get(request.match_info["key"])
        if content is None:
            return _s3_error("NoSuchKey", 404)
        return web.Response(body=content, headers={"ETag": f'"{_tag(content)}"', "Last-Modified":
                                                   "Mon, 02 Mar 2026 12:00:00 GMT"})

    def _refused(self, request: web.Request) -> web.Response | None:
        if request.match_info["bucket"] != self.bucket:
            return _s3_error("NoSuchBucket", 404)
        if self.secret and f"Credential={self.secret}/" not in request.headers.get("authorization", ""):
            return _s3_error("AccessDenied", 403)
        return None


def _s3_error(code: str, status: int) -> web.Response:
    return web.Response(status=status, content_type="application/xml",
                        text=f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>')


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


@asynccontextmanager
async def object_storage() -> AsyncIterator[ObjectStorage]:
    """Serve a bucket."""
    system = ObjectStorage()
    async with serving(system, {"/{bucket}": system.list_bucket, "/{bucket}/": system.list_bucket,
                                "/{bucket}/{key:.+}": system.get_object}):
        yield system


@dataclass
class Site(System):
    """A web site: pages by path, with entity tags; `robots` and `sitemap` as text; some pages may send elsewhere."""

    pages: dict[str, str] = field(default_factory=dict)
    robots: str = ""
    sitemap: str = ""
    sends: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    kinds: dict[str, str] = field(default_factory=dict)
    tagged: bool = True

    async def page(self, request: web.Request) -> web.Response:
        path = request.path_qs
        special = {"/robots.txt": self.robots, "/sitemap.xml": self.sitemap.replace("{base}", self.base_url)}
        if special.get(path):
            return web.Response(text=special[path])
        if path in self.sends:
            return web.Response(status=302, headers={"location": self.sends[path]})
        if path in self.broken:
            return web.Response(status=500)
        if path not in self.pages:
            return web.Response(status=404)
        tag = f'"{_tag(self.pages[path].encode())}"'
        headers = {"etag": tag} if self.tagged else {}
        if self.tagged and request.headers.get("if-none-match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(text=self.pages[path], content_type=self.kinds.get(path, "text/html"), headers=headers)


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """Serve a web site."""
    system = Site()
    async with serving(system, {"/{path:.*}": system.page}):
        yield system


@dataclass
class Confluence(System):
    """Answers the parts of Confluence's second REST interface that list spaces and pages and give a page's body."""

    texts: dict[str, str] = field(default_factory=dict)
    """Storage format by page id."""
    versions: dict[str, int] = field(default_factory=dict)
    spaces: dict[str, str] = field(default_factory=lambda: {"101": "HR"})
    archived: set[str] = field(default_factory=set)
    page_size: int = 2

    async def list_spaces(self, request: web.Request) -> web.Response:
        if (refused := _unauthorized(self, request)) is not None:
            return refused
        wanted = request.query.get("keys", "").split(",")
        return web.json_response({"results": [{"id": i, "key": k, "name": k, "type": "global", "status": "current"}
                                              for i, k in self.spaces.items() if k in wanted], "_links": {}})

    async def list_pages(self, request: web.Request) -> web.Response:
        if (refused := _unauthorized(self, request)) is not None:
            return refused
        after, status = request.query.get("cursor", ""), request.query.get("status", "current")
        ids = [i for i in sorted(self.texts) if i > after and (i in self.archived) == (status == "archived")]
        size = min(self.page_size, int(request.query.get("limit", "25")))
        shown = ids[:size]
        links = {"next": f"/wiki/api/v2/pages?limit={size}&cursor={shown[-1]}"} if len(ids) > size else {}
        return web.json_response({"results": [self._page(i) for i in shown], "_links": links})

    async def page(self, request: web.Request) -> web.Response:
        if (refused := _unauthorized(self, request)) is not None:
            return refused
        page_id = request.match_info["id"]
        if page_id not in self.texts:
            return web.json_response({"errors": [{"status": 404, "code": "NOT_FOUND"}]}, status=404)
        shown = self._page(page_id)
        if request.query.get("body-format") == "storage":
            shown["body"] = {"storage": {"representation": "storage", "value": self.texts[page_id]}}
        return web.json_response(shown)

    def _page(self, page_id: str) -> dict[str, Any]:
        return {"id": page_id, "status": "archived" if page_id in self.archived else "current", "spaceId": "101",
                "title": f"Page {page_id}", "createdAt": "2026-03-02T12:00:00Z",
                "version": {"number": self.versions.get(page_id, 1), "createdAt": "2026-03-02T12:00:00Z"},
                "_links": {"webui": f"/spaces/HR/pages/{page_id}"}}


@asynccontextmanager
async def confluence() -> AsyncIterator[Confluence]:
    """Serve a Confluence."""
    system = Confluence(secret="Basic YWRhQGJhbmsuZXhhbXBsZTp0b2tlbg==")  # ada@bank.example:token
    async with serving(system, {"/wiki/api/v2/spaces": system.list_spaces, "/wiki/api/v2/pages": system.list_pages,
                                "/wiki/api/v2/pages/{id}": system.page}):
        yield system


@dataclass
class Jira(System):
    """Answers the parts of Jira's third REST interface that search issues and give one."""

    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    page_size: int = 2
    tokens: bool = True
    """Whether pages are asked for by tokens, or by counting."""

    async def search(self, request: web.Request) -> web.Response:
        if (refused := _unauthorized(self, request)) is not None:
            return refused
        if not self.tokens:
            self.described.pop()
            return web.json_response({"errorMessages": ["no such resource"]}, status=404)
        if "nonsense" in request.query.get("jql", ""):
            return web.json_response({"errorMessages": ["the query is not understood"], "errors": {}}, status=400)
        after = request.query.get("nextPageToken", "")
        keys = [k for k in sorted(self.issues) if k > after]
        size = min(self.page_size, int(request.query.get("maxResults", "50")))
        shown = [{"id": str(n), "key": k, "fields": {"updated": self.issues[k]["updated"]}}
                 for n, k in enumerate(keys[:size])]
        following = {"nextPageToken": keys[size - 1]} if len(keys) > size else {}
        return web.json_response({"issues": shown, "isLast": not following, **following})

    async def counted(self, request: web.Request) -> web.Response:
        if (refused := _unauthorized(self, request)) is not None:
            return refused
        start, keys = int(request.query.get("startAt", "0")), sorted(self.issues)
        size = min(self.page_size, int(request.query.get("maxResults", "50")))
        shown = [{"id": str(n), "key": k, "fields": {"updated": self.issues[k]["updated"]}}
                 for n, k in enumerate(keys)][start:start + size]
        return web.json_response({"issues": shown, "startAt": start, "maxResults": size, "total": len(keys)})

    async def issue(self, request: web.Request) -> web.Response:
        if (refused := _unauthorized(self, request)) is not None:
            return refused
        key = request.match_info["key"]
        if key not in self.issues:
            return web.json_response({"errorMessages": ["Issue does not exist"], "errors": {}}, status=404)
        return web.json_response({"id": "1", "key": key, "fields": self.issues[key]})


@asynccontextmanager
async def jira() -> AsyncIterator[Jira]:
    """Serve a Jira."""
    system = Jira(secret="Bearer jira-token")
    async with serving(system, {"/rest/api/3/search/jql": system.search, "/rest/api/3/search": system.counted,
                                "/rest/api/3/issue/{key}": system.issue}):
        yield system


def _unauthorized(system: System, request: web.Request) -> web.Response | None:
    if system.secret and request.headers.get("authorization") != system.secret:
        return web.json_response({"message": "unauthorized"}, status=401)
    return None


def rich(*paragraphs: str) -> dict[str, Any]:
    """Write paragraphs as the tree that Jira keeps texts in."""
    return {"type": "doc", "version": 1, "content": [
        {"type": "paragraph", "content": [{"type": "text", "text": p}]} for p in paragraphs]}


