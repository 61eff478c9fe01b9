"""Rows, marks and refusals of people into the values and sentences that readers see."""

from datetime import datetime, timedelta
from typing import Any

from pilothouse.kernel.store import Row
from pilothouse.steps.people.contracts import Credential, QuizMark, QuizResult, RaciRow
from pilothouse.steps.people.errors import NotCertified
from pilothouse.steps.people.logic import quizzing, staffing
from pilothouse.steps.people.logic.lessons import Lesson


def in_words(wait: timedelta) -> str:
    """Return a wait in hours and minutes, rounded up."""
    hours, minutes = divmod(int(wait.total_seconds()) // 60 + 1, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def result_of(lesson: Lesson, attempt: int, marks: tuple[QuizMark, ...], earned: Credential | None, *, tries_left: int
              ) -> QuizResult:
    """Return how an attempt came out; what was right is told only when it was passed."""
    return QuizResult(course=lesson.slug, attempt=attempt, right=sum(m.is_right for m in marks), questions=len(marks),
                      passed=earned is not None, tries_left=tries_left, credential=earned,
                      marks=marks if earned else quizzing.veiled(marks))


def credential_of(row: Row, now: datetime) -> Credential:
    """Return a stored credential as it stands at an instant."""
    plain: dict[str, Any] = dict(row)
    return Credential(**{**plain, "demo": bool(plain["demo"])}, status=staffing.validity(plain["expires_at"], now))


def not_certified(lesson: Lesson, *, expired: bool) -> NotCertified:
    """Return the refusal that names the course and the way to its credential."""
    how = f"pass the quiz of the course `{lesson.slug}` ({lesson.title}, about {lesson.minutes} minutes)"
    lack = "your credential for this has expired" if expired else "this asks for a credential that you do not hold"
    return NotCertified(f"{lack}; {how}", rule=f"credential:{lesson.slug}", course=lesson.slug, how=how)


def same_people(a: RaciRow, b: RaciRow) -> bool:
    """Return whether two rows assign the same activity to the same people."""
    names = ("activity", "accountable", "responsible", "consulted", "informed")
    return all(getattr(a, n) == getattr(b, n) for n in names)
