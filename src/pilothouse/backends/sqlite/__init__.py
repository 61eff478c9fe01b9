"""The embedded default: one file, one writer thread, concurrent readers."""
