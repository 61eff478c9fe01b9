"""A whole platform in this process on either database: begun, with documents, asked, and closed."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pilothouse.app.beginning import begin
from pilothouse.app.settings import Settings
from pilothouse.app.wire import Assembled, assemble
from pilothouse.app.workspace import Workspace
from pilothouse.kernel.call import Call
from pilothouse.testing.postgres import fresh_address

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """One workspace; each `run` owns it, opens the platform, and closes it again."""

    workspace: Workspace
    folder: Path

    def run(self, work: Callable[[Assembled, Call], Coroutine[Any, Any, T]]) -> T:
        async def opened() -> T:
            ownership = self.workspace.own()
            try:
                a = await assemble(self.workspace)
                try:
                    operator = await a.platform.directory.principal(self.workspace.operator())
                    result = await work(a, a.call_as(operator))
                    await a.subscriptions.deliver_all()
                    return result
                finally:
                    await a.close()
            finally:
                ownership.close()

        return asyncio.run(opened())

    def write(self, name: str, text: str) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf8")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A workspace just begun, on each database in turn; lexical retrieval, so that no weights are loaded."""
    monkeypatch.setenv("PILOTHOUSE_EMBEDDER", "none")
    home = tmp_path / "workspace"
    settings = Settings(home=home, keys=home / "keys", database=fresh_address() if request.param == "postgres" else "")
    workspace = Workspace(settings)
    asyncio.run(begin(workspace, name="Ada Lovelace", person="ada", password="correct horse battery"))
    return Place(workspace, tmp_path / "documents")
