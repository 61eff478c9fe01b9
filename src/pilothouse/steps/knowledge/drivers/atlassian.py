"""Confluence pages and Jira issues by their REST interfaces, as the account of the credential may see them."""

import base64
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.knowledge.drivers.reaching import Reach, Reply, plain_name, require_options, web_address
from pilothouse.steps.knowledge.errors import SourceRefuses, SourceUnavailable
from pilothouse.steps.knowledge.ports import Fetched, Found, Listed, Listing, MarkOf

PAGE = 100
DEPTH_MAX = 60
_OFFSET = "from:"
"""How a cursor begins that counts issues."""
_TOLD = (("Status", "status"), ("Type", "issuetype"), ("Priority", "priority"))
ISSUE_FIELDS = "summary,status,issuetype,priority,labels,created,updated,description,comment"


class _Asking:
    """Asks one site for JSON with the account's token: `user:token` for cloud sites, a token alone elsewhere."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def _json(self, connection: Connection, path: str, **query: object) -> Any:
        url = path if path.startswith("http") else web_address(connection) + path
        if urlsplit(url).netloc != urlsplit(connection.address).netloc:
            raise SourceRefuses("the site sends to another host for its next page", field="address")
        asked = {k: str(v) for k, v in query.items() if v not in ("", None)}
        whole = f"{url}?{urlencode(asked)}" if asked else url
        reply = await self._reach.get(whole, headers={"accept": "application/json"},
                                      secret={"authorization": self._authorization(connection)})
        return self._read(connection, reply)

    def _read(self, connection: Connection, reply: Reply) -> Any:
        host = urlsplit(connection.address).hostname
        if reply.status in (404, 410):
            return None
        if reply.status in (401, 403):
            raise SourceRefuses(f"{host} refuses the account", field="credential")
        if reply.status != 200:
            raise SourceRefuses(f"{host} refuses the request with status {reply.status}: {_reason(reply)}",
                                field="options")
        try:
            return json.loads(reply.body)
        except ValueError as broken:
            raise SourceUnavailable(f"{host} answers with something that is not JSON") from broken

    def _authorization(self, connection: Connection) -> str:
        secret = self._reach.credential(connection)
        if ":" in secret:
            return "Basic " + base64.b64encode(secret.encode()).decode()
        return f"Bearer {secret}"


def _reason(reply: Reply) -> str:
    """Return what a site says of a request it refuses, in at most 200 characters."""
    try:
        told = json.loads(reply.body)
        said = "; ".join(str(m) for m in told.get("errorMessages", ())) or str(told.get("message", ""))
    except (ValueError, AttributeError):
        said = ""
    return said[:200] or "it does not say why"


class ConfluenceConnector(_Asking):
    """Reads current pages of spaces; option `spaces` (keys by commas). A page's version number is its mark.

    The pages are those that the account sees: what a site restricts further is not known here, so give it an account
    that sees no more than the source's readers may.
    """

    def check(self, connection: Connection) -> None:
        require_options(connection, ("spaces",))
        web_address(connection)
        if not _keys(connection, "spaces"):
            raise Invalid("name the spaces by their keys, such as HR, IT", field="options.spaces")
        self._reach.credential(connection)

    async def page(self, connection: Connection, *, cursor: str, held: MarkOf) -> Listing:
        spaces = await self._spaces(connection)
        told = await self._json(connection, "/wiki/api/v2/pages", status="current", limit=PAGE, cursor=cursor,
                                **{"space-id": ",".join(spaces)})
        if told is None:
            raise SourceRefuses("there is no Confluence at this address", field="address")
        items = tuple(Listed(path=f"{plain_name(spaces[str(p['spaceId'])])}/{plain_name(str(p['id']))}.html",
                             key=str(p["id"]), mark=str(p["version"]["number"]))
                      for p in told["results"] if p.get("status", "current") == "current")
        following = _cursor(told.get("_links", {}).get("next", ""))
        return Listing(items=items, cursor=following, more=bool(following))

    async def fetch(self, connection: Connection, item: Listed, *, mark: str) -> Fetched:
        p = await self._json(connection, f"/wiki/api/v2/pages/{quote(item.key, safe='')}",
                             **{"body-format": "storage"})
        if p is None or p.get("status", "current") != "current":
            return Fetched(found=None, mark="")
        title = html.escape(str(p["title"]))
        body = str(p.get("body", {}).get("storage", {}).get("value", ""))
        content = f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{body}</body></html>".encode()
        return Fetched(mark=str(p["version"]["number"]), found=Found(path=item.path, size_bytes=len(content),
                                                                     content=content))

    async def _spaces(self, connection: Connection) -> dict[str, str]:
        """Return the spaces' keys by id; raises SourceRefuses for one that the account does not see."""
        wanted = _keys(connection, "spaces")
        told = await self._json(connection, "/wiki/api/v2/spaces", keys=",".join(wanted), limit=250)
        found = {str(s["id"]): str(s["key"]) for s in (told or {"results": ()})["results"]}
        missing = [k for k in wanted if k not in found.values()]
        if missing:
            raise SourceRefuses(f"the account sees no space `{missing[0]}`", field="options.spaces")
        return found


class JiraConnector(_Asking):
    """Reads issues; options `projects` (keys by commas) or `jql`. When an issue was updated is its mark."""

    def check(self, connection: Connection) -> None:
        require_options(connection, ("projects", "jql"))
        web_address(connection)
        if bool(connection.options.get("jql")) == bool(_keys(connection, "projects")):
            raise Invalid("say which issues by `projects` or by `jql`, one of the two", field="options.projects")
        if any(not k.replace("_", "").isalnum() for k in _keys(connection, "projects")):
            raise Invalid("name the projects by their keys, such as HELP, IT", field="options.projects")
        self._reach.credential(connection)

    async def page(self, connection: Connection, *, cursor: str, held: MarkOf) -> Listing:
        projects = ", ".join(_keys(connection, "projects"))
        wanted = connection.options.get("jql") or f"project in ({projects}) order by key"
        if cursor.startswith(_OFFSET):
            return await self._counted(connection, wanted, cursor)
        told = await self._json(connection, "/rest/api/3/search/jql", jql=wanted, fields="updated", maxResults=PAGE,
                                nextPageToken=cursor)
        if told is None:  # sites of one's own, and older ones, count instead of giving tokens
            return await self._counted(connection, wanted, f"{_OFFSET}0:")
        following = str(told.get("nextPageToken") or "")
        return Listing(items=_issues(told), cursor=following,
                       more=bool(following) and not told.get("isLast", False))

    async def _counted(self, connection: Connection, wanted: str, cursor: str) -> Listing:
        """List from a number on, the last issue of the page before once more: where that one moved, begin again.

        An issue that is deleted meanwhile moves all others up, and one that is not listed would count as gone.
        """
        start, last = cursor.removeprefix(_OFFSET).split(":", 1)
        begin = max(int(start) - 1, 0)
        told = await self._json(connection, "/rest/api/3/search", jql=wanted, fields="updated", maxResults=PAGE,
                                startAt=begin)
        if told is None:
            raise SourceRefuses("there is no Jira at this address", field="address")
        items = _issues(told)
        if last and (not items or items[0].key != last):
            return Listing(items=(), cursor=f"{_OFFSET}0:", more=True)
        items, reached = items[1:] if last else items, begin + len(items)
        more = reached < int(told.get("total", 0)) and bool(items)
        return Listing(items=items, cursor=f"{_OFFSET}{reached}:{items[-1].key}" if items else cursor, more=more)

    async def fetch(self, connection: Connection, item: Listed, *, mark: str) -> Fetched:
        issue = await self._json(connection, f"/rest/api/3/issue/{quote(item.key, safe='')}", fields=ISSUE_FIELDS)
        if issue is None:
            return Fetched(found=None, mark="")
        content = written(str(issue["key"]), issue["fields"]).encode()
        return Fetched(mark=str(issue["fields"].get("updated", "")), found=Found(
            path=item.path, size_bytes=len(content), content=content))


def _issues(told: Mapping[str, Any]) -> tuple[Listed, ...]:
    return tuple(Listed(path=_issue_path(str(i["key"])), key=str(i["key"]),
                        mark=str(i["fields"].get("updated", ""))) for i in told.get("issues", ()))


def _issue_path(key: str) -> str:
    return f"{plain_name(key.rpartition('-')[0])}/{plain_name(key)}.html"


def written(key: str, fields: Mapping[str, Any]) -> str:
    """Write an issue as a page: its summary, how it stands, its description and what was said about it."""
    title = html.escape(f"{key}: {fields.get('summary') or ''}")
    stands = [f"{name}: {fields[field]['name']}" for name, field in _TOLD if (fields.get(field) or {}).get("name")]
    stands += [f"Labels: {', '.join(fields['labels'])}"] if fields.get("labels") else []
    stands += [f"Updated: {str(fields['updated'])[:10]}"] if fields.get("updated") else []
    comments = (fields.get("comment") or {}).get("comments", ())
    said = "".join(f"<h2>Comment of {html.escape(str(c.get('created', ''))[:10])}</h2>{_rich(c.get('body'))}"
                   for c in comments)
    return (f"<html><head><title>{title}</title></head><body><h1>{title}</h1>"
            + "".join(f"<p>{html.escape(line)}</p>" for line in stands)
            + f"{_rich(fields.get('description'))}{said}</body></html>")


_TAGS = {"paragraph": "p", "bulletList": "ul", "orderedList": "ol", "listItem": "li", "blockquote": "blockquote",
         "codeBlock": "pre", "table": "table", "tableRow": "tr", "tableHeader": "th", "tableCell": "td"}


def _rich(node: Any, depth: int = 0) -> str:
    """Write a rich text (a tree of nodes with a type, or plain text) as HTML."""
    if isinstance(node, str):
        return "".join(f"<p>{html.escape(p)}</p>" for p in node.split("\n\n") if p.strip())
    if not isinstance(node, dict) or depth > DEPTH_MAX:
        return ""
    kind, shown = str(node.get("type", "")), node.get("attrs") or {}
    if kind == "text":
        return html.escape(str(node.get("text", "")))
    if kind == "hardBreak":
        return "<br>"
    if kind in ("mention", "emoji", "status", "inlineCard"):
        return html.escape(str(shown.get("text") or shown.get("url") or ""))
    inner = "".join(_rich(child, depth + 1) for child in _children(node))
    if kind == "heading":
        level = min(max(int(shown.get("level", 2)) + 1, 2), 6)
        return f"<h{level}>{inner}</h{level}>"
    tag = _TAGS.get(kind)
    return f"<{tag}>{inner}</{tag}>" if tag else inner


def _children(node: Mapping[str, Any]) -> Iterator[Any]:
    content = node.get("content")
    yield from content if isinstance(content, list) else ()


def _keys(connection: Connection, option: str) -> Sequence[str]:
    return [k.strip() for k in connection.options.get(option, "").split(",") if k.strip()]


def _cursor(link: str) -> str:
    """Return the cursor that a link to the next page carries."""
    from urllib.parse import parse_qs

    return parse_qs(urlsplit(urljoin("https://site", link)).query).get("cursor", [""])[0] if link else ""
