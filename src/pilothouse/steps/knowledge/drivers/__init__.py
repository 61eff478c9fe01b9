"""Drivers of knowledge: parsers, the embedder, the indexes, the lake, and the folder walk."""
