"""Releases by what they consist of: the same content has the same digest and the same id."""

import hashlib
from dataclasses import replace

import msgspec

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.gateway.contracts import Release, ReleaseId
from pilothouse.steps.rollout.contracts import NewRelease

PASSAGES_MAX = 50
INSTRUCTIONS_LENGTH_MAX = 8_000
"""In characters."""


def release_of(new: NewRelease) -> tuple[Release, str]:
    """Return (release, digest) of what was asked for; raises Invalid when it asks for too much."""
    if not 0 <= new.passages <= PASSAGES_MAX:
        raise Invalid(f"a release reads 0 to {PASSAGES_MAX} passages", field="passages")
    if len(new.instructions) > INSTRUCTIONS_LENGTH_MAX:
        raise Invalid(f"instructions have at most {INSTRUCTIONS_LENGTH_MAX} characters", field="instructions")
    if not new.model.strip():
        raise Invalid("name the model route that answers, such as extractive", field="model")
    plain = Release(id=ReleaseId(""), model=new.model, passages=new.passages)
    release = replace(plain, instructions=new.instructions) if new.instructions.strip() else plain
    digest = _digest(release)
    return replace(release, id=ReleaseId(f"rel_{digest[:16]}")), digest


def _digest(release: Release) -> str:
    parts = (release.model, release.instructions, release.examples, release.passages)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
