"""Asking models in turn, each within the time that is left, until one answers."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from pilothouse.kernel.errors import PilothouseError
from pilothouse.steps.gateway.contracts import Completion, Delta, InteractionId, ModelRoute, Parameters, Prompt
from pilothouse.steps.gateway.errors import ModelUnavailable, TooLate
from pilothouse.steps.gateway.logic import routing
from pilothouse.steps.gateway.ports import Models


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One prompt and the routes that may serve it, best first."""

    interaction_id: InteractionId
    prompt: Prompt
    parameters: Parameters
    routes: Sequence[ModelRoute]
    models: Models
    seconds_left: Callable[[], float | None]
    """Seconds until the call's deadline; None when it has none."""

    async def complete(self) -> Completion:
        """Return the first completion that a route gives, with its cost.

        Raises:
            TooLate: the deadline passed.
            ModelUnavailable: every route failed.
            ModelRefused: a route says that the request itself is wrong.
        """
        for route in self.routes:
            with suppress(ModelUnavailable, TimeoutError):
                async with asyncio.timeout(self._allowed(route)):
                    done = await self.models.open(route).complete(self.prompt, self.parameters)
                return _priced(done, route)
        raise self._nobody()

    async def stream(self) -> AsyncGenerator[Delta]:
        """Yield pieces from the first route that begins; raises as `complete` does, and when a begun one breaks off."""
        for route in self.routes:
            begun = False
            try:
                async with aclosing(self._timed(route)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except (ModelUnavailable, TimeoutError) as failed:
                if begun:
                    raise ModelUnavailable("the model broke off; ask again", route=route.name,
                                           interaction_id=self.interaction_id) from failed
        raise self._nobody()

    async def _timed(self, route: ModelRoute) -> AsyncGenerator[Delta]:
        """Yield one route's pieces; the time limit holds while waiting for the model, not while the reader reads."""
        async with aclosing(self.models.open(route).stream(self.prompt, self.parameters)) as pieces:
            while True:
                async with asyncio.timeout(self._allowed(route)):
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                yield replace(piece, completion=_priced(piece.completion, route)) if piece.completion else piece

    def _allowed(self, route: ModelRoute) -> float:
        left = self.seconds_left()
        return route.timeout_s if left is None else max(0.0, min(route.timeout_s, left))

    def _nobody(self) -> PilothouseError:
        left = self.seconds_left()
        if left is not None and left <= 0:
            return TooLate("the deadline passed before a model answered; ask again, or ask for less",
                           interaction_id=self.interaction_id)
        return ModelUnavailable("no model answered; try again in a minute", interaction_id=self.interaction_id,
                                tried=", ".join(r.name for r in self.routes))


def _priced(done: Completion, route: ModelRoute) -> Completion:
    return replace(done, cost_eur=routing.cost_eur(route, done.tokens_in, done.tokens_out))
