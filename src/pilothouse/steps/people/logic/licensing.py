"""Licences to ask: which use cases require a course, and who holds it until when."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Licences:
    """All that the hot path needs to know, held in memory."""

    required: Mapping[str, str] = field(default_factory=dict)
    """{use case: course}"""
    expiries: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """{(person, course): expires_at}"""

    def lacking(self, person: str, use_case_id: str, now: str) -> str:
        """Return the course that a person still has to pass before asking, or an empty string."""
        course = self.required.get(use_case_id, "")
        return course if course and self.expiries.get((person, course), "") <= now else ""
