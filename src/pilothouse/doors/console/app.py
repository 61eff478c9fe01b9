"""The console's routes: sessions in, pages out; every POST carries the session's form token."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from pilothouse.directory import tokens
from pilothouse.directory.contracts import Credentials
from pilothouse.doors.console import rendering
from pilothouse.doors.console.desk import Answered, Desk, Download, GoTo, Page, Picture, Place
from pilothouse.doors.console.drawing import Drawing
from pilothouse.doors.console.pages import PLACES
from pilothouse.doors.console.rail import rail_of
from pilothouse.doors.http.identity import Identity
from pilothouse.doors.http.operations import TooLarge
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied, PilothouseError, Unauthenticated
from pilothouse.platform import Platform
from pilothouse.steps.portfolio.contracts import PortfolioQuery

COOKIE = "pilothouse_session"
FORM_BYTES_MAX = 2_000_000
FORM_FIELDS_MAX = 1000
FILE_BYTES_MAX = 16_000_000
_PICTURE = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""A drawing styles its own text; it runs no script and loads nothing."""


class FormForged(Denied):
    """A form came without this session's token: another site, or a page from an earlier session."""

    code = "console.form_forged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Everything the console's routes share."""

    platform: Platform
    identity: Identity
    drawing: Drawing
    secure: bool
    """Whether cookies may only travel over TLS: on wherever the address is not plain loopback."""
    sign_ins: Callable[[], tuple[tuple[str, str], ...]] = lambda: ()
    """(role, person) pairs that the demo offers on the sign-in page; empty outside the demo."""
    waiting: Callable[[Call], Awaitable[Mapping[str, int]]] | None = None

    def routes(self) -> list[Route]:
        """Return all routes of the console."""
        return [
            Route("/static/charts-{digest}.js", self._script), Route("/static/{name}", _static),
            Route("/assist.js", _static),
            Route("/sign-in", self._sign_in_page, methods=["GET"]), Route("/sign-in", self._sign_in, methods=["POST"]),
            Route("/sign-out", self._sign_out, methods=["POST"]),
            *(Route(p.path, self._endpoint(p), methods=[p.verb]) for p in PLACES)]

    def _endpoint(self, place: Place) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                call, form_token = await self.identity.by_session(request.cookies.get(COOKIE, ""))
            except Unauthenticated:
                return _see(f"/sign-in?next={quote(request.url.path)}")
            try:
                desk = await self._desk(request, call, form_token)
                answered = await place.handler(desk)
            except PilothouseError as refused:
                return await self._refused(request, call, form_token, place, refused)
            return await self._respond(request, desk, answered)

        return endpoint

    async def _desk(self, request: Request, call: Call, form_token: str) -> Desk:
        fields: Mapping[str, tuple[str, ...]] = {}
        if request.method == "POST":
            fields = await _form(request)
            if not tokens.same(fields.get("form_token", ("",))[-1], form_token):
                raise FormForged("this form is not from your current session; go back, reload and try again",
                                 rule="form-token")
        return Desk(platform=self.platform, call=call, path=request.path_params, query=dict(request.query_params),
                    form={k: v[-1] for k, v in fields.items()}, lists=fields, form_token=form_token,
                    fragment=request.headers.get("hx-request") == "true")

    async def _respond(self, request: Request, desk: Desk, answered: Answered) -> Response:
        if isinstance(answered, GoTo):
            return _see(answered.address, says=answered.says)
        if isinstance(answered, Picture):
            if answered.plain:
                return JSONResponse(answered.spec, headers=dict(rendering.HEADERS))
            svg = await self.drawing.svg(answered.spec, dark=answered.dark, narrow=answered.narrow)
            return Response(svg, media_type="image/svg+xml", headers={**rendering.HEADERS, **_PICTURE})
        if isinstance(answered, Download):
            return Response(answered.body, media_type=answered.media_type, headers={
                **rendering.HEADERS, "content-disposition": f'attachment; filename="{answered.name}"'})
        response = Response(await self._page(request, desk.call, desk.form_token, answered), answered.status,
                            media_type="text/html", headers=dict(rendering.HEADERS))
        response.delete_cookie("says")
        return response

    async def _page(self, request: Request, call: Call, form_token: str, page: Page) -> str:
        waiting = await self.waiting(call) if self.waiting else {}
        cases = await self.platform.portfolio.list_use_cases(call, PortfolioQuery()) if call.may(
            "use_case:read", on="*") else ()
        return rendering.render(page.template, {
            "page": page, "c": page.context, "me": call.principal, "may": lambda p, on="*": call.may(p, on=on),
            "cases": [(u.slug, u.title) for u in cases], "case": request.path_params.get("use_case", ""),
            "form_token": form_token, "rail": rail_of(call, waiting), "says": _said(request),
            "path": request.url.path, "has_htmx": rendering.htmx() is not None, "ids": rendering.Ids(
                "f" if request.headers.get("hx-request") == "true" else "p"), "script": self._script_address})

    def _script_address(self) -> str:
        """Return where the charts' script lies, or nothing while it is not made; only pages with a chart ask."""
        script = self.drawing.script()
        return f"/static/charts-{script.digest}.js" if script else ""

    async def _script(self, request: Request) -> Response:
        """Serve the charts' script: its address names its content, so that a browser may keep it for good."""
        script = await self.drawing.made()
        if script is None or request.path_params["digest"] != script.digest:
            return Response("no such file", 404)
        packs = "gzip" in request.headers.get("accept-encoding", "")
        return Response(script.packed if packs else script.body, media_type="text/javascript", headers={
            "cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding",
            "x-content-type-options": "nosniff", **({"content-encoding": "gzip"} if packs else {})})

    async def _refused(self, request: Request, call: Call, form_token: str, place: Place,
                       refused: PilothouseError) -> Response:
        if isinstance(refused, Denied):
            await self.platform.directory.record_refusal(call, f"console {place.verb} {place.path}", refused)
        page = Page(template="refusal.html", title="Not possible", context=refused, status=refused.status)
        return Response(await self._page(request, call, form_token, page), refused.status, media_type="text/html",
                        headers=dict(rendering.HEADERS))

    async def _sign_in_page(self, request: Request) -> Response:
        return self._sign_in_form(request.query_params.get("next", "/"), "", "", 200)

    def _sign_in_form(self, after: str, person: str, refusal: str, status: int) -> Response:
        html = rendering.render("sign_in.html", {"after": after, "person": person, "refusal": refusal,
                                                 "sign_ins": self.sign_ins()})
        return Response(html, status, media_type="text/html", headers=dict(rendering.HEADERS))

    async def _sign_in(self, request: Request) -> Response:
        """Open a session. No token guards this form: it changes nothing but who is signed in."""
        fields = {k: v[-1] for k, v in (await _form(request)).items()}
        person, after = fields.get("person", ""), _own(fields.get("next", "/"))
        address = request.client.host if request.client else ""
        try:
            session = await self.platform.directory.sign_in(self.identity.anonymous(), Credentials(
                person=person, password=fields.get("password", ""), address=address))
        except PilothouseError as refused:
            return self._sign_in_form(after, person, refused.message, refused.status)
        response = _see(after)
        response.set_cookie(COOKIE, session.token, httponly=True, secure=self.secure, samesite="strict", path="/")
        return response

    async def _sign_out(self, request: Request) -> Response:
        token = request.cookies.get(COOKIE, "")
        fields = await _form(request)
        try:
            call, form_token = await self.identity.by_session(token)
        except Unauthenticated:
            return _see("/sign-in")
        if tokens.same(fields.get("form_token", ("",))[-1], form_token):
            await self.platform.directory.sign_out(call, token)
        response = _see("/sign-in")
        response.delete_cookie(COOKIE, path="/")
        return response


def _own(address: str) -> str:
    """Return an address of ours; anything that could lead elsewhere becomes home."""
    return address if address.startswith("/") and not address.startswith(("//", "/\\")) else "/"


async def _form(request: Request) -> Mapping[str, tuple[str, ...]]:
    async with request.form(max_fields=FORM_FIELDS_MAX, max_files=20, max_part_size=FORM_BYTES_MAX) as form:
        return {name: tuple([await _plain(v) for v in form.getlist(name)]) for name in form}


async def _plain(value: UploadFile | str) -> str:
    """Return what was typed, or what stands in the file that was chosen."""
    if isinstance(value, str):
        return value
    if (value.size or 0) > FILE_BYTES_MAX:
        raise TooLarge(f"a form takes files up to {FILE_BYTES_MAX} bytes; use the command line for larger ones",
                       limit_bytes=FILE_BYTES_MAX)
    return (await value.read()).decode("utf8", errors="replace")


def _see(address: str, *, says: str = "") -> RedirectResponse:
    response = RedirectResponse(address, status_code=303, headers=dict(rendering.HEADERS))
    if says:
        response.set_cookie("says", quote(says), max_age=30, httponly=True, samesite="strict", path="/")
    return response


def _said(request: Request) -> str:
    return unquote(request.cookies.get("says", ""))


async def _static(request: Request) -> Response:
    name = request.path_params.get("name", "assist.js")
    body = rendering.htmx() if name == "htmx.js" else rendering.static_file(name)
    if body is None:
        return Response("no such file", 404)
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    return Response(body, media_type=kinds.get(name.rpartition(".")[2], "application/octet-stream"),
                    headers={"cache-control": "max-age=300", "x-content-type-options": "nosniff"})

