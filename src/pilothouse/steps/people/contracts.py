"""Values of people: courses and quizzes, credentials, squads with coverage, and who answers for what."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from pilothouse.kernel.ids import PrincipalId
from pilothouse.kernel.ledger import Sealed
from pilothouse.steps.portfolio.contracts import UseCaseId

Activity = Literal["decide gate", "operate", "review answers", "own data", "own risk"]
ACTIVITIES: tuple[Activity, ...] = get_args(Activity)
"""What every use case needs somebody accountable for; a RACI is complete when all of them are assigned."""

REVIEW_COURSE, OWNER_COURSE, ASK_COURSE = "review-basics", "own-a-use-case", "ask-well"


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseRef:
    """Names one course by its short name."""

    course: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseSummary:
    """A course as a list shows it to one person."""

    slug: str
    title: str
    why: str
    """Why it matters, in a sentence."""
    version: int
    minutes: int
    questions: int
    pass_mark: float
    """Share of questions (0 to 1) that must be right."""
    valid_days: int
    tries_per_day: int
    tries_left: int
    """Tries left to the caller within the last 24 hours' limit."""
    credential_until: str
    """When the caller's credential expires; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the material, in Markdown."""

    heading: str
    markdown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizChoice:
    """One choice as it is offered in this attempt; the key is good for this attempt only."""

    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizQuestion:
    """One question as it is offered in this attempt, without its answer."""

    key: str
    text: str
    several: bool
    """True where more than one choice is right: all of them must be chosen, and no other."""
    choices: tuple[QuizChoice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A course with its material, and the quiz as shuffled for the caller's next attempt."""

    summary: CourseSummary
    sections: tuple[Section, ...]
    attempt: int
    """Number of the attempt this quiz is shuffled for; sent back with the answers."""
    quiz: tuple[QuizQuestion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizAnswer:
    """What was chosen for one question, by the keys of the attempt."""

    question: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizSubmission:
    """Every question of one attempt, answered."""

    course: str
    attempt: int
    answers: tuple[QuizAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizMark:
    """How one question came out; what was right and why are told once the quiz is passed."""

    question: str
    is_right: bool
    read_again: str
    """Heading of the section that answers it."""
    right_choices: tuple[str, ...] = ()
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Proof that a person knows how to do something, until it expires."""

    id: str
    person: PrincipalId
    course: str
    source: Literal["quiz", "outside"]
    issuer: str
    """Who vouches for it: `Pilothouse` for a quiz, the outside body otherwise."""
    earned_at: str
    expires_at: str
    seq: int
    demo: bool
    status: Literal["valid", "expires soon", "expired"]
    """As of the call that read it; `expires soon` from 30 days before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizResult:
    """How an attempt came out; `credential` is set when it was passed."""

    course: str
    attempt: int
    right: int
    questions: int
    passed: bool
    tries_left: int
    marks: tuple[QuizMark, ...]
    credential: Credential | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonCredentials:
    """Whose credentials to read."""

    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryQuery:
    """Which credentials to list: those that end within so many days."""

    within_days: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideCredential:
    """A credential earned elsewhere, entered by an administrator who saw the proof."""

    person: str
    course: str
    issuer: str
    reason: str
    """What was seen, such as `certificate of 3 May, shown in person`; lies sealed."""
    valid_days: int = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadMember:
    """A person and what they do in the squad, such as `engineer`, `domain expert` or `risk`."""

    person: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Part of a coverage rule: at least so many members in this role."""

    role: str
    at_least: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSquad:
    """A squad to form, or to form anew under the same name; `use_case_id` is optional."""

    name: str
    members: tuple[SquadMember, ...]
    needs: tuple[Need, ...]
    use_case_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Squad:
    """People of several roles who work on one thing, and what their coverage rule still lacks."""

    id: str
    name: str
    use_case_id: str
    members: tuple[SquadMember, ...]
    needs: tuple[Need, ...]
    gaps: tuple[str, ...]
    """What the rule still asks for, in words; empty when the squad is covered."""
    formed_at: str
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseOf:
    """Names the use case whose people are asked for (id or slug)."""

    use_case: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RaciRequest:
    """Who does what for one activity; lists, so that two Accountable can be refused by name."""

    use_case_id: str
    activity: Activity
    accountable: tuple[str, ...]
    responsible: tuple[str, ...]
    consulted: tuple[str, ...] = ()
    informed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RaciRow:
    """One assigned activity: exactly one person is accountable, at least one is responsible."""

    activity: Activity
    accountable: str
    responsible: tuple[str, ...]
    consulted: tuple[str, ...]
    informed: tuple[str, ...]
    assigned_by: str
    assigned_at: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Raci:
    """Who answers for what in one use case, and what nobody answers for yet."""

    use_case_id: UseCaseId
    rows: tuple[RaciRow, ...]
    missing: tuple[Activity, ...]
    is_complete: bool
    required_course: str
    """Course an asker of this use case must have passed; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseRequirement:
    """Ask everybody who asks this use case for a course first; an empty course lifts it."""

    use_case_id: str
    course: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuizTaken:
    """Somebody submitted a quiz; who is on the entry."""

    kind: ClassVar[str] = "people.quiz_taken"
    course: str
    version: int
    attempt: int
    right: int
    questions: int
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialEarned:
    """A person holds a credential until it expires; `reason` is what an administrator saw."""

    kind: ClassVar[str] = "people.credential_earned"
    person: str
    course: str
    source: str
    expires_at: str
    reason: Sealed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadFormed:
    """A squad was formed, or formed anew with other members."""

    kind: ClassVar[str] = "people.squad_formed"
    squad_id: str
    name: Sealed
    use_case_id: str
    members: tuple[SquadMember, ...]
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RaciAssigned:
    """It was settled who answers for one activity of a use case."""

    kind: ClassVar[str] = "people.raci_assigned"
    use_case_id: UseCaseId
    activity: Activity
    accountable: str
    responsible: tuple[str, ...]
    consulted: tuple[str, ...]
    informed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseRequired:
    """A use case asks its askers for a course from now on, or (empty) for none."""

    kind: ClassVar[str] = "people.course_required"
    use_case_id: UseCaseId
    course: str
