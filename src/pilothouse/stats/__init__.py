"""Estimates and tests on summaries: pure functions, no I/O, no platform words."""
