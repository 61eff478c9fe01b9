"""What the portfolio asks of the world: facts, samples of KPIs, measurements for business cases, and file writers."""

from datetime import datetime
from typing import Protocol

from pilothouse.kernel.store import Reader
from pilothouse.steps.portfolio.contracts import GateFact, Standing, UseCase, UseCaseId
from pilothouse.steps.portfolio.contracts.cases import CaseVersion, Measurement, TieKind
from pilothouse.steps.portfolio.contracts.samples import Feed, Pulled


class GateFacts(Protocol):
    """Offers typed facts about one use case; several steps plug in. A plug that raises counts as `no data`."""

    @property
    def step(self) -> str: ...

    def facts(self, reader: Reader, standing: Standing, today: str) -> tuple[GateFact, ...]:
        """Return the facts as of `today` (ISO date), read from one snapshot."""
        ...


class SampleSource(Protocol):
    """Gives the observations of one feed page by page, each once; drivers go to systems, later steps plug in theirs."""

    def check(self, feed: Feed) -> None:
        """Raise Invalid naming the field of a feed that this source could never serve; nothing is contacted."""
        ...

    async def pull(self, feed: Feed, *, until: datetime, limit: int) -> Pulled:
        """Return what comes after `feed.position`, at most `limit` observations; `until` is now, for what goes by time.

        The same position gives the same page again, or the same with more behind it. What holds no value is counted
        as missing, never as 0. Raises Unavailable when trying again may help, Invalid when only a person can.
        """
class Measurements(Protocol):
    """Offers measured numbers about a use case to its business case; several plug in, each for its kind of tie."""

    @property
    def kind(self) -> TieKind:
        """The kind of tie it answers: `gateway` or `experiment`; KPIs are the portfolio's own."""
        ...

    def measurement(self, reader: Reader, use_case_id: UseCaseId, ref: str, today: str) -> Measurement | None:
        """Return what was measured under `ref` up to `today` (ISO date), or None when there is too little."""
        ...


class CaseWriter(Protocol):
    """Writes a business case as a file for finance."""

    @property
    def media_type(self) -> str: ...

    def write(self, use_case: UseCase, version: CaseVersion) -> bytes:
        """Return the file: every figure with its grade and source, text never as a formula."""
        ...
