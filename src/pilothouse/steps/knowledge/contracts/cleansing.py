"""Values of cleansing: what two documents say differently, what was decided about it, and what is set aside."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NewType

from pilothouse.kernel.ledger import Sealed
from pilothouse.steps.knowledge.contracts import DocumentId, Label, PassageId

FindingKey = NewType("FindingKey", str)
"""Names one finding: its kind and the two ids it is about, joined by dots."""
Kind = Literal["contradiction", "exact duplicate", "near duplicate", "outdated version"]
Action = Literal["keep left", "keep right", "not a problem", "snooze"]
"""`keep left` sets the right side aside (a passage of a contradiction, else the whole document), and the reverse."""
State = Literal["open", "snoozed", "decided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Characters of a text to point at: the sentence meant, or what differs in it."""

    start: int
    end: int
    kind: Literal["sentence", "differs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A passage as it is compared with others; `context` is its title and headings."""

    passage: str
    document: str
    context: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Two sentences that cannot both hold: where they lie in their passages, and in what they differ."""

    left: str
    right: str
    left_span: tuple[int, int]
    right_span: tuple[int, int]
    differs: tuple[str, ...]
    share: float
    """How sure: the mean of the shared words and the likenesses, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two documents side by side, with the passages that matter."""

    document_id: DocumentId
    source: str
    owner: str
    path: str
    title: str
    version: int
    effective_on: str
    label: Label
    readers: tuple[str, ...]
    shown: tuple["Shown", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One passage or paragraph with its marks; `only_here` where the other side has nothing like it."""

    passage_id: PassageId
    heading: tuple[str, ...]
    page: int | None
    text: str
    marks: tuple[Mark, ...] = ()
    only_here: bool = False

    def spans(self, kind: str) -> tuple[tuple[int, int], ...]:
        """Return where the marks of one kind begin and end."""
        return tuple((m.start, m.end) for m in self.marks if m.kind == kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What somebody decided about a finding; the latest counts unless it was undone."""

    id: str
    key: FindingKey
    action: Action
    reason: str | None
    """None once its author was erased."""
    by: str
    at: str
    until: str
    """Last ISO day of a snooze; empty otherwise."""
    seq: int
    undone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingLine:
    """A finding in a list: what it is about and where it stands."""

    key: FindingKey
    kind: Kind
    left_path: str
    right_path: str
    differs: tuple[str, ...]
    """What cannot both hold, such as `month`, `EUR`, `time` or `rule`; empty for copies and versions."""
    share: float
    """Shared wording, 0 to 1."""
    state: State
    decision: Decided | None
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """A finding with both sides, as somebody sees it who may read both."""

    line: FindingLine
    left: Side
    right: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingQuery:
    """Which findings to list; empty means all of them."""

    kind: Kind | Literal[""] = ""
    state: State | Literal[""] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRef:
    """Names one finding."""

    key: FindingKey


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDecision:
    """What to do about a finding; `until` (an ISO day) belongs to a snooze alone."""

    key: FindingKey
    action: Action
    reason: str
    until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRef:
    """Names one decision, to undo it."""

    decision_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A document or passage that a decision took out of what is served; its file stays where it is."""

    decision: Decided
    document_id: DocumentId
    passage_id: PassageId | None
    """None where the whole document is set aside."""
    source: str
    path: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingDecided:
    """A person decided what holds between two documents; what it sets aside is served no more."""

    kind: ClassVar[str] = "knowledge.finding_decided"
    decision_id: str
    key: FindingKey
    action: Action
    reason: Sealed
    until: str
    set_aside: str
    """Id of the document or passage that is served no more; empty when nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingReopened:
    """A person undid a decision; what it had set aside is served again."""

    kind: ClassVar[str] = "knowledge.finding_reopened"
    decision_id: str
    key: FindingKey
