"""The MCP door: one tool an operation, decisions excluded."""
