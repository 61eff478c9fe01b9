"""The command-line door: one command an operation, and the operator's tools."""
