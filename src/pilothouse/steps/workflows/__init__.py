"""Step 6, Integrate into daily work: ratings, corrections and assists where the work happens."""
