"""Workspaces of earlier versions: opened by today's code they lose nothing, verify, and go on.

`workspace-0.1.0.tar.xz` was made by version 0.1.0 itself (init, ingest, ask, KPI, baseline, a held gate); its keys
are a fixture's and protect nothing.
"""

import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from pilothouse.app import verifying
from pilothouse.app.settings import Settings
from pilothouse.app.wire import Assembled
from pilothouse.app.workspace import Workspace
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import PilothouseError
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.gateway.contracts import Question
from pilothouse.steps.portfolio.contracts import UseCaseRef
from tests.flows.conftest import Place

HERE = Path(__file__).parent
ENTRIES_THEN = 18


@pytest.fixture(params=sorted(p.name for p in HERE.glob("workspace-*.tar.xz")))
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("PILOTHOUSE_EMBEDDER", "none")
    with tarfile.open(HERE / request.param) as packed:
        packed.extractall(tmp_path, filter="data")
    home = tmp_path / request.param.removesuffix(".tar.xz")
    for secret in (home / "keys").iterdir():
        secret.chmod(0o600)
    (home / "keys").chmod(0o700)
    return Place(Workspace(Settings(home=home, keys=home / "keys")), tmp_path / "documents")


def test_an_earlier_workspace_verifies_as_it_is_and_after_it_was_opened(old: Place) -> None:
    assert verifying.verify(old.workspace.home).entries == ENTRIES_THEN

    async def opened(a: Assembled, call: Call) -> None:
        await a.subscriptions.deliver_all()

    old.run(opened)
    assert verifying.verify(old.workspace.home).entries >= ENTRIES_THEN


def test_what_was_there_is_there_and_work_goes_on(old: Place) -> None:
    async def story(a: Assembled, call: Call) -> None:
        portfolio = a.platform.portfolio
        mine = await a.platform.gateway.my_answers(call, NoFields())
        assert [m.question for m in mine] == ["How many days carry over?"]
        assert "Five days" in mine[0].answer.text
        answer = await a.platform.gateway.answer(call, Question(use_case="trial", text="How many days carry over?"))
        assert "Five days" in answer.text, "the indexes, which the archive lacks, are made anew"
        kpi = (await portfolio.kpis(call, UseCaseRef(use_case="leave-desk")))[0]
        assert kpi.result.baseline is not None and (kpi.result.baseline.mean, kpi.result.baseline.n) == (10.0, 5)
        decided = (await portfolio.decisions(call, UseCaseRef(use_case="leave-desk")))[0]
        assert decided.dissent == ("Olga would go on",)
        assert [(c.text, c.due) for c in decided.conditions] == [("Name who is accountable", "2027-01-01")]
        assert (await portfolio.assess_gate(call, UseCaseRef(use_case="leave-desk"))).recommended == "hold"

    old.run(story)


def test_a_workspace_of_a_newer_version_is_refused_and_left_as_it_is(old: Place) -> None:
    with closing(sqlite3.connect(old.workspace.database)) as db:
        db.execute("insert into migration values ('portfolio/9999_from_the_future', '2030-01-01T00:00:00.000000Z')")
        db.commit()

    async def opened(a: Assembled, call: Call) -> None:
        raise AssertionError("it must not open")

    with pytest.raises(PilothouseError, match=r"newer|later"):
        old.run(opened)
    assert verifying.verify(old.workspace.home).entries == ENTRIES_THEN
