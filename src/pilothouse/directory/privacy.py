"""The privacy façade: legal holds, and erasure that is ordered by a person, survives a crash, and is proven."""

import asyncio
from collections.abc import Sequence

from pilothouse.directory import store
from pilothouse.directory.contracts import (
    ErasedCount,
    EraseRequest,
    Erasure,
    ErasureOrdered,
    ErasureProven,
    HoldPlaced,
    HoldReleased,
    HoldRequest,
    Person,
    SubjectErased,
    SubjectRef,
    SubjectState,
)
from pilothouse.directory.errors import NoSuchSubject, NotErasable, UnderHold
from pilothouse.directory.ports import Forgetter, Plan, Storage, SubjectKeys
from pilothouse.kernel.call import Call
from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.ids import ORGANISATION
from pilothouse.kernel.jobs import Jobs, Progress
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.operation import operation
from pilothouse.kernel.outlet import Outlets
from pilothouse.kernel.store import Database, Reader, Transaction

ERASE_JOB = "privacy.erase"
CANARY_LENGTH_MIN, CANARIES_MAX = 8, 100
SAMPLES_MAX, SAMPLE_LENGTH = 200, 32
"""Stretches of their own texts that are searched for afterwards; long enough to be nobody else's."""


class Privacy:
    """What is kept about a person, and how it goes."""

    def __init__(self, *, database: Database, keys: SubjectKeys, storage: Storage, jobs: Jobs) -> None:
        self._database, self._keys, self._storage, self._jobs = database, keys, storage, jobs
        self._erasing = asyncio.Lock()
        self.forgetters: Outlets[Forgetter] = Outlets()

    @operation("GET /api/v1/privacy/subjects/{subject}", effect="read")
    async def subject(self, call: Call, request: SubjectRef) -> SubjectState:
        """Say what is kept about a subject and what an erasure would take; nothing is changed."""
        call.authorize("privacy:hold", on=request.subject)
        person = await self._known(request.subject)
        state = self._keys.state(request.subject)
        return SubjectState(subject=request.subject, key=state or "none",
                            holds=tuple(_counted(p) for p in await self._plans(request.subject, person)))

    @operation("POST /api/v1/privacy/holds", effect="decide")
    async def place_hold(self, call: Call, request: HoldRequest) -> SubjectState:
        """Forbid erasing a subject until the hold is released; twice is the same as once."""
        call.authorize("privacy:hold", on=request.subject)
        await self._known(request.subject)
        _check_reason(request.reason)
        if self._keys.state(request.subject) != "held":
            await asyncio.to_thread(self._keys.hold, request.subject)  # the hold first: on doubt, held
            await self._database.write(call, lambda tx: tx.record(f"person/{request.subject}", HoldPlaced(
                subject=request.subject, reason=tx.seal(ORGANISATION, request.reason))))
        return await self.subject(call, SubjectRef(subject=request.subject))

    @operation("POST /api/v1/privacy/holds/release", effect="decide")
    async def release_hold(self, call: Call, request: HoldRequest) -> SubjectState:
        """End a legal hold; where there is none this changes nothing."""
        call.authorize("privacy:hold", on=request.subject)
        await self._known(request.subject)
        _check_reason(request.reason)
        if self._keys.state(request.subject) == "held":
            await self._database.write(call, lambda tx: tx.record(f"person/{request.subject}", HoldReleased(
                subject=request.subject, reason=tx.seal(ORGANISATION, request.reason))))
            await asyncio.to_thread(self._keys.release, request.subject)
        return await self.subject(call, SubjectRef(subject=request.subject))

    @operation("POST /api/v1/privacy/erasures", effect="decide")
    async def erase(self, call: Call, request: EraseRequest) -> Erasure:
        """Destroy a subject's key and rows, purge what was derived, and search the raw files for what is left.

        Raises:
            UnderHold: a legal hold forbids it.
            NotErasable: the organisation, the platform, and oneself cannot be erased.
        """
        call.authorize("privacy:erase", on=request.subject)
        person = await self._known(request.subject)
        _check(call, request)
        if self._keys.state(request.subject) == "held":
            raise UnderHold("this subject is under legal hold; release the hold first", subject=request.subject)
        async with self._erasing:
            if done := await self._done(request.subject):
                return done
            await self._database.write(call, lambda tx: self._order(tx, request))
            return await self._erase(call, request.subject, person, request.canaries)

    def _order(self, tx: Transaction, request: EraseRequest) -> None:
        tx.record(f"person/{request.subject}", ErasureOrdered(
            subject=request.subject, reason=tx.seal(ORGANISATION, request.reason)))
        self._jobs.start(tx, kind=ERASE_JOB, key=request.subject, payload={"subject": request.subject})

    async def resume(self, job: Progress) -> None:
        """Finish an erasure that a crash interrupted, after its order; what is done already is not done again."""
        await self.repeat(job.call, job.job.payload["subject"])

    async def repeat(self, call: Call, subject: str) -> None:
        """Erase what was ordered before, here or (after a restore) in the workspace that the backup is of."""
        async with self._erasing:
            if self._keys.state(subject) != "destroyed" or not await self._done(subject):
                person = await self._database.read(lambda r: next(iter(store.people(r, only=subject)), None))
                await self._erase(call, subject, person, ())

    async def _erase(self, call: Call, subject: str, person: Person | None, canaries: Sequence[str]) -> Erasure:
        needles = await self._database.read(lambda r: _needles(r, subject, person, canaries))
        plans = await self._plans(subject, person)
        await asyncio.to_thread(self._keys.destroy, subject)
        await self._database.write(call, lambda tx: _forget(tx, subject, plans))
        for plan in plans:
            if plan.settle:
                await plan.settle(call)
        await self._storage.scrub()
        scanned = await self._storage.scan(needles)
        proven = ErasureProven(subject=subject, files=scanned.files, bytes=scanned.bytes, needles=len(needles),
                               found=len(scanned.found_in))
        seq = await self._database.write(call, lambda tx: tx.record(f"person/{subject}", proven))
        return Erasure(subject=subject, erased=tuple(_counted(p) for p in plans), files_scanned=scanned.files,
                       bytes_scanned=scanned.bytes, needles=len(needles), found_in=scanned.found_in, seq=seq)

    async def _plans(self, subject: str, person: Person | None) -> Sequence[Plan]:
        named = None if person and person.name == store.ERASED else person  # what stands for a name is nobody's name
        return [plan for forgetter in self.forgetters for plan in await forgetter.plan(subject, named)]

    async def _known(self, subject: str) -> Person | None:
        found = await self._database.read(lambda r: store.people(r, only=subject))
        if not found and self._keys.state(subject) is None:
            raise NoSuchSubject(f"nothing is kept about {subject[:80]}", subject=subject[:80])
        return found[0] if found else None

    async def _done(self, subject: str) -> Erasure | None:
        """Return the erasure as its entries tell it, if it was finished and found nothing left."""
        told = await self._database.read(lambda r: r.entries(
            stream=f"person/{subject}", kinds=(SubjectErased.kind, ErasureProven.kind), newest_first=True, limit=2))
        if self._keys.state(subject) != "destroyed" or [e.kind for e in told] != [ErasureProven.kind,
                                                                                  SubjectErased.kind]:
            return None
        return _told(told[0], told[1])


def _told(proof: Entry, rows: Entry) -> Erasure | None:
    proven, erased = convert(dict(proof.body), ErasureProven), convert(dict(rows.body), SubjectErased)
    return None if proven.found else Erasure(
        subject=proven.subject, erased=erased.erased, files_scanned=proven.files, bytes_scanned=proven.bytes,
        needles=proven.needles, found_in=(), seq=proof.seq)


def _check(call: Call, request: EraseRequest) -> None:
    if request.subject in (ORGANISATION, "system"):
        raise NotErasable("the organisation's own texts cannot be erased as a person's", rule="not-the-organisation")
    if request.subject == call.principal.id:
        raise NotErasable("you may not erase yourself; ask somebody else who may", rule="not-oneself")
    _check_reason(request.reason)
    if len(request.canaries) > CANARIES_MAX:
        raise Invalid(f"name at most {CANARIES_MAX} canaries", field="canaries")
    for i, canary in enumerate(request.canaries):
        if len(canary) < CANARY_LENGTH_MIN:
            raise Invalid(f"a canary has {CANARY_LENGTH_MIN} characters or more, or it would be found by chance",
                          field=f"canaries[{i}]")


def _check_reason(reason: str) -> None:
    if not 3 <= len(reason.strip()) <= 2000:
        raise Invalid("say why in 3 to 2,000 characters", field="reason")


def _counted(plan: Plan) -> ErasedCount:
    return ErasedCount(store=plan.store, unit=plan.unit, count=plan.count)


def _forget(tx: Transaction, subject: str, plans: Sequence[Plan]) -> None:
    erased = tuple(ErasedCount(store=p.store, unit=p.unit, count=p.apply(tx)) for p in plans)
    before = tx.entries(stream=f"person/{subject}", kinds=(SubjectErased.kind,), limit=1)
    if not before or any(e.count for e in erased):  # after a crash the rows may be gone already, and are told once
        tx.record(f"person/{subject}", SubjectErased(subject=subject, erased=erased))


def _needles(reader: Reader, subject: str, person: Person | None, canaries: Sequence[str]) -> tuple[str, ...]:
    """Return what must be found nowhere: given canaries, name and e-mail, and stretches of the subject's own texts."""
    own = [person.name, person.email] if person else []
    rows = reader.rows("select id from content where subject = ? order by id limit ?", subject, SAMPLES_MAX)
    texts = [reader.text(str(r["id"])) or "" for r in rows]
    samples = [_middle(t) for t in texts if len(t) >= SAMPLE_LENGTH]
    return tuple(dict.fromkeys(n for n in (*canaries, *own, *samples) if len(n) >= CANARY_LENGTH_MIN))


def _middle(text: str) -> str:
    start = (len(text) - SAMPLE_LENGTH) // 2
    return text[start:start + SAMPLE_LENGTH]
