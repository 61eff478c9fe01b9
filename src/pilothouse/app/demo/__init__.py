"""The demo organisation: a fictional bank, its documents, its people and its simulated history."""
