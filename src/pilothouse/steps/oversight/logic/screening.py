"""Verdicts by policy: on what goes in to a model, and on what may come out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pilothouse.steps.gateway.contracts import Check, Draft, Inspection, Material, Outcome, Screening
from pilothouse.steps.knowledge.contracts import Passage
from pilothouse.steps.oversight.contracts import Policy
from pilothouse.steps.oversight.logic import injecting, leaking, policing
from pilothouse.steps.oversight.logic.masking import Veil, invented
from pilothouse.text.recognisers import NameIndex
from pilothouse.text.sentences import sentences

WITHHELD = "[sentence withheld: it addresses the assistant]"
_RANK: dict[Outcome, int] = {"allow": 0, "hold": 1, "block": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disarmed:
    """Passages without the sentences that command the model; `numbers` are those that had some, from 1."""

    passages: tuple[Passage, ...]
    numbers: tuple[int, ...]
    rules: tuple[str, ...]


def screen(policy: Policy, material: Material, *, names: NameIndex | None, key: bytes) -> Screening:
    """Judge the question, disarm the passages, and mask all of it under one vault."""
    disarmed = disarm(policy, material.passages)
    veil = Veil(names=names, key=key)
    covered = veil.cover_material(replace(material, passages=disarmed.passages) if disarmed.numbers else material)
    checks = (_asked(policy, material), *_read(policy, disarmed), *_covered(veil))
    return Screening(outcome=worst(checks), policy=policy.id, material=covered, checks=checks,
                     masked=dict(veil.masked), vault=veil.vault.pairs())


def worst(checks: Sequence[Check]) -> Outcome:
    """Return the most cautious outcome among the checks."""
    return max((c.outcome for c in checks), key=_RANK.__getitem__, default="allow")


def _asked(policy: Policy, material: Material) -> Check:
    texts = [material.question, *(t.text for t in material.turns if t.role == "user")]
    suspicion = max((injecting.suspect(t, "question") for t in texts), key=lambda s: s.score)
    standing = injecting.suspect(material.instructions, "question") if material.instructions else injecting.NONE
    if standing.score >= policy.blocks_from:  # a client may shape answers, but not lift the rules
        suspicion = standing
    if suspicion.score < policy.suspects_from:
        return _CLEAN
    if suspicion.score >= policy.blocks_from:
        outcome: Outcome = "block"
    else:
        outcome = "hold" if policy.holds_attacks else "allow"
    return Check(name="prompt injection", outcome=outcome,
                 says=f"the question reads like an attempt to command the model: {', '.join(suspicion.rules)}")


_CLEAN = Check(name="prompt injection", outcome="allow", says="nothing in the question tries to command the model")


def disarm(policy: Policy, passages: Sequence[Passage]) -> Disarmed:
    """Take the sentences that command the model out of passages; the rest stays, and the check tells."""
    found = list(passages)
    numbers: list[int] = []
    rules: list[str] = []
    for i, passage in enumerate(passages):
        suspicion = injecting.suspect(passage.text, "passage")
        if suspicion.score >= policy.suspects_from:
            found[i] = replace(passage, text=without_commands(passage.text, policy.suspects_from))
            numbers.append(i + 1)
            rules.extend(suspicion.rules)
    return Disarmed(passages=tuple(found), numbers=tuple(numbers), rules=tuple(dict.fromkeys(rules)))


def without_commands(text: str, bar: float) -> str:
    """Replace the sentences that command the model; all of the text where no single sentence does."""
    spans = sentences(text)
    hit = [s for s in spans if injecting.suspect(s.of(text), "passage").score >= bar]
    if not hit:
        return WITHHELD
    for span in reversed(hit):
        text = text[:span.start] + WITHHELD + text[span.end:]
    # Commands may also lie across sentences, and cutting must not leave one standing.
    return text if injecting.suspect(text, "passage").score < bar else WITHHELD


def _read(policy: Policy, disarmed: Disarmed) -> Iterator[Check]:
    if disarmed.numbers:
        where = ", ".join(str(n) for n in disarmed.numbers)
        yield Check(name="instructions in passages", outcome="hold" if policy.holds_attacks else "allow",
                    says=f"sentences that command the model were withheld from passage {where}:"
                         f" {', '.join(disarmed.rules)}")


def _covered(veil: Veil) -> Iterator[Check]:
    if veil.masked:
        found = ", ".join(f"{kind} {n}" for kind, n in sorted(veil.masked.items()))
        yield Check(name="personal data", outcome="allow", says=f"masked before any model saw it: {found}")
    if veil.secrets:
        yield Check(name="secrets", outcome="allow", says=f"withheld for good before any model saw it: {veil.secrets}")


def inspect(policy: Policy, draft: Draft) -> Inspection:
    """Judge a completed draft; where policy streams answers through, checks only tell."""
    checks = tuple(_outgoing(policy, draft))
    if policing.streams_through(policy):
        return Inspection(outcome="allow", policy=policy.id, text=draft.text,
                          checks=tuple(replace(c, outcome="allow") for c in checks))
    text = leaking.withhold(draft.text)[0] if leaking.holds_secret(draft.text) else draft.text
    return Inspection(outcome=worst(checks), policy=policy.id, text=text, checks=checks)


def _outgoing(policy: Policy, draft: Draft) -> Iterator[Check]:
    if policy.holds_every_answer:
        yield Check(name="risk tier", outcome="hold", says="every answer of this use case is looked at by a person")
    yield _grounded(policy, draft)
    if policing.reaches(draft.label, policy.holds_from_label):
        yield Check(name="label", outcome="hold", says=f"it draws on {draft.label} sources")
    if _suspicious(policy, draft):
        yield Check(name="suspicion", outcome="hold" if policy.holds_attacks else "allow",
                    says="the question or a passage tried to command the model")
    if made_up := invented(draft.text, [draft.question, *(p.text for p in draft.passages)]):
        yield Check(name="placeholders", outcome="hold", says=f"{len(made_up)} placeholder(s) stand in no source")
    if leaking.holds_secret(draft.text):
        yield Check(name="secrets", outcome="hold", says="the draft held the shape of a secret, which was taken out")


def _suspicious(policy: Policy, draft: Draft) -> bool:
    return (any(WITHHELD in p.text for p in draft.passages)
            or injecting.suspect(draft.question, "question").score >= policy.suspects_from)


def _grounded(policy: Policy, draft: Draft) -> Check:
    bar = policy.holds_below_groundedness
    if not draft.answered:
        return Check(name="groundedness", outcome="allow", says="it says that the sources do not answer")
    if draft.groundedness is None:
        return Check(name="groundedness", outcome="allow" if bar is None else "hold",
                     says="no passage was cited, so nothing could be checked")
    says = f"{draft.groundedness:.0%} of its sentences are supported by what they cite"
    return Check(name="groundedness", outcome="hold" if bar is not None and draft.groundedness < bar else "allow",
                 says=says)
