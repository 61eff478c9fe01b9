"""A small Prometheus on loopback: holds series in memory and answers range queries as the real one does."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

POINTS_MAX = 11_000


@dataclass
class StandIn:
    """What it holds (`series[name][labels][time] = value`) and what it was asked."""

    base_url: str = ""
    series: dict[str, dict[str, dict[int, str]]] = field(default_factory=dict)
    token: str = ""
    fails: int = 0
    """How many of the next requests are answered with 503."""
    asked: list[Mapping[str, str]] = field(default_factory=list)

    async def query_range(self, request: web.Request) -> web.Response:
        """Answer with a matrix: one point a step where there is one at that very second."""
        form = {k: str(v) for k, v in (await request.post()).items()}
        self.asked.append(form)
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return web.Response(status=401, text="unauthorized")
        if self.fails:
            self.fails -= 1
            return web.Response(status=503, text="starting")
        name, start, end, step = form["query"], float(form["start"]), float(form["end"]), int(form["step"])
        if name not in self.series:
            return _refused(f'invalid parameter "query": unknown name {name}')
        if (end - start) / step > POINTS_MAX:
            return _refused("exceeded maximum resolution of 11,000 points per timeseries")
        found = [{"metric": {"l": labels}, "values": values} for labels, points in self.series[name].items()
                 if (values := _sampled(points, int(start), int(end), step))]
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": found}})


def _sampled(points: Mapping[int, str], start: int, end: int, step: int) -> list[list[object]]:
    return [[at, points[at]] for at in range(start, end + 1, step) if at in points]


def _refused(says: str) -> web.Response:
    return web.json_response({"status": "error", "errorType": "bad_data", "error": says}, status=400)


@asynccontextmanager
async def prometheus() -> AsyncIterator[StandIn]:
    """Serve on a free loopback port until the block ends."""
    served = StandIn()
    app = web.Application()
    app.router.add_post("/api/v1/query_range", served.query_range)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    served.base_url = f"http://{host}:{port}"
    try:
        yield served
    finally:
        await runner.cleanup()
