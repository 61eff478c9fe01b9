"""The ledger: events as entries of one append-only log, each the leaf of a Merkle tree, never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import msgspec

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import PilothouseError


class Event(Protocol):
    """Something that happened, in the past tense: a frozen dataclass with a stable `kind`."""

    kind: ClassVar[str]


class Tampered(PilothouseError):
    """What is stored does not match what was sealed; `facts["seq"]`, where there is one, is the first bad entry."""

    code, status, exit_code = "ledger.tampered", 500, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A text that lies encrypted beside the ledger; the entry holds only its id and a keyed commitment."""

    id: str
    subject: str
    commitment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event as recorded: which leaf, when, by whom, where, and what."""

    seq: int
    at: str
    """Wall-clock instant of the commit (UTC)."""
    tenant: str
    principal: str
    trace: str
    stream: str
    kind: str
    body: Mapping[str, Any]
    demo: bool = False
    happened_at: str = ""
    """Simulated instant, only on demo entries; empty means `at`."""

    @property
    def when(self) -> str:
        """The instant that pages and folds use."""
        return self.happened_at or self.at


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)


def leaf(seq: int, at: str, call: Call, stream: str, event: Event) -> bytes:
    """Write one entry as the JSON bytes that are stored and hashed as they are (so never re-serialised)."""
    return _encoder.encode(Entry(seq=seq, at=at, tenant=call.principal.tenant, principal=call.principal.id,
                                 trace=call.trace, stream=stream, kind=event.kind, body=event,  # type: ignore[arg-type]
                                 demo=call.demo, happened_at=stamp(call.at) if call.demo else ""))


def entry(stored: bytes) -> Entry:
    """Read a stored leaf; raises Tampered if it is not an entry at all."""
    try:
        return _decoder.decode(stored)
    except msgspec.DecodeError as problem:
        raise Tampered("a stored entry is not readable") from problem
