"""Kernel protocols made real: SQLite and Postgres, disk, keys, clock."""
