"""Stored interactions into what their readers may see, and the limits of what comes in."""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import msgspec

from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.ledger import Entry
from pilothouse.steps.gateway.contracts import (
    Answer,
    Check,
    Citation,
    EmbedRequest,
    FinishReason,
    InteractionId,
    ModelRoute,
    Receipt,
    ReleaseId,
    Status,
)
from pilothouse.steps.gateway.logic import grounding
from pilothouse.steps.gateway.logic.judging import HELD_TEXT
from pilothouse.steps.knowledge.contracts import Passage

TEXTS_MAX, TEXT_LENGTH_MAX = 256, 8_000
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
REFUSED_TEXT = "This question was not answered."


class Kept(Protocol):
    """The part of an interaction that lies in one column."""

    @property
    def citations(self) -> tuple[Citation, ...]: ...
    @property
    def checks(self) -> tuple[Check, ...]: ...
    @property
    def masked(self) -> Mapping[str, int]: ...
    @property
    def snapshot(self) -> str: ...
    @property
    def streamed(self) -> str: ...


def answer_of(row: Mapping[str, object], citations: tuple[Citation, ...], checks: tuple[Check, ...], *, text: str,
              finish_reason: str) -> Answer:
    """Return an interaction as an answer; a held draft's text stays with its reviewers."""
    status = cast(Status, "failed" if row["status"] == "open" else row["status"])
    shown = {"held": HELD_TEXT, "final": text}.get(status, REFUSED_TEXT)
    return Answer(interaction_id=InteractionId(str(row["id"])), use_case=str(row["slug"]), status=status, text=shown,
                  citations=citations if status == "final" else (), answered=bool(row["answered"]), checks=checks,
                  groundedness=cast(float | None, row["groundedness"]), tokens_in=cast(int, row["tokens_in"]),
                  tokens_out=cast(int, row["tokens_out"]), finish_reason=cast(FinishReason, finish_reason),
                  reviewed_by=str(row["reviewed_by"]), edited=bool(row["edited"]), demo=bool(row["demo"]))


def receipt_of(row: Mapping[str, object], kept: Kept, ids: Sequence[str], passages: Sequence[Passage],
               entries: Sequence[Entry]) -> Receipt:
    """Return the receipt of an interaction; the commitments come from the entries, not from the row."""
    bodies = {e.kind: e.body for e in entries}
    return Receipt(
        interaction_id=InteractionId(str(row["id"])), use_case=str(row["slug"]), asked_by=str(row["principal"]),
        asked_at=str(row["asked_at"]), release_id=ReleaseId(str(row["release_id"])), model=str(row["model"]),
        policy=str(row["policy"]), status=cast(Status, "failed" if row["status"] == "open" else row["status"]),
        snapshot=kept.snapshot, passage_ids=tuple(ids), checks=kept.checks,
        cited=grounding.filled(kept.citations, passages),
        masked=kept.masked, tokens_in=cast(int, row["tokens_in"]), tokens_out=cast(int, row["tokens_out"]),
        cost_eur=cast(float | None, row["cost_eur"]), latency_ms=cast(float, row["latency_ms"] or 0.0),
        streamed=kept.streamed, entries=tuple(e.seq for e in entries),  # type: ignore[arg-type]
        question_commitment=_commitment(bodies.get("gateway.question_asked"), "question"),
        answer_commitment=_commitment(bodies.get("gateway.answer_given"), "answer"))


def _commitment(body: Mapping[str, object] | None, field: str) -> str:
    return str(cast(Mapping[str, object], body[field])["commitment"]) if body else ""


def vault_of(text: str | None) -> tuple[tuple[str, str], ...]:
    """Read a stored vault; an erased one restores nothing."""
    return msgspec.json.decode(text, type=tuple[tuple[str, str], ...]) if text else ()


def masked(text: str, vault: Sequence[tuple[str, str]]) -> str:
    """Put placeholders over every original of an exchange, for readers who may not see them; longest first."""
    for placeholder, original in sorted(vault, key=lambda pair: -len(pair[1])):
        text = text.replace(original, placeholder)
    return text


def check_route(route: ModelRoute) -> None:
    """Raise Invalid naming the field of a route that does not fit."""
    if not NAME.fullmatch(route.name) or route.name == "extractive":
        raise Invalid("a route's name is 1 to 64 of a-z, 0-9, dot, dash, underscore, and not `extractive`",
                      field="name")
    if route.kind == "openai" and not re.match(r"https?://[^\s/]+", route.base_url):
        raise Invalid("give the address of the model's API, such as http://127.0.0.1:11434/v1", field="base_url")
    if route.key_env and not VARIABLE.fullmatch(route.key_env):
        raise Invalid("name the environment variable that holds the key (A-Z, 0-9, _); never the key itself",
                      field="key_env")
    if not 0 < route.timeout_s <= 600:
        raise Invalid("a timeout is more than 0 and at most 600 seconds", field="timeout_s")


def check_texts(request: EmbedRequest) -> None:
    """Raise Invalid naming what is too many or too long."""
    if not 1 <= len(request.texts) <= TEXTS_MAX:
        raise Invalid(f"send 1 to {TEXTS_MAX} texts at once", field="texts")
    for i, text in enumerate(request.texts):
        if not text or len(text) > TEXT_LENGTH_MAX:
            raise Invalid(f"a text has 1 to {TEXT_LENGTH_MAX} characters", field=f"texts[{i}]")
