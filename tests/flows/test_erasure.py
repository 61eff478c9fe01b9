"""Erasure: planted canaries are gone from every raw byte, the ledger verifies, holds and crashes are respected."""

from pathlib import Path
from typing import Any

import pytest

from pilothouse.app import erasing, safekeeping, verifying
from pilothouse.app.commands import reading
from pilothouse.app.settings import Settings
from pilothouse.app.wire import Assembled
from pilothouse.app.workspace import Workspace
from pilothouse.directory.contracts import EraseRequest, HoldRequest, NewPerson, SubjectRef
from pilothouse.directory.errors import NoSuchSubject, NotErasable, UnderHold
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied, Invalid, PilothouseError
from pilothouse.kernel.jobs import Job
from pilothouse.steps.gateway.contracts import AnswerRef, Question
from pilothouse.steps.knowledge.contracts import IngestRequest, Query
from pilothouse.steps.portfolio.contracts import Proposal
from pilothouse.steps.workflows.contracts import NewCorrection, NewRating
from tests.flows.conftest import Place

CANARIES = ("quizzical-heron-5518", "velvet-otter-9023", "amber-lynx-7741", "copper-wren-3306")
NAME, EMAIL = "Zephyrine Quillfeather", "zephyrine@quillfeather.example"


async def _planted(a: Assembled, call: Call, place: Place) -> str:
    """Let Zephyrine be, ask, rate, correct, and be named in others' documents; returns her answer's id."""
    await a.platform.directory.add_person(call, NewPerson(id="zq", name=NAME, email=EMAIL, roles=("employee", "owner")))
    zq = a.call_as(await a.platform.directory.principal("zq"))
    place.write("rota.md", f"# Rota of the branch\n\nOn Monday {NAME} opens the vault. Write to {EMAIL} about it.\n")
    await a.platform.knowledge.ingest_with(call, IngestRequest(path=str(place.folder), source="team",
                                                               readers=("everyone",)), lambda *_: None)
    own = place.folder.parent / "own"
    own.mkdir(exist_ok=True)
    (own / "diary.md").write_text(f"# Diary\n\nI met {CANARIES[3]} in the garden.\n", encoding="utf8")
    await a.platform.knowledge.ingest_with(zq, IngestRequest(path=str(own), source="diary"), lambda *_: None)
    await a.platform.portfolio.propose_trial(a.system_call(), Proposal(
        title="Trial of hers", slug="hers", owner="zq", outcome="speed", unit_of_work="question",
        problem="Try it on documents of her own."))
    answer = await a.platform.gateway.answer(zq, Question(use_case="hers", text=f"Who opens the vault, {CANARIES[0]}?"))
    await a.platform.workflows.rate(zq, NewRating(interaction_id=answer.interaction_id, useful=False,
                                                  comment=f"Not what {CANARIES[1]} said"))
    await a.platform.workflows.correct(zq, NewCorrection(interaction_id=answer.interaction_id,
                                                         text=f"It is {CANARIES[2]} who opens it."))
    return answer.interaction_id


def _order(**more: Any) -> EraseRequest:
    return EraseRequest(subject="zq", reason="She asked for it", canaries=CANARIES, **more)


def test_nothing_of_an_erased_person_is_left_and_the_ledger_still_verifies(place: Place) -> None:
    id = place.run(lambda a, call: _planted(a, call, place))

    async def erased(a: Assembled, call: Call) -> None:
        before = await a.platform.privacy.subject(call, SubjectRef(subject="zq"))
        assert {h.store: h.count > 0 for h in before.holds} == {
            "sealed texts": True, "knowledge": True, "directory": True, "people": False}
        done = await a.platform.privacy.erase(call, _order())
        assert done.found_in == () and done.files_scanned > 5 and done.needles > len(CANARIES)
        assert {e.store: e.count for e in done.erased} == {h.store: h.count for h in before.holds}
        again = await a.platform.privacy.erase(call, _order())
        assert again == done, "twice is once"
        found = await a.platform.knowledge.search(call, Query(text="Who opens the vault?"))
        assert [p.text.count("[erased]") for p in found.passages] == [2]
        shown = await a.platform.gateway.explain(a.system_call(), AnswerRef(interaction_id=id))
        assert (shown.question, shown.answer.text) in ((None, ""), ("", ""), (None, None))
        with pytest.raises(PilothouseError):
            await a.platform.directory.principal("zq")

    place.run(erased)
    needles = (*CANARIES, NAME, EMAIL)
    assert erasing.scan((place.workspace.home,), needles).found_in == ()
    _verified(place)


def _verified(place: Place) -> None:
    with reading(place.workspace) as database:
        elsewhere = database if place.workspace.settings.database else None
        assert verifying.verify(place.workspace.home, database=elsewhere).entries > 10


def test_a_legal_hold_blocks_erasure_until_it_is_released(place: Place) -> None:
    async def story(a: Assembled, call: Call) -> None:
        await _planted(a, call, place)
        held = HoldRequest(subject="zq", reason="Court order 12")
        assert (await a.platform.privacy.place_hold(call, held)).key == "held"
        await a.platform.privacy.place_hold(call, held)
        with pytest.raises(UnderHold):
            await a.platform.privacy.erase(call, _order())
        assert (await a.platform.privacy.subject(call, SubjectRef(subject="zq"))).holds[0].count > 0
        await a.platform.privacy.release_hold(call, held)
        assert (await a.platform.privacy.erase(call, _order())).found_in == ()
        placed = await a.database.read(lambda r: r.entries(kinds=("privacy.hold_placed", "privacy.hold_released")))
        assert [e.kind for e in placed] == ["privacy.hold_placed", "privacy.hold_released"]
        assert "Court" not in repr([e.body for e in placed])

    place.run(story)


class _Killed(BaseException):
    """Stands for the process ending at this point."""


@pytest.mark.parametrize("dies_at", ["before the rows", "before the files", "before the proof"])
def test_an_erasure_that_a_crash_interrupts_is_finished_after_the_restart(place: Place, dies_at: str) -> None:
    place.run(lambda a, call: _planted(a, call, place))

    async def interrupted(a: Assembled, call: Call) -> None:
        _die(a, dies_at)
        with pytest.raises(_Killed):
            await a.platform.privacy.erase(call, _order())

    async def resumed(a: Assembled, call: Call) -> None:
        found = [j for j in await a.platform.jobs.list(kind="privacy.erase") if j.key == "zq"]
        await a.platform.privacy.resume(_Resumed(found[0], a.system_call()))
        await a.platform.privacy.resume(_Resumed(found[0], a.system_call()))
        told = await a.database.read(lambda r: r.entries(kinds=("privacy.subject_erased", "privacy.erasure_proven")))
        kinds = [e.kind for e in told]
        assert kinds == ["privacy.subject_erased", "privacy.erasure_proven"], [e.body for e in told]
        assert told[1].body["found"] == 0

    place.run(interrupted)
    place.run(resumed)
    assert erasing.scan((place.workspace.home,), (*CANARIES, NAME, EMAIL)).found_in == ()


class _Resumed:
    """What the job runner hands to a handler."""

    def __init__(self, job: Job, call: Call) -> None:
        self.job, self.call = job, call

    def advance(self, tx: Any, *, cursor: str, done: int, total: int | None = None) -> None:
        raise AssertionError("an erasure keeps its place in the ledger")


def _die(a: Assembled, dies_at: str) -> None:
    async def dead(*_: Any) -> Any:
        raise _Killed

    privacy: Any = a.platform.privacy
    if dies_at == "before the rows":
        def destroyed(subject: str) -> None:
            a.keys.destroy(subject)
            raise _Killed

        privacy._keys = type("Dying", (), {"destroy": staticmethod(destroyed), "state": a.keys.state})()
    elif dies_at == "before the files":
        privacy._storage = type("Dying", (), {"scrub": dead, "scan": dead})()
        a.platform.knowledge.settle_erasure = dead  # type: ignore[method-assign]
    else:
        privacy._storage.scan = dead


def test_who_cannot_be_erased_and_what_is_refused_by_field(place: Place) -> None:
    async def story(a: Assembled, call: Call) -> None:
        erase = a.platform.privacy.erase
        for subject, refused in (("nobody", NoSuchSubject), ("ada", NotErasable), ("organisation", NotErasable)):
            with pytest.raises(refused):
                await erase(call, EraseRequest(subject=subject, reason="asked for it"))
        await _planted(a, call, place)
        for more, field in (({"reason": " "}, "reason"), ({"reason": "asked", "canaries": ("short",)}, "canaries[0]"),
                            ({"reason": "asked", "canaries": ("x" * 8,) * 101}, "canaries")):
            with pytest.raises(Invalid) as seen:
                await erase(call, EraseRequest(subject="zq", **more))
            assert seen.value.facts["field"] == field
        with pytest.raises(Denied):
            await erase(a.call_as(await a.platform.directory.principal("zq")), EraseRequest(subject="ada", reason="no"))

    place.run(story)


def test_a_restored_backup_repeats_the_erasures_it_is_told_of(place: Place, tmp_path: Path) -> None:
    if place.workspace.settings.database:
        return  # a backup of Postgres is Postgres' own; see docs/operations.md
    place.run(lambda a, call: _planted(a, call, place))

    async def backed_up(a: Assembled, call: Call) -> None:
        await safekeeping.backup(place.workspace, tmp_path / "copy")
        await a.platform.privacy.erase(call, _order())

    place.run(backed_up)
    home = tmp_path / "again"
    restored = Place(Workspace(Settings(home=home, keys=home / "keys")), place.folder)
    safekeeping.restore(tmp_path / "copy", restored.workspace, erased=("zq",))

    async def looked(a: Assembled, call: Call) -> None:
        assert (await a.platform.privacy.subject(call, SubjectRef(subject="zq"))).holds[0].count == 0

    restored.run(looked)
    assert erasing.scan((home,), (*CANARIES, NAME, EMAIL)).found_in == ()
    assert verifying.verify(home).entries > 10
