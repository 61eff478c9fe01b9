"""The console: server-rendered pages on the same façades as every other door."""
