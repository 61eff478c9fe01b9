"""Ports of the portfolio made real, one system a file."""
