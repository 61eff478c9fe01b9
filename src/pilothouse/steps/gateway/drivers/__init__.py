"""Drivers of the gateway: the built-in extractive model, any OpenAI-protocol upstream, and the routes to them."""
