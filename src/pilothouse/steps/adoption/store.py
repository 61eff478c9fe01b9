"""Adoption keeps no table of its own: every figure is computed on read from the gateway's facts and the directory."""
