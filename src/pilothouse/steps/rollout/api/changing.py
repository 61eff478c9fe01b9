"""Changes of releases and phases inside one transaction: rows and entries together, twice the same as once."""

from dataclasses import replace
from typing import Literal

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.ids import ORGANISATION, Mint, SubjectId
from pilothouse.kernel.store import Reader, Transaction
from pilothouse.steps.gateway.contracts import Release
from pilothouse.steps.portfolio.contracts import Standing, UseCaseId
from pilothouse.steps.rollout import store
from pilothouse.steps.rollout.contracts import (
    Advance,
    HealthBreached,
    Measured,
    NewPhase,
    NewRelease,
    Phase,
    PhaseChanged,
    PhaseOpened,
    PhaseStatus,
    RegisteredRelease,
    ReleaseRegistered,
)
from pilothouse.steps.rollout.errors import NoPhase, NoSuchRelease, NotYetLive, PhaseNotOpen, ServesFewer
from pilothouse.steps.rollout.logic import assigning, versioning

Action = Literal["advanced", "halted", "closed"]
_STATUS: dict[Action, PhaseStatus] = {"advanced": "open", "halted": "halted", "closed": "closed"}


def check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise Invalid("a share is a fraction from 0 to 1, such as 0.2 for a fifth", field="share")


def check_live(standing: Standing) -> None:
    """Raise NotYetLive for what no phase can serve."""
    if standing.trial:
        raise NotYetLive("a trial answers only its owner; propose a use case to serve others",
                         use_case_id=standing.use_case_id)
    if standing.stage in ("idea", "retired"):
        raise NotYetLive(f"this use case is {standing.stage}; its gate opens the first phase",
                         use_case_id=standing.use_case_id, stage=standing.stage)


def is_later(phase: Phase, than: Phase | None) -> bool:
    """Say whether a phase is the newer state of the two: each change has a higher ledger entry."""
    return than is None or (phase.number, phase.seq) > (than.number, than.seq)


def newest(reader: Reader, use_case_id: str) -> Phase:
    found = store.phases(reader, use_case_id)
    if not found:
        raise NoPhase("this use case has no phase yet; open one first", use_case_id=use_case_id)
    return found[0]


def registered(tx: Transaction, call: Call, use_case_id: UseCaseId, new: NewRelease) -> RegisteredRelease:
    """Return the release with this content, registered now if it was not before."""
    release, digest = versioning.release_of(new)
    if held := store.release(tx, use_case_id, release.id):
        return held
    seq = tx.record(f"use_case/{use_case_id}", ReleaseRegistered(
        use_case_id=use_case_id, release_id=release.id, model=release.model, passages=release.passages, digest=digest,
        instructions=tx.seal(ORGANISATION, release.instructions)))
    made = RegisteredRelease(use_case_id=use_case_id, release=release, digest=digest, seq=seq,
                             registered_by=call.principal.id, registered_at=stamp(call.at))
    store.register(tx, made)
    return made


def opened(tx: Transaction, call: Call, use_case_id: UseCaseId, new: NewPhase, mint: Mint) -> Phase:
    """Open a phase and close the one before; the use case keeps its salt, so that nobody changes sides."""
    release = _release(tx, call, use_case_id, new)
    before = store.phases(tx, use_case_id)[:1]
    for held in before:
        if held.status == "open":
            store.save(tx, replace(held, status="closed", changed_at=stamp(call.at)))
    number, salt = (before[0].number + 1, before[0].salt) if before else (1, mint("salt"))
    seq = tx.record(f"use_case/{use_case_id}", PhaseOpened(
        use_case_id=use_case_id, number=number, release_id=release.id, model=release.model, units=new.units,
        share=new.share))
    phase = Phase(use_case_id=use_case_id, number=number, release=release, units=new.units, share=new.share,
                  status="open", limits=new.limits, changed_at=stamp(call.at), seq=seq, salt=salt)
    store.save(tx, phase)
    return phase


def _release(tx: Transaction, call: Call, use_case_id: UseCaseId, new: NewPhase) -> Release:
    if not new.release_id:
        return registered(tx, call, use_case_id, NewRelease(
            use_case_id=use_case_id, model=new.model, instructions=new.instructions, passages=new.passages)).release
    held = store.release(tx, use_case_id, new.release_id)
    if held is None:
        raise NoSuchRelease("no release of this use case has that id; register it first", release_id=new.release_id)
    return held.release


def advanced(tx: Transaction, call: Call, use_case_id: UseCaseId, asked: Advance) -> Phase:
    """Let an open phase serve more people; asking for what it serves already changes nothing."""
    held = _open(tx, use_case_id)
    units = asked.units or held.units
    if not assigning.grows(held.units, held.share, to_units=units, to_share=asked.share):
        raise ServesFewer("advancing takes nobody's access away; halt the phase, or open another one", field="share",
                          share=held.share, units=", ".join(held.units) or "all")
    if (asked.share, frozenset(units)) == (held.share, frozenset(held.units)):
        return held
    return _changed(tx, call, replace(held, share=asked.share, units=units), "advanced", asked.reason)


def halted(tx: Transaction, call: Call, use_case_id: UseCaseId, reason: str) -> Phase:
    """Halt the newest phase, if it is not halted."""
    held = newest(tx, use_case_id)
    return held if held.status == "halted" else _changed(tx, call, _open(tx, use_case_id), "halted", reason)


def closed(tx: Transaction, call: Call, use_case_id: str) -> Phase | None:
    """Close the newest phase for good; None where there is none or it is closed."""
    found = store.phases(tx, use_case_id)
    if not found or found[0].status == "closed":
        return None
    return _changed(tx, call, found[0], "closed", "")


def breached(tx: Transaction, call: Call, phase: Phase, m: Measured) -> Phase | None:
    """Halt a phase for a breach; None where it changed since it was measured."""
    held = newest(tx, phase.use_case_id)
    if (held.number, held.seq) != (phase.number, phase.seq):
        return None
    tx.record(f"use_case/{phase.use_case_id}", HealthBreached(
        use_case_id=phase.use_case_id, number=phase.number, metric=m.metric, value=m.value or 0.0, limit=m.limit,
        n=m.n, low=m.interval.low if m.interval else None, high=m.interval.high if m.interval else None))
    return _changed(tx, call, held, "halted", f"{m.metric} over its limit")


def _open(reader: Reader, use_case_id: str) -> Phase:
    held = newest(reader, use_case_id)
    if held.status != "open":
        raise PhaseNotOpen(f"the newest phase is {held.status}; open a new one", use_case_id=use_case_id)
    return held


def _changed(tx: Transaction, call: Call, phase: Phase, action: Action, reason: str) -> Phase:
    who = SubjectId(call.principal.id) if call.principal.kind == "human" else ORGANISATION
    seq = tx.record(f"use_case/{phase.use_case_id}", PhaseChanged(
        use_case_id=phase.use_case_id, number=phase.number, action=action, units=phase.units, share=phase.share,
        reason=tx.seal(who, reason) if reason else None))
    after = replace(phase, status=_STATUS[action], changed_at=stamp(call.at), seq=seq)
    store.save(tx, after)
    return after
