"""Step 2, Build the data foundation: sources, quality, permissions, lineage, exact retrieval."""
