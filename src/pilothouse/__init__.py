"""Pilothouse: carries a GenAI use case from idea to proven, governed scale, or kills it for good reasons."""
