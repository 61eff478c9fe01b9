"""Drivers of oversight: where held answers lie."""
