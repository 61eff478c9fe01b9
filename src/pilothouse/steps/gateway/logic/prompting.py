"""Questions, passages and releases into prompts; they stay in parts, and drivers render them."""

from pilothouse.steps.gateway.contracts import Material, Prompt, Release

QUESTION_LENGTH_MAX = 16_000
"""Characters of one question, and of each earlier turn."""
TURNS_MAX = 40


def compose(release: Release, material: Material) -> Prompt:
    """Lay out a prompt: the release's instructions first, the client's below them, never instead."""
    instructions = "\n\n".join(part for part in (release.instructions, material.instructions) if part)
    return Prompt(instructions=instructions, examples=release.examples, turns=material.turns,
                  passages=material.passages, question=material.question)
