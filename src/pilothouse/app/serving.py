"""The server process: one ASGI application over one platform, its background work, and an orderly end."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version

import uvicorn

from pilothouse.app import logs, memory, metrics
from pilothouse.app.demo import loading as demo
from pilothouse.app.settings import Settings, check_bind
from pilothouse.app.wire import Assembled, assemble, every
from pilothouse.app.workspace import Ownership, Workspace
from pilothouse.backends.engine import head_of
from pilothouse.doors.console.app import Console
from pilothouse.doors.console.drawing import Drawing
from pilothouse.doors.http import otlp
from pilothouse.doors.http.app import HttpApp
from pilothouse.doors.http.chat_completions import ChatCompletions
from pilothouse.doors.http.cross_origin import CrossOrigin, origins_of
from pilothouse.doors.http.identity import Identity
from pilothouse.doors.http.models_and_embeddings import ModelsAndEmbeddings
from pilothouse.doors.http.wire import endpoint
from pilothouse.doors.mcp.http import McpEndpoint
from pilothouse.kernel.errors import Conflict, PilothouseError


class PortTaken(Conflict):
    """The address or the port cannot be listened on."""

    code = "app.port_taken"


SWITCH_S = 0.0005
"""How long a thread waits for the interpreter while another computes: each statement of the database gives it up, so
that at Python's default of 5 ms whoever shares it with a page that is drawn may wait several times over."""

COLLECT_EVERY = (50_000, 20, 50)
"""An answer makes thousands of objects and hardly a cycle; looking for cycles at every 700th is time lost."""

_log = logging.getLogger("pilothouse.server")
PROBE_BYTES = 256 * 1024
"""What must still fit on the disk for this server to be ready; more than one group of commits needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The HTTP application and what must be closed with it."""

    app: CrossOrigin
    mcp: McpEndpoint
    drawing: Drawing


def doors_of(a: Assembled, workspace: Workspace, ownership: Ownership) -> Doors:
    """Put all doors of a server in front of a platform."""
    settings = workspace.settings
    identity = Identity(a.platform.directory, a.access, a.clock, local=(ownership.token, workspace.operator()))
    drawing = Drawing(workspace.home / "cache")
    chat, other = ChatCompletions(a.platform), ModelsAndEmbeddings(a.platform)
    mcp = McpEndpoint(a.platform, identity, version=version("pilothouse"))
    console = Console(platform=a.platform, identity=identity, drawing=drawing, secure=_secure(settings),
                      sign_ins=lambda: demo.sign_ins(workspace))
    app = HttpApp(
        a.platform, identity, version=version("pilothouse"), ready=lambda: unready(a, workspace),
        metrics=lambda: metrics.text(a), more=console.routes(), hot={
            ("POST", "/v1/chat/completions"): endpoint(identity, "gateway.answer", chat.handle),
            ("GET", "/v1/models"): endpoint(identity, "gateway.askable", other.models),
            ("POST", "/v1/metrics"): otlp.endpoint(identity, a.platform),
            ("POST", "/v1/embeddings"): endpoint(identity, "gateway.embed", other.embeddings),
            **{(verb, "/mcp"): mcp for verb in ("GET", "POST", "DELETE")}})
    return Doors(app=CrossOrigin(app, origins_of(settings.assist_origins)), mcp=mcp, drawing=drawing)


def unready(a: Assembled, workspace: Workspace) -> str:
    """Say why no work should be sent here, or nothing: the disk takes no bytes, or the database does not answer."""
    probe = workspace.home / "probe"
    try:
        probe.write_bytes(bytes(PROBE_BYTES))
        probe.unlink()
        a.database.read_now(head_of)
    except OSError as broken:
        probe.unlink(missing_ok=True)
        return f"the workspace's disk cannot be written: {broken.strerror}\n"
    except PilothouseError as broken:
        return f"{broken.message}\n"
    return ""


def _secure(settings: Settings) -> bool:
    return settings.behind_proxy or bool(settings.tls_certificate)


def run(workspace: Workspace, *, announce: Callable[[Workspace], str]) -> None:
    """Serve until told to stop, on uvloop where there is one; raises WorkspaceOwned as `serve` does."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(*COLLECT_EVERY)
    with asyncio.Runner(loop_factory=_uvloop()) as runner:
        runner.run(serve(workspace, announce=announce))


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def serve(workspace: Workspace, *, announce: Callable[[Workspace], str]) -> None:
    """Serve until told to stop; raises WorkspaceOwned if another process has the workspace."""
    settings = workspace.settings
    check_bind(settings)
    workspace.require()
    logs.start()
    ownership = workspace.own()
    try:
        with contextlib.closing(_listening(settings)) as listening:
            await _serve_owned(workspace, listening, ownership, announce)
    finally:
        ownership.close()


async def _serve_owned(workspace: Workspace, listening: socket.socket, ownership: Ownership,
                       announce: Callable[[Workspace], str]) -> None:
    keeper = memory.Keeper()
    assembled = await assemble(workspace)
    doors = doors_of(assembled, workspace, ownership)
    if workspace.demo:
        await demo.begin(assembled, workspace)
    server = uvicorn.Server(_config(workspace.settings, doors))
    # What the start made stays until the end: a full collection that walks it stops every answer for some 60 ms.
    gc.collect()
    gc.freeze()
    working = asyncio.gather(assembled.work(demo.handlers(assembled, workspace)), every(memory.EVERY_S, keeper.look))
    try:
        await _run(server, listening, ownership, workspace.settings, announce(workspace))
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        doors.drawing.close()
        await doors.mcp.close()
        await assembled.close()


def _config(settings: Settings, doors: Doors) -> uvicorn.Config:
    tls: Mapping[str, str] = {}
    if settings.tls_certificate:
        tls = {"ssl_certfile": settings.tls_certificate, "ssl_keyfile": settings.tls_key}
    return uvicorn.Config(
        doors.app, host=settings.host, port=settings.port, loop="none", http="httptools", ws="none", lifespan="off",
        access_log=False, log_config=None, server_header=False, proxy_headers=settings.behind_proxy,
        timeout_graceful_shutdown=20, timeout_keep_alive=65, **tls)  # type: ignore[arg-type]


def _listening(settings: Settings) -> socket.socket:
    """Take the port before anything is opened; raises PortTaken in one line instead of failing half way."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((settings.host, settings.port))
    except OSError as problem:
        taken.close()
        raise PortTaken(f"cannot listen on {settings.host} port {settings.port} ({problem.strerror or problem}); stop "
                        "what holds it, or choose another by --port or PILOTHOUSE_PORT", field="port") from problem
    return taken


async def _run(server: uvicorn.Server, listening: socket.socket, ownership: Ownership, settings: Settings,
               announce: str) -> None:
    """Run the server, and say where it answers once it does."""
    _outlive_the_stop_signal()
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="http server")
    while not server.started and not serving.done():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    if server.started:
        port = server.servers[0].sockets[0].getsockname()[1]
        scheme = "https" if settings.tls_certificate else "http"
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{scheme}://{host}:{port}"
        ownership.announce(address)
        sys.stdout.write(f"Pilothouse answers at {address}\n{announce}")
        sys.stdout.flush()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _outlive_the_stop_signal() -> None:
    """Let SIGTERM end the HTTP server alone: uvicorn raises it once more afterwards, which must not end the process
    before jobs are handed back, the last entries are signed and the database is closed."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda number, frame: None)


def bound(settings: Settings, *, host: str, port: int | None, behind_proxy: bool) -> Settings:
    """Return settings with what the command line said."""
    return replace(settings, host=host or settings.host, port=settings.port if port is None else port,
                   behind_proxy=behind_proxy or settings.behind_proxy)
