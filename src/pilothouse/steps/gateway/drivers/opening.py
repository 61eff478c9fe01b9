"""Routes to clients: one client a route, kept for as long as the route stays as it is."""

from pilothouse.steps.gateway.contracts import ModelRoute
from pilothouse.steps.gateway.drivers.extractive import ExtractiveModel
from pilothouse.steps.gateway.drivers.openai_compatible import OpenAiModel
from pilothouse.steps.gateway.ports import ChatModel


class OpenModels:
    """Opens each route once."""

    def __init__(self, *, extractive: ExtractiveModel) -> None:
        self._extractive = extractive
        self._opened: dict[ModelRoute, OpenAiModel] = {}

    def open(self, route: ModelRoute) -> ChatModel:
        if route.kind == "extractive":
            return self._extractive
        held = self._opened.get(route)
        if held is None:
            held = self._opened[route] = OpenAiModel(route)
        return held

    async def close(self) -> None:
        """Close every connection."""
        for model in self._opened.values():
            await model.close()
