"""Which models may serve a prompt, in which order: constraints first, then the release's choice, then the default."""

from collections.abc import Mapping

from pilothouse.steps.gateway.contracts import ModelRoute, Release
from pilothouse.steps.knowledge.contracts import LABELS, Label

EXTRACTIVE = "extractive"


def routes_for(release: Release, label: Label, routes: Mapping[str, ModelRoute]) -> tuple[ModelRoute, ...]:
    """Return the routes to try, best first: none may see a label above its clearance.

    The built-in extractive model runs in this process and may see everything; it is the last resort of every release.
    """
    wanted = [routes[name] for name in (release.model, EXTRACTIVE) if name in routes]
    return tuple(dict.fromkeys(r for r in wanted if LABELS.index(r.clearance) >= LABELS.index(label)))


def cost_eur(route: ModelRoute, tokens_in: int, tokens_out: int) -> float | None:
    """Return what a call cost (EUR); None when the route has no price."""
    if route.eur_per_million_in is None or route.eur_per_million_out is None:
        return None
    return (tokens_in * route.eur_per_million_in + tokens_out * route.eur_per_million_out) / 1e6
