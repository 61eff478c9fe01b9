"""What the gateway needs: models to call, and outlets for what later steps know better."""

from collections.abc import AsyncGenerator
from typing import Protocol

from pilothouse.kernel.call import Call
from pilothouse.steps.gateway.contracts import (
    Completion,
    Delta,
    Draft,
    Inspection,
    Material,
    ModelRoute,
    NotServed,
    Parameters,
    Prompt,
    Release,
    Screening,
)
from pilothouse.steps.portfolio.contracts import Standing


class ChatModel(Protocol):
    """Completes a prompt. Raises ModelUnavailable when trying another route may help."""

    async def complete(self, prompt: Prompt, parameters: Parameters) -> Completion: ...

    def stream(self, prompt: Prompt, parameters: Parameters) -> AsyncGenerator[Delta]:
        """Yield pieces as they come; closing the iterator cancels the upstream call."""
        ...


class Guardrail(Protocol):
    """Judges and masks text going in and out. Step 5 plugs in; unplugged, only minimal-risk use cases pass.

    Synchronous: it sits on every request and may use no network.
    """

    def screen(self, call: Call, standing: Standing, material: Material) -> Screening: ...

    def inspect(self, call: Call, standing: Standing, draft: Draft) -> Inspection: ...

    def streams_through(self, standing: Standing) -> bool:
        """Return True only where policy can never hold, block or mask an answer of this use case on the way out."""
        ...

    def restore(self, text: str, vault: tuple[tuple[str, str], ...]) -> str:
        """Put originals back for a viewer who may see them."""
        ...


class ReleasePolicy(Protocol):
    """Chooses which release serves whom. Step 8 plugs in; unplugged, everyone gets the default."""

    def assign(self, call: Call, standing: Standing) -> Release | NotServed: ...


class Licence(Protocol):
    """Says whether a person is trained for what a use case asks. Step 4 plugs in; unplugged, nothing is asked."""

    def refusal(self, call: Call, standing: Standing) -> str:
        """Return why this person may not ask yet, or an empty string."""
        ...


class Models(Protocol):
    """Opens routes to models; the same route gives the same client, so that connections are reused."""

    def open(self, route: ModelRoute) -> ChatModel: ...
