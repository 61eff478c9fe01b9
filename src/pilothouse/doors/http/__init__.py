"""The HTTP door: own operations as JSON, wire-compatible endpoints by hand."""
