"""Tables of rollout: releases as registered, and the phases of every use case."""

from collections.abc import Mapping, Sequence

import msgspec

from pilothouse.kernel.store import Reader, Row, Transaction
from pilothouse.steps.gateway.contracts import Release
from pilothouse.steps.portfolio.contracts import UseCaseId
from pilothouse.steps.rollout.contracts import Limits, Phase, RegisteredRelease


def save(tx: Transaction, p: Phase) -> None:
    """Write a phase, or what became of it."""
    tx.run("delete from phase where use_case_id = ? and number = ?", p.use_case_id, p.number)
    tx.run("insert into phase (use_case_id, number, release, units, share, status, limits, changed_at, seq, salt)"
           " values (?,?,?,?,?,?,?,?,?,?)", p.use_case_id, p.number, _text(p.release), _text(p.units), p.share,
           p.status, _text(p.limits), p.changed_at, p.seq, p.salt)


def phases(reader: Reader, use_case_id: str) -> Sequence[Phase]:
    """Return the phases of a use case, the newest first."""
    return [_phase(r) for r in reader.rows("select * from phase where use_case_id = ? order by number desc",
                                           use_case_id)]


def latest(reader: Reader) -> Mapping[str, Phase]:
    """Return every use case's newest phase."""
    return {str(r["use_case_id"]): _phase(r) for r in reader.rows("select * from phase order by use_case_id, number")}


def _phase(r: Row) -> Phase:
    return Phase(use_case_id=UseCaseId(str(r["use_case_id"])), number=int(r["number"] or 0),
                 release=msgspec.json.decode(str(r["release"]), type=Release),
                 units=msgspec.json.decode(str(r["units"]), type=tuple[str, ...]), share=float(r["share"] or 0),
                 status=r["status"], limits=msgspec.json.decode(str(r["limits"]), type=Limits),  # type: ignore[arg-type]
                 changed_at=str(r["changed_at"]), seq=int(r["seq"] or 0), salt=str(r["salt"]))


def register(tx: Transaction, r: RegisteredRelease) -> None:
    tx.run("insert into release_version (use_case_id, id, digest, release, registered_by, registered_at, seq)"
           " values (?,?,?,?,?,?,?)", r.use_case_id, r.release.id, r.digest, _text(r.release), r.registered_by,
           r.registered_at, r.seq)


def release(reader: Reader, use_case_id: str, id: str) -> RegisteredRelease | None:
    found = reader.rows("select * from release_version where use_case_id = ? and id = ?", use_case_id, id)
    return _release(found[0]) if found else None


def releases(reader: Reader, use_case_id: str) -> Sequence[RegisteredRelease]:
    """Return the releases of a use case, the newest first."""
    rows = reader.rows("select * from release_version where use_case_id = ? order by seq desc", use_case_id)
    return [_release(r) for r in rows]


def _release(r: Row) -> RegisteredRelease:
    return RegisteredRelease(
        use_case_id=UseCaseId(str(r["use_case_id"])), digest=str(r["digest"]), registered_by=str(r["registered_by"]),
        release=msgspec.json.decode(str(r["release"]), type=Release), registered_at=str(r["registered_at"]),
        seq=int(r["seq"] or 0))


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
